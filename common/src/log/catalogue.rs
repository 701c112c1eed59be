//! The catalogue of documented lines: every event that a daemon writes, with its level, fields and meaning.
//! os4x_proxy-log(5) lists the same: `UPDATE_MAN=1 cargo test -p common` writes a change of this table into it.
//! A line that is not here is free text, and no program should rely on it.

use super::priority::Priority;

/// One documented line. It is the only place where its level and its keys stand.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The first word of the line.
    pub name: &'static str,
    /// The last word of the line's category, as `session` in `os4x_proxyserver.session`.
    pub part: &'static str,
    /// The levels of its lines. The first one is used unless the meaning says otherwise.
    pub levels: &'static [Priority],
    /// Its keys in their order; a `?` after a key means that the key is left out where the value is not known.
    pub fields: &'static [&'static str],
    /// What happened, in one sentence.
    pub meaning: &'static str,
}

impl Row {
    /// The level of its lines, unless the caller chooses another one of the row.
    pub fn level(&self) -> Priority {
        self.levels.first().copied().unwrap_or(Priority::Error)
    }

    /// Whether a line of it may have this key.
    pub fn has_key(&self, key: &str) -> bool {
        self.fields.iter().any(|field| field.trim_end_matches('?') == key)
    }

    /// Whether a line of it may lack this key.
    pub fn is_optional(&self, key: &str) -> bool {
        self.fields.iter().any(|field| field.strip_suffix('?') == Some(key))
    }
}

macro_rules! catalogue {
    ($($constant:ident $name:literal $part:literal $($level:ident)|+ [$($field:literal)*] $meaning:literal)+) => {
        $(
            #[doc = $meaning]
            pub static $constant: Row = Row {
                name: $name,
                part: $part,
                levels: &[$(Priority::$level),+],
                fields: &[$($field),*],
                meaning: $meaning,
            };
        )+

        /// All of them, in the order of the man page.
        pub static CATALOGUE: &[&Row] = &[$(&$constant),+];
    };
}

