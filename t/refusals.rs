//! Refusals in the DMZ: certificates, SSIDs and protocols that must not pass. Each gets one log line, and an ESID if
//! OFTP2 was spoken, and the station never sees a connection.

use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Issued, Key, Request, self_signed};
use oftp2peer::oftp::settings::{Act, Misbehaviour, Point};
use oftp2peer::transport::tls::Tls;
use openssl::ssl::SslVersion;
use openssl::x509::X509Crl;
use std::io::{Read, Write};
use std::time::{Duration, SystemTime};
use t::loglines::{Line, fields};
use t::site::{Builder, PartnerEntry, Role, Site};

const DAY: Duration = Duration::from_hours(24);

/// A refusal's reason in the log, and the ESID the partner gets.
type ReasonAndEsid = (&'static str, Option<u8>);

/// The text of the log line about the call of `partner`, which must be refused as `expected`.
#[track_caller]
fn refused(site: &mut Site, partner: &Partner, expected: ReasonAndEsid, what: &str) -> String {
    let mark = site.mark(Role::Server);
    let report = partner.call();
    assert_eq!(report.ending.reason(), expected.1, "{what}: {report:?}");
    wait_refused(site, mark, expected, what)
}

/// The text of the only refusal after `mark`, which must be as `expected`.
#[track_caller]
fn wait_refused(site: &mut Site, mark: usize, (reason, esid): ReasonAndEsid, what: &str) -> String {
    let line = site.wait_log_after(Role::Server, mark, "session_refused");
    let line = Line::read(&line).unwrap();
    let field = |key: &str| line.field(key).unwrap_or_default();
    assert_eq!(line.level, "WARN", "{what}");
    assert_eq!(field("reason"), reason, "{what}: {}", line.text);
    assert_eq!(
        field("esid"),
        esid.map_or(String::new(), |esid| format!("{esid:02}")),
        "{what}: {}",
        line.text
    );
    assert!(field("address").starts_with("127."), "{what}: {}", line.text);
    assert!(!field("detail").is_empty(), "{what}: {}", line.text);
    line.text.to_owned()
}

/// Ends a site in which `refusals` partners were refused and none was served.
#[track_caller]
fn end(site: Site, refusals: usize) {
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), refusals);
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    for role in [Role::Server, Role::Client] {
        assert!(!site.log(role).contains(" session_begin "), "{}", role.binary());
    }
    site.end();
}

/// Trusts `authority`, with this CRL.
fn trust(site: &Site, authority: &Authority, crl: Option<&[u8]>) {
    if let Some(crl) = crl {
        // Before the CA, so that a CRL of another issuer is accepted, too.
        site.api(&["crl", "add", &site.file("other-crl.pem", crl).unwrap()]).unwrap();
    }
    let certificate = authority.certificate_pem().unwrap();
    site.api(&["trust", "add", &site.file("other-ca.pem", &certificate).unwrap()]).unwrap();
}

/// The same CRL with another signature.
fn forge(pem: &[u8]) -> Vec<u8> {
    let mut der = X509Crl::from_pem(pem).unwrap().to_der().unwrap();
    *der.last_mut().unwrap() ^= 1;
    X509Crl::from_der(&der).unwrap().to_pem().unwrap()
}

fn acme(authority: &Authority) -> Issued {
    authority.issue(&Request::new("acme").ssid("O0013ACME")).unwrap()
}

