//! One end line for each session, whatever happens to the processes and to the disk.

use nix::sys::signal::{Signal, kill};
use serde_json::Value;
use std::fs;
use t::loglines::Line;
use t::site::{Flight, Role, Site};
use t::wait::wait_for;

/// The session that began last in a daemon's log.
fn begun(site: &mut Site, role: Role, mark: usize) -> String {
    let line = site.wait_log_after(role, mark, " session_begin ");
    Line::read(&line).unwrap().field("session").unwrap()
}

/// Kills a daemon's parent, with `with_children` all its children, too.
fn kill_daemon(site: &mut Site, role: Role, with_children: bool) {
    let all = if with_children { site.all_of(role) } else { vec![site.pid(role)] };
    Site::stop(&all);
    for pid in &all {
        kill(*pid, Signal::SIGKILL).unwrap();
    }
    site.wait_end(role);
    fs::remove_file(site.pid_file(role)).unwrap();
}

fn count(site: &Site, role: Role, event: &str, session: &str) -> usize {
    let log = site.log(role);
    log.lines().filter(|line| line.contains(event) && line.contains(session)).count()
}

#[test]
fn a_session_that_dies_with_its_parent_has_its_line_from_the_next_one() {
    for role in [Role::Server, Role::Client] {
        let name = format!("dies-{}", role.stem());
        let mut site = Site::start(&name).unwrap();
        let (server, client) = (site.mark(Role::Server), site.mark(Role::Client));
        let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
        let session = begun(&mut site, Role::Server, server);
        assert_eq!(begun(&mut site, Role::Client, client), session);
        wait_for("the session to be listed", || {
            site.api(&["sessions", "--json"]).unwrap().contains(&session).then_some(())
        });
        kill_daemon(&mut site, role, true);
        assert!(!flight.land().unwrap().is_good());
        if role == Role::Server {
            site.wait_end(Role::Client);
            site.bring_up(Role::Server).unwrap();
        }
        site.bring_up(Role::Client).unwrap();
        let line = site.wait_log(role, &format!(" session_crashed *session={session}*"));
        assert_eq!(Line::read(&line).unwrap().field("reason").as_deref(), Some("died-with-parent"));
        let other = if role == Role::Server { Role::Client } else { Role::Server };
        site.wait_log(other, &format!(" session_end *session={session}"));
        wait_for("the session to be listed as ended", || {
            let all: Value = site.listed(&["sessions"]).unwrap();
            let mut all = all.as_array().unwrap().iter();
            all.any(|one| one["session"] == session.as_str() && one["state"] == "ended").then_some(())
        });
        // Only once, however often the daemon is started.
        site.signal(role, Signal::SIGTERM);
        site.wait_end(role);
        if role == Role::Server {
            site.wait_end(Role::Client);
            site.bring_up(Role::Server).unwrap();
        }
        site.bring_up(Role::Client).unwrap();
        site.assert_works();
        assert_eq!(count(&site, role, "session_crashed", &session), 1);
        assert_eq!(count(&site, other, "session_end", &session), 1);
        site.end();
    }
}

#[test]
fn a_session_that_outlives_both_parents_has_one_line_of_its_own() {
    let mut site = Site::start("outlives").unwrap();
    let mark = site.mark(Role::Server);
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let session = begun(&mut site, Role::Server, mark);
    kill_daemon(&mut site, Role::Server, false);
    site.wait_end(Role::Client);
    assert!(flight.land().unwrap().is_good());
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, &format!(" session_end *session={session}*"));
    }
    site.bring_up(Role::Server).unwrap();
    site.bring_up(Role::Client).unwrap();
    site.assert_works();
    for role in [Role::Server, Role::Client] {
        assert_eq!(count(&site, role, "session_end", &session), 1);
        assert_eq!(count(&site, role, "session_crashed", &session), 0);
    }
    site.end();
}

#[test]
fn end_lines_for_a_full_disk_are_written_later_and_other_lines_are_counted() {
    let mut site = Site::start("full").unwrap();
    for role in [Role::Server, Role::Client] {
        // The limit is for all processes, so they must exist.
        site.wait_parked(role);
        // Longer than the daemon's output, where the lines still arrive.
        site.fill_log(role, 100_000).unwrap();
        let mark = site.mark(role);
        let printed = site.output(role).matches(" session_end ").count();
        let length = u64::try_from(site.log(role).len()).unwrap();
        site.limit_file_size(role, Some(length));
        // Sessions continue, and no process ends.
        for _ in 0..3 {
            site.assert_works();
        }
        assert_eq!(site.mark(role), mark, "the disk is full");
        site.limit_file_size(role, None);
        for _ in 0..3 {
            site.wait_log_after(role, mark, " session_end *reason=normal");
        }
        wait_for("three end lines", || {
            (site.log(role)[mark..].matches(" session_end ").count() == 3).then_some(())
        });
        site.wait_log_after(role, mark, " log_lost appender=os4x_appender lines=");
        assert_eq!(site.output(role).matches(" session_end ").count(), printed + 3, "printed once each");
        assert!(!site.log(role).contains("session_crashed"));
    }
    site.end();
}
