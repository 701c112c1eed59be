//! The facts of the database as metrics. A name that comes from a daemon or a certificate is a label; each metric has
//! one value for each set of labels.

use crate::db::{self, DbError};
use crate::pki::facts::Facts as Certificate;
use crate::settings::Values;
use crate::status::{self, Daemon};
use crate::store::certificates;
use crate::store::totals::{self, SessionTotals};
use crate::store::{crls, partners};
use common::config::LIMITS;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use sqlx::AnyConnection;
use std::collections::BTreeMap;
use std::fmt;

/// The label of something whose name is not known.
const UNKNOWN: &str = "unknown";

type Labels = Vec<(&'static str, String)>;

/// The metrics of a scrape.
#[derive(Debug, Default)]
pub(super) struct Facts(Vec<Metric>);

/// The values of one metric.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    unit: Option<Unit>,
    values: BTreeMap<Labels, i64>,
}

impl Metric {
    fn gauge(name: &'static str, help: &'static str) -> Self {
        Self { name, help, kind: MetricType::Gauge, unit: None, values: BTreeMap::new() }
    }

    /// A number that only rises. The text format appends `_total` to its name.
    fn counter(name: &'static str, help: &'static str) -> Self {
        Self { kind: MetricType::Counter, ..Self::gauge(name, help) }
    }

    /// A time in seconds since 1970-01-01 UTC. The unit is appended to its name.
    fn time(name: &'static str, help: &'static str) -> Self {
        Self { unit: Some(Unit::Seconds), ..Self::gauge(name, help) }
    }

    /// Sets a value; of several for the same labels, the least one remains.
    fn set(&mut self, labels: Labels, value: i64) {
        self.values.entry(labels).and_modify(|there| *there = value.min(*there)).or_insert(value);
    }

    /// Adds to a value.
    fn add(&mut self, labels: Labels, value: i64) {
        let there = self.values.entry(labels).or_default();
        *there = there.saturating_add(value);
    }
}

impl Collector for Facts {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        for Metric { name, help, kind, unit, values } in &self.0 {
            let mut metric = encoder.encode_descriptor(name, help, unit.as_ref(), *kind)?;
            for (labels, value) in values {
                let one = metric.encode_family(labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(value.unsigned_abs()).encode(one)?,
                    _ => ConstGauge::new(*value).encode(one)?,
                }
            }
        }
        Ok(())
    }
}

/// Reads all of them.
pub(super) async fn read(connection: &mut AnyConnection, values: &Values) -> Result<Facts, DbError> {
    let mut facts = Facts(vec![about()]);
    let mut generation = Metric::gauge("os4x_config_generation", "Newest generation of the configuration");
    let newest = db::generation(connection).await?;
    generation.set(Vec::new(), i64::try_from(newest).unwrap_or(i64::MAX));
    let daemons = status::daemons(connection).await?;
    let has_partners = values.yes("metrics_partners");
    facts.0.push(generation);
    facts.0.extend(of_daemons(&daemons));
    facts.0.push(limits(values));
    facts.0.extend(of_totals(totals::sessions(connection).await?, &daemons, has_partners));
    facts.0.push(refusals(connection, &daemons).await?);
    facts.0.push(ends_of_certificates(connection, has_partners).await?);
    let mut next = Metric::time("os4x_crl_next_update", "Time of the next update that a CRL announces");
    for crl in crls::heads(connection).await? {
        if let Some(time) = crl.next_update {
            next.set(vec![("issuer", crl.name)], time);
        }
    }
    facts.0.push(next);
    Ok(facts)
}

fn about() -> Metric {
    let mut about = Metric::gauge("os4x_build_info", "Version of this os4xapi; the value is always 1");
    about.set(vec![("version", env!("CARGO_PKG_VERSION").to_owned())], 1);
    about
}

/// The name of a server: the one for people if no other server has it, otherwise the Proxy ID.
fn server_name(daemons: &[Daemon], id: &str) -> String {
    let servers = || daemons.iter().filter(|daemon| daemon.kind == "server");
    let title = servers().find(|server| server.name == id).map(|server| server.title.as_str());
    match title {
        Some(title) if servers().filter(|server| server.title == title).count() == 1 => title.to_owned(),
        _ if id.is_empty() => UNKNOWN.to_owned(),
        _ => id.to_owned(),
    }
}

fn number(used: usize) -> i64 {
    i64::try_from(used).unwrap_or(i64::MAX)
}

