//! A file that is received: written to disk piece by piece, hashed, and renamed to its final name when it is complete.

use super::queue::Partial;
use openssl::sha::Sha256;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Octets gathered before they are hashed and written.
const CHUNK: usize = 256 * 1024;

/// The file being received.
pub struct Incoming {
    part: Option<(File, PathBuf)>,
    hash: Sha256,
    /// Unpacked octets not written yet: the unpacker appends here.
    pub fresh: Vec<u8>,
}

impl Incoming {
    /// A new file below `folder`; without a folder the octets are hashed only.
    pub fn create(folder: Option<&Path>) -> io::Result<Self> {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let part = match folder {
            None => None,
            Some(folder) => {
                let number = COUNTER.fetch_add(1, Ordering::Relaxed);
                let path = folder.join(format!(".{}-{number}.part", std::process::id()));
                Some((OpenOptions::new().write(true).create_new(true).open(&path)?, path))
            }
        };
        Ok(Self { part, hash: Sha256::new(), fresh: Vec::with_capacity(2 * CHUNK) })
    }

    /// Continues a file that broke off, from octet `at`; octets after that are cut off.
    pub fn resume(partial: &Partial, at: u64) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).write(true).open(&partial.path)?;
        file.set_len(at)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; CHUNK];
        loop {
            match file.read(&mut piece)? {
                0 => break,
                count => hash.update(&piece[..count]),
            }
        }
        file.seek(SeekFrom::End(0))?;
        let part = Some((file, partial.path.clone()));
        Ok(Self { part, hash, fresh: Vec::with_capacity(2 * CHUNK) })
    }

    /// Writes the gathered octets, if there are many.
    pub fn pass(&mut self) -> io::Result<()> {
        if self.fresh.len() < CHUNK { Ok(()) } else { self.pass_all() }
    }

    fn pass_all(&mut self) -> io::Result<()> {
        self.hash.update(&self.fresh);
        if let Some((file, _)) = &mut self.part {
            file.write_all(&self.fresh)?;
        }
        self.fresh.clear();
        Ok(())
    }

    /// The file is complete: gives it its name, and gives its SHA-256.
    pub fn keep(mut self, name: &str) -> io::Result<([u8; 32], Option<PathBuf>)> {
        self.pass_all()?;
        let path = match &self.part {
            None => None,
            Some((_, part)) => {
                let path = publish(part, name)?;
                std::fs::remove_file(part)?;
                Some(path)
            }
        };
        Ok((self.hash.finish(), path))
    }

    /// The file broke off: the part on disk stays there, for a restart.
    pub fn leave(mut self) -> Option<PathBuf> {
        self.pass_all().ok()?;
        self.part.map(|(_, path)| path)
    }

    /// The file is not wanted.
    pub fn drop_it(self) {
        if let Some((_, path)) = self.part {
            // It may have been removed with its folder.
            let _ = std::fs::remove_file(path);
        }
    }
}

/// Gives `part` the name of the virtual file, or that name and a number: nothing is ever overwritten.
fn publish(part: &Path, name: &str) -> io::Result<PathBuf> {
    let safe: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
    let safe = if safe.is_empty() || safe.starts_with('.') { format!("_{safe}") } else { safe };
    let mut number = 1_u32;
    loop {
        let path = part.with_file_name(if number == 1 { safe.clone() } else { format!("{safe}.{number}") });
        match std::fs::hard_link(part, &path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            done => return done.map(|()| path),
        }
    }
}
