//! The whole life of an installation, the same on every database: init, everything that an operator enters, all calls
//! of the daemons, and their reports. A test for each kind of database calls it.

use crate::pki::{self, Identity};
use crate::site::{Site, await_that};
use crate::states;
use common::config::{CertificateRule, ProfileName, ProxyConfig};
use common::identity::CertificateKind;
use common::text::clock;
use nix::sys::signal::Signal;
use openssl::x509::X509;
use serde_json::{Value, json};

#[test]
fn whole_life_on_sqlite() {
    whole_life(&Site::new());
}

/// From a new database on.
pub(crate) fn whole_life(site: &Site) {
    assert!(site.refused(&["init"]).contains("already"));
    let id = operator_enters_everything(site);
    let serve = site.serve();
    let client = site.client(&serve);
    let config = daemons_ask(site, &client, &id);
    every_change_counts_up(site, &client, &id, config.generation);
    daemons_report(site, &client);
    states::daemons_tell(site, &client, &id);
    lists_are_downloaded(site, &client, &id);
    entries_are_ignored(site, &client);
    bans_end(site);
    let log = serve.end(Signal::SIGTERM);
    assert!(!log.contains("-failed"), "{log}");
}

/// The jobs that `serve` does by itself, on each database.
fn bans_end(site: &Site) {
    site.ok(&["ban", "add", "203.0.113.10"]);
    site.ok(&["ban", "add", "203.0.113.9", "--until", &clock::rfc3339(clock::now() + 2)]);
    await_that("the end of a ban", || site.json(&["ban", "list"]).as_array().unwrap().len() == 1);
    assert_eq!(site.json(&["ban", "list"])[0]["network"], "203.0.113.10/32");
}

/// The Proxy ID of the server that got a licence.
fn operator_enters_everything(site: &Site) -> String {
    let ca = Identity::ca("Life CA");
    let (own, partner) = (ca.issue("we.example"), ca.issue("partner.example"));
    let chain = site.dir.write("chain.pem", &(own.pem() + &ca.pem()));
    let key = site.dir.write("own.key", &own.key_pem());
    let ca_file = site.dir.write("ca.pem", &ca.pem());
    let crl = site.dir.write("ca.crl", &ca.crl(60));
    let pin = site.dir.write("partner.pem", &partner.pem());
    let id = pki::proxy_id();
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["trust", "add", &ca_file]);
    site.ok(&["crl", "add", &crl]);
    // The URLs that are reported here cannot be downloaded from.
    site.ok(&["config", "set", "proxy_crl_automatic", "no"]);
    site.ok(&["config", "set", "tcp_port_tls", "16619"]);
    site.ok(&["config", "set", "proxy_sessions", "77"]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--pin", &pin, "--host", "partner.example"]);
    site.ok(&["partner", "add", "PLAIN", "--ssid", "O0013PLAIN", "--tls", "no", "--profile", "strict"]);
    site.ok(&["partner", "set", "PLAIN", "--allow", "c17, C2"]);
    site.ok(&[
        "partner",
        "set",
        "PLAIN",
        "--outgoing-ip",
        "192.0.2.9",
        "--check-ssid",
        "no",
        "--enabled",
        "no",
    ]);
    site.ok(&[
        "proxyclient",
        "add",
        "::1",
        "--port",
        "4711",
        "--network",
        "10.0.0.0/8",
        "--listen-ip",
        "192.0.2.1",
    ]);
    site.ok(&[
        "proxyclient",
        "add",
        "127.0.0.1",
        "--partner",
        "ACME",
        "--port",
        "4712",
        "--network",
        "10.1.0.5",
    ]);
    let licence = site.ok(&["licence", "issue", &id, "--holder", "Life GmbH", "--days", "10"]);
    let chain = X509::stack_from_pem(licence.as_bytes()).unwrap();
    assert_eq!(chain.len(), 2);
    assert!(chain[0].verify(&chain[1].public_key().unwrap()).unwrap());
    assert_eq!(CertificateKind::of(&chain[0]), Some(CertificateKind::Licence));
    id
}

