//! Bans, and the networks of a partner: what is refused, warned of, listed, and sent to the server.

use crate::pki::{self, Identity};
use crate::site::{Said, Site, await_that};
use serde_json::{Value, json};

/// The configuration that a server gets.
fn config(site: &Site) -> Value {
    let own = Identity::ca("Banned CA").issue("we.example");
    let chain = site.dir.write("chain.pem", &own.pem());
    let key = site.dir.write("own.key", &own.key_pem());
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id]);
    let serve = site.serve();
    site.client(&serve).ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone()
}

/// The error message of a wrong command line.
fn wrong(site: &Site, words: &[&str]) -> String {
    let Said { status, err, .. } = site.run(words);
    assert_eq!(status, 64, "{words:?}: {err}");
    err
}

#[test]
fn a_ban_is_added_changed_listed_and_removed() {
    let site = Site::new();
    let said = site.ok(&["ban", "add", "::ffff:203.0.113.0/120", "--description", "scanner"]);
    assert!(
        said.contains("Ban of 203.0.113.0/24 added, without an end. It is in force within 65 s"),
        "{said}"
    );
    let said = site.ok(&["ban", "add", "203.0.113.0/24", "--until", "2999-12-31"]);
    assert!(said.contains("changed, until 2999-12-31T23:59:59Z"), "{said}");
    site.ok(&["ban", "add", "2001:db8::/32"]);
    let listed = site.json(&["ban", "list"]);
    assert_eq!(listed[1]["description"], "scanner", "what is not named stays");
    assert!(listed[1]["created"].as_i64().unwrap() > 0);
    assert!(site.ok(&["ban", "list"]).contains("203.0.113.0/24  2999-12-31T23:59:59Z"));
    let expected = json!([
        {"network": "2001:db8::/32", "until": null},
        {"network": "203.0.113.0/24", "until": listed[1]["until"]},
    ]);
    assert_eq!(config(&site)["bans"], expected);
    site.ok(&["ban", "add", "203.0.113.0/24", "--until", "", "--description", ""]);
    let removed = site.ok(&["ban", "remove", "203.0.113.0/24"]);
    assert!(
        removed.contains("Ban of 203.0.113.0/24 removed. It is accepted again within 65 s."),
        "{removed}"
    );
    assert_eq!(site.json(&["ban", "list"]).as_array().unwrap().len(), 1);
    site.ok(&["ban", "remove", "2001:db8::/32", "--yes"]);
    assert!(site.ok(&["ban", "list"]).contains("Nobody is banned."));
}

#[test]
fn a_ban_that_cannot_be_meant_is_refused_with_what_to_type() {
    let site = Site::new();
    for (network, said) in [
        ("203.0.113.9/24", "203.0.113.0/24 is the network, and 203.0.113.9 only this host"),
        ("0.0.0.0/0", "which is every address"),
        ("::/0", "which is every address"),
        ("acme.example", "a network is an address"),
    ] {
        let refusal = wrong(&site, &["ban", "add", network]);
        assert!(
            refusal.contains(&format!("NETWORK cannot be '{network}'")) && refusal.contains(said),
            "{refusal}"
        );
    }
    for until in ["2020-01-01", "tomorrow", "2999-02-30"] {
        let refusal = wrong(&site, &["ban", "add", "203.0.113.9", "--until", until]);
        assert!(refusal.contains("a time in the future"), "{refusal}");
    }
    wrong(&site, &["ban", "add", "203.0.113.9", "--description", &"x".repeat(201)]);
    assert_eq!(site.json(&["ban", "list"]), json!([]), "nothing was kept");
    site.ok(&["ban", "add", "203.0.113.0/24"]);
    let refusal = site.refused(&["ban", "remove", "203.0.113.9"]);
    assert!(refusal.contains("no ban of 203.0.113.9/32: it overlaps the banned 203.0.113.0/24"), "{refusal}");
    let refusal = site.refused(&["ban", "remove", "192.0.2.1"]);
    assert!(refusal.contains("'os4xapi ban list' shows all"), "{refusal}");
}

