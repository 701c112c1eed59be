//! The sender of a request, and what its key allows.

use super::refusal::Refusal;
use crate::change::Right;
use crate::settings::Values;
use crate::store::api_keys::{ApiKey, Scope};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use std::net::IpAddr;
use std::sync::Arc;

/// The sender of a request.
#[derive(Clone)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    /// Its key, which works; none: the request has no key.
    pub(super) key: Option<Arc<ApiKey>>,
    pub(super) values: Arc<Values>,
}

/// A program whose key works.
pub(super) struct Caller {
    pub(super) key: Arc<ApiKey>,
    pub(super) address: IpAddr,
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Refusal::no_key)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Visitor::from_request_parts(parts, state).await?.caller()
    }
}

impl Visitor {
    /// The program, or the refusal of a request without a key.
    pub(super) fn caller(&self) -> Result<Caller, Refusal> {
        let key = self.key.as_ref().map(Arc::clone).ok_or_else(Refusal::no_key)?;
        Ok(Caller { key, address: self.address })
    }
}

impl Caller {
    /// Refuses a key that does not have this scope, or whose role does not have this right.
    pub(super) fn may(&self, scope: Scope, right: Right) -> Result<(), Refusal> {
        self.need(scope)?;
        if right.is_of(self.key.role) { Ok(()) } else { Err(self.of_role()) }
    }

    /// Refuses a key that cannot read the audit.
    pub(super) fn need_audit(&self) -> Result<(), Refusal> {
        self.need(Scope::Read)?;
        if self.key.role.sees_audit() { Ok(()) } else { Err(self.of_role()) }
    }

    fn of_role(&self) -> Refusal {
        let error = format!(
            "the role of the key '{}' is {}, which may not do that",
            self.key.name,
            self.key.role.word()
        );
        Refusal::forbidden(error, "make another key, with a role that may")
    }

    /// Refuses a key that does not have this scope.
    pub(super) fn need(&self, scope: Scope) -> Result<(), Refusal> {
        if self.key.scopes.contains(&scope) {
            return Ok(());
        }
        let error = format!("the key '{}' does not have the scope '{}'", self.key.name, scope.word());
        Err(Refusal::forbidden(error, "make another key, with this scope"))
    }
}