/// What the daemons have reported about themselves.
fn of_daemons(daemons: &[Daemon]) -> [Metric; 8] {
    let mut joined = Metric::gauge("os4x_server_joined", "Whether a client has joined the server");
    let mut in_force = Metric::gauge("os4x_config_in_force", "Generation in force in a daemon");
    let mut running = Metric::gauge("os4x_sessions_running", "Sessions that run");
    let mut unverified =
        Metric::gauge("os4x_unverified", "Connections of partners whose certificate is not verified yet");
    let mut draining = Metric::gauge("os4x_server_draining", "Whether the server takes no new sessions");
    let mut left = Metric::gauge("os4x_server_sessions_left", "Sessions of a server that takes no new ones");
    let mut licence = Metric::time("os4x_licence_not_after", "End of the licence in force");
    let mut seen = Metric::time("os4x_daemon_last_seen", "Time of the last report of a daemon");
    for daemon in daemons {
        let is_server = daemon.kind == "server";
        let name = if is_server { server_name(daemons, &daemon.name) } else { daemon.name.clone() };
        let labels = || vec![("daemon", daemon.kind.to_owned()), ("name", name.clone())];
        if let Some(heard) = daemon.heard {
            seen.set(labels(), heard);
        }
        if is_server {
            joined.set(vec![("server", name.clone())], i64::from(daemon.is_well()));
        }
        let Some(state) = &daemon.state else { continue };
        if let Some(generation) = state.generation {
            in_force.set(labels(), i64::try_from(generation).unwrap_or(i64::MAX));
        }
        if !is_server || !daemon.is_well() {
            continue;
        }
        let server = || ("server", name.clone());
        draining.set(vec![server()], i64::from(state.draining.is_some()));
        if let Some(sessions) = state.draining {
            left.set(vec![server()], number(sessions));
        }
        for (direction, used) in [("incoming", state.incoming), ("outgoing", state.outgoing)] {
            running.set(vec![server(), ("direction", direction.to_owned())], number(used.used));
        }
        unverified.set(vec![server()], number(state.unverified.used));
        if let Some(ends) = state.licence_ends {
            licence.set(vec![server()], ends);
        }
    }
    [joined, in_force, running, unverified, draining, left, licence, seen]
}

fn limits(values: &Values) -> Metric {
    let mut limits = Metric::gauge("os4x_limit", "Limits of the daemons, by the names of their settings");
    for limit in &LIMITS {
        limits.set(vec![("name", limit.setting.to_owned())], i64::from(values.number(limit.setting)));
    }
    limits
}

/// The totals of sessions that have ended, by partner only if that is wanted.
fn of_totals(all: Vec<SessionTotals>, daemons: &[Daemon], has_partners: bool) -> [Metric; 3] {
    let mut sessions = Metric::counter("os4x_sessions", "Sessions that have ended");
    let mut octets = Metric::counter("os4x_octets", "Octets of ended sessions from partners and to them");
    let mut files = Metric::counter("os4x_files", "Files of ended sessions");
    for one in all {
        let partner = Some(("partner", one.partner)).filter(|_| has_partners);
        let with = |labels: Labels| labels.into_iter().chain(partner.clone()).collect::<Labels>();
        let server = ("server", server_name(daemons, &one.server));
        let direction = if one.direction.is_empty() { UNKNOWN.to_owned() } else { one.direction };
        sessions.add(with(vec![server, ("direction", direction), ("reason", one.reason)]), one.sessions);
        for (direction, value) in [("in", one.octets_in), ("out", one.octets_out)] {
            octets.add(with(vec![("direction", direction.to_owned())]), value);
        }
        for (result, value) in [("accepted", one.files_accepted), ("refused", one.files_refused)] {
            files.add(with(vec![("result", result.to_owned())]), value);
        }
    }
    [sessions, octets, files]
}

async fn refusals(connection: &mut AnyConnection, daemons: &[Daemon]) -> Result<Metric, DbError> {
    let mut refused = Metric::counter("os4x_refused", "Partners and addresses that a server has refused");
    for (server, reason, times) in totals::refusals(connection).await? {
        refused.add(vec![("server", server_name(daemons, &server)), ("reason", reason)], times);
    }
    Ok(refused)
}

/// The ends of certificates; those that are pinned to partners only if partners are wanted.
async fn ends_of_certificates(connection: &mut AnyConnection, has_partners: bool) -> Result<Metric, DbError> {
    let mut ends = Metric::time("os4x_certificate_not_after", "End of a certificate");
    let mut set = |usage: &str, name: Option<String>, pem: &str| {
        if let Ok(facts) = Certificate::of_pem(pem) {
            let name = name.unwrap_or(facts.subject);
            ends.set(vec![("usage", usage.to_owned()), ("name", name)], facts.until);
        }
    };
    for (usage, name, pem) in certificates::pems(connection).await? {
        set(&usage, name, &pem);
    }
    if has_partners {
        for partner in partners::all(connection).await? {
            for pin in &partner.pins {
                set("pin", Some(format!("{}: {}", partner.short_name, pin.name)), &pin.pem);
            }
        }
    }
    Ok(ends)
}

#[cfg(test)]
mod tests {
    use super::{Facts, Metric};
    use prometheus_client::encoding::text;
    use prometheus_client::registry::Registry;

    #[test]
    fn a_name_from_outside_stays_within_its_label() {
        let mut metric = Metric::time("os4x_x", "Help");
        metric.set(vec![("issuer", "a\"} 1\n# \\".to_owned())], 7);
        metric.set(vec![("issuer", "a\"} 1\n# \\".to_owned())], 9);
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Facts(vec![metric])));
        let mut body = String::new();
        text::encode(&mut body, &registry).unwrap();
        assert_eq!(
            body,
            "# HELP os4x_x_seconds Help\n# TYPE os4x_x_seconds gauge\n# UNIT os4x_x_seconds seconds\n\
             os4x_x_seconds{issuer=\"a\\\"} 1\\n# \\\\\"} 7\n# EOF\n"
        );
    }
}
