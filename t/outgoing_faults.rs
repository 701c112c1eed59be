//! Partners that are down, silent, faulty, or not who they should be: the station gets the reason before any OFTP
//! octet, in its proxy protocol, and both logs have the same reason.

use crate::outward::{
    HOST, acme, add, certificate, connect, faulty, launch, launch_as_it_is, listening, prepare, refusal,
    request, socks, station, tls,
};
use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, connect as connect_to, getsockname,
    listen, socket,
};
use oftp2peer::Running;
use oftp2peer::ca::{Authority, Issued};
use oftp2peer::oftp::report::Ending;
use oftp2peer::oftp::settings::{Act, Misbehaviour, OutFile, Point, Settings};
use oftp2peer::transport::{Break, Conn};
use openssl::ssl::SslVersion;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{JoinHandle, spawn};
use t::installation::closed_port;
use t::site::{Builder, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// A port whose queue is full, so that the kernel accepts no connection. The connections that fill it are returned,
/// too.
fn full_port() -> (u16, Vec<OwnedFd>) {
    let new = |flags| socket(AddressFamily::Inet, SockType::Stream, flags | SockFlag::SOCK_CLOEXEC, None);
    let listener = new(SockFlag::empty()).unwrap();
    let any: SocketAddr = format!("{HOST}:0").parse().unwrap();
    bind(listener.as_raw_fd(), &SockaddrStorage::from(any)).unwrap();
    listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let address: SockaddrStorage = getsockname(listener.as_raw_fd()).unwrap();
    let mut held = vec![listener];
    for _ in 0..4 {
        let waiting = new(SockFlag::SOCK_NONBLOCK).unwrap();
        // The first one is accepted at once, the others wait for ever.
        let _ = connect_to(waiting.as_raw_fd(), &address);
        held.push(waiting);
    }
    (address.as_sockaddr_in().unwrap().port(), held)
}

/// A port that does this to two connections: one for each proxy protocol.
fn raw(act: impl Fn(TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || listener.incoming().take(2).flatten().for_each(act));
    port
}

fn misbehaving(at: Point, act: Act) -> Settings {
    faulty(Misbehaviour { at, act })
}

/// A partner with a fault in TLS or OFTP2, and the answer for the station.
struct Case {
    name: &'static str,
    port: u16,
    options: &'static [&'static str],
    /// The reason, and the SOCKS5 code for it.
    answer: (&'static str, u8),
}

fn case(name: &'static str, port: u16, options: &'static [&'static str], answer: (&'static str, u8)) -> Case {
    Case { name, port, options, answer }
}

#[test]
fn each_fault_of_a_partner_has_its_own_word() {
    const PLAIN: &[&str] = &["--tls", "no"];
    let mut site = Builder::new("faults")
        .outgoing()
        .setting("proxy_handshake_seconds", "8")
        .setting("proxy_ssid_seconds", "8")
        .prepare()
        .unwrap();
    let good = tls(&site, &certificate(&site));
    // It trusts another CA than ours.
    let foreign = Authority::new("Foreign CA").unwrap();
    let wary = |version| certificate(&site).tls(&foreign).unwrap().only(version).context().unwrap();
    let (full, _held) = full_port();
    let gone = closed_port(HOST.parse().unwrap()).unwrap();
    let mute = TcpListener::bind((HOST, 0)).unwrap();
    let mute_port = mute.local_addr().unwrap().port();
    let rude = raw(|mut tcp| {
        let _ = tcp.read(&mut [0; 16]);
        Conn::plain(tcp).unwrap().reset();
    });
    let web = raw(|mut tcp| {
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let partners: Vec<Running> = [
        (Some(good.clone()), misbehaving(Point::Connected, Act::Silence)),
        (Some(good.clone()), misbehaving(Point::Connected, Act::Reset)),
        (None, misbehaving(Point::Connected, Act::Close)),
        (Some(good), misbehaving(Point::Connected, Act::Send(b"\x10\0\0\x06XX".to_vec()))),
        (Some(wary(SslVersion::TLS1_2)), acme()),
        (Some(wary(SslVersion::TLS1_3)), acme()),
    ]
    .into_iter()
    .map(|(tls, settings)| listening(settings, tls))
    .collect();
    let port = |at: usize| partners[at].address().port();
    let nowhere = &["--host", "no-such-host.invalid"];
    let cases = [
        case("gone", gone, &[], ("partner-down", 4)),
        case("full", full, &[], ("timeout", 6)),
        case("mute", mute_port, &[], ("timeout", 6)),
        case("muteplain", mute_port, PLAIN, ("timeout", 6)),
        case("rude", rude, &[], ("partner-broke", 5)),
        case("web", web, &[], ("protocol", 5)),
        case("silent", port(0), &[], ("timeout", 6)),
        case("reset", port(1), &[], ("partner-broke", 5)),
        case("closed", port(2), PLAIN, ("partner-broke", 5)),
        case("rubbish", port(3), &[], ("partner-violation", 5)),
        case("wary", port(4), &[], ("tls", 5)),
        case("wary3", port(5), &[], ("tls", 5)),
    ];
    for Case { name, port, options, .. } in &cases {
        add(&site, name, *port, options);
    }
    add(&site, "nowhere", 1, &[]);
    site.api(&[&["partner", "set", "nowhere"][..], nowhere].concat()).unwrap();
    launch_as_it_is(&mut site);
    let calls: Vec<JoinHandle<String>> = cases
        .iter()
        .flat_map(|case| [(case.name.to_owned(), connect(&site)), (format!("{}:0", case.name), socks(&site))])
        .map(|(to, via)| spawn(move || refusal(&station(&to, via).call()).to_owned()))
        .collect();
    let nowhere = station(&"nowhere", connect(&site)).call();
    // How long the resolver looks for it does not depend on us.
    let words = ["HTTP/1.1 502 partner-down: the name", "HTTP/1.1 504 timeout: "];
    assert!(words.iter().any(|word| refusal(&nowhere).contains(word)), "{nowhere:?}");
    let mut reports = calls.into_iter().map(|call| call.join().unwrap());
    for Case { name, answer: (word, code), .. } in &cases {
        let by_connect = reports.next().unwrap();
        let status = if *word == "timeout" { 504 } else { 502 };
        assert!(by_connect.contains(&format!("HTTP/1.1 {status} {word}: ")), "{name}: {by_connect}");
        let by_socks = reports.next().unwrap();
        assert!(by_socks.contains(&format!("SOCKS5 code {code}")), "{name}: {by_socks}");
        let refused = "session_refused direction=outgoing";
        site.wait_log(Role::Server, &format!("{refused} reason={word}*partner={name} *detail="));
        site.wait_log(
            Role::Client,
            &format!("{refused}*address={name} *station=127.0.0.1:*reason={word}*detail="),
        );
        let entry = format!("outgoing session refused: {word}");
        wait_for("the entry in the system log", || {
            site.api(&["log", "--json"]).unwrap().contains(&entry).then_some(())
        });
    }
    site.end();
}

#[test]
fn a_partner_that_cannot_prove_itself_is_refused_before_oftp_begins() {
    let mut site = prepare("proof");
    let issue = |request: &oftp2peer::ca::Request| site.authority.issue(request).unwrap();
    let elsewhere = issue(&oftp2peer::ca::Request::new("acme").ssid("O0013ACME").host("127.0.0.77"));
    let expired = issue(&request().valid(-10, -1));
    let revoked = issue(&request());
    let client_only = issue(&oftp2peer::ca::Request { server: false, ..request() });
    let foreign = Authority::new("Foreign CA").unwrap().issue(&request()).unwrap();
    site.authority.revoke(&revoked.certificate).unwrap();
    site.publish_crl().unwrap();
    let faults = [
        ("elsewhere", elsewhere, "wrong-name"),
        ("late", expired, "expired"),
        ("gone", revoked, "revoked"),
        ("client", client_only, "wrong-usage"),
        ("foreign", foreign, "unknown-ca"),
    ];
    let versions = [("2", SslVersion::TLS1_2), ("3", SslVersion::TLS1_3)];
    let cases: Vec<(String, Running, &str)> = versions
        .into_iter()
        .flat_map(|version| faults.iter().map(move |fault| (version, fault)))
        .map(|((digit, version), (name, identity, word))| {
            let context = identity.tls(&site.authority).unwrap().only(version).context().unwrap();
            (format!("{name}{digit}"), listening(acme(), Some(context)), *word)
        })
        .collect();
    for (name, partner, _) in &cases {
        add(&site, name, partner.address().port(), &[]);
    }
    launch_as_it_is(&mut site);
    for (name, partner, word) in &cases {
        let report = station(name, connect(&site)).call();
        assert!(refusal(&report).contains(&format!("HTTP/1.1 502 {word}: ")), "{name}: {report:?}");
        let report = station(&partner.address(), socks(&site)).call();
        assert!(refusal(&report).contains("SOCKS5 code 5"), "{name}: {report:?}");
        let refused = "session_refused direction=outgoing";
        site.wait_log(Role::Server, &format!("{refused} reason={word}*subject=*serial=*partner={name} "));
        site.wait_log(Role::Client, &format!("{refused}*address={name} *reason={word}"));
        if *word == "wrong-name" {
            // What the certificate is for, and the remedy.
            site.wait_log(Role::Server, &format!("{refused} reason={word}*it is for 127.0.0.77;*--pin FILE"));
        }
        assert!(partner.next_report(PATIENCE).unwrap().octets_in == 0, "{name}: OFTP octets passed");
    }
    site.end();
}

#[test]
fn a_partner_that_is_called_is_known_by_its_host_name_and_the_code_that_answers() {
    // Its certificate has the name and no SSIDCODE, as a web server's does.
    for (rule, host) in [("odette-id", "localhost"), ("any", "localhost"), ("any", "localhost.")] {
        let site = prepare(&format!("name-{rule}-{}", host.len()));
        let web = site.authority.issue(&oftp2peer::ca::Request::new("localhost").host("localhost")).unwrap();
        let partner = listening(acme(), Some(tls(&site, &web)));
        let site = launch(site, &partner, &["--host", host, "--certificate", rule]);
        let to = format!("localhost:{}", partner.address().port());
        for to in ["acme", &to] {
            assert!(station(&to, connect(&site)).call().is_good(), "{rule} {to}");
        }
        let by_address = station(&partner.address(), connect(&site)).call();
        assert!(refusal(&by_address).contains("HTTP/1.1 403 destination"), "{by_address:?}");
        site.end();
    }
}

#[test]
fn a_pinned_partner_may_have_any_name_and_no_other_certificate() {
    let site = prepare("pins");
    // The certificate is for clients only: the pin counts more than the usage.
    let request = oftp2peer::ca::Request::new("pinned").ssid("O0013ACME");
    let own = oftp2peer::ca::self_signed(&oftp2peer::ca::Request { server: false, ..request }).unwrap();
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

/// The ways in which a side breaks off, and when.
fn breaks() -> [(&'static str, Misbehaviour); 3] {
    [("cut", Act::Cut), ("reset", Act::Reset), ("close", Act::Close)]
        .map(|(name, act)| (name, Misbehaviour { at: Point::Data(500_000), act }))
}

/// The reason in both end lines after these marks.
#[track_caller]
fn assert_ended(site: &mut Site, marks: [usize; 2], partner: &str, reason: &str) {
    for (role, mark) in [Role::Server, Role::Client].into_iter().zip(marks) {
        let line = format!("session_end direction=outgoing*partner={partner} *reason={reason} ");
        site.wait_log_after(role, mark, &line);
    }
}

#[test]
fn a_side_that_breaks_off_in_a_file_is_a_break_to_the_other() {
    let mut site = prepare("breaks");
    let context = tls(&site, &certificate(&site));
    let file = || OutFile::octets("BREAK", vec![3; 3_000_000]);
    let mut partners = Vec::new();
    for tls in [Some(context), None] {
        let sound = listening(acme(), tls.clone());
        let rude = breaks().map(|(name, misbehaviour)| (name, listening(faulty(misbehaviour), tls.clone())));
        let (suffix, flag) = if tls.is_some() { ("tls", "yes") } else { ("plain", "no") };
        for (name, partner) in rude.iter().map(|(name, partner)| (*name, partner)).chain([("sound", &sound)])
        {
            let options = ["--tls", flag, "--check-ssid", "no"];
            add(&site, &format!("{name}{suffix}"), partner.address().port(), &options);
        }
        partners.push((suffix, sound, rude));
    }
    launch_as_it_is(&mut site);
    for (suffix, sound, rude) in &partners {
        for (name, _) in rude {
            let (marks, name) =
                ([Role::Server, Role::Client].map(|role| site.mark(role)), format!("{name}{suffix}"));
            let report = station(&name, connect(&site)).send([file()]);
            assert_eq!(report.ending, Ending::Broken(Break::Reset), "{name}");
            assert_ended(&mut site, marks, &name, "partner-broke");
        }
        for (act, misbehaviour) in breaks() {
            let (marks, name) =
                ([Role::Server, Role::Client].map(|role| site.mark(role)), format!("sound{suffix}"));
            let mut station = station(&name, connect(&site));
            station.settings.misbehaviour = Some(misbehaviour);
            station.send([file()]);
            let report = sound.next_report(PATIENCE).unwrap();
            assert_eq!(report.ending, Ending::Broken(Break::Reset), "{act} {name}");
            assert_ended(&mut site, marks, &name, "station-broke");
        }
    }
    site.end();
}

#[test]
fn the_side_that_answers_must_be_the_partner() {
    let site = prepare("stranger");
    let partner = listening(Settings::new("O0013OTHER", "PARTNER"), None);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    let report = station(&"acme", connect(&site)).call();
    assert_eq!(report.ending.reason(), Some(3), "{report:?}");
    assert_eq!(partner.next_report(PATIENCE).unwrap().ending.reason(), Some(3));
    site.wait_log(Role::Server, "session_end direction=outgoing*reason=not-this-partner*esid=03");
    site.end();
}

/// A partner whose authentication fails and that keeps its end open until the test releases it.
fn clinging(identity: &Issued, site: &Site) -> (u16, Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let context = tls(site, identity);
    let (go, gate): (Sender<()>, Receiver<()>) = channel();
    let thread = spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let _own = tcp.try_clone().unwrap();
        assert!(oftp2peer::transport::tls::accept(tcp, &context, PATIENCE).is_err());
        let _ = gate.recv();
    });
    (port, go, thread)
}

#[test]
fn the_station_gets_the_reason_before_the_partner_has_gone() {
    let mut site = prepare("at-once");
    let expired = site.authority.issue(&request().valid(-10, -1)).unwrap();
    let (port, go, partner) = clinging(&expired, &site);
    add(&site, "late", port, &[]);
    launch_as_it_is(&mut site);
    let report = station(&"late", connect(&site)).call();
    assert!(refusal(&report).contains("HTTP/1.1 502 expired: "), "{report:?}");
    site.wait_log(Role::Client, "session_refused direction=outgoing*reason=expired");
    // The server's process is still closing the partner's connection: its line is written after that.
    assert!(!site.log(Role::Server).contains("session_refused"), "{}", site.log(Role::Server));
    go.send(()).unwrap();
    partner.join().unwrap();
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=expired");
    site.end();
}