fn daemons_ask(site: &Site, client: &crate::https::Client, id: &str) -> ProxyConfig {
    let (key, public_key) = pki::client_key();
    let enrolled = client.ok(&json!({"function": "proxy_enrol", "public_key": public_key}));
    let certificate = X509::from_pem(enrolled["certificate"].as_str().unwrap().as_bytes()).unwrap();
    let ca = X509::from_pem(enrolled["ca"].as_str().unwrap().as_bytes()).unwrap();
    assert!(certificate.verify(&ca.public_key().unwrap()).unwrap());
    assert!(certificate.public_key().unwrap().public_eq(&key));
    assert_eq!(CertificateKind::of(&certificate), Some(CertificateKind::Client));
    assert_eq!(enrolled["proxies"], json!([id]));
    assert_eq!(enrolled["valid_seconds"], 86_400);
    assert_eq!(enrolled["ca"], site.ok(&["cert", "show", "ca"]));

    let own = client.ok(&json!({"function": "proxy_client_config"}));
    assert_eq!(own["config"]["listen_ip"], "192.0.2.1");
    assert_eq!(own["config"]["listen_port"], 4711);
    assert_eq!(own["config"]["networks"], json!(["10.0.0.0/8"]));
    let tied =
        json!([{"listen_ip": null, "listen_port": 4712, "partner": "ACME", "networks": ["10.1.0.5/32"]}]);
    assert_eq!(own["config"]["tied"], tied);
    assert_eq!(own["config"]["station_port"], 3305);
    assert_eq!(own["config"]["limits"]["sessions"], 77);

    let answer = client.ok(&json!({"function": "proxy_config", "proxy_id": id}));
    let config: ProxyConfig = serde_json::from_value(answer["config"].clone()).unwrap();
    assert_eq!((config.tcp_port_tls, config.limits.sessions), (16_619, 77));
    assert!(config.tls_check_client_certificate && !config.tls_ignore_crl_unavailability);
    assert_eq!(X509::stack_from_pem(config.certificate.as_bytes()).unwrap().len(), 2);
    openssl::pkey::PKey::private_key_from_pem(config.key.expose().as_bytes()).unwrap();
    assert_eq!((config.trusted.len(), config.crls.len()), (1, 1));
    assert_eq!(config.trusted[0].certificate.name, "Life CA");
    let [acme, plain] = config.partners.as_slice() else { panic!("{:?}", config.partners) };
    assert_eq!((acme.ssid.as_str(), acme.port, acme.tls), ("O0013ACME", 6_619, true));
    assert_eq!((acme.certificate, acme.pins.len(), acme.enabled), (CertificateRule::Pinned, 1, true));
    assert_eq!(acme.host.as_deref(), Some("partner.example"));
    assert_eq!((plain.port, plain.tls, plain.enabled), (3_305, false, false));
    assert_eq!((plain.profile, plain.check_ssid), (ProfileName::Strict, false));
    assert_eq!((acme.allow.to_string(), plain.allow.to_string()), (String::new(), "C2, C17".to_owned()));
    assert_eq!(answer["config"]["partners"][1]["allow"], json!(["C2", "C17"]));
    assert_eq!((plain.certificate, plain.host.as_ref()), (CertificateRule::OdetteId, None));
    assert_eq!(plain.outgoing_ip, Some("192.0.2.9".parse().unwrap()));

    assert!(config.crl_urls.is_empty());
    // A reported URL alone makes no new generation; it is part of the next one.
    let url = "http://crl.example/life.crl";
    client.ok(&json!({"function": "proxy_crl_url", "url": url}));
    client.ok(&json!({"function": "proxy_crl_url", "url": url}));
    let again = client.ok(&json!({"function": "proxy_config", "proxy_id": id}));
    assert_eq!(again["config"]["crl_urls"], json!([url]));

    let same = json!({"function": "proxy_config", "proxy_id": id, "generation": config.generation});
    assert_eq!(client.ok(&same), json!({"unchanged": true}));
    let other = json!({"function": "proxy_config", "proxy_id": pki::proxy_id()});
    let refused = client.call(&other);
    assert_eq!((refused.status, refused.code()), (403, "forbidden"));
    config
}