catalogue! {
    DAEMON_START "daemon_start" "daemon" Info ["version" "user" "sandbox" "listen?"]
        "A daemon has started: its log is open and its PID file written."
    DRAIN_BEGIN "drain_begin" "daemon" Info ["reason" "sessions"]
        "The daemon takes no new sessions from now on; those that run go on."
    DRAINED "drained" "daemon" Info ["seconds"]
        "The last session of a daemon that takes no new ones has ended."
    DRAIN_END "drain_end" "daemon" Info ["seconds"]
        "The daemon takes new sessions again."
    DAEMON_STOP "daemon_stop" "daemon" Debug|Error ["signal?" "reason?"]
        "A parent ends and has removed its PID file; at ERROR if the reason is a fault."
    LEVEL "level" "daemon" Info|Fatal|Error|Debug|Trace ["level"]
        "A signal has changed the level of this process; written at the level chosen."
    SIGNAL_IGNORED "signal_ignored" "daemon" Warn ["signal" "number"]
        "The process has received a signal that the daemons do not use; the signal has no effect."
    LICENCE "licence" "daemon" Info|Warn|Error ["holder" "days" "reason?"]
        "The state of the licence; at WARN before it expires, at ERROR when it is not valid."
    LOG_LOST "log_lost" "log" Error ["appender" "lines"]
        "An appender works again; the line counts the lost lines of this process and of its children that have ended."
    LOG_BOUNDED "log_bounded" "log" Error ["appender" "lines"]
        "The file of the day has reached proxy_log_max_bytes, and from now on gets only lines of ERROR and above; the \
         line counts the others that were left out in the last minute."
    LOGRC_TAKEN "logrc_taken" "log" Info ["file"]
        "A changed log configuration is in force in this process."
    LOGRC_REFUSED "logrc_refused" "log" Error ["reason"]
        "A changed log configuration is faulty; the previous one stays in force."
    CLIENT_JOINED "client_joined" "link" Info ["address" "client" "renewed"]
        "A client has authenticated itself on the internal port and has joined."
    CLIENT_GONE "client_gone" "link" Warn ["address" "reason"]
        "The connection to the joined client has ended; or the client does not answer, and another one takes its place."
    CLIENT_REFUSED "client_refused" "link" Warn ["address" "reason" "unlogged?"]
        "A connection on the internal port is not from one of our clients; or it cannot stand by while another client \
         is joined."
    CLIENT_STANDBY "client_standby" "link" Info ["address" "client"]
        "A client has authenticated itself while another one is joined and answers: it stands by, and joins when that \
         one is gone."
    CLIENT_STANDBY_GONE "client_standby_gone" "link" Info ["address" "reason"]
        "A client that stood by is gone."
    SERVER_JOINED "server_joined" "link" Info ["address" "proxy_id"]
        "The client has joined a server that the backend lists."
    SERVER_STANDBY "server_standby" "link" Info ["address" "proxy_id"]
        "Another client of this server is joined: this one stands by, and joins when that one is gone."
    SERVER_LOST "server_lost" "link" Error ["address" "reason"]
        "The control connection to a server has ended or could not be made; the client ends with status 1, \
         unless another server is joined: then it tries again, without another line."
    PAIR_REFUSED "pair_refused" "link" Warn ["address" "reason" "unlogged?"]
        "A data connection named an unknown pair, or did not have the ticket of the pair."
    ENROLLED "enrolled" "backend" Info ["seconds"]
        "The backend has certified this client's key."
    BACKEND_ERROR "backend_error" "backend" Error ["function" "reason"]
        "A function of the backend fails; one line for each reason, and another one if it has worked in between."
    BACKEND_RECOVERED "backend_recovered" "backend" Info ["function" "failures" "seconds" "lost?"]
        "A function of the backend that failed works again; the line counts the reports that were lost meanwhile."
    REPORTS_DROPPED "reports_dropped" "backend" Warn ["function" "count"]
        "The server has sent more reports of this kind in the last minute than the client passes on."
    CONFIG_TAKEN "config_taken" "config" Info ["generation"]
        "A generation of the configuration is in force."
    CONFIG_REFUSED "config_refused" "config" Error ["generation?" "reason"]
        "A generation of the configuration is faulty; the previous one stays in force. One line for each reason, as \
         with backend_error."
    CONFIG_CONFIRMED "config_confirmed" "config" Info ["generation"]
        "After a fault the backend confirms the generation in force."
    CONFIG_EXPIRED "config_expired" "config" Error ["generation" "seconds"]
        "The backend has not confirmed the generation in force for this time: partners are refused until it does so."
    LISTENER_OPEN "listener_open" "listener" Info ["listener" "address" "partner?"]
        "A listener accepts connections; if it is tied to a partner, the line names the partner."
    LISTENER_CLOSED "listener_closed" "listener" Info ["listener" "address" "partner?" "reason"]
        "A listener is closed; sessions go on."
    LISTENER_ERROR "listener_error" "listener" Error ["listener" "address" "partner?" "reason"]
        "A listener cannot be opened; or it cannot accept connections: one line until it can again."
    SESSION_BEGIN "session_begin" "session" Info
        ["direction" "session" "address" "partner" "ssid" "test?" "subject?" "serial?" "tls?" "station?"]
        "A session has reached the other side and begins to carry files; the server's line names certificate and \
         cipher, the client's line names the station."
    SESSION_END "session_end" "session" Info|Warn
        ["direction" "session" "address" "partner" "ssid" "test?" "reason" "seconds" "octets_in" "octets_out"
         "files" "files_refused" "receipts" "esid?" "detail?"]
        "A session has ended; one line for each session that began, whatever ended it; at WARN if an operator should \
         look at it."
    SESSION_REFUSED "session_refused" "session" Warn|Error
        ["direction" "reason" "address" "session?" "subject?" "serial?" "ssid?" "test?" "partner?"
         "station?" "esid?" "unlogged?" "detail"]
        "A session was refused before it reached the other side; at ERROR if the station did not accept it."
    SESSION_CRASHED "session_crashed" "session" Error
        ["direction" "session" "address?" "partner" "pid" "reason"]
        "A session process ended without an end line of its own; its parent writes this line, or the next daemon that \
         starts."
    DEBUG_BEGIN "debug_begin" "session" Info ["partner" "seconds"]
        "This session process writes at DEBUG for this time, whatever the rc file says, because an administrator has \
         ordered it for the partner."
    DEBUG_END "debug_end" "session" Info ["partner" "reason"]
        "This session process writes the same levels as before debug_begin."
    PROBE "probe" "session" Debug ["address"]
        "A connection to the TLS port was closed before its first octet, as health checks do; there is no other line \
         about it."
    PROBES "probes" "session" Info ["count" "seconds"]
        "How many connections of the last minute were probes; no line if there were none."
    STRANGERS "strangers" "session" Warn ["displaced" "banned" "penalized" "unlogged" "seconds"]
        "How many connections were closed or refused in the last minute before they were verified; no line if there \
         were none."
    VIOLATION "violation" "session" Warn
        ["side" "esid" "command?" "field?" "offset" "found" "expected" "rule"]
        "A message broke the protocol; it was not passed on, and both sides get an ESID."
    FILE_REFUSED "file_refused" "session" Notice ["side" "name" "kib" "sfna" "detail"]
        "The rules for files of this partner refused a file; the session goes on."
    DEVIATION "deviation" "session" Notice ["number" "side" "command" "field?" "detail"]
        "A known deviation from the protocol was tolerated; one line in a session for each number."
}

