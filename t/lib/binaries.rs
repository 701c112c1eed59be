//! Finds the binaries under test: beside the test's own binary, in the target directory, or in `OS4X_BIN_DIR`.

use std::path::PathBuf;

/// The built binary `name`.
///
/// # Panics
/// If it is missing; the text says what to do.
pub fn path(name: &str) -> PathBuf {
    let path = directory().unwrap_or_default().join(name);
    assert!(path.is_file(), "{} is missing: run cargo build --workspace --bins first", path.display());
    path
}

fn directory() -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os("OS4X_BIN_DIR") {
        return Some(chosen.into());
    }
    // target/debug/deps/t-0123456789abcdef
    let own = std::env::current_exe().ok()?;
    Some(own.parent()?.parent()?.to_owned())
}
