//! Why a call is refused: status, code and sentence, as `os4xapi-protocol.5` lists them. Faults of the API itself, such
//! as a database out of reach or a key that does not parse, go to the log and never to the caller.

use crate::db::DbError;
use crate::error_text::on_one_line;
use crate::pki::PkiError;
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use common::rpc::ApiError;
use common::text::escape::escape;
use serde::Serialize;

/// A refused call.
#[derive(Debug)]
pub(super) enum CallRefusal {
    /// No JSON, or a value that the function does not take; which one.
    BadRequest(String),
    /// The token is not the right one.
    BadToken,
    /// Only others may call this; why.
    Forbidden(String),
    /// No such path.
    NoPage,
    /// No such function.
    UnknownFunction,
    /// Not POST.
    Method,
    /// The body did not arrive in time.
    Slow,
    /// The body is too large.
    TooLarge,
    /// Too many bad tokens.
    TooMany,
    /// The operator has to set something first; what.
    NotConfigured(String),
    /// A fault of the API, which was logged already.
    Internal,
}

#[derive(Serialize)]
struct Body {
    ok: bool,
    error: ApiError,
}

impl CallRefusal {
    /// The word for it in answers and in the log.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::BadRequest(_) => "bad-request",
            Self::BadToken => "bad-token",
            Self::Forbidden(_) => "forbidden",
            Self::NoPage => "unknown-path",
            Self::UnknownFunction => "unknown-function",
            Self::Method => "bad-method",
            Self::Slow => "too-slow",
            Self::TooLarge => "too-large",
            Self::TooMany => "too-many",
            Self::NotConfigured(_) => "not-configured",
            Self::Internal => "internal",
        }
    }

    /// Its status, and the sentence for people.
    fn parts(self) -> (StatusCode, String) {
        let (status, fixed) = match self {
            Self::BadRequest(why) => return (StatusCode::BAD_REQUEST, why),
            Self::Forbidden(why) => return (StatusCode::FORBIDDEN, why),
            Self::NotConfigured(what) => return (StatusCode::SERVICE_UNAVAILABLE, what),
            Self::BadToken => (StatusCode::UNAUTHORIZED, "The token is not the one of this API."),
            Self::NoPage => (StatusCode::NOT_FOUND, "The API is at another path."),
            Self::UnknownFunction => (StatusCode::NOT_FOUND, "This API has no such function."),
            Self::Method => (StatusCode::METHOD_NOT_ALLOWED, "The API takes POST only."),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is larger than 1 MiB."),
            Self::TooMany => (
                StatusCode::TOO_MANY_REQUESTS,
                "There were too many bad calls from this address: wait a minute.",
            ),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "The API failed; its log says why."),
        };
        (status, fixed.to_owned())
    }
}

impl IntoResponse for CallRefusal {
    fn into_response(self) -> Response {
        let code = self.code();
        let (status, message) = self.parts();
        let body = Body { ok: false, error: ApiError { code: code.to_owned(), message } };
        let mut response = (status, Json(body)).into_response();
        if status == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        }
        response
    }
}

impl From<DbError> for CallRefusal {
    fn from(error: DbError) -> Self {
        log::error!("call_failed cause={}", escape(&on_one_line(&error)));
        Self::Internal
    }
}

impl From<PkiError> for CallRefusal {
    fn from(error: PkiError) -> Self {
        match error {
            PkiError::Key(why) => Self::BadRequest(format!("The public key is not certified: {why}.")),
            other => {
                log::error!("call_failed cause={}", escape(&on_one_line(&other)));
                Self::Internal
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::CallRefusal;

    #[test]
    fn the_man_page_has_every_error_and_no_other() {
        let text = String::new;
        let all = [
            CallRefusal::BadRequest(text()),
            CallRefusal::BadToken,
            CallRefusal::Forbidden(text()),
            CallRefusal::NoPage,
            CallRefusal::UnknownFunction,
            CallRefusal::Method,
            CallRefusal::Slow,
            CallRefusal::TooLarge,
            CallRefusal::TooMany,
            CallRefusal::Internal,
            CallRefusal::NotConfigured(text()),
        ];
        let expected: Vec<String> = all
            .into_iter()
            .map(|refusal| {
                let code = refusal.code();
                format!(".It {} Ta Li {code} Ta ", refusal.parts().0.as_u16())
            })
            .collect();
        let page = crate::man::read("os4xapi-protocol.5");
        let (_, page, _) = crate::man::split(&page, "errors");
        let lines: Vec<&str> = page.lines().collect();
        assert_eq!(lines.len(), expected.len());
        for (line, start) in lines.iter().zip(&expected) {
            assert!(line.starts_with(start), "{line}: {start}");
        }
    }
}
