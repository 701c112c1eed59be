//! Why a call is refused: status, code and sentence, as `os4xapi-protocol.5` lists them. What is wrong inside goes to the
//! log, never to the caller.

use super::with_causes;
use crate::db::DbError;
use crate::pki::PkiError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::log::escape;
use common::rpc::ApiError;
use serde::Serialize;

/// A refused call.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No JSON, or not what the function takes; what is wrong.
    BadRequest(String),
    /// The token is not the right one.
    BadToken,
    /// Allowed to others only; why.
    Forbidden(String),
    /// No such path.
    NoPage,
    /// No such function.
    UnknownFunction,
    /// Not POST.
    Method,
    /// The body does not arrive.
    Slow,
    /// The body is too large.
    TooLarge,
    /// Too many bad tokens.
    TooMany,
    /// The operator has something to do first; what.
    NotConfigured(String),
    /// A fault of ours, logged already.
    Internal,
}

#[derive(Serialize)]
struct Body {
    ok: bool,
    error: ApiError,
}

impl Refusal {
    fn parts(self) -> (StatusCode, &'static str, String) {
        let fixed = |status, code, text: &str| (status, code, text.to_owned());
        match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, "bad-request", why),
            Self::BadToken => {
                fixed(StatusCode::UNAUTHORIZED, "bad-token", "The token is not the one of this API.")
            }
            Self::Forbidden(why) => (StatusCode::FORBIDDEN, "forbidden", why),
            Self::NoPage => fixed(StatusCode::NOT_FOUND, "unknown-path", "The API is at another path."),
            Self::UnknownFunction => {
                fixed(StatusCode::NOT_FOUND, "unknown-function", "This API has no such function.")
            }
            Self::Method => fixed(StatusCode::METHOD_NOT_ALLOWED, "bad-method", "The API takes POST only."),
            Self::Slow => fixed(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body did not arrive in time."),
            Self::TooLarge => {
                fixed(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "The body is larger than 1 MiB.")
            }
            Self::TooMany => fixed(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many",
                "There were too many bad tokens from this address: wait a minute.",
            ),
            Self::NotConfigured(what) => (StatusCode::SERVICE_UNAVAILABLE, "not-configured", what),
            Self::Internal => {
                fixed(StatusCode::INTERNAL_SERVER_ERROR, "internal", "The API failed; its log says why.")
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, message) = self.parts();
        let body = Body { ok: false, error: ApiError { code: code.to_owned(), message } };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl From<DbError> for Refusal {
    fn from(error: DbError) -> Self {
        log::error!("call-failed cause={}", escape(&with_causes(&error)));
        Self::Internal
    }
}

impl From<PkiError> for Refusal {
    fn from(error: PkiError) -> Self {
        match error {
            PkiError::Key(why) => Self::BadRequest(format!("The public key is not certified: {why}.")),
            other => {
                log::error!("call-failed cause={}", escape(&with_causes(&other)));
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn the_man_page_has_every_error_and_no_other() {
        let text = String::new;
        let all = [
            Refusal::BadRequest(text()),
            Refusal::BadToken,
            Refusal::Forbidden(text()),
            Refusal::NoPage,
            Refusal::UnknownFunction,
            Refusal::Method,
            Refusal::Slow,
            Refusal::TooLarge,
            Refusal::TooMany,
            Refusal::Internal,
            Refusal::NotConfigured(text()),
        ];
        let expected: Vec<String> = all
            .into_iter()
            .map(|refusal| {
                let (status, code, _) = refusal.parts();
                format!(".It {} Ta Li {code} Ta ", status.as_u16())
            })
            .collect();
        let page = crate::man::part(&crate::man::page("os4xapi-protocol.5"), "errors");
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), expected.len());
        for (line, start) in lines.iter().zip(&expected) {
            assert!(line.starts_with(start), "{line}: {start}");
        }
    }
}
