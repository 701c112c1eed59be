//! `os4xapi export|import`: a site as one document, into another database; keys only with a passphrase; partners from a
//! table; and a fault in one place changes nothing.

use crate::pki::{self, Identity};
use crate::postgres::Cluster;
use crate::site::Site;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const KINDS: [&str; 8] = ["config", "partner", "proxy", "proxyclient", "trust", "crl", "ban", "ignore"];

/// The contents of an export, without those that belong to each database.
fn lists(site: &Site) -> Vec<Value> {
    let plain = |kind: &&str| {
        let mut list = site.json(&[kind, "list"]);
        for row in list.as_array_mut().unwrap() {
            let row = row.as_object_mut().unwrap();
            for own in ["version", "created", "addresses"] {
                row.remove(own);
            }
        }
        list
    };
    KINDS.iter().map(plain).collect()
}

fn rows(site: &Site) -> usize {
    site.json(&["audit", "list", "--limit", "1000"]).as_array().unwrap().len()
}

/// A site with an object of each kind.
fn full() -> Site {
    let (site, ca) = (Site::new(), Identity::ca("Transfer CA"));
    let pin = site.dir.write("pin.pem", &ca.issue("partner").pem());
    site.ok(&["trust", "add", &site.dir.write("ca.pem", &ca.pem()), "--no-crl"]);
    site.ok(&["crl", "add", &site.dir.write("ca.crl", &ca.crl(60))]);
    let acme = ["partner", "add", "ACME", "--ssid", "O0013ACME", "--pin", &pin, "--host", "acme.example"];
    site.ok(&[&acme[..], &["--file-names", "A*", "--network", "203.0.113.0/24", "--usage", "any"]].concat());
    site.ok(&["partner", "add", "TWO", "--ssid", "O0013TWO", "--profile", "strict", "--allow", "C1"]);
    site.ok(&["proxyclient", "add", "192.0.2.1", "--partner", "ACME", "--port", "4711"]);
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id, "--name", "dmz1"]);
    site.ok(&["proxy", "set", &id, "tcp_port_tls", "6620"]);
    site.ok(&["proxy", "drain", &id]);
    site.ok(&["config", "set", "tcp_port", "3306"]);
    site.ok(&["config", "set", "http_proxy", "http://me:first-word@proxy.example:3128"]);
    site.ok(&["ban", "add", "198.51.100.0/24", "--description", "why"]);
    site.ok(&["ignore", "add", "some words", "--partner", "ACME"]);
    site
}

#[test]
fn a_site_goes_out_and_comes_in() {
    let (site, cluster) = (full(), Cluster::start());
    let file = site.dir.path("site.json").to_str().unwrap().to_owned();
    let said = site.run(&["export", "-o", &file]);
    assert!(said.status == 0 && said.err.contains("config http_proxy, token"), "{}", said.err);
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("first-word") && !text.contains("PRIVATE KEY"), "{text}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["format"], 1);
    site.ok(&["config", "set", "http_proxy", ""]);
    let sites = [Site::new(), cluster.site()];
    sites[1].ok(&["init"]);
    for new in &sites {
        new.ok(&["partner", "add", "OTHER", "--ssid", "O0013OTHER"]);
        let before = (lists(new), rows(new));
        assert!(new.ok(&["import", &file, "--dry-run"]).contains("+ partner ACME"));
        assert_eq!((lists(new), rows(new)), before);
        let said = new.ok(&["import", &file]);
        assert!(said.contains("+ partner ACME") && said.contains("Imported from"), "{said}");
        assert_eq!(rows(new), before.1 + 1);
        assert_eq!(new.json(&["partner", "list"]).as_array().unwrap().len(), 3);
        assert!(new.ok(&["import", &file]).contains("is in the database already"));
        assert_eq!(rows(new), before.1 + 1);
        // Objects that the document does not have are removed only if this is asked for.
        let said = new.ok(&["import", "--replace", &file]);
        assert!(said.contains("- partner OTHER") && !said.contains("+ "), "{said}");
        assert_eq!(lists(new)[1..], lists(&site)[1..]);
        assert_eq!(new.ok(&["config", "get", "tcp_port"]), "3306\n");
        // An import is an act, and can be reverted.
        let number = rows(new).to_string();
        new.ok(&["audit", "revert", &number]);
        assert_eq!(new.json(&["partner", "list"]).as_array().unwrap().len(), 3);
    }
}

