//! One daemon of a site as a child process in the foreground: its output, its log, its end.

use crate::installation::daily_log;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// Which daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `os4xapi serve`, folder `api`.
    Api,
    /// `os4x_proxyserver2`, folder `dmz`.
    Server,
    /// `os4x_proxyclient2`, folder `inside`.
    Client,
}

impl Role {
    /// In the order in which they are started.
    pub const ALL: [Self; 3] = [Self::Api, Self::Server, Self::Client];

    /// Its binary.
    pub fn binary(self) -> &'static str {
        match self {
            Self::Api => "os4xapi",
            Self::Server => "os4x_proxyserver2",
            Self::Client => "os4x_proxyclient2",
        }
    }

    /// Its folder in the site.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Server => "dmz",
            Self::Client => "inside",
        }
    }

    /// The begin of its files' names.
    pub fn stem(self) -> &'static str {
        self.binary().trim_end_matches('2')
    }
}

/// A daemon that was started.
pub(super) struct Daemon {
    role: Role,
    child: Child,
    folder: PathBuf,
    ended: Option<ExitStatus>,
}

impl Daemon {
    /// Starts `command`; its output is appended to the file `output` in its folder.
    pub(super) fn start(role: Role, mut command: Command, folder: &Path) -> io::Result<Self> {
        let output = OpenOptions::new().create(true).append(true).open(output_file(folder))?;
        command.current_dir("/").stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        Ok(Self { role, child: command.spawn()?, folder: folder.to_owned(), ended: None })
    }

    pub(super) fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    /// How it ended, if it has.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait().ok().flatten();
        }
        self.ended
    }

    /// Waits for its end, however long that takes.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    pub(super) fn signal(&self, signal: Signal) {
        // A daemon that has ended meanwhile gets no signal.
        let _ = kill(self.pid(), signal);
    }

    pub(super) fn pid_file(&self) -> PathBuf {
        self.folder.join(format!("{}.pid", self.role.stem()))
    }
}

fn output_file(folder: &Path) -> PathBuf {
    folder.join("output")
}

/// The output of a daemon, over all its starts.
pub(super) fn output(folder: &Path) -> String {
    let octets = fs::read(output_file(folder)).unwrap_or_default();
    String::from_utf8_lossy(&octets).into_owned()
}

/// The log of a daemon: its dated files, or its output if it has none.
pub(super) fn log(role: Role, folder: &Path) -> String {
    match role {
        Role::Api => output(folder),
        Role::Server | Role::Client => daily_log(folder, role.stem()),
    }
}

/// The first line with all parts of `pattern` in their order; the parts are separated by `*`.
pub(super) fn matching<'a>(log: &'a str, pattern: &str) -> Option<&'a str> {
    log.lines().find(|line| {
        let mut rest = Some(*line);
        for part in pattern.split('*') {
            rest = rest.and_then(|text| text.split_once(part)).map(|(_, after)| after);
        }
        rest.is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::matching;

    #[test]
    fn parts_must_come_in_their_order_on_one_line() {
        let log = "a=1 b=2\nb=2 a=1\n";
        assert_eq!(matching(log, "b=2"), Some("a=1 b=2"));
        assert_eq!(matching(log, "b=2*a=1"), Some("b=2 a=1"));
        assert_eq!(matching(log, "a=1*a=1"), None);
    }
}
