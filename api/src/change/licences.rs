//! Issues the licence of a server: its certificate on the control connection. Needs only the Proxy ID, because the
//! private key of the server never leaves its host. A licence has no secret.

use super::{Act, ChangeError};
use crate::pki::ca::Ca;
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use crate::store::proxies;
use common::identity::ProxyId;
use serde_json::json;

/// Validity of a licence unless its author chooses another, in days.
pub(crate) const DAYS: u32 = 365;
/// The longest validity, in days.
pub(crate) const LONGEST: u32 = 3_650;
/// The holder of a licence unless its author names one.
pub(crate) const HOLDER: &str = "OS4X SmartProxy";

/// What a licence is issued for.
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a ProxyId,
    pub(crate) holder: &'a str,
    /// Validity in days, 1 to [`LONGEST`].
    pub(crate) days: u32,
    /// Whether the server is also listed.
    pub(crate) is_listed: bool,
}

/// Issues a licence, and records it; gives it in PEM.
pub(crate) async fn issue(act: &mut Act, wanted: &Wanted<'_>) -> Result<String, ChangeError> {
    let Wanted { id, holder, days, is_listed } = wanted;
    let ca = certificates::need(act, Usage::Ca).await?;
    let licence = Ca::from_pem(&ca.certificate, &ca.key)?.licence(id, holder, *days)?;
    if *is_listed {
        proxies::add(act, id, holder).await?;
    }
    let facts = Facts::of_pem(&licence)?;
    act.note(
        format!("licence {id}"),
        json!({"holder": holder, "until": facts.until, "sha256": facts.fingerprint, "pem": licence}),
    );
    Ok(licence)
}
