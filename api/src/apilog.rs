//! The API's log. It writes each line with one write(2), to standard error or to the file that the settings name.
//! `serve` owns it and passes it the settings every few seconds; it then opens the file again if somebody has moved it.
//! It rolls a full file. It never contains a token, a password or a key.

use crate::owner;
use common::sys::localtime;
use common::text::escape::escape;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// A file is rolled before it gets larger than this, octets.
const LARGEST: u64 = 10_000_000;
/// Files in all: the log itself, and `.1` to `.5`.
const FILES: u32 = 6;

/// The destination of the lines.
struct ApiLog {
    /// None: standard error.
    file: Mutex<Option<LogFile>>,
    /// The file that the settings name could not be opened at the last attempt.
    unusable: AtomicBool,
}

static LOG: ApiLog = ApiLog { file: Mutex::new(None), unusable: AtomicBool::new(false) };

/// Makes this the process's log. Lines go to standard error until `configure`.
pub(crate) fn start() {
    localtime::load_zone();
    // Fails only if it is the log already.
    let _ = log::set_logger(&LOG);
    log::set_max_level(LevelFilter::Info);
}

/// Applies the settings. If a file cannot be opened, lines go to standard error, also the reason.
pub(crate) fn configure(path: &str, level: &str) {
    log::set_max_level(level.parse().unwrap_or(LevelFilter::Info));
    let opened = match path {
        "" => Ok(None),
        path => LogFile::open(Path::new(path)).map(Some),
    };
    let failure = opened.as_ref().err().map(ToString::to_string);
    if let Ok(mut file) = LOG.file.lock() {
        *file = opened.unwrap_or_default();
    }
    // Logged once, not each time the settings are read.
    let is_logged = LOG.unusable.swap(failure.is_some(), Ordering::Relaxed);
    if let Some(why) = failure.filter(|_| !is_logged) {
        log::error!("log_file_unusable path={} cause={}", escape(path), escape(&why));
    }
}

impl Log for ApiLog {
    fn enabled(&self, metadata: &Metadata) -> bool {
        // Our own lines by the level; from libraries only warnings and errors.
        metadata.target().starts_with("os4xapi") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(record);
        let written = match self.file.lock() {
            Ok(mut file) => match file.as_mut() {
                Some(file) => file.write(line.as_bytes(), LARGEST),
                None => io::stderr().write_all(line.as_bytes()),
            },
            Err(_) => io::stderr().write_all(line.as_bytes()),
        };
        // There is no other place to report that a log cannot be written.
        drop(written);
    }

    fn flush(&self) {}
}

/// A log file, with the number of its octets.
struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = std::fs::OpenOptions::new().append(true).create(true).mode(0o640).open(path)?;
        owner::give(&file, path)?;
        let size = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, size })
    }

    /// Writes a line; first makes room for it if the file would get larger than `largest`. An empty file takes any
    /// line.
    fn write(&mut self, line: &[u8], largest: u64) -> io::Result<()> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if self.size > 0 && self.size.saturating_add(length) > largest {
            self.roll();
        }
        self.file.write_all(line)?;
        self.size += length;
        Ok(())
    }

    /// Each file gets the next number, and the oldest is removed. A file that cannot be moved stays, and is written on.
    fn roll(&mut self) {
        for number in (0..FILES - 1).rev() {
            // The first files of a new log are missing.
            let _ = std::fs::rename(self.numbered(number), self.numbered(number + 1));
        }
        if let Ok(fresh) = Self::open(&self.path) {
            *self = fresh;
        }
    }

    /// The file itself is number 0.
    fn numbered(&self, number: u32) -> PathBuf {
        if number == 0 {
            return self.path.clone();
        }
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{number}"));
        name.into()
    }
}

/// A line as the daemons write it: local time, level, process, text.
fn line(record: &Record) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = localtime::local(i64::try_from(since.as_secs()).unwrap_or_default());
    let mut line = format!(
        "{:04}{:02}{:02} {:02}:{:02}:{:02}.{:03} {:<8} os4xapi[{}] ",
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        since.subsec_millis(),
        record.level(),
        std::process::id()
    );
    let text = record.args().to_string();
    // Values are escaped where they enter; this keeps a library's words on one line, too.
    line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::LogFile;
    use crate::db::scratch::Scratch;

    #[test]
    fn a_full_file_is_rolled_and_six_are_kept() {
        let scratch = Scratch::new();
        let path = scratch.path("api.log");
        // Two lines of two octets fill a file; a line that is too long has a file of its own.
        let mut file = LogFile::open(&path).unwrap();
        for line in 'a'..='m' {
            file.write(format!("{line}\n").as_bytes(), 4).unwrap();
        }
        file.write(b"too long\n", 4).unwrap();
        let mut names = scratch.files();
        names.sort();
        let expected = ["too long\n", "m\n", "k\nl\n", "i\nj\n", "g\nh\n", "e\nf\n"];
        assert_eq!(names.len(), expected.len(), "{names:?}");
        for (name, content) in names.iter().zip(expected) {
            assert_eq!(std::fs::read_to_string(scratch.path(name)).unwrap(), content, "{name}");
        }
    }

    #[test]
    fn what_is_in_the_file_already_counts() {
        let scratch = Scratch::new();
        let path = scratch.path("api.log");
        std::fs::write(&path, "before\n").unwrap();
        LogFile::open(&path).unwrap().write(b"x\n", 8).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x\n");
        assert_eq!(std::fs::read_to_string(scratch.path("api.log.1")).unwrap(), "before\n");
    }
}
