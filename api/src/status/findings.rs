//! The faults of a site, and what to do about each. Pure.

use super::daemons::{Condition, Daemon};
use crate::expiry::End;
use crate::store::states::Service;
use common::state::DaemonState;
use common::text::clock;
use serde::Serialize;

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

/// A fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Its severity.
    pub(crate) severity: Severity,
    /// The object and its fault.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

fn finding(what: String, remedy: &str) -> Finding {
    Finding { severity: Severity::Bad, what, remedy: remedy.to_owned() }
}

fn warning(what: String, remedy: &str) -> Finding {
    Finding { severity: Severity::Warning, ..finding(what, remedy) }
}

/// The faults of the processes of `serve` on this database: without one of them no daemon is served.
pub(super) fn of_services(services: &[Service], now: i64) -> Vec<Finding> {
    let remedy = "start it: 'systemctl start os4xapi', or 'os4xapi serve'; sessions go on meanwhile, but no daemon \
                  gets another configuration, and no client can start";
    let is_at_work = |service: &Service| service.ended.is_none() && service.heard >= now - AT_WORK;
    if services.is_empty() {
        return vec![finding("'os4xapi serve' has never run on this database".to_owned(), remedy)];
    }
    let is_served = services.iter().any(is_at_work);
    let gone = services.iter().filter(|service| !is_at_work(service));
    // Beside one that runs: one that has ended in order, or long ago, does not matter.
    let gone = gone.filter(|one| !is_served || (one.ended.is_none() && one.heard > now - clock::DAY));
    let newest = if is_served { 0 } else { services.iter().map(|one| one.heard).max().unwrap_or_default() };
    gone.filter(|service| service.heard >= newest).map(|service| of_service(service, remedy)).collect()
}

fn of_service(service: &Service, remedy: &str) -> Finding {
    let Service { name, heard, ended } = service;
    let heard = clock::rfc3339(*heard);
    let what = match ended {
        Some(why) => format!("'os4xapi serve' on {name} has ended at {heard}: {why}"),
        None => format!(
            "'os4xapi serve' on {name} has not run since {heard}: it was killed, its host is down, or it does not \
             reach the database"
        ),
    };
    finding(what, remedy)
}

