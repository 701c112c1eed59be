//! The process that forks a daemon's session processes: there is one, it has nothing of a session, and it is replaced
//! when it is gone or when the data that its children inherit has changed.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use t::site::{Flight, Role, Site};
use t::wait::wait_for;

const DAEMONS: [Role; 2] = [Role::Server, Role::Client];

/// The one forker of each daemon, once the pool is full.
fn forkers(site: &Site) -> [Pid; 2] {
    DAEMONS.map(|role| {
        wait_for("four parked children and one forker", || {
            let all = site.forkers(role);
            let is_full = site.titled(role, "parked").len() == 4;
            (is_full && all.len() == 1).then(|| all.first().copied()).flatten()
        })
    })
}

/// More sessions than there are parked pairs.
fn assert_serves(site: &Site) {
    (0..6).for_each(|_| site.assert_works());
}

#[test]
fn a_forker_that_is_ended_or_stopped_is_replaced_and_sessions_go_on() {
    let site = Site::start("forker-killed").unwrap();
    let mut seen = BTreeSet::new();
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGSTOP] {
        let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
        for forker in forkers(&site) {
            assert!(seen.insert(forker), "it is another one");
            kill(forker, signal).unwrap();
        }
        // A stopped forker is noticed when the next child is needed.
        assert_serves(&site);
        for role in DAEMONS {
            wait_for("the forker to be gone", || site.forkers(role).is_disjoint(&seen).then_some(()));
        }
        assert_serves(&site);
        assert!(flight.land().unwrap().is_good());
    }
    for role in DAEMONS {
        assert!(!site.log(role).contains(" session_crashed "), "no session was its");
    }
    site.end();
}

#[test]
fn a_forker_holds_no_connection() {
    let site = Site::start("forker-empty").unwrap();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    assert_serves(&site);
    for forker in forkers(&site) {
        let folder = fs::read_dir(format!("/proc/{forker}/fd")).unwrap();
        let open: Vec<_> = folder.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok()).collect();
        let sockets = open.iter().filter(|open| open.to_string_lossy().starts_with("socket:")).count();
        assert_eq!(sockets, 2, "its channel and its attendant alone: {open:?}");
    }
    assert!(flight.land().unwrap().is_good());
    site.end();
}

#[test]
fn another_log_level_is_that_of_new_session_processes_too() {
    let mut site = Site::start("forker-level").unwrap();
    let before = forkers(&site);
    for role in DAEMONS {
        let mark = site.mark(role);
        site.signal(role, Signal::try_from(20).unwrap());
        site.wait_log_after(role, mark, "level=TRACE");
    }
    site.wait_pool();
    let marks = DAEMONS.map(|role| site.mark(role));
    assert_serves(&site);
    for (role, mark) in DAEMONS.into_iter().zip(marks) {
        site.wait_log_after(role, mark, " TRACE ");
    }
    let after = forkers(&site);
    assert!(before.iter().all(|old| !after.contains(old)), "{before:?} {after:?}");
    site.end();
}

/// An rc file with which a daemon logs from DEBUG on.
fn talkative(role: Role) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE log4c SYSTEM \"\">\n<log4c version=\"1.2.4\">\n\
         <category name=\"{}\" priority=\"debug\" appender=\"os4x_appender\"/>\n</log4c>\n",
        role.stem()
    )
}

#[test]
fn another_rc_file_is_that_of_new_session_processes_too() {
    let mut site = Site::start("forker-rc").unwrap();
    site.wait_pool();
    for role in DAEMONS {
        fs::write(site.folder(role).join(format!("{}.logrc", role.stem())), talkative(role)).unwrap();
    }
    // A parent checks its rc file when it has something to do.
    site.assert_works();
    for role in DAEMONS {
        site.wait_log(role, " logrc_taken");
    }
    // Children that were parked have the old file, and are replaced.
    wait_for("the new level in session processes of both daemons", || {
        site.assert_works();
        let is_there = |role: &Role| site.log(*role).contains(" command side=partner SSID ");
        DAEMONS.iter().all(is_there).then_some(())
    });
    site.end();
}
