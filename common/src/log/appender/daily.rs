//! `os4x_appender`: one file for all processes, its name ending in the local date of the line's own time stamp.
//! Every process of a daemon appends to it, and opens the next day's file by itself. This module never renames or
//! deletes a file.

use super::{Appender, open_append, opened_by_another, write_line};
use crate::log::layout::{Layout, write_day};
use crate::log::{bound, record};
use crate::sys::localtime;
use ::log::Record;
use log4rs::append::Append;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The appender. Its directory stays open, so that the next day's file can also be opened from a jail.
#[derive(Debug)]
pub(in crate::log) struct Daily {
    /// Its name in the rc file.
    name: String,
    layout: Layout,
    directory: File,
    prefix: String,
    today: Mutex<Option<DayFile>>,
}

#[derive(Debug)]
struct DayFile {
    name: PathBuf,
    file: File,
}

impl Daily {
    /// Lines go to `<prefix>.<date>` in `directory`. The file for `millis` is opened now, so that an error is found at
    /// the start.
    pub(in crate::log) fn open(
        name: &str,
        directory: &Path,
        prefix: String,
        layout: Layout,
        millis: u64,
    ) -> io::Result<Self> {
        let directory = File::open(directory)?;
        let (name, today) = (name.to_owned(), Mutex::new(None));
        let appender = Self { name, layout, directory, prefix, today };
        let name = appender.name_at(i64::try_from(millis / 1000).unwrap_or(0));
        let file = open_append(&appender.directory, &name)?;
        *appender.today.lock().unwrap_or_else(PoisonError::into_inner) = Some(DayFile { name, file });
        Ok(appender)
    }

    fn name_at(&self, seconds: i64) -> PathBuf {
        let mut name = format!("{}.", self.prefix);
        // Writing to a String cannot fail.
        let _ = write_day(&mut name, localtime::local(seconds));
        name.into()
    }

    /// Makes the file of this second the current one, and gives its size, octets. If it cannot be opened (no descriptor
    /// left at midnight), the old file takes the lines: a line in yesterday's file is better than none.
    fn turn(&self, today: &mut Option<DayFile>, seconds: i64) -> io::Result<u64> {
        let name = self.name_at(seconds);
        if let Some(size) = today.as_ref().filter(|day| day.name == name).and_then(|day| size(&day.file)) {
            return Ok(size);
        }
        let opened = opened_by_another(&self.name, seconds, 0)
            .map_or_else(|| open_append(&self.directory, &name), |opened| opened.map(File::from));
        match opened {
            Ok(file) => {
                let size = size(&file).unwrap_or_default();
                *today = Some(DayFile { name, file });
                Ok(size)
            }
            Err(error) if today.is_none() => Err(error),
            Err(_) => Ok(0),
        }
    }
}

impl Append for Daily {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let line = self.layout.line(record)?;
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        let size = self.turn(&mut today, record::seconds(record))?;
        if bound::leaves_out(record::priority(record), size) {
            return Err(bound::LeftOut.into());
        }
        if let Some(day) = today.as_ref() {
            write_line(&day.file, &line)?;
        }
        Ok(())
    }

    fn flush(&self) {}
}

