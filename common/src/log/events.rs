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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{layout, rc};
    use std::collections::BTreeSet;
    use std::fmt::Write;
    use std::fs;
    use std::path::{Path, PathBuf};

    const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

    fn man(page: &str) -> String {
        fs::read_to_string(format!("{WORKSPACE}/man/{page}")).unwrap()
    }

    /// The catalogue as the man page has it, lines filled up to 78 columns.
    fn as_mdoc() -> String {
        let mut page = ".Bl -tag -width Ds\n".to_owned();
        for kind in CATALOGUE {
            writeln!(page, ".It Sy {} Bq {} , {}", kind.name, kind.level, kind.part).unwrap();
            let mut column = 0;
            for word in kind.meaning.split(' ') {
                let gap = if column == 0 {
                    ""
                } else if column + word.len() < 78 {
                    " "
                } else {
                    "\n"
                };
                column = if gap == " " { column + 1 + word.len() } else { word.len() };
                write!(page, "{gap}{word}").unwrap();
            }
            // Without the `\&`, mdoc takes a question mark at the end for the sentence's.
            writeln!(page, "\n.br\nKeys:\n.Cm {}", kind.fields.join(" ").replace('?', "?\\&")).unwrap();
        }
        page + ".El\n"
    }

    #[test]
    fn the_man_page_lists_what_the_catalogue_lists() {
        let page = man("os4x_proxy-log.5");
        let (_, rest) = page.split_once(".\\\" events begin\n").unwrap();
        let (listed, _) = rest.split_once(".\\\" events end\n").unwrap();
        assert!(listed == as_mdoc(), "put this between the two marks of os4x_proxy-log.5:\n{}", as_mdoc());
    }

    #[test]
    fn names_and_keys_are_words_and_names_are_unique() {
        let word =
            |text: &str| !text.is_empty() && text.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'_'));
        for kind in CATALOGUE {
            assert!(word(kind.name) && word(kind.part), "{kind:?}");
            assert!(kind.fields.iter().all(|field| word(field.trim_end_matches('?'))), "{kind:?}");
            assert!(kind.meaning.ends_with('.'), "{kind:?}");
        }
        let names: BTreeSet<&str> = CATALOGUE.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), CATALOGUE.len());
    }

    fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                rust_files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn the_sources_write_no_event_that_is_not_listed() {
        let mut files = Vec::new();
        for part in ["common", "server", "client"] {
            rust_files(&Path::new(WORKSPACE).join(part).join("src"), &mut files);
        }
        assert!(files.iter().any(|file| file.ends_with("log/events.rs")), "the sources are elsewhere");
        let pattern = concat!("Event::", "new(\"");
        for file in files {
            let text = fs::read_to_string(&file).unwrap();
            for (at, _) in text.match_indices(pattern) {
                let name = text[at + pattern.len()..].split('"').next().unwrap();
                assert!(CATALOGUE.iter().any(|kind| kind.name == name), "{}: {name}", file.display());
            }
        }
    }

    #[test]
    fn the_examples_of_the_rc_files_man_page_are_valid() {
        let page = man("os4x_proxy.logrc.5");
        let examples: Vec<&str> = page
            .split(".Bd -literal -offset 2n\n")
            .skip(1)
            .map(|rest| rest.split_once(".Ed\n").unwrap().0)
            .collect();
        assert_eq!(examples.len(), 2);
        for example in examples {
            let read = rc::parse(Path::new("example"), example.as_bytes()).unwrap();
            assert!(read.appenders.len() >= 2 || read.reread);
            assert!(read.categories["os4x_proxyserver"].priority == Some(Priority::Info));
        }
    }

    #[test]
    fn both_man_pages_name_every_level_part_and_layout() {
        let (lines, rc) = (man("os4x_proxy-log.5"), man("os4x_proxy.logrc.5"));
        for priority in Priority::ALL {
            assert!(lines.contains(&format!("\n.It {priority}\n")), "{priority}");
            assert!(rc.contains(&priority.name().to_lowercase()), "{priority}");
        }
        for kind in CATALOGUE {
            assert!(rc.contains(kind.part), "{}", kind.part);
        }
        for layout in ["os4x_layout", "basic", "dated"] {
            assert!(layout::Kind::named(layout).is_some() && rc.contains(&format!("\n.It Cm {layout}\n")));
        }
    }
}
