//! The query of a request: names and texts. A name that the path does not know is refused: it may be a filter that is
//! mistyped, and the answer would be too long.

use super::refusal::Refusal;
use crate::date;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use std::str::FromStr;

/// Rows of a list without a limit.
const LIMIT: u32 = 100;
/// Most rows of a list.
const MOST: u32 = 10_000;

/// Names and texts.
pub(super) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        Ok(Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect()))
    }
}

impl Query {
    /// Refuses all names but these.
    pub(super) fn only(self, known: &[&str]) -> Result<Self, Refusal> {
        let unknown = self.0.iter().find(|(name, _)| !known.contains(&name.as_str()));
        match unknown {
            None => Ok(self),
            Some((name, _)) => {
                let remedy = format!("the names are: {}", known.join(", "));
                Err(bad(name, format!("this path has no filter '{name}'"), &remedy))
            }
        }
    }

    /// The text of a name; empty if it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text.trim())
    }

    /// A number, if it is there.
    pub(super) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, Refusal> {
        match self.text(name) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| wrong(name, text, "it takes a whole number")),
        }
    }

    /// The most rows that are wanted.
    pub(super) fn limit(&self) -> Result<u32, Refusal> {
        Ok(self.number("limit")?.unwrap_or(LIMIT).min(MOST))
    }

    /// A time: a second, or the first second of a day.
    pub(super) fn since(&self) -> Result<Option<i64>, Refusal> {
        self.time("since", date::beginning)
    }

    /// A time: a second, or the last second of a day.
    pub(super) fn until(&self) -> Result<Option<i64>, Refusal> {
        self.time("until", date::end)
    }

    fn time(&self, name: &str, read: fn(&str) -> Option<i64>) -> Result<Option<i64>, Refusal> {
        match self.text(name) {
            "" => Ok(None),
            text => {
                let form = "it takes a time in UTC, such as 2026-12-31 or 2026-12-31T12:00:00Z";
                read(text).map(Some).ok_or_else(|| wrong(name, text, form))
            }
        }
    }
}

/// The refusal of a text.
pub(super) fn wrong(name: &str, text: &str, remedy: &str) -> Refusal {
    bad(name, format!("{name} cannot be '{text}'"), remedy)
}

fn bad(name: &str, error: String, remedy: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, error, remedy).of_field(name)
}
