//! Holds the catalogue, the man pages and the sources against each other.

use super::*;
use crate::log::man;
use crate::log::{layout, rc};
use crate::process::end_reasons::Status;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

const LOG: &str = "os4x_proxy-log.5";
const LOGRC: &str = "os4x_proxy.logrc.5";

#[test]
fn the_man_page_lists_the_events() {
    let mut list = String::new();
    for kind in CATALOGUE {
        let levels: Vec<&str> = kind.levels.iter().map(|level| level.name()).collect();
        writeln!(list, ".It Sy {} Bq {} , {}", kind.name, levels.join("|"), kind.part).unwrap();
        // Without the `\&`, mdoc takes a question mark at the end for the sentence's.
        let keys = kind.fields.join(" ").replace('?', "?\\&");
        writeln!(list, "{}\n.br\nKeys:\n.Cm {keys}", man::filled(kind.meaning)).unwrap();
    }
    man::hold(LOG, "events", &format!(".Bl -tag -width Ds\n{list}.El\n"));
}

#[test]
fn the_man_page_lists_the_keys() {
    let mut list = String::new();
    for (key, meaning) in KEYS {
        writeln!(list, ".It Cm {key}\n{}", man::filled(meaning)).unwrap();
    }
    man::hold(LOG, "keys", &format!(".Bl -tag -width \"files_refused\" -compact\n{list}.El\n"));
}

#[test]
fn the_man_page_lists_the_words() {
    let mut all = Status::ALL.to_vec();
    all.sort_by_key(|status| status.number());
    let mut list = String::new();
    for status in all {
        writeln!(list, ".It Cm {status} Pq {}\n{}", status.number(), man::filled(status.meaning())).unwrap();
    }
    man::hold(LOG, "words", &format!(".Bl -tag -width Ds -compact\n{list}.El\n"));
}

#[test]
fn each_key_of_an_event_is_explained_and_no_other() {
    let used: BTreeSet<&str> =
        CATALOGUE.iter().flat_map(|kind| kind.fields).map(|field| field.trim_end_matches('?')).collect();
    assert_eq!(KEYS.iter().map(|(key, _)| *key).collect::<Vec<_>>(), used.into_iter().collect::<Vec<_>>());
}

#[test]
fn names_and_keys_are_words_and_names_are_unique() {
    let word = |text: &str| !text.is_empty() && text.bytes().all(|octet| matches!(octet, b'a'..=b'z' | b'_'));
    for kind in CATALOGUE {
        assert!(word(kind.name) && word(kind.part), "{kind:?}");
        assert!(kind.fields.iter().all(|field| word(field.trim_end_matches('?'))), "{kind:?}");
        assert!(kind.meaning.ends_with('.'), "{kind:?}");
    }
    let names: BTreeSet<&str> = CATALOGUE.iter().map(|kind| kind.name).collect();
    assert_eq!(names.len(), CATALOGUE.len());
}

#[test]
fn the_examples_of_the_rc_files_man_page_are_valid() {
    let page = man::read(LOGRC);
    let examples: Vec<&str> = page
        .split(".Bd -literal -offset 2n\n")
        .skip(1)
        .map(|rest| rest.split_once(".Ed\n").unwrap().0)
        .collect();
    assert_eq!(examples.len(), 3);
    for example in examples {
        let read = rc::parse(Path::new("example"), example.as_bytes(), "os4x_proxyserver").unwrap();
        assert_eq!(read.categories["os4x_proxyserver"].priority, Some(Priority::Info));
    }
}

#[test]
fn both_man_pages_name_every_level_part_and_layout() {
    let (lines, rc) = (man::read(LOG), man::read(LOGRC));
    for priority in Priority::ALL {
        assert!(lines.contains(&format!("\n.It {priority}\n")), "{priority}");
        assert!(rc.contains(&priority.name().to_lowercase()), "{priority}");
    }
    for kind in CATALOGUE {
        assert!(rc.contains(kind.part), "{}", kind.part);
    }
    for layouts in [
        "os4x_layout",
        "basic , basic_r",
        "dated , dated_r",
        "dated_local , dated_local_r",
        "ecs",
        "cef",
        "rfc5424",
    ] {
        assert!(layouts.split(" , ").all(|layout| layout::LayoutKind::named(layout).is_some()));
        assert!(rc.contains(&format!("\n.It Cm {layouts}\n")), "{layouts}");
    }
}
