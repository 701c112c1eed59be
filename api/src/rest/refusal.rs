//! Why a request of a program is refused: a status, and one document in JSON for all refusals. A fault of this service,
//! such as a database out of reach, goes to the log and never to the program.

use crate::change::ChangeError;
use crate::db::DbError;
use crate::error_text::on_one_line;
use crate::pki::PkiError;
use crate::settings::SettingError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::text::escape::escape;
use serde::Serialize;

/// A refused request.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    #[serde(skip)]
    status: StatusCode,
    /// What is wrong.
    error: String,
    /// The member of the request, or the field of its query, that is wrong; none: it is no single one.
    field: Option<String>,
    /// What to do about it.
    remedy: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: impl Into<String>, remedy: &str) -> Self {
        Self { status, error: error.into(), field: None, remedy: remedy.to_owned() }
    }

    /// Names the field that is wrong.
    pub(super) fn of_field(self, field: &str) -> Self {
        Self { field: Some(field.to_owned()), ..self }
    }

    /// The response; a refusal of the library, such as of a path that is not UTF-8, becomes a document like all others.
    pub(super) fn or_document(response: Response) -> Response {
        let status = response.status();
        let is_document =
            response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
        if !status.is_client_error() || is_document {
            return response;
        }
        let error = "the request cannot be read";
        Self::new(status, error, "/api/v1/openapi.json describes each path").into_response()
    }

    /// No key, a wrong one, or one that has ended.
    pub(super) fn unknown(error: impl Into<String>) -> Self {
        let remedy =
            "send 'Authorization: Bearer os4x_...' with a key that 'os4xapi key add' or the panel has made";
        Self::new(StatusCode::UNAUTHORIZED, error, remedy)
    }

    pub(super) fn no_key() -> Self {
        Self::unknown("the request has no key")
    }

    /// A key that does not allow this.
    pub(super) fn forbidden(error: impl Into<String>, remedy: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, error, remedy)
    }

    pub(super) fn too_many() -> Self {
        let error = "there were too many requests with wrong keys from this address";
        Self::new(StatusCode::TOO_MANY_REQUESTS, error, "wait a minute, and send a key that works")
    }

    pub(super) fn late() -> Self {
        let error = "the database does not answer";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error, "try again; the log of os4xapi has the reason")
    }

    pub(super) fn no_path() -> Self {
        let error = "there is no such path for programs";
        Self::new(StatusCode::NOT_FOUND, error, "/api/v1/openapi.json lists all paths")
    }

    pub(super) fn no_method() -> Self {
        let error = "this path does not have the method of the request";
        let remedy = "/api/v1/openapi.json lists the methods of each path";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, error, remedy)
    }

    /// An object that does not exist.
    pub(super) fn missing(kind: &str, name: &str, remedy: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {kind} '{name}'"), remedy)
    }

    /// A setting that does not take its value.
    pub(super) fn from_setting(error: &SettingError) -> Self {
        Self::told(StatusCode::UNPROCESSABLE_ENTITY, &error.to_string())
    }

    /// A message of a command: what is wrong, a colon, and the remedy.
    fn told(status: StatusCode, text: &str) -> Self {
        let (error, remedy) = text.rsplit_once(": ").unwrap_or((text, "correct it, and send it again"));
        Self::new(status, error, remedy)
    }

    /// A fault of this service, which is logged.
    pub(super) fn internal(cause: &dyn std::error::Error) -> Self {
        log::error!("api_failed cause={}", escape(&on_one_line(cause)));
        let error = "this service has failed";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error, "the log of os4xapi has the reason")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = (status, Json(self)).into_response();
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        log::error!("api_failed cause={}", escape(&on_one_line(&error)));
        Self::late()
    }
}

impl From<PkiError> for Refusal {
    fn from(error: PkiError) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string(), "send certificates in PEM")
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Db(error) => error.into(),
            ChangeError::Pki(error) => error.into(),
            ChangeError::Setting(error) => Self::from_setting(&error),
            ChangeError::Member { member, why } => {
                let remedy = "send a value as /api/v1/openapi.json describes it";
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, why, remedy).of_field(&member)
            }
            ChangeError::Stale { object, version, .. } => {
                let error = format!("'{object}' was changed by somebody else: its version is {version}");
                let remedy = "read it again, and send the change with If-Match and its new version";
                Self::new(StatusCode::PRECONDITION_FAILED, error, remedy)
            }
            ChangeError::PartnerExists(name) => {
                let remedy = format!("PATCH /api/v1/partners/{name} changes it");
                let error = format!("there is a partner '{name}' already");
                Self::new(StatusCode::CONFLICT, error, &remedy).of_field("short_name")
            }
            ChangeError::Needs(need) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, need.to_string(), "send what is missing")
            }
            other => Self::told(StatusCode::CONFLICT, &other.to_string()),
        }
    }
}
