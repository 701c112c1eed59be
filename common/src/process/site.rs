//! The place of a daemon: the directory of its binary, with its PID file, its `.logrc`, its key and its logs. The
//! daemon runs as the owner of this directory. The place is found through /proc/self/exe, so it does not matter from
//! where or how the daemon was started.

use nix::errno::Errno;
use nix::unistd::{self, Gid, Uid, User};
use std::ffi::CString;
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// One installation of one daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    directory: PathBuf,
    program: String,
    stem: &'static str,
}

impl Site {
    /// The site of the running binary. `stem` begins the names of its files: `os4x_proxyserver`.
    ///
    /// # Errors
    /// The system does not say where the binary is.
    pub fn of_this_binary(stem: &'static str) -> Result<Self, SiteError> {
        let binary = std::env::current_exe().map_err(SiteError::NoBinary)?;
        let (Some(directory), Some(program)) = (binary.parent(), binary.file_name()) else {
            return Err(SiteError::NoBinary(io::ErrorKind::InvalidFilename.into()));
        };
        Ok(Self { directory: directory.to_owned(), program: program.to_string_lossy().into_owned(), stem })
    }

    /// The binary's directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The binary's own name, as `ps` shows it.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// `os4x_proxyserver`: the names of its files begin with this.
    pub fn stem(&self) -> &'static str {
        self.stem
    }

    /// The file `stem.extension`: `pid`, `logrc`, `key`, `log`.
    pub fn file(&self, extension: &str) -> PathBuf {
        self.directory.join(format!("{}.{extension}", self.stem))
    }

    /// If started as root, becomes the owner of the binary's directory permanently. Call it after the port is bound and
    /// before the first file is created.
    ///
    /// # Errors
    /// The directory's owner cannot be seen, or this process cannot become that user permanently.
    pub fn drop_root(&self) -> Result<Privileges, SiteError> {
        if !unistd::geteuid().is_root() {
            return Ok(Privileges::Unchanged);
        }
        let owner =
            std::fs::metadata(&self.directory).map_err(|cause| self.denied("is not readable", cause))?;
        if owner.uid() == 0 {
            return Ok(Privileges::StillRoot(self.directory.clone()));
        }
        let (user, group) = (Uid::from_raw(owner.uid()), Gid::from_raw(owner.gid()));
        become_user(user, group)
            .map_err(|cause| self.denied("has an owner whom this process cannot become", cause.into()))?;
        Ok(Privileges::Dropped(user))
    }

    fn denied(&self, what: &'static str, cause: io::Error) -> SiteError {
        SiteError::Owner { directory: self.directory.clone(), what, cause }
    }
}

/// Takes the user's groups, or only `group` if the user database does not have the user. Checks that the process cannot
/// become root again.
fn become_user(user: Uid, group: Gid) -> nix::Result<()> {
    let group = if let Some(entry) = User::from_uid(user)? {
        let name = CString::new(entry.name).map_err(|_| Errno::EINVAL)?;
        unistd::initgroups(&name, entry.gid)?;
        entry.gid
    } else {
        unistd::setgroups(&[group])?;
        group
    };
    unistd::setresgid(group, group, group)?;
    unistd::setresuid(user, user, user)?;
    let now = unistd::getresuid()?;
    let all_dropped = [now.real, now.effective, now.saved].into_iter().all(|id| id == user);
    if all_dropped && unistd::setuid(Uid::from_raw(0)).is_err() { Ok(()) } else { Err(Errno::EPERM) }
}

/// How the process changed its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Privileges {
    /// It was not started as root.
    Unchanged,
    /// It runs as this user now.
    Dropped(Uid),
    /// The directory belongs to root, so the daemon goes on as root, with a warning.
    StillRoot(PathBuf),
}

impl Privileges {
    /// The warning if the daemon goes on as root.
    pub fn warning(&self) -> Option<String> {
        let Self::StillRoot(directory) = self else { return None };
        let directory = directory.display();
        Some(format!(
            "runs as root, since {directory} belongs to root: give it to a user of its own (chown USER {directory})"
        ))
    }
}

/// Why the site cannot be used.
#[derive(Debug)]
pub enum SiteError {
    /// /proc/self/exe cannot be read.
    NoBinary(io::Error),
    /// The user to run as cannot be determined, or the process cannot become that user.
    Owner {
        /// The binary's directory.
        directory: PathBuf,
        /// What is wrong with it.
        what: &'static str,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for SiteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBinary(cause) => {
                write!(f, "cannot find the directory of this binary: {cause}; is /proc mounted?")
            }
            Self::Owner { directory, what, cause } => write!(f, "{} {what}: {cause}", directory.display()),
        }
    }
}

impl std::error::Error for SiteError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoBinary(cause) | Self::Owner { cause, .. } => Some(cause),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Privileges, Site};

    #[test]
    fn files_stand_beside_the_binary() {
        let site = Site::of_this_binary("os4x_proxyserver").unwrap();
        let binary = std::env::current_exe().unwrap();
        assert_eq!(site.directory(), binary.parent().unwrap());
        assert_eq!(site.file("pid"), binary.with_file_name("os4x_proxyserver.pid"));
    }

    #[test]
    fn only_root_that_stays_is_warned_of() {
        assert_eq!(Privileges::Unchanged.warning(), None);
        let warning = Privileges::StillRoot("/opt/os4x/proxy".into()).warning().unwrap();
        assert!(warning.contains("chown USER /opt/os4x/proxy"), "{warning}");
    }
}
