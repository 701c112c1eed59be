//! Which partners would be refused after a change. Each partner is judged by the certificates that it has shown,
//! before and after the change, in the same way as the server does it.

use crate::db::DbError;
use crate::store::bans::{self, Ban};
use crate::store::shown_certificates::{self, Shown};
use crate::store::trust_rules::Rules;
use common::net::Network;
use common::process::end_reasons::Status;
use common::text::clock;
use common::trust::partner_row::PartnerRow;
use common::trust::{Rejection, Trust};
use common::x509::issuer::fingerprint;
use common::x509::subject;
use openssl::x509::X509;
use sqlx::AnyConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Most names in the line about partners of which nothing is known.
const NAMED: usize = 10;

/// What partners are judged by.
struct Basis {
    rules: Rules,
    shown: Vec<Shown>,
    bans: Vec<Ban>,
    now: i64,
}

impl Basis {
    /// The basis in the state of this transaction.
    async fn read(connection: &mut AnyConnection) -> Result<Self, DbError> {
        let rules = Rules::read(&mut *connection).await?;
        let shown = shown_certificates::all(&mut *connection).await?;
        let bans = bans::all(connection).await?;
        Ok(Self { rules, shown, bans, now: clock::now() })
    }

    /// The trust that the server would have, or why it would refuse the configuration.
    fn trust(&self) -> Result<Trust, String> {
        let (trust, _) = Trust::read(self.rules.as_trust_rules(), self.now).map_err(|why| why.to_string())?;
        // Share the CRLs: otherwise the signature of a CRL would be verified again for each certificate.
        Ok(trust.with_shared_lists())
    }

    /// The certificates that the partner of this short name has shown.
    fn shown_by(&self, name: &str) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| shown.partner == name)
    }

    /// Judges a future session of this partner that is like an earlier one.
    fn judge(&self, trust: &Trust, partner: &PartnerRow, shown: &Shown) -> Result<(), Rejection> {
        if shown.is_outgoing {
            partner.check_enabled()?;
            let Some(host) = partner.host.as_deref() else {
                let detail = "it has no host to connect to any more".to_owned();
                return Err(Rejection { status: Status::Destination, detail });
            };
            return if partner.tls { trust.judge_called(partner, &shown.chain, host) } else { Ok(()) };
        }
        if let Some(address) = shown.address {
            check_bans(address, &self.bans, self.now)?;
        }
        trust.judge_caller(partner, &shown.chain, shown.address)
    }
}

/// The judgement on each partner.
pub(super) struct Judgement {
    /// The result by short name: the reason if the partner is refused. Contains only partners that have shown a
    /// certificate.
    partners: BTreeMap<String, Option<Rejection>>,
    /// Enabled partners that have not shown a certificate yet.
    unknown: BTreeSet<String>,
    /// Why there is no valid configuration.
    fault: Option<String>,
}

impl Judgement {
    /// The judgement in the state of this transaction.
    pub(super) async fn read(connection: &mut AnyConnection) -> Result<Self, DbError> {
        Ok(Self::of(&Basis::read(connection).await?))
    }

    fn of(basis: &Basis) -> Self {
        let mut found = Self { partners: BTreeMap::new(), unknown: BTreeSet::new(), fault: None };
        let trust = match basis.trust() {
            Ok(trust) => trust,
            Err(why) => {
                found.fault = Some(why);
                return found;
            }
        };
        for partner in trust.partners() {
            let mut all = basis.shown_by(&partner.short_name).peekable();
            if all.peek().is_none() && partner.enabled {
                found.unknown.insert(partner.short_name.clone());
            }
            for shown in all {
                let rejection = basis.judge(&trust, partner, shown).err();
                // If a partner has several certificates, a refused one counts: its station could not connect.
                let verdict = found.partners.entry(partner.short_name.clone()).or_default();
                *verdict = verdict.take().or(rejection);
            }
        }
        found
    }

    /// Adds to the lines of a change a line for each partner that was accepted `before` it and would be refused after
    /// it, and if the change concerns all partners, a line for those about whom nothing is known.
    pub(super) fn foretell(&self, before: &Self, lines: &mut Vec<String>) {
        let concerns_all = lines.iter().any(|line| concerns_all(line));
        if let Some(fault) = self.fault.as_ref().filter(|_| before.fault.is_none()) {
            lines.push(format!(
                "! the server would refuse this configuration and keep the one it has: {fault}"
            ));
            return;
        }
        for (name, _) in before.partners.iter().filter(|(_, rejection)| rejection.is_none()) {
            let (status, detail) = match self.partners.get(name) {
                Some(None) => continue,
                Some(Some(Rejection { status, detail })) => (*status, detail.as_str()),
                None => (Status::UnknownPartner, "it would not be in the partner table any more"),
            };
            lines.push(format!("! partner {name} would be refused: {}: {detail}", status.word()));
        }
        if concerns_all {
            lines.extend(self.line_of_unknown());
        }
    }

