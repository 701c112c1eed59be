//! What no honest peer does, but a scanner or an attacker may: octets that only look like TLS, chains without end, one
//! octet at a time, values that would do harm if a program took them for more than values. Each is refused in time,
//! with one line, and the next partner is served.

use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::transport::tls::Tls;
use serde_json::{Value, json};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use t::link::Dmz;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::PATIENCE;

/// A connection to the TLS port.
fn connected(site: &Site) -> TcpStream {
    let tcp = site.partner("O0013ACME").unwrap().dial.open_tcp().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.set_write_timeout(Some(PATIENCE)).unwrap();
    tcp
}

/// Writes as much as the server accepts, and waits until it closes.
#[track_caller]
fn ends(mut tcp: TcpStream, octets: &[u8], what: &str) {
    // The server may have closed before all was written.
    let _ = tcp.write_all(octets);
    let end = tcp.read_to_end(&mut Vec::new());
    let is_late =
        end.as_ref().is_err_and(|e| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
    assert!(!is_late, "{what}: {end:?}");
}

/// The reason of the only refusal after `mark`.
#[track_caller]
fn reason(site: &mut Site, mark: usize, what: &str) -> String {
    let line = site.wait_log_after(Role::Server, mark, " session_refused ");
    assert_eq!(site.log(Role::Server)[mark..].matches(" session_refused ").count(), 1, "{what}");
    Line::read(&line).unwrap().field("reason").unwrap()
}

/// A TLS record of this type.
fn record(kind: u8, octets: &[u8]) -> Vec<u8> {
    let length = u16::try_from(octets.len()).unwrap();
    [&[kind, 3, 1][..], &length.to_be_bytes(), octets].concat()
}

#[test]
fn octets_that_only_look_like_tls_are_refused_in_time() {
    let mut site = Site::start("odd-octets").unwrap();
    // A ClientHello that announces 16 MiB and sends 1 MiB.
    let endless = [record(22, b"\x01\xff\xff\xff\x03\x03"), record(22, &[0; 16_384]).repeat(64)].concat();
    let broken = record(22, b"\x01\x00\x00\x04\x03\x03\xff\xff");
    for (what, octets) in [
        ("a ClientHello of 16 MiB", endless),
        ("records without octets", record(22, b"").repeat(10_000)),
        ("a ClientHello that ends too early", broken),
        ("an alert", record(21, b"\x02\x28")),
        ("data", record(23, &[0; 64])),
        ("a change of the cipher", record(20, b"\x01").repeat(1_000)),
        ("an unknown record", record(99, &[0; 64])),
        ("SSL 2", [&b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"[..], &[0; 37]].concat()),
        ("octets without sense", vec![0xff; 100_000]),
    ] {
        let mark = site.mark(Role::Server);
        ends(connected(&site), &octets, what);
        let reason = reason(&mut site, mark, what);
        assert!(["tls", "protocol"].contains(&reason.as_str()), "{what}: {reason}");
    }
    site.assert_works();
    site.end();
}

/// A partner with this certificate and key, PEM.
fn partner_with(site: &Site, chain: Vec<u8>, key: Vec<u8>) -> Partner {
    let mut partner = site.partner("O0013ACME").unwrap();
    let trust = Some(site.authority.certificate_pem().unwrap());
    let context = Tls { identity: Some((chain, key)), trust, ..Tls::default() }.context().unwrap();
    partner.dial.tls = Some((context, Some(site.address.to_string())));
    partner
}

#[test]
fn a_chain_of_ten_thousand_certificates_is_refused_and_one_with_eighty_too_many_passes() {
    let mut site = Site::start("long-chain").unwrap();
    let own = site.authority.issue(&Request::new("acme").ssid("O0013ACME")).unwrap();
    let junk = Authority::new("Nobody's CA").unwrap().certificate_pem().unwrap();
    let leaf = own.certificate_pem().unwrap();
    let chain = |count| [leaf.clone(), junk.repeat(count)].concat();
    let key = || own.key_pem().unwrap();
    let report = partner_with(&site, chain(80), key()).call();
    assert!(report.ending.is_normal(), "{report:?}");
    let mark = site.mark(Role::Server);
    let report = partner_with(&site, chain(10_000), key()).call();
    assert!(!report.ending.is_normal(), "{report:?}");
    assert_eq!(reason(&mut site, mark, "the chain"), "tls");
    site.assert_works();
    site.end();
}

/// An object identifier that nobody uses (in a private enterprise's arc).
const UNKNOWN: &str = "1.3.6.1.4.1.99999.1";
/// Subject alternative names, and CRL distribution points.
const NAMES: &str = "2.5.29.17";
const CRL_POINTS: &str = "2.5.29.31";
const NAME_CONSTRAINTS: &str = "2.5.29.30";
const USAGE: &str = "2.5.29.37";

#[test]
fn a_certificate_with_odd_extensions_is_taken_or_refused_with_a_reason() {
    let mut site = Site::start("odd-extensions").unwrap();
    let garbage = || b"\x30\x84\xff\xff\xff\xff no DER".to_vec();
    let many_names = [&b"\x30\x82\xea\x60"[..], &b"\x82\x04a.bc".repeat(10_000)].concat();
    for (what, extension, refused) in [
        ("unknown", (UNKNOWN, false, b"\x05\x00".to_vec()), None),
        ("unknown and critical", (UNKNOWN, true, b"\x05\x00".to_vec()), Some("bad-certificate")),
        ("larger than a handshake may be", (UNKNOWN, false, vec![0; 1 << 20]), Some("tls")),
        // OpenSSL looks for no issuer of a certificate that it cannot decode.
        ("names without sense", (NAMES, false, garbage()), Some("unknown-ca")),
        ("no names", (NAMES, true, b"\x30\x00".to_vec()), None),
        ("ten thousand names", (NAMES, false, many_names), None),
        ("points without sense", (CRL_POINTS, false, garbage()), Some("unknown-ca")),
        ("constraints without sense", (NAME_CONSTRAINTS, true, garbage()), Some("unknown-ca")),
        ("a second usage", (USAGE, false, b"\x30\x00".to_vec()), Some("unknown-ca")),
    ] {
        let request = Request { extensions: vec![extension], ..Request::new("odd").ssid("O0013ACME") };
        let odd = site.authority.issue(&request).unwrap();
        let mark = site.mark(Role::Server);
        let report = site.partner_with("O0013ACME", Some(&odd)).unwrap().call();
        assert_eq!(report.ending.is_normal(), refused.is_none(), "{what}: {report:?}");
        if let Some(refused) = refused {
            assert_eq!(reason(&mut site, mark, what), refused, "{what}");
        }
    }
    site.assert_works();
    site.end();
}

#[test]
fn one_octet_at_a_time_is_no_way_past_a_deadline() {
    let mut site = Builder::new("drips").setting("proxy_handshake_seconds", "3").start().unwrap();
    let mut tcp = connected(&site);
    tcp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let (mark, begun) = (site.mark(Role::Server), Instant::now());
    // At this pace its record takes longer than the deadline.
    let hello = record(22, &[b"\x01\x00\x03\xfc\x03\x03", &[7; 1_018][..]].concat());
    let mut octets = hello.iter();
    let is_closed = |read: std::io::Result<usize>| match read {
        Err(e) => !matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        Ok(count) => count == 0,
    };
    while tcp.write_all(&[*octets.next().unwrap()]).is_ok() && !is_closed(tcp.read(&mut [0; 64])) {
        assert!(begun.elapsed() < PATIENCE, "it is let in for longer than 3 s");
    }
    assert_eq!(reason(&mut site, mark, "drips"), "timeout");
    site.assert_works();
    site.end();
}

#[test]
fn values_of_peers_are_values_in_logs_lists_and_the_database() {
    const CODE: &str = "O0013) OR 1=1 --";
    const NAME: &str = "x'); DELETE FROM os4x_partners; --";
    let partners = [PartnerEntry::new("acme", "O0013ACME"), PartnerEntry::new("odd", CODE)];
    let mut site = Builder::new("values").partners(partners).start().unwrap();
    let before = site.api(&["partner", "list", "--json"]).unwrap();
    let listed = site.authority.issue(&Request::new(NAME).ssid(CODE)).unwrap();
    let unlisted = site.authority.issue(&Request::new(NAME).ssid("O0013ACME")).unwrap();
    assert!(site.partner_with(CODE, Some(&listed)).unwrap().call().is_good());
    assert!(!site.partner_with("'; DROP TABLE y; --", Some(&unlisted)).unwrap().call().ending.is_normal());
    site.wait_log(Role::Server, "session_refused*reason=partner-violation");
    let shown = |site: &Site, command: &[&str]| -> Value { site.listed(command).unwrap() };
    t::wait::wait_for("both in the backend's lists", || {
        let sessions = shown(&site, &["sessions"]).to_string();
        let log = shown(&site, &["log"]).to_string();
        (sessions.contains(CODE) && sessions.contains(NAME) && log.contains("DROP TABLE y")).then_some(())
    });
    assert_eq!(site.api(&["partner", "list", "--json"]).unwrap(), before);
    site.assert_works();
    site.end();
}

#[test]
fn json_that_is_too_deep_ends_the_client_and_nothing_else() {
    let mut site = Builder::new("deep").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    let deep = (0..300).fold(json!(0), |inner, _| json!([inner]));
    dmz.tell(&json!({"system-log": deep})).unwrap();
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    let line = site.wait_log(Role::Client, " daemon_stop reason=");
    assert!(line.contains("recursion limit") || line.contains("message"), "{line}");
    drop(dmz);
    site.end();
}
