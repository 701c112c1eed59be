//! Where lines go: one file of this folder for each appender type.
//! Every process appends for itself; a line is one system call, so that lines of different processes never mix. A
//! A session process may open no file: another process opens for it what it needs after its fork. An appender reports a
//! failure and never retries or waits, because logging must not hold up a session.

pub(super) mod daily;
pub(super) mod rolling;
pub(super) mod stream;
pub(super) mod syslog;

use crate::ipc::errand::{self, Errand};
use log4rs::append::Append;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

/// An appender that has a file or a socket.
pub(super) trait Appender: Append {
    /// Opens the file or socket that takes a line of `length` octets at `seconds` since the epoch, for a process that
    /// may open nothing. An appender that never opens a file again returns an error.
    fn open_for_another(&self, seconds: i64, length: u64) -> io::Result<OwnedFd> {
        let _ = (seconds, length);
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// The descriptor for the next line, opened by the process that does this for us; none: this process opens it itself.
fn opened_by_another(appender: &str, seconds: i64, length: u64) -> Option<io::Result<OwnedFd>> {
    let appender = appender.to_owned();
    errand::is_asking().then(|| errand::open(&Errand::LogFile { appender, seconds, length }))
}

/// Opens `name` in `directory` for appending; a file that is created gets mode 0640.
/// A symbolic link in the place of the file is refused: no daemon creates one.
fn open_append(directory: &File, name: &Path) -> io::Result<File> {
    let flags = OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NOCTTY;
    loop {
        match openat(directory.as_fd(), name, flags, Mode::empty()) {
            Ok(file) => return Ok(File::from(file)),
            Err(Errno::ENOENT) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mode = Mode::S_IRUSR | Mode::S_IWUSR | Mode::S_IRGRP;
        match openat(directory.as_fd(), name, flags | OFlag::O_CREAT | OFlag::O_EXCL, mode) {
            Ok(file) => return Ok(File::from(file)),
            // Another process created it meanwhile: open that one.
            Err(Errno::EEXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Writes the whole line with one call. A line that was written in part (a full disk) is a failure.
fn write_line(mut out: impl io::Write, line: &[u8]) -> io::Result<()> {
    loop {
        match out.write(line) {
            Ok(written) if written == line.len() => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
