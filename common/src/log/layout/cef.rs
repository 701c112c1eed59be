//! The layout `cef`: the Common Event Format, version 0, which ArcSight, QRadar and others read.

use super::entry::{End, Entry, EventOf, host_and_port};
use super::host::host_name;
use crate::log::priority::Priority;
use crate::text::escape::visible;
use std::fmt::Write;
use std::net::IpAddr;

/// Keys that the format has no field for, but that people search for: its custom strings, each with a label.
const CUSTOM: [&str; 6] = ["partner", "session", "ssid", "subject", "serial", "tls"];

/// The line without its end.
pub(super) fn line(daemon: &str, entry: &Entry<'_>) -> String {
    let event = entry.event.as_ref().map_or("text", |event| event.row.name);
    let mut line = format!(
        "CEF:0|OS4X|SmartProxy|{}|{event}|{}|{}|",
        env!("CARGO_PKG_VERSION"),
        event.replace('_', " "),
        severity(entry.priority)
    );
    let mut set = |key: &str, value: &str| push(&mut line, key, value);
    set("rt", &entry.millis.to_string());
    set("dvchost", host_name());
    set("dvcpid", &std::process::id().to_string());
    set("deviceProcessName", daemon);
    set("cat", entry.category);
    match &entry.event {
        None => set("msg", entry.text),
        Some(event) => {
            set("outcome", entry.outcome());
            for (key, value) in &event.fields {
                set_key(event, key, value, &mut set);
            }
        }
    }
    line
}

/// Adds the fields for one of our keys.
fn set_key(event: &EventOf<'_>, key: &str, value: &str, set: &mut impl FnMut(&str, &str)) {
    if let Some(at) = CUSTOM.iter().position(|custom| *custom == key) {
        let field = format!("cs{}", at + 1);
        set(&format!("{field}Label"), key);
        return set(&field, value);
    }
    match key {
        "address" | "station" => set_address(event.end(key), value, set),
        "detail" => set("msg", value),
        "reason" => set("reason", value),
        "octets_in" => set("in", value),
        "octets_out" => set("out", value),
        "name" => set("fname", value),
        "file" => set("filePath", value),
        "user" => set("suser", value),
        _ => set(&own_key(key), value),
    }
}

/// A key of our own in the form that the format asks of producers: letters, with the product first.
fn own_key(key: &str) -> String {
    let capital =
        |word: &str| word.get(..1).unwrap_or_default().to_uppercase() + word.get(1..).unwrap_or_default();
    format!("os4x{}", key.split('_').map(capital).collect::<String>())
}

fn set_address(end: End, value: &str, set: &mut impl FnMut(&str, &str)) {
    let (host, port) = host_and_port(value);
    let (ip, name, port_key) = match end {
        End::Source => ("src", "shost", "spt"),
        End::Destination | End::Listener => ("dst", "dhost", "dpt"),
    };
    // Version 0 has fields of their own for IPv6, which few receivers know; they do read such addresses in these.
    set(if host.parse::<IpAddr>().is_ok() { ip } else { name }, host);
    if let Some(port) = port {
        set(port_key, &port.to_string());
    }
}

/// 0 to 10, where 10 is the gravest.
fn severity(priority: Priority) -> u8 {
    match priority {
        Priority::Fatal | Priority::Alert => 10,
        Priority::Crit => 9,
        Priority::Error => 8,
        Priority::Warn => 6,
        Priority::Notice => 4,
        Priority::Info => 3,
        Priority::Debug => 1,
        Priority::Trace => 0,
    }
}

/// Adds an extension. In its value `\`, `=` and line ends are escaped.
fn push(line: &mut String, key: &str, value: &str) {
    let escaped = value.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r");
    let separator = if line.ends_with('|') { "" } else { " " };
    // Writing to a String cannot fail.
    let _ = write!(line, "{separator}{key}={}", visible(&escaped));
}
