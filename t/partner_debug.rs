//! `os4xapi partner debug`: DEBUG for the sessions of one partner, on both daemons and for a limited time: for running
//! and for new sessions, for no other partner, and also after a restart.

use crate::outward::{acme, certificate, connect, launch, listening, station, tls};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use t::loglines::Line;
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{PATIENCE, wait_for};

const DAEMONS: [Role; 2] = [Role::Server, Role::Client];
const OTHER: &str = "O0013OTHER";

/// The password of these partners, which must not be in the log.
const PASSWORD: &str = "SECRET7";

fn prepare(name: &str) -> Site {
    let partners = [PartnerEntry::new("acme", "O0013ACME"), PartnerEntry::new("other", OTHER)];
    Builder::new(name).partners(partners).prepare().unwrap()
}

fn take_off(site: &Site, ssid: &str) -> Flight {
    let mut partner = site.partner(ssid).unwrap();
    partner.settings.password = PASSWORD.to_owned();
    Flight::take_off(partner).unwrap()
}

/// The session processes of a partner, in the part of a log that begins at `mark`.
fn processes(site: &Site, role: Role, mark: usize, partner: &str) -> BTreeSet<u32> {
    let log = site.log(role)[mark..].to_owned();
    let is_begin =
        |line: &Line| line.event() == "session_begin" && line.field("partner").as_deref() == Some(partner);
    log.lines().filter_map(Line::read).filter(is_begin).map(|line| line.pid).collect()
}

/// The lines of DEBUG and finer levels after `mark`, with the process of each.
fn fine(site: &Site, role: Role, mark: usize) -> Vec<(u32, String)> {
    let log = site.log(role)[mark..].to_owned();
    let fine = log.lines().filter_map(Line::read).filter(|line| ["DEBUG", "TRACE"].contains(&line.level));
    fine.map(|line| (line.pid, line.text.to_owned())).collect()
}

/// The processes that have written them.
fn talkative(site: &Site, role: Role, mark: usize) -> BTreeSet<u32> {
    fine(site, role, mark).into_iter().map(|(pid, _)| pid).collect()
}

fn marks(site: &Site) -> [usize; 2] {
    DAEMONS.map(|role| site.mark(role))
}

/// Waits for a line on both sides.
fn wait_both(site: &mut Site, marks: [usize; 2], pattern: &str) {
    for (role, mark) in DAEMONS.into_iter().zip(marks) {
        site.wait_log_after(role, mark, pattern);
    }
}

/// Lets the flights end, and waits until both daemons have this number of ends after the marks.
fn land(site: &Site, flights: Vec<Flight>, marks: [usize; 2]) {
    let count = flights.len();
    for flight in flights {
        assert!(flight.land().unwrap().is_good());
    }
    for (role, mark) in DAEMONS.into_iter().zip(marks) {
        wait_for("their ends", || {
            (site.log(role)[mark..].matches(" session_end ").count() == count).then_some(())
        });
    }
}

#[test]
fn only_the_sessions_of_one_partner_write_debug_on_both_sides_running_ones_too() {
    let mut site = prepare("partner-debug");
    site.launch().unwrap();
    let start = marks(&site);
    let flights = vec![take_off(&site, "O0013ACME"), take_off(&site, OTHER)];
    for role in DAEMONS {
        site.wait_log(role, "session_begin *partner=acme");
        site.wait_log(role, "session_begin *partner=other");
        assert_eq!(fine(&site, role, 0), [], "nobody asked for it yet");
    }
    let asked = site.api(&["partner", "debug", "acme", "--for", "30m", "--dry-run"]).unwrap();
    assert!(asked.contains("debug acme"), "{asked}");
    let said = site.api(&["partner", "debug", "acme", "--for", "30m"]).unwrap();
    assert!(said.contains("ends by itself"), "{said}");
    // Sessions that run.
    wait_both(&mut site, start, "debug_begin partner=acme seconds=1");
    // Sessions that begin later.
    let mut all = flights;
    all.extend([take_off(&site, "O0013ACME"), take_off(&site, OTHER)]);
    land(&site, all, start);
    for (role, mark) in DAEMONS.into_iter().zip(start) {
        let sessions = processes(&site, role, mark, "acme");
        assert_eq!((sessions.len(), talkative(&site, role, mark)), (2, sessions));
        let log = site.log(role);
        assert!(log.contains("command side=partner EFID"), "the story of the session");
        assert!(!log.contains(PASSWORD), "{role:?} has written a password");
        assert!(!log.contains(" buffer side="), "TRACE");
    }
    // No DEBUG any more, while a session runs.
    let mark = marks(&site);
    let flights = vec![take_off(&site, "O0013ACME")];
    wait_both(&mut site, mark, "debug_begin partner=acme");
    site.api(&["partner", "debug", "acme", "--off"]).unwrap();
    wait_both(&mut site, mark, "debug_end partner=acme reason=\"an administrator has ended it\"");
    let quiet = marks(&site);
    land(&site, flights, quiet);
    land(&site, vec![take_off(&site, "O0013ACME")], marks(&site));
    for (role, mark) in DAEMONS.into_iter().zip(quiet) {
        assert_eq!(fine(&site, role, mark), []);
    }
    let again = site.api(&["partner", "debug", "acme", "--off"]).unwrap_err().to_string();
    assert!(again.contains("t is not on for partner 'acme'"), "{again}");
    site.end();
}

