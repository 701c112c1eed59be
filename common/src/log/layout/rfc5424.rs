//! The layout `rfc5424`: a message of syslog as in RFC 5424. Its MSGID is the event, and its text is the JSON of the
//! layout `ecs`, because few receivers read structured data.

use super::ecs;
use super::entry::Entry;
use super::host::host_name;

/// The facility `user`.
const USER: u16 = 1 << 3;

/// The line without its end.
pub(super) fn line(daemon: &str, entry: &Entry<'_>) -> String {
    format!(
        "<{}>1 {} {} {daemon} {} {} - {}",
        USER | u16::from(entry.priority.severity()),
        ecs::time(entry.millis),
        host_name(),
        std::process::id(),
        entry.event.as_ref().map_or("-", |event| event.row.name),
        ecs::line(daemon, entry)
    )
}
