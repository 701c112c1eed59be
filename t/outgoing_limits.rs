//! Outgoing sessions as processes: how many there may be, pairs and data connections that are lost while a station
//! waits, signals to a session's processes, and their titles in `ps`.

use crate::outward::{
    acme, add, certificate, connect, faulty, launch, launch_as_it_is, listening, prepare, refusal, socks,
    station, tls,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::Running;
use oftp2peer::oftp::report::{Ending, Report};
use oftp2peer::oftp::settings::{Act, Misbehaviour, OutFile, Point};
use oftp2peer::transport::Break;
use serde_json::json;
use std::collections::BTreeSet;
use std::thread::{JoinHandle, spawn};
use std::time::{Duration, SystemTime};
use t::installation::runs;
use t::licence;
use t::link::Control;
use t::loglines::Line;
use t::site::{Builder, Flight, Role, Site, sockets};
use t::wait::{PATIENCE, wait_for, wait_slow};

const DAEMONS: [Role; 2] = [Role::Server, Role::Client];

/// A site with a good partner `acme`, launched.
fn site(builder: Builder) -> (Site, Running) {
    let site = builder.outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    (launch(site, &partner, &[]), partner)
}

/// A call of the station in a separate thread.
fn call(site: &Site, to: &str) -> JoinHandle<Report> {
    let own = station(&to, connect(site));
    spawn(move || own.call())
}

/// The one process of `role` that serves a station, as `ps` shows it.
fn serving(site: &Site, role: Role, title: &str) -> Pid {
    wait_for(&format!("a process '{title}'"), || site.titled(role, title).first().copied())
}

fn assert_goes_out(site: &Site) {
    let report = station(&"acme", connect(site)).send([OutFile::octets("FILE", *b"hello")]);
    assert!(report.is_good(), "{report:?}");
}

#[test]
fn outgoing_sessions_are_limited_on_their_own() {
    let builder = Builder::new("out-limits");
    let builder = ["proxy_outgoing_sessions", "proxy_sessions_per_partner", "proxy_sessions"]
        .into_iter()
        .fold(builder, |builder, setting| builder.setting(setting, "1"));
    let (mut site, partner) = site(builder);
    let outward = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    let report = station(&"acme", connect(&site)).call();
    assert!(refusal(&report).contains("HTTP/1.1 503 capacity: "), "{report:?}");
    let report = station(&partner.address(), socks(&site)).call();
    assert!(refusal(&report).contains("SOCKS5 code 1"), "{report:?}");
    site.wait_log(Role::Client, "session_refused direction=outgoing*reason=capacity");
    wait_for("the system log to tell of it", || {
        site.api(&["log", "--json"]).unwrap().contains("outgoing session refused: capacity").then_some(())
    });
    // In the other direction there is room for one session, and no more.
    let inward = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    assert_eq!(site.partner("O0013ACME").unwrap().call().ending.reason(), Some(8));
    assert!(outward.land().unwrap().is_good());
    wait_for("room for one more station", || station(&"acme", connect(&site)).call().is_good().then_some(()));
    assert!(inward.land().unwrap().is_good());
    site.end();
}

#[test]
fn a_station_that_comes_while_the_client_is_out_of_descriptors_waits() {
    let (mut site, _partner) = site(Builder::new("out-descriptors"));
    site.limit_descriptors(Role::Client, 3);
    let call = call(&site, "acme");
    site.wait_log(Role::Client, "listener_error listener=local*it cannot accept");
    // Meanwhile it runs no busy loop and does not fill its log.
    site.wait_rests(Role::Client, 10);
    site.limit_descriptors(Role::Client, 1024);
    let report = call.join().unwrap();
    assert!(report.is_good(), "{report:?}");
    assert_eq!(site.log(Role::Client).matches("it cannot accept").count(), 1);
    site.end();
}

#[test]
fn the_server_counts_outgoing_sessions_whatever_its_client_asks_for() {
    let builder = Builder::new("out-counts").setting("proxy_outgoing_sessions", "1");
    let (mut site, _partner) = site(builder.setting("proxy_parked_pairs", "1"));
    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    site.wait_log_after(Role::Server, mark, "client_gone");
    wait_for("the internal port to listen", || sockets::is_open(site.internal).then_some(()));
    let mut client = Control::join(&site).unwrap();
    client.pass_config(&site).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    // One pair for a session, one to be parked.
    let pairs = [(); 2].map(|()| client.outgoing_pair().unwrap().unwrap());
    let refused = client.outgoing_pair().unwrap().unwrap_err();
    assert_eq!(refused, "the server has reached its limit of processes for outgoing sessions");
    let [mut first, mut second] = pairs.map(|pair| pair.begin(pair.dial(&site).unwrap()).unwrap());
    let dial = json!({"target": {"partner": "acme"}});
    first.send(&dial).unwrap();
    assert_eq!(first.receive().unwrap()["ready"]["ssid"], "O0013ACME");
    second.send(&dial).unwrap();
    assert_eq!(second.receive().unwrap()["failed"]["word"], "capacity");
    drop((first, second));
    for line in
        ["session_refused*reason=capacity*partner=acme", "session_end*partner=acme*reason=station-broke"]
    {
        site.wait_log_after(Role::Server, mark, line);
    }
    site.end();
}

#[test]
fn each_station_hears_that_the_licence_has_expired() {
    const LIFE: Duration = Duration::from_secs(15);
    let site = Builder::new("out-licence").outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let end = SystemTime::now() + LIFE;
    licence::renew(&site, LIFE).unwrap();
    let mut site = launch(site, &partner, &[]);
    assert_goes_out(&site);
    wait_slow(LIFE, "the end of the licence", || {
        (SystemTime::now() > end + Duration::from_secs(1)).then_some(())
    });
    let calls = partner.connections();
    // More stations than there are parked pairs, one after the other.
    for _ in 0..6 {
        let report = station(&"acme", connect(&site)).call();
        assert!(refusal(&report).contains("HTTP/1.1 503 licence: "), "{report:?}");
    }
    let report = station(&partner.address(), socks(&site)).call();
    assert!(refusal(&report).contains("SOCKS5 code 1"), "{report:?}");
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=licence*partner=acme");
    assert_eq!(partner.connections(), calls);
    site.end();
}

#[test]
fn a_station_whose_pair_is_of_no_use_gets_another() {
    let (site, _partner) = site(Builder::new("stale").setting("proxy_parked_age", "10"));
    let parked = wait_for("eight parked processes", || {
        Some(site.titled(Role::Server, "parked")).filter(|parked| parked.len() == 8)
    });
    // None of them joins any more; the station's pair becomes too old meanwhile.
    let all = |signal| {
        for pid in &parked {
            kill(*pid, signal).unwrap();
        }
    };
    all(Signal::SIGSTOP);
    assert_goes_out(&site);
    all(Signal::SIGCONT);
    wait_for("the end of the old ones", || parked.iter().all(|pid| !runs(*pid)).then_some(()));
    for role in DAEMONS {
        assert!(
            !site.log(role).contains(" session_refused ") && !site.log(role).contains(" session_crashed ")
        );
    }
    assert_goes_out(&site);
    site.end();
}

/// A site whose partner `mute` says nothing, and a station that waits for it.
fn waiting(name: &str) -> (Site, Running, JoinHandle<Report>) {
    let mut site = prepare(name);
    let silence = faulty(Misbehaviour { at: Point::Connected, act: Act::Silence });
    let partner = listening(silence, Some(tls(&site, &certificate(&site))));
    add(&site, "mute", partner.address().port(), &[]);
    launch_as_it_is(&mut site);
    let call = call(&site, "mute");
    serving(&site, Role::Server, "outgoing mute O0013MUTE");
    serving(&site, Role::Client, "outgoing mute");
    (site, partner, call)
}

#[test]
fn a_station_that_waits_gets_a_status_when_a_process_is_lost() {
    for (name, role, signal, status, theirs) in [
        ("server-kill", Role::Server, Signal::SIGKILL, "HTTP/1.1 503 link-broke: ", "link-broke"),
        ("server-term", Role::Server, Signal::SIGTERM, "HTTP/1.1 503 terminated: ", "terminated"),
        ("client-term", Role::Client, Signal::SIGTERM, "HTTP/1.1 503 terminated: ", "station-broke"),
        // No process is left that could tell the station.
        ("client-kill", Role::Client, Signal::SIGKILL, "(no answer)", "station-broke"),
    ] {
        let (mut site, partner, call) = waiting(name);
        let title = if role == Role::Server { "outgoing mute O0013MUTE" } else { "outgoing mute" };
        kill(serving(&site, role, title), signal).unwrap();
        let report = call.join().unwrap();
        assert!(refusal(&report).contains(status), "{name}: {report:?}");
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        site.wait_log(other, &format!("session_refused direction=outgoing*reason={theirs}"));
        let own = if signal == Signal::SIGKILL { "session_crashed" } else { "session_refused" };
        site.wait_log(role, &format!("{own} direction=outgoing"));
        assert!(!partner.next_report(PATIENCE).unwrap().ending.is_normal(), "{name}");
        for role in DAEMONS {
            let log = site.log(role);
            let lines =
                ["session_refused", "session_crashed"].map(|line| log.matches(&format!(" {line} ")).count());
            assert_eq!(lines.iter().sum::<usize>(), 1, "{name}: {log}");
        }
        site.end();
    }
}

#[test]
fn a_station_that_waits_gets_a_status_when_the_server_dies() {
    let (mut site, partner) = site(Builder::new("server-dies"));
    // The control connection, and four parked pairs each way.
    wait_for("all pairs", || sockets::at(site.internal).is_ok_and(|all| all.len() == 9).then_some(()));
    // The child asks its parent for admission, and the parent does not answer.
    kill(site.pid(Role::Server), Signal::SIGSTOP).unwrap();
    let call = call(&site, "acme");
    serving(&site, Role::Server, "outgoing acme O0013ACME");
    kill(site.pid(Role::Server), Signal::SIGKILL).unwrap();
    let report = call.join().unwrap();
    assert!(refusal(&report).contains("HTTP/1.1 503 link-broke: "), "{report:?}");
    for role in DAEMONS {
        site.wait_end(role);
    }
    // The line of the child may be written after its parent has ended.
    wait_for("the refusal in the client's log", || {
        let log = site.log(Role::Client);
        let mut refusals = log.lines().filter(|line| line.contains("session_refused direction=outgoing"));
        refusals.any(|line| line.contains("reason=link-broke")).then_some(())
    });
    assert_eq!(partner.connections(), 0);
    site.end();
}

#[test]
fn signals_to_an_outgoing_session_affect_only_that_session_and_ps_shows_its_partner() {
    let (mut site, partner) = site(Builder::new("out-signals"));
    for (role, signal) in [
        (Role::Server, Signal::SIGHUP),
        (Role::Server, Signal::SIGTERM),
        (Role::Client, Signal::SIGHUP),
        (Role::Client, Signal::SIGTERM),
    ] {
        let mark = DAEMONS.map(|role| site.mark(role));
        let flight = Flight::take_off(station(&partner.address(), connect(&site))).unwrap();
        let title = format!("outgoing {} O0013ACME", partner.address());
        let processes = DAEMONS.map(|role| serving(&site, role, &title));
        for (role, (pid, mark)) in DAEMONS.into_iter().zip(processes.into_iter().zip(mark)) {
            let levels = [
                (Signal::SIGTSTP, "TRACE"),
                (Signal::SIGTTIN, "DEBUG"),
                (Signal::SIGXCPU, "FATAL"),
                (Signal::SIGURG, "ERROR"),
                (Signal::SIGTTOU, "INFO"),
            ];
            for (at, (signal, level)) in levels.into_iter().enumerate() {
                kill(pid, signal).unwrap();
                site.wait_log_after(role, mark, &format!("[{pid}] level level={level}"));
                let changes = site.log(role)[mark..].matches(" level level=").count();
                assert_eq!(changes, at + 1, "another process has changed its level too");
            }
        }
        let child = processes[usize::from(role == Role::Client)];
        kill(child, signal).unwrap();
        let ended = flight.land().unwrap();
        let theirs = partner.next_report(PATIENCE).unwrap();
        assert_eq!((ended.ending.reason(), theirs.ending.reason()), (Some(5), Some(5)), "{role:?} {signal}");
        for (at, pid) in DAEMONS.into_iter().zip(processes) {
            let end = format!("[{pid}] session_end ");
            let line = site.wait_log(at, &format!("{end}direction=outgoing*esid=05"));
            let reason = Line::read(&line).unwrap().field("reason");
            let due = if at == role { "terminated" } else { "error-esid" };
            assert_eq!(reason.as_deref(), Some(due), "{role:?} {signal}");
            assert_eq!(site.log(at).matches(&end).count(), 1);
        }
        wait_for("the end of both", || processes.iter().all(|pid| !runs(*pid)).then_some(()));
        assert_goes_out(&site);
        assert!(partner.next_report(PATIENCE).unwrap().is_good());
    }
    site.end();
}

#[test]
fn an_outgoing_process_that_dies_is_a_break_to_both_sides_and_one_line() {
    let (mut site, partner) = site(Builder::new("out-crash"));
    for (role, other) in [(Role::Server, Role::Client), (Role::Client, Role::Server)] {
        let flight = Flight::take_off(station(&"acme", connect(&site))).unwrap();
        let child = serving(&site, role, "outgoing acme O0013ACME");
        let mark = DAEMONS.map(|role| site.mark(role));
        kill(child, Signal::SIGKILL).unwrap();
        let ended = flight.land().unwrap();
        let theirs = partner.next_report(PATIENCE).unwrap();
        let reset = Ending::Broken(Break::Reset);
        assert_eq!((&ended.ending, &theirs.ending), (&reset, &reset), "{role:?}");
        let [own, others] = if role == Role::Server { mark } else { [mark[1], mark[0]] };
        let crashed =
            format!("session_crashed direction=outgoing*partner=acme pid={child} *reason=killed-by-SIGKILL");
        site.wait_log_after(role, own, &crashed);
        site.wait_log_after(other, others, "session_end direction=outgoing");
        assert_goes_out(&site);
        assert!(partner.next_report(PATIENCE).unwrap().is_good());
    }
    let left: BTreeSet<String> =
        DAEMONS.iter().flat_map(|role| site.children(*role)).map(Site::title).collect();
    assert!(!left.iter().any(|title| title.contains("outgoing")), "{left:?}");
    site.end();
}