#[test]
fn a_certificate_that_is_not_good_is_refused_with_its_own_reason() {
    let mut site = Builder::new("certificates").prepare().unwrap();
    let now = SystemTime::now();
    let [mut stale, bare, mut forged] =
        ["Stale CA", "Bare CA", "Forged CA"].map(|name| Authority::new(name).unwrap());
    let outdated = stale.crl_between(now - 9 * DAY, now - DAY).unwrap();
    trust(&site, &stale, Some(&outdated));
    trust(&site, &bare, None);
    let forgery = forge(&forged.crl(30).unwrap());
    trust(&site, &forged, Some(&forgery));
    let request = Request::new("acme").ssid("O0013ACME");
    let issue = |request: &Request| site.authority.issue(request).unwrap();
    let revoked = issue(&request);
    let cases = [
        ("expired", "certificate expired", issue(&request.clone().valid(-30, -2))),
        ("not-yet-valid", "bad certificate", issue(&request.clone().valid(2, 30))),
        ("revoked", "certificate revoked", revoked.clone()),
        ("wrong-usage", "unsupported certificate", issue(&Request { client: false, ..request.clone() })),
        ("weak-key", "bad certificate", issue(&Request { key: Key::Rsa(1024), ..request.clone() })),
        ("unknown-ca", "unknown ca", acme(&Authority::new("Foreign CA").unwrap())),
        // A CA with the same name is another CA.
        ("unknown-ca", "unknown ca", acme(&Authority::new("Partner CA").unwrap())),
        ("unknown-ca", "unknown ca", self_signed(&request).unwrap()),
        ("crl-missing", "certificate unknown", acme(&bare)),
        ("crl-expired", "certificate unknown", acme(&stale)),
        ("crl-bad-signature", "certificate unknown", acme(&forged)),
    ];
    site.authority.revoke(&revoked.certificate).unwrap();
    site.publish_crl().unwrap();
    site.launch().unwrap();
    let count = cases.len() + 1;
    for (reason, alert, identity) in cases {
        let partner = site.partner_with("O0013ACME", Some(&identity)).unwrap();
        let mark = site.mark(Role::Server);
        let report = partner.call();
        let line = wait_refused(&mut site, mark, (reason, None), reason);
        assert!(report.ending.to_string().contains(alert), "{reason}: {}", report.ending);
        let serial = identity.certificate.serial_number().to_bn().unwrap().to_hex_str().unwrap().to_string();
        assert!(line.contains("serialNumber=O0013ACME") && line.contains(&serial), "{line}");
    }
    let nobody = site.partner_with("O0013ACME", None).unwrap();
    refused(&mut site, &nobody, ("no-certificate", None), "none");
    end(site, count);
}

#[test]
fn only_the_right_certificate_may_be_used_for_an_ssidcode() {
    let mut site = Builder::new("speakers").prepare().unwrap();
    let own = self_signed(&Request::new("self").ssid("O0013SELF")).unwrap();
    let pin = site.certificate("pinned", "whatever").unwrap();
    let private = Authority::new("Private CA").unwrap();
    let add = |name: &str, ssid: &str, more: &[&str]| {
        site.api(&[&["partner", "add", name, "--ssid", ssid], more].concat()).unwrap();
    };
    let file = |name: &str, pem: Vec<u8>| site.file(name, &pem).unwrap();
    add("off", "O0013OFF", &["--enabled", "no"]);
    add("self", "O0013SELF", &["--pin", &file("self.pem", own.certificate_pem().unwrap())]);
    add("pinned", "O0013PINNED", &["--pin", &file("pin.pem", pin.certificate_pem().unwrap())]);
    add("private", "O0013PRIVATE", &["--pin", &file("private.pem", private.certificate_pem().unwrap())]);
    add("anybody", "O0013ANY", &["--certificate", "any"]);
    site.launch().unwrap();
    let authority = site.authority.clone();
    let with = |ssid: &str| authority.issue(&Request::new("partner").ssid(ssid)).unwrap();
    let cases = [
        ("O0013NOBODY", with("O0013NOBODY"), ("unknown-partner", Some(3))),
        ("O0013ACME", with("O0013NOBODY"), ("not-this-partner", Some(3))),
        ("O0013ACME", with("O0013OFF"), ("not-this-partner", Some(3))),
        ("O0013ACME", with("O0013ACME2"), ("not-this-partner", Some(3))),
        ("O0013ACME", with("o0013acme"), ("not-this-partner", Some(3))),
        ("O0013ACME", pin.clone(), ("not-this-partner", Some(3))),
        ("O0013ACME", own.clone(), ("not-this-partner", Some(3))),
        ("O0013PINNED", with("O0013PINNED"), ("not-this-partner", Some(3))),
        ("O0013SELF", with("O0013SELF"), ("not-this-partner", Some(3))),
        ("O0013OFF", with("O0013OFF"), ("disabled", Some(99))),
        // A certificate that a pinned CA has issued belongs to nobody: the pin is only for the CA's own certificate.
        ("O0013ACME", acme(&private), ("unknown-ca", None)),
        ("O0013ANY", acme(&private), ("unknown-ca", None)),
    ];
    let count = cases.len();
    for (ssid, identity, expected) in cases {
        let partner = site.partner_with(ssid, Some(&identity)).unwrap();
        let text = refused(&mut site, &partner, expected, ssid);
        assert!(expected.1.is_none() || text.contains(&format!(" ssid={ssid} ")), "{text}");
    }
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    let passes =
        [("O0013SELF", &own), ("O0013PINNED", &pin), ("O0013ANY", &with("O0013ELSE")), ("O0013ANY", &pin)];
    for (ssid, identity) in passes {
        let report = site.partner_with(ssid, Some(identity)).unwrap().call();
        assert!(report.ending.is_normal(), "{ssid}: {report:?}");
    }
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), count);
    assert_eq!(site.station.as_ref().unwrap().connections(), 4);
    site.end();
}

