//! Certificates whose extended key usage is not for TLS clients, as public CAs issue them today, and partners with old
//! TLS: they are refused with the command that allows them, and accepted after it.

use crate::outward;
use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Issued, Request, self_signed};
use oftp2peer::oftp::report::Report;
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::dial::Dial;
use oftp2peer::transport::tls::Tls;
use openssl::ssl::SslVersion;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use t::site::{Builder, PartnerEntry, Role, Site};

/// A certificate for servers only.
fn server_only(authority: &Authority, ssid: &str) -> Issued {
    authority.issue(&Request { client: false, ..Request::new("server only").ssid(ssid) }).unwrap()
}

fn pem(site: &Site, name: &str, identity: &Issued) -> String {
    site.file(name, &identity.certificate_pem().unwrap()).unwrap()
}

fn call(site: &Site, ssid: &str, identity: &Issued) -> Report {
    site.partner_with(ssid, Some(identity)).unwrap().call()
}

#[test]
fn a_certificate_for_servers_alone_is_let_in_by_a_pin_or_by_setting() {
    let partners =
        ["plain", "allowed", "narrow"].map(|name| PartnerEntry::new(name, &format!("O0013{name}")));
    let mut site = Builder::new("usage").partners(partners).prepare().unwrap();
    let own = self_signed(&Request { client: false, ..Request::new("self-signed") }).unwrap();
    let pinned = server_only(&site.authority, "O0013PINNED");
    for (name, identity) in [("own", &own), ("pinned", &pinned)] {
        let file = pem(&site, name, identity);
        site.api(&["partner", "add", name, "--ssid", &format!("O0013{name}"), "--pin", &file]).unwrap();
    }
    let narrow = server_only(&site.authority, "O0013narrow");
    let file = pem(&site, "narrow", &narrow);
    site.api(&["partner", "set", "narrow", "--pin", &file, "--certificate", "pinned", "--usage", "client"])
        .unwrap();
    site.launch().unwrap();
    for (name, identity) in [("own", &own), ("pinned", &pinned)] {
        let report = call(&site, &format!("O0013{name}"), identity);
        assert!(report.ending.is_normal(), "{name}: {report:?}");
    }
    let plain = server_only(&site.authority, "O0013plain");
    for (ssid, identity) in [("O0013plain", &plain), ("O0013narrow", &narrow)] {
        let mark = site.mark(Role::Server);
        assert!(!call(&site, ssid, identity).ending.is_normal(), "{ssid}");
        let line = site.wait_log_after(Role::Server, mark, "session_refused*reason=wrong-usage ");
        assert!(
            line.contains("extended key usage is serverAuth") && line.contains(" --usage any'"),
            "{line}"
        );
    }
    site.end();
}

#[test]
fn what_the_setting_allows_one_partner_it_does_not_allow_another() {
    let allowed = PartnerEntry::new("allowed", "O0013ALLOWED").option("--usage", "any");
    let mut site = Builder::new("usage-any")
        .partners([allowed, PartnerEntry::new("plain", "O0013PLAIN")])
        .prepare()
        .unwrap();
    // Public CAs restrict their intermediates, too.
    let mut narrow = site
        .authority
        .beneath_as(&Request { server: true, to_day: 3000, ..Request::authority("For servers alone") })
        .unwrap();
    let file = site.file("narrow.pem", &narrow.certificate_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &file]).unwrap();
    let list = site.file("narrow.crl", &narrow.crl(30).unwrap()).unwrap();
    site.api(&["crl", "add", &list]).unwrap();
    site.launch().unwrap();
    for authority in [&site.authority, &narrow] {
        let report = call(&site, "O0013ALLOWED", &server_only(authority, "O0013ALLOWED"));
        assert!(report.ending.is_normal(), "{report:?}");
    }
    let both = narrow.issue(&Request::new("both").ssid("O0013PLAIN")).unwrap();
    let plain = server_only(&site.authority, "O0013PLAIN");
    for (identity, whose) in [(&plain, "CN=server only"), (&both, "CN=For servers alone")] {
        let mark = site.mark(Role::Server);
        assert!(!call(&site, "O0013PLAIN", identity).ending.is_normal());
        let line = site.wait_log_after(Role::Server, mark, "session_refused*reason=wrong-usage ");
        assert!(line.contains(whose) && line.contains("'os4xapi partner set plain --usage any'"), "{line}");
    }
    site.end();
}

