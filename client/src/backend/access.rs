//! The addresses of the backend and the secrets for it. A plain value: it comes from the command line, and the API
//! worker uses it.

use crate::backend_url::BackendUrl;
use common::secret::Secret;

/// The addresses of the backend and the secrets for it.
#[derive(Debug)]
pub(crate) struct Access {
    /// `-U`: at least one, in the order in which they are tried.
    pub(crate) backends: Vec<BackendUrl>,
    /// The name by which the backend knows this client; none: its host and folder.
    pub(crate) name: Option<String>,
    /// `-T`: `<secret>.<SHA-256 of the backend's CA, 64 hex digits>`, or any other text.
    pub(crate) token: Secret,
}
