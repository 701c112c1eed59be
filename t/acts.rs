//! Acts of an administrator: a session is ended on both sides at once, a program that is too old for an act is named,
//! and each act is in the audit.

use crate::outward::{acme, certificate, connect, launch, listening, station, tls};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};
use t::link::Dmz;
use t::loglines::Line;
use t::site::{Builder, Flight, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{PATIENCE, wait_for};

const SESSION: &str = "0123456789abcdef0123456789abcdef";

fn listed(site: &Site) -> Vec<Value> {
    site.listed(&["sessions"]).unwrap()
}

/// The session that runs in this direction, as it is listed.
fn running(site: &Site, direction: &str) -> String {
    wait_for("the session in the list", || {
        let all = listed(site);
        let one = all.iter().find(|one| one["direction"] == direction && one["state"] == "running")?;
        Some(one["session"].as_str().unwrap().to_owned())
    })
}

/// The only end line of this session in a daemon's log.
fn end_line(site: &Site, role: Role, session: &str) -> String {
    let log = wait_for("its end line", || {
        Some(site.log(role))
            .filter(|log| log.contains(&format!("session={session}")) && log.contains("session_end"))
    });
    let is_it =
        |line: &Line| line.event() == "session_end" && line.field("session").as_deref() == Some(session);
    let found: Vec<&str> =
        log.lines().filter(|line| Line::read(line).is_some_and(|line| is_it(&line))).collect();
    let [line] = found[..] else { panic!("{found:?}") };
    line.to_owned()
}

/// The output of a command that fails.
fn refused(site: &Site, arguments: &[&str]) -> String {
    site.api(arguments).unwrap_err().to_string()
}

/// The begin of a session that no process serves.
fn begin() -> Value {
    json!([{"event": "begin", "session": SESSION, "direction": "incoming", "pid": 1, "time": 1,
        "address": "192.0.2.1:6619", "partner": "acme", "ssid": "O0013ACME", "subject": ""}])
}

#[test]
fn an_administrator_ends_a_session_on_both_sides_and_no_other() {
    let site = Builder::new("session-end").outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    let stays = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let kept = running(&site, "incoming");
    for direction in ["outgoing", "incoming"] {
        let (flight, session) = if direction == "outgoing" {
            let flight = Flight::take_off(station(&"acme", connect(&site))).unwrap();
            (flight, running(&site, "outgoing"))
        } else {
            let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
            let other = || {
                listed(&site).into_iter().find(|one| one["state"] == "running" && one["session"] != kept[..])
            };
            let session = wait_for("the second session", other)["session"].as_str().unwrap().to_owned();
            (flight, session)
        };
        let dry = site.api(&["session", "end", &session[..12], "--dry-run"]).unwrap();
        assert!(dry.contains(&session), "{dry}");
        let mark = site.mark(Role::Server);
        let mut order = site.api_command(&["session", "end", &session[..12]]);
        let order = order.stdout(Stdio::piped()).spawn().unwrap();
        site.wait_log_after(Role::Server, mark, "an administrator, *, ends session process");
        let report = flight.land().unwrap();
        let inside = if direction == "incoming" {
            site.station.as_ref().unwrap().next_report(PATIENCE).unwrap()
        } else {
            partner.next_report(PATIENCE).unwrap()
        };
        assert_eq!((report.ending.reason(), inside.ending.reason()), (Some(5), Some(5)), "{direction}");
        let said = String::from_utf8(order.wait_with_output().unwrap().stdout).unwrap();
        assert!(
            said.contains(&format!("Session {session} of partner acme is over: administrator")),
            "{said}"
        );
        for role in [Role::Server, Role::Client] {
            let line = end_line(&site, role, &session);
            assert!(line.contains("reason=administrator ") && line.contains("esid=05"), "{line}");
            assert!(line.contains(" has ended the session"), "{line}");
        }
        let again = refused(&site, &["session", "end", &session]);
        assert!(again.contains("o running session has an ID"), "{again}");
    }
    let audit: Value = site.listed(&["audit", "list"]).unwrap();
    let ends = audit.as_array().unwrap().iter().filter(|row| row["act"] == "session end").count();
    assert_eq!(ends, 2, "{audit}");
    site.api(&["audit", "verify"]).unwrap();
    assert!(stays.land().unwrap().is_good(), "another session goes on");
    site.end();
}

/// A client that waits for changes without announcing that it supports acts gets none.
#[test]
fn a_client_that_takes_no_acts_is_handed_none_and_named() {
    let mut site = Builder::new("act-old-client").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    t::link::call(&site, "proxy_session", &json!({"events": begin()})).unwrap();
    let wait = || t::link::call(&site, "proxy_wait", &json!({"generation": 0, "seconds": 1})).unwrap();
    assert!(!wait().contains("acts"));
    let said = refused(&site, &["session", "end", SESSION]);
    assert!(said.contains("is too old for it: install this version there"), "{said}");
    assert!(!wait().contains("acts"));
    site.end();
}

/// A service that is older than the command hands out no acts.
#[test]
fn slow_a_service_that_hands_out_no_acts_is_named() {
    let mut site = Builder::new("act-old-serve").prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    tamper.set("proxy_wait", Conduct::older());
    site.launch().unwrap();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let said = refused(&site, &["session", "end", &running(&site, "incoming")]);
    assert!(said.contains("or it or 'os4xapi serve' is too old for it"), "{said}");
    assert!(flight.land().unwrap().is_good(), "nothing was ended");
    site.end();
}

/// A server that has not announced this kind of act gets none.
#[test]
fn a_server_that_knows_no_acts_is_not_asked_and_named() {
    let mut site = Builder::new("act-old-server").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    let mut dmz = Dmz::welcome(&mut site, &json!({"version": 1})).unwrap();
    wait_for("the API watcher", || site.watcher());
    dmz.tell(&json!({"sessions": begin()})).unwrap();
    running(&site, "incoming");
    let said = refused(&site, &["session", "end", SESSION]);
    assert!(said.contains("is of an older version, which cannot do this: install"), "{said}");
    drop(dmz);
    site.end();
}

/// A client has taken an act and is then killed: the command ends in time and says what to do, and the act is not done
/// later.
#[test]
fn slow_an_act_that_a_client_took_before_it_was_killed_is_told_of_and_not_done_later() {
    let mut site = Site::start("act-killed-client").unwrap();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let session = running(&site, "incoming");
    let client = site.pid(Role::Client);
    // Its watcher receives the act, but the client is stopped and cannot do it.
    Site::stop(&[client]);
    let mut order = site.api_command(&["session", "end", &session]);
    let order = order.stderr(Stdio::piped()).spawn().unwrap();
    let handed_out = |site: &Site| site.output(Role::Api).matches(" act_handed_out ").count();
    wait_for("the act to be taken", || (handed_out(&site) == 1).then_some(()));
    kill(client, Signal::SIGKILL).unwrap();
    site.wait_end(Role::Client);
    let begun = Instant::now();
    let order = order.wait_with_output().unwrap();
    let said = String::from_utf8(order.stderr).unwrap();
    assert!(!order.status.success() && begun.elapsed() < Duration::from_secs(40), "{said}");
    assert!(said.contains("has taken it and has not reported an outcome: see that it runs"), "{said}");
    assert!(said.contains("otherwise run the command again"), "{said}");
    fs::remove_file(site.pid_file(Role::Client)).unwrap();
    let mark = site.mark(Role::Client);
    site.restart(Role::Client).unwrap();
    site.wait_log_after(Role::Client, mark, "server_joined");
    let mark = site.mark(Role::Client);
    // The new watcher asks for acts once there is another change.
    wait_for("the new API watcher", || site.watcher());
    site.api(&["config", "set", "proxy_sessions", "321"]).unwrap();
    site.wait_log_after(Role::Client, mark, "config_taken");
    assert_eq!(handed_out(&site), 1, "it is not handed out again");
    assert!(!site.log(Role::Server).contains("an administrator, "), "nobody has done it");
    assert!(flight.land().unwrap().is_good(), "the session has gone on");
    site.end();
}

/// No client calls the backend: the command says so at once, and nothing is left that could be done later.
#[test]
fn without_a_client_nothing_is_ordered() {
    let mut site = Builder::new("act-no-client").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    let said = refused(&site, &["session", "end", "00"]);
    assert!(said.contains("o running session has an ID that begins with '00'"), "{said}");
    site.end();
}
