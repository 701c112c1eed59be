//! Requests to running daemons that are to be carried out at once: which client has to do it, and when a test of a
//! partner is allowed. The requests only start the work; their author has to check the result.

use super::{Act, ChangeError, Obstacle, rules};
use crate::db::DbError;
use crate::store::acts::{self, LIFE};
use crate::store::sessions::{ORPHANED_AFTER, Open};
use crate::store::{configuration, journal, partner_tests, proxies, states};
use common::config::{Limits, Partner};
use common::rpc::ActKind;
use common::text::clock;
use serde_json::json;

/// Seconds within which a client has to accept a test. A client that is joined accepts it at once.
const TO_TAKE: u64 = 10;
/// Seconds that a test may last beyond the limits of its steps: for the pair of connections, and for the way there
/// and back.
const MARGIN: u64 = 30;
/// Most tests within a minute.
const MOST: usize = 10;
const MINUTE: i64 = 60;

/// An act that was requested from one client.
pub(crate) struct Ordered {
    pub(crate) number: i64,
    pub(crate) caller: String,
    /// The version of the client, worded so that it can follow the client's name; empty if unknown.
    pub(crate) version: String,
    pub(crate) kind: ActKind,
}

/// The clients that have called recently.
async fn clients(act: &mut Act) -> Result<Vec<String>, DbError> {
    journal::callers(act, clock::now() - ORPHANED_AFTER).await
}

/// The refusal if no client has called recently.
async fn no_client(act: &mut Act) -> Result<ChangeError, DbError> {
    Ok(Obstacle::NoClient(journal::last_call(act).await?).into())
}

/// Requests this from a client.
async fn order(act: &mut Act, caller: String, kind: ActKind) -> Result<Ordered, DbError> {
    let administrator = act.author().actor.clone();
    let number = acts::add(act, &caller, &kind, &administrator).await?;
    let states = states::all(act).await?;
    let told = states.iter().find(|told| told.daemon == "client" && told.name == caller);
    let version = told.and_then(|told| Some(format!(", of version {},", told.state.as_ref()?.version)));
    Ok(Ordered { number, caller, version: version.unwrap_or_default(), kind })
}

/// Requests the end of a session from the client that has reported it; from all clients if that one has not called
/// recently.
pub(crate) async fn order_end(act: &mut Act, session: &Open) -> Result<Vec<Ordered>, ChangeError> {
    let Open { id, partner, caller, .. } = session;
    let mut clients = clients(act).await?;
    if clients.contains(caller) {
        clients = vec![caller.clone()];
    }
    if clients.is_empty() {
        return Err(no_client(act).await?);
    }
    let mut ordered = Vec::new();
    for client in clients {
        ordered.push(order(act, client, ActKind::EndSession { session: id.clone() }).await?);
    }
    act.note(format!("session {id}"), json!({"partner": partner, "end": "ordered"}));
    Ok(ordered)
}

/// Requests a test of this partner from the client that is best suited for it. Also returns how long it may last.
pub(crate) async fn order_test(act: &mut Act, name: &str) -> Result<(Ordered, Patience), ChangeError> {
    check_test(&rules::need_partner(act, name).await?)?;
    let patience = patience(&configuration::values(act).await?.limits());
    let kind = ActKind::TestPartner { partner: name.to_owned() };
    check_rate(act, &kind, patience).await?;
    let client = choose(act, &kind, name).await?;
    let ordered = order(act, client, kind).await?;
    act.note(format!("partner {name}"), json!({"test": "ordered"}));
    Ok((ordered, patience))
}

/// How long a client may take, seconds.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    /// To accept the act.
    pub(crate) to_take: u64,
    /// To report the result, once the act is accepted.
    pub(crate) to_do: u64,
}

impl Patience {
    /// For acts that are done at once when they are accepted.
    pub(crate) const SHORT: Self = Self { to_take: LIFE.unsigned_abs(), to_do: 0 };
}

/// Refuses a test of a partner that cannot be called.
pub(crate) fn check_test(partner: &Partner) -> Result<(), ChangeError> {
    let name = || partner.short_name.clone();
    if !partner.enabled {
        return Err(Obstacle::PartnerDisabled(name()).into());
    }
    if partner.host.is_none() {
        return Err(Obstacle::PartnerWithoutHost(name()).into());
    }
    Ok(())
}

/// The sum of the times that the server allows for each step.
fn patience(limits: &Limits) -> Patience {
    let steps = 2 * u64::from(limits.handshake_seconds) + u64::from(limits.ssid_seconds);
    Patience { to_take: TO_TAKE, to_do: steps + MARGIN }
}

async fn check_rate(act: &mut Act, kind: &ActKind, patience: Patience) -> Result<(), ChangeError> {
    let now = clock::now();
    let before = |seconds: u64| now.saturating_sub_unsigned(seconds);
    let open = (before(patience.to_take), before(patience.to_take + patience.to_do));
    if partner_tests::is_open(act, kind, open).await? {
        return Err(Obstacle::PartnerInTest.into());
    }
    let last = partner_tests::since(act, now - MINUTE).await?;
    match last.len().checked_sub(MOST).and_then(|first| last.get(first)) {
        Some(first) => Err(Obstacle::ManyTests { most: MOST, seconds: first + MINUTE + 1 - now }.into()),
        None => Ok(()),
    }
}

/// Chooses a client: first one whose listener leads to the partner, then one that accepts proxy requests, then the
/// one that has called last. A client that is waiting for such acts precedes all others.
async fn choose(act: &mut Act, kind: &ActKind, partner: &str) -> Result<String, ChangeError> {
    let callers = clients(act).await?;
    let listeners = proxies::clients(act).await?;
    let mut best: Option<(_, String)> = None;
    for caller in callers {
        let own = || listeners.iter().filter(|listener| listener.address.is_key(&caller));
        let is_tied = own().any(|listener| listener.partner.as_deref() == Some(partner));
        let is_open = own().any(|listener| listener.partner.is_none());
        let waits = acts::takes(act, &caller, kind.word(), clock::now() - MINUTE).await?;
        let rank = (waits == Some(true), is_tied, is_open);
        if best.as_ref().is_none_or(|(other, _)| rank > *other) {
            best = Some((rank, caller));
        }
    }
    match best {
        Some((_, caller)) => Ok(caller),
        None => Err(no_client(act).await?),
    }
}

#[cfg(test)]
mod tests {
    use super::patience;
    use common::config::Limits;

    #[test]
    fn the_longest_test_has_a_bound() {
        let limits = Limits { handshake_seconds: 8, ssid_seconds: 4, ..Limits::default() };
        assert_eq!(patience(&limits).to_do, 2 * 8 + 4 + 30);
    }
}
