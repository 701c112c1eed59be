//! The states and refusals that daemons report, and the output of `status`, `refused` and `sessions`.
//! `daemons_tell` is a part of the life on every database.

use crate::https::Client;
use crate::pki::{self, Identity};
use crate::site::Site;
use common::text::clock;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// The state of a daemon with this generation in force.
fn state(generation: u64) -> Value {
    json!({
        "version": "0.1.0", "build": "20261128", "pid": 4711, "host": "dmz-1", "started": clock::now() - 60,
        "time": clock::now(), "generation": generation,
        "listeners": [{"purpose": "partners", "address": "192.0.2.1:6619"}],
        "incoming": {"used": 2, "limit": 200}, "outgoing": {"used": 1, "limit": 100},
        "unverified": {"used": 0, "limit": 100}, "parked": {"used": 4, "limit": 4},
        "licence_ends": clock::now() + 400 * clock::DAY, "of_tomorrow": true,
    })
}

fn site_state(id: &str, server: &Value) -> Value {
    json!({"function": "proxy_state", "client": state(1),
        "server": {"proxy_id": id, "address": "192.0.2.1:2878", "state": server, "age": 3}})
}

fn refused(reason: &str, ssid: &str, address: &str, count: u64) -> Value {
    let minute = clock::now() / 60 * 60;
    json!({"minute": minute, "direction": "incoming", "reason": reason, "address": address, "ssid": ssid,
        "count": count})
}

fn named<'a>(all: &'a Value, key: &str, name: &str) -> &'a Value {
    all.as_array().unwrap().iter().find(|one| one[key] == name).unwrap()
}

/// On each database: state, progress and refusals are stored and shown.
pub(crate) fn daemons_tell(site: &Site, client: &Client, id: &str) {
    let begin = json!({"event": "begin", "session": "running-1", "direction": "incoming", "pid": 7,
        "time": clock::now(), "address": "192.0.2.9:5000", "partner": "ACME", "ssid": "O0013ACME", "subject": ""});
    client.ok(&json!({"function": "proxy_session", "events": [begin]}));
    let generation = site.json(&["status"])["generation"].as_u64().unwrap();
    let mut server = state(generation);
    for octets in [5_000, 9_000] {
        server["sessions"] = json!([{"session": "running-1", "octets_in": octets, "octets_out": 12,
            "file": {"sender": "partner", "name": "INVOICE", "octets": octets - 1_000}}, {"session": "unknown"}]);
        client.ok(&site_state(id, &server));
        let sessions = site.json(&["sessions"]);
        let running = named(&sessions, "session", "running-1");
        assert_eq!((&running["octets_in"], &running["state"]), (&json!(octets), &json!("running")));
        assert_eq!(
            running["file"],
            json!({"sender": "partner", "name": "INVOICE", "octets": octets - 1_000})
        );
    }
    assert!(site.ok(&["sessions"]).contains("INVOICE from the partner: 8000 octets"));
    let end = json!({"event": "end", "session": "running-1", "time": clock::now(), "octets_in": 10_000,
        "octets_out": 20, "files": 1, "reason": "normal"});
    client.ok(&json!({"function": "proxy_session", "events": [end]}));
    client.ok(&site_state(id, &server));
    let sessions = site.json(&["sessions"]);
    let ended = named(&sessions, "session", "running-1");
    assert_eq!((&ended["octets_in"], &ended["file"]), (&json!(10_000), &Value::Null), "told too late");

    let rows: Vec<Value> =
        (0..300).map(|number| refused("tls", "", &format!("198.51.100.{}", number % 256), 1)).collect();
    let more = [
        refused("unknown-partner", "O0099NEW", "203.0.113.7", 4),
        refused("unknown-partner", "O0099NEW", "203.0.113.7", 5),
    ];
    let call = json!({"function": "proxy_refusals", "proxy_id": id, "refusals": more});
    client.ok(&call);
    client.ok(&json!({"function": "proxy_refusals", "proxy_id": id, "refusals": rows}));
    let groups = site.json(&["refused", "--limit", "1000"]);
    assert_eq!(groups.as_array().unwrap().len(), 201, "200 and the others");
    let stranger = named(&groups, "ssid", "O0099NEW");
    assert_eq!((&stranger["times"], &stranger["address"]), (&json!(9), &json!("203.0.113.7")));
    assert_eq!(named(&groups, "reason", "others")["times"], 57);
    assert_eq!(site.json(&["refused", "--limit", "1"]).as_array().unwrap().len(), 1);

    let status = site.json(&["status"]);
    let server = named(&status["daemons"], "daemon", "server");
    assert_eq!((&server["condition"], &server["state"]["incoming"]["used"]), (&json!("joined"), &json!(2)));
    assert_eq!(named(&status["daemons"], "daemon", "client")["condition"], "running");
    let reasons: Vec<&Value> =
        status["refusals"].as_array().unwrap().iter().map(|one| &one["reason"]).collect();
    assert_eq!(reasons, ["tls", "others", "unknown-partner"]);
    let unknown = named(&status["refusals"], "reason", "unknown-partner");
    assert!(unknown["meaning"].as_str().unwrap().contains("os4xapi partner add"), "{unknown}");
    assert_eq!(unknown["who"][0]["ssid"], "O0099NEW");
}