/// Outgoing; on the server from the call on.
#[test]
fn calls_to_a_partner_are_debugged_too() {
    let site = Builder::new("partner-debug-out").outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    site.api(&["partner", "debug", "acme"]).unwrap();
    wait_in_force(&site);
    let flight = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    assert!(flight.land().unwrap().is_good());
    partner.next_report(PATIENCE).unwrap();
    for role in DAEMONS {
        site.wait_log(role, "session_end direction=outgoing");
        let sessions = processes(&site, role, 0, "acme");
        assert_eq!((sessions.len(), talkative(&site, role, 0)), (1, sessions));
    }
    assert!(site.log(Role::Server).contains("command side=partner SSRM"), "the greeting of the partner");
    site.end();
}

/// Waits until both daemons have the newest generation.
fn wait_in_force(site: &Site) {
    let generation = site.listed::<Value>(&["status"]).unwrap()["generation"].clone();
    for role in DAEMONS {
        wait_for("the generation in force", || {
            site.log(role).contains(&format!("config_taken generation={generation}")).then_some(())
        });
    }
}

/// The configuration has the time as seconds that are left: a clock with a wrong time does not matter.
#[test]
fn debug_ends_by_itself_even_with_wrong_clocks() {
    let mut site = prepare("partner-debug-end");
    let tamper = Tamper::before(&mut site).unwrap();
    site.launch().unwrap();
    for function in ["proxy_config", "proxy_client_config"] {
        tamper.set(
            function,
            Conduct::edit(|answer| {
                if let Some(debug) = answer["config"].get_mut("debug") {
                    *debug = json!([{"partner": "acme", "until": 99_999_999_999_i64, "seconds": 3}]);
                }
            }),
        );
    }
    let start = marks(&site);
    let flight = take_off(&site, "O0013ACME");
    wait_both(&mut site, start, "session_begin *partner=acme");
    site.api(&["partner", "debug", "acme"]).unwrap();
    wait_both(&mut site, start, "debug_begin partner=acme seconds=3");
    wait_both(&mut site, start, "debug_end partner=acme reason=\"its time is over\"");
    let quiet = marks(&site);
    land(&site, vec![flight], quiet);
    // The daemons got no message meanwhile, and the configuration still has the entry.
    land(&site, vec![take_off(&site, "O0013ACME")], marks(&site));
    for (role, mark) in DAEMONS.into_iter().zip(quiet) {
        assert_eq!(fine(&site, role, mark), []);
    }
    site.end();
}

#[test]
fn a_restart_of_the_daemons_keeps_it_until_its_end() {
    let mut site = prepare("partner-debug-restart");
    site.launch().unwrap();
    site.api(&["partner", "debug", "acme", "--for", "2h"]).unwrap();
    wait_in_force(&site);
    // The client ends with its server.
    site.signal(Role::Server, Signal::SIGTERM);
    for role in DAEMONS {
        site.wait_end(role);
    }
    let start = marks(&site);
    for role in DAEMONS {
        site.restart(role).unwrap();
    }
    site.wait_open();
    land(&site, vec![take_off(&site, "O0013ACME"), take_off(&site, OTHER)], start);
    for (role, mark) in DAEMONS.into_iter().zip(start) {
        let line = site.wait_log_after(role, mark, "debug_begin partner=acme seconds=*");
        let seconds: u32 = Line::read(&line).unwrap().field("seconds").unwrap().parse().unwrap();
        assert!((7_000..=7_200).contains(&seconds), "{line}");
        let sessions = processes(&site, role, mark, "acme");
        assert_eq!((sessions.len(), talkative(&site, role, mark)), (1, sessions));
    }
    site.end();
}

/// An older backend sends no such member, and an older daemon ignores it: each works with the members that it knows.
#[test]
fn a_configuration_without_the_member_or_with_unknown_ones_is_taken() {
    let mut site = prepare("partner-debug-old");
    let tamper = Tamper::before(&mut site).unwrap();
    for function in ["proxy_config", "proxy_client_config"] {
        tamper.set(
            function,
            Conduct::edit(|answer| {
                if let Some(config) = answer.get_mut("config").and_then(Value::as_object_mut) {
                    let debug = config.remove("debug");
                    config.insert("debug_of_tomorrow".to_owned(), json!([debug]));
                }
            }),
        );
    }
    site.api(&["partner", "debug", "acme"]).unwrap();
    site.launch().unwrap();
    land(&site, vec![take_off(&site, "O0013ACME")], marks(&site));
    for role in DAEMONS {
        assert_eq!(fine(&site, role, 0), []);
    }
    site.end();
}
