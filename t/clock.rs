//! The clock of all hosts of a site is changed while it runs: by a day and by a year, forward and back. Sessions
//! continue, no daemon ends, and a partner whose certificate is not valid at that time is told so.

use serde_json::Value;
use std::path::PathBuf;
use t::loglines::Line;
use t::site::{Builder, Flight, Role, Site};
use t::wait::wait_for;

/// The library that gives programs another time.
fn library() -> PathBuf {
    let is_there = |path: &PathBuf| path.exists();
    let roots = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib"];
    let found =
        roots.map(|root| PathBuf::from(root).join("faketime/libfaketime.so.1")).into_iter().find(is_there);
    found.expect("libfaketime (Debian: libfaketime)")
}

/// Sets the clock of all daemons to this difference from the real time.
fn set_clock(site: &Site, offset: &str) {
    std::fs::write(site.directory().join("clock"), offset).unwrap();
}

/// Starts a site whose daemons have their own clock.
fn start(name: &str) -> Site {
    // In a sandbox the library could not read the difference.
    let mut site = Builder::new(name).setting("proxy_sandbox", "no").prepare().unwrap();
    set_clock(&site, "+0");
    for role in Role::ALL {
        let mut command = site.command(role);
        command.env("LD_PRELOAD", library());
        command.env("FAKETIME_TIMESTAMP_FILE", site.directory().join("clock"));
        // Timers continue as they do when a real clock is set.
        command.envs([
            ("FAKETIME_NO_CACHE", "1"),
            ("DONT_FAKE_MONOTONIC", "1"),
            ("FAKETIME_DISABLE_SHM", "1"),
        ]);
        site.bring_up_as(role, command).unwrap();
    }
    site
}

/// The reasons of all sessions in the backend's list.
fn listed(site: &Site) -> Vec<String> {
    let list: Value = site.listed(&["sessions"]).unwrap();
    let reason = |session: &Value| session["reason"].as_str().unwrap_or_default().to_owned();
    list.as_array().unwrap().iter().map(reason).collect()
}

#[test]
fn a_clock_that_is_set_ends_no_session_and_no_daemon() {
    let mut site = start("clock");
    let parents = Role::ALL.map(|role| site.pid(role));
    // The licence and the certificates are valid from yesterday for a year.
    for (offset, refused) in
        [("+1d", None), ("-23h", None), ("+400d", Some("licence")), ("-400d", Some("not-yet-valid"))]
    {
        let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
        set_clock(&site, offset);
        let report = site.partner("O0013ACME").unwrap().call();
        assert_eq!(report.ending.is_normal(), refused.is_none(), "{offset}: {report:?}");
        if let Some(reason) = refused {
            site.wait_log(Role::Server, &format!(" session_refused *reason={reason} "));
        }
        assert!(flight.land().unwrap().is_good(), "{offset}");
        set_clock(&site, "+0");
        site.assert_works();
    }
    // Reports that the backend could not take at another time are sent later; none is lost.
    wait_for("ten sessions that ended well", || (listed(&site) == ["normal"; 10]).then_some(()));
    for role in [Role::Server, Role::Client] {
        let log = site.log(role);
        let ends =
            log.lines().filter_map(|line| Line::read(line).filter(|line| line.event() == "session_end"));
        let seconds: Vec<f64> = ends.map(|line| line.field("seconds").unwrap().parse().unwrap()).collect();
        assert!(seconds.len() == 10 && seconds.iter().all(|seconds| *seconds < 60.0), "{seconds:?}");
    }
    assert_eq!(Role::ALL.map(|role| site.pid(role)), parents);
    site.end();
}
