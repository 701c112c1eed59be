//! log4c's `stream` and `stream2`: standard output, standard error, or one plain file.
//! Every process appends; unlike log4c, a plain file is never truncated.

use super::{Appender, open_append, write_line};
use crate::log::layout::Layout;
use ::log::Record;
use log4rs::append::Append;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::stat::{SFlag, fstat};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;

/// The appender.
#[derive(Debug)]
pub(in crate::log) struct Stream {
    layout: Layout,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Stdout,
    Stderr,
    File(File),
}

impl Stream {
    /// `stdout` and `stderr` are the streams of that name; another name is a file in `directory`.
    pub(in crate::log) fn open(name: &str, directory: &Path, layout: Layout) -> io::Result<Self> {
        let target = match name {
            "stdout" => Target::Stdout,
            "stderr" => {
                never_wait(io::stderr())?;
                Target::Stderr
            }
            _ => Target::File(open_append(&File::open(directory)?, Path::new(name))?),
        };
        Ok(Self { layout, target })
    }
}

/// A socket is that of the journal, which belongs to this service alone: if the journal hangs, lines are lost and
/// counted, and no session waits for it. A terminal belongs to others, too, and stays as it is.
fn never_wait(stream: impl AsFd) -> nix::Result<()> {
    let kind = SFlag::from_bits_truncate(fstat(&stream)?.st_mode & SFlag::S_IFMT.bits());
    if kind == SFlag::S_IFSOCK {
        let flags = OFlag::from_bits_retain(fcntl(&stream, FcntlArg::F_GETFL)?);
        fcntl(&stream, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    }
    Ok(())
}

impl Appender for Stream {}

impl Append for Stream {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let line = self.layout.line(record)?;
        match &self.target {
            // Locked and unbuffered up to the line feed that ends it: one write.
            Target::Stdout => write_line(io::stdout().lock(), &line)?,
            Target::Stderr => write_line(io::stderr().lock(), &line)?,
            Target::File(file) => write_line(file, &line)?,
        }
        Ok(())
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::never_wait;
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    use std::io::{ErrorKind, Write, pipe};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_journal_that_hangs_stops_nobody_and_a_pipe_stays_as_it_is() {
        let (mut ours, _journal) = UnixStream::pair().unwrap();
        never_wait(&ours).unwrap();
        let full = loop {
            if let Err(e) = ours.write_all(&vec![b'x'; 65_536]) {
                break e;
            }
        };
        assert_eq!(full.kind(), ErrorKind::WouldBlock);
        let (_reader, writer) = pipe().unwrap();
        never_wait(&writer).unwrap();
        let flags = fcntl(writer.as_fd(), FcntlArg::F_GETFL).unwrap();
        assert!(!OFlag::from_bits_retain(flags).contains(OFlag::O_NONBLOCK));
    }
}
