//! A station reaches its partners through the DMZ: the three ways to say where to, the partner's certificate, and
//! nobody but partners.

use openssl::ssl::{SslContext, SslVersion};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;
use t::ca::{Authority, Issued};
use t::oftp::report::{Ending, Fate, Report};
use t::oftp::settings::{Act, Mischief, OutFile, Point, Settings};
use t::peer::{Event, Partner, Running, Station};
use t::site::sockets::{self, Socket};
use t::site::{Builder, Role, Site};
use t::transport::Break;
use t::transport::dial::{Dial, Via};
use t::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(20);
const HOST: &str = "127.0.0.1";

/// A site that may have partners on loopback addresses, not launched yet.
fn prepare(name: &str) -> Site {
    Builder::new(name).outgoing().prepare().unwrap()
}

/// Partner `acme` as a server on `HOST`.
fn listening(settings: Settings, tls: Option<SslContext>) -> Running {
    Station { listen: format!("{HOST}:0"), tls, ..Station::new(settings) }.spawn().unwrap()
}

fn acme() -> Settings {
    Settings::new("O0013ACME", "PARTNER")
}

/// A good certificate for `HOST`.
fn certificate(site: &Site) -> Issued {
    site.authority.issue(&t::ca::Request::new("acme").ssid("O0013ACME").host(HOST)).unwrap()
}

fn tls(site: &Site, identity: &Issued) -> SslContext {
    identity.tls(&site.authority).unwrap().context().unwrap()
}

/// Lists `acme` where it listens, and starts the site.
fn launch(mut site: Site, partner: &Running, options: &[&str]) -> Site {
    let port = partner.address().port().to_string();
    let all = [&["partner", "set", "acme", "--host", HOST, "--port", &port], options].concat();
    site.api(&all).unwrap();
    site.launch().unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    site
}

/// The station, which calls `to` by `via`.
fn station(to: &impl ToString, via: Via) -> Partner {
    let dial = Dial { via: Some(via), ..Dial::to(to) };
    Partner::new(dial, Settings::new("O0013STATION", "STATION"))
}

fn connect(site: &Site) -> Via {
    Via::Connect(site.outgoing.to_string())
}

#[test]
fn a_file_goes_out_and_its_receipt_comes_back() {
    let site = prepare("outgoing");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    let report =
        station(&partner.address(), connect(&site)).send([OutFile::octets("OUT", vec![7; 1_000_000])]);
    assert!(report.is_good(), "{report:?}\n{}\n{}", site.log(Role::Server), site.log(Role::Client));
    assert!(report.receipt_for(&report.sent[0].id).is_some(), "{report:?}");
    let received = partner.next_report(PATIENCE).unwrap();
    assert_eq!(received.received[0].fate, Fate::Accepted);
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_begin direction=outgoing*partner=acme ssid=O0013ACME");
        site.wait_log(role, "session_end direction=outgoing*reason=normal*files=1");
    }
    site.end();
}

/// The proxy's own words, if it refused.
fn refusal(report: &Report) -> &str {
    match &report.ending {
        Ending::Failed(words) => words,
        _ => "",
    }
}

#[test]
fn each_way_leads_there_under_each_tls_and_without() {
    for version in [Some(SslVersion::TLS1_2), Some(SslVersion::TLS1_3), None] {
        let site = prepare(&format!("ways-{version:?}"));
        let context = version.map(|version| {
            let tls = certificate(&site).tls(&site.authority).unwrap();
            tls.only(version).context().unwrap()
        });
        let partner = listening(acme(), context);
        let site = launch(site, &partner, if version.is_some() { &[] } else { &["--tls", "no"] });
        let port = partner.address().port();
        let socks = || Via::Socks5(site.outgoing.to_string());
        for (to, via) in [
            (format!("{HOST}:{port}"), connect(&site)),
            (format!("acme:{port}"), connect(&site)),
            ("ACME".to_owned(), connect(&site)),
            (format!("[::ffff:127.0.0.1]:{port}"), connect(&site)),
            (format!("{HOST}:{port}"), socks()),
            ("acme:0".to_owned(), socks()),
            (format!("[::ffff:127.0.0.1]:{port}"), socks()),
        ] {
            partner.desk().queue(OutFile::octets("BACK", vec![1; 5000]));
            let report = station(&to, via).send([OutFile::octets("OUT", vec![2; 5000])]);
            assert!(report.is_good() && report.received.len() == 1, "{to}: {report:?}");
            assert!(partner.next_report(PATIENCE).unwrap().is_good(), "{to}");
        }
        site.end();
    }
}

