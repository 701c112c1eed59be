//! A record taken apart for the layouts that other programs read: its event with the values of its keys, or free text.
//! It also says what each event is in the words of the Elastic Common Schema, and whose address a key has.

use crate::log::catalogue::{CATALOGUE, Row};
use crate::log::priority::Priority;
use crate::log::record;
use crate::text::fields::fields;
use ::log::Record;

/// What a layout needs to know of a record.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) priority: Priority,
    /// Milliseconds since the epoch.
    pub(super) millis: u64,
    /// The dotted category.
    pub(super) category: &'a str,
    /// The text of the line, without line ends.
    pub(super) text: &'a str,
    /// The event; none: free text.
    pub(super) event: Option<EventOf<'a>>,
}

/// A documented line.
#[derive(Debug)]
pub(super) struct EventOf<'a> {
    pub(super) row: &'static Row,
    pub(super) class: &'static Class,
    pub(super) fields: Vec<(&'a str, String)>,
}

/// Whose address is in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Who has connected.
    Source,
    /// Whom we, or the station, connect to.
    Destination,
    /// Where we listen.
    Listener,
}

/// What an event is, in the words of the Elastic Common Schema (`event.category`, `event.type`).
#[derive(Debug)]
pub(super) struct Class {
    event: &'static str,
    pub(super) categories: &'static [&'static str],
    pub(super) types: &'static [&'static str],
    /// What its `address` is, unless the direction of the session says it.
    address: End,
}

const fn class(
    event: &'static str,
    categories: &'static [&'static str],
    types: &'static [&'static str],
    address: End,
) -> Class {
    Class { event, categories, types, address }
}

#[rustfmt::skip]
static CLASSES: &[Class] = &[
    class("daemon_start", &["process"], &["start"], End::Listener),
    class("drain_begin", &["process"], &["change"], End::Listener),
    class("drained", &["process"], &["info"], End::Listener),
    class("drain_end", &["process"], &["change"], End::Listener),
    class("daemon_stop", &["process"], &["end"], End::Listener),
    class("level", &["configuration"], &["change"], End::Listener),
    class("signal_ignored", &["process"], &["info"], End::Listener),
    class("licence", &["host"], &["info"], End::Listener),
    class("log_lost", &["host"], &["info"], End::Listener),
    class("log_bounded", &["host"], &["info"], End::Listener),
    class("logrc_taken", &["configuration"], &["change"], End::Listener),
    class("logrc_refused", &["configuration"], &["info"], End::Listener),
    class("client_joined", &["authentication", "network"], &["start"], End::Source),
    class("client_gone", &["network"], &["end"], End::Source),
    class("client_refused", &["authentication", "network"], &["denied"], End::Source),
    class("client_standby", &["authentication", "network"], &["allowed"], End::Source),
    class("client_standby_gone", &["network"], &["end"], End::Source),
    class("server_joined", &["authentication", "network"], &["start"], End::Destination),
    class("server_standby", &["authentication", "network"], &["allowed"], End::Destination),
    class("server_lost", &["network"], &["end"], End::Destination),
    class("pair_refused", &["network"], &["denied"], End::Source),
    class("enrolled", &["iam"], &["creation"], End::Destination),
    class("backend_error", &["network"], &["info"], End::Destination),
    class("backend_recovered", &["network"], &["info"], End::Destination),
    class("reports_dropped", &["network"], &["info"], End::Destination),
    class("config_taken", &["configuration"], &["change"], End::Listener),
    class("config_refused", &["configuration"], &["info"], End::Listener),
    class("config_confirmed", &["configuration"], &["info"], End::Listener),
    class("config_expired", &["configuration"], &["info"], End::Listener),
    class("listener_open", &["network"], &["start"], End::Listener),
    class("listener_closed", &["network"], &["end"], End::Listener),
    class("listener_error", &["network"], &["info"], End::Listener),
    class("session_begin", &["network", "session"], &["start"], End::Source),
    class("session_end", &["network", "session"], &["end"], End::Source),
    class("session_refused", &["network", "session"], &["denied"], End::Source),
    class("session_crashed", &["network", "session"], &["end"], End::Source),
    class("debug_begin", &["configuration"], &["change"], End::Listener),
    class("debug_end", &["configuration"], &["change"], End::Listener),
    class("probe", &["network"], &["connection"], End::Source),
    class("probes", &["network"], &["info"], End::Source),
    class("strangers", &["network"], &["denied"], End::Source),
    class("violation", &["intrusion_detection", "network"], &["denied", "protocol"], End::Source),
    class("file_refused", &["file"], &["denied"], End::Source),
    class("deviation", &["network"], &["protocol"], End::Source),
];

