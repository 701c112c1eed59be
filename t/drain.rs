//! Servers that take no new sessions while the running ones go on: ordered by an administrator, before the binaries are
//! replaced, and on SIGTERM in a container.

use crate::outward::{acme, certificate, connect, launch, listening, refusal, station, tls};
use nix::sys::signal::Signal;
use oftp2peer::Running;
use oftp2peer::oftp::settings::OutFile;
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Command;
use t::site::{Builder, Flight, Role, Site, sockets};
use t::wait::wait_for;

const VARIABLE: &str = "OS4X_DRAIN_SECONDS";

/// A running site whose partner `acme` calls and is called.
fn site(name: &str) -> (Site, Running) {
    let site = Builder::new(name).outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    (launch(site, &partner, &[]), partner)
}

fn server_id(site: &Site) -> String {
    let servers: Value = site.listed(&["proxy", "list"]).unwrap();
    servers[0]["proxy_id"].as_str().unwrap().to_owned()
}

/// A file in flight in each direction.
fn flights(site: &Site) -> [Flight; 2] {
    let inward = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    [inward, Flight::take_off(station(&"acme", connect(site))).unwrap()]
}

/// The state of a daemon in `os4xapi status`.
fn told(site: &Site, kind: &str) -> Value {
    let status: Value = site.listed(&["status"]).unwrap();
    status["daemons"].as_array().unwrap().iter().find(|one| one["daemon"] == kind).unwrap().clone()
}

#[track_caller]
fn wait_left(site: &Site, kind: &str, left: u64) {
    wait_for(&format!("a {kind} with {left} sessions left"), || {
        (told(site, kind)["state"]["draining"] == left).then_some(())
    });
}

#[track_caller]
fn assert_takes_no_sessions(site: &Site) {
    assert!(!sockets::is_open(site.tls), "the TLS port is closed");
    let refused = station(&"acme", connect(site)).call();
    let said = refusal(&refused);
    assert!(said.contains("503") && said.contains("draining") && said.contains("proxy undrain"), "{said}");
}

#[track_caller]
fn assert_takes_sessions(site: &Site) {
    site.assert_works();
    let report = station(&"acme", connect(site)).send([OutFile::octets("FILE", *b"hello")]);
    assert!(report.is_good(), "{report:?}");
}

#[test]
fn a_drained_server_takes_no_new_sessions_until_it_is_told_to() {
    let (mut site, _partner) = site("drain");
    let id = server_id(&site);
    let flights = flights(&site);
    let mark = site.mark(Role::Server);
    site.api(&["proxy", "drain", &id]).unwrap();
    let line = site.wait_log_after(Role::Server, mark, " drain_begin ");
    assert!(line.contains(" INFO ") && line.contains("sessions=2"), "{line}");
    assert_takes_no_sessions(&site);
    site.wait_log_after(Role::Server, mark, "session_refused direction=outgoing reason=draining");
    // A partner test is a new session, too.
    let test = site.api(&["partner", "test", "acme"]).unwrap_err().to_string();
    assert!(test.contains("takes no new sessions"), "{test}");
    wait_left(&site, "server", 2);
    let status = site.api(&["status"]).unwrap();
    assert!(status.contains("joined, draining, 2 sessions left"), "{status}");
    assert!(status.contains(&format!("os4xapi proxy undrain {id}")), "{status}");
    assert!(site.api(&["proxy", "list"]).unwrap().contains("drain=yes"));
    assert!(site.api(&["audit", "list"]).unwrap().contains("proxy drain"));
    assert!(!site.log(Role::Server)[mark..].contains(" drained "), "two sessions are left");
    for flight in flights {
        assert!(flight.land().unwrap().is_good());
    }
    site.wait_log_after(Role::Server, mark, " drained ");
    wait_left(&site, "server", 0);
    let mark = site.mark(Role::Server);
    site.api(&["proxy", "undrain", &id]).unwrap();
    site.wait_log_after(Role::Server, mark, " drain_end ");
    assert_takes_sessions(&site);
    wait_for("a state without a drain", || {
        told(&site, "server")["state"]["draining"].is_null().then_some(())
    });
    site.end();
}

/// Replaces a daemon's binary by another file, as an installation does.
fn replace_binary(site: &Site, role: Role) {
    let binary = site.folder(role).join(role.binary());
    let (new, before) = (binary.with_extension("new"), fs::metadata(&binary).unwrap().ino());
    fs::copy(&binary, &new).unwrap();
    // Octets behind the end of an ELF file change nothing but the file.
    OpenOptions::new().append(true).open(&new).unwrap().write_all(b"the next version").unwrap();
    fs::rename(&new, &binary).unwrap();
    assert_ne!(fs::metadata(&binary).unwrap().ino(), before);
}

