//! Everything that expires: certificates, CRLs, licences, and entries with an end that an operator has set. Reads the
//! database; gives for each what to do about it. `calendar` makes a calendar of it.

pub(crate) mod calendar;

use crate::db::DbError;
use crate::pki::facts::{Facts, SOON};
use crate::store::audit::{self, Filter};
use crate::store::certificates::{self, Usage};
use crate::store::{api_keys, bans, crls, ignores, old_tokens, partners, proxies};
use common::config::Trusted;
use common::text::clock::DAY;
use openssl::x509::X509;
use serde::Serialize;
use serde_json::Value;
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// Something that expires.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct End {
    /// Its kind, in words.
    pub(crate) what: &'static str,
    /// Its owner, or its name.
    pub(crate) name: String,
    /// Seconds since 1970-01-01 UTC; none: it cannot be read.
    pub(crate) ends: Option<i64>,
    /// There is nothing to do.
    pub(crate) by_itself: bool,
    /// What to do, or what happens.
    pub(crate) renewal: String,
}

/// Something that expires, seen at a given time.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    #[serde(flatten)]
    pub(crate) end: End,
    /// Days that are left.
    pub(crate) days: Option<i64>,
    /// `good`, `soon`, `ended`, or `unreadable`.
    pub(crate) state: &'static str,
}

impl Listed {
    /// Seen from now.
    pub(crate) fn of(end: End, now: i64) -> Self {
        let days = end.ends.map(|ends| (ends - now).div_euclid(DAY));
        Self { end, days, state: days.map_or("unreadable", state) }
    }
}

/// The word for this number of days until an end: `good`, `soon` or `ended`.
pub(crate) fn state(days: i64) -> &'static str {
    match days {
        ..0 => "ended",
        0..SOON => "soon",
        _ => "good",
    }
}

/// Everything that expires, the earliest date first.
pub(crate) async fn ends(connection: &mut AnyConnection) -> Result<Vec<End>, DbError> {
    let mut all = Vec::new();
    add_own(connection, &mut all).await?;
    add_partners(connection, &mut all).await?;
    add_licences(connection, &mut all).await?;
    add_given(connection, &mut all).await?;
    all.sort_by(|one, other| (one.ends, &one.name).cmp(&(other.ends, &other.name)));
    Ok(all)
}

/// Something that an operator has to renew.
fn renewed(what: &'static str, name: String, ends: Option<i64>, renewal: &str) -> End {
    End { what, name, ends, by_itself: false, renewal: renewal.to_owned() }
}

/// Something for which there is nothing to do.
fn by_itself(what: &'static str, name: String, ends: Option<i64>, renewal: &str) -> End {
    End { what, name, ends, by_itself: true, renewal: renewal.to_owned() }
}

fn end_of(pem: &str) -> Option<i64> {
    Facts::of_pem(pem).ok().map(|facts| facts.until)
}

/// How our certificate is renewed.
const NEXT: &str = "os4xapi cert csr, then cert next --chain FILE --from TIME";

