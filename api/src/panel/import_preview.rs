//! What an import would change, from the lines that `os4xapi import --dry-run` prints. Pure.

use super::setting_pages::{Risk, risk};
use super::table::{Cell, Column, Table};
use super::words::Words;

/// Most lines that are shown.
const MOST: usize = 500;

/// The lines as a table.
pub(super) fn table(w: &'static Words, lines: &[String]) -> Table {
    let mut rows: Vec<Vec<Cell>> = lines.iter().take(MOST).map(|line| row(w, line)).collect();
    if lines.len() > MOST {
        let more = format!("{} {}", lines.len() - MOST, w.further_changes);
        rows.push(vec![Cell::text(""), Cell::text(more), Cell::text("")]);
    }
    Table {
        part: "difference",
        caption: w.import_would.to_owned(),
        columns: vec![Column::text(w.change), Column::text(w.object), Column::wide(w.what)],
        rows,
        empty: w.nothing_to_import,
    }
}

fn row(w: &'static Words, line: &str) -> Vec<Cell> {
    let (sign, rest) = line.split_once(' ').unwrap_or(("", line));
    let (object, what) = rest.split_once(": ").unwrap_or((rest, ""));
    let change = match sign {
        "+" => Cell::state(w.is_added, "good"),
        "~" => Cell::state(w.is_changed, "warn"),
        "-" => Cell::state(w.is_removed, "bad"),
        "!" => Cell::state(w.warning, "bad"),
        _ => Cell::text(w.hint),
    };
    vec![change, Cell::english(object), Cell::english(what)]
}

/// Whether these changes may shut somebody out and can be reverted: an import of keys cannot.
pub(super) fn is_reach(lines: &[String]) -> bool {
    let object = |line: &String| line.split_once(' ').map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    let is_of_reach = |line: &String| {
        let setting = object(line);
        let name = setting.strip_prefix("config ").and_then(|rest| rest.split(':').next());
        name.is_some_and(|name| risk(name, "") == Risk::Reach)
    };
    lines.iter().any(is_of_reach) && !lines.iter().any(|line| object(line).starts_with("cert "))
}

#[cfg(test)]
mod tests {
    use super::is_reach;

    #[test]
    fn an_import_that_may_shut_somebody_out_is_known_by_its_settings() {
        for (lines, expected) in [
            (&["~ config panel_networks: \"a\" -> \"b\""][..], true),
            (&["+ config tcp_port_tls: \"6620\"", "+ partner A: x"], true),
            (&["+ config tcp_port_tls: \"6620\"", "~ cert own: pem: 1 -> 2"], false),
            (&["+ config proxy_idle_commands: \"7\"", "! partner panel_networks would be refused: x"], false),
            (&[], false),
        ] {
            let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(is_reach(&lines), expected, "{lines:?}");
        }
    }
}
