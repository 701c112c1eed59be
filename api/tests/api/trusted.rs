//! Trusted certificates that are out of the ordinary: one that cannot be read any more, and two of a CA that took a new
//! key under its old name. Neither may cost the others, or their CRLs, anything.

use crate::downloads::{site_that_trusts, with_server};
use crate::pki::Identity;
use crate::web::Web;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// Names of the elements of a list in an answer.
fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_spoilt_certificate_or_crl_takes_no_other_along_and_is_named() {
    let (good, spoilt) = (Identity::ca("Good CA"), Identity::ca("Spoilt CA"));
    let site = site_that_trusts(&good);
    let id = with_server(&site, &good);
    site.ok(&["trust", "add", &site.dir.write("spoilt.pem", &spoilt.pem())]);
    site.ok(&["crl", "add", &site.dir.write("spoilt.crl", &spoilt.crl(60))]);
    site.sql("UPDATE os4x_certificates SET pem = 'x' WHERE usage = 'trusted' AND name = 'Spoilt CA'");
    site.sql("UPDATE os4x_crls SET pem = 'x' WHERE name = 'CN=Spoilt CA'");
    let web = Web::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let config = || client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone();
    // The server gets all and names what it cannot read, as it does with whatever comes.
    assert_eq!(names(&config()["trusted"]), ["Good CA", "Spoilt CA"]);
    serve.await_line("trusted_certificate_unreadable name=\"Spoilt CA\"");
    // Downloads go on.
    assert!(
        site.ok(&["crl", "fetch", &web.put("/good", good.crl(60).as_bytes())]).contains("Good CA: taken")
    );
    assert_eq!(names(&config()["crls"]), ["CN=Good CA", "CN=Spoilt CA"]);
    // The lists tell what to do, and that works.
    let said = site.run(&["trust", "list"]);
    assert!(said.status == 0 && said.out.contains("Good CA") && said.out.contains("unreadable"), "{said:?}");
    assert!(said.err.contains("'Spoilt CA' cannot be read") && said.err.contains("trust remove"), "{said:?}");
    assert_eq!(site.json(&["trust", "list"])[1]["subject"], Value::Null);
    let added = site.run(&["crl", "add", &site.dir.write("good.crl", &good.crl(30))]);
    assert!(added.status == 0 && added.err.contains("'Spoilt CA' cannot be read"), "{added:?}");
    assert_eq!(site.json(&["crl", "list"])[1]["state"], "unreadable");
    site.ok(&["trust", "remove", "Spoilt CA"]);
    site.ok(&["crl", "remove", "CN=Spoilt CA"]);
    assert_eq!(
        (names(&config()["trusted"]), names(&config()["crls"])),
        (vec!["Good CA"], vec!["CN=Good CA"])
    );
    // Told once, however often the server asked.
    let log = serve.end(Signal::SIGTERM);
    assert_eq!(log.matches("trusted_certificate_unreadable").count(), 1, "{log}");
}

#[test]
fn a_ca_that_took_a_new_key_under_its_old_name_keeps_the_crls_of_both() {
    let (old, new) = (Identity::ca("Rolled CA"), Identity::ca("Rolled CA"));
    let site = site_that_trusts(&old);
    let id = with_server(&site, &old);
    site.ok(&["trust", "add", &site.dir.write("new.pem", &new.pem())]);
    let web = Web::new();
    site.ok(&["crl", "add", &site.dir.write("old.crl", &old.crl(600))]);
    assert!(site.ok(&["crl", "fetch", &web.put("/new", new.crl(60).as_bytes())]).contains("taken, of"));
    let serve = site.serve();
    let client = site.client(&serve);
    let crls = || client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"]["crls"].clone();
    assert_eq!(names(&crls()), ["CN=Rolled CA", "CN=Rolled CA"]);
    // Each key has its newest: neither takes the other's place.
    let newest = old.crl(30);
    assert!(site.ok(&["crl", "add", &site.dir.write("old.crl", &newest)]).contains("taken, of"));
    let pems: Vec<Value> = crls().as_array().unwrap().iter().map(|crl| crl["pem"].clone()).collect();
    assert!(pems.len() == 2 && pems.contains(&json!(newest)), "{pems:?}");
    serve.end(Signal::SIGTERM);
}