impl Appender for Daily {
    fn open_for_another(&self, seconds: i64, _: u64) -> io::Result<OwnedFd> {
        let mut today = self.today.lock().unwrap_or_else(PoisonError::into_inner);
        self.turn(&mut today, seconds)?;
        match today.as_ref() {
            Some(day) => day.file.as_fd().try_clone_to_owned(),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// The file's size, octets; none if an operator has removed the file: lines written to it would be lost.
fn size(file: &File) -> Option<u64> {
    match file.metadata() {
        Ok(metadata) => (metadata.nlink() > 0).then_some(metadata.len()),
        Err(_) => Some(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use crate::log::tests::{act, files, stage};
    use crate::log::{Priority, layout};
    use std::os::unix::fs::{PermissionsExt, symlink};

    /// 2026-11-22 23:00 UTC: midnight where the zone is CET.
    const MIDNIGHT: u64 = 1_795_388_400_000;
    const ACTORS: usize = 6;
    const LINES: u64 = 2000;

    fn open(directory: &Path, millis: u64) -> io::Result<Daily> {
        let layout = Layout { kind: layout::LayoutKind::Os4x, name: "os4x_proxyserver" };
        Daily::open("day", directory, "day".to_owned(), layout, millis)
    }

    fn say(daily: &Daily, millis: u64, text: &str) {
        record::with_record(Priority::Info, "x", millis, format_args!("{text}"), |record| {
            daily.append(record).unwrap();
        });
    }

    /// Every tenth line is larger than a pipe's atomic write and than a stdio buffer.
    fn length_of(number: u64) -> usize {
        if number.is_multiple_of(10) { 9000 } else { 20 }
    }

    #[test]
    #[ignore = "an actor of the other tests"]
    fn actor_writes_across_midnight() {
        localtime::load_zone();
        let daily = open(&stage(), MIDNIGHT - 1).unwrap();
        for number in 0..LINES {
            let filling = "x".repeat(length_of(number));
            say(&daily, MIDNIGHT - LINES / 2 + number, &format!("{number} {filling} end"));
        }
    }

    #[test]
    fn many_processes_share_a_file_across_midnight_and_no_line_is_torn() {
        let scratch = Scratch::new("log-daily");
        let actors: Vec<_> = (0..ACTORS)
            .map(|_| {
                let mut command =
                    act("log::appender::daily::tests", "actor_writes_across_midnight", scratch.path());
                command.env("TZ", "CET-1").stdout(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut actor in actors {
            assert!(actor.wait().unwrap().success());
        }
        let files = files(scratch.path(), "day.");
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["day.20261122", "day.20261123"]);
        for (name, text) in &files {
            let mut seen = std::collections::BTreeMap::<&str, u64>::new();
            for line in text.lines() {
                assert_eq!(line.get(..8), name.get(4..), "a line of another day in {name}");
                let (head, text) = line.split_once("] ").unwrap();
                let words: Vec<&str> = text.split(' ').collect();
                let [number, filling, "end"] = words[..] else { panic!("torn: {line}") };
                let number: u64 = number.parse().unwrap();
                assert_eq!(filling.len(), length_of(number));
                let pid = head.split_once('[').unwrap().1;
                *seen.entry(pid).or_default() += 1;
            }
            assert_eq!(seen.into_values().collect::<Vec<_>>(), [LINES / 2; ACTORS]);
        }
    }

    #[test]
    fn a_new_file_is_not_for_everybody() {
        let scratch = Scratch::new("log-mode");
        let daily = open(scratch.path(), MIDNIGHT).unwrap();
        let metadata = std::fs::metadata(scratch.path().join(daily.name_at(1_795_388_400))).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o137, 0);
    }

    #[test]
    fn a_file_that_was_deleted_is_made_anew() {
        let scratch = Scratch::new("log-deleted");
        let daily = open(scratch.path(), MIDNIGHT).unwrap();
        say(&daily, MIDNIGHT, "a");
        let file = scratch.path().join(daily.name_at(1_795_388_400));
        std::fs::remove_file(&file).unwrap();
        say(&daily, MIDNIGHT, "b");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.ends_with("] b\n") && text.lines().count() == 1, "{text}");
    }

    #[test]
    fn a_symbolic_link_in_the_files_place_is_refused() {
        let scratch = Scratch::new("log-link");
        let daily = open(scratch.path(), MIDNIGHT).unwrap();
        let file = scratch.path().join(daily.name_at(1_795_388_400));
        std::fs::remove_file(&file).unwrap();
        symlink("/dev/null", &file).unwrap();
        assert!(open(scratch.path(), MIDNIGHT).is_err());
    }

    #[test]
    fn without_the_new_days_file_the_old_one_goes_on() {
        let scratch = Scratch::new("log-midnight");
        let daily = open(scratch.path(), MIDNIGHT).unwrap();
        let later = MIDNIGHT + 7 * 86_400_000;
        symlink("/dev/null", scratch.path().join(daily.name_at(1_795_388_400 + 7 * 86_400))).unwrap();
        say(&daily, later, "late");
        let old = std::fs::read_to_string(scratch.path().join(daily.name_at(1_795_388_400))).unwrap();
        assert!(old.ends_with("] late\n"), "{old}");
    }
}
