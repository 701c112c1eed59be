//! The address of the backend and the secrets for it. A plain value: it comes from the command line, and the API worker
//! uses it.

use common::secret::Secret;

/// The address of the backend and the secrets for it.
#[derive(Debug)]
pub(crate) struct Access {
    /// The URL to POST to (`-U`), without user and password.
    pub(crate) url: String,
    /// `user:password` from the URL, percent-decoded.
    pub(crate) credentials: Option<Secret>,
    /// `-T`: `<secret>.<SHA-256 of the backend's CA, 64 hex digits>`, or any other text.
    pub(crate) token: Secret,
}
