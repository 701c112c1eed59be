//! A table on a page, and the same table as CSV. Both use the same cells.

use super::fields::TOKEN;
use super::gate::Known;
use askama::Template;
use common::state::Use;

/// The shape of a column of boxes.
const SELECT: &str = "select";

/// A table.
#[derive(Template)]
#[template(path = "table.html")]
pub(super) struct Table {
    /// The identifier of the table, unique on its page. On a live page, the script replaces the table with this
    /// identifier.
    pub(super) part: &'static str,
    /// The caption, for users who cannot see what the table is about.
    pub(super) caption: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Vec<Cell>>,
    /// The text that is shown instead of an empty table.
    pub(super) empty: &'static str,
}

/// A column.
pub(super) struct Column {
    pub(super) name: &'static str,
    /// `number`, `time`, `wide`, `select`, or empty.
    pub(super) shape: &'static str,
}

/// A cell.
#[derive(Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// The target of the cell's link.
    pub(super) path: Option<String>,
    /// `good`, `warn`, `bad`, or empty. A state is also shown by a symbol and a word.
    pub(super) state: &'static str,
    /// Further text, below the first one.
    pub(super) more: String,
    /// Whether the text is in English although the page is not.
    pub(super) is_english: bool,
    /// Buttons for actions on the row.
    pub(super) buttons: Vec<Button>,
    /// A box that selects the row, in the form below the list: the name of the field, its value is the text.
    pub(super) select: Option<&'static str>,
    /// The number and the limit that the text says, which are drawn too.
    pub(super) meter: Option<Use>,
}

/// A button that sends a form of its own.
pub(super) struct Button {
    /// The path that the form is sent to.
    pub(super) action: String,
    pub(super) word: &'static str,
    /// The name of the object of the action, for users who cannot see the row.
    pub(super) object: String,
    /// Names and values that the form sends too.
    pub(super) hidden: Vec<(&'static str, String)>,
}

impl Button {
    /// A button for a user who is logged in.
    pub(super) fn new(known: &Known, action: &str, word: &'static str, object: impl Into<String>) -> Self {
        let hidden = vec![(TOKEN, known.form_token.clone())];
        Self { action: action.to_owned(), word, object: object.into(), hidden }
    }

    /// Adds a hidden field with a name and a value.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.hidden.push((name, value.into()));
        self
    }
}

impl Column {
    /// A column of plain text.
    pub(super) fn text(name: &'static str) -> Self {
        Self { name, shape: "" }
    }

    /// A column of boxes. Files do not have it.
    pub(super) fn select(name: &'static str) -> Self {
        Self { name, shape: SELECT }
    }

    /// A column of numbers.
    pub(super) fn number(name: &'static str) -> Self {
        Self { name, shape: "number" }
    }

    /// A column of times.
    pub(super) fn time(name: &'static str) -> Self {
        Self { name, shape: "time" }
    }

    /// A column of long texts.
    pub(super) fn wide(name: &'static str) -> Self {
        Self { name, shape: "wide" }
    }
}

impl Cell {
    /// A cell with a text.
    pub(super) fn text(text: impl ToString) -> Self {
        Self::maybe(Some(text))
    }

    /// A cell with a text that may be missing.
    pub(super) fn maybe(text: Option<impl ToString>) -> Self {
        let text = text.map(|text| text.to_string()).unwrap_or_default();
        Self { text: if text.is_empty() { "-".to_owned() } else { text }, ..Self::default() }
    }

    /// A cell with a link.
    pub(super) fn link(text: impl ToString, path: String) -> Self {
        Self { path: Some(path), ..Self::text(text) }
    }

    /// A cell with the word for a state.
    pub(super) fn state(text: impl ToString, state: &'static str) -> Self {
        Self { state, ..Self::text(text) }
    }

    /// A cell with an English text of a program.
    pub(super) fn english(text: impl ToString) -> Self {
        Self { is_english: true, ..Self::text(text) }
    }

    /// A cell with a box that selects the row of this name.
    pub(super) fn select(field: &'static str, name: &str) -> Self {
        Self { select: Some(field), ..Self::text(name) }
    }

    /// A cell that contains only buttons.
    pub(super) fn buttons(buttons: impl IntoIterator<Item = Button>) -> Self {
        Self { buttons: buttons.into_iter().collect(), ..Self::default() }
    }

    /// A number and its limit; nothing if there is no limit.
    pub(super) fn used(all: Use) -> Self {
        if all == Use::default() {
            return Self::text("");
        }
        Self { meter: Some(all), ..Self::text(format!("{}/{}", all.used, all.limit)) }
    }

    /// Adds further text below the first one.
    pub(super) fn with(self, more: impl Into<String>) -> Self {
        Self { more: more.into(), ..self }
    }

    /// From here on a meter shows that little is left.
    fn high(&self) -> usize {
        self.meter.map_or(0, |all| all.limit - all.limit / 5)
    }

    /// The symbol before a state, because some users cannot distinguish the colours.
    pub(super) fn symbol(&self) -> &'static str {
        match self.state {
            "good" => "\u{2713}",
            "warn" => "!",
            "bad" => "\u{2717}",
            _ => "",
        }
    }
}

impl Table {
    /// The table as CSV (RFC 4180).
    pub(super) fn csv(&self) -> String {
        let is_data = |at: &usize| self.columns.get(*at).is_some_and(|column| column.shape != SELECT);
        let names = self.columns.iter().filter(|column| column.shape != SELECT);
        let names = names.map(|column| field(column.name));
        let mut text = format!("{}\r\n", names.collect::<Vec<_>>().join(","));
        for row in &self.rows {
            let cells = row.iter().enumerate().filter(|(at, _)| is_data(at));
            let cells: Vec<String> = cells.map(|(_, cell)| field(&cell.text)).collect();
            text.push_str(&cells.join(","));
            text.push_str("\r\n");
        }
        text
    }
}

/// A text as a field of CSV. An apostrophe precedes a text that begins like a formula, because a spreadsheet would
/// evaluate it.
fn field(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t']) && text.len() > 1;
    let text = if is_formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::field;

    #[test]
    fn a_field_is_quoted_where_it_must_be_and_no_formula() {
        for (text, expected) in [
            ("plain", "plain"),
            ("-", "-"),
            ("a,b", "\"a,b\""),
            ("a\"b", "\"a\"\"b\""),
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("@x,y", "\"'@x,y\""),
        ] {
            assert_eq!(field(text), expected);
        }
    }
}
