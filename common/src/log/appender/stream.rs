//! log4c's `stream` and `stream2`: standard output, standard error, or one plain file.
//! Every process appends; unlike log4c, a plain file is never truncated.

use super::{Appender, open_append, write_line};
use crate::log::layout::Layout;
use ::log::Record;
use log4rs::append::Append;
use std::fs::File;
use std::io;
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
            "stderr" => Target::Stderr,
            _ => Target::File(open_append(&File::open(directory)?, Path::new(name))?),
        };
        Ok(Self { layout, target })
    }
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