#[test]
fn without_client_certificates_the_ssid_decides() {
    let off = PartnerEntry::new("off", "O0013OFF").option("--enabled", "no");
    let mut site = Builder::new("no-certificates")
        .setting("tls_check_client_certificate", "no")
        .partners([PartnerEntry::new("acme", "O0013ACME"), off])
        .start()
        .unwrap();
    for (ssid, expected) in
        [("O0013NOBODY", ("unknown-partner", Some(3))), ("O0013OFF", ("disabled", Some(99)))]
    {
        let partner = site.partner_with(ssid, None).unwrap();
        refused(&mut site, &partner, expected, ssid);
    }
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    let report = site.partner_with("O0013ACME", None).unwrap().call();
    assert!(report.ending.is_normal(), "{report:?}");
    site.end();
}

#[test]
fn a_missing_crl_may_be_tolerated_by_setting() {
    let mut site = Builder::new("no-crl").setting("tls_ignore_crl_unavailability", "yes").prepare().unwrap();
    let (bare, mut stale) = (Authority::new("Bare CA").unwrap(), Authority::new("Stale CA").unwrap());
    let now = SystemTime::now();
    let outdated = stale.crl_between(now - 9 * DAY, now - DAY).unwrap();
    trust(&site, &bare, None);
    trust(&site, &stale, Some(&outdated));
    let gone = acme(&site.authority);
    site.authority.revoke(&gone.certificate).unwrap();
    site.publish_crl().unwrap();
    site.launch().unwrap();
    for authority in [&bare, &stale] {
        let report = site.partner_with("O0013ACME", Some(&acme(authority))).unwrap().call();
        assert!(report.ending.is_normal(), "{report:?}");
    }
    // A CRL that exists is used.
    let partner = site.partner_with("O0013ACME", Some(&gone)).unwrap();
    refused(&mut site, &partner, ("revoked", None), "revoked");
    site.end();
}

/// A partner that does this after SSRM has arrived.
fn after_ssrm(site: &Site, act: Act) -> Partner {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Ready, act });
    partner
}

/// A Stream Transmission Buffer (RFC 5024 §2.3.1).
fn buffer(octets: &str) -> Vec<u8> {
    let length = u32::try_from(octets.len() + 4).unwrap().to_be_bytes();
    [&[0x10, length[1], length[2], length[3]], octets.as_bytes()].concat()
}

/// SSID (RFC 5024 §5.3.2) with these fields, and `more` after it.
fn ssid(level: char, code: &str, size: &str, credit: &str, more: &str) -> String {
    format!("X{level}{code:<25}{:<8}{size}BNNN{credit}N    {:<8}\r{more}", "PASSWORD", "")
}

