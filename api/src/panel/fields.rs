//! The fields of a form or of the address of a page: names and texts, read by name. The size of a form is limited. The
//! form of a user who is logged in must contain the token of the session, otherwise it is rejected: another site cannot
//! know the token, so it cannot send forms for the user.

use super::Panel;
use super::gate::Visitor;
use super::page::Fault;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use std::sync::Arc;
use std::time::Duration;
use tokio::time;

/// The size of the largest form, in octets.
const LARGEST: usize = 64 << 10;
/// How long a form may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(20);

/// The name of the field that contains the token of the session.
pub(super) const TOKEN: &str = "form_token";

/// Names and texts.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    pub(super) fn parse(octets: &[u8]) -> Self {
        Self(form_urlencoded::parse(octets).into_owned().collect())
    }

    /// Makes fields from names and texts.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// The text of a field, without blanks around it; empty if there is no such field.
    pub(super) fn text(&self, name: &str) -> &str {
        self.exact(name).trim()
    }

    /// The text of a field with the blanks around it, which may belong to a password; empty if there is no such field.
    pub(super) fn exact(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, text)| text.as_str())
    }

    /// The texts of all fields of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, text)| text.as_str()).collect()
    }

    /// Whether there is such a field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }

    /// All fields except those with these names.
    pub(super) fn without(&self, names: &[&str]) -> Vec<(String, String)> {
        self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect()
    }

    /// The fields as the query of an address, with another value for one of them. Empty fields are left out.
    pub(super) fn with(&self, name: &str, value: &str) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (known, text) in self.0.iter().filter(|(known, text)| known != name && !text.is_empty()) {
            query.append_pair(known, text);
        }
        if !value.is_empty() {
            query.append_pair(name, value);
        }
        query.finish()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Fields {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

/// A form from a user who is logged in; its token was checked.
pub(super) struct Form(pub(super) Fields);

/// A form that does not require a login.
pub(super) struct OpenForm(pub(super) Fields);

impl FromRequest<Arc<Panel>> for Form {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Panel>) -> Result<Self, Fault> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Fault::Form)?;
        let fields = read(request.into_body()).await?;
        match &visitor.known {
            Some(known) if known.is_token(fields.text(TOKEN)) => Ok(Self(fields)),
            _ => Err(Fault::Form),
        }
    }
}

impl FromRequest<Arc<Panel>> for OpenForm {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Panel>) -> Result<Self, Fault> {
        Ok(Self(read(request.into_body()).await?))
    }
}

async fn read(body: Body) -> Result<Fields, Fault> {
    let octets = time::timeout(ARRIVAL, to_bytes(body, LARGEST)).await;
    Ok(Fields::parse(&octets.ok().and_then(Result::ok).ok_or(Fault::Form)?))
}

#[cfg(test)]
mod tests {
    use super::Fields;

    #[test]
    fn fields_are_read_by_name() {
        let fields = Fields::parse(b"a=1%202&b=+x+&c=&a=3");
        assert_eq!((fields.text("a"), fields.text("b"), fields.exact("b")), ("1 2", "x", " x "));
        assert_eq!((fields.text("c"), fields.text("d")), ("", ""));
        assert_eq!(fields.with("b", "y&z"), "a=1+2&a=3&b=y%26z");
        assert_eq!(fields.with("a", ""), "b=+x+");
    }
}
