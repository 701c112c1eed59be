//! Issues the licence of a server: its certificate on the control connection. Needs only the Proxy ID, and keeps no
//! copy: the audit has the holder, the end and the fingerprint.

use super::{Act, ChangeError};
use crate::pki::ca::Ca;
use crate::pki::facts::Facts;
use crate::store::certificates::{self, Usage};
use crate::store::proxies;
use common::identity::ProxyId;
use serde_json::json;

/// The holder if none is given.
pub(crate) const HOLDER: &str = "OS4X SmartProxy";
/// The validity if none is given, days.
pub(crate) const DAYS: u32 = 365;
/// The allowed validity, days.
pub(crate) const VALIDITY: std::ops::RangeInclusive<u32> = 1..=3_650;

/// A licence to issue.
pub(crate) struct Wanted<'a> {
    pub(crate) id: &'a ProxyId,
    pub(crate) holder: &'a str,
    pub(crate) days: u32,
    /// Whether the server is also listed, if it is not; its name is then the holder.
    pub(crate) lists: bool,
}

/// Issues it; gives the licence in PEM, which is no secret.
pub(crate) async fn issue(act: &mut Act, wanted: &Wanted<'_>) -> Result<String, ChangeError> {
    let Wanted { id, holder, days, lists } = *wanted;
    let ca = certificates::need(act, Usage::Ca).await?;
    let licence = Ca::from_pem(&ca.certificate, &ca.key)?.licence(id, holder, days)?;
    if lists {
        proxies::add(act, id, holder).await?;
    }
    let facts = Facts::of_pem(&licence)?;
    let note = json!({"holder": holder, "until": facts.until, "sha256": facts.fingerprint});
    act.note(format!("licence {id}"), note);
    Ok(licence)
}
