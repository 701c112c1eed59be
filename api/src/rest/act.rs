//! How a program changes something: within an act of the change layer, which records it in the audit under the name of
//! the key. `If-Match` has the version that the program has seen; with `dry_run=yes` nothing is changed, and the answer
//! tells what would be.

use super::query::Query;
use super::refusal::Refusal;
use super::visitor::Caller;
use crate::change::{self, Act, Author, ChangeError, Order, Reach};
use crate::serve::app::App;
use crate::settings::yes_no;
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

/// What a request says about the change that it wants.
pub(super) struct Terms {
    if_version: Option<i64>,
    dry_run: bool,
}

impl<S: Send + Sync> FromRequestParts<S> for Terms {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let query = Query::from_request_parts(parts, state).await?.only(&["dry_run"])?;
        let bad = |field: &str, error: &str, remedy: &str| {
            Refusal::new(StatusCode::BAD_REQUEST, error, remedy).of_field(field)
        };
        let dry_run = match query.text("dry_run") {
            "" => Some(false),
            text => yes_no(text),
        };
        let given = parts.headers.get(header::IF_MATCH).map(|value| value.to_str().unwrap_or("?"));
        let if_version = match given {
            None | Some("*") => None,
            Some(text) => Some(text.trim_matches('"').parse().map_err(|_| {
                bad("If-Match", "If-Match has no version", "send the version of the object, as \"7\"")
            })?),
        };
        let dry_run = dry_run.ok_or_else(|| bad("dry_run", "dry_run takes yes or no", "send yes or no"))?;
        Ok(Self { if_version, dry_run })
    }
}

impl Terms {
    /// Makes a change for this program; `answer` makes the answer of the result of `work`.
    pub(super) async fn carry_out<T>(
        self,
        app: &App,
        caller: &Caller,
        (reach, name): (Reach, &'static str),
        work: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError>,
        answer: impl FnOnce(T) -> Response,
    ) -> Result<Response, Refusal> {
        let Self { if_version, dry_run } = self;
        let author = Author::of_key(&caller.key, caller.address);
        let order = Order { dry_run, if_version, ..Order::of(author, name) };
        match change::carry_out(&app.db, reach, order, work).await {
            Ok(done) => Ok(answer(done)),
            Err(ChangeError::DryRun(lines)) => Ok(Json(json!({"would_change": lines})).into_response()),
            Err(why) => Err(why.into()),
        }
    }
}

/// The answer to a change that has nothing to tell.
pub(super) fn done<T>(_: T) -> Response {
    StatusCode::NO_CONTENT.into_response()
}
