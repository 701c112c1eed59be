//! The sandbox of session processes: after its start, a session process may only relay between its two connections and
//! write log lines. It reads octets of strangers; an attacker who takes it over gets no file, no other process, no
//! other connection and no program.
//!
//! * `kernel`: files and connections, by Landlock; limits of resources
//! * `system_calls`: the system calls that are allowed, by seccomp, each with its reason
//!
//! Most of it is applied once, to the forker, and its children inherit it. What they need after their fork and may not
//! do themselves, the attendant does for them (`process::attendant`).

mod kernel;
mod system_calls;

pub use kernel::Support;

use crate::config::Confinement;
use std::fmt;
use std::io;
use system_calls::Stage;

/// Why a process could not enter its sandbox although the kernel supports it.
#[derive(Debug)]
pub struct SandboxError(String);

impl fmt::Display for SandboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sandbox of session processes cannot be entered: {}", self.0)
    }
}

impl std::error::Error for SandboxError {}

impl From<SandboxError> for io::Error {
    fn from(e: SandboxError) -> Self {
        Self::other(e)
    }
}

/// For a process that serves no session: forbids what it never needs, such as programs, other processes, and calls that
/// only an attack makes. If the kernel does not support this, the process goes on without it.
pub fn enter_helper() {
    if Support::of_kernel().has_seccomp()
        && let Err(e) = Stage::Helper.apply()
    {
        crate::warn!("{}", SandboxError(e));
    }
}

/// The sandbox of one daemon's session processes.
#[derive(Debug, Clone, Copy)]
pub struct Sandbox {
    /// The setting `proxy_sandbox`, as far as the kernel supports it.
    support: Support,
}

impl Sandbox {
    /// As far as this kernel supports it; empty if the configuration wants none.
    pub fn new(confinement: Confinement) -> Self {
        Self {
            support: match confinement {
                Confinement::Sandbox => Support::of_kernel(),
                Confinement::None => Support::default(),
            },
        }
    }

    /// Puts this process and all its children into the sandbox: no file, no program, TCP connections only to these
    /// ports, and only the system calls that a forker or a session process needs.
    ///
    /// # Errors
    /// The kernel refuses something that it supports.
    pub fn enter(self, ports: impl IntoIterator<Item = u16>) -> Result<(), SandboxError> {
        if self.support.is_none() {
            return Ok(());
        }
        kernel::limit_descriptors().map_err(|e| SandboxError(e.to_string()))?;
        if self.support.has_landlock() {
            kernel::restrict(ports).map_err(|e| SandboxError(e.to_string()))?;
        }
        self.apply(&[Stage::Files, Stage::Forker])
    }

    /// Drops the rights of a forker: this is a session process. `connects`: whether it still has to connect.
    ///
    /// # Errors
    /// As `enter`.
    pub fn enter_session(self, connects: bool) -> Result<(), SandboxError> {
        if !self.support.is_none() {
            kernel::limit_processes().map_err(|e| SandboxError(e.to_string()))?;
        }
        self.apply(&[if connects { Stage::Session } else { Stage::Connected }])
    }

    /// Drops the right to connect: both connections exist.
    ///
    /// # Errors
    /// As `enter`.
    pub fn close(self) -> Result<(), SandboxError> {
        self.apply(&[Stage::Connected])
    }

    fn apply(self, stages: &[Stage]) -> Result<(), SandboxError> {
        if !self.support.has_seccomp() {
            return Ok(());
        }
        stages.iter().try_for_each(|stage| stage.apply()).map_err(SandboxError)
    }
}
