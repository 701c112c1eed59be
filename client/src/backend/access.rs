//! Where the backend is, and the secrets that open it. A plain value: the command line gives it, the API worker uses
//! it.

use common::secret::Secret;

/// Where the backend is, and what opens it.
#[derive(Debug)]
pub(crate) struct Access {
    /// The URL to POST to (`-U`), user and password taken out of it.
    pub(crate) url: String,
    /// `user:password` from it, percent-decoded.
    pub(crate) credentials: Option<Secret>,
    /// `-T`: `<secret>.<SHA-256 of the backend's CA, 64 hex digits>`, or any other text.
    pub(crate) token: Secret,
}
