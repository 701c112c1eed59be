//! The button on the page Events that gives a test event to the event script, and the page with what came of it.

use super::Panel;
use super::act::Reach;
use super::fields::Form;
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::parts::{self, Part, PartsPage};
use super::rights::Right;
use super::table::{Button, Cell};
use crate::change::Act;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// The page with the event script.
pub(super) const EVENTS: &str = "/configuration/events";
/// The path of the form that runs a test.
pub(super) const RUN: &str = "/configuration/events/test";

/// The part of the page with the button.
pub(super) fn part(who: &SignedIn) -> Option<Part> {
    let w = who.0.words;
    let button = || Button::new(&who.1, RUN, w.event_test, "");
    let has_script = !who.0.values.text("proxy_event_script").is_empty();
    let may = who.may(Right::Administer) && has_script;
    may.then(|| Part::acts("test", w.event_test_title, vec![button()]))
}

/// Runs a test, and shows what came of it.
pub(super) async fn run(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let order = who.order("event test", &fields);
    let note = async |act: &mut Act| {
        act.note("event test".to_owned(), json!("ordered"));
        Ok(())
    };
    // Recorded before it runs: it may start anything.
    panel.act(Reach::Backend, order, note).await?.map_err(Fault::from)?;
    let Some(tested) = panel.app.test_event(&visitor.values).await else {
        return parts::refused(&who, w.event_test_not_run, EVENTS);
    };
    let state = match tested.failure {
        None => Cell::state(w.act_done, "good"),
        Some(why) => Cell { is_english: true, ..Cell::state(w.act_failed, "bad").with(why) },
    };
    let facts = vec![
        (w.result, state),
        (w.duration, Cell::text(format!("{} ms", tested.took.as_millis()))),
        (w.section_events, Cell::link(visitor.values.text("proxy_event_script"), EVENTS.to_owned())),
    ];
    let lines = tested.output.lines().map(str::to_owned).collect();
    let f = Frame::for_user(visitor, known, w.event_test_title);
    let parts =
        vec![Part::facts("result", w.result, facts), Part::lines("output", w.event_test_output, lines)];
    page::html(&PartsPage { f, parts })
}
