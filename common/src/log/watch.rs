//! The rc file on disk: reads it, and tells whether it has changed since.
//! Each process watches for itself, because each was forked with its parent's wiring. Never writes.

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
        // The state first: a change between the two calls is then seen next time.
        self.seen = FileState::of(&self.file);
        match std::fs::read(&self.file) {
            Ok(octets) => rc::parse(&self.file, &octets, self.daemon).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(LogError::Read { file: self.file.clone(), source }),
        }
    }

    /// Whether there is a file and it differs from the one read last. A missing one is no change: editors take the
    /// file away for a moment, and a jailed process cannot see it.
    pub(super) fn has_changed(&self) -> bool {
        FileState::of(&self.file).is_some_and(|now| self.seen != Some(now))
    }
}