/// What the keys mean, in alphabetical order.
pub const KEYS: &[(&str, &str)] = &[
    ("address", "IP address and port of the peer or of the listener."),
    ("appender", "Name of an appender in the rc file."),
    ("banned", "Connections that were refused because the operator has banned their source."),
    ("client", "Name that the backend has given the client in its certificate."),
    ("command", "Name of the OFTP2 command."),
    ("count", "Number of connections, or of reports."),
    ("days", "Days left."),
    ("detail", "What happened, in words."),
    ("direction", "Direction of the session: incoming or outgoing."),
    ("displaced", "Connections that were closed because others needed their places."),
    ("esid", "Reason code of the ESID that was sent or received."),
    ("expected", "The correct value."),
    ("failures", "Calls that failed, one after the other."),
    ("field", "Name of the field in the OFTP2 command."),
    ("file", "Path of the rc file."),
    ("files", "Files that were accepted."),
    ("files_refused", "Files that were refused."),
    ("found", "The value in the message, with passwords masked."),
    ("function", "Function of the backend."),
    ("generation", "Version of the configuration."),
    ("holder", "Holder of the licence."),
    ("kib", "Size that the file's sender has announced, in blocks of 1,024 octets."),
    ("level", "The new level."),
    ("lines", "Number of lines."),
    ("listen", "IP address and port for internal connections."),
    ("listener", "Kind of the listener: internal, tls or local."),
    ("lost", "Reports that did not reach the backend and are not sent again."),
    ("name", "Virtual file name."),
    ("number", "Number of the signal, or of the tolerated deviation."),
    ("octets_in", "Octets from the partner."),
    ("octets_out", "Octets from the station."),
    ("offset", "Offset in the Exchange Buffer, from 0."),
    ("partner", "Short name of the partner."),
    ("penalized", "Connections that were refused because too many from the same source had failed."),
    ("pid", "Process ID of the child."),
    ("proxy_id", "Proxy ID of the server."),
    ("reason", "The reason; for sessions one of the words below."),
    ("receipts", "EERP and NERP that were passed on."),
    ("renewed", "Whether a joined client came with a new certificate: yes or no."),
    ("rule", "Section of RFC 5024, or the rule."),
    (
        "sandbox",
        "What the kernel offers for the sandbox of session processes: seccomp, landlock and its version.",
    ),
    ("seconds", "How long it lasted, or how long it is valid."),
    ("serial", "Serial number of the partner's certificate."),
    ("session", "Identifier of the session; the same in both daemons."),
    ("sessions", "Number of sessions that run."),
    ("sfna", "Reason code of the SFNA that was sent."),
    ("side", "Who sent the message: partner or station."),
    ("signal", "Name of the signal."),
    ("ssid", "SSIDCODE that the partner gave."),
    ("station", "IP address and port of the station."),
    ("subject", "Subject of the partner's certificate."),
    ("test", "yes if the session is a test of the partner, without a station."),
    ("tls", "Protocol version and cipher suite."),
    ("unlogged", "Number of refusals that have no line of their own."),
    ("user", "User that the daemon runs as."),
    ("version", "Version of the daemon."),
];

#[cfg(test)]
mod tests;
