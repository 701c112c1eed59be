//! The PID file beside the binary: it makes sure that at most one parent runs for each site. It never replaces another
//! PID file. Only the process that created it removes it, and only while it is still the same file. That process keeps
//! it locked, so that a stale file can be told from one in use even if its number belongs to another process now.

mod holder;

pub use holder::Holder;

use crate::file::{self, Inode};
use nix::unistd::Pid;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Our PID file; dropping it in the process that created it removes it.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    inode: Inode,
    creator: Pid,
    /// Open for as long as the creator lives, for its lock; none if the file system has no locks.
    _locked: Option<File>,
}

impl PidFile {
    /// Checks that `path` does not exist, before anything else is done.
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
            // The lock is information for later starts. It is the file itself that keeps a second daemon from starting.
            Ok(inode) => Ok(Self { path: path.to_owned(), inode, creator, _locked: holder::lock(path).ok() }),
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

/// The PID file exists, or it cannot be created.
#[derive(Debug)]
pub enum PidFileError {
    /// The file exists already.
    Exists {
        /// The file.
        path: PathBuf,
        /// The process it names.
        holder: Holder,
    },
    /// The file system refuses.
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
                write!(f, "PID file {} exists and {holder}: {}", path.display(), holder.remedy(path))
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
    fn a_stale_file_is_refused_with_the_command_that_deletes_it() {
        let scratch = Scratch::new("pid-stale");
        let path = scratch.path().join("os4x_proxyserver.pid");
        for (content, holder) in [
            (format!("{}\n", Pid::this()), Holder::Own(Pid::this())),
            (format!("{}\n", Pid::parent()), Holder::Own(Pid::parent())),
            (format!("{}\n", i32::MAX), Holder::Dead(Pid::from_raw(i32::MAX))),
            (String::new(), Holder::Empty),
        ] {
            fs::write(&path, content).unwrap();
            let (found, text) = refusal(&path);
            assert_eq!(found, holder);
            let remedy = format!("the file is stale, delete it with 'rm {}' and start again", path.display());
            assert!(text.ends_with(&remedy) && !text.contains("kill"), "{text}");
        }
        for nonsense in ["x", "-1", "0", "\u{1b}[2J"] {
            fs::write(&path, nonsense).unwrap();
            assert_eq!(refusal(&path).0, Holder::Unknown);
        }
    }
}
