//! The PID file beside the binary: at most one parent a site. It is never written over another one and removed only by
//! the process that created it, and only while it is still that file.

use crate::file::{self, Inode};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::Pid;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Our PID file; dropping it in the process that created it removes it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    inode: Inode,
    creator: Pid,
}

impl PidFile {
    /// Looks before anything else is begun whether `path` exists.
    ///
    /// # Errors
    /// It exists, with what is known of the process in it, or it cannot be looked at.
    pub fn check(path: &Path) -> Result<(), PidFileError> {
        match fs::symlink_metadata(path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(cause) => Err(PidFileError::Io { path: path.to_owned(), doing: "look at", cause }),
            Ok(_) => Err(PidFileError::exists(path)),
        }
    }

    /// Creates `path` with this process's ID and a newline, readable for everybody.
    ///
    /// # Errors
    /// It exists already, or it cannot be written.
    pub fn create(path: &Path) -> Result<Self, PidFileError> {
        let creator = Pid::this();
        match file::create_whole(path, 0o644, format!("{creator}\n").as_bytes()) {
            Ok(inode) => Ok(Self { path: path.to_owned(), inode, creator }),
            Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => Err(PidFileError::exists(path)),
            Err(cause) => Err(PidFileError::Io { path: path.to_owned(), doing: "create", cause }),
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A child inherits this value, and an operator may have deleted the file and started another daemon.
        if self.creator == Pid::this() && Inode::of(&self.path).is_ok_and(|now| now == self.inode) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The process that a PID file names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// It runs, and it is this program.
    Daemon(Pid),
    /// It runs, but it is another program, with this name: the number was given out again.
    Other(Pid, String),
    /// It does not run.
    Dead(Pid),
    /// The file holds no process ID.
    Unknown,
}

impl Holder {
    fn of(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_default();
        let Some(pid) = text.trim().parse().ok().filter(|pid| *pid > 0).map(Pid::from_raw) else {
            return Self::Unknown;
        };
        if kill(pid, None) == Err(Errno::ESRCH) || is_zombie(pid) {
            return Self::Dead(pid);
        }
        match (name_of(&pid.to_string()), name_of("self")) {
            // Hidden from us (hidepid): better one warning too many.
            (None, _) => Self::Daemon(pid),
            (theirs, ours) if theirs == ours => Self::Daemon(pid),
            (Some(theirs), _) => Self::Other(pid, theirs),
        }
    }
}

/// A process that has ended and that its parent did not collect (usual in containers) still has an entry.
fn is_zombie(pid: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// The binary's name as the kernel keeps it (15 octets). Unlike the path, it is readable for every user.
fn name_of(process: &str) -> Option<String> {
    let name = fs::read_to_string(format!("/proc/{process}/comm")).ok()?;
    Some(name.trim_end().escape_debug().to_string())
}

/// There is a PID file, or none can be made.
#[derive(Debug)]
pub enum PidFileError {
    /// The file exists already.
    Exists {
        /// The file.
        path: PathBuf,
        /// The process it names.
        holder: Holder,
    },
    /// The file system says no.
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why it failed.
        cause: io::Error,
    },
}

impl PidFileError {
    fn exists(path: &Path) -> Self {
        Self::Exists { path: path.to_owned(), holder: Holder::of(path) }
    }
}

impl fmt::Display for PidFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists { path, holder } => {
                write!(f, "PID file {} exists ", path.display())?;
                match holder {
                    Holder::Daemon(pid) => write!(
                        f,
                        "and names process {pid}, which runs: end it with 'kill -1 {pid}' before starting another one"
                    ),
                    Holder::Other(pid, name) => write!(
                        f,
                        "and names process {pid}, which runs but is another program ({name}): delete this stale file"
                    ),
                    Holder::Dead(pid) => {
                        write!(f, "and names process {pid}, which does not run: delete this stale file")
                    }
                    Holder::Unknown => {
                        f.write_str("but holds no process ID: find out who wrote it, then delete it")
                    }
                }
            }
            Self::Io { path, doing, cause } => {
                write!(f, "cannot {doing} PID file {}: {cause}; it belongs beside the binary", path.display())
            }
        }
    }
}

impl std::error::Error for PidFileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Exists { .. } => None,
            Self::Io { cause, .. } => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Holder, PidFile, PidFileError};
    use crate::file::tests::Scratch;
    use nix::unistd::Pid;
    use std::fs;
    use std::process::Command;

    fn refusal(path: &std::path::Path) -> (Holder, String) {
        let error = PidFile::check(path).unwrap_err();
        let text = error.to_string();
        match error {
            PidFileError::Exists { holder, .. } => (holder, text),
            PidFileError::Io { .. } => panic!("{text}"),
        }
    }

    #[test]
    fn it_lives_as_long_as_its_creator_keeps_it() {
        let scratch = Scratch::new("pid-life");
        let path = scratch.path().join("os4x_proxyserver.pid");
        PidFile::check(&path).unwrap();
        let held = PidFile::create(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{}\n", Pid::this()));
        assert_eq!(refusal(&path).0, Holder::Daemon(Pid::this()));
        assert!(PidFile::create(&path).is_err());
        drop(held);
        PidFile::check(&path).unwrap();
    }

    #[test]
    fn a_foreign_file_is_left_alone() {
        let scratch = Scratch::new("pid-foreign");
        let path = scratch.path().join("os4x_proxyserver.pid");
        let held = PidFile::create(&path).unwrap();
        // The new file exists before the old one goes, so that it has an inode of its own.
        fs::write(scratch.path().join("new"), "1\n").unwrap();
        fs::rename(scratch.path().join("new"), &path).unwrap();
        drop(held);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn the_message_names_the_process_and_what_to_do() {
        let scratch = Scratch::new("pid-message");
        let path = scratch.path().join("os4x_proxyserver.pid");
        let mut other = Command::new("sleep").arg("60").spawn().unwrap();
        let pid = other.id();
        // Until exec it still has our name, so the first word of the two outcomes is all that is stable before.
        fs::write(&path, format!("{pid}\n")).unwrap();
        assert!(refusal(&path).1.contains(&format!("names process {pid}, which runs")));
        other.kill().unwrap();
        other.wait().unwrap();
        let (holder, text) = refusal(&path);
        assert_eq!(holder, Holder::Dead(Pid::from_raw(i32::try_from(pid).unwrap())));
        assert!(text.contains("does not run: delete this stale file"), "{text}");
        for nonsense in ["", "x", "-1", "0"] {
            fs::write(&path, nonsense).unwrap();
            assert_eq!(refusal(&path).0, Holder::Unknown);
        }
    }
}
