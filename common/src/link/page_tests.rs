//! Tests that `man/doc/link.md` names each message, field and limit of the link. They read the sources, so that a new
//! message that is not in the document makes them fail.

use super::{control, join, session_id as pair};
use crate::ipc::frame;

const DOCUMENT: &str = include_str!("../../../man/doc/link.md");
const CONTROL: &str = include_str!("control.rs");
const JOIN: &str = include_str!("join.rs");

/// The lines of the item that begins with `head`, up to the brace that ends it.
fn body<'a>(source: &'a str, head: &str) -> impl Iterator<Item = &'a str> {
    let (_, rest) = source.split_once(&format!("\n{head} {{\n")).unwrap();
    rest.split_once("\n}").unwrap().0.lines()
}

/// The names at this depth of indentation: variants, or fields. Comments and attributes have none.
fn names<'a>(source: &'a str, head: &str, depth: usize) -> Vec<&'a str> {
    let inner = body(source, head).filter_map(|line| {
        let text = line.trim_start();
        let name = text.trim_start_matches("pub ").split([':', ',', ' ', '(']).next()?;
        let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic());
        (line.len() - text.len() == 4 * depth && is_name).then_some(name)
    });
    inner.collect()
}

/// As serde writes it under `rename_all = "kebab-case"`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('-');
        }
        text.push(letter.to_ascii_lowercase());
    }
    text
}

/// The part of the document below the heading that ends with `title`.
fn section(title: &str) -> &'static str {
    let (_, rest) = DOCUMENT.split_once(&format!("{title}\n")).unwrap();
    rest.split_once("\n##").map_or(rest, |(section, _)| section)
}

#[test]
fn each_control_message_has_its_rows() {
    for name in ["ToServer", "ToClient"] {
        let section = section(&format!(": `{name}`"));
        let head = format!("pub enum {name}");
        let variants = names(CONTROL, &head, 1);
        assert!(variants.len() >= 7, "{variants:?}");
        for variant in variants {
            assert!(section.contains(&format!("\n| `{}` | ", kebab(variant))), "{name}::{variant}");
        }
        for field in names(CONTROL, &head, 2) {
            assert!(section.contains(&format!(" | `{field}` | ")), "{name}: field {field}");
        }
    }
}

#[test]
fn each_message_of_a_data_connection_has_its_rows() {
    let section = section("### Frames before the session");
    for (head, depths) in [
        ("pub struct Open", 1..=1),
        ("pub enum Opened", 1..=2),
        ("pub struct Dial", 1..=1),
        ("pub enum Target", 1..=2),
        ("pub enum Reached", 1..=2),
    ] {
        let message = head.rsplit(' ').next().unwrap();
        assert!(section.contains(&format!("\n| `{message}` | ")), "{message}");
        for name in depths.flat_map(|depth| names(JOIN, head, depth)) {
            assert!(section.contains(&format!("`{}`", kebab(name))), "{message}: {name}");
        }
    }
}

#[test]
fn each_bound_is_the_code_s() {
    let seconds = |time: std::time::Duration| format!("{} s", time.as_secs());
    let octets = |number: usize| format!("{number} octets");
    for (name, value) in [
        ("VERSION", control::VERSION.to_string()),
        ("PING_EVERY", seconds(control::PING_EVERY)),
        ("ANSWER_WITHIN", seconds(control::ANSWER_WITHIN)),
        ("GONE_AFTER", seconds(control::GONE_AFTER)),
        ("MAX_FRAME", octets(frame::MAX_FRAME)),
        ("CHUNK", octets(control::CHUNK)),
        ("MAX_ANSWER", octets(control::MAX_ANSWER)),
        ("MAX_REPORT", octets(control::MAX_REPORT)),
        ("MAX_BACKLOG", octets(control::MAX_BACKLOG)),
        ("MAX_OPENING", octets(join::MAX_OPENING)),
        ("PREAMBLE", octets(pair::PREAMBLE)),
        ("TIME_LIMIT", seconds(join::TIME_LIMIT)),
    ] {
        let row = format!("\n| `{name}` | {value} | ");
        assert!(section("## Bounds").contains(&row), "no row {row}");
    }
}