#[test]
fn a_ban_that_keeps_a_partner_or_a_client_out_is_warned_of() {
    let site = Site::new();
    site.ok(&["partner", "add", "CALLED", "--ssid", "O0013CALLED", "--host", "203.0.113.7"]);
    site.ok(&["partner", "add", "COMES", "--ssid", "O0013COMES", "--network", "198.51.100.0/24"]);
    site.ok(&["partner", "add", "NAMED", "--ssid", "O0013NAMED", "--host", "named.example"]);
    site.ok(&["proxyclient", "add", "192.0.2.9"]);
    let serve = site.serve();
    let session = json!({"event": "begin", "session": "0011223344556677", "direction": "incoming", "pid": 1, "time": 1,
        "address": "203.0.113.99:4000", "partner": "NAMED", "ssid": "O0013NAMED", "subject": "", "serial": "",
        "tls": "", "station": ""});
    site.client(&serve).ok(&json!({"function": "proxy_session", "events": [session]}));
    for (network, warnings) in [
        (
            "203.0.113.0/24",
            &["network of partner CALLED", "partner NAMED has had sessions from 203.0.113.0/24"][..],
        ),
        ("198.51.100.128/25", &["host or a network of partner COMES"]),
        ("192.0.2.0/24", &["contains 192.0.2.9, the address of a client"]),
        ("192.88.99.1", &[]),
    ] {
        let said = site.run(&["ban", "add", network]);
        assert_eq!((said.status, said.err.lines().count()), (0, warnings.len()), "{network}: {}", said.err);
        assert!(warnings.iter().all(|warning| said.err.contains(warning)), "{}", said.err);
    }
    let said = site.run(&["partner", "set", "NAMED", "--network", "192.88.99.0/24"]);
    assert!(said.err.contains("192.88.99.1/32 is banned") && said.err.lines().count() == 1, "{}", said.err);
}

#[test]
fn a_ban_that_is_over_is_dropped_and_the_log_tells() {
    let site = Site::new();
    site.ok(&["ban", "add", "203.0.113.9", "--until", "2999-12-31", "--description", "a scanner"]);
    site.ok(&["ban", "add", "203.0.113.10"]);
    site.sql("UPDATE os4x_bans SET until = 1 WHERE until IS NOT NULL");
    let serve = site.serve();
    serve.await_line("ban_expired network=203.0.113.9/32 description=");
    await_that("the end of the ban", || site.json(&["ban", "list"]).as_array().unwrap().len() == 1);
    await_that("the entry", || site.ok(&["log"]).contains("a ban has ended and was removed"));
}

#[test]
fn the_networks_of_a_partner_are_checked_shown_and_handed_out() {
    let site = Site::new();
    let said =
        site.ok(&["partner", "add", "A", "--ssid", "O0013A", "--network", "203.0.113.0/24, 192.0.2.7"]);
    assert!(said.contains(", comes only from 203.0.113.0/24, 192.0.2.7/32."), "{said}");
    let expected = json!(["203.0.113.0/24", "192.0.2.7/32"]);
    assert_eq!(site.json(&["partner", "show", "A"])["networks"], expected);
    assert_eq!(site.json(&["partner", "list"])[0]["networks"], expected);
    assert_eq!(config(&site)["partners"][0]["networks"], expected);
    for command in [&["partner", "show", "A"][..], &["partner", "list"]] {
        assert!(site.ok(command).contains("203.0.113.0/24"));
    }
    site.ok(&["partner", "set", "A", "--enabled", "yes"]);
    assert_eq!(site.json(&["partner", "show", "A"])["networks"], expected, "what is not named stays");
    site.ok(&[
        "partner",
        "set",
        "A",
        "--network",
        "2001:db8::/32",
        "--network",
        "::ffff:192.0.2.8,192.0.2.8",
    ]);
    assert_eq!(site.json(&["partner", "show", "A"])["networks"], json!(["2001:db8::/32", "192.0.2.8/32"]));
    for (network, said) in [
        ("203.0.113.9/24", "203.0.113.0/24 is the network"),
        ("203.0.113.0/24,,192.0.2.7", "cannot be ''"),
        ("0.0.0.0/0", "'' lets the partner connect from any address"),
        ("acme.example", "a network is an address"),
    ] {
        let refusal = wrong(&site, &["partner", "set", "A", "--network", network]);
        assert!(refusal.contains("--network cannot be '") && refusal.contains(said), "{refusal}");
    }
    let many: Vec<String> = (0..65).map(|last| format!("192.0.2.{last}")).collect();
    let refusal = wrong(&site, &["partner", "set", "A", "--network", &many.join(",")]);
    assert!(refusal.contains("at most 64 networks"), "{refusal}");
    let said = site.ok(&["partner", "set", "A", "--network", ""]);
    assert!(!said.contains("comes from") && site.json(&["partner", "show", "A"]).get("networks").is_none());
}