#[test]
fn files_in_flight_survive_a_rolling_upgrade_of_both_daemons() {
    let (mut site, _partner) = site("upgrade");
    let id = server_id(&site);
    let flights = flights(&site);
    let mark = site.mark(Role::Server);
    site.api(&["proxy", "drain", &id]).unwrap();
    site.wait_log_after(Role::Server, mark, " drain_begin ");
    for role in [Role::Server, Role::Client] {
        replace_binary(&site, role);
    }
    // The client ends by itself with its server.
    site.signal(Role::Server, Signal::SIGTERM);
    for role in [Role::Server, Role::Client] {
        site.wait_end(role);
    }
    let mark = site.mark(Role::Server);
    for role in [Role::Server, Role::Client] {
        site.restart(role).unwrap();
    }
    // The new server is drained as well, and knows nothing of the sessions of the one before it.
    let line = site.wait_log_after(Role::Server, mark, " drain_begin ");
    assert!(line.contains("sessions=0"), "{line}");
    assert!(!sockets::is_open(site.tls));
    site.api(&["proxy", "undrain", &id]).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    assert_takes_sessions(&site);
    for flight in flights {
        let landed = flight.land().unwrap();
        assert!(landed.is_good(), "{landed:?}");
    }
    wait_for("both ends in the session list", || {
        let sessions: Value = site.listed(&["sessions"]).unwrap();
        let whole = |one: &&Value| one["reason"] == "normal" && one["transfers"][0]["name"] == "FLIGHT";
        (sessions.as_array().unwrap().iter().filter(whole).count() == 2).then_some(())
    });
    site.end();
}

/// Starts both daemons again, with the variable.
fn start_patient(site: &mut Site, seconds: &str) {
    site.signal(Role::Server, Signal::SIGTERM);
    for role in [Role::Server, Role::Client] {
        site.wait_end(role);
    }
    for role in [Role::Server, Role::Client] {
        let mut command = site.command(role);
        command.env(VARIABLE, seconds);
        site.bring_up_as(role, command).unwrap();
    }
    site.wait_log(Role::Client, "listener_open*local");
}

#[test]
fn on_sigterm_a_server_in_a_container_waits_for_its_sessions() {
    let (mut site, _partner) = site("container-server");
    start_patient(&mut site, "600");
    let flights = flights(&site);
    let mark = site.mark(Role::Server);
    site.signal(Role::Server, Signal::SIGTERM);
    let line = site.wait_log_after(Role::Server, mark, " drain_begin ");
    assert!(line.contains("told to end") && line.contains("sessions=2"), "{line}");
    assert!(!sockets::is_open(site.tls));
    let said = station(&"acme", connect(&site)).call();
    assert!(refusal(&said).contains("draining"), "{said:?}");
    for flight in flights {
        assert!(flight.land().unwrap().is_good());
    }
    assert!(site.wait_end(Role::Server).unwrap().success());
    site.wait_log_after(Role::Server, mark, " drained ");
    site.wait_end(Role::Client);
    site.end();
}

#[test]
fn on_sigterm_a_client_in_a_container_waits_and_its_server_takes_no_new_sessions() {
    let (mut site, _partner) = site("container-client");
    start_patient(&mut site, "600");
    let flights = flights(&site);
    let (client, server) = (site.mark(Role::Client), site.mark(Role::Server));
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_log_after(Role::Client, client, " drain_begin ");
    let line = site.wait_log_after(Role::Server, server, " drain_begin ");
    assert!(line.contains("the client was told to end"), "{line}");
    assert!(!sockets::is_open(site.tls) && !sockets::is_open(site.outgoing));
    for flight in flights {
        assert!(flight.land().unwrap().is_good());
    }
    assert!(site.wait_end(Role::Client).unwrap().success());
    site.wait_log_after(Role::Client, client, " drained ");
    // The next client finds a server that takes sessions.
    site.bring_up(Role::Client).unwrap();
    site.wait_log_after(Role::Server, server, " drain_end ");
    site.assert_works();
    site.end();
}

#[test]
fn the_wait_of_a_container_is_bounded_and_a_second_sigterm_ends_it() {
    let (mut site, _partner) = site("container-bound");
    start_patient(&mut site, "1");
    let [inward, outward] = flights(&site);
    let mark = site.mark(Role::Server);
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_log_after(Role::Server, mark, "OS4X_DRAIN_SECONDS is over, and 2 sessions still run");
    assert!(site.wait_end(Role::Server).unwrap().success());
    site.wait_end(Role::Client);
    // Outside a container the session processes go on.
    assert!(inward.land().unwrap().is_good() && outward.land().unwrap().is_good());
    for role in [Role::Server, Role::Client] {
        let mut command = site.command(role);
        command.env(VARIABLE, "600");
        site.bring_up_as(role, command).unwrap();
    }
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let mark = site.mark(Role::Server);
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_log_after(Role::Server, mark, " drain_begin ");
    site.signal(Role::Server, Signal::SIGTERM);
    assert!(site.wait_end(Role::Server).unwrap().success());
    assert!(flight.land().unwrap().is_good());
    site.wait_end(Role::Client);
    site.end();
}

#[test]
fn a_value_that_is_no_number_of_seconds_is_refused_with_the_remedy() {
    let site = Builder::new("container-value").prepare().unwrap();
    for role in [Role::Server, Role::Client] {
        let mut command: Command = site.command(role);
        let output = command.env(VARIABLE, "soon").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("OS4X_DRAIN_SECONDS is 'soon'") && said.contains("unset it"), "{said}");
    }
    site.end();
}