#[test]
fn a_site_with_a_stopped_client_an_expired_list_and_an_unknown_partner_is_told_what_to_do() {
    let site = Site::new();
    let ca = Identity::ca("Life CA");
    site.ok(&["trust", "add", &site.dir.write("ca.pem", &ca.pem())]);
    site.ok(&["crl", "add", &site.dir.write("ca.crl", &ca.crl(60))]);
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id, "--name", "dmz-main"]);
    let empty = site.ok(&["status"]);
    assert!(empty.contains("no client has ever called") && empty.contains("os4xapi setup"), "{empty}");
    let serve = site.serve();
    let client = site.client(&serve);
    let generation = site.json(&["status"])["generation"].as_u64().unwrap();
    let mut told = site_state(&id, &state(generation));
    told["client"]["generation"] = json!(generation);
    client.ok(&told);
    let well = site.ok(&["status"]);
    assert!(well.contains("Nothing is wrong.") && well.contains("partners 192.0.2.1:6619"), "{well}");

    let knocks = [refused("unknown-partner", "O0099NEW", "2001:db8::", 3)];
    client.ok(&json!({"function": "proxy_refusals", "proxy_id": id, "refusals": knocks}));
    site.sql("UPDATE os4x_crls SET next_update = 1795000000");
    client.ok(&json!({"function": "proxy_state", "client": state(generation),
        "ended": "told to end by SIGTERM"}));
    serve.await_line("client_ended client=127.0.0.1 reason=\"told to end by SIGTERM\"");
    let text = site.ok(&["status"]);
    for words in [
        "told to end by SIGTERM",
        "systemctl start os4x_proxyclient2",
        "the server dmz-main is not joined any more",
        "CRL CN=Life CA has ended at 2026-11-18T11:06:40Z",
        "os4xapi crl add FILE",
        "unknown-partner",
        "O0099NEW 2001:db8::",
        "'os4xapi partner add' lists it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    // It was killed, or its network is down: it does not report.
    client.ok(&told);
    site.sql("UPDATE os4x_states SET received = received - 40");
    let silent = site.ok(&["status"]);
    assert!(silent.contains("has not reported since") && silent.contains("os4xapi serve"), "{silent}");
    // An older client calls, and an older server reports nothing.
    site.sql("UPDATE os4x_states SET received = received - 60");
    let older = site.ok(&["status"]);
    assert!(older.contains("the client 127.0.0.1") && older.contains("is of an older version"), "{older}");
    client.ok(&json!({"function": "proxy_state", "client": state(generation),
        "server": {"proxy_id": id, "address": "192.0.2.1:2878", "is_silent": true}}));
    let older = site.ok(&["status"]);
    assert!(older.contains("the server dmz-main is of an older version"), "{older}");
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_service_that_ended_or_was_killed_is_named_with_what_to_do() {
    let site = Site::new();
    let status = || site.ok(&["status"]);
    assert!(status().contains("'os4xapi serve' has never run on this database"), "{}", status());
    let serve = site.serve();
    assert!(!status().contains("os4xapi serve' on "), "{}", status());
    serve.end(Signal::SIGTERM);
    let ended = status();
    assert!(ended.contains("'os4xapi serve' on ") && ended.contains("told to end by SIGTERM"), "{ended}");
    assert!(ended.contains("systemctl start os4xapi"), "{ended}");
    let serve = site.serve();
    // This signal kills it.
    drop(serve);
    // It is known to be killed only when it is silent for too long.
    site.sql("UPDATE os4x_states SET received = received - 41");
    let killed = status();
    assert!(killed.contains("has not run since") && killed.contains("it was killed"), "{killed}");
    // Another running one is enough; the killed one is still reported.
    let serve = site.serve();
    let both = status();
    assert!(both.contains("has not run since") && !both.contains("told to end by"), "{both}");
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_state_that_is_none_is_refused_and_values_of_the_dmz_cannot_steer_a_terminal() {
    let site = Site::new();
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id]);
    let serve = site.serve();
    let client = site.client(&serve);
    for call in [
        json!({"function": "proxy_state"}),
        json!({"function": "proxy_state", "client": "none"}),
        json!({"function": "proxy_state", "client": {"incoming": 7}}),
        json!({"function": "proxy_refusals", "proxy_id": "nonsense", "refusals": []}),
        json!({"function": "proxy_refusals", "proxy_id": id, "refusals": [{"count": -1}]}),
    ] {
        assert_eq!(client.call(&call).code(), "bad-request", "{call}");
    }
    let evil = "\u{1b}[2J\0evil";
    let mut server = state(1);
    (server["host"], server["fault"]) = (json!(evil), json!({"time": clock::now(), "text": evil}));
    client.ok(&site_state(&id, &server));
    let mut row = refused("tls", evil, "192.0.2.1", u64::MAX);
    client.ok(&json!({"function": "proxy_refusals", "proxy_id": id, "refusals": [row, row]}));
    row["subject"] = json!("x".repeat(5_000));
    client.ok(&json!({"function": "proxy_refusals", "proxy_id": id, "refusals": [row]}));
    for words in [["status"], ["refused"]] {
        let text = site.ok(&words);
        assert!(
            text.contains("evil") && !text.contains('\u{1b}') && !text.contains(&"x".repeat(300)),
            "{text}"
        );
    }
    serve.end(Signal::SIGTERM);
}

#[test]
fn who_watches_sees_it_again_and_again() {
    let site = Site::new();
    let arguments = ["status", "--watch", "--json", "--db", &site.db];
    let mut watching =
        Command::new(crate::site::PROGRAM).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    let before = next();
    site.ok(&["config", "set", "proxy_sessions", "77"]);
    let changed = (0..5).map(|_| next()).find(|status| status["generation"] != before["generation"]);
    assert!(changed.unwrap()["generation"].as_u64() > before["generation"].as_u64());
    drop(lines);
    // The reader has closed the pipe: it ends by itself, and that is not a fault.
    assert!(watching.wait().unwrap().success());
}