    fn line_of_unknown(&self) -> Option<String> {
        let mut names: Vec<&str> = self.unknown.iter().map(String::as_str).take(NAMED).collect();
        if names.is_empty() {
            return None;
        }
        let more = format!("and {} more", self.unknown.len().saturating_sub(NAMED));
        if self.unknown.len() > NAMED {
            names.push(&more);
        }
        let names = names.join(", ");
        Some(format!("? not known, since no session has shown a certificate yet: {names}"))
    }
}

/// Whether a certificate of a partner would be accepted.
pub(crate) struct Verdict {
    pub(crate) subject: String,
    /// True if we call the partner with it, false if the partner calls us.
    pub(crate) is_outgoing: bool,
    /// True if it was seen in a session, false if it is only pinned.
    pub(crate) was_shown: bool,
    /// If it is refused, the reason: its word, and the sentence for the log.
    pub(crate) refused: Option<(&'static str, String)>,
}

/// Judges the certificates of a partner, both pinned and shown ones, in the state of this transaction. If the
/// configuration is not valid, returns the reason.
pub(crate) async fn verdicts(
    connection: &mut AnyConnection,
    name: &str,
) -> Result<Result<Vec<Verdict>, String>, DbError> {
    Ok(verdicts_of(&Basis::read(connection).await?, name))
}

fn verdicts_of(basis: &Basis, name: &str) -> Result<Vec<Verdict>, String> {
    let trust = basis.trust()?;
    let Some(partner) = trust.partners().iter().find(|partner| partner.short_name == name) else {
        return Ok(Vec::new());
    };
    let pins = basis.rules.partners.iter().filter(|row| row.short_name == name).flat_map(|row| &row.pins);
    let pinned = pins.filter_map(|pin| X509::from_pem(pin.pem.as_bytes()).ok());
    let mut cases: Vec<(bool, Shown)> = basis.shown_by(name).map(|shown| (true, shown.clone())).collect();
    for certificate in pinned {
        let directions = if partner.host.is_some() { &[false, true][..] } else { &[false] };
        for is_outgoing in directions {
            let chain = vec![certificate.clone()];
            let case = Shown { partner: name.to_owned(), is_outgoing: *is_outgoing, address: None, chain };
            // A pin that the partner has shown is judged with the chain that it has sent.
            if !cases.iter().any(|(_, other)| is_same(other, &case)) {
                cases.push((false, case));
            }
        }
    }
    let verdict = |(was_shown, case): &(bool, Shown)| {
        let refused = basis.judge(&trust, partner, case).err();
        Verdict {
            subject: case.chain.first().map(|leaf| subject::text(leaf.subject_name())).unwrap_or_default(),
            is_outgoing: case.is_outgoing,
            was_shown: *was_shown,
            refused: refused.map(|Rejection { status, detail }| (status.word(), detail)),
        }
    };
    Ok(cases.iter().map(verdict).collect())
}

fn is_same(one: &Shown, other: &Shown) -> bool {
    let print = |shown: &Shown| shown.chain.first().and_then(|leaf| fingerprint(leaf).ok());
    one.is_outgoing == other.is_outgoing && print(one) == print(other)
}

/// Whether this line of a difference concerns something by which all partners are judged.
fn concerns_all(line: &str) -> bool {
    let object = line.get(2..).unwrap_or_default();
    ["trust ", "crl ", "config tls_"].iter().any(|kind| object.starts_with(kind))
}

fn check_bans(address: IpAddr, bans: &[Ban], now: i64) -> Result<(), Rejection> {
    let holds = |ban: &&Ban| {
        ban.until.is_none_or(|until| now <= until)
            && ban.network.parse::<Network>().is_ok_and(|network| network.contains(address))
    };
    let Some(ban) = bans.iter().find(holds) else { return Ok(()) };
    let detail = format!("it came from {address}, which would be banned with {}", ban.network);
    Err(Rejection { status: Status::Banned, detail })
}
