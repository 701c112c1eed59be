//! Signals to single processes of a running site, those of operators and those that kill: each only changes the process
//! that gets it, and when a session ends, both sides see why. Also what other users can see of the processes.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::report::Ending;
use oftp2peer::oftp::settings::OutFile;
use oftp2peer::transport::Break;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use t::installation::runs;
use t::loglines::Line;
use t::site::{Builder, Flight, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// 20 to 24, and the levels that they choose.
const LEVELS: [(Signal, &str); 5] = [
    (Signal::SIGTSTP, "TRACE"),
    (Signal::SIGTTIN, "DEBUG"),
    (Signal::SIGXCPU, "FATAL"),
    (Signal::SIGURG, "ERROR"),
    (Signal::SIGTTOU, "INFO"),
];
/// Signals that have no meaning here and would end a process: USR1, USR2, ALRM, STKFLT, XFSZ, VTALRM, PROF, IO, PWR,
/// SYS, then the first and the last real-time signal.
const MEANINGLESS: [i32; 12] = [10, 12, 14, 16, 25, 26, 27, 29, 30, 31, 34, 64];
const DAEMONS: [Role; 2] = [Role::Server, Role::Client];

/// How often such a line is in the log; only lines of this process if one is given.
fn count(site: &Site, role: Role, pid: Option<Pid>, is_it: impl Fn(&Line) -> bool) -> usize {
    let of = |line: &Line| pid.is_none_or(|pid| i32::try_from(line.pid) == Ok(pid.as_raw()));
    site.log(role).lines().filter_map(Line::read).filter(|line| of(line) && is_it(line)).count()
}

fn events(site: &Site, role: Role, event: &str) -> usize {
    count(site, role, None, |line| line.event() == event)
}

/// The process of `role` that serves the only session.
fn session(site: &Site, role: Role) -> Pid {
    wait_for("the session's begin in the log", || {
        let log = site.log(role);
        let line = log.lines().rev().filter_map(Line::read).find(|line| line.event() == "session_begin")?;
        Some(Pid::from_raw(line.pid.cast_signed()))
    })
}

fn take_off(site: &Site) -> Flight {
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    assert!(DAEMONS.iter().all(|role| runs(session(site, *role))));
    flight
}

fn wait_all_parked(site: &Site) {
    for role in DAEMONS {
        site.wait_parked(role);
    }
}

fn api_worker(site: &Site) -> Pid {
    wait_for("the API worker", || site.titled(Role::Client, "API worker").first().copied())
}

#[test]
fn each_process_has_a_level_of_its_own() {
    let site = Site::start("log-levels").unwrap();
    let flight = take_off(&site);
    let mut processes = vec![(Role::Client, api_worker(&site))];
    for role in DAEMONS {
        processes
            .extend([session(&site, role), *site.wait_parked(role).first().unwrap()].map(|pid| (role, pid)));
    }
    // The parents come last, because they replace their parked children.
    processes.extend(DAEMONS.map(|role| (role, site.pid(role))));
    for (role, pid) in &processes {
        for (signal, level) in LEVELS {
            let all = events(&site, *role, "level");
            kill(*pid, signal).unwrap();
            let chosen = |line: &Line| line.text == format!("level level={level}") && line.level == level;
            wait_for(&format!("{level} of {pid}"), || {
                (count(&site, *role, Some(*pid), chosen) == 1).then_some(())
            });
            assert_eq!(events(&site, *role, "level"), all + 1, "another process has changed its level too");
        }
    }
    // One more signal: all lines of this process from now on are its own.
    let one = session(&site, Role::Server);
    let mark = site.mark(Role::Server);
    kill(one, Signal::SIGTSTP).unwrap();
    wait_for("TRACE again", || site.log(Role::Server)[mark..].contains("level=TRACE").then_some(()));
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    wait_for("the session's end", || site.log(Role::Server)[mark..].contains("session_end ").then_some(()));
    let log = site.log(Role::Server)[mark..].to_owned();
    let fine = log.lines().filter_map(Line::read).filter(|line| ["DEBUG", "TRACE"].contains(&line.level));
    let by: BTreeSet<i32> =
        fine.filter(|line| line.event() != "level").map(|line| line.pid.cast_signed()).collect();
    assert_eq!(by, BTreeSet::from([one.as_raw()]));
    site.end();
}

#[test]
fn children_that_a_parent_forks_later_have_its_new_level() {
    let site = Site::start("inherited").unwrap();
    for role in DAEMONS {
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        let flight = take_off(&site);
        let older = session(&site, role);
        let parked = site.wait_parked(role);
        let elsewhere = count(&site, other, None, |line| line.level == "DEBUG");
        kill(site.pid(role), Signal::SIGTTIN).unwrap();
        wait_for("new parked children", || site.wait_parked(role).is_disjoint(&parked).then_some(()));
        site.assert_works();
        let newer = session(&site, role);
        wait_for("DEBUG lines of the new session", || {
            (count(&site, role, Some(newer), |line| line.level == "DEBUG") > 0).then_some(())
        });
        let report = flight.land().unwrap();
        assert!(report.is_good(), "{report:?}");
        wait_for("its end line", || {
            (count(&site, role, Some(older), |line| line.event() == "session_end") == 1).then_some(())
        });
        assert_eq!(count(&site, role, Some(older), |line| line.level == "DEBUG"), 0);
        assert_eq!(count(&site, other, None, |line| line.level == "DEBUG"), elsewhere);
        kill(site.pid(role), Signal::SIGTTOU).unwrap();
    }
    site.end();
}

#[test]
fn a_signal_without_a_meaning_is_logged_and_ends_nothing() {
    let site = Site::start("meaningless").unwrap();
    let flight = take_off(&site);
    let mut processes = vec![(Role::Client, api_worker(&site))];
    for role in DAEMONS {
        let children = [session(&site, role), *site.wait_parked(role).first().unwrap()];
        processes.extend(children.into_iter().chain([site.pid(role)]).map(|pid| (role, pid)));
    }
    for (role, pid) in processes {
        for number in MEANINGLESS {
            // With kill(1), because nix knows no real-time signals.
            let sent = Command::new("sh").args(["-c", &format!("kill -{number} {pid}")]).status().unwrap();
            assert!(sent.success());
            let told = |line: &Line| {
                line.event() == "signal_ignored"
                    && line.level == "WARN"
                    && line.field("number") == Some(number.to_string())
            };
            wait_for(&format!("a word of {pid} about {number}"), || {
                (count(&site, role, Some(pid), told) == 1).then_some(())
            });
        }
        assert!(runs(pid));
    }
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.assert_works();
    site.end();
}

#[test]
fn quit_ends_both_daemons_in_order() {
    let mut site = Site::start("quit").unwrap();
    for role in DAEMONS.into_iter().rev() {
        let mark = site.mark(role);
        site.signal(role, Signal::SIGQUIT);
        assert_eq!(site.wait_end(role).and_then(|status| status.code()), Some(0), "{role:?}");
        assert!(!site.pid_file(role).exists(), "{role:?}");
        assert!(!site.log(role)[mark..].contains("signal_ignored"), "{role:?}");
    }
    site.end();
}

#[test]
fn a_session_process_that_must_end_says_esid_05_to_both_sides() {
    let site = Site::start("ended-by-signal").unwrap();
    for (role, signal) in [
        (Role::Server, Signal::SIGHUP),
        (Role::Server, Signal::SIGTERM),
        (Role::Server, Signal::SIGQUIT),
        (Role::Client, Signal::SIGHUP),
        (Role::Client, Signal::SIGTERM),
    ] {
        let flight = take_off(&site);
        let ends = DAEMONS.map(|role| events(&site, role, "session_end"));
        let child = session(&site, role);
        kill(child, signal).unwrap();
        let report = flight.land().unwrap();
        let station = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert_eq!(
            (report.ending.reason(), station.ending.reason()),
            (Some(5), Some(5)),
            "{role:?} {signal}"
        );
        let terminated = |line: &Line| line.field("reason").as_deref() == Some("terminated");
        wait_for("its end line", || (count(&site, role, Some(child), terminated) == 1).then_some(()));
        for (role, before) in DAEMONS.into_iter().zip(ends) {
            wait_for("one end line", || (events(&site, role, "session_end") == before + 1).then_some(()));
            assert_eq!(events(&site, role, "session_crashed"), 0);
        }
        site.assert_works();
        site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
    }
    site.end();
}

#[test]
fn a_session_process_that_dies_is_a_break_to_both_sides_and_one_line() {
    let site = Site::start("crash").unwrap();
    for (role, other) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
        let flight = take_off(&site);
        let child = session(&site, role);
        let ends = events(&site, other, "session_end");
        kill(child, Signal::SIGKILL).unwrap();
        let report = flight.land().unwrap();
        let is_break = |end: &Option<Break>| matches!(end, None | Some(Break::Reset | Break::Fin));
        assert!(matches!(report.ending, Ending::Broken(_)) && is_break(&report.close), "{report:?}");
        let station = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert!(
            matches!(station.ending, Ending::Broken(_)) && station.receipts_sent.is_empty(),
            "{station:?}"
        );
        let crashed = |line: &Line| {
            line.event() == "session_crashed"
                && line.level == "ERROR"
                && line.field("pid") == Some(child.to_string())
                && line.field("reason").as_deref() == Some("killed-by-SIGKILL")
                && line.field("partner").as_deref() == Some("acme")
        };
        wait_for("the parent's line", || {
            (count(&site, role, Some(site.pid(role)), crashed) == 1).then_some(())
        });
        wait_for("the other one's line", || (events(&site, other, "session_end") == ends + 1).then_some(()));
        site.assert_works();
        site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert_eq!(events(&site, role, "session_crashed"), 1);
    }
    site.end();
}

