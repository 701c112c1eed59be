//! The process that a PID file belongs to. The number in the file alone proves nothing: in a container each start gets
//! the same numbers, and after a power cut the number may belong to any program. A lock that the daemon holds proves
//! it. Without a lock (a legacy daemon, a file system without locks) the process itself is examined.

use crate::process::stat;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The process that a PID file belongs to or names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A running daemon of this directory.
    Daemon(Pid),
    /// A daemon that locks the file and has no process ID here: it runs in another container or on another host.
    Elsewhere,
    /// The process that checks, or its parent.
    Own(Pid),
    /// The process runs, but is another program: the number was used again.
    Other(Pid, String),
    /// The process runs, has this program's name and no lock, and cannot be examined: a daemon of another directory, or
    /// a legacy daemon of this directory.
    Namesake(Pid),
    /// It does not run.
    Dead(Pid),
    /// The file is empty.
    Empty,
    /// The file holds no process ID.
    Unknown,
}

impl Holder {
    pub(super) fn of(path: &Path) -> Self {
        match lock_holder(path) {
            Ok(Some(pid)) if pid.as_raw() > 0 => return Self::Daemon(pid),
            Ok(Some(_)) => return Self::Elsewhere,
            Ok(None) | Err(_) => {}
        }
        let content = fs::read(path).unwrap_or_default();
        if content.is_empty() {
            return Self::Empty;
        }
        let number = str::from_utf8(&content).ok().and_then(|text| text.trim().parse().ok());
        let Some(pid) = number.filter(|pid| *pid > 0).map(Pid::from_raw) else {
            return Self::Unknown;
        };
        if pid == Pid::this() || pid == Pid::parent() {
            Self::Own(pid)
        } else if kill(pid, None) == Err(Errno::ESRCH) || stat::has_ended(pid.as_raw()) {
            Self::Dead(pid)
        } else {
            Self::running(pid, &Program::of(&pid.to_string()), &Program::of("self"))
        }
    }

    /// Compares a running process that holds no lock with this one.
    fn running(pid: Pid, theirs: &Program, ours: &Program) -> Self {
        match theirs {
            Program { name: Some(name), .. } if theirs.name != ours.name => Self::Other(pid, name.clone()),
            Program { directory: None, .. } => Self::Namesake(pid),
            Program { directory: Some(directory), .. } if theirs.directory != ours.directory => {
                Self::Other(pid, format!("of {}", directory.display().to_string().escape_debug()))
            }
            Program { .. } => Self::Daemon(pid),
        }
    }

    /// What to do about the file `path`.
    pub(super) fn remedy(&self, path: &Path) -> String {
        let delete = format!("delete it with 'rm {}' and start again", path.display());
        match self {
            // Signal 1 to the first process of a container is harmless, but not to the first process of a host; and
            // somebody inside a container may not know which of the two it is.
            Self::Daemon(pid) if pid.as_raw() == 1 => "to end it, stop its container".into(),
            Self::Daemon(pid) => format!("end it with 'kill -1 {pid}' before starting another one"),
            Self::Elsewhere => "end that one first".into(),
            Self::Own(_) | Self::Other(..) | Self::Dead(_) | Self::Empty => {
                format!("the file is stale, {delete}")
            }
            Self::Namesake(pid) => format!(
                "unless that is a daemon of this directory (root sees it with 'ls -l /proc/{pid}/exe'), the file is \
                 stale, {delete}"
            ),
            Self::Unknown => format!("find out who wrote it, then {delete}"),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon(pid) => write!(f, "belongs to process {pid}, which runs"),
            Self::Elsewhere => f.write_str("is locked by a daemon in another container or on another host"),
            Self::Own(pid) if *pid == Pid::this() => {
                write!(f, "names process {pid}, which is this start itself")
            }
            Self::Own(pid) => write!(f, "names process {pid}, which is the parent of this start"),
            Self::Other(pid, name) => {
                write!(f, "names process {pid}, which runs but is another program ({name})")
            }
            Self::Namesake(pid) => {
                write!(
                    f,
                    "names process {pid}, which runs and may be this program, but has not locked the file"
                )
            }
            Self::Dead(pid) => write!(f, "names process {pid}, which does not run"),
            Self::Empty => f.write_str("is empty, as after a power cut"),
            Self::Unknown => f.write_str("holds no process ID"),
        }
    }
}