#[test]
fn an_ssid_that_is_not_right_gets_its_esid() {
    let mut site = Site::start("ssids").unwrap();
    let good = ssid('5', "O0013ACME", "99999", "999", "");
    let cases = [
        ("size", buffer(&ssid('5', "O0013ACME", "ABCDE", "999", "")), Some(6)),
        ("size below 128", buffer(&ssid('5', "O0013ACME", "00127", "999", "")), Some(6)),
        ("no credit", buffer(&ssid('5', "O0013ACME", "99999", "000", "")), Some(6)),
        ("level", buffer(&ssid('9', "O0013ACME", "99999", "999", "")), Some(6)),
        ("a code that is to forge a line", buffer(&ssid('5', "O\n\"x\" INFO", "99999", "999", "")), Some(6)),
        ("longer than SSID", buffer(&ssid('5', "O0013ACME", "99999", "999", "12345678")), Some(7)),
        ("shorter than SSID", buffer(&good[..40]), Some(7)),
        ("much longer than any SSID", b"\x10\0\xff\xffX".to_vec(), Some(7)),
        ("no OFTP2 header", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Some(2)),
        ("another command", buffer("R"), Some(2)),
        ("unknown command", buffer("Q"), Some(1)),
        ("more than SSID", [buffer(&good), buffer("R")].concat(), Some(2)),
    ];
    let count = cases.len() + 3;
    for (what, octets, esid) in cases {
        let partner = after_ssrm(&site, Act::Send(octets));
        let text = refused(&mut site, &partner, ("partner-violation", esid), what);
        assert!(fields(&text).is_some(), "{text}");
    }
    let partner = after_ssrm(&site, Act::Send(buffer("F08000")));
    let mark = site.mark(Role::Server);
    partner.call();
    wait_refused(&mut site, mark, ("error-esid", None), "ESID instead of SSID");
    // Monitoring systems do this to check whether somebody listens.
    for act in [Act::Close, Act::Reset] {
        let partner = after_ssrm(&site, act);
        refused(&mut site, &partner, ("no-ssid", None), "a connection test");
    }
    end(site, count);
}

#[test]
fn protocols_other_than_tls_1_2_and_1_3_are_refused() {
    let mut site = Site::start("versions").unwrap();
    let identity = site.certificate("acme", "O0013ACME").unwrap();
    for version in [SslVersion::TLS1, SslVersion::TLS1_1] {
        let tls: Tls = identity.tls(&site.authority).unwrap().only(version);
        let mut partner = site.partner("O0013ACME").unwrap();
        partner.dial.tls = Some((tls.context().unwrap(), None));
        refused(&mut site, &partner, ("protocol", None), "old TLS");
    }
    let plain = buffer(&ssid('5', "O0013ACME", "99999", "999", ""));
    for (octets, reason) in [
        (&b"GET / HTTP/1.1\r\n\r\n"[..], "protocol"),
        (&plain, "protocol"),
        (b"SSH-2.0-x\r\n", "protocol"),
        (&[0xff; 300], "protocol"),
        (b"\x16\x03\x01\xff\xff", "tls"),
    ] {
        let partner = site.partner("O0013ACME").unwrap();
        let mark = site.mark(Role::Server);
        let mut tcp = partner.dial.open_tcp().unwrap();
        tcp.write_all(octets).unwrap();
        // At most an alert, then the end.
        let mut answer = Vec::new();
        let _ = tcp.read_to_end(&mut answer);
        assert!(answer.len() < 20, "{answer:?}");
        wait_refused(&mut site, mark, (reason, None), &String::from_utf8_lossy(octets));
    }
    end(site, 7);
}

#[test]
fn no_subject_forges_a_line() {
    let mut site = Site::start("subjects").unwrap();
    let time = "20261122 09:21:10.167";
    for name in [
        format!("x\n{time} INFO     os4x_proxyserver[1] session_end"),
        format!("x\r\n{time} FATAL    os4x_proxyserver[1] \x1b[2J"),
        "x\" reason=normal partner=\"acme\u{85}\u{2028}\u{202e}".to_owned(),
        "\\n\\\" %s %n ${jndi:ldap://x}\t\u{7}\u{8}".to_owned(),
        "INFO reason=normal".to_owned(),
    ] {
        let request = Request::new(&name).ssid("O0013EVIL");
        for authority in [&site.authority.clone(), &Authority::new("Foreign CA").unwrap()] {
            let identity = authority.issue(&request).unwrap();
            let mark = site.mark(Role::Server);
            let partner = site.partner_with("O0013ACME", Some(&identity)).unwrap();
            partner.call();
            let line = site.wait_log_after(Role::Server, mark, "session_refused");
            let line = Line::read(&line).unwrap();
            let reason = line.field("reason").unwrap();
            assert!(["not-this-partner", "unknown-ca"].contains(&reason.as_str()), "{}", line.text);
            assert!(line.text.bytes().all(|octet| (0x20..0x7f).contains(&octet)), "{}", line.text);
            assert!(line.field("subject").unwrap().contains("O0013EVIL"), "{}", line.text);
        }
    }
    // Site::end compares each line of the log with the man page.
    end(site, 10);
}