/// Each command that changes something makes a new generation; the daemons see it at once.
fn every_change_counts_up(site: &Site, client: &crate::https::Client, id: &str, mut last: u64) {
    let ca = Identity::ca("Second CA");
    let ca_file = site.dir.write("second.pem", &ca.pem());
    let crl = site.dir.write("second.crl", &ca.crl(0));
    let own = ca.issue("we.example");
    let chain = site.dir.write("chain2.pem", &own.pem());
    let key = site.dir.write("own2.key", &own.key_pem());
    let second = pki::proxy_id();
    let changes: &[&[&str]] = &[
        &["config", "set", "proxy_station_host", "station.example"],
        &["partner", "add", "NEW", "--ssid", "O0013NEW"],
        &["partner", "set", "NEW", "--ssid", "O0013NEWER"],
        &["proxyclient", "add", "192.0.2.50", "--partner", "NEW", "--port", "1"],
        &["proxyclient", "remove", "192.0.2.50", "--partner", "NEW"],
        &["proxyclient", "add", "192.0.2.50", "--partner", "NEW", "--port", "2"],
        &["partner", "set", "NEW", "--network", "203.0.113.0/24"],
        &["partner", "remove", "NEW"],
        &["ban", "add", "203.0.113.0/24"],
        &["ban", "add", "203.0.113.0/24", "--until", "2999-12-31"],
        &["ban", "remove", "203.0.113.0/24"],
        &["trust", "add", &ca_file, "--name", "second"],
        &["crl", "add", &crl],
        &["crl", "remove", "CN=Second CA"],
        &["trust", "remove", "second"],
        &["cert", "set", "--chain", &chain, "--key", &key],
        &["proxyclient", "add", "192.0.2.50"],
        &["proxyclient", "remove", "192.0.2.50"],
        &["proxy", "add", &second],
        &["proxy", "remove", &second],
        &["licence", "issue", id, "-o", &site.dir.write("licence.pem", "")],
    ];
    for words in changes {
        site.ok(words);
        let now = client.generation();
        assert!(now > last, "{words:?}: {last} -> {now}");
        last = now;
    }
    // The listener was removed with its partner.
    assert!(!site.ok(&["proxyclient", "list"]).contains("192.0.2.50"));
    // Refused commands, and commands that only read, change nothing.
    site.refused(&["config", "set", "tcp_port", "0"]);
    site.refused(&["partner", "remove", "NEW"]);
    site.refused(&["ban", "remove", "203.0.113.0/24"]);
    site.refused(&["proxy", "remove", &pki::proxy_id()]);
    site.ok(&["partner", "list"]);
    site.ok(&["token", "show"]);
    assert_eq!(client.generation(), last);
}

fn lists_are_downloaded(site: &Site, client: &crate::https::Client, id: &str) {
    let ca = Identity::ca("Fetched CA");
    let web = crate::web::Web::new();
    let url = web.put("/ca.crl", ca.crl(60).as_bytes());
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    // Twice it fails, because the issuer is not trusted; then it is downloaded.
    for _ in 0..2 {
        assert!(site.refused(&["crl", "fetch", &url]).contains("not trusted"));
    }
    site.ok(&["trust", "add", &site.dir.write("fetched.pem", &ca.pem())]);
    site.ok(&["crl", "fetch", &url]);
    let list = site.json(&["crl", "list"]);
    let row = list.as_array().unwrap().iter().find(|row| row["url"] == url.as_str()).unwrap();
    assert_eq!((&row["issuer"], &row["error"]), (&json!("CN=Fetched CA"), &Value::Null));
    let answer = client.ok(&json!({"function": "proxy_config", "proxy_id": id}));
    assert!(answer["config"]["crl_urls"].as_array().unwrap().contains(&json!(url)));
    site.ok(&["crl", "remove", &url]);
}

fn entries_are_ignored(site: &Site, client: &crate::https::Client) {
    site.ok(&["ignore", "add", "IS Boring", "--description", "why"]);
    let entry = |text: &str| {
        json!({"function": "proxy_system_log", "level": "WARN", "text": text, "detail": "", "origin": "client",
            "host": "inside", "pid": 1, "time": 1})
    };
    client.ok(&entry("this is boring"));
    client.ok(&entry("this is not"));
    let log = site.json(&["log"]);
    let texts: Vec<&Value> = log.as_array().unwrap().iter().map(|entry| &entry["text"]).collect();
    assert_eq!(texts.last(), Some(&&json!("this is not")));
    assert!(!texts.contains(&&json!("this is boring")), "{log}");
    let number = site.json(&["ignore", "list"])[0]["id"].to_string();
    site.ok(&["ignore", "remove", &number]);
}