/// Our certificates with their issuers.
async fn add_own(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    let ca = certificates::get(connection, Usage::Ca).await?;
    let ca = ca.and_then(|ca| Facts::of_pem(&ca.certificate).ok()).map(|ca| ca.subject);
    let has_next = certificates::get(connection, Usage::Next).await?.is_some();
    for usage in [Usage::Own, Usage::Next, Usage::Ca, Usage::Https] {
        let Some(issued) = certificates::get(connection, usage).await? else { continue };
        let chain = X509::stack_from_pem(issued.certificate.as_bytes()).unwrap_or_default();
        if chain.is_empty() {
            all.push(renewed(
                "certificate",
                usage.word().to_owned(),
                None,
                "it cannot be read: set it again",
            ));
        }
        for (position, certificate) in chain.iter().enumerate() {
            let Ok(facts) = Facts::of(certificate) else { continue };
            let (name, ends) = (facts.subject, Some(facts.until));
            all.push(match usage {
                Usage::Https if Some(&facts.issuer) == ca.as_ref() => {
                    by_itself("https certificate", name, ends, "'serve' renews it a month before")
                }
                Usage::Https => {
                    renewed("https certificate", name, ends, "os4xapi cert set https --chain FILE --key FILE")
                }
                Usage::Ca => renewed(
                    "own CA",
                    name,
                    ends,
                    "a new database: os4xapi init, then set up all clients again",
                ),
                Usage::Own | Usage::Next if position > 0 => {
                    renewed("issuer of our certificate", name, ends, "it comes with our next certificate")
                }
                Usage::Next => renewed("our next certificate", name, ends, NEXT),
                Usage::Own if has_next => by_itself("our certificate", name, ends, "the next one is there"),
                Usage::Own | Usage::Request => renewed("our certificate", name, ends, NEXT),
            });
        }
    }
    Ok(())
}

/// The certificates and CRLs that decide whether a partner is accepted.
async fn add_partners(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    for partner in partners::all(connection).await? {
        for pin in &partner.pins {
            let name = format!("{}: {}", partner.short_name, pin.name);
            let renewal = format!("os4xapi partner set {} --pin CURRENT --pin NEXT", partner.short_name);
            all.push(renewed("pin", name, end_of(&pin.pem), &renewal));
        }
    }
    for Trusted { certificate, .. } in certificates::trusted(connection).await? {
        let ends = end_of(&certificate.pem);
        all.push(renewed("trusted certificate", certificate.name, ends, "os4xapi trust add FILE"));
    }
    for crl in crls::heads(connection).await?.into_iter().filter(|crl| crl.next_update.is_some()) {
        all.push(match crl.source {
            Some(_) => by_itself("CRL", crl.name, crl.next_update, "'serve' downloads the next one"),
            None => renewed("CRL", crl.name, crl.next_update, "os4xapi crl add FILE"),
        });
    }
    Ok(())
}

/// The newest licence of each server that is listed, from the audit.
async fn add_licences(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    let filter = Filter { act: "licence issue".to_owned(), ..Filter::default() };
    let mut newest = BTreeMap::new();
    for row in audit::list(connection, &filter, u32::MAX).await? {
        let new: BTreeMap<String, Value> = serde_json::from_str(&row.entry.new).unwrap_or_default();
        newest.extend(new.into_iter().filter_map(|(name, facts)| {
            Some((name.strip_prefix("licence ")?.to_owned(), facts["until"].as_i64()?))
        }));
    }
    for proxy in proxies::all(connection).await? {
        let id = proxy.id.to_string();
        if let Some(until) = newest.get(&id) {
            let name = if proxy.name.is_empty() { id.clone() } else { format!("{} ({id})", proxy.name) };
            all.push(renewed("licence", name, Some(*until), &format!("os4xapi licence issue {id} -o FILE")));
        }
    }
    Ok(())
}

/// Entries with an end that an operator has set.
async fn add_given(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    for ban in bans::all(connection).await?.into_iter().filter(|ban| ban.until.is_some()) {
        all.push(by_itself("ban", ban.network, ban.until, "it is let in again"));
    }
    for ignore in ignores::all(connection).await? {
        let name = format!("{} {}", ignore.id, ignore.text);
        all.push(by_itself("ignored text", name, Some(ignore.valid_until), "it is reported again"));
    }
    for key in api_keys::all(connection).await? {
        let renewal =
            format!("os4xapi key remove {}, then key add, and give the new key to its program", key.name);
        all.push(renewed("API key", key.name, Some(key.until), &renewal));
    }
    let now = common::text::clock::now();
    for (hash, until) in old_tokens::all(connection).await?.into_iter().filter(|(_, until)| *until > now) {
        let name = hash.chars().take(16).collect();
        all.push(by_itself("old token", name, Some(until), "clients with it are refused"));
    }
    Ok(())
}
