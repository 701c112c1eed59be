//! log4c's `rollingfile` with its `sizewin` policy: `<prefix>.0` takes the lines; when the next one would make it
//! larger than `maxsize`, each file moves up by one number and the oldest goes.
//! Every process may be the one that rolls, under a lock on the directory; the others notice by the file's inode.

use super::{Owner, open_append, write_line};
use crate::log::layout::Layout;
use ::log::Record;
use log4rs::append::Append;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, renameat};
use nix::sys::stat::fstatat;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The `sizewin` policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct SizeWindow {
    /// Octets a file may hold; 0: any number.
    pub(in crate::log) maxsize: u64,
    /// Files in all, at least 1.
    pub(in crate::log) maxnum: u32,
}

impl Default for SizeWindow {
    /// log4c's own: 20 KB, 5 files.
    fn default() -> Self {
        Self { maxsize: 20 * 1024, maxnum: 5 }
    }
}

/// The appender.
#[derive(Debug)]
pub(in crate::log) struct Rolling {
    layout: Layout,
    path: PathBuf,
    directory: File,
    prefix: String,
    owner: Owner,
    window: SizeWindow,
    newest: Mutex<File>,
}

impl Rolling {
    /// Lines go to `<prefix>.0` in `directory`.
    pub(in crate::log) fn open(
        path: &Path,
        prefix: String,
        window: SizeWindow,
        owner: Owner,
        layout: Layout,
    ) -> io::Result<Self> {
        let directory = File::open(path)?;
        let newest = Mutex::new(open_append(&directory, &numbered(&prefix, 0), owner)?);
        Ok(Self { layout, path: path.to_owned(), directory, prefix, owner, window, newest })
    }

    /// Makes `newest` the file that is `<prefix>.0` now, and one with room for `length` more octets.
    fn make_room(&self, newest: &mut File, length: u64) -> io::Result<()> {
        if self.has_room(newest, length)? {
            return Ok(());
        }
        // A lock belongs to an open file description, and forked processes share those: open the directory anew.
        let lock = Flock::lock(File::open(&self.path)?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        *newest = open_append(&self.directory, &numbered(&self.prefix, 0), self.owner)?;
        if !self.has_room(newest, length)? {
            self.roll()?;
            *newest = open_append(&self.directory, &numbered(&self.prefix, 0), self.owner)?;
        }
        drop(lock);
        Ok(())
    }

    /// Whether `newest` is still in its place, and small enough. An empty file takes any line.
    fn has_room(&self, newest: &File, length: u64) -> io::Result<bool> {
        let held = newest.metadata()?;
        let named =
            match fstatat(self.directory.as_fd(), &numbered(&self.prefix, 0), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(named) => named,
                Err(Errno::ENOENT) => return Ok(false),
                Err(errno) => return Err(errno.into()),
            };
        let in_place = (held.dev(), held.ino()) == (named.st_dev, named.st_ino);
        let fits = self.window.maxsize == 0 || held.len() == 0 || held.len() + length <= self.window.maxsize;
        Ok(in_place && fits)
    }

    fn roll(&self) -> io::Result<()> {
        let last = self.window.maxnum.saturating_sub(1);
        if last == 0 {
            return Ok(unlinkat(&self.directory, &numbered(&self.prefix, 0), UnlinkatFlags::NoRemoveDir)?);
        }
        for number in (0..last).rev() {
            let (from, to) = (numbered(&self.prefix, number), numbered(&self.prefix, number + 1));
            match renameat(&self.directory, &from, &self.directory, &to) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl Append for Rolling {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let line = self.layout.line(record)?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut newest, line.len() as u64)?;
        write_line(&*newest, &line)?;
        Ok(())
    }

    fn flush(&self) {}
}

fn numbered(prefix: &str, number: u32) -> PathBuf {
    format!("{prefix}.{number}").into()
}
