//! The rc file on disk: reads it, and says whether it has changed since.
//! Each process does this for itself, because each has its own copy of the wiring. Never writes.

use super::error::LogError;
use super::init::Init;
use super::rc::{self, Rc};
use crate::file::FileState;
use std::io;
use std::path::{Path, PathBuf};

/// The rc file and the state in which it was read last.
#[derive(Debug)]
pub(super) struct Watch {
    file: PathBuf,
    daemon: &'static str,
    seen: Option<FileState>,
}

impl Watch {
    pub(super) fn new(init: &Init) -> Self {
        let file = init.directory.join(format!("{}.logrc", init.name));
        Self { file, daemon: init.name, seen: None }
    }

    /// The rc file's path.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The file's content; none where there is no file.
    pub(super) fn read(&mut self) -> Result<Option<Rc>, LogError> {
        // Take the state first: a change between the two calls is then found at the next check.
        self.seen = FileState::of(&self.file);
        match std::fs::read(&self.file) {
            Ok(octets) => rc::parse(&self.file, &octets, self.daemon).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::Read { file: self.file.clone(), source }),
        }
    }

    /// Whether the file exists and differs from the one that was read last. A missing file counts as unchanged: editors
    /// remove the file for a moment, and a jailed process cannot see it.
    pub(super) fn has_changed(&self) -> bool {
        FileState::of(&self.file).is_some_and(|now| self.seen != Some(now))
    }
}
