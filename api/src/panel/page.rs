//! The frame of each page, and the page that is shown instead when a request fails.

use super::gate::{Known, Visitor};
use super::words::Words;
use super::{Panel, assets, fields, rollback};
use crate::change::ChangeError;
use crate::db::DbError;
use crate::error_text::on_one_line;
use crate::pki::PkiError;
use crate::store::users::Role;
use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Redirect, Response};
use common::text::clock;
use common::text::escape::escape;
use std::sync::Arc;

/// The parts of a page around its content.
pub(super) struct Frame {
    pub(super) w: &'static Words,
    pub(super) title: String,
    /// `light`, `dark`, or empty.
    pub(super) theme: String,
    /// The user who is logged in, if any.
    pub(super) user: Option<Shown>,
    pub(super) menu: Vec<Group>,
    pub(super) style: String,
    pub(super) script: String,
    pub(super) icon: String,
    /// The notices above the content.
    pub(super) notices: Vec<Notice>,
    /// Whether the page reloads itself every few seconds in browsers with JavaScript.
    pub(super) is_live: bool,
    pub(super) time: String,
    pub(super) version: &'static str,
}

/// The user who is logged in, for the frame.
pub(super) struct Shown {
    pub(super) name: String,
    pub(super) role: &'static str,
    pub(super) token_name: &'static str,
    pub(super) token: String,
}

/// A group of the menu.
pub(super) struct Group {
    pub(super) name: &'static str,
    pub(super) items: Vec<Item>,
}

/// A page in the menu.
pub(super) struct Item {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) is_here: bool,
}

/// A message at the top of a page.
pub(super) struct Notice {
    /// `good`, `warn` or `bad`.
    pub(super) kind: &'static str,
    pub(super) text: String,
    /// The page with the details.
    pub(super) path: Option<String>,
    pub(super) is_english: bool,
}

impl Notice {
    /// A notice that something has succeeded.
    pub(super) fn good(text: &str) -> Self {
        Self { kind: "good", text: text.to_owned(), path: None, is_english: false }
    }

    /// A notice that something has failed.
    pub(super) fn bad(text: &str) -> Self {
        Self { kind: "bad", ..Self::good(text) }
    }

    /// A text that the commands print too. It is in English in each language of the panel.
    pub(super) fn english(text: &str) -> Self {
        Self { kind: "warn", is_english: true, ..Self::good(text) }
    }

    /// A notice that asks the user to look at the page `path`.
    pub(super) fn warn(text: &str, path: String) -> Self {
        Self { kind: "warn", path: Some(path), ..Self::good(text) }
    }
}

impl Frame {
    /// A frame for a page with this title.
    pub(super) fn new(words: &'static Words, title: &str) -> Self {
        let [style, script, icon] = assets::paths();
        Self {
            w: words,
            title: title.to_owned(),
            theme: String::new(),
            user: None,
            menu: Vec::new(),
            style,
            script,
            icon,
            notices: Vec::new(),
            is_live: false,
            time: clock::readable(clock::now()),
            version: env!("CARGO_PKG_VERSION"),
        }
    }

    /// A frame for a user who is logged in.
    pub(super) fn for_user(visitor: &Visitor, known: &Known, title: &str) -> Self {
        let mut frame = Self::new(visitor.words, title);
        known.user.theme.clone_into(&mut frame.theme);
        frame.user = Some(Shown {
            name: known.user.name.clone(),
            role: role_word(visitor.words, known.user.role),
            token_name: fields::TOKEN,
            token: known.form_token.clone(),
        });
        let path = visitor.at.split('?').next().unwrap_or_default();
        frame.menu = super::menu(visitor.words, known.user.role, path);
        let pending = visitor.pending.iter().filter(|one| !path.ends_with(&format!("/{}", one.number)));
        frame.notices.extend(pending.map(|one| rollback::notice(visitor.words, *one)));
        frame
    }
}

/// The redirect to a page that says what was done, see [`done`].
pub(super) fn saved(path: &str, done: &str) -> Response {
    Redirect::to(&format!("{path}?done={done}")).into_response()
}

/// Tells a user about the logins before this one.
pub(super) fn logins_before(visitor: &Visitor, known: &Known) -> Notice {
    let (w, session) = (visitor.words, &known.session);
    let Some(before) = session.login_before else { return Notice::good(w.first_login) };
    let address = session.address_before.as_deref().unwrap_or("-");
    let text = format!("{} {}, {} {address}.", w.last_login, clock::readable(before), w.from_address);
    match session.failed_before {
        0 => Notice::good(&text),
        failed => Notice { kind: "warn", ..Notice::good(&format!("{text} {} {failed}", w.failed_since)) },
    }
}

/// The notice of success, after a form has redirected to this page. The query of the address names what was done.
pub(super) fn done(w: &'static Words, fields: &fields::Fields) -> Option<Notice> {
    let text = match fields.text("done") {
        "saved" => w.saved,
        "added" => w.done_added,
        "removed" => w.done_removed,
        "reverted" => w.done_reverted,
        "kept" => w.done_kept,
        "drained" => w.drained,
        "undrained" => w.undrained,
        "ordered" => w.done_ordered,
        "fetching" => w.done_fetching,
        "imported" => w.done_imported,
        _ => return None,
    };
    Some(Notice::good(text))
}

