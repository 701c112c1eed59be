//! The template of pages with one list. The address of the page contains the filters. The same rows are also available
//! as CSV and as JSON.

use super::fields::Fields;
use super::page::{self, Fault, Frame};
use super::table::Table;
use crate::date;
use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// Most rows on a page.
pub(super) const PAGE: u32 = 50;
/// Most rows in a file.
const FILE: u32 = 10_000;

/// The name of the field in an address that says after which row the page begins.
pub(super) const PLACE: &str = "behind";

/// The format in which the list is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Page,
    Csv,
    Json,
}

impl Format {
    /// Most rows of a list in this format.
    pub(super) fn limit(self) -> u32 {
        if self == Self::Page { PAGE } else { FILE }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Format {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Ok(match parts.uri.path().rsplit_once('.') {
            Some((_, "csv")) => Self::Csv,
            Some((_, "json")) => Self::Json,
            _ => Self::Page,
        })
    }
}

/// A page with a list.
#[derive(Template)]
#[template(path = "list.html")]
pub(super) struct List {
    pub(super) f: Frame,
    /// The path of the list, without `.csv` or `.json`.
    pub(super) path: &'static str,
    pub(super) intro: &'static str,
    /// The path of the page that adds an object to the list, and the text of the link.
    pub(super) link: Option<(&'static str, &'static str)>,
    pub(super) tabs: Vec<Tab>,
    pub(super) inputs: Vec<Input>,
    /// A picture above the table, as SVG; empty if there is none. We make it ourselves, so it is not escaped.
    pub(super) picture: String,
    pub(super) table: Table,
    /// The form to which the selected rows belong, if rows can be selected.
    pub(super) selection: Option<Selection>,
    /// The filters, as the query of an address.
    pub(super) query: String,
    /// The query for the page with the next older rows, if there may be more rows.
    pub(super) older: Option<String>,
    /// Whether this is not the first page.
    pub(super) is_further: bool,
    /// The format in which the list is requested.
    format: Format,
}

/// The form below a list whose rows can be selected.
pub(super) struct Selection {
    /// The path that it is sent to.
    pub(super) action: &'static str,
    pub(super) token: String,
    pub(super) title: &'static str,
    /// The name of its buttons, and for each its value and its word.
    pub(super) name: &'static str,
    pub(super) buttons: Vec<(&'static str, &'static str)>,
}

/// A tab, which shows some of the rows.
pub(super) struct Tab {
    pub(super) name: &'static str,
    pub(super) query: String,
    pub(super) is_here: bool,
}

/// An input field for a filter.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) value: String,
    /// `text`, `date`, `choice`, or `hidden`.
    pub(super) kind: &'static str,
    /// The values to choose from, each with its word.
    pub(super) choices: Vec<(String, String)>,
}

impl Input {
    /// A field for a text.
    pub(super) fn text(fields: &Fields, name: &'static str, label: &'static str) -> Self {
        Self { name, label, value: fields.text(name).to_owned(), kind: "text", choices: Vec::new() }
    }

    /// A field for a day.
    pub(super) fn day(fields: &Fields, name: &'static str, label: &'static str) -> Self {
        Self { kind: "date", ..Self::text(fields, name, label) }
    }

    /// A field that offers a choice of these words.
    pub(super) fn choice(
        fields: &Fields,
        name: &'static str,
        label: &'static str,
        choices: Vec<String>,
    ) -> Self {
        let choices = choices.into_iter().map(|choice| (choice.clone(), choice)).collect();
        Self { kind: "choice", choices, ..Self::text(fields, name, label) }
    }

    /// A field that offers a choice of these values, each with its word.
    pub(super) fn choice_of<'a>(
        fields: &Fields,
        name: &'static str,
        label: &'static str,
        choices: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let choices = choices.into_iter().map(|(value, word)| (value.to_owned(), word.to_owned())).collect();
        Self { kind: "choice", choices, ..Self::text(fields, name, label) }
    }
}

/// The first second of the day in the field `since`, and the last second of the day in the field `until`.
pub(super) fn days(fields: &Fields, since: &str, until: &str) -> (Option<i64>, Option<i64>) {
    (date::beginning(fields.text(since)), date::end(fields.text(until)))
}

impl List {
    /// Makes a page that has only the table.
    pub(super) fn new(f: Frame, path: &'static str, fields: &Fields, format: Format, table: Table) -> Self {
        Self {
            f,
            path,
            intro: "",
            link: None,
            tabs: Vec::new(),
            inputs: Vec::new(),
            picture: String::new(),
            table,
            selection: None,
            query: fields.with(PLACE, ""),
            older: None,
            is_further: !fields.text(PLACE).is_empty(),
            format,
        }
    }

    /// Adds a link to the older rows if this page is full, because there may be more rows then. `last` is the place of
    /// the last row of this page.
    pub(super) fn goes_on(&mut self, last: Option<String>) {
        let is_full = self.table.rows.len() >= usize::try_from(self.format.limit()).unwrap_or(usize::MAX);
        let searched = Fields::parse(self.query.as_bytes());
        self.older = last.filter(|_| is_full).map(|last| searched.with(PLACE, &last));
    }

    /// The response in the requested format. `rows` are the rows of the table as they are written to JSON.
    pub(super) fn respond(&self, rows: &impl Serialize) -> Result<Response, Fault> {
        let name = self.path.trim_start_matches('/');
        let (kind, ending, body) = match self.format {
            Format::Page => return page::html(self),
            Format::Csv => ("text/csv; charset=utf-8", "csv", self.table.csv()),
            Format::Json => {
                let text = serde_json::to_string_pretty(rows).map_err(|_| Fault::Inner)?;
                ("application/json", "json", format!("{text}\n"))
            }
        };
        let headers = [
            (header::CONTENT_TYPE, kind.to_owned()),
            (header::CONTENT_DISPOSITION, format!("attachment; filename=\"os4x-{name}.{ending}\"")),
        ];
        Ok((headers, body).into_response())
    }
}