#[test]
fn keys_go_along_under_a_passphrase_alone() {
    let (site, ca, new) = (Site::new(), Identity::ca("Transfer CA"), Site::new());
    let own = ca.issue("we.example");
    let (chain, key) = (site.dir.write("own.pem", &own.pem()), site.dir.write("own.key", &own.key_pem()));
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let word = |text: &str| site.dir.write(text, &format!("{text}\n"));
    let (right, wrong, short) = (word("correct horse"), word("another horse"), word("horse"));
    let file = site.dir.path("keys.json").to_str().unwrap().to_owned();
    assert!(site.refused(&["export", "--passphrase-file", &short]).contains("12 characters"));
    site.ok(&["export", "--passphrase-file", &right, "-o", &file]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(
        (text.matches("BEGIN ENCRYPTED PRIVATE KEY").count(), text.matches("BEGIN PRIVATE").count()),
        (3, 0)
    );
    let before = new.json(&["cert", "list"]);
    assert!(new.refused(&["import", &file]).contains("--passphrase-file"));
    assert!(new.refused(&["import", &file, "--passphrase-file", &wrong]).contains("does not open"));
    assert_eq!(new.json(&["cert", "list"]), before);
    new.ok(&["import", &file, "--passphrase-file", &right]);
    for usage in ["own", "ca", "https"] {
        assert_eq!(new.ok(&["cert", "show", usage]), site.ok(&["cert", "show", usage]));
    }
    assert!(new.ok(&["import", &file, "--passphrase-file", &right]).contains("is in the database already"));
    let row = new.json(&["audit", "list", "--limit", "1"]).to_string();
    assert!(!row.contains("PRIVATE KEY"), "{row}");
}

#[test]
fn what_is_wrong_in_one_place_changes_nothing() {
    let site = full();
    let text = site.ok(&["export"]);
    let before = (lists(&site), rows(&site));
    let whole: Value = serde_json::from_str(&text).unwrap();
    let acme = |member: &str, value: Value| {
        let mut edited = whole.clone();
        edited["objects"]["partner ACME"][member] = value;
        edited
    };
    let object = |name: &str, value: Value| {
        let mut edited = whole.clone();
        edited["objects"]["config tcp_port"] = json!("3310");
        edited["objects"][name] = value;
        edited
    };
    let other = |member: &str, value: Value| {
        let mut edited = whole.clone();
        edited[member] = value;
        edited
    };
    for (edited, said) in [
        (acme("host", json!("two words")), "'partner ACME' cannot have that value: host is a host name"),
        (acme("port", json!(0)), "port is one from 1 to 65535"),
        (acme("port", json!("many")), "invalid type"),
        (acme("hosts", json!("acme.example")), "it has no member 'hosts'"),
        (acme("ssid", json!("O0013TWO")), "belongs to partner 'TWO'"),
        (acme("ssid", json!("O'13")), "ssid has 1 to 25"),
        (acme("short_name", json!("ACNE")), "its value is one of 'partner ACNE'"),
        (acme("networks", json!(["0.0.0.0/0"])), "'0.0.0.0/0' is not a network"),
        (acme("pins", json!([{"name": "x", "pem": "x"}])), "a pin is not a certificate in PEM"),
        (acme("pins", json!([])), "no pinned certificate"),
        (object("config tcp_prot", json!("1")), "no setting 'tcp_prot'"),
        (object("config tcp_port_tls", json!("many")), "tcp_port_tls cannot be 'many'"),
        (object("config proxy_unverified_soft", json!("999")), "must not be greater"),
        (object("config proxy_client_token", json!("x")), "os4xapi token"),
        (object("ban 198.51.100.0/24", Value::Null), "there is none"),
        (
            object("ban every", json!({"network": "every", "until": null, "description": "", "created": 1})),
            "not a network",
        ),
        (object("trust X", json!({"pem": "x", "no_crl": false})), "its pem is not a certificate"),
        (object("crl ftp://x", json!({"url": "ftp://x"})), "no CRL can be downloaded"),
        (object("token", json!({"fingerprint": "x"})), "neither keys nor tokens"),
        (object("colour red", json!({})), "'colour red' cannot have that value"),
        (other("format", json!(2)), "format 2, this os4xapi knows format 1"),
        (other("colour", json!(2)), "unknown field `colour`"),
    ] {
        let file = site.dir.write("edited.json", &edited.to_string());
        let refusal = site.refused(&["import", &file]);
        assert!(refusal.contains(said), "{said}: {refusal}");
        assert_eq!((lists(&site), rows(&site)), before, "{said}");
    }
    assert!(
        site.refused(&["import", &site.dir.write("broken", "{\"format\": 1,")]).contains("os4xapi export")
    );
    assert!(site.refused(&["import", "/nonexistent"]).contains("cannot be read"));
}

#[test]
fn partners_come_from_a_table() {
    let site = Site::new();
    site.ok(&[
        "partner",
        "add",
        "ACME",
        "--ssid",
        "O0013ACME",
        "--host",
        "old.example",
        "--profile",
        "strict",
    ]);
    let table = "\u{feff}Name;SSID;Host;Port;TLS;Outgoing IP\r\nACME;O0013ACME;new.example;;;\r\n\
                 \"TWO\";\"O0013 TWO\";two.example;3305;no;192.0.2.9\r\n";
    let file = site.dir.write("partners.csv", table);
    let before = rows(&site);
    let said = site.ok(&["import", &file]);
    assert!(said.contains("~ partner ACME: host: \"old.example\" -> \"new.example\""), "{said}");
    assert_eq!(rows(&site), before + 1);
    let list = site.json(&["partner", "list"]);
    let (acme, two) = (&list[0], &list[1]);
    assert_eq!(
        (&acme["host"], &acme["profile"], &acme["port"]),
        (&json!("new.example"), &json!("strict"), &json!(6619))
    );
    assert_eq!((&two["ssid"], &two["port"], &two["tls"]), (&json!("O0013 TWO"), &json!(3305), &json!(false)));
    assert_eq!(two["outgoing_ip"], "192.0.2.9");
    let bad = site.dir.write("bad.csv", "name,ssid\nTHREE,O0013THREE\nFOUR,O0013ACME\n");
    assert!(site.refused(&["import", &bad]).contains("belongs to partner 'ACME'"));
    assert_eq!((site.json(&["partner", "list"]), rows(&site)), (list, before + 1));
    assert_eq!(site.run(&["import", "--replace", &file]).status, 64);
    let latin = site.dir.path("latin.csv");
    std::fs::write(&latin, b"name,ssid\nM\xfcller,O0013M\n").unwrap();
    assert!(site.refused(&["import", latin.to_str().unwrap()]).contains("CSV UTF-8"));
}
