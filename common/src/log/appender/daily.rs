//! `os4x_appender`: one file for all processes, its name ending in the local date of the line's own time stamp.
//! Every process of a daemon appends to it and changes to the next day's file by itself. Never renames or deletes.

use super::{Owner, open_append, write_line};
use crate::log::layout::{Layout, write_day};
use crate::log::record;
use crate::sys::localtime;
use ::log::Record;
use log4rs::append::Append;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The appender; its directory stays open, so that a day file can be reached from a jail too.
#[derive(Debug)]
pub(in crate::log) struct Daily {
    layout: Layout,
    directory: File,
    prefix: String,
    owner: Owner,
    today: Mutex<Option<DayFile>>,
}

#[derive(Debug)]
struct DayFile {
    name: PathBuf,
    file: File,
}

impl Daily {
    /// Lines go to `<prefix>.<date>` in `directory`; the file of `millis` is opened now, so that a fault shows early.
    pub(in crate::log) fn open(
        directory: &Path,
        prefix: String,
        owner: Owner,
        layout: Layout,
        millis: u64,
    ) -> io::Result<Self> {
        let directory = File::open(directory)?;
        let appender = Self { layout, directory, prefix, owner, today: Mutex::new(None) };
        let name = appender.name_at(i64::try_from(millis / 1000).unwrap_or(0));
        let file = open_append(&appender.directory, &name, owner)?;
        *appender.today.lock().unwrap_or_else(PoisonError::into_inner) = Some(DayFile { name, file });
        Ok(appender)
    }

    fn name_at(&self, seconds: i64) -> PathBuf {
        let mut name = format!("{}.", self.prefix);
        // Writing to a String cannot fail.
        let _ = write_day(&mut name, localtime::local(seconds));
        name.into()
    }

    /// Makes `today` the file called `name`. If that cannot be had (no descriptor left at midnight), the old file
    /// keeps taking the lines: a line in yesterday's file is better than none.
    fn turn(&self, today: &mut Option<DayFile>, name: PathBuf) -> io::Result<()> {
        let current = today.as_ref().is_some_and(|day| day.name == name && !is_deleted(&day.file));
        if current {
            return Ok(());
        }
        match open_append(&self.directory, &name, self.owner) {
            Ok(file) => *today = Some(DayFile { name, file }),
            Err(error) if today.is_none() => return Err(error),
            Err(_) => {}
        }
        Ok(())
    }
}

impl Append for Daily {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let line = self.layout.line(record)?;
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn(&mut today, self.name_at(record::seconds(record)))?;
        if let Some(day) = today.as_ref() {
            write_line(&day.file, &line)?;
        }
        Ok(())
    }

    fn flush(&self) {}
}

/// Whether an operator has removed the file; going on in it would lose the rest of the day.
fn is_deleted(file: &File) -> bool {
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}