#[test]
fn a_partner_that_cannot_prove_itself_is_refused_before_oftp_begins() {
    let mut site = prepare("proof");
    let request = || t::ca::Request::new("acme").ssid("O0013ACME").host(HOST);
    let issue = |request: &t::ca::Request| site.authority.issue(request).unwrap();
    let elsewhere = issue(&t::ca::Request::new("acme").ssid("O0013ACME").host("127.0.0.77"));
    let expired = issue(&request().valid(-10, -1));
    let revoked = issue(&request());
    let client_only = issue(&t::ca::Request { server: false, ..request() });
    let foreign = Authority::new("Foreign CA").unwrap().issue(&request()).unwrap();
    site.authority.revoke(&revoked.certificate).unwrap();
    site.publish_crl().unwrap();
    let cases = [
        ("elsewhere", elsewhere, "wrong-name"),
        ("late", expired, "expired"),
        ("gone", revoked, "revoked"),
        ("client", client_only, "wrong-usage"),
        ("foreign", foreign, "unknown-ca"),
    ];
    let mut partners = Vec::new();
    for (name, identity, _) in &cases {
        let partner = listening(acme(), Some(tls(&site, identity)));
        let port = partner.address().port().to_string();
        let ssid = format!("O0013{}", name.to_uppercase());
        site.api(&["partner", "add", name, "--ssid", &ssid, "--host", HOST, "--port", &port]).unwrap();
        partners.push(partner);
    }
    site.launch().unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    for ((name, _, word), partner) in cases.iter().zip(&partners) {
        let report = station(name, connect(&site)).call();
        assert!(refusal(&report).contains(&format!("HTTP/1.1 502 {word}: ")), "{report:?}");
        let report = station(&partner.address(), Via::Socks5(site.outgoing.to_string())).call();
        assert!(refusal(&report).contains("SOCKS5 code 5"), "{report:?}");
        site.wait_log(
            Role::Server,
            &format!("session_refused direction=outgoing reason={word}*partner={name}"),
        );
        site.wait_log(Role::Client, &format!("session_refused direction=outgoing*reason={word}"));
        assert!(partner.next_report(PATIENCE).unwrap().octets_in == 0, "{name}: OFTP octets passed");
    }
    site.end();
}

#[test]
fn a_pinned_partner_may_have_any_name_and_no_other_certificate() {
    let site = prepare("pins");
    let own = t::ca::self_signed(&t::ca::Request::new("pinned").ssid("O0013ACME")).unwrap();
    let file = site.directory().join("pin.pem");
    std::fs::write(&file, own.certificate_pem().unwrap()).unwrap();
    let other = listening(acme(), Some(tls(&site, &certificate(&site))));
    let (pin, port) = (file.to_string_lossy(), other.address().port().to_string());
    site.api(&[
        "partner", "add", "two", "--ssid", "O0013TWO", "--host", HOST, "--port", &port, "--pin", &pin,
    ])
    .unwrap();
    let partner = listening(acme(), Some(tls(&site, &own)));
    let mut site = launch(site, &partner, &["--pin", &pin, "--certificate", "pinned"]);
    assert!(station(&"acme", connect(&site)).call().is_good());
    let report = station(&"two", connect(&site)).call();
    assert!(refusal(&report).contains("502 not-this-partner"), "{report:?}");
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=not-this-partner*partner=two");
    site.end();
}

#[test]
fn nobody_but_partners_can_be_reached() {
    let site = prepare("table");
    let partner = listening(acme(), None);
    let site_station = site.station_address;
    let mut site = launch(site, &partner, &["--tls", "no", "--enabled", "yes"]);
    let other_port = format!("{HOST}:{}", site.tls.port());
    for to in [other_port.as_str(), "acme:1", "localhost:22", "nobody", &site_station.to_string()] {
        let report = station(&to, connect(&site)).call();
        assert!(refusal(&report).contains("HTTP/1.1 403 destination: "), "{to}: {report:?}");
        if to.contains(':') {
            let report = station(&to, Via::Socks5(site.outgoing.to_string())).call();
            assert!(refusal(&report).contains("SOCKS5 code 2"), "{to}: {report:?}");
        }
    }
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=destination address=nobody");
    wait_for("the system log to tell of it", || {
        site.api(&["log", "--json"]).unwrap().contains("outgoing session refused: destination").then_some(())
    });
    assert_eq!((partner.connections(), site.station.as_ref().unwrap().connections()), (0, 0));
    site.end();
}