impl<'a> Entry<'a> {
    /// The record, whose text is `text`.
    pub(super) fn of(record: &'a Record<'_>, text: &'a str) -> Self {
        Self {
            priority: record::priority(record).unwrap_or(Priority::Info),
            millis: record::millis(record),
            category: record.target(),
            text,
            event: EventOf::read(text),
        }
    }

    /// `success`, or `failure` if something was denied or an operator should look at it.
    pub(super) fn outcome(&self) -> &'static str {
        let is_denied = self.event.as_ref().is_some_and(|event| event.class.types.contains(&"denied"));
        if is_denied || self.priority <= Priority::Warn { "failure" } else { "success" }
    }
}

impl<'a> EventOf<'a> {
    /// The event of a line; none if it is free text, even if that begins with the name of an event.
    fn read(text: &'a str) -> Option<Self> {
        let name = text.split(' ').next().unwrap_or_default();
        let row = CATALOGUE.iter().find(|row| row.name == name)?;
        let class = CLASSES.iter().find(|class| class.event == name)?;
        let fields = fields(text)?;
        fields.iter().all(|(key, _)| row.has_key(key)).then_some(Self { row, class, fields })
    }

    /// The value of a key.
    pub(super) fn value(&self, key: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| *known == key).map(|(_, value)| value.as_str())
    }

    fn is_outgoing(&self) -> bool {
        self.value("direction") == Some("outgoing")
    }

    /// Whose address the key `address` or `station` is.
    pub(super) fn end(&self, key: &str) -> End {
        match (key, self.is_outgoing()) {
            ("station", false) | ("address", true) => End::Destination,
            ("station", true) => End::Source,
            _ => self.class.address,
        }
    }

    /// Which end the partner is.
    pub(super) fn partner_end(&self) -> End {
        if self.is_outgoing() { End::Destination } else { End::Source }
    }
}

/// Host and port of a value such as `203.0.113.9:4711`, `[2001:db8::9]:4711` or `partner.example.com:6619`.
pub(super) fn host_and_port(value: &str) -> (&str, Option<u16>) {
    match value.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
        Some((host, Ok(port))) => (host.trim_start_matches('[').trim_end_matches(']'), Some(port)),
        _ => (value, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_event_has_a_class() {
        let names: Vec<&str> = CATALOGUE.iter().map(|row| row.name).collect();
        assert_eq!(CLASSES.iter().map(|class| class.event).collect::<Vec<_>>(), names);
        assert!(CLASSES.iter().all(|class| !class.categories.is_empty() && !class.types.is_empty()));
    }

    #[test]
    fn free_text_is_no_event_though_it_begins_with_the_name_of_one() {
        assert!(EventOf::read("level level=INFO").is_some());
        for text in ["level is unchanged", "level other=INFO", "hello a=b", "licence of a=b is c", ""] {
            assert!(EventOf::read(text).is_none(), "{text}");
        }
    }

    #[test]
    fn addresses_are_taken_apart() {
        let table = [
            ("203.0.113.9:4711", ("203.0.113.9", Some(4711))),
            ("[2001:db8::9]:6619", ("2001:db8::9", Some(6619))),
            ("partner.example.com:6619", ("partner.example.com", Some(6619))),
            ("unknown", ("unknown", None)),
        ];
        for (value, expected) in table {
            assert_eq!(host_and_port(value), expected);
        }
    }
}
