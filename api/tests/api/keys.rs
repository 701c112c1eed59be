//! The keys of programs: made and shown once, limited by scope, network and end, and counted like logins if they are
//! wrong.

use crate::browser::{Browser, Reply};
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::with_role;
use crate::site::{Serve, Site};
use common::text::clock;
use serde_json::{Value, json};

/// Makes a key with these options; the key.
pub(crate) fn key(site: &Site, name: &str, role: &str, scopes: &str) -> String {
    let text = site.ok(&["key", "add", name, "--role", role, "--scope", scopes]).trim().to_owned();
    let digits = text.strip_prefix("os4x_").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|octet| octet.is_ascii_hexdigit()), "{text}");
    text
}

/// A program with a key.
pub(crate) fn program(site: &Site, serve: &Serve, key: &str) -> Browser {
    let mut program = Browser::of(site, serve);
    program.headers = format!("Authorization: Bearer {key}\r\n");
    program
}

/// The document of an answer.
pub(crate) fn document(reply: &Reply) -> Value {
    assert!(reply.header("content-type").unwrap().starts_with("application/json"), "{reply:?}");
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{reply:?}"))
}

/// A refusal has the one form that all have.
pub(crate) fn refused(reply: &Reply, status: u16, words: &str) {
    assert_eq!(reply.status, status, "{words}: {reply:?}");
    let document = document(reply);
    let members: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(members, ["error", "field", "remedy"]);
    assert!(document["error"].as_str().unwrap().contains(words), "{words}: {document}");
    assert!(!document["remedy"].as_str().unwrap().is_empty(), "{document}");
}

const STATUS: &str = "/api/v1/status";