/// A partner that only has these suites of TLS 1.2.
fn with_suites(site: &Site, ssid: &str, suites: &str) -> Partner {
    let identity = site.certificate("old", ssid).unwrap();
    let tls = identity.tls(&site.authority).unwrap().only(SslVersion::TLS1_2);
    let context = Tls { suites: Some(suites.to_owned()), ..tls }.context().unwrap();
    let mut dial = Dial::to(&site.tls);
    dial.tls = Some((context, Some(site.address.to_string())));
    Partner::new(dial, Settings::new(ssid, "PARTNER"))
}

const CBC: &str = "ECDHE-ECDSA-AES128-SHA256";

#[test]
fn a_partner_with_cbc_only_is_refused_with_its_offer_and_accepted_by_setting() {
    let mut site = Builder::new("suites-modern").prepare().unwrap();
    site.launch().unwrap();
    let mark = site.mark(Role::Server);
    assert!(!with_suites(&site, "O0013ACME", CBC).call().ending.is_normal());
    let line = site.wait_log_after(Role::Server, mark, "session_refused*reason=protocol ");
    assert!(line.contains(&format!("offers {CBC}")) && line.contains("--legacy-suites yes"), "{line}");
    let mark = site.mark(Role::Server);
    assert!(!with_suites(&site, "O0013ACME", "ECDHE-ECDSA-AES128-SHA").call().ending.is_normal());
    let line = site.wait_log_after(Role::Server, mark, "session_refused*reason=protocol ");
    assert!(line.contains("has to allow ECDHE with AES-GCM"), "{line}");
    site.end();

    let old = PartnerEntry::new("old", "O0013OLD").option("--legacy-suites", "yes");
    let mut site = Builder::new("suites-legacy")
        .partners([old, PartnerEntry::new("acme", "O0013ACME")])
        .start()
        .unwrap();
    for suites in [CBC.to_owned(), format!("{CBC}:ECDHE-ECDSA-AES128-GCM-SHA256")] {
        assert!(with_suites(&site, "O0013OLD", &suites).call().ending.is_normal(), "{suites}");
    }
    // The other partner gets a modern suite, independent of its order.
    assert!(
        with_suites(&site, "O0013ACME", &format!("{CBC}:ECDHE-ECDSA-AES128-GCM-SHA256"))
            .call()
            .ending
            .is_normal()
    );
    let mark = site.mark(Role::Server);
    assert!(!with_suites(&site, "O0013ACME", CBC).call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, &format!("session_refused*reason=protocol *partner=acme *{CBC}"));
    site.end();
}

#[test]
fn the_setting_for_all_partners_allows_old_suites_outward_too() {
    let site =
        Builder::new("suites-outward").outgoing().setting("tls_legacy_suites", "yes").prepare().unwrap();
    let identity = outward::certificate(&site).tls(&site.authority).unwrap().only(SslVersion::TLS1_2);
    let context = Tls { suites: Some(CBC.to_owned()), ..identity }.context().unwrap();
    let partner = outward::listening(outward::acme(), Some(context));
    let site = outward::launch(site, &partner, &[]);
    assert!(outward::station(&"acme", outward::connect(&site)).call().is_good());
    assert!(with_suites(&site, "O0013ACME", CBC).call().ending.is_normal());
    site.end();
}

/// A TLS 1.2 server without RFC 5746, up to its ServerHello; returns its port.
fn without_secure_renegotiation() -> u16 {
    let listener = TcpListener::bind((outward::HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let _ = stream.read(&mut [0; 4096]);
            // Random, no session ID, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, no compression, no extensions.
            let hello = [&[3, 3][..], &[7; 32], &[0, 0xc0, 0x2b, 0]].concat();
            let record = [&[0x16, 3, 3, 0, 42, 2, 0, 0, 38][..], &hello].concat();
            let _ = stream.write_all(&record);
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    port
}

#[test]
fn a_partner_without_secure_renegotiation_is_recognised_with_the_remedy() {
    let mut site = outward::prepare("no-rfc-5746");
    let port = without_secure_renegotiation();
    outward::add(&site, "old", port, &[]);
    outward::add(&site, "borne", port, &["--legacy-suites", "yes"]);
    outward::launch_as_it_is(&mut site);
    for (name, reason) in [("old", "protocol"), ("borne", "partner-broke")] {
        let mark = site.mark(Role::Server);
        assert!(!outward::station(&name, outward::connect(&site)).call().is_good());
        let line = site.wait_log_after(Role::Server, mark, &format!("session_refused*reason={reason} "));
        // The session of the accepted partner continues until this server ends it.
        assert_eq!(
            line.contains("lacks RFC 5746") && line.contains("--legacy-suites yes"),
            name == "old",
            "{line}"
        );
    }
    site.end();
}