#[test]
fn a_process_that_serves_nobody_is_replaced_without_a_line_about_sessions() {
    let site = Site::start("replaced").unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        for role in DAEMONS {
            let victim = *site.wait_parked(role).first().unwrap();
            kill(victim, signal).unwrap();
            wait_for("its end", || (!runs(victim)).then_some(()));
            wait_all_parked(&site);
            site.assert_works();
        }
        let worker = api_worker(&site);
        kill(worker, signal).unwrap();
        wait_for("another API worker", || (api_worker(&site) != worker).then_some(()));
        site.assert_works();
    }
    for role in DAEMONS {
        assert_eq!(events(&site, role, "session_crashed"), 0);
        assert_eq!(events(&site, role, "session_begin"), 6);
    }
    site.end();
}

#[test]
fn ps_shows_what_each_process_does() {
    let site = Site::start("titles").unwrap();
    let flight = take_off(&site);
    wait_all_parked(&site);
    let mut shown: Vec<String> = site.processes().into_iter().map(Site::title).collect();
    shown.retain(|title| title.starts_with("os4x_proxy"));
    shown.sort_unstable();
    let log = site.log(Role::Client);
    let begin = log.lines().filter_map(Line::read).find(|line| line.event() == "session_begin").unwrap();
    let partner = begin.field("address").unwrap();
    let mut due = vec![
        format!("os4x_proxyserver2: client 127.0.0.1 joined, partners on {}", site.tls),
        format!("os4x_proxyserver2: incoming {} O0013ACME", partner.split(':').next().unwrap()),
        "os4x_proxyclient2: API worker".to_owned(),
        "os4x_proxyclient2: API watcher".to_owned(),
        format!("os4x_proxyclient2: incoming {} O0013ACME", partner.split(':').next().unwrap()),
        format!("os4x_proxyclient2: joined {}", site.internal),
        "os4x_proxyclient2: forker".to_owned(),
        "os4x_proxyserver2: forker".to_owned(),
        "os4x_proxyclient2: attendant".to_owned(),
        "os4x_proxyserver2: attendant".to_owned(),
    ];
    due.extend(vec!["os4x_proxyserver2: parked".to_owned(); 4]);
    due.extend(vec!["os4x_proxyclient2: parked".to_owned(); 4]);
    due.sort_unstable();
    assert_eq!(shown, due);
    assert!(flight.land().unwrap().is_good());
    site.end();
}

