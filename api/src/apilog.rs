//! The API's log: lines to standard error, or to the file that the settings name, one write(2) each. Owned by `serve`,
//! which tells it the settings again and again; a file that was moved away is then opened anew.

use crate::clock;
use log::{Level, LevelFilter, Log, Metadata, Record};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where lines go.
struct ApiLog {
    /// None: standard error.
    file: Mutex<Option<File>>,
}

static LOG: ApiLog = ApiLog { file: Mutex::new(None) };

/// Makes this the process's log. Lines go to standard error until `configure`.
pub(crate) fn start() {
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
    if let Some(why) = failure {
        log::error!("log-file-unusable path={} cause={}", quoted(path), quoted(&why));
    }
}

/// A value from outside as it may stand in a line: in quotes, control characters and quotes escaped.
pub(crate) fn quoted(value: &str) -> String {
    let mut text = String::with_capacity(value.len() + 2);
    text.push('"');
    for c in value.chars() {
        if c.is_control() || matches!(c, '"' | '\\') { text.extend(c.escape_default()) } else { text.push(c) }
    }
    text.push('"');
    text
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

fn line(record: &Record) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = i64::try_from(since.as_secs()).unwrap_or_default();
    let stamp = clock::text(seconds);
    let mut line = format!(
        "{}.{:03}Z {:<8} os4xapi[{}] ",
        stamp.trim_end_matches('Z'),
        since.subsec_millis(),
        record.level(),
        std::process::id()
    );
    let mut text = String::new();
    let _ = write!(text, "{}", record.args());
    // Values are quoted where they enter; this keeps a library's words on their line too.
    line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_value_cannot_forge_a_line() {
        assert_eq!(quoted("a\nb \"c\" \\"), "\"a\\nb \\\"c\\\" \\\\\"");
    }
}