/// A time in UTC, as tables show it.
pub(super) fn time(seconds: i64) -> String {
    clock::rfc3339(seconds).replace('T', " ")
}

/// The word for a role.
pub(super) fn role_word(words: &'static Words, role: Role) -> &'static str {
    match role {
        Role::Administrator => words.administrator,
        Role::Operator => words.operator,
        Role::Auditor => words.auditor,
    }
}

/// The response with a page.
pub(super) fn html(page: &impl Template) -> Result<Response, Fault> {
    Ok(Html(page.render().map_err(|_| Fault::Inner)?).into_response())
}

/// The reason why a request gets an error page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no such page.
    None,
    /// The user needs another role.
    Role,
    /// The form was rejected.
    Form,
    /// The form is too large, or did not arrive in time.
    TooLarge,
    /// The same for a form with a CRL.
    CrlTooLarge,
    /// The host name in the request is not ours.
    Host,
    /// The address of the visitor is not allowed.
    Network,
    /// There were too many bad logins.
    TooMany,
    /// Too many users are logging in at the same moment.
    Busy,
    /// The database did not answer in time.
    Late,
    /// An internal error, which is logged already.
    Inner,
    /// Nobody is logged in.
    SignedOut,
}

impl Fault {
    fn parts(self, words: &'static Words) -> (StatusCode, &'static str) {
        match self {
            Self::None => (StatusCode::NOT_FOUND, words.fault_none),
            Self::Role => (StatusCode::FORBIDDEN, words.fault_role),
            Self::Form => (StatusCode::FORBIDDEN, words.fault_form),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, words.fault_large),
            Self::CrlTooLarge => (StatusCode::PAYLOAD_TOO_LARGE, words.fault_crl_large),
            Self::Host => (StatusCode::MISDIRECTED_REQUEST, words.fault_host),
            Self::Network => (StatusCode::FORBIDDEN, words.fault_network),
            Self::TooMany => (StatusCode::TOO_MANY_REQUESTS, words.fault_many),
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, words.fault_busy),
            Self::Late => (StatusCode::SERVICE_UNAVAILABLE, words.fault_late),
            Self::Inner => (StatusCode::INTERNAL_SERVER_ERROR, words.fault_inner),
            Self::SignedOut => (StatusCode::UNAUTHORIZED, words.fault_signed_out),
        }
    }
}

impl IntoResponse for Fault {
    /// Only marks the response. `gate` makes the page of it, because `gate` knows the language of the visitor.
    fn into_response(self) -> Response {
        let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        log::error!("panel_failed cause={}", escape(&on_one_line(&error)));
        Self::Late
    }
}

impl From<PkiError> for Fault {
    fn from(error: PkiError) -> Self {
        log::error!("panel_failed cause={}", escape(&on_one_line(&error)));
        Self::Inner
    }
}

impl From<ChangeError> for Fault {
    fn from(error: ChangeError) -> Self {
        log::error!("panel_failed cause={}", escape(&on_one_line(&error)));
        Self::Inner
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message {
    f: Frame,
    text: &'static str,
}

/// The page for a fault.
pub(super) fn of_fault(fault: Fault, words: &'static Words, visitor: Option<(&Visitor, &Known)>) -> Response {
    let (status, text) = fault.parts(words);
    let f = match visitor {
        Some((visitor, known)) => Frame::for_user(visitor, known, words.fault),
        None => Frame::new(words, words.fault),
    };
    let body = Message { f, text }.render().unwrap_or_else(|_| text.to_owned());
    (status, Html(body)).into_response()
}

/// Replaces a response that is marked with a fault by the page for that fault.
pub(super) fn with_fault(response: Response, visitor: &Visitor) -> Response {
    match response.extensions().get::<Fault>() {
        Some(fault) => {
            let known = visitor.known.as_ref().map(|known| (visitor, Arc::as_ref(known)));
            of_fault(*fault, visitor.words, known)
        }
        None => response,
    }
}

/// Answers requests for a page that does not exist.
pub(super) async fn none() -> Fault {
    Fault::None
}

/// A page that makes the browser request the same address again at once.
pub(super) fn again(visitor: &Visitor) -> Response {
    let at = visitor.at.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    let language = visitor.words.language;
    let title = visitor.words.product;
    let body = format!(
        "<!doctype html><html lang=\"{language}\"><title>{title}</title>\
         <meta http-equiv=\"refresh\" content=\"0;url={at}\">"
    );
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], body).into_response()
}

/// The name of this site, as apps and pages show it.
pub(super) fn site(panel_url: &str) -> String {
    let authority = super::host::authority_of(panel_url);
    super::host::of_authority(authority).replace(':', ".")
}

impl Panel {
    /// Writes something that is not an act, such as a preference or a login.
    pub(super) async fn note<T>(
        &self,
        work: impl AsyncFnOnce(&mut sqlx::AnyConnection) -> Result<T, DbError>,
    ) -> Result<T, Fault> {
        let mut batch = self.app.db.batch().await?;
        let done = work(&mut batch).await?;
        batch.commit().await?;
        Ok(done)
    }
}
