//! `/metrics`: who may read it, and that its numbers are those of the commands.

use crate::browser::Browser;
use crate::keys::{key, program, refused};
use crate::panel::Panel;
use crate::panel_pages::keep_busy;
use crate::postgres::Cluster;
use crate::site::Site;
use std::collections::BTreeMap;

/// The values of a scrape, by name and labels.
fn scrape(program: &mut Browser) -> BTreeMap<String, i64> {
    let reply = program.get("/metrics");
    assert_eq!(reply.status, 200, "{reply:?}");
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(reply.header("content-type"), Some(kind));
    assert!(reply.body.ends_with("\n# EOF\n"), "{}", reply.body);
    let mut values = BTreeMap::new();
    for line in reply.body.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let before = values.insert(name.to_owned(), value.parse().unwrap());
        assert_eq!(before, None, "each has one value: {line}");
    }
    values
}

/// The facts of a busy site are in its metrics; on each database.
fn is_told(panel: &Panel) {
    let site = &panel.site;
    let mut program = program(site, &panel.serve, &key(site, "prometheus", "auditor", "metrics"));
    let empty = scrape(&mut program);
    assert_eq!(empty["os4x_build_info{version=\"0.1.0\"}"], 1);
    assert!(!empty.keys().any(|name| name.starts_with("os4x_sessions_total")), "{empty:?}");
    keep_busy(panel);
    let values = scrape(&mut program);
    let status = site.json(&["status"]);
    for (name, value) in [
        ("os4x_config_generation", status["generation"].as_i64().unwrap()),
        ("os4x_server_joined{server=\"dmz\"}", 1),
        ("os4x_server_joined{server=\"spare\"}", 0),
        ("os4x_sessions_running{server=\"dmz\",direction=\"incoming\"}", 2),
        ("os4x_sessions_running{server=\"dmz\",direction=\"outgoing\"}", 1),
        ("os4x_sessions_total{server=\"dmz\",direction=\"incoming\",reason=\"normal\"}", 1),
        ("os4x_sessions_total{server=\"dmz\",direction=\"outgoing\",reason=\"partner-broke\"}", 1),
        ("os4x_octets_total{direction=\"in\"}", 1_244_567),
        ("os4x_octets_total{direction=\"out\"}", 40),
        ("os4x_files_total{result=\"accepted\"}", 1),
        ("os4x_files_total{result=\"refused\"}", 1),
        ("os4x_unverified{server=\"dmz\"}", 0),
        (
            "os4x_limit{name=\"proxy_sessions\"}",
            site.ok(&["config", "get", "proxy_sessions"]).trim().parse().unwrap(),
        ),
        ("os4x_api_calls_total{function=\"proxy_session\",code=\"ok\"}", 3),
    ] {
        assert_eq!(values.get(name), Some(&value), "{name}: {values:#?}");
    }
    let refused: i64 = values
        .iter()
        .filter(|(name, _)| name.starts_with("os4x_refused_total{server=\"dmz\""))
        .map(|(_, value)| value)
        .sum();
    let listed = site.json(&["refused", "--limit", "10000"]);
    let times: i64 = listed.as_array().unwrap().iter().map(|row| row["times"].as_i64().unwrap()).sum();
    assert_eq!(refused, times);
    let ca =
        values.iter().find(|(name, _)| name.starts_with("os4x_certificate_not_after_seconds{usage=\"ca\""));
    let ends = site.json(&["expiry"]);
    let end = ends.as_array().unwrap().iter().find(|end| end["what"] == "own CA").unwrap();
    assert_eq!(ca.map(|(_, value)| *value), end["ends"].as_i64());
    assert!(values.keys().any(|name| name.starts_with("os4x_licence_not_after_seconds{server=\"dmz\"}")));
    assert!(values.keys().any(|name| name.starts_with("os4x_daemon_last_seen_seconds{daemon=\"client\"")));
    assert!(!values.keys().any(|name| name.contains("ACME")), "{values:?}");

    // Old rows go; the totals stay.
    site.ok(&["config", "set", "metrics_partners", "yes"]);
    let values = scrape(&mut program);
    let name =
        "os4x_sessions_total{server=\"dmz\",direction=\"incoming\",reason=\"normal\",partner=\"ACME\"}";
    assert_eq!(values.get(name), Some(&1), "{values:#?}");
    assert!(
        values
            .keys()
            .any(|name| name.starts_with("os4x_certificate_not_after_seconds{usage=\"pin\",name=\"ACME: "))
    );
}

#[test]
fn the_metrics_are_the_facts_of_the_database() {
    let panel = Panel::new();
    is_told(&panel);
    panel.site.sql("DELETE FROM os4x_sessions");
    let mut program = program(&panel.site, &panel.serve, &key(&panel.site, "other", "auditor", "metrics"));
    let values = scrape(&mut program);
    assert_eq!(values["os4x_octets_total{direction=\"in\",partner=\"ACME\"}"], 10_000);
}

#[test]
fn the_metrics_are_the_same_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    is_told(&Panel::of(site));
}

#[test]
fn metrics_need_a_key_with_their_scope_or_a_network_that_is_named() {
    let site = Site::new();
    let serve = site.serve_with_panel();
    let mut nobody = Browser::of(&site, &serve);
    refused(&nobody.get("/metrics"), 401, "no key");
    let mut reader = program(&site, &serve, &key(&site, "reader", "administrator", "read,settings"));
    refused(&reader.get("/metrics"), 403, "the scope 'metrics'");
    let mut wrong = program(&site, &serve, "os4x_wrong");
    refused(&wrong.get("/metrics"), 401, "no such key");
    site.ok(&["config", "set", "metrics_networks", "127.0.0.1/32,203.0.113.0/24"]);
    assert_eq!(scrape(&mut nobody)["os4x_panel_logins_total{result=\"failed\",by=\"key\"}"], 1);
    // The panel itself is still not for such an address, nor is anything else.
    site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    nobody.headers = "X-Forwarded-For: 203.0.113.9\r\n".to_owned();
    assert_eq!(nobody.get("/metrics").status, 200);
    refused(&nobody.get("/api/v1/status"), 401, "no key");
    assert_eq!(nobody.get("/login").status, 403);
    nobody.headers = "X-Forwarded-For: 198.51.100.9\r\n".to_owned();
    refused(&nobody.get("/metrics"), 401, "no key");
}
