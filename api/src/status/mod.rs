//! The present state of a site: which daemons are joined, which generation is in force in each, refusals, expiry dates,
//! the faults with their remedies (`findings`), and the steps of its set-up (`steps`). Reads the database, which has
//! the daemons' reports.

mod backup;
mod daemons;
mod fault;
mod findings;
pub(crate) mod steps;
mod subject;

use crate::change::BACKUP;
use crate::db::{self, DbError};
use crate::expiry::{self, End, Ending};
use crate::pki::facts::SOON;
use crate::store::refusals::{self, Group};
use crate::store::{audit, configuration, journal, proxies, states};
use common::process::end_reasons::Status;
use common::state::OTHERS;
use common::text::clock::{self, DAY};
pub(crate) use daemons::{Condition, Daemon, Sums};
pub(crate) use findings::{Finding, Severity};
use serde::Serialize;
use sqlx::AnyConnection;

/// The period of the refusals, seconds.
const LATELY: i64 = 3_600;
/// Groups of refusals that are shown of each reason.
const SHOWN: usize = 3;

/// The state of a site at a given time.
#[derive(Debug, Serialize)]
pub(crate) struct SiteStatus {
    /// That time, seconds since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// The newest generation of the configuration.
    pub(crate) generation: u64,
    /// The time of the last backup.
    pub(crate) last_backup: Option<i64>,
    /// The faults, and what to do about them.
    pub(crate) findings: Vec<Finding>,
    /// Clients first.
    pub(crate) daemons: Vec<Daemon>,
    /// What all servers together use of their limits.
    pub(crate) sums: Sums,
    /// The refusals of the last hour, the most frequent reason first.
    pub(crate) refusals: Vec<ReasonCount>,
    /// Everything that expires soon, within 30 days unless others were wanted, or has expired.
    pub(crate) ends: Vec<End>,
}

/// The refusals for one reason.
#[derive(Debug, Serialize)]
pub(crate) struct ReasonCount {
    pub(crate) reason: String,
    pub(crate) times: i64,
    /// First second of the last minute, since 1970-01-01 UTC.
    pub(crate) last: i64,
    /// Its meaning, and what to do about it.
    pub(crate) meaning: &'static str,
    /// The most frequent of them.
    pub(crate) who: Vec<Group>,
}

/// Reads all of it.
pub(crate) async fn read(connection: &mut AnyConnection) -> Result<SiteStatus, DbError> {
    read_within(connection, SOON).await
}

/// The same with everything that expires within so many days.
pub(crate) async fn read_within(connection: &mut AnyConnection, days: i64) -> Result<SiteStatus, DbError> {
    let time = clock::now();
    let generation = db::generation(connection).await?;
    let daemons = daemons_at(connection, time).await?;
    let refusals = by_reason(refusals::grouped(connection, time - LATELY, u32::MAX).await?);
    let changed = audit::newest(connection).await?;
    let mut ends = expiry::ends(connection).await?;
    ends.extend(daemons.iter().filter_map(licence_in_force));
    ends.sort_by(|one, other| (one.ends, &one.name).cmp(&(other.ends, &other.name)));
    ends.retain(|end| end.ends.is_none_or(|ends| ends <= time + days * DAY));
    let last_backup = audit::last(connection, BACKUP).await?;
    let backup_days = configuration::values(connection).await?.number("api_backup_days");
    let since = last_backup.unwrap_or(audit::oldest(connection).await?);
    let mut findings = findings::of_services(&states::services(connection).await?, time);
    findings.extend(findings::of(&daemons, &ends, (generation, changed), time));
    findings.extend(backup::finding(last_backup.is_some(), since, backup_days, time));
    let sums = daemons::sums(&daemons);
    Ok(SiteStatus { time, generation, last_backup, findings, daemons, sums, refusals, ends })
}

/// The daemons of the site, clients first.
pub(crate) async fn daemons(connection: &mut AnyConnection) -> Result<Vec<Daemon>, DbError> {
    daemons_at(connection, clock::now()).await
}

async fn daemons_at(connection: &mut AnyConnection, time: i64) -> Result<Vec<Daemon>, DbError> {
    let servers = proxies::all(connection).await?;
    let (told, calls) = (states::all(connection).await?, journal::calls(connection, time - DAY).await?);
    Ok(daemons::of(told, &calls, &servers, time))
}

/// The name of a server for people: its title, or its Proxy ID if it is not listed.
pub(crate) fn server_title(daemons: &[Daemon], id: &str) -> String {
    let server = daemons.iter().find(|daemon| daemon.kind == "server" && daemon.name == id);
    server.map_or(id, |server| &server.title).to_owned()
}

/// Refusals by reason, the most frequent first; `groups` are in this order already.
fn by_reason(groups: Vec<Group>) -> Vec<ReasonCount> {
    let mut all: Vec<ReasonCount> = Vec::new();
    for group in groups {
        let reason = &group.what.reason;
        let place = all.iter().position(|one| one.reason == *reason).unwrap_or_else(|| {
            let (reason, meaning) = (reason.clone(), meaning(reason));
            all.push(ReasonCount { reason, times: 0, last: 0, meaning, who: Vec::new() });
            all.len() - 1
        });
        if let Some(one) = all.get_mut(place) {
            one.times = one.times.saturating_add(group.times);
            one.last = one.last.max(group.last);
            if one.who.len() < SHOWN {
                one.who.push(group);
            }
        }
    }
    all.sort_by(|one, other| (other.times, &one.reason).cmp(&(one.times, &other.reason)));
    all
}

/// The meaning of a reason, and what to do about it.
pub(crate) fn meaning(reason: &str) -> &'static str {
    match Status::from_word(reason) {
        Some(status) => status.meaning(),
        None if reason == OTHERS => {
            "There were more in a minute than are counted one by one: the other reasons show what they may have been."
        }
        None => {
            "This version of os4xapi does not know the word: see os4x_proxy-log(5) of the daemons' version."
        }
    }
}

/// The licence that a server has in force: the newest one may not have been copied to it.
fn licence_in_force(daemon: &Daemon) -> Option<End> {
    let ends = daemon.state.as_ref()?.licence_ends?;
    let ending = Ending::LicenceInForce { server: daemon.name.clone() };
    Some(End { ending, name: daemon.title.clone(), ends: Some(ends) })
}

#[cfg(test)]
mod tests {
    use super::{Group, by_reason, meaning};
    use common::process::end_reasons::Status;
    use common::state::{OTHERS, Refused};

    #[test]
    fn refusals_of_one_reason_are_together_and_the_most_frequent_reason_is_the_first() {
        let group = |reason: &str, ssid: &str, times, last| Group {
            what: Refused { reason: reason.to_owned(), ssid: ssid.to_owned(), ..Refused::default() },
            times,
            first: 0,
            last,
        };
        let mut groups = vec![group("tls", "", 5, 60)];
        groups.extend((0..5).map(|number| group("unknown-partner", &format!("O{number}"), 3, 60 * number)));
        let reasons = by_reason(groups);
        let shown: Vec<_> = reasons.iter().map(|one| (one.reason.as_str(), one.times, one.last)).collect();
        assert_eq!(shown, [("unknown-partner", 15, 240), ("tls", 5, 60)]);
        assert_eq!(reasons[0].who.len(), 3);
        assert!(reasons[0].meaning.contains("os4xapi partner add"), "{}", reasons[0].meaning);
    }

    #[test]
    fn each_reason_has_its_meaning() {
        for status in Status::ALL {
            assert_eq!(meaning(status.word()), status.meaning());
        }
        assert_ne!(meaning(OTHERS), meaning("of-tomorrow"));
    }
}
