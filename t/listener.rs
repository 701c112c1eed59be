//! The client's listeners: how a station names its destination, which stations may use them, that they move and come
//! back without an effect on sessions, and that no idle station holds one.

use crate::outward::{
    HOST, acme, add, connect, launch, launch_as_it_is, listening, prepare, refusal, socks, station,
};
use nix::sys::signal::Signal;
use oftp2peer::oftp::report::{Ending, Report, Side};
use oftp2peer::oftp::settings::{Act, Misbehaviour, OutFile, Point, Settings};
use oftp2peer::transport::Break;
use oftp2peer::transport::dial::{Dial, Via};
use oftp2peer::{Partner, Station};
use serde_json::json;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use t::installation::{closed_port, free_address};
use t::link::Dmz;
use t::loglines::Line;
use t::site::sockets::{self, Socket};
use t::site::{Builder, Flight, Role, Site};
use t::wait::{wait_for, wait_slow};

const PATIENCE: Duration = Duration::from_mins(1);
/// A partner's first message in its Stream Transmission Buffer.
const SSRM: &[u8] = b"\x10\0\0\x17IODETTE FTP READY \r";

/// Adds one more listener to the site's client, at an address that nobody else uses.
fn tie(site: &Site, partner: &str, options: &[&str]) -> SocketAddr {
    let place = free_address().unwrap();
    tie_at(site, place, partner, options);
    place
}

fn tie_at(site: &Site, place: SocketAddr, partner: &str, options: &[&str]) {
    let (ip, port) = (place.ip().to_string(), place.port().to_string());
    let row = ["proxyclient", "add", "127.0.0.1", "--partner", partner, "--listen-ip", &ip, "--port", &port];
    site.api(&[&row[..], options].concat()).unwrap();
}

/// A station without a proxy protocol.
fn plain(place: SocketAddr) -> Partner {
    Partner::new(Dial::to(&place), Settings::new("O0013STATION", "STATION"))
}

fn from(mut station: Partner, address: [u8; 4]) -> Partner {
    station.dial.from = Some(IpAddr::from(address));
    station
}

/// Asserts that the connection was broken, perhaps before the station knew that it was connected.
#[track_caller]
fn assert_cut(report: &Report) {
    let is_cut = match &report.ending {
        Ending::Broken(end) => *end == Break::Reset,
        Ending::Failed(words) => words.contains("reset by peer"),
        _ => false,
    };
    assert!(is_cut && report.octets_in == 0, "{report:?}");
}

#[test]
fn a_station_that_knows_no_proxies_reaches_the_partner_it_is_tied_to() {
    let site = prepare("tied");
    let partner = listening(acme(), None);
    let gone = closed_port(HOST.parse().unwrap()).unwrap();
    add(&site, "down", gone, &["--tls", "no"]);
    add(&site, "off", partner.address().port(), &["--tls", "no", "--enabled", "no"]);
    let [good, down, off] = ["acme", "down", "off"].map(|name| tie(&site, name, &[]));
    let mut site = launch(site, &partner, &["--tls", "no"]);
    for (place, name) in [(good, "acme"), (down, "down"), (off, "off")] {
        site.wait_log(Role::Client, &format!("listener_open listener=local address={place} partner={name}"));
    }
    partner.queue().add_file(OutFile::octets("BACK", vec![1; 300_000]));
    let report = plain(good).send([OutFile::octets("OUT", vec![2; 300_000])]);
    assert!(report.is_good() && report.received.len() == 1, "{report:?}");
    assert!(report.receipt_for(&report.sent[0].id).is_some(), "{report:?}");
    assert!(partner.next_report(PATIENCE).unwrap().is_good());
    site.wait_log(Role::Client, "session_end direction=outgoing*partner=acme*reason=normal");
    for (place, word) in [(down, "partner-down"), (off, "disabled")] {
        assert_cut(&plain(place).call());
        for role in [Role::Server, Role::Client] {
            site.wait_log(role, &format!("session_refused direction=outgoing*reason={word}"));
        }
    }
    assert_eq!(partner.connections(), 1);
    site.end();
}

/// A port that is free on all addresses of this host, for a listener without an address. Another one in each call.
fn free_port() -> u16 {
    closed_port(common::net::ANY).unwrap()
}

