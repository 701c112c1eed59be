//! The effect of a change on partners, asked before it is made: judged by the certificates that the partners have
//! shown, with the server's own rules. Nothing is changed.

use crate::outward::{HOST, acme, connect, launch, listening, prepare, station, tls};
use oftp2peer::ca::Request;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::wait_for;

/// The lines about partners for the change `words`.
fn asked(site: &Site, words: &[&str]) -> Vec<String> {
    let told = site.api(&[words, &["--dry-run"]].concat()).unwrap();
    assert!(told.starts_with("Nothing was changed"), "{told}");
    let lines = told.lines().map(str::trim_start);
    lines.filter(|line| line.starts_with("! ") || line.starts_with("? ")).map(str::to_owned).collect()
}

#[test]
fn a_dry_run_names_the_partners_that_would_be_refused() {
    let names = ["acme", "bolt", "silent"];
    let partners = names.map(|name| PartnerEntry::new(name, &format!("O0013{}", name.to_uppercase())));
    let mut site = Builder::new("dry-run").partners(partners).prepare().unwrap();
    site.launch().unwrap();
    let acme = site.certificate("acme", "O0013ACME").unwrap();
    let bolt = site.certificate("bolt", "O0013BOLT").unwrap();
    for (ssid, identity) in [("O0013ACME", &acme), ("O0013BOLT", &bolt)] {
        assert!(site.partner_with(ssid, Some(identity)).unwrap().call().ending.is_normal());
    }
    let listed: serde_json::Value = site.listed(&["trust", "list"]).unwrap();
    let ca = listed[0]["name"].as_str().unwrap().to_owned();
    let pin = site.file("bolt.pem", &bolt.certificate_pem().unwrap()).unwrap();
    let pin_bolt = ["partner", "set", "acme", "--pin", &pin, "--certificate", "pinned"];
    let lines = wait_for("both certificates in the backend", || {
        let lines = asked(&site, &["trust", "remove", &ca]);
        (lines.len() == 3).then_some(lines)
    });
    for (line, name) in lines.iter().zip(["acme", "bolt"]) {
        assert!(line.starts_with(&format!("! partner {name} would be refused: unknown-ca: ")), "{line}");
        assert!(line.contains("'os4xapi trust add FILE'"), "the remedy: {line}");
    }
    assert!(lines[2].starts_with("? ") && lines[2].ends_with(": silent"), "{}", lines[2]);
    let alone = |words: &[&str], status: &str| {
        let lines = asked(&site, words);
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(
            lines[0].starts_with(&format!("! partner acme would be refused: {status}: ")),
            "{}",
            lines[0]
        );
    };
    alone(&pin_bolt, "not-this-partner");
    alone(&["partner", "set", "acme", "--enabled", "no"], "disabled");
    alone(&["partner", "set", "acme", "--network", "203.0.113.0/24"], "wrong-network");
    alone(&["partner", "remove", "acme"], "unknown-partner");
    assert_eq!(asked(&site, &["config", "set", "proxy_sessions_per_partner", "7"]), [""; 0]);
    assert_eq!(asked(&site, &["partner", "set", "acme", "--network", "127.0.0.0/8"]), [""; 0]);
    let unchecked = asked(&site, &["config", "set", "tls_check_client_certificate", "no"]);
    assert!(unchecked.len() == 1 && unchecked[0].starts_with("? "), "{unchecked:?}");
    let banned = asked(&site, &["ban", "add", "127.0.0.0/8", "--description", "all"]);
    assert!(banned.len() == 2 && banned.iter().all(|line| line.contains(": banned: ")), "{banned:?}");
    site.authority.revoke(&acme.certificate).unwrap();
    let crl = site.authority.crl(30).unwrap();
    let crl = site.file("next.crl", &crl).unwrap();
    let lines = asked(&site, &["crl", "add", &crl]);
    assert!(lines[0].starts_with("! partner acme would be refused: revoked: "), "{lines:?}");
    assert!(lines.len() == 2 && lines[1].starts_with("? "), "{lines:?}");
    // None of these changes was made.
    let mark = site.mark(Role::Server);
    for (ssid, identity) in [("O0013ACME", &acme), ("O0013BOLT", &bolt)] {
        assert!(site.partner_with(ssid, Some(identity)).unwrap().call().ending.is_normal());
    }
    assert!(!site.log(Role::Server)[mark..].contains(" config_taken "));
    // When the change is made, the prediction is true.
    site.api(&["crl", "add", &crl]).unwrap();
    site.wait_log_after(Role::Server, mark, "config_taken");
    assert!(!site.partner_with("O0013ACME", Some(&acme)).unwrap().call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=revoked*CN=acme");
    site.end();
}

#[test]
fn a_partner_that_we_call_is_judged_by_the_name_in_its_certificate() {
    let site = prepare("dry-run-out");
    // A partner that we call needs no Odette ID in its certificate.
    let identity = site.authority.issue(&Request::new("acme").host(HOST)).unwrap();
    let partner = listening(acme(), Some(tls(&site, &identity)));
    let site = launch(site, &partner, &[]);
    assert!(station(&"acme", connect(&site)).call().is_good());
    let lines = wait_for("the certificate in the backend", || {
        let lines = asked(&site, &["partner", "set", "acme", "--host", "127.0.0.9"]);
        (!lines.is_empty()).then_some(lines)
    });
    assert!(lines[0].starts_with("! partner acme would be refused: wrong-name: "), "{lines:?}");
    let pin = site.file("acme.pem", &identity.certificate_pem().unwrap()).unwrap();
    assert_eq!(asked(&site, &["partner", "set", "acme", "--outgoing-ip", "127.0.0.1"]), [""; 0]);
    let pinned = ["partner", "set", "acme", "--host", "127.0.0.9", "--pin", &pin, "--certificate", "pinned"];
    assert_eq!(asked(&site, &pinned), [""; 0]);
    site.end();
}
