//! What this kernel supports of a sandbox, and the rules for Landlock (landlock(7)) and resource limits (setrlimit(2)).

use crate::sys;
use landlock::{
    ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, NetPort, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, Scope,
};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::fmt;

/// Descriptors of one session process: two connections, those of the parent, of the loop and of the log files.
const DESCRIPTORS: u64 = 256;

/// The newest Landlock version whose rights are known here. An older kernel applies the rights that it knows.
const NEWEST: ABI = ABI::V6;

/// What this kernel supports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Support {
    /// The version of Landlock's interface; 0: none.
    landlock: i32,
    seccomp: bool,
}

impl Support {
    /// The support of this kernel on this architecture.
    pub fn of_kernel() -> Self {
        let known = seccompiler::TargetArch::try_from(std::env::consts::ARCH).is_ok();
        Self { landlock: sys::landlock_version(), seccomp: known && sys::has_seccomp() }
    }

    pub(super) fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(super) fn has_landlock(self) -> bool {
        self.landlock > 0
    }

    pub(super) fn has_seccomp(self) -> bool {
        self.seccomp
    }
}

/// `seccomp,landlock-6`; what is missing is left out; `none`.
impl fmt::Display for Support {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.seccomp, self.landlock) {
            (true, 1..) => write!(f, "seccomp,landlock-{}", self.landlock),
            (true, _) => f.write_str("seccomp"),
            (false, 1..) => write!(f, "landlock-{}", self.landlock),
            (false, _) => f.write_str("none"),
        }
    }
}

/// Forbids all files and folders; TCP connections except to these ports (Linux 6.7); signals to processes outside and
/// abstract Unix sockets (Linux 6.12).
pub(super) fn restrict(ports: impl IntoIterator<Item = u16>) -> Result<(), RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::ConnectTcp)?
        .scope(Scope::from_all(NEWEST))?
        .create()?
        .add_rules(
            ports.into_iter().map(|port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp))),
        )?
        .restrict_self()?;
    Ok(())
}

/// For session processes: a small number of descriptors, or the system's limit if that is lower. The daemon has already
/// disabled core dumps.
pub(super) fn limit_descriptors() -> nix::Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let most = hard.min(DESCRIPTORS);
    setrlimit(Resource::RLIMIT_NOFILE, most, most)
}

/// Forbids this process to fork.
pub(super) fn limit_processes() -> nix::Result<()> {
    setrlimit(Resource::RLIMIT_NPROC, 0, 0)
}

#[cfg(test)]
mod tests {
    use super::Support;

    #[test]
    fn what_there_is_is_told_in_one_word() {
        let told = |landlock, seccomp| Support { landlock, seccomp }.to_string();
        assert_eq!(
            [told(6, true), told(0, true), told(1, false), told(0, false)],
            ["seccomp,landlock-6", "seccomp", "landlock-1", "none"]
        );
    }
}
