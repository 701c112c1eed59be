//! Everything that expires: certificates, CRLs, licences, and entries with an end that an operator has set. Reads the
//! database; `ending` has what to do about each, `calendar` makes a calendar of it.

pub(crate) mod calendar;
mod ending;

use crate::db::DbError;
use crate::language::Language;
use crate::pki::facts::{Facts, SOON};
use crate::store::certificates::{self, Usage};
use crate::store::licences::{self, Licence};
use crate::store::{api_keys, bans, crls, ignores, old_tokens, partners, proxies};
use common::config::Trusted;
use common::text::clock::DAY;
pub(crate) use ending::Ending;
use openssl::x509::X509;
use serde::{Serialize, Serializer};
use sqlx::AnyConnection;

/// Something that expires.
#[derive(Debug, Clone)]
pub(crate) struct End {
    /// Its kind.
    pub(crate) ending: Ending,
    /// Its owner, or its name.
    pub(crate) name: String,
    /// Seconds since 1970-01-01 UTC; none: it cannot be read.
    pub(crate) ends: Option<i64>,
}

impl Serialize for End {
    /// In English, as the commands print it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown<'a> {
            what: String,
            name: &'a str,
            ends: Option<i64>,
            by_itself: bool,
            renewal: String,
        }
        let Self { ending, name, ends } = self;
        let (what, renewal) = (ending.what(Language::English), ending.renewal(Language::English));
        Shown { what, name, ends: *ends, by_itself: ending.by_itself(), renewal }.serialize(serializer)
    }
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

fn end_of(pem: &str) -> Option<i64> {
    Facts::of_pem(pem).ok().map(|facts| facts.until)
}

/// Our certificates with their issuers.
async fn add_own(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    let ca = certificates::get(connection, Usage::Ca).await?;
    let ca = ca.and_then(|ca| Facts::of_pem(&ca.certificate).ok()).map(|ca| ca.subject);
    let has_next = certificates::get(connection, Usage::Next).await?.is_some();
    for usage in [Usage::Own, Usage::Next, Usage::Ca, Usage::Https, Usage::Panel] {
        let Some(issued) = certificates::get(connection, usage).await? else { continue };
        let chain = X509::stack_from_pem(issued.certificate.as_bytes()).unwrap_or_default();
        if chain.is_empty() {
            all.push(End { ending: Ending::Unreadable, name: usage.word().to_owned(), ends: None });
        }
        for (position, certificate) in chain.iter().enumerate() {
            let Ok(facts) = Facts::of(certificate) else { continue };
            let ending = match usage {
                Usage::Https if Some(&facts.issuer) == ca.as_ref() => Ending::OwnHttps,
                Usage::Https => Ending::Https,
                Usage::Ca => Ending::OwnCa,
                Usage::Panel if position > 0 => Ending::IssuerOfPanel,
                Usage::Panel => Ending::Panel,
                Usage::Own | Usage::Next if position > 0 => Ending::IssuerOfOurs,
                Usage::Next => Ending::OurNext,
                Usage::Own if has_next => Ending::OursBeforeNext,
                Usage::Own | Usage::Request => Ending::Ours,
            };
            all.push(End { ending, name: facts.subject, ends: Some(facts.until) });
        }
    }
    Ok(())
}

/// The certificates and CRLs that decide whether a partner is accepted.
async fn add_partners(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    for partner in partners::all(connection).await? {
        for pin in &partner.pins {
            let name = format!("{}: {}", partner.short_name, pin.name);
            let ending = Ending::Pin { partner: partner.short_name.clone() };
            all.push(End { ending, name, ends: end_of(&pin.pem) });
        }
    }
    for Trusted { certificate, .. } in certificates::trusted(connection).await? {
        let ends = end_of(&certificate.pem);
        all.push(End { ending: Ending::Trusted, name: certificate.name, ends });
    }
    for crl in crls::heads(connection).await?.into_iter().filter(|crl| crl.next_update.is_some()) {
        let ending = if crl.source.is_some() { Ending::DownloadedCrl } else { Ending::Crl };
        all.push(End { ending, name: crl.name, ends: crl.next_update });
    }
    Ok(())
}

/// The newest licence of each server that is listed, from the audit.
async fn add_licences(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    let newest = licences::newest(connection).await?;
    for proxy in proxies::all(connection).await? {
        let id = proxy.id.to_string();
        if let Some(Licence { until, .. }) = newest.get(&id) {
            let name = if proxy.name.is_empty() { id.clone() } else { format!("{} ({id})", proxy.name) };
            all.push(End { ending: Ending::Licence { server: id }, name, ends: Some(*until) });
        }
    }
    Ok(())
}

/// Entries with an end that an operator has set.
async fn add_given(connection: &mut AnyConnection, all: &mut Vec<End>) -> Result<(), DbError> {
    for ban in bans::all(connection).await?.into_iter().filter(|ban| ban.until.is_some()) {
        all.push(End { ending: Ending::Ban, name: ban.network, ends: ban.until });
    }
    for ignore in ignores::all(connection).await? {
        let name = format!("{} {}", ignore.id, ignore.text);
        all.push(End { ending: Ending::Ignore, name, ends: Some(ignore.valid_until) });
    }
    for key in api_keys::all(connection).await? {
        let ending = Ending::ApiKey { key: key.name.clone() };
        all.push(End { ending, name: key.name, ends: Some(key.until) });
    }
    let now = common::text::clock::now();
    for (hash, until) in old_tokens::all(connection).await?.into_iter().filter(|(_, until)| *until > now) {
        let name = hash.chars().take(16).collect();
        all.push(End { ending: Ending::OldToken, name, ends: Some(until) });
    }
    Ok(())
}
