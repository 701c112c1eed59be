//! The layout `ecs`: one JSON object for each line, with the fields of the Elastic Common Schema. A key that the schema
//! does not know is in the object `os4x`. Depends on nothing but its arguments, the process ID and the host's name.

use super::entry::{End, Entry, EventOf, host_and_port};
use super::host::host_name;
use crate::sys::localtime;
use crate::text::escape::is_hazardous;
use serde_json::{Map, Value, json};
use std::fmt::Write;
use std::net::IpAddr;

/// The version of the schema that the fields are from.
const VERSION: &str = "8.11.0";

/// Keys whose values are numbers, so that they are numbers in the JSON, too.
const NUMBERS: [&str; 21] = [
    "banned",
    "count",
    "days",
    "displaced",
    "failures",
    "files",
    "files_refused",
    "generation",
    "kib",
    "lines",
    "lost",
    "octets_in",
    "octets_out",
    "offset",
    "penalized",
    "pid",
    "receipts",
    "seconds",
    "unlogged",
    "sfna",
    "esid",
];

/// The line without its end.
pub(super) fn line(daemon: &str, entry: &Entry<'_>) -> String {
    let mut fields = Map::new();
    let mut set = |path: &str, value: Value| insert(&mut fields, path, value);
    set("@timestamp", time(entry.millis).into());
    set("ecs.version", VERSION.into());
    set("log.level", entry.priority.name().to_lowercase().into());
    set("log.logger", entry.category.into());
    set("message", entry.text.into());
    set("event.kind", "event".into());
    set("event.module", "os4x".into());
    set("event.dataset", "os4x.smartproxy".into());
    set("event.severity", entry.priority.severity().into());
    set("service.name", daemon.into());
    set("service.type", "os4x".into());
    set("host.hostname", host_name().into());
    set("process.pid", std::process::id().into());
    set("process.name", daemon.into());
    if let Some(event) = &entry.event {
        set("event.action", event.row.name.into());
        set("event.category", json!(event.class.categories));
        set("event.type", json!(event.class.types));
        set("event.outcome", entry.outcome().into());
        for (key, value) in &event.fields {
            set_key(event, key, value, &mut set);
        }
    }
    visible(&Value::Object(fields).to_string())
}

/// Sets the fields for one of our keys.
fn set_key(event: &EventOf<'_>, key: &str, value: &str, set: &mut impl FnMut(&str, Value)) {
    let partner = if event.partner_end() == End::Source { "client" } else { "server" };
    let path = match key {
        "address" | "station" => return set_address(name(event.end(key)), value, set),
        "octets_in" => format!("{}.bytes", name(event.partner_end())),
        "octets_out" if event.partner_end() == End::Source => "destination.bytes".to_owned(),
        "octets_out" => "source.bytes".to_owned(),
        "subject" => format!("tls.{partner}.subject"),
        "serial" => format!("tls.{partner}.x509.serial_number"),
        "tls" => return set_tls(value, set),
        "seconds" if event.row.name == "session_end" => {
            return set("event.duration", nanoseconds(value).into());
        }
        "reason" => "event.reason".to_owned(),
        "user" => "user.name".to_owned(),
        "version" => "service.version".to_owned(),
        "name" => "file.name".to_owned(),
        "file" => "file.path".to_owned(),
        _ => format!("os4x.{key}"),
    };
    let number = if NUMBERS.contains(&key) { value.parse::<u64>().ok() } else { None };
    set(&path, number.map_or_else(|| value.into(), Value::from));
}

/// Nanoseconds of a text such as `68.250`; 0 if it is none.
fn nanoseconds(seconds: &str) -> u64 {
    let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
    let part: u64 = format!("{part:0<9}").get(..9).and_then(|digits| digits.parse().ok()).unwrap_or(0);
    whole.parse::<u64>().unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(part)
}

/// The schema's name of an end.
fn name(end: End) -> &'static str {
    match end {
        End::Source => "source",
        End::Destination => "destination",
        End::Listener => "server",
    }
}

fn set_address(end: &str, value: &str, set: &mut impl FnMut(&str, Value)) {
    let (host, port) = host_and_port(value);
    set(&format!("{end}.address"), host.into());
    if host.parse::<IpAddr>().is_ok() {
        set(&format!("{end}.ip"), host.into());
    }
    if let Some(port) = port {
        set(&format!("{end}.port"), port.into());
    }
}

/// `TLSv1.3 TLS_AES_256_GCM_SHA384`.
fn set_tls(value: &str, set: &mut impl FnMut(&str, Value)) {
    let (version, cipher) = value.split_once(' ').unwrap_or((value, ""));
    set("tls.version_protocol", "tls".into());
    set("tls.version", version.trim_start_matches("TLSv").into());
    set("tls.cipher", cipher.into());
    set("tls.established", true.into());
}

/// `2026-11-22T08:21:10.167Z`.
pub(super) fn time(millis: u64) -> String {
    let time = localtime::utc(i64::try_from(millis / 1000).unwrap_or(0));
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        time.year,
        time.month,
        time.day,
        time.hour,
        time.minute,
        time.second,
        millis % 1000
    )
}

/// Sets `value` at a dotted path; the objects on the way are made.
fn insert(fields: &mut Map<String, Value>, path: &str, value: Value) {
    match path.split_once('.') {
        None => {
            fields.insert(path.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = fields.entry(first).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// JSON text in which characters that a terminal would obey are escapes, too. They are only inside of strings.
fn visible(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for character in json.chars() {
        if is_hazardous(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\u{unit:04x}");
            }
        } else {
            text.push(character);
        }
    }
    text
}