#[test]
fn local_addresses_are_refused_even_if_listed() {
    let site =
        Builder::new("local").outgoing().setting("proxy_outgoing_allow_local", "no").prepare().unwrap();
    let partner = listening(acme(), None);
    let site = launch(site, &partner, &["--tls", "no"]);
    let report = station(&"acme", connect(&site)).call();
    assert!(
        refusal(&report).contains("HTTP/1.1 403 destination: 127.0.0.1 is 127.0.0.1, a local address"),
        "{report:?}"
    );
    assert_eq!(partner.connections(), 0);
    site.end();
}

#[test]
fn sessions_come_from_the_outgoing_address() {
    let site = Builder::new("source").outgoing().setting("tcp_outgoing_ip", "127.0.0.41").prepare().unwrap();
    let partner = listening(acme(), None);
    let port = partner.address().port().to_string();
    site.api(&[
        "partner",
        "add",
        "own",
        "--ssid",
        "O0013OWN",
        "--host",
        HOST,
        "--port",
        &port,
        "--tls",
        "no",
        "--outgoing-ip",
        "127.0.0.42",
        "--check-ssid",
        "no",
    ])
    .unwrap();
    let site = launch(site, &partner, &["--tls", "no"]);
    for (to, from) in [("acme", "127.0.0.41"), ("own", "127.0.0.42")] {
        assert!(station(&to, connect(&site)).call().is_good(), "{to}");
        match partner.next_event(PATIENCE).unwrap() {
            Event::Connected { from: seen, .. } => assert_eq!(seen.ip().to_string(), from),
            Event::Ended(report) => panic!("{report:?}"),
        }
        partner.next_report(PATIENCE).unwrap();
    }
    site.end();
}

#[test]
fn a_partner_that_is_down_or_silent_is_an_error_status() {
    let site = Builder::new("silent")
        .outgoing()
        .setting("proxy_handshake_seconds", "2")
        .setting("proxy_ssid_seconds", "2")
        .prepare()
        .unwrap();
    let mute = TcpListener::bind((HOST, 0)).unwrap();
    let port = mute.local_addr().unwrap().port().to_string();
    let mischief = |act| Settings { mischief: Some(Mischief { at: Point::Connected, act }), ..acme() };
    let partner = listening(mischief(Act::Close), None);
    let gone = { TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port().to_string() };
    for (name, port, tls) in [("plain", &port, "no"), ("tls", &port, "yes"), ("down", &gone, "no")] {
        let ssid = format!("O0013{}", name.to_uppercase());
        site.api(&["partner", "add", name, "--ssid", &ssid, "--host", HOST, "--port", port, "--tls", tls])
            .unwrap();
    }
    let site = launch(site, &partner, &["--tls", "no"]);
    for (name, status, code) in [
        ("plain", "504 timeout", 6),
        ("tls", "504 timeout", 6),
        ("down", "502 partner-down", 4),
        ("acme", "502 partner-broke", 5),
    ] {
        let report = station(&name, connect(&site)).call();
        assert!(refusal(&report).contains(status), "{name}: {report:?}");
        let report = station(&format!("{name}:0"), Via::Socks5(site.outgoing.to_string())).call();
        assert!(refusal(&report).contains(&format!("SOCKS5 code {code}")), "{name}: {report:?}");
    }
    site.end();
}

