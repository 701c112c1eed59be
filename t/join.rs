//! The client's connection to the server, at its start and when it renews its control connection: whatever the server
//! does then, the client serves and ends as at any other time.

use nix::sys::signal::Signal;
use serde_json::json;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};
use t::installation::closed_port;
use t::link::{Dmz, tcp};
use t::loglines::Line;
use t::site::{Builder, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::wait_for;

const ENDS: [(Signal, &str); 2] = [(Signal::SIGTERM, "SIGTERM"), (Signal::SIGHUP, "SIGHUP")];

/// A site of which only the backend runs.
fn with_backend(builder: Builder) -> Site {
    let mut site = builder.prepare().unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    site
}

/// The client is told to end: it does so at once and in the regular way, and its log names the signal.
fn assert_ends(site: &mut Site, mark: usize, (signal, name): (Signal, &str)) {
    site.signal(Role::Client, Signal::SIGTTIN);
    site.wait_log_after(Role::Client, mark, "level level=DEBUG");
    site.signal(Role::Client, signal);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(0));
    assert!(!site.pid_file(Role::Client).exists());
    let log = site.log(Role::Client)[mark..].to_owned();
    let lines: Vec<Line> = log.lines().filter_map(Line::read).collect();
    let end = lines.iter().find(|line| line.event() == "daemon_stop").unwrap();
    assert_eq!((end.level, end.field("signal").as_deref()), ("DEBUG", Some(name)));
    assert!(!lines.iter().any(|line| line.level == "ERROR"), "{log}");
}

#[test]
fn a_client_that_is_told_to_end_while_it_joins_ends_in_order() {
    let mut site = with_backend(Builder::new("told-in-join"));
    let silent = TcpListener::bind(site.internal).unwrap();
    silent.set_nonblocking(true).unwrap();
    for end in ENDS {
        let mark = site.mark(Role::Client);
        site.restart(Role::Client).unwrap();
        let _joining = wait_for("the client", || silent.accept().ok());
        assert_ends(&mut site, mark, end);
    }
    site.end();
}

/// A client whose renewal hangs, because its server accepts the new connection and says nothing on it.
fn end_in_renewal(name: &str, end: (Signal, &str)) {
    let mut site = Builder::new(name).outgoing().prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    // The shortest validity that a client accepts: it renews after half of it.
    tamper.set("proxy_enrol", Conduct::edit(|answer| answer["valid_seconds"] = json!(60)));
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    let _hanging = dmz.wait_renewal().unwrap();
    let mark = site.mark(Role::Client);

    // A station connects, and a newly forked process answers it.
    let mut station = tcp(site.outgoing).unwrap();
    station.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let mut answer = [0; 12];
    station.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 405");
    // The client still reads the server's requests on the old connection, and a partner reaches the station.
    let mut data = dmz.open("O0013ACME").unwrap();
    Dmz::hear_ready(&mut data).unwrap();
    drop(data);
    site.wait_log_after(Role::Client, mark, "session_end direction=incoming");
    assert!(!site.log(Role::Client).contains("was not renewed"), "the renewal is over too soon");
    assert_ends(&mut site, mark, end);
    site.end();
}

/// Slow: 30 s, half of the shortest life of a certificate.
#[test]
fn slow_while_a_renewal_hangs_all_are_served_and_a_signal_ends_the_client_in_order() {
    std::thread::scope(|scope| {
        for (name, end) in ["renewal-term", "renewal-hup"].into_iter().zip(ENDS) {
            scope.spawn(move || end_in_renewal(name, end));
        }
    });
}

/// Starts the client with the server `server`; returns its message when it could not join.
fn refused(site: &Site, server: &str) -> String {
    let mut command = Command::new(site.folder(Role::Client).join(Role::Client.binary()));
    command.args(["-U", &site.asked_url, "-S", server, "-T"]);
    command.arg(format!("@{}", site.folder(Role::Client).join("token").display()));
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(1), "{said}");
    wait_for("the PID file to go", || (!site.pid_file(Role::Client).exists()).then_some(()));
    said.lines().last().unwrap_or_default().to_owned()
}

#[test]
fn the_servers_name_is_looked_up_and_named_when_it_is_of_no_use() {
    let site = with_backend(Builder::new("by-name"));
    let port = closed_port([127, 0, 0, 1].into()).unwrap();
    let said = refused(&site, &format!("localhost:{port}"));
    let head = format!("os4x_proxyclient2: the server localhost:{port} was not joined: ");
    assert!(said.starts_with(&head) && said.contains("cannot be reached: Connection refused"), "{said}");
    // A reserved name (RFC 6761): no resolver knows it, but some need time to say so.
    let said = refused(&site, "os4x.invalid");
    let head = "os4x_proxyclient2: the server os4x.invalid:2878 was not joined: ";
    let why = said.strip_prefix(head).unwrap_or_else(|| panic!("{said}"));
    assert!(["the name os4x.invalid has no address", "the time limit has passed"].contains(&why), "{said}");
    site.end();
}
