//! Finds the faults of a site. `fault` has their sentences and remedies. Pure.

use super::daemons::{Condition, Daemon};
use super::fault::Fault;
use super::subject::{Limited, Named};
use crate::expiry::{End, Ending};
use crate::language::Language;
use crate::store::states::Service;
use common::state::DaemonState;
use common::text::clock;
use serde::{Serialize, Serializer};

/// How long a change of the configuration may take to be in force, seconds: an older daemon asks once a minute.
const IN_FORCE: i64 = 75;
/// How long after its start a daemon may have no configuration, seconds: it is fetched within the first second.
const START: i64 = 10;
/// `serve` writes every 5 s that it runs, or somewhat later if the database is slow: without that for this long, in
/// seconds, it does not run.
const AT_WORK: i64 = 40;
/// Clocks that differ by more are reported, seconds.
const SKEW: u64 = 60;
/// A fault is reported for this long, seconds.
const RECENT: i64 = 3_600;

/// The severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// Some or all partners are not served.
    Bad,
    /// Partners are served, but something has to be done.
    Warning,
}

/// A fault, and how severe it is.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    /// Its severity.
    pub(crate) severity: Severity,
    pub(crate) fault: Fault,
}

impl Serialize for Finding {
    /// In English, as the command prints it.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Shown {
            severity: Severity,
            what: String,
            remedy: String,
        }
        let (what, remedy) = (self.fault.what(Language::English), self.fault.remedy(Language::English));
        Shown { severity: self.severity, what, remedy }.serialize(serializer)
    }
}

fn finding(fault: Fault) -> Finding {
    Finding { severity: Severity::Bad, fault }
}

pub(super) fn warning(fault: Fault) -> Finding {
    Finding { severity: Severity::Warning, fault }
}

/// The faults of the processes of `serve` on this database: without one of them no daemon is served.
pub(super) fn of_services(services: &[Service], now: i64) -> Vec<Finding> {
    let is_at_work = |service: &Service| service.ended.is_none() && service.heard >= now - AT_WORK;
    if services.is_empty() {
        return vec![finding(Fault::NeverServed)];
    }
    let is_served = services.iter().any(is_at_work);
    let gone = services.iter().filter(|service| !is_at_work(service));
    // Beside one that runs: one that has ended in order, or long ago, does not matter.
    let gone = gone.filter(|one| !is_served || (one.ended.is_none() && one.heard > now - clock::DAY));
    let newest = if is_served { 0 } else { services.iter().map(|one| one.heard).max().unwrap_or_default() };
    gone.filter(|service| service.heard >= newest).map(of_service).collect()
}

fn of_service(Service { name, heard, ended }: &Service) -> Finding {
    let name = name.clone();
    finding(match ended {
        Some(why) => Fault::ServeEnded { name, at: *heard, why: why.clone() },
        None => Fault::ServeSilent { name, since: *heard },
    })
}

/// All faults of daemons, and everything that has expired, the worst first. `newest`: the newest generation, and the
/// time of the last change.
pub(super) fn of(daemons: &[Daemon], ends: &[End], newest: (u64, i64), now: i64) -> Vec<Finding> {
    let mut all = Vec::new();
    if !daemons.iter().any(|daemon| daemon.kind == "client") {
        all.push(finding(Fault::NoClient));
    }
    if !daemons.iter().any(|daemon| daemon.kind == "server") {
        all.push(finding(Fault::NoServer));
    }
    for daemon in daemons {
        if !daemon.is_enabled {
            continue;
        }
        all.extend(of_condition(daemon));
        if let Some(left) = daemon.draining().filter(|_| daemon.kind == "server") {
            all.push(warning(Fault::Draining { who: named(daemon), id: daemon.name.clone(), left }));
        }
        if let Some(state) = &daemon.state
            && matches!(daemon.condition, Condition::Running | Condition::Joined)
        {
            add_state(daemon, state, newest, now, &mut all);
        }
    }
    let over = ends.iter().filter(|end| end.ends.is_none_or(|ends| ends < now));
    all.extend(over.map(of_end));
    all.sort_by_key(|finding| finding.severity);
    all
}

/// The finding for something that has expired.
fn of_end(end: &End) -> Finding {
    let fault = Fault::Over(end.clone());
    // Partners do not need the program whose key it was.
    if matches!(end.ending, Ending::ApiKey { .. }) { warning(fault) } else { finding(fault) }
}

fn named(daemon: &Daemon) -> Named {
    Named { kind: daemon.kind, title: daemon.title.clone() }
}