#[test]
fn a_partner_that_breaks_off_in_a_file_is_a_break_to_the_station() {
    for (name, act) in [("cut", Act::Cut), ("reset", Act::Reset), ("close", Act::Close)] {
        let site = prepare(&format!("out-{name}"));
        let settings = Settings { mischief: Some(Mischief { at: Point::Data(500_000), act }), ..acme() };
        let partner = listening(settings, Some(tls(&site, &certificate(&site))));
        let mut site = launch(site, &partner, &[]);
        let report = station(&"acme", connect(&site)).send([OutFile::octets("BREAK", vec![3; 3_000_000])]);
        assert_eq!(report.ending, Ending::Broken(Break::Reset), "{name}");
        for role in [Role::Server, Role::Client] {
            site.wait_log(role, "session_end direction=outgoing*reason=partner-broke");
        }
        site.end();
    }
}

#[test]
fn whoever_answers_must_be_the_partner() {
    let site = prepare("stranger");
    let partner = listening(Settings::new("O0013OTHER", "PARTNER"), None);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    let report = station(&"acme", connect(&site)).call();
    assert_eq!(report.ending.reason(), Some(3), "{report:?}");
    assert_eq!(partner.next_report(PATIENCE).unwrap().ending.reason(), Some(3));
    site.wait_log(Role::Server, "session_end direction=outgoing*reason=not-this-partner*esid=03");
    site.end();
}

#[test]
fn a_station_that_says_nothing_or_rubbish_is_let_go() {
    let site = Builder::new("rubbish").outgoing().setting("proxy_station_seconds", "1").prepare().unwrap();
    let partner = listening(acme(), None);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    for (said, answer) in [
        ("", ""),
        ("CONNECT acme", ""),
        ("\u{1}", ""),
        ("GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 405 "),
        ("CONNECT a b c HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "),
        (&format!("CONNECT {}", "a".repeat(9000)), "HTTP/1.1 431 "),
        ("\u{5}\u{1}\u{1}", "\u{5}\u{fffd}"),
        ("\u{5}\u{1}\u{0}\u{5}\u{2}\u{0}\u{1}abcdef", "\u{5}\u{0}\u{5}\u{7}"),
    ] {
        let mut tcp = TcpStream::connect(site.outgoing).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.write_all(said.as_bytes()).unwrap();
        let mut heard = Vec::new();
        // A reset is an answer too.
        let _ = tcp.read_to_end(&mut heard);
        let heard = String::from_utf8_lossy(&heard);
        assert!(heard.starts_with(answer) && heard.is_empty() == answer.is_empty(), "{said:?}: {heard:?}");
    }
    site.wait_log(Role::Client, "session_refused direction=outgoing*reason=timeout");
    site.wait_log(Role::Client, "session_refused direction=outgoing*reason=bad-request");
    site.end();
}

#[test]
fn many_sessions_both_ways_at_a_time() {
    let site = prepare("both-ways");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let site = launch(site, &partner, &[]);
    let inward = site.partner("O0013ACME").unwrap();
    let calls: Vec<_> = (0..40_u8)
        .map(|at| {
            let own = if at % 2 == 0 {
                let mut own = Partner::new(inward.dial.clone(), inward.settings.clone());
                own.dial.from = Some([127, 0, 7, 1 + at % 8].into());
                own
            } else {
                station(&"acme", connect(&site))
            };
            std::thread::spawn(move || own.send([OutFile::octets(&format!("FILE{at}"), vec![at; 50_000])]))
        })
        .collect();
    for call in calls {
        let report = call.join().unwrap();
        assert!(report.is_good(), "{report:?}");
    }
    for role in [Role::Server, Role::Client] {
        wait_for("an end of each session", || {
            let log = site.log(role);
            let ends = |direction: &str| log.matches(&format!(" session_end direction={direction}")).count();
            (ends("incoming") == 20 && ends("outgoing") == 20).then_some(())
        });
    }
    site.end();
}

#[test]
fn an_idle_client_shows_the_control_connection_and_its_listener() {
    let site = prepare("idle-out");
    let partner = listening(acme(), None);
    let site = launch(site, &partner, &["--tls", "no"]);
    let all = sockets::of(site.pid(Role::Client)).unwrap();
    let listening =
        |socket: &&Socket| matches!(socket, Socket::Listening(at) if SocketAddr::V4(*at) == site.outgoing);
    let joined = |socket: &&Socket| matches!(socket, Socket::Established(_, to) if SocketAddr::V4(*to) == site.internal);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all.iter().filter(listening).count(), all.iter().filter(joined).count()), (1, 1), "{all:?}");
    site.end();
}