/// All faults of daemons, and everything that has expired, the worst first. `newest`: the newest generation, and the
/// time of the last change.
pub(super) fn of(daemons: &[Daemon], ends: &[End], newest: (u64, i64), now: i64) -> Vec<Finding> {
    let mut all = Vec::new();
    if !daemons.iter().any(|daemon| daemon.kind == "client") {
        let remedy = "start os4x_proxyclient2 on an inside host; 'os4xapi setup' makes what it needs";
        all.push(finding("no client has ever called".to_owned(), remedy));
    }
    if !daemons.iter().any(|daemon| daemon.kind == "server") {
        let remedy = "list its Proxy ID with 'os4xapi proxy add'; os4x_proxyserver2 -V shows it";
        all.push(finding("no server is listed".to_owned(), remedy));
    }
    for daemon in daemons {
        all.extend(of_condition(daemon));
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

/// The finding for its condition.
fn of_condition(daemon: &Daemon) -> Option<Finding> {
    let Daemon { kind, title, heard, ended, .. } = daemon;
    let heard = heard.map(clock::rfc3339).unwrap_or_default();
    let (what, remedy) = match daemon.condition {
        Condition::Running | Condition::Joined => return None,
        Condition::Older => (
            format!("the {kind} {title} is of an older version, and does not report its state"),
            "install this version there: until then its state and its refusals are not known",
        ),
        Condition::Ended => (
            format!("the {kind} {title} has ended at {heard}: {}", ended.as_deref().unwrap_or_default()),
            "partners are not served without a client: start it again ('systemctl start os4x_proxyclient2')",
        ),
        Condition::Silent => (
            format!("the {kind} {title} has not reported since {heard}"),
            "check that it runs ('systemctl status os4x_proxyclient2') and reaches the backend, and that \
             'os4xapi serve' runs",
        ),
        Condition::Lost => (
            format!("the {kind} {title} is not joined any more, since {heard}"),
            "check that it runs, and that a client runs: the client joins it by itself when both run",
        ),
        Condition::NeverJoined => (
            format!("the {kind} {title} is listed, but no client has reported it"),
            "start os4x_proxyserver2 there, and os4x_proxyclient2 with its address as -S; 'os4xapi proxy remove' if it \
             is out of service",
        ),
    };
    let found = finding(what, remedy);
    Some(if daemon.condition == Condition::Older {
        Finding { severity: Severity::Warning, ..found }
    } else {
        found
    })
}

/// The findings from the state that a running daemon has reported.
fn add_state(daemon: &Daemon, state: &DaemonState, newest: (u64, i64), now: i64, all: &mut Vec<Finding>) {
    let name = format!("the {} {}", daemon.kind, daemon.title);
    let (generation, changed) = newest;
    match state.generation {
        None if state.time - state.started < START => {}
        None => all.push(finding(
            format!("{name} has no configuration in force"),
            "'os4xapi log' says which one was refused, and why",
        )),
        Some(held) if held != generation && changed < now - IN_FORCE => all.push(warning(
            format!("{name} has generation {held} in force, and {generation} is the newest"),
            "'os4xapi log' says why the newest was refused",
        )),
        Some(_) => {}
    }
    for (what, used, setting) in [
        ("incoming sessions", state.incoming, "proxy_sessions"),
        ("outgoing sessions", state.outgoing, "proxy_outgoing_sessions"),
        ("connections that are not verified", state.unverified, "proxy_unverified_hard"),
    ] {
        if used.limit > 0 && used.used >= used.limit {
            let remedy =
                format!("others are refused until one ends; 'os4xapi config set {setting}' allows more");
            all.push(finding(format!("{name} has reached its limit of {what}: {}", used.used), &remedy));
        }
    }
    let skew = state.time.saturating_sub(daemon.heard.unwrap_or(state.time));
    if skew.unsigned_abs() > SKEW {
        let ahead = if skew > 0 { "ahead of" } else { "behind" };
        all.push(warning(
            format!("the clock of {name} is {} s {ahead} the backend's", skew.unsigned_abs()),
            "set the clocks of both hosts, preferably with NTP: certificates and licences are judged by them",
        ));
    }
    if let Some(fault) = state.fault.as_ref().filter(|fault| fault.time > now - RECENT) {
        all.push(warning(
            format!("{name} at {}: {}", clock::rfc3339(fault.time), fault.text),
            "its log has more; os4x_smartproxy-trouble(7) has causes and remedies",
        ));
    }
}

/// The finding for something that has expired.
fn of_end(end: &End) -> Finding {
    let End { what, name, ends, .. } = end;
    let what = match ends {
        Some(ends) => format!("{what} {name} has ended at {}", clock::rfc3339(*ends)),
        None => format!("{what} {name} cannot be read"),
    };
    if end.what == "CRL" && end.by_itself {
        let remedy = "partners of that CA are refused: 'os4xapi crl list' says why there is no newer one, 'os4xapi crl \
                      add FILE' brings it";
        return finding(what, remedy);
    }
    let found = finding(what, &end.renewal);
    // Partners do not need the program whose key it was.
    if end.what == "API key" { Finding { severity: Severity::Warning, ..found } } else { found }
}

#[cfg(test)]
mod tests {
    use super::{Condition, Daemon, DaemonState, End, Finding, Service, Severity, of, of_services};
    use common::state::{Fault, Use};

    const NOW: i64 = 1_000_000;

    fn daemon(kind: &'static str, condition: Condition, state: Option<DaemonState>) -> Daemon {
        Daemon {
            kind,
            name: kind.to_owned(),
            title: format!("my-{kind}"),
            condition,
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
        of(&daemons, &[], (7, changed), NOW).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_site_that_is_well_has_no_findings_and_an_empty_one_says_how_to_begin() {
        assert_eq!(found(well(), 0), Vec::<String>::new());
        let begin = of(&[], &[], (1, 0), NOW);
        assert_eq!(begin.len(), 2);
        assert!(begin.iter().all(|Finding { remedy, .. }| remedy.contains("os4xapi")), "{begin:?}");
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
            assert!(found.len() == 1 && found[0].what.contains(words), "{words}: {found:?}");
        }
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
                assert!(found.what.contains(words) && found.remedy.contains("systemctl start"), "{found:?}");
            }
        }
    }

    #[test]
    fn what_has_ended_is_found_and_what_ends_soon_is_not() {
        let end = |what, ends, by_itself| End {
            what,
            name: "My CA".to_owned(),
            ends: Some(ends),
            by_itself,
            renewal: "renew".to_owned(),
        };
        let ends = [end("CRL", NOW - 1, true), end("pin", NOW - 1, false), end("pin", NOW + 1, false)];
        let daemons = [daemon("client", Condition::Running, None), daemon("server", Condition::Joined, None)];
        let found = of(&daemons, &ends, (7, 0), NOW);
        assert_eq!(found.len(), 2);
        assert!(found[0].what.starts_with("CRL My CA has ended") && found[0].remedy.contains("crl list"));
        assert_eq!(found[1].remedy, "renew");
        let found = of(&daemons, &[end("API key", NOW - 1, false)], (7, 0), NOW);
        assert_eq!(found[0].severity, Severity::Warning);
    }
}
