//! Output for people and scripts: sizes with units, progress lines, results as text and as JSON.

use super::Fault;
use crate::oftp::command::Receipt;
use crate::oftp::report::{FileReport, Outcome, Report, answers};
use crate::oftp::settings::{Progress, Watch};
use serde_json::{Value, json};
use std::fmt;
use std::io::{ErrorKind, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const BETWEEN_LINES: Duration = Duration::from_millis(200);

/// A line on standard output.
pub(super) fn say(line: fmt::Arguments<'_>) -> Result<(), Fault> {
    writeln!(std::io::stdout(), "{line}").map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Fault::Unread,
        _ => Fault::Failed(format!("the output cannot be written: {error}")),
    })
}

/// Octets with a decimal unit.
pub(super) fn size(octets: u64) -> String {
    let units = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match units.into_iter().find(|(_, unit)| octets >= *unit) {
        Some((name, unit)) => format!("{}.{:02} {name}", octets / unit, octets % unit * 100 / unit),
        None => format!("{octets} octets"),
    }
}

/// Octets a second, in MB/s.
pub(super) fn speed(octets: u64, took: Duration) -> String {
    let tenths = octets.saturating_mul(10) / u64::try_from(took.as_micros()).unwrap_or(u64::MAX).max(1);
    format!("{}.{} MB/s", tenths / 10, tenths % 10)
}

/// Progress on standard error: one line that is written again and again.
pub(super) fn progress(asked: bool) -> Option<Watch> {
    if !asked && !std::io::stderr().is_terminal() {
        return None;
    }
    let last = Mutex::new((Instant::now(), Instant::now(), String::new()));
    Some(Arc::new(move |now: Progress<'_>| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.2 != now.name || now.octets == 0 {
            *last = (Instant::now(), Instant::now(), now.name.to_owned());
        }
        let is_whole = now.sending && now.octets == now.total;
        if last.1.elapsed() < BETWEEN_LINES && !is_whole {
            return;
        }
        last.1 = Instant::now();
        let percent = now.octets.saturating_mul(100).checked_div(now.total).unwrap_or(100).min(100);
        let verb = if now.sending { "sending" } else { "receiving" };
        let end = if is_whole { "\n" } else { "" };
        let line = format!(
            "\r{verb} {}: {percent:3} %  {} of {}  {}    {end}",
            now.name.escape_debug(),
            size(now.octets),
            size(now.total),
            speed(now.octets, last.0.elapsed()),
        );
        // It is not a fault if nobody can see it.
        let _ = std::io::stderr().write_all(line.as_bytes());
    }))
}

/// One word for the result of a file.
pub(super) fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Accepted => "accepted".to_owned(),
        Outcome::Refused { at_end, reason, retry, text } => {
            let command = if *at_end { "EFNA" } else { "SFNA" };
            let again = if *retry { ", may be tried again" } else { "" };
            format!("refused ({command} {reason:02}{again}) {}", text.escape_debug()).trim_end().to_owned()
        }
        Outcome::Unfinished => "not finished".to_owned(),
        Outcome::Local(why) => format!("not possible here: {why}"),
    }
}

/// `EERP`, or `NERP` with its reason.
pub(super) fn receipt(receipt: &Receipt) -> String {
    match &receipt.refusal {
        None => "EERP".to_owned(),
        Some(refusal) => {
            format!("NERP {:02} {}", refusal.reason, refusal.text.escape_debug()).trim_end().to_owned()
        }
    }
}

/// One file as JSON.
pub(super) fn file_json(file: &FileReport, receipts: &[Receipt]) -> Value {
    let receipt = receipts.iter().find(|receipt| answers(receipt, &file.id)).map(receipt_json);
    json!({
        "name": file.id.name,
        "date": file.id.stamp.date,
        "time": file.id.stamp.time,
        "destination": file.id.destination,
        "originator": file.id.originator,
        "octets": file.octets,
        "records": file.records,
        "resumed_at": file.resumed_at,
        "sha256": file.sha256,
        "path": file.path.as_ref().map(|path| path.display().to_string()),
        "accepted": file.outcome == Outcome::Accepted,
        "outcome": outcome(&file.outcome),
        "receipt": receipt,
        "seconds": file.took.as_secs_f64(),
    })
}

fn receipt_json(receipt: &Receipt) -> Value {
    json!({
        "kind": if receipt.refusal.is_some() { "NERP" } else { "EERP" },
        "reason": receipt.refusal.as_ref().map(|refusal| refusal.reason),
        "name": receipt.id.name,
        "date": receipt.id.stamp.date,
        "time": receipt.id.stamp.time,
        "destination": receipt.id.destination,
        "originator": receipt.id.originator,
    })
}

/// One session as JSON.
pub(super) fn report_json(report: &Report) -> Value {
    let files =
        |files: &[FileReport]| files.iter().map(|file| file_json(file, &report.receipts)).collect::<Vec<_>>();
    json!({
        "session": report.session,
        "address": report.address.map(|address| address.to_string()),
        "tls": report.tls.as_ref().map(|tls| json!({
            "version": tls.version, "cipher": tls.cipher, "subject": tls.subject,
        })),
        "ssid": report.peer.as_ref().map(|peer| peer.code.clone()),
        "level": report.agreed.map(|agreed| agreed.level.digit()),
        "buffer": report.agreed.map(|agreed| agreed.buffer),
        "credit": report.agreed.map(|agreed| agreed.credit),
        "compression": report.agreed.map(|agreed| agreed.compression),
        "sent": files(&report.sent),
        "received": files(&report.received),
        "receipts": report.receipts.iter().map(receipt_json).collect::<Vec<_>>(),
        "receipts_sent": report.receipts_sent.iter().map(receipt_json).collect::<Vec<_>>(),
        "normal": report.ending.is_normal(),
        "esid": report.ending.reason().map(|reason| format!("{reason:02}")),
        "ending": report.ending.to_string(),
        "close": report.close.as_ref().map(crate::transport::Break::word),
        "octets_in": report.octets_in,
        "octets_out": report.octets_out,
        "seconds": report.took.as_secs_f64(),
    })
}
