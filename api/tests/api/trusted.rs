//! Unusual trusted certificates: one that cannot be read any more, two of a CA that took a new key under its old name,
//! and one whose CRLs have another spelling of its name. None of them may affect the others, or their CRLs.

use crate::downloads::{site_that_trusts, with_server};
use crate::pki::{Identity, typed_name};
use crate::web::Web;
use nix::sys::signal::Signal;
use openssl::asn1::Asn1Type;
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
    // The server gets all certificates and names those that it cannot read.
    assert_eq!(names(&config()["trusted"]), ["Good CA", "Spoilt CA"]);
    serve.await_line("trusted_certificate_unreadable name=\"Spoilt CA\"");
    // Downloads go on.
    assert!(
        site.ok(&["crl", "fetch", &web.put("/good", good.crl(60).as_bytes())]).contains("Good CA: taken")
    );
    assert_eq!(names(&config()["crls"]), ["CN=Good CA", "CN=Spoilt CA"]);
    // The lists say what to do, and that works.
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
    // It is reported once, however often the server asks.
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
    // Each key has its newest CRL: neither replaces the other.
    let newest = old.crl(30);
    assert!(site.ok(&["crl", "add", &site.dir.write("old.crl", &newest)]).contains("taken, of"));
    let pems: Vec<Value> = crls().as_array().unwrap().iter().map(|crl| crl["pem"].clone()).collect();
    assert!(pems.len() == 2 && pems.contains(&json!(newest)), "{pems:?}");
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_crl_that_spells_its_issuers_name_in_another_way_is_its_issuers() {
    let (ca, impostor) = (Identity::ca("Spelt CA 1"), Identity::ca("Spelt CA 1"));
    let site = site_that_trusts(&ca);
    let id = with_server(&site, &ca);
    let web = Web::new();
    site.ok(&["crl", "add", &site.dir.write("plain.crl", &ca.crl(6_000))]);
    // Another string type, other case, and blanks that are ignored.
    for (number, (name, kind)) in (2..).zip([
        ("Spelt CA 1", Asn1Type::PRINTABLESTRING),
        ("\0S\0p\0e\0l\0t\0 \0C\0A\0 \x001", Asn1Type::BMPSTRING),
        ("SPELT ca 1", Asn1Type::UTF8STRING),
        (" Spelt  CA 1 ", Asn1Type::PRINTABLESTRING),
    ]) {
        let (name, age) = (typed_name(name, kind), 3_000 - 60 * i64::from(number));
        let forged = impostor.crl_naming(&name, age, number).to_der().unwrap();
        assert!(site.refused(&["crl", "fetch", &web.put("/forged", &forged)]).contains("signature"));
        let crl = ca.crl_naming(&name, age, number).to_pem().unwrap();
        let added = site.run(&["crl", "add", &site.dir.write("ca.crl", &String::from_utf8(crl).unwrap())]);
        assert!(added.status == 0 && added.err.is_empty() && added.out.contains("taken, of"), "{added:?}");
        let der = ca.crl_naming(&name, age - 30, number + 50).to_der().unwrap();
        assert!(site.ok(&["crl", "fetch", &web.put("/ca", &der)]).contains("taken, of"));
        let list = site.json(&["crl", "list"]);
        let kept: Vec<&Value> =
            list.as_array().unwrap().iter().filter(|row| !row["issuer"].is_null()).collect();
        assert!(kept.len() == 1 && kept[0]["number"] == format!("{}", number + 50), "{list}");
    }
    assert!(site.ok(&["crl", "add", &site.dir.write("plain.crl", &ca.crl(6_000))]).contains("a newer one"));
    // The server gets it, and the certificates that lead to it.
    let serve = site.serve();
    let client = site.client(&serve);
    let crls = client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"]["crls"].clone();
    assert_eq!(names(&crls), ["CN= Spelt  CA 1 "]);
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_ca_that_publishes_no_crl_is_marked_until_it_is_trusted_no_longer() {
    let ca = Identity::ca("Ocsp CA");
    let site = site_that_trusts(&ca);
    let id = with_server(&site, &ca);
    let serve = site.serve();
    let client = site.client(&serve);
    let marked = || {
        let config = client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone();
        let (sent, listed) =
            (config["trusted"][0]["no_crl"].clone(), site.json(&["trust", "list"])[0]["no_crl"].clone());
        assert_eq!(sent, listed);
        (sent, config["generation"].as_u64())
    };
    let (before, generation) = marked();
    assert_eq!(before, json!(false));
    let said = site.run(&["trust", "set", "Ocsp CA", "--no-crl", "yes"]);
    assert!(said.status == 0 && said.err.contains("a revoked certificate is accepted"), "{said:?}");
    let (after, next) = marked();
    assert!(after == json!(true) && next > generation, "{after}");
    site.ok(&["trust", "set", "Ocsp CA", "--no-crl", "yes"]);
    site.ok(&["trust", "set", "Ocsp CA", "--no-crl", "no"]);
    assert_eq!(marked().0, json!(false));
    assert!(site.refused(&["trust", "set", "Other CA", "--no-crl", "no"]).contains("trust list"));
    assert_eq!(site.run(&["trust", "set", "Ocsp CA"]).status, 64);
    assert_eq!(site.run(&["trust", "set", "Ocsp CA", "--no-crl", "perhaps"]).status, 64);
    // Removed and trusted again, it is an ordinary one; also if it is trusted again with the option.
    site.ok(&["trust", "set", "Ocsp CA", "--no-crl", "yes"]);
    site.ok(&["trust", "remove", "Ocsp CA"]);
    let file = site.dir.write("again.pem", &ca.pem());
    site.ok(&["trust", "add", &file]);
    assert_eq!(marked().0, json!(false));
    site.ok(&["trust", "add", &file, "--no-crl"]);
    assert_eq!(marked().0, json!(true));
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_crl_that_was_kept_under_two_spellings_is_one_with_the_next() {
    let ca = Identity::ca("Twice CA");
    let site = site_that_trusts(&ca);
    site.ok(&["crl", "add", &site.dir.write("one.crl", &ca.crl(600))]);
    site.sql(
        "INSERT INTO os4x_crls SELECT 'other', 'CN=TWICE CA', last_update, next_update, source, pem FROM os4x_crls",
    );
    assert_eq!(site.json(&["crl", "list"]).as_array().unwrap().len(), 2);
    assert!(site.ok(&["crl", "add", &site.dir.write("two.crl", &ca.crl(60))]).contains("taken, of"));
    assert_eq!(site.json(&["crl", "list"]).as_array().unwrap().len(), 1);
}
