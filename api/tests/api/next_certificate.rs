//! Our next certificate towards partners: its key is made here, a CA certifies the request, and `serve` uses it from
//! its time on.

use crate::downloads::with_server;
use crate::pki::{Identity, now};
use crate::site::{Site, await_that};
use common::text::clock;
use nix::sys::signal::Signal;
use openssl::x509::{X509, X509Req};
use serde_json::{Value, json};

fn certificate(site: &Site, usage: &str) -> Option<Value> {
    site.json(&["cert", "list"]).as_array().unwrap().iter().find(|row| row["usage"] == usage).cloned()
}

#[test]
fn the_next_certificate_is_used_from_its_time_on() {
    let (site, ca) = (Site::new(), Identity::ca("Next CA"));
    let id = with_server(&site, &ca);
    let request =
        site.ok(&["cert", "csr", "--host", "we.example", "--host", "192.0.2.1", "--algorithm", "ec"]);
    assert_eq!(site.ok(&["cert", "show", "request"]), request);
    let parsed = X509Req::from_pem(request.as_bytes()).unwrap();
    assert_eq!(format!("{:?}", parsed.subject_name()), r#"[commonName = "we.example"]"#);
    assert_eq!(certificate(&site, "request").unwrap()["subject"], "CN=we.example");
    assert!(site.refused(&["cert", "csr"]).contains("--replace"));

    let chain = site.dir.write("next.pem", &(ca.certify(&request) + &ca.pem()));
    let serve = site.serve();
    let client = site.client(&serve);
    let config = || client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone();
    let before = config();
    let soon = now() + 6;
    let said = site.ok(&["cert", "next", "--chain", &chain, "--from", &clock::rfc3339(soon)]);
    assert!(said.contains("CN=we.example") && said.contains(&clock::rfc3339(soon)), "{said}");
    assert_eq!(certificate(&site, "request"), None, "it is answered");
    let next = certificate(&site, "next").unwrap();
    assert_eq!(next["used_from"], soon);
    assert!(site.ok(&["expiry"]).contains("the next one is there"));
    let line = next["pem"].as_str().unwrap().lines().nth(1).unwrap();
    assert!(!config().to_string().contains(line), "the daemons have it too early");

    await_that("the next certificate", || certificate(&site, "next").is_none());
    assert!(now() >= soon);
    let own = certificate(&site, "own").unwrap();
    assert_eq!(own["sha256"], next["sha256"]);
    let after = config();
    assert!(after["generation"].as_u64() > before["generation"].as_u64());
    assert!(after.to_string().contains(line), "the daemons do not have it");
    let row = site.json(&["audit", "list", "--limit", "1"])[0].clone();
    assert_eq!(
        (&row["way"], &row["act"], &row["actor"]),
        (&json!("system"), &json!("cert next"), &json!("serve"))
    );
    let log = site.json(&["log"]);
    assert!(log.to_string().contains("certificate_used"), "{log}");
    serve.end(Signal::SIGTERM);
}

#[test]
fn what_cannot_be_the_next_certificate_is_refused() {
    let (site, ca) = (Site::new(), Identity::ca("Next CA"));
    let other = ca.issue("other");
    let chain = site.dir.write("other.pem", &other.pem());
    let key = site.dir.write("other.key", &other.key_pem());
    let in_an_hour = clock::rfc3339(now() + 3_600);
    let next = |words: &[&str]| site.run(&[&["cert", "next", "--chain", &chain], words].concat());
    let said = site.run(&["cert", "csr"]);
    assert!(said.status == 64 && said.err.contains("--subject is missing: "), "{said:?}");
    assert_eq!(site.run(&["cert", "csr", "--subject", "we.example"]).status, 64);
    let said = next(&["--from", &in_an_hour]);
    assert!(said.status == 64 && said.err.contains("--key FILE is missing: "), "{said:?}");
    site.ok(&["cert", "csr", "--subject", "O=Example, CN=we.example", "-o", "/dev/null"]);
    let said = next(&["--from", &in_an_hour]);
    assert!(said.status == 1 && said.err.contains("not the one that"), "{}", said.err);
    assert_eq!(next(&["--key", &key]).status, 64);
    assert_eq!(next(&["--key", &key, "--from", "2020-01-01"]).status, 64);
    let late = clock::rfc3339(now() + 90_000);
    let said = next(&["--key", &key, "--from", &late]);
    assert!(said.status == 1 && said.err.contains(&format!("not at {late}")), "{}", said.err);
    assert_eq!(certificate(&site, "next"), None);
    assert_eq!(next(&["--key", &key, "--from", &in_an_hour]).status, 0);
    site.ok(&["cert", "next", "--cancel"]);
    assert!(site.refused(&["cert", "next", "--cancel"]).contains("no next certificate"));
    // The request is still there after that; an RSA key is the default.
    let request = site.ok(&["cert", "show", "request"]);
    assert_eq!(X509Req::from_pem(request.as_bytes()).unwrap().public_key().unwrap().bits(), 3_072);
    // The certificate for the request can be set at once, too.
    let answer = site.dir.write("answer.pem", &ca.certify(&request));
    site.ok(&["cert", "set", "--chain", &answer]);
    let own = site.ok(&["cert", "show", "own"]);
    let purposes = X509::from_pem(own.as_bytes()).unwrap().extended_key_usage().unwrap();
    assert!(purposes.contains(openssl::x509::X509ExtendedKeyUsage::SSL_CLIENT));
}