#[test]
fn a_key_is_printed_once_and_its_hash_alone_is_kept() {
    let site = Site::new();
    let file = site.dir.path("key").to_str().unwrap().to_owned();
    let text = key(&site, "Monitor", "auditor", "metrics,read");
    let everything = String::from_utf8_lossy(&std::fs::read(&site.db).unwrap()).into_owned();
    assert!(everything.contains("monitor") && !everything.contains(&text[5..]));
    let until = clock::rfc3339(clock::now() + 30 * clock::DAY);
    let options = ["--network", "10.1.0.0/16,2001:db8::/32", "--until", &until];
    site.ok(&[
        &["key", "add", "other", "--role", "operator", "--scope", "partners", "-o", &file][..],
        &options,
    ]
    .concat());
    assert!(std::fs::read_to_string(&file).unwrap().starts_with("os4x_"));
    let keys = site.json(&["key", "list"]);
    let first = &keys[0];
    assert_eq!((&first["name"], &first["scopes"]), (&json!("monitor"), &json!(["read", "metrics"])));
    assert_eq!((&first["state"], &first["used"]), (&json!("good"), &Value::Null));
    let days = (first["until"].as_i64().unwrap() - clock::now()) / clock::DAY;
    assert!((364..=365).contains(&days), "{days}");
    assert_eq!(clock::rfc3339(keys[1]["until"].as_i64().unwrap()), until);
    assert_eq!(keys[1]["networks"], json!(["10.1.0.0/16", "2001:db8::/32"]));
    assert!(!keys.to_string().contains("hash"), "{keys}");
    // It is one of the things that end, and an act of the audit.
    let ends = site.json(&["expiry"]);
    assert!(
        ends.as_array().unwrap().iter().any(|end| end["what"] == "API key" && end["name"] == "other"),
        "{ends}"
    );
    let row = &site.json(&["audit", "list", "--act", "key add"])[0];
    assert!(row["new"]["key monitor"]["fingerprint"].as_str().unwrap().starts_with("sha256:"), "{row}");
    // It is reverted by removing the key.
    site.ok(&["audit", "revert", &row["number"].to_string()]);
    assert_eq!(site.json(&["key", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_key_is_refused_with_what_there_is() {
    let site = Site::new();
    key(&site, "monitor", "auditor", "read");
    let add = |more: &[&str]| site.run(&[&["key", "add"], more].concat());
    for (words, status, part) in [
        (&["m", "--scope", "read"][..], 64, "--role is missing"),
        (&["m", "--role", "auditor"], 64, "--scope"),
        (&["m", "--role", "auditor", "--scope", "all"], 1, "'all' is not a scope: the scopes are read, "),
        (&["m m", "--role", "auditor", "--scope", "read"], 1, "1 to 32 letters"),
        (&["MONITOR", "--role", "auditor", "--scope", "read"], 1, "a key 'monitor' already"),
        (&["m", "--role", "auditor", "--scope", "read", "--network", "10.0.0.1/8"], 1, "not a network"),
        (&["m", "--role", "auditor", "--scope", "read", "--until", "2020-01-01"], 64, "in the future"),
        (&["m", "--role", "auditor", "--scope", "read", "--until", "2100-01-01"], 1, "within a year"),
    ] {
        let said = add(words);
        assert!(said.status == status && said.err.contains(part), "{words:?}: {}", said.err);
    }
    assert!(site.refused(&["key", "remove", "none"]).contains("key list"));
    assert_eq!(site.json(&["key", "list"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_key_works_from_its_networks_until_its_end_and_for_its_scopes() {
    let site = Site::new();
    let serve = site.serve_with_panel();
    let good = key(&site, "good", "auditor", "read");
    let mut caller = program(&site, &serve, &good);
    let status = document(&caller.get(STATUS));
    assert!(status["findings"].is_array() && status["generation"].is_number(), "{status}");
    assert_eq!(status.as_object().unwrap().len(), site.json(&["status"]).as_object().unwrap().len());
    let used = &site.json(&["key", "list"])[0];
    assert_eq!(used["used_from"], "127.0.0.1");

    let other = key(&site, "calendar", "auditor", "calendar");
    refused(&program(&site, &serve, &other).get(STATUS), 403, "does not have the scope 'read'");
    let mut nobody = Browser::of(&site, &serve);
    let reply = nobody.get(STATUS);
    refused(&reply, 401, "no key");
    assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
    refused(&caller.get("/api/v1/nothing"), 404, "no such path");
    refused(&caller.post(STATUS, &[]), 405, "method");
    // A key is for programs: pages do not open with it.
    refused(&caller.get("/sessions.json"), 404, "no such path for programs");

    site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    let networks = site.ok(&[
        "key",
        "add",
        "far",
        "--role",
        "auditor",
        "--scope",
        "read",
        "--network",
        "203.0.113.0/24",
    ]);
    for (key, from, status) in [
        (good.as_str(), "10.1.2.3", 200),
        (&good, "203.0.113.9", 403),
        (networks.trim(), "203.0.113.9", 200),
        (networks.trim(), "10.1.2.3", 403),
    ] {
        let mut program = program(&site, &serve, key);
        program.headers = format!("{}X-Forwarded-For: {from}\r\n", program.headers);
        assert_eq!(program.get(STATUS).status, status, "{from}");
    }
    assert!(
        serve.log().contains("panel_login_failed address=203.0.113.9 user=good by=key"),
        "{}",
        serve.log()
    );
    site.sql("UPDATE os4x_api_keys SET valid_until = 1 WHERE name = 'good'");
    refused(&caller.get(STATUS), 401, "the key 'good' has ended at 1970-01-01T00:00:01Z");
    assert_eq!(site.json(&["key", "list"])[2]["state"], "ended");
    site.sql("UPDATE os4x_api_keys SET valid_until = 99999999999 WHERE name = 'good'");
    site.ok(&["key", "remove", "GOOD"]);
    refused(&caller.get(STATUS), 401, "no such key");
}

#[test]
fn wrong_keys_are_counted_like_bad_logins_and_a_right_one_always_works() {
    let panel = Panel::new();
    let good = key(&panel.site, "good", "auditor", "read");
    let mut wrong = program(&panel.site, &panel.serve, "os4x_wrong");
    let statuses: Vec<u16> = (0..12).map(|_| wrong.get(STATUS).status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    refused(&wrong.get(STATUS), 429, "too many");
    assert_eq!(
        panel.serve.log().matches("panel_login_failed address=127.0.0.1 user=\"\" by=key").count(),
        11
    );
    assert_eq!(panel.browser().log_in("anna", PASSWORD, panel.code(0)).status, 429, "the same count");
    assert_eq!(program(&panel.site, &panel.serve, &good).get(STATUS).status, 200);
}

#[test]
fn a_key_is_made_in_the_panel_shown_once_and_removed() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    check_headers(&browser.get("/keys"));
    let wrong = browser.post_signed("/keys", &[("name", "no name"), ("role", "auditor"), ("networks", "x")]);
    for field in ["name", "scope", "networks"] {
        assert!(
            wrong.status == 422 && wrong.body.contains(&format!("id=\"add-{field}-error\"")),
            "{wrong:?}"
        );
    }
    let given = [
        ("name", "ci"),
        ("role", "operator"),
        ("scope", "read"),
        ("scope", "partners"),
        ("networks", "127.0.0.0/8\n10.0.0.0/8"),
        ("until", ""),
    ];
    let asked = browser.post_signed("/keys", &given);
    assert!(asked.status == 200 && asked.body.contains("present_password"), "{asked:?}");
    let made = browser.post_proven("/keys", &given, ("", PASSWORD, panel.code(1)));
    assert_eq!(made.status, 200, "{made:?}");
    check_headers(&made);
    let (_, rest) = made.body.split_once("Bearer os4x_").unwrap();
    let text = format!("os4x_{}", &rest[..64]);
    assert!(!browser.get("/keys").body.contains(&text));
    assert_eq!(program(&panel.site, &panel.serve, &text).get(STATUS).status, 200);
    let key = &panel.site.json(&["key", "list"])[0];
    assert_eq!((&key["scopes"], &key["added_by"]), (&json!(["read", "partners"]), &json!("anna")));
    assert_eq!(key["networks"], json!(["127.0.0.0/8", "10.0.0.0/8"]));
    // The choice is still there if something else is refused.
    let again = browser.post_proven("/keys", &given, ("", "", ""));
    assert!(again.status == 422 && again.body.contains("there is a key"), "{again:?}");
    assert_eq!(again.body.matches(" checked>").count(), 2);
    assert_eq!(browser.post_proven("/keys/remove", &[("name", "ci")], ("", "", "")).status, 303);
    assert_eq!(panel.site.json(&["key", "list"]), json!([]));
    let row = &panel.site.json(&["audit", "list", "--act", "key remove"])[0];
    assert_eq!((&row["actor"], &row["way"]), (&json!("anna"), &json!("panel")));

    for (role, status) in [("auditor", 200), ("operator", 403)] {
        let mut browser = with_role(&panel, role);
        assert_eq!(browser.get("/keys").status, status, "{role}");
        for path in ["/keys", "/keys/remove"] {
            assert_eq!(browser.post_signed(path, &given).status, 403, "{role}: {path}");
        }
    }
}

#[test]
fn the_calendar_of_what_ends_needs_a_key_or_a_login() {
    let panel = Panel::new();
    let calendar = key(&panel.site, "calendar", "auditor", "calendar");
    let said = panel.site.ok(&["expiry", "--ics"]);
    // The time of the answer is in it.
    let lasting = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("DTSTAMP")).map(str::to_owned).collect()
    };
    let mut program = program(&panel.site, &panel.serve, &calendar);
    let told = program.get("/expiry.ics");
    assert_eq!((told.status, told.header("content-type")), (200, Some("text/calendar; charset=utf-8")));
    assert!(told.body.contains("SUMMARY:API key ends: calendar") && lasting(&told.body) == lasting(&said));
    let mut browser = panel.signed_in(0);
    assert!(browser.get("/expiry").body.contains("href=\"/expiry.ics\""));
    assert_eq!(lasting(&browser.get("/expiry.ics").body), lasting(&said));
    assert_eq!(panel.browser().get("/expiry.ics").status, 303, "to the login");
    let other = key(&panel.site, "other", "administrator", "read");
    program.headers = format!("Authorization: Bearer {other}\r\n");
    refused(&program.get("/expiry.ics"), 403, "the scope 'calendar'");
}
