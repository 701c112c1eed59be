//! A file of the parent to which session processes add lines: what the next parent must know although this one may be
//! killed before it has read a message. Opened before the fork, because a session process may open nothing.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Largest file that is read, octets.
const LARGEST: u64 = 64 << 20;

/// Opens the file for its parent, or creates it with mode 0600; returns it with its content, 64 MiB at most.
///
/// # Errors
/// It is a symbolic link, or cannot be created, read or written.
pub fn open(path: &Path) -> io::Result<(File, Vec<u8>)> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(nix::libc::O_NOFOLLOW);
    let file = options.open(path)?;
    let mut content = Vec::new();
    (&file).take(LARGEST).read_to_end(&mut content)?;
    Ok((file, content))
}

/// The end of a session process.
#[derive(Debug)]
pub struct Notes {
    path: PathBuf,
    file: io::Result<File>,
}

impl Notes {
    /// Of the file at `path`, which the parent has made.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).custom_flags(nix::libc::O_NOFOLLOW).open(path);
        Self { path: path.to_owned(), file }
    }

    /// Adds whole lines with one write, so that none of them is torn. A failure is logged at DEBUG: the parent gets
    /// the same in a message.
    pub fn add(&self, lines: &[u8]) {
        let written = match &self.file {
            Ok(file) => {
                let mut file = file;
                file.write_all(lines).map_err(|e| e.to_string())
            }
            Err(e) => Err(e.to_string()),
        };
        if let Err(e) = written {
            crate::debug!("{} cannot be written: {e}", self.path.display());
        }
    }
}
