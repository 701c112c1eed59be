//! The API's log: lines to standard error, or to the file that the settings name, one write(2)
//! each. Owned by `serve`, which tells it the settings again and again; a file that was moved
//! away is then opened anew. It never rolls a file, and never holds a token, a password or a
//! key.

use common::log::escape;
use common::sys::localtime;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where lines go.
struct ApiLog {
    /// None: standard error.
    file: Mutex<Option<File>>,
    /// The file that the settings name could not be opened the last time.
    unusable: AtomicBool,
}

static LOG: ApiLog = ApiLog { file: Mutex::new(None), unusable: AtomicBool::new(false) };

/// Makes this the process's log. Lines go to standard error until `configure`.
pub(crate) fn start() {
    localtime::load_zone();
    // Fails only when it is the log already.
    let _ = log::set_logger(&LOG);
    log::set_max_level(LevelFilter::Info);
}

/// Takes the settings over. A file that cannot be opened: standard error, and the reason there.
pub(crate) fn configure(path: &str, level: &str) {
    log::set_max_level(level.parse().unwrap_or(LevelFilter::Info));
    let opened = match path {
        "" => Ok(None),
        path => std::fs::OpenOptions::new().append(true).create(true).mode(0o640).open(path).map(Some),
    };
    let failure = opened.as_ref().err().map(ToString::to_string);
    if let Ok(mut file) = LOG.file.lock() {
        *file = opened.unwrap_or_default();
    }
    // Told once, not at every look.
    let told = LOG.unusable.swap(failure.is_some(), Ordering::Relaxed);
    if let Some(why) = failure.filter(|_| !told) {
        log::error!("log-file-unusable path={} cause={}", escape(path), escape(&why));
    }
}

impl Log for ApiLog {
    fn enabled(&self, metadata: &Metadata) -> bool {
        // Our own lines as the level says; of the libraries below only what is wrong.
        metadata.target().starts_with("os4xapi") || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = line(record);
        let written = match self.file.lock() {
            Ok(mut file) => match file.as_mut() {
                Some(file) => file.write_all(line.as_bytes()),
                None => io::stderr().write_all(line.as_bytes()),
            },
            Err(_) => io::stderr().write_all(line.as_bytes()),
        };
        // A log that cannot be written has nobody left to tell.
        drop(written);
    }

    fn flush(&self) {}
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
    // Values are escaped where they enter; this keeps a library's words on their line too.
    line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    line.push('\n');
    line
}
