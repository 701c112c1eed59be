//! The catalogue of documented lines: every event that a daemon writes, with its level, fields and meaning.
//! os4x_proxy-log(5) lists the same; a test holds the two against each other, and another the sources against it.
//! A line that is not here is free text, and no program should rely on it.

use super::Priority;

/// One documented line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// The first word of the line.
    pub name: &'static str,
    /// The part it belongs to: the last word of its category, as in `os4x_proxyserver.session`.
    pub part: &'static str,
    /// Its priority. `Event::at` may choose another where the meaning says so.
    pub level: Priority,
    /// Its keys in their order; a `?` after a key: only where known.
    pub fields: &'static [&'static str],
    /// What happened, in one sentence.
    pub meaning: &'static str,
}

macro_rules! catalogue {
    ($($constant:ident $name:literal $part:literal $level:ident [$($field:literal)*] $meaning:literal)+) => {
        $(
            #[doc = $meaning]
            pub const $constant: &str = $name;
        )+

        /// All of them, in the order of the man page.
        pub const CATALOGUE: &[Kind] = &[$(Kind {
            name: $name,
            part: $part,
            level: Priority::$level,
            fields: &[$($field),*],
            meaning: $meaning,
        }),+];
    };
}

catalogue! {
    DAEMON_START "daemon_start" "daemon" Info ["version" "user" "listen?"]
        "A parent is ready."
    DAEMON_STOP "daemon_stop" "daemon" Debug ["signal?" "reason?"]
        "A parent ends and has removed its PID file; at ERROR where the reason is a fault."
    LEVEL "level" "daemon" Info ["level"]
        "A signal has changed the level of this process; written at the level chosen."
    LOG_LOST "log_lost" "log" Error ["appender" "lines"]
        "An appender works again after it could not take this many lines of this process."
    LOGRC_TAKEN "logrc_taken" "log" Info ["file"]
        "A changed log configuration is in force in this process."
    LOGRC_REFUSED "logrc_refused" "log" Error ["reason"]
        "A changed log configuration is faulty; the one before stays in force."
    CLIENT_JOINED "client_joined" "link" Info ["address" "client" "expires"]
        "A client has proven itself on the internal port and is joined."
    CLIENT_GONE "client_gone" "link" Warn ["address" "reason"]
        "The client that was joined is gone; the server listens on the internal port again."
    CLIENT_REFUSED "client_refused" "link" Warn ["address" "reason"]
        "A connection on the internal port did not prove to be our client, or one is joined already."
    SERVER_LOST "server_lost" "link" Error ["address" "reason"]
        "The control connection to the server has ended or was not to be had; the client ends with status 1."
    PAIR_REFUSED "pair_refused" "link" Warn ["address" "reason"]
        "A data connection named an unknown pair, or did not hold its ticket."
    ENROLLED "enrolled" "backend" Info ["client" "expires"]
        "The backend has certified this client's key."
    BACKEND_ERROR "backend_error" "backend" Error ["function" "reason"]
        "A call of the backend has failed."
    CONFIG_TAKEN "config_taken" "config" Info ["generation"]
        "A generation of the configuration is in force."
    CONFIG_REFUSED "config_refused" "config" Error ["generation?" "reason"]
        "A generation of the configuration is faulty; the one before stays in force."
    LICENCE "licence" "daemon" Info ["holder" "days" "reason?"]
        "The state of the licence; at WARN ahead of its end, at ERROR when it is not valid."
    LISTENER_OPEN "listener_open" "listener" Info ["listener" "address"]
        "A listener accepts connections."
    LISTENER_CLOSED "listener_closed" "listener" Info ["listener" "address" "reason?"]
        "A listener is closed; sessions go on."
    LISTENER_ERROR "listener_error" "listener" Error ["listener" "address" "reason"]
        "A listener cannot be opened, or cannot accept."
    SESSION_BEGIN "session_begin" "session" Info ["session" "direction" "partner" "address" "subject?" "serial?" "ssid" "station"]
        "A session is through to the station and begins to carry files."
    SESSION_END "session_end" "session" Info ["session" "direction" "partner" "address" "seconds" "octets_in" "octets_out" "files_in" "files_out" "reason"]
        "A session has ended; one line for each session that began, whatever ended it."
    SESSION_REFUSED "session_refused" "session" Warn ["direction" "partner?" "address" "subject?" "serial?" "ssid?" "esid?" "reason"]
        "A session was refused before the other side heard of it."
    SESSION_CRASHED "session_crashed" "session" Error ["session?" "pid" "reason"]
        "A session child died without a word; its parent writes the line."
    VIOLATION "violation" "session" Warn ["session" "from" "command" "field?" "offset?" "found?" "rule" "esid"]
        "A message broke the protocol; it was not passed on, and both sides got an ESID."
    DEVIATION "deviation" "session" Notice ["session" "from" "command" "rule"]
        "A known deviation from the protocol was tolerated; once a session for each rule."
}

/// The part that the event `name` belongs to; free text of no part: the daemon's own category.
pub(super) fn part_of(name: &str) -> &'static str {
    CATALOGUE.iter().find(|kind| kind.name == name).map_or("", |kind| kind.part)
}
