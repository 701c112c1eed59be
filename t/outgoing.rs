//! A station reaches its partners through the DMZ: the three ways to name the destination, the source address, and that
//! only partners can be reached.

use crate::outward::{
    HOST, acme, add, certificate, connect, launch, listening, prepare, refusal, socks, station, tls,
};
use oftp2peer::oftp::report::Outcome;
use oftp2peer::oftp::settings::OutFile;
use oftp2peer::{Event, Partner};
use openssl::ssl::SslVersion;
use std::io::{Read, Write};
use std::net::TcpStream;
use t::site::sockets::{self, Socket};
use t::site::{Builder, Role};
use t::wait::{PATIENCE, wait_for};

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
    assert_eq!(received.received[0].outcome, Outcome::Accepted);
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_begin direction=outgoing*partner=acme ssid=O0013ACME");
        site.wait_log(role, "session_end direction=outgoing*reason=normal*files=1");
    }
    site.end();
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
        for (to, via) in [
            (format!("{HOST}:{port}"), connect(&site)),
            (format!("acme:{port}"), connect(&site)),
            ("ACME".to_owned(), connect(&site)),
            (format!("[::ffff:127.0.0.1]:{port}"), connect(&site)),
            (format!("{HOST}:{port}"), socks(&site)),
            ("acme:0".to_owned(), socks(&site)),
            (format!("[::ffff:127.0.0.1]:{port}"), socks(&site)),
        ] {
            partner.queue().add_file(OutFile::octets("BACK", vec![1; 5000]));
            let report = station(&to, via).send([OutFile::octets("OUT", vec![2; 5000])]);
            assert!(report.is_good() && report.received.len() == 1, "{to}: {report:?}");
            assert!(partner.next_report(PATIENCE).unwrap().is_good(), "{to}");
        }
        site.end();
    }
}

#[test]
fn nobody_but_partners_can_be_reached() {
    let site = prepare("table");
    let partner = listening(acme(), None);
    let site_station = site.station_address;
    add(&site, "off", partner.address().port(), &["--tls", "no", "--enabled", "no"]);
    add(&site, "homeless", 1, &["--tls", "no"]);
    site.api(&["partner", "set", "homeless", "--host", ""]).unwrap();
    let mut site = launch(site, &partner, &["--tls", "no"]);
    let other_port = format!("{HOST}:{}", site.tls.port());
    for to in [other_port.as_str(), "acme:1", "localhost:22", "nobody", &site_station.to_string()] {
        let report = station(&to, connect(&site)).call();
        assert!(refusal(&report).contains("HTTP/1.1 403 destination: "), "{to}: {report:?}");
        if to.contains(':') {
            let report = station(&to, socks(&site)).call();
            assert!(refusal(&report).contains("SOCKS5 code 2"), "{to}: {report:?}");
        }
    }
    for (to, words) in [("off", "disabled: "), ("homeless", "destination: the partner homeless has no host")]
    {
        let report = station(&to, connect(&site)).call();
        assert!(refusal(&report).contains(&format!("HTTP/1.1 403 {words}")), "{to}: {report:?}");
        let report = station(&format!("{to}:0"), socks(&site)).call();
        assert!(refusal(&report).contains("SOCKS5 code 2"), "{to}: {report:?}");
    }
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=disabled*partner=off");
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
    let options = ["--tls", "no", "--outgoing-ip", "127.0.0.42", "--check-ssid", "no"];
    add(&site, "own", partner.address().port(), &options);
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
fn a_partners_outgoing_address_that_the_host_does_not_have_concerns_that_partner_alone() {
    let site = prepare("no-source");
    let partner = listening(acme(), None);
    // TEST-NET-1 (RFC 5737): no host has it.
    add(&site, "own", partner.address().port(), &["--tls", "no", "--outgoing-ip", "192.0.2.1"]);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    site.wait_log(Role::Server, " ERROR *outgoing IP address 192.0.2.1 of partner own");
    wait_for("the entry in the system log", || {
        site.api(&["log", "--json"]).unwrap().contains("192.0.2.1 of partner own").then_some(())
    });
    let report = station(&"own", connect(&site)).call();
    assert!(refusal(&report).contains("HTTP/1.1 503 outgoing-ip: "), "{report:?}");
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_refused *reason=outgoing-ip*192.0.2.1");
    }
    assert!(station(&"acme", connect(&site)).call().is_good());
    site.end();
}

#[test]
fn a_station_that_sends_nothing_or_an_invalid_request_is_disconnected() {
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
        // A reset is an answer, too.
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
    let listening = |socket: &&Socket| matches!(socket, Socket::Listening(at) if *at == site.outgoing);
    let internal = site.internal;
    let joined = |socket: &&Socket| matches!(socket, Socket::Established(_, to) if *to == internal);
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!((all.iter().filter(listening).count(), all.iter().filter(joined).count()), (1, 1), "{all:?}");
    site.end();
}