/// The finding for its condition.
fn of_condition(daemon: &Daemon) -> Option<Finding> {
    let (who, heard) = (named(daemon), daemon.heard.unwrap_or_default());
    Some(finding(match daemon.condition {
        Condition::Running | Condition::Standby | Condition::Joined => return None,
        Condition::Older => return Some(warning(Fault::Older(who))),
        Condition::Ended => Fault::Ended { who, at: heard, why: daemon.ended.clone().unwrap_or_default() },
        Condition::Silent => Fault::Silent { who, since: heard },
        Condition::Lost => Fault::Lost { who, since: heard },
        Condition::NeverJoined => Fault::NeverJoined(who),
    }))
}

/// The findings from the state that a running daemon has reported.
fn add_state(daemon: &Daemon, state: &DaemonState, newest: (u64, i64), now: i64, all: &mut Vec<Finding>) {
    let who = || named(daemon);
    let (newest, changed) = newest;
    match state.generation {
        None if state.time - state.started < START => {}
        None => all.push(finding(Fault::NoConfiguration(who()))),
        Some(held) if held != newest && changed < now - IN_FORCE => {
            all.push(warning(Fault::OldGeneration { who: who(), held, newest }));
        }
        Some(_) => {}
    }
    for (what, used) in [
        (Limited::Incoming, state.incoming),
        (Limited::Outgoing, state.outgoing),
        (Limited::Unverified, state.unverified),
    ] {
        if used.limit > 0 && used.used >= used.limit {
            all.push(finding(Fault::AtLimit { who: who(), what, used: used.used }));
        }
    }
    let ahead = state.time.saturating_sub(daemon.heard.unwrap_or(state.time));
    if ahead.unsigned_abs() > SKEW {
        all.push(warning(Fault::Skew { who: who(), ahead }));
    }
    if let Some(fault) = state.fault.as_ref().filter(|fault| fault.time > now - RECENT) {
        all.push(warning(Fault::Reported { who: who(), at: fault.time, text: fault.text.clone() }));
    }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Daemon, DaemonState, End, Finding, Service, Severity, of, of_services};
    use crate::expiry::Ending;
    use crate::language::Language::{self, English};
    use common::state::{Fault, Use};

    const NOW: i64 = 1_000_000;

    fn daemon(kind: &'static str, condition: Condition, state: Option<DaemonState>) -> Daemon {
        Daemon {
            kind,
            name: kind.to_owned(),
            title: format!("my-{kind}"),
            condition,
            is_enabled: true,
            client: None,
            address: None,
            heard: Some(NOW),
            ended: Some("told to end by SIGTERM".to_owned()),
            state,
        }
    }

    fn well() -> DaemonState {
        DaemonState { generation: Some(7), time: NOW, ..DaemonState::default() }
    }

    /// The findings for a server with this state, beside a client without faults.
    fn found(state: DaemonState, changed: i64) -> Vec<String> {
        let daemons = [
            daemon("client", Condition::Running, Some(well())),
            daemon("server", Condition::Joined, Some(state)),
        ];
        of(&daemons, &[], (7, changed), NOW).into_iter().map(|finding| finding.fault.what(English)).collect()
    }

    #[test]
    fn a_site_that_is_well_has_no_findings_and_an_empty_one_says_how_to_begin() {
        assert_eq!(found(well(), 0), Vec::<String>::new());
        let begin = of(&[], &[], (1, 0), NOW);
        assert_eq!(begin.len(), 2);
        assert!(
            begin.iter().all(|Finding { fault, .. }| fault.remedy(English).contains("os4xapi")),
            "{begin:?}"
        );
    }

    #[test]
    fn each_thing_that_is_wrong_is_found() {
        let full = Use { used: 9, limit: 9 };
        let fault = |time| Some(Fault { time, text: "listener_error".to_owned() });
        for (state, words) in [
            (DaemonState { generation: None, ..well() }, "no configuration"),
            (DaemonState { generation: Some(6), ..well() }, "generation 6 in force, and 7 is"),
            (DaemonState { incoming: full, ..well() }, "its limit of incoming sessions: 9"),
            (DaemonState { outgoing: full, ..well() }, "its limit of outgoing sessions"),
            (DaemonState { unverified: full, ..well() }, "not verified"),
            (DaemonState { time: NOW + 90, ..well() }, "90 s ahead of the backend's"),
            (DaemonState { time: NOW - 90, ..well() }, "90 s behind"),
            (DaemonState { fault: fault(NOW - 60), ..well() }, "listener_error"),
            (DaemonState { draining: Some(3), ..well() }, "takes no new sessions, and 3 are left"),
        ] {
            let found = found(state, 0);
            assert!(found.len() == 1 && found[0].contains(words), "{words}: {found:?}");
        }
        assert_eq!(
            found(DaemonState { generation: Some(6), ..well() }, NOW),
            Vec::<String>::new(),
            "just changed"
        );
        assert_eq!(found(DaemonState { fault: fault(0), ..well() }, 0), Vec::<String>::new(), "long ago");
        let starting = DaemonState { generation: None, started: NOW - 1, ..well() };
        assert_eq!(found(starting, 0), Vec::<String>::new(), "just started");
    }

    #[test]
    fn each_condition_that_is_not_well_is_found_with_its_remedy() {
        for (condition, words) in [
            (Condition::Ended, "has ended at 1970-01-12T13:46:40Z: told to end by SIGTERM"),
            (Condition::Silent, "has not reported since"),
            (Condition::Lost, "not joined any more"),
            (Condition::NeverJoined, "no client has reported it"),
            (Condition::Older, "older version"),
        ] {
            let daemons = [daemon("client", Condition::Running, None), daemon("server", condition, None)];
            let found = of(&daemons, &[], (7, 0), NOW);
            assert!(found.len() == 1 && found[0].fault.what(English).contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn a_server_that_is_not_in_use_is_not_missed() {
        let lost = daemon("server", Condition::Lost, None);
        let daemons = [daemon("client", Condition::Running, None), Daemon { is_enabled: false, ..lost }];
        assert!(of(&daemons, &[], (7, 0), NOW).is_empty());
    }

    #[test]
    fn who_serves_nobody_any_more_is_found_unless_another_one_does() {
        let service = |name: &str, heard, ended: Option<&str>| Service {
            name: name.to_owned(),
            heard,
            ended: ended.map(str::to_owned),
        };
        let works = || service("works", NOW - 5, None);
        let killed = || service("killed", NOW - 60, None);
        let ended = || service("ended", NOW - 1, Some("told to end by SIGTERM"));
        for (services, expected) in [
            (vec![], &["never run"][..]),
            (vec![works()], &[]),
            (vec![killed()], &["on killed has not run since 1970-01-12T13:45:40Z"]),
            (
                vec![ended(), killed()],
                &["on ended has ended at 1970-01-12T13:46:39Z: told to end by SIGTERM"],
            ),
            (vec![ended(), works()], &[]),
            (vec![killed(), works()], &["on killed has not run"]),
            (vec![service("old", 0, None), works()], &[]),
        ] {
            let found = of_services(&services, NOW);
            assert_eq!(found.len(), expected.len(), "{found:?}");
            for (found, words) in found.iter().zip(expected) {
                let (what, remedy) = (found.fault.what(English), found.fault.remedy(English));
                assert!(what.contains(words) && remedy.contains("systemctl start"), "{found:?}");
            }
        }
    }

    #[test]
    fn what_has_ended_is_found_and_what_ends_soon_is_not() {
        let end = |ending, ends| End { ending, name: "My CA".to_owned(), ends: Some(ends) };
        let pin = || Ending::Pin { partner: "ACME".to_owned() };
        let ends = [end(Ending::DownloadedCrl, NOW - 1), end(pin(), NOW - 1), end(pin(), NOW + 1)];
        let daemons = [daemon("client", Condition::Running, None), daemon("server", Condition::Joined, None)];
        let found = of(&daemons, &ends, (7, 0), NOW);
        assert_eq!(found.len(), 2);
        let texts = |at: usize| (found[at].fault.what(English), found[at].fault.remedy(English));
        assert!(texts(0).0.starts_with("CRL My CA has ended") && texts(0).1.contains("crl list"));
        assert_eq!(texts(1).1, "os4xapi partner set ACME --pin CURRENT --pin NEXT");
        let key = Ending::ApiKey { key: "monitor".to_owned() };
        let key = End { ending: key, name: "monitor".to_owned(), ends: Some(NOW - 1) };
        assert_eq!(of(&daemons, &[key], (7, 0), NOW)[0].severity, Severity::Warning);
    }

    #[test]
    fn a_finding_has_its_sentences_in_both_languages_and_json_has_the_english_ones() {
        let ended = daemon("client", Condition::Ended, None);
        let ahead = DaemonState { time: NOW + 90, ..well() };
        let ahead = daemon("server", Condition::Joined, Some(ahead));
        let found = of(&[ended, ahead], &[], (7, 0), NOW);
        let whats = |language: Language| found.iter().map(|one| one.fault.what(language)).collect::<Vec<_>>();
        assert_eq!(
            whats(Language::German),
            [
                "der Client my-client wurde um 1970-01-12T13:46:40Z beendet: told to end by SIGTERM",
                "die Uhr von Server my-server geht 90 s vor der des Backends",
            ]
        );
        let json = serde_json::to_value(&found[0]).unwrap();
        assert_eq!((&json["severity"], &json["what"]), (&"bad".into(), &whats(English)[0].clone().into()));
        assert_ne!(found[0].fault.remedy(Language::German), found[0].fault.remedy(English));
    }
}