#[test]
fn no_process_shows_token_or_password_and_no_log_has_them() {
    let mut site = Builder::new("canaries").prepare().unwrap();
    for (role, up) in [(Role::Api, "listening on"), (Role::Server, "daemon_start")] {
        site.restart(role).unwrap();
        site.wait_log(role, up);
    }
    let token = fs::read_to_string(site.folder(Role::Client).join("token")).unwrap().trim().to_owned();
    let url = site.api_url.replacen("https://", "https://somebody:c4nary-password@", 1);
    let mut command = Command::new(site.detached(Role::Client).get_program());
    command
        .args(["-U", &url, "-S", &site.internal.to_string(), "-T", &token])
        .env("C4NARY", "c4nary-password");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let client: i32 = fs::read_to_string(site.pid_file(Role::Client)).unwrap().trim().parse().unwrap();
    site.wait_open();
    let worker =
        site.processes().into_iter().find(|pid| Site::title(*pid).ends_with(": API worker")).unwrap();
    for process in [Pid::from_raw(client), worker, site.pid(Role::Server)] {
        kill(process, Signal::SIGTSTP).unwrap();
    }
    for (role, expected) in [(Role::Server, 1), (Role::Client, 2)] {
        wait_for("TRACE", || (events(&site, role, "level") == expected).then_some(()));
    }
    site.assert_works();
    let flight = take_off(&site);
    let secrets = [token.split('.').next().unwrap(), "c4nary-password"];
    let ours: Vec<Pid> =
        site.processes().into_iter().filter(|pid| Site::title(*pid).starts_with("os4x_proxy")).collect();
    assert!(ours.len() >= 5, "{ours:?}");
    for pid in ours {
        for file in ["cmdline", "environ"] {
            // A process that has ended meanwhile shows nothing.
            let octets = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
            let text = String::from_utf8_lossy(&octets);
            assert!(!secrets.iter().any(|secret| text.contains(secret)), "{file} of {pid}: {text}");
        }
    }
    assert!(flight.land().unwrap().is_good());
    for role in DAEMONS {
        let all = site.log(role) + &site.output(role);
        assert!(all.contains(" TRACE ") && !secrets.iter().any(|secret| all.contains(secret)), "{role:?}");
    }
    kill(Pid::from_raw(client), Signal::SIGTERM).unwrap();
    wait_for("the client's end", || (!runs(Pid::from_raw(client))).then_some(()));
    site.end();
}

/// The CPU time limit sends 24, which chooses a level if it comes from somebody else.
#[test]
fn a_cpu_time_limit_changes_no_level_and_ends_no_session() {
    let mut site = Site::start("cpu-limit").unwrap();
    // How much takes a second depends on the processor: twice as much each time, until it does.
    for octets in [300_000_000, 600_000_000, 1_200_000_000, 2_400_000_000] {
        for pid in site.wait_parked(Role::Server) {
            let done = Command::new("prlimit").args(["--pid", &pid.to_string(), "--cpu=1:"]).status();
            assert!(done.is_ok_and(|status| status.success()));
        }
        let report = site.partner("O0013ACME").unwrap().send([OutFile::octets("LARGE", vec![b'x'; octets])]);
        assert!(report.is_good(), "{report:?}");
        if site.log(Role::Server).contains("signal_ignored") {
            break;
        }
    }
    site.wait_log(Role::Server, "signal_ignored signal=SIGXCPU number=24");
    assert_eq!(events(&site, Role::Server, "level"), 0);
    site.end();
}
