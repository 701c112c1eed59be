//! The body of a request: a document in JSON, of limited size.

use super::refusal::Refusal;
use crate::pki::read;
use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use openssl::x509::X509;
use serde::de::DeserializeOwned;
use std::path::Path;
use zeroize::Zeroizing;

/// Largest body, octets.
const LARGEST: usize = 1 << 20;

/// The document.
pub(super) struct Document<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Document<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let octets = to_bytes(request.into_body(), LARGEST).await.map_err(|_| {
            let error = "the body did not arrive whole, or is larger than 1 MiB";
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error, "send a smaller document")
        })?;
        let document = serde_json::from_slice(&octets).map_err(|why| {
            let remedy = "send the document that /api/v1/openapi.json describes, as application/json";
            Refusal::new(StatusCode::BAD_REQUEST, format!("the body is not the document: {why}"), remedy)
        })?;
        Ok(Self(document))
    }
}

/// The certificates in a member of the document.
pub(super) fn certificates(pem: &str) -> Result<Vec<X509>, Refusal> {
    const MEMBER: &str = "pem";
    let octets = Zeroizing::new(pem.as_bytes().to_vec());
    read::certificates_in(Path::new(MEMBER), octets, None).map_err(|why| Refusal::from(why).of_field(MEMBER))
}