#[test]
fn a_listener_without_an_address_takes_both_families_and_writes_each_as_it_is() {
    let site = prepare("families");
    let partner = listening(acme(), None);
    let [tied, requests, narrow] = [free_port(), free_port(), free_port()];
    let add_listener = |port: u16, options: &[&str]| {
        let port = port.to_string();
        site.api(&[&["proxyclient", "add", "127.0.0.1", "--port", &port], options].concat()).unwrap();
    };
    add_listener(tied, &["--partner", "acme"]);
    add_listener(requests, &[]);
    let other = listening(Settings::new("O0013NARROW", "PARTNER"), None);
    add(&site, "narrow", other.address().port(), &["--tls", "no"]);
    add_listener(narrow, &["--partner", "narrow", "--network", "::ffff:127.0.0.2/128"]);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    for port in [tied, requests, narrow] {
        site.wait_log(Role::Client, &format!("listener_open listener=local address=[::]:{port}"));
    }
    for ip in ["127.0.0.1", "::1"] {
        let place = |port| SocketAddr::new(ip.parse().unwrap(), port);
        let mark = site.mark(Role::Client);
        for station in [plain(place(tied)), station(&"acme", Via::Connect(place(requests).to_string()))] {
            let report = station.call();
            assert!(report.is_good(), "{ip}: {report:?}");
        }
        site.wait_log_after(Role::Client, mark, "session_end direction=outgoing*reason=normal");
        let lines: Vec<String> = site.log(Role::Client)[mark..]
            .lines()
            .filter_map(Line::read)
            .filter(|line| line.event() == "session_begin")
            .filter_map(|line| line.field("station"))
            .collect();
        let head = SocketAddr::new(ip.parse().unwrap(), 0).to_string();
        let head = head.trim_end_matches('0');
        assert!(lines.len() == 2 && lines.iter().all(|station| station.starts_with(head)), "{lines:?}");
    }
    // The networks of a listener use the normal spelling of hosts, however they are written.
    let at_four = SocketAddr::from(([127, 0, 0, 1], narrow));
    assert!(from(plain(at_four), [127, 0, 0, 2]).call().is_good());
    let mark = site.mark(Role::Client);
    assert_cut(&plain(at_four).call());
    site.wait_log_after(Role::Client, mark, "session_refused*reason=not-allowed address=127.0.0.1:");
    wait_for("the sessions in the list", || {
        let listed = site.api(&["sessions", "--json"]).unwrap();
        let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
        let rows = listed.as_array().unwrap();
        let is_over = |row: &serde_json::Value| row["station"].is_string() && !row["ended"].is_null();
        (rows.len() == 5 && rows.iter().all(is_over) && !listed.to_string().contains("::ffff")).then_some(())
    });
    for role in [Role::Api, Role::Server, Role::Client] {
        assert!(!site.log(role).contains("::ffff"), "{}", site.log(role));
    }
    site.end();
}

#[test]
fn only_listed_networks_may_use_a_listener() {
    let site = prepare("networks");
    let partner = listening(acme(), None);
    let place = tie(&site, "acme", &["--network", "127.0.0.2", "--network", "127.0.3.0/24"]);
    let (ip, port) = (site.outgoing.ip().to_string(), site.outgoing.port().to_string());
    let row = ["proxyclient", "add", "127.0.0.1", "--listen-ip", &ip, "--port", &port];
    site.api(&[&row[..], &["--network", "127.0.0.4"]].concat()).unwrap();
    let mut site = launch(site, &partner, &["--tls", "no"]);
    site.wait_log(Role::Client, "listener_open*partner=acme");
    assert!(from(plain(place), [127, 0, 0, 2]).call().is_good());
    assert!(from(plain(place), [127, 0, 3, 99]).call().is_good());
    let by_request = |address| from(station(&"acme", connect(&site)), address).call();
    assert!(by_request([127, 0, 0, 4]).is_good());
    // Refusals are logged at a limited rate, so only one of them has the line.
    let refused = by_request([127, 0, 0, 2]);
    assert!(matches!(refused.ending, Ending::Failed(_)), "{refused:?}");
    assert_cut(&from(plain(place), [127, 0, 0, 4]).call());
    site.wait_log(Role::Client, "session_refused direction=outgoing reason=not-allowed address=127.0.0.2:");
    assert_eq!(partner.connections(), 3);
    site.end();
}

