//! The template of pages about one object or a few: parts that contain facts, a table, lines or a form.

use super::form::FormBlock;
use super::gate::SignedIn;
use super::page::{self, Fault, Frame, Notice};
use super::table::{Button, Cell, Table};
use askama::Template;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

/// A page of parts.
#[derive(Template)]
#[template(path = "parts.html")]
pub(super) struct PartsPage {
    pub(super) f: Frame,
    pub(super) parts: Vec<Part>,
}

impl PartsPage {
    /// The response with the page. If a form was rejected, the status says so too.
    pub(super) fn respond(&self, is_rejected: bool) -> Result<Response, Fault> {
        let status = if is_rejected { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        Ok((status, page::html(self)?).into_response())
    }
}

/// The page that says why an action was refused, with a link to the page `back`.
pub(super) fn refused(SignedIn(visitor, known): &SignedIn, why: &str, back: &str) -> Result<Response, Fault> {
    let mut f = Frame::for_user(visitor, known, visitor.words.not_done);
    f.notices.push(Notice { path: Some(back.to_owned()), ..Notice::bad(why) });
    Ok((StatusCode::CONFLICT, page::html(&PartsPage { f, parts: Vec::new() })?).into_response())
}

/// A part of the page.
pub(super) struct Part {
    /// The identifier of the part, unique on its page.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) content: Content,
}

impl Part {
    pub(super) fn facts(id: &'static str, title: &'static str, facts: Vec<(&'static str, Cell)>) -> Self {
        Self { id, title, content: Content::Facts(facts) }
    }

    /// A part with a table. They have the same identifier.
    pub(super) fn table(title: &'static str, table: Table) -> Self {
        Self { id: table.part, title, content: Content::Table(table) }
    }

    pub(super) fn lines(id: &'static str, title: &'static str, lines: Vec<String>) -> Self {
        Self { id, title, content: Content::Lines(lines) }
    }

    pub(super) fn form(id: &'static str, title: &'static str, form: FormBlock) -> Self {
        Self { id, title, content: Content::Form(form) }
    }

    pub(super) fn note(id: &'static str, title: &'static str, text: &str) -> Self {
        Self { id, title, content: Content::Note(text.to_owned()) }
    }

    pub(super) fn charts(id: &'static str, title: &'static str, charts: Charts) -> Self {
        Self { id, title, content: Content::Charts(charts) }
    }

    pub(super) fn acts(id: &'static str, title: &'static str, buttons: Vec<Button>) -> Self {
        Self { id, title, content: Content::Acts(buttons) }
    }
}

/// The content of a part.
pub(super) enum Content {
    /// Names and values.
    Facts(Vec<(&'static str, Cell)>),
    Table(Table),
    /// Lines that are shown unchanged.
    Lines(Vec<String>),
    Form(FormBlock),
    /// A sentence or two.
    Note(String),
    /// Buttons for actions.
    Acts(Vec<Button>),
    Charts(Charts),
}

/// Charts, and their figures as a table.
pub(super) struct Charts {
    /// As SVG, which we make ourselves, so that it is not escaped.
    pub(super) pictures: Vec<String>,
    pub(super) table: Table,
    /// The path of the same table as a page and as files; empty if there is none.
    pub(super) path: &'static str,
}
