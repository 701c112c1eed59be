//! The filter and the appender that log4rs gets: the filter decides by priority, the appender passes records on by
//! category. They are installed once for each process and never replaced. A changed rc file replaces only the wiring
//! behind them, so log4rs's `set_config` is not needed, which would reset the level and the error handler.

use super::appender::syslog;
use super::bound::LeftOut;
use super::catalogue;
use super::event::Event;
use super::priority::Priority;
use super::wiring::{Sink, Wiring};
use super::{process_level, record};
use crate::text::clock;
use ::log::Record;
use log4rs::append::Append;
use log4rs::filter::{Filter, Response};
use std::io::{self, Write};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, RwLock};

/// The wiring in force, shared by the filter, the appender and a reread.
#[derive(Debug, Clone)]
pub(super) struct Router(Arc<RwLock<Arc<Wiring>>>);

impl Router {
    pub(super) fn new(wiring: Wiring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(wiring))))
    }

    /// The wiring in force.
    pub(super) fn wiring(&self) -> Arc<Wiring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts `wiring` in force.
    pub(super) fn replace(&self, wiring: Wiring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(wiring);
    }
}

/// Decides by the level that a signal has chosen, otherwise by the category's level, and by a level that is raised for
/// a time.
#[derive(Debug)]
pub(super) struct Threshold(pub(super) Router);

impl Filter for Threshold {
    fn filter(&self, record: &Record<'_>) -> Response {
        // The record of a library is dropped: it is no documented line, and may hold a secret.
        let Some(priority) = record::priority(record) else { return Response::Reject };
        let limit = process_level::limit(self.0.wiring().priority(record.target()));
        if priority <= limit { Response::Neutral } else { Response::Reject }
    }
}

impl Append for Router {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let wiring = self.wiring();
        let mut result = Ok(());
        for sink in wiring.sinks(record.target()) {
            if let Err(error) = append_to(sink, record) {
                result = Err(error);
            }
        }
        result
    }

    fn flush(&self) {}
}

/// Appends to one sink. The first lost line is an error that names the sink. Further lost lines are counted, and the
/// count is written when a line succeeds again.
fn append_to(sink: &Sink, record: &Record<'_>) -> anyhow::Result<()> {
    let Err(error) = try_to_append(sink, record) else { return log_lost(sink, record) };
    let first = sink.lost.fetch_add(1, Ordering::Relaxed) == 0;
    if first { Err(error.context(format!("the appender {} fails", sink.name))) } else { Ok(()) }
}

/// The same for a line that waits: if it fails it goes on waiting and does not count as lost. True if it was written or
/// left out.
pub(super) fn append_late(sink: &Sink, record: &Record<'_>) -> bool {
    let is_appended = try_to_append(sink, record).is_ok();
    if is_appended {
        // If only the count cannot be written, the line was still written.
        let _ = log_lost(sink, record);
    }
    is_appended
}

/// Appends the line; if the file is too large, leaves it out and counts it.
fn try_to_append(sink: &Sink, record: &Record<'_>) -> anyhow::Result<()> {
    match sink.append.append(record) {
        Err(error) if error.is::<LeftOut>() => {
            sink.left_out.fetch_add(1, Ordering::Relaxed);
            Ok(())
        }
        appended => appended,
    }
}

/// After a line that was written: writes how many were not.
fn log_lost(sink: &Sink, record: &Record<'_>) -> anyhow::Result<()> {
    let lost = sink.lost.swap(0, Ordering::Relaxed);
    if lost == 0 {
        return Ok(());
    }
    let event = Event::new(&catalogue::LOG_LOST).field("appender", &sink.name).field_num("lines", lost);
    let millis = record::millis(record);
    record::with_record(Priority::Error, record.target(), millis, format_args!("{event}"), |notice| {
        sink.append.append(notice)
    })
}

/// Reports failures of the log itself: to standard error, which leads nowhere in a daemon, and to the local syslog.
pub(super) fn report(error: &anyhow::Error) {
    let text = format!("Log lines are lost: {error:#}.");
    // If these fail, too, there is no other place for the report.
    let _ = writeln!(io::stderr(), "{text}");
    let _ = syslog::send_once("os4x_proxy", Priority::Error, clock::now_millis(), &text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::appender::Appender;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, AtomicU64};

    #[derive(Debug, Default)]
    struct Disk {
        full: AtomicBool,
        lines: Mutex<Vec<String>>,
    }

    #[derive(Debug)]
    struct Fragile(Arc<Disk>);

    impl Appender for Fragile {}

    impl Append for Fragile {
        fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
            if self.0.full.load(Ordering::Relaxed) {
                return Err(io::Error::from(io::ErrorKind::StorageFull).into());
            }
            self.0.lines.lock().unwrap().push(format!("{} {}", record.level(), record.args()));
            Ok(())
        }

        fn flush(&self) {}
    }

    #[test]
    fn lost_lines_are_reported_once_and_counted() {
        let disk = Arc::new(Disk::default());
        let append = Box::new(Fragile(Arc::clone(&disk)));
        let sink =
            Sink { name: "day".to_owned(), append, lost: AtomicU64::new(0), left_out: AtomicU64::new(0) };
        let say = |text: &str| {
            record::with_record(Priority::Info, "x", 0, format_args!("{text}"), |record| {
                append_to(&sink, record)
            })
        };
        say("a").unwrap();
        disk.full.store(true, Ordering::Relaxed);
        let error = say("b").unwrap_err();
        assert!(format!("{error:#}").starts_with("the appender day fails: "), "{error:#}");
        say("c").unwrap();
        disk.full.store(false, Ordering::Relaxed);
        say("d").unwrap();
        say("e").unwrap();
        let expected = ["INFO a", "INFO d", "ERROR log_lost appender=day lines=2", "INFO e"];
        assert_eq!(*disk.lines.lock().unwrap(), expected);
    }
}