/// Sends and receives in turn, octet by octet, and then reads the partner's first message.
#[track_caller]
fn assert_through(place: SocketAddr, dialogue: &[(&[u8], &[u8])]) {
    let mut tcp = TcpStream::connect(place).unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let ending: (&[u8], &[u8]) = (b"", SSRM);
    for (say, expected) in dialogue.iter().chain([&ending]) {
        for octet in *say {
            tcp.write_all(&[*octet]).unwrap();
        }
        let mut heard = vec![0; expected.len()];
        tcp.read_exact(&mut heard).unwrap();
        assert_eq!(heard.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{dialogue:?}");
    }
}

#[test]
fn the_first_octets_show_the_proxy_protocol_of_a_station() {
    let mut site = prepare("three-ways");
    let four = listening(acme(), None);
    let six = Station { listen: "[::1]:0".to_owned(), ..Station::new(acme()) }.spawn().unwrap();
    let (port, port_six) = (four.address().port(), six.address().port());
    for (name, host, port) in
        [("by-name", "localhost", port), ("by-four", HOST, port), ("by-six", "::1", port_six)]
    {
        add(&site, name, port, &["--tls", "no"]);
        site.api(&["partner", "set", name, "--host", host]).unwrap();
    }
    let tied = tie(&site, "by-six", &[]);
    launch_as_it_is(&mut site);
    site.wait_log(Role::Client, "listener_open*partner=by-six");
    let ready = b"HTTP/1.1 200 Connection established\r\n\r\n";
    for request in [
        format!("CONNECT localhost:{port} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
        "CONNECT LOCALHOST. HTTP/1.1\r\n\r\n".to_owned(),
        format!("CONNECT 127.0.0.1:{port} HTTP/1.0\r\nProxy-Authorization: Basic eDp5\r\n\r\n"),
        "CONNECT 127.0.0.1 HTTP/1.1\r\n\r\n".to_owned(),
        format!("CONNECT by-name:{port} HTTP/1.1\n\n"),
        "CONNECT By-Name HTTP/1.1\r\n\r\n".to_owned(),
        format!("CONNECT [::1]:{port_six} HTTP/1.1\r\n\r\n"),
        "CONNECT [0:0:0:0:0:0:0:1] HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        assert_through(site.outgoing, &[(request.as_bytes(), ready)]);
    }
    let (at, at_six) = (port.to_be_bytes(), port_six.to_be_bytes());
    let done: &[u8] = b"\x05\0\0\x01\0\0\0\0\0\0";
    for (host, at) in [
        ([&b"\x03\x09localhost"[..], &at].concat(), true),
        ([&b"\x03\x07by-name"[..], &[0, 0]].concat(), false),
        ([&b"\x01\x7f\0\0\x01"[..], &at].concat(), true),
        ([&b"\x04"[..], &[0; 15], &[1], &at_six].concat(), true),
    ] {
        let request = [&b"\x05\x01\0"[..], &host].concat();
        // Without authentication, with other methods offered, too, and with a user name.
        let greeting: &[u8] = if at { b"\x05\x01\0" } else { b"\x05\x03\x01\x02\0" };
        assert_through(site.outgoing, &[(greeting, b"\x05\0"), (&request, done)]);
        let named: [(&[u8], &[u8]); 3] =
            [(b"\x05\x01\x02", b"\x05\x02"), (b"\x01\x04user\x02pw", b"\x01\0"), (&request, done)];
        assert_through(site.outgoing, &named);
    }
    assert_through(tied, &[]);
    assert_eq!((four.connections(), six.connections()), (6 + 6, 2 + 2 + 1));
    site.end();
}

#[test]
fn a_station_that_does_not_continue_is_disconnected_at_its_deadline() {
    let builder =
        ["station", "silence"].iter().fold(Builder::new("deadlines-out").outgoing(), |site, name| {
            site.setting(&format!("proxy_{name}_seconds"), "3")
        });
    let site = builder.prepare().unwrap();
    let partner = listening(acme(), None);
    let tied = tie(&site, "acme", &[]);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    site.wait_log(Role::Client, "listener_open*partner=acme");
    // It never names its destination.
    let mut tcp = TcpStream::connect(site.outgoing).unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    let end = tcp.read(&mut [0]).unwrap_err();
    assert_eq!(end.kind(), std::io::ErrorKind::ConnectionReset);
    site.wait_log(Role::Client, "session_refused direction=outgoing*reason=timeout");
    // It is connected and sends nothing, or reads nothing.
    for (at, act) in [(Point::Ready, Act::Silence), (Point::Data(50_000), Act::Stall)] {
        for mut by in [plain(tied), station(&"acme:0", socks(&site))] {
            if matches!(act, Act::Stall) {
                partner.queue().add_file(OutFile::octets("BACK", vec![0; 30_000_000]));
            }
            by.settings.misbehaviour = Some(Misbehaviour { at, act: act.clone() });
            // The kernel may keep the reset from a peer that does not read, so it waits this long for it.
            by.settings.timeout = Duration::from_secs(8);
            // What this peer sees does not matter: it does not read.
            let _ = by.call();
            let report = partner.next_report(PATIENCE).unwrap();
            let is_late = matches!(report.ending, Ending::Aborted { by: Side::Peer, reason: 9, .. });
            assert!(is_late, "{at:?}: {report:?}");
        }
    }
    wait_for("four ends by the deadline", || {
        let log = site.log(Role::Client);
        let ends = log.lines().filter(|line| line.contains(" session_end ") && line.contains(" esid=09"));
        (ends.count() == 4).then_some(())
    });
    site.end();
}

/// When the server takes a new configuration, it gives up all pairs that are not joined.
#[test]
fn a_station_whose_pair_is_given_up_gets_another() {
    let mut site = Builder::new("given-up").outgoing().setting("proxy_parked_pairs", "0").prepare().unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    dmz.go_deaf().unwrap();
    let by = station(&"acme", connect(&site));
    let call = std::thread::spawn(move || by.call());
    for _ in 0..2 {
        dmz.wait_wish().unwrap();
        dmz.give_up_a_pair().unwrap();
    }
    dmz.wait_wish().unwrap();
    dmz.tell(&json!({"no-outgoing": {"reason": "enough"}})).unwrap();
    let report = call.join().unwrap();
    assert!(refusal(&report).contains("HTTP/1.1 503 capacity: enough"), "{report:?}");
    site.end();
}

/// How often the client requests its configuration.
const REFRESH: Duration = Duration::from_secs(65);

/// Whether the site's client listens there.
fn listens(place: SocketAddr) -> bool {
    sockets::at(place).unwrap().iter().any(|socket| matches!(socket, Socket::Listening(_)))
}

/// Slow: two rounds of the 60 s refresh, which is no setting.
#[test]
fn listeners_move_and_come_back_while_sessions_go_on() {
    let patient = Settings { timeout: Duration::from_mins(5), ..acme() };
    let builder = Builder::new("moves").outgoing().setting("proxy_buffer_seconds", "300");
    let site = builder.prepare().unwrap();
    let partner = listening(patient, None);
    let taken = TcpListener::bind(free_address().unwrap()).unwrap();
    let wanted = taken.local_addr().unwrap();
    add(&site, "taken", partner.address().port(), &["--tls", "no", "--check-ssid", "no"]);
    tie_at(&site, wanted, "taken", &[]);
    let stays = tie(&site, "acme", &[]);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    // A port that is in use affects nothing else, and an operator is told.
    let error = format!("listener_error listener=local address={wanted} partner=taken reason=");
    site.wait_log(Role::Client, &error);
    site.wait_log(Role::Client, &format!("listener_open*address={stays} partner=acme"));
    wait_for("the system log to tell of it", || {
        let log = site.api(&["log", "--json"]).unwrap();
        (log.contains("the local listener cannot be opened") && log.contains(&wanted.to_string()))
            .then_some(())
    });
    let mut flying = station(&"acme", connect(&site));
    flying.settings.timeout = Duration::from_mins(5);
    let flight = Flight::take_off(flying).unwrap();

    let (old, new) = (site.outgoing, free_address().unwrap());
    let (ip, port) = (new.ip().to_string(), new.port().to_string());
    site.api(&["proxyclient", "add", "127.0.0.1", "--listen-ip", &ip, "--port", &port]).unwrap();
    tie_at(&site, stays, "acme", &["--network", "127.0.0.2"]);
    wait_slow(REFRESH, "the listener at its new place", || listens(new).then_some(()));
    assert!(!listens(old) && listens(stays), "the old one is closed, the other one is not");
    site.outgoing = new;
    let report = station(&"acme", connect(&site)).send([OutFile::octets("NEW", *b"new")]);
    assert!(report.is_good(), "{report:?}");
    assert!(from(plain(stays), [127, 0, 0, 2]).call().is_good());
    assert_cut(&plain(stays).call());

    // A missing listener is tried again although the backend is down.
    site.signal(Role::Api, Signal::SIGTERM);
    assert!(site.wait_end(Role::Api).unwrap().success());
    drop(taken);
    wait_slow(REFRESH, "the port that was taken", || listens(wanted).then_some(()));
    assert!(plain(wanted).call().is_good());
    let log = site.log(Role::Client);
    assert_eq!(log.matches(" listener_error ").count(), 1, "logged once: {log}");
    let closed = format!("listener_closed listener=local address={old} reason=");
    assert!(log.contains(&closed) && log.matches(" listener_closed ").count() == 1, "{log}");
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.end();
}