fn daemons_report(site: &Site, client: &crate::https::Client) {
    let entry = json!({
        "function": "proxy_system_log", "level": "ERROR", "text": "outgoing IP is not on this host",
        "detail": "outgoing-ip-missing ip=192.0.2.9\u{0}", "origin": "server", "host": "dmz", "pid": 4711,
        "time": 1_795_339_270, "address": "203.0.113.9",
    });
    client.ok(&entry);
    let log = site.json(&["log"]);
    let mut expected = entry.clone();
    expected.as_object_mut().unwrap().remove("function");
    expected["detail"] = json!("outgoing-ip-missing ip=192.0.2.9\u{fffd}");
    assert_eq!(log, json!([expected]));
    assert!(site.ok(&["log"]).contains("2026-11-22T09:21:10Z"));

    let begin = |session: &str| {
        json!({"event": "begin", "session": session, "direction": "incoming", "pid": 1, "time": 100,
            "address": "203.0.113.9:1", "partner": "ACME", "ssid": "O0013ACME", "subject": "CN=a"})
    };
    let end = |session: &str, octets: u64| {
        json!({"event": "end", "session": session, "time": 200, "octets_in": octets, "octets_out": 2, "files": 3,
            "reason": "closed"})
    };
    // "late" begins after its end is known; "twice" is reported by both daemons, and the first report counts.
    let events =
        [begin("open"), end("late", 5), begin("late"), begin("twice"), end("twice", 7), end("twice", 8)];
    client.ok(&json!({"function": "proxy_session", "events": events}));
    client.ok(&json!({"function": "proxy_session", "events": []}));
    let sessions = site.json(&["sessions"]);
    let of = |session: &str| -> Value {
        sessions.as_array().unwrap().iter().find(|one| one["session"] == session).unwrap().clone()
    };
    assert_eq!((of("open")["state"].clone(), of("open")["ended"].clone()), (json!("running"), Value::Null));
    assert_eq!((of("late")["state"].clone(), of("late")["partner"].clone()), (json!("ended"), json!("ACME")));
    assert_eq!(of("twice")["octets_in"], 7);
    assert_eq!(sessions.as_array().unwrap().len(), 3);
    daemons_report_deviations(site, client);
}

/// The deviations of sessions are counted for their partner, once in a session.
fn daemons_report_deviations(site: &Site, client: &crate::https::Client) {
    let events = |session: &str, time: u64, partner: &[&str], station: &[&str]| {
        let begin = json!({"event": "begin", "session": session, "direction": "incoming", "pid": 1, "time": 1,
            "address": "203.0.113.9:1", "partner": "ACME", "ssid": "O0013ACME", "subject": ""});
        let end = json!({"event": "end", "session": session, "time": time, "octets_in": 1, "octets_out": 1,
            "files": 0, "reason": "normal", "deviations": {"partner": partner, "station": station}});
        client.ok(&json!({"function": "proxy_session", "events": [begin, end, end]}));
    };
    events("shown-1", 300, &["C17", "C2", "C2", "C999", "\0"], &["C3"]);
    events("shown-2", 400, &["C2"], &[]);
    let stranger = json!({"event": "end", "session": "no-begin", "time": 1, "octets_in": 1, "octets_out": 1,
        "files": 0, "reason": "normal", "deviations": {"partner": ["C1"]}});
    client.ok(&json!({"function": "proxy_session", "events": [stranger]}));
    let shown = site.json(&["partner", "show", "ACME"]);
    assert_eq!((&shown["ssid"], &shown["pins"][0]["name"]), (&json!("O0013ACME"), &json!("partner.example")));
    let rows: Vec<_> = shown["deviations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| json!([row["sender"], row["number"], row["sessions"], row["last"]]))
        .collect();
    let partner = [json!(["partner", "C2", 2, 400]), json!(["partner", "C17", 1, 300])];
    assert_eq!(rows, [&partner[..], &[json!(["station", "C3", 1, 300])]].concat());
    let text = site.ok(&["partner", "show", "ACME"]);
    let row =
        "C2         partner  2         1970-01-01T00:06:40Z  ESID 00 without a Change Direction before it";
    assert!(text.contains(row) && text.contains("SSIDCODE       O0013ACME"), "{text}");
    let plain = site.ok(&["partner", "show", "PLAIN"]);
    assert!(plain.contains("PROFILE        strict except C2, C17"), "{plain}");
    assert!(plain.contains("Its sessions have shown no deviation"), "{plain}");
    assert!(site.refused(&["partner", "show", "NOBODY"]).contains("no partner 'NOBODY'"));
}
