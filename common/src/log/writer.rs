//! Writes lines to the log, each in its category.

use super::last_fault;
use super::priority::Priority;
use super::record;
use crate::text::clock;
use std::fmt;
use std::sync::OnceLock;

/// The daemon's name, the base of all categories; none before logging is set up, and then nothing is written.
static NAME: OnceLock<&str> = OnceLock::new();

/// Sets the daemon's name; from now on lines are written.
pub(super) fn set_name(name: &'static str) {
    // The log is set up once, so this is the first time.
    let _ = NAME.set(name);
}

/// Writes one line of free text; the macros call it. Its category is the daemon's name and the path of `module`
/// below its crate: `os4x_proxyserver.link.control`.
pub fn write(priority: Priority, module: &str, text: fmt::Arguments<'_>) {
    let part = module.split_once("::").map_or("", |(_, path)| path).replace("::", ".");
    write_in(priority, &part, text);
}

/// Writes one line in the category `part` of the daemon.
pub(super) fn write_in(priority: Priority, part: &str, text: fmt::Arguments<'_>) {
    let Some(category) = category(part) else { return };
    let millis = clock::now_millis();
    last_fault::note(priority, millis, text);
    record::with_record(priority, &category, millis, text, |record| ::log::logger().log(record));
}

/// The dotted category of a part of the daemon; none before logging is set up.
pub(super) fn category(part: &str) -> Option<String> {
    let name = NAME.get()?;
    let dot = if part.is_empty() { "" } else { "." };
    Some(format!("{name}{dot}{part}"))
}
