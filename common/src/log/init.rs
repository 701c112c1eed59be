//! The settings that logging gets from its daemon.

use std::path::PathBuf;

/// The settings that logging gets from its daemon.
#[derive(Debug, Clone)]
pub struct Init {
    /// `os4x_proxyserver` or `os4x_proxyclient`: the first part of file names, the base of categories, the name in
    /// lines.
    pub name: &'static str,
    /// The directory of the binary.
    pub directory: PathBuf,
    /// Lines also go to standard error (`--foreground`).
    pub also_stderr: bool,
}