/// Locks the file `path` for this process until the returned file is closed. Unlike a lock of flock(2), a forked child
/// does not inherit it, so that a session process is never taken for its parent.
///
/// # Errors
/// It cannot be opened for writing, or its file system has no locks.
pub(super) fn lock(path: &Path) -> io::Result<File> {
    let file = File::options().write(true).open(path)?;
    fcntl(&file, FcntlArg::F_SETLK(&whole_file()?))?;
    Ok(file)
}

/// The process that locks the file `path`; its number is 0 or less if it runs in another container or on another host.
fn lock_holder(path: &Path) -> io::Result<Option<Pid>> {
    let file = File::open(path)?;
    let mut found = whole_file()?;
    fcntl(&file, FcntlArg::F_GETLK(&mut found))?;
    Ok((i32::from(found.l_type) != libc::F_UNLCK).then(|| Pid::from_raw(found.l_pid)))
}

/// A lock for writing on the whole file.
fn whole_file() -> io::Result<libc::flock> {
    let number = |number: libc::c_int| number.try_into().map_err(io::Error::other);
    let (l_type, l_whence) = (number(libc::F_WRLCK)?, number(libc::SEEK_SET)?);
    Ok(libc::flock { l_type, l_whence, l_start: 0, l_len: 0, l_pid: 0 })
}

/// A program as the system shows it to this process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Program {
    /// Its binary's name as the kernel keeps it (15 octets), whatever its title is. None only if the processes of other
    /// users are hidden (hidepid).
    name: Option<String>,
    /// Its binary's directory. It stays the same when the binary is replaced; only the name then ends in " (deleted)".
    /// None if other processes may not examine it, as our daemons ask for, and we are not root.
    directory: Option<PathBuf>,
}

impl Program {
    fn of(process: &str) -> Self {
        let name = fs::read_to_string(format!("/proc/{process}/comm")).ok();
        let binary = fs::read_link(format!("/proc/{process}/exe")).ok();
        Self {
            name: name.map(|name| name.trim_end().escape_debug().to_string()),
            directory: binary.and_then(|binary| binary.parent().map(Path::to_owned)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, Program};
    use nix::unistd::Pid;
    use std::path::Path;

    fn program(name: &str, directory: &str) -> Program {
        let seen = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Program { name: seen(name), directory: seen(directory).map(Into::into) }
    }

    #[test]
    fn a_process_that_locks_nothing_is_judged_by_its_name_and_directory() {
        let ours = program("os4x_proxyserve", "/opt/os4x/proxy");
        for (name, directory, holder) in [
            // Its binary may have been replaced or renamed meanwhile.
            ("os4x_proxyserve", "/opt/os4x/proxy", Holder::Daemon(Pid::from_raw(7))),
            ("", "/opt/os4x/proxy", Holder::Daemon(Pid::from_raw(7))),
            ("os4x_proxyserve", "/srv/b", Holder::Other(Pid::from_raw(7), "of /srv/b".into())),
            ("os4x_proxyclien", "/opt/os4x/proxy", Holder::Other(Pid::from_raw(7), "os4x_proxyclien".into())),
            ("sh", "", Holder::Other(Pid::from_raw(7), "sh".into())),
            ("os4x_proxyserve", "", Holder::Namesake(Pid::from_raw(7))),
            ("", "", Holder::Namesake(Pid::from_raw(7))),
        ] {
            assert_eq!(Holder::running(Pid::from_raw(7), &program(name, directory), &ours), holder);
        }
    }

    #[test]
    fn a_signal_is_advised_for_a_daemon_of_this_directory_alone_and_never_for_process_1() {
        let remedy = |holder: Holder| holder.remedy(Path::new("/a.pid"));
        assert!(remedy(Holder::Daemon(Pid::from_raw(7))).contains("'kill -1 7'"));
        for pid in [Pid::from_raw(1), Pid::from_raw(7)] {
            let name = "sh".to_owned();
            for holder in [
                Holder::Own(pid),
                Holder::Other(pid, name),
                Holder::Namesake(pid),
                Holder::Dead(pid),
                Holder::Empty,
            ] {
                let remedy = remedy(holder);
                assert!(remedy.contains("stale, delete it with 'rm /a.pid'"), "{remedy}");
                assert!(!remedy.contains("kill"), "{remedy}");
            }
        }
        for holder in [Holder::Daemon(Pid::from_raw(1)), Holder::Elsewhere, Holder::Unknown] {
            let remedy = remedy(holder);
            assert!(!remedy.contains("kill") && !remedy.contains("stale"), "{remedy}");
        }
    }
}
