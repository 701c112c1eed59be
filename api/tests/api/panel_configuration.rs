//! The configuration in the panel: the labels of the documentation, settings that are changed with what is wrong beside
//! its field, what is reverted automatically, and the blocks of the page Proxy.

use crate::browser::Browser;
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::with_role;
use crate::site::{Dir, Site, await_that};
use serde_json::{Value, json};

/// Each page, and the words of the documentation that must be on it.
const LABELS: [(&str, &[&str]); 5] = [
    ("/configuration/tcp-ip", &["TCP/IP", "TCP/IP port of OFTP server (TLS)"]),
    (
        "/configuration/ssl-tls",
        &[
            "SSL/TLS",
            "TLS server: check client certificate validity",
            "Ignore TLS CRL unavailability?",
            "Automatic CRL handling",
            "Check CRL URLs every x timeslices",
            "Maximum age of CRLs",
        ],
    ),
    (
        "/configuration/proxy",
        &[
            "Proxy",
            "Hostname or IP address of host running OS4X receive daemon (mandatory for incoming connections)",
            "OS4X Proxy client security token",
            "IP address of outgoing proxy connections (optional)",
            "Proxy client configuration",
            "Log message ignore configuration",
        ],
    ),
    ("/configuration/logging", &["Logging", "Absolute path to logfile of OS4X API"]),
    ("/configuration/events", &["Events", "OS4X API proxy system log event script"]),
];

/// The text beside the field of this name that says what is wrong with it.
pub(crate) fn error_of<'a>(page: &'a str, field: &str) -> &'a str {
    let start = format!("id=\"{field}-error\">");
    let (_, rest) = page.split_once(&start).unwrap_or_else(|| panic!("no error of {field}: {page}"));
    rest.split_once("</span>").unwrap().1.split_once("</p>").unwrap().0.trim()
}

#[test]
fn each_label_of_the_documentation_is_on_its_page() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let menu = browser.get("/").body;
    for (path, labels) in LABELS {
        assert!(menu.contains(&format!("href=\"{path}\"")), "{path}");
        let page = browser.get(path);
        check_headers(&page);
        for label in labels {
            assert!(page.body.contains(&format!(">{label}<")), "{path}: {label}: {}", page.body);
        }
    }
    // Each has its value, its default and what it takes.
    let page = browser.get("/configuration/tcp-ip").body;
    assert!(page.contains("name=\"tcp_port_tls\" inputmode=\"numeric\" value=\"6619\""), "{page}");
    assert!(page.contains("a whole number from 1 to 65535"), "{page}");
    panel.site.sql("UPDATE os4x_users SET language = 'de'");
    let page = browser.get("/configuration/tcp-ip").body;
    assert!(
        page.contains("TCP/IP-Port des OFTP-Servers (TLS)")
            && page.contains("eine ganze Zahl von 1 bis 65535")
    );
}

#[test]
fn a_setting_is_changed_and_what_is_wrong_stands_beside_its_field() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let path = "/configuration/events";
    let wrong = browser.post_signed(path, &[("proxy_event_seconds", "0"), ("proxy_event_script", "script")]);
    assert_eq!(wrong.status, 422);
    assert_eq!(
        error_of(&wrong.body, "proxy_event_seconds"),
        "The value must be a whole number from 1 to 3600 seconds."
    );
    assert!(error_of(&wrong.body, "proxy_event_script").contains("an absolute path"));
    // Nothing is lost, and nothing was changed.
    assert!(wrong.body.contains("value=\"script\"") && wrong.body.contains("href=\"#proxy_event_seconds\""));
    check_headers(&wrong);
    assert_eq!(panel.site.ok(&["config", "get", "proxy_event_seconds"]).trim(), "60");

    let done = browser.post_signed(path, &[("proxy_event_seconds", " 17 "), ("proxy_event_script", "")]);
    assert_eq!((done.status, done.header("location")), (303, Some("/configuration/events?done=saved")));
    assert_eq!(panel.site.ok(&["config", "get", "proxy_event_seconds"]).trim(), "17");
    let row = &panel.site.json(&["audit", "list", "--act", "config set"])[0];
    assert_eq!(
        (&row["actor"], &row["way"], &row["address"]),
        (&json!("anna"), &json!("panel"), &json!("127.0.0.1"))
    );
    assert_eq!(row["new"], json!({"config proxy_event_seconds": "17"}));
    assert!(browser.get("/configuration/events?done=saved").body.contains("Saved."));

    // Two that contradict each other: the one that is too great is told.
    let proxy = "/configuration/proxy";
    let wrong = browser.post_signed(proxy, &[("proxy_unverified_soft", "201")]);
    assert!(wrong.status == 422, "{wrong:?}");
    assert!(error_of(&wrong.body, "proxy_unverified_soft").contains("Unverified connections, hard limit"));
    assert!(wrong.body.contains("<details open>"));
    // What may not work is told beside it as well.
    browser.post_signed(path, &[("proxy_event_script", "/nowhere/script")]);
    assert!(browser.get(path).body.contains("events start nothing yet"));
}

#[test]
fn two_who_change_the_same_do_not_overwrite_each_other_unseen() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let path = "/configuration/logging";
    let page = browser.get(path).body;
    let version = page.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    panel.site.ok(&["config", "set", "api_keep_days", "30"]);
    let stale = browser.post_signed(path, &[("version", version), ("api_keep_days", "40")]);
    assert_eq!(stale.status, 422);
    assert!(
        error_of(&stale.body, "api_keep_days").ends_with("The current value is &#39;30&#39;."),
        "{}",
        stale.body
    );
    assert!(stale.body.contains("value=\"40\""));
    assert_eq!(panel.site.ok(&["config", "get", "api_keep_days"]).trim(), "30");
    // What it is now was seen: the form that came back has the new version.
    let version = stale.body.split("name=\"version\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(browser.post_signed(path, &[("version", version), ("api_keep_days", "40")]).status, 303);
    // Another setting of the page that nobody has touched is no reason.
    let old = &[("version", "1"), ("api_log_level", "DEBUG")];
    assert_eq!(browser.post_signed(path, old).status, 303);
}

#[test]
fn another_port_is_looked_at_twice_and_taken_back_unless_it_is_kept() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let (path, port) = ("/configuration/tcp-ip", [("tcp_port_tls", "6620")]);
    let asked = browser.post_signed(path, &port);
    assert_eq!(asked.status, 200);
    for part in ["config tcp_port_tls", "reverted automatically", "present_password", "value=\"6620\""] {
        assert!(asked.body.contains(part), "{part}: {}", asked.body);
    }
    check_headers(&asked);
    let refused = browser.post_proven(path, &port, ("", "no such password", panel.code(1)));
    assert!(refused.status == 422 && refused.body.contains("id=\"proof-error\""), "{refused:?}");
    assert!(!refused.body.contains("no such password"), "a password is in no page");
    panel.site.ok(&["user", "unlock", "anna"]);
    let done = browser.post_proven(path, &port, ("", PASSWORD, panel.code(1)));
    let kept_at = done.header("location").unwrap().to_owned();
    assert!(done.status == 303 && kept_at.starts_with("/rollback/"), "{done:?}");
    let now = || panel.site.ok(&["config", "get", "tcp_port_tls"]).trim().to_owned();
    assert_eq!(now(), "6620");
    // Each page tells of it, and leads to where it is kept.
    assert!(browser.get("/partners").body.contains(&kept_at));
    assert_eq!(browser.post_signed(&kept_at, &[("what", "keep")]).header("location"), Some("/?done=kept"));
    assert!(!browser.get("/partners").body.contains(&kept_at));

    // Proven a moment ago, nobody is asked again; the look stays.
    let port = [("tcp_port_tls", "6621")];
    let asked = browser.post_signed(path, &port);
    assert!(asked.status == 200 && !asked.body.contains("present_password"), "{asked:?}");
    let second = browser.post_proven(path, &port, ("", "", ""));
    assert_eq!((second.status, now().as_str()), (303, "6621"));
    panel.site.sql("UPDATE os4x_rollbacks SET due = 0");
    await_that("the old port", || now() == "6620");
    let entry = &panel.site.json(&["log", "--limit", "1"])[0];
    assert!(entry["detail"].as_str().unwrap().contains("rolled_back number="), "{entry}");
    let gone = browser.get(second.header("location").unwrap());
    assert_eq!((gone.status, gone.header("location")), (303, Some("/")));

    // At once, by hand; and what was changed since is left alone.
    let third = browser.post_proven(path, &port, ("", "", ""));
    let at = third.header("location").unwrap();
    assert_eq!(browser.post_signed(at, &[("what", "back")]).header("location"), Some("/?done=reverted"));
    assert_eq!(now(), "6620");
    browser.post_proven(path, &port, ("", "", ""));
    panel.site.ok(&["config", "set", "tcp_port_tls", "6622"]);
    panel.site.sql("UPDATE os4x_rollbacks SET due = 0");
    await_that("the report", || panel.site.ok(&["log", "--json"]).contains("not_rolled_back"));
    assert_eq!(now(), "6622");
}

#[test]
fn a_change_is_kept_once_it_is_in_force_in_each_server_that_reports_its_state() {
    let panel = Panel::new();
    let (mut browser, client) = (panel.signed_in(0), panel.site.client(&panel.serve));
    let port = [("tcp_port_tls", "6620")];
    let done = browser.post_proven("/configuration/tcp-ip", &port, ("", PASSWORD, panel.code(1)));
    let kept_at = done.header("location").unwrap().to_owned();
    let report_of = |id: &str, address: &str, state: Value| {
        let server = json!({"proxy_id": id, "address": address, "state": state});
        client.ok(&json!({"function": "proxy_state", "client": {}, "server": server}));
    };
    // A server of an older version never reports its state, so nobody waits for it.
    report_of(&crate::pki::proxy_id(), "192.0.2.7:2878", Value::Null);
    let newest = client.generation();
    let id = crate::pki::proxy_id();
    let report = |generation: Option<u64>, port: u16| {
        let listeners = json!([{"purpose": "partners", "address": format!("192.0.2.9:{port}")}]);
        report_of(&id, "192.0.2.9:2878", json!({"generation": generation, "listeners": listeners}));
    };
    for (generation, port) in [(None, 6620), (Some(newest - 1), 6620), (Some(newest), 6619)] {
        report(generation, port);
        let refused = browser.post_signed(&kept_at, &[("what", "keep")]);
        assert_eq!(refused.status, 409, "{generation:?} {port}: {refused:?}");
        assert!(
            refused.body.contains("192.0.2.9:2878") && !refused.body.contains("192.0.2.7"),
            "{refused:?}"
        );
    }
    report(Some(newest), 6620);
    assert_eq!(browser.post_signed(&kept_at, &[("what", "keep")]).header("location"), Some("/?done=kept"));
}

#[test]
fn changes_of_one_setting_that_nobody_has_kept_end_at_the_value_before_all_of_them() {
    let panel = Panel::new();
    let (mut browser, site) = (panel.signed_in(0), &panel.site);
    let now = || site.ok(&["config", "get", "tcp_port_tls"]).trim().to_owned();
    let log = || site.ok(&["log", "--json"]);
    let mut change = |port: &str| {
        let proof = ("", PASSWORD, panel.code(1));
        let done = browser.post_proven("/configuration/tcp-ip", &[("tcp_port_tls", port)], proof);
        assert_eq!((done.status, now().as_str()), (303, port), "{done:?}");
    };
    change("6620");
    change("6621");
    // The first change waits for the second one, which may still be kept.
    site.sql("UPDATE os4x_rollbacks SET due = 0 WHERE number = (SELECT MIN(number) FROM os4x_rollbacks)");
    await_that("both pending", || site.sql_done("UPDATE os4x_rollbacks SET due = due WHERE due > 0") == 2);
    assert_eq!(now(), "6621");
    site.sql("UPDATE os4x_rollbacks SET due = 0");
    await_that("the port that was there first", || now() == "6619");
    assert!(!log().contains("not_rolled_back"), "{}", log());

    // A change that somebody has made between two others, and that is not pending, stays.
    change("6620");
    site.ok(&["config", "set", "tcp_port_tls", "6625"]);
    change("6621");
    site.sql("UPDATE os4x_rollbacks SET due = 0");
    await_that("the report", || log().contains("not_rolled_back"));
    assert_eq!(now(), "6625");
}

#[test]
fn a_restored_backup_reverts_no_change_that_was_pending_in_it() {
    let panel = Panel::new();
    let (mut browser, site) = (panel.signed_in(0), &panel.site);
    let port = [("tcp_port_tls", "6620")];
    let done = browser.post_proven("/configuration/tcp-ip", &port, ("", PASSWORD, panel.code(1)));
    let kept_at = done.header("location").unwrap().to_owned();
    let file = site.dir.path("copy.db").to_str().unwrap().to_owned();
    site.ok(&["backup", &file]);
    assert_eq!(browser.post_signed(&kept_at, &[("what", "keep")]).header("location"), Some("/?done=kept"));

    site.ok(&["restore", &file, "--yes"]);
    let dir = Dir::new();
    let anew = Site { db: dir.path("anew.db").to_str().unwrap().to_owned(), dir };
    anew.ok(&["restore", &file]);
    for restored in [site, &anew] {
        assert_eq!(restored.sql_done("UPDATE os4x_rollbacks SET due = 0"), 0, "nothing can be reverted");
        assert_eq!(restored.ok(&["config", "get", "tcp_port_tls"]).trim(), "6620");
    }
    assert!(!browser.get("/partners").body.contains("/rollback/"));
}

#[test]
fn what_protects_less_needs_a_second_look() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let (path, weaker) = ("/configuration/ssl-tls", [("tls_check_client_certificate", "no")]);
    let asked = browser.post_signed(path, &weaker);
    assert!(asked.status == 200 && asked.body.contains("reduces the protection"), "{asked:?}");
    assert_eq!(browser.post_proven(path, &weaker, ("", PASSWORD, panel.code(1))).status, 303);
    assert_eq!(panel.site.ok(&["config", "get", "tls_check_client_certificate"]).trim(), "no");
    // As long as it is so, the overview says it.
    let overview = |browser: &mut Browser| browser.get("/").body;
    assert!(overview(&mut browser).contains("provides less protection than possible"));
    // The way back needs no look, nor does anything else.
    assert_eq!(browser.post_signed(path, &[("tls_check_client_certificate", "yes")]).status, 303);
    assert!(!overview(&mut browser).contains("provides less protection than possible"));
    // A proof is over after a while.
    panel.site.sql("UPDATE os4x_panel_sessions SET proven_until = 1");
    assert!(browser.post_signed(path, &weaker).body.contains("present_password"));
}

#[test]
fn clients_servers_and_ignored_texts_are_blocks_of_the_page_proxy() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let site = &panel.site;
    let add = "/configuration/proxy/clients";
    let wrong = browser.post_signed(add, &[("address", "x"), ("port", "0"), ("networks", "10.0.0.1/8")]);
    assert_eq!(wrong.status, 422);
    for field in ["client-address", "client-port", "client-networks"] {
        assert!(error_of(&wrong.body, field).starts_with("The value must be"), "{field}");
    }
    let good =
        [("address", "::1"), ("port", "65433"), ("networks", "10.1.0.0/16"), ("client_name", "inside")];
    assert_eq!(browser.post_signed(add, &good).status, 303);
    let listed = site.json(&["proxyclient", "list"]);
    assert_eq!(
        (&listed[0]["address"], &listed[0]["networks"]),
        (&json!("127.0.0.1"), &json!(["10.1.0.0/16"]))
    );
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let taken = [("address", "127.0.0.1"), ("port", "65433"), ("partner", "ACME")];
    let refused = browser.post_signed(add, &taken);
    assert!(refused.status == 422 && refused.body.contains("This port is used"), "{refused:?}");
    let tied = [("address", "127.0.0.1"), ("port", "65433"), ("partner", "NOBODY")];
    let refused = browser.post_signed(add, &tied);
    assert!(refused.status == 422 && refused.body.contains("There is no partner"), "{refused:?}");
    let gone = browser.post_proven(&format!("{add}/remove"), &[("address", "127.0.0.1")], ("", "", ""));
    assert_eq!((gone.status, site.json(&["proxyclient", "list"])), (303, json!([])));

    let id = crate::pki::proxy_id();
    let add = "/configuration/proxy/servers";
    assert!(error_of(&browser.post_signed(add, &[("proxy_id", "x")]).body, "server-proxy_id").contains("px"));
    assert_eq!(browser.post_signed(add, &[("proxy_id", &id), ("server_name", "dmz")]).status, 303);
    assert_eq!(site.json(&["proxy", "list"])[0]["name"], "dmz");
    let remove = format!("{add}/remove");
    let wrong = browser.post_proven(&remove, &[("proxy_id", &id)], ("dnz", PASSWORD, panel.code(1)));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"typed-error\""), "{wrong:?}");
    // A word that was not right has cost no code.
    let gone = browser.post_proven(&remove, &[("proxy_id", &id)], ("dmz", PASSWORD, panel.code(1)));
    assert_eq!((gone.status, site.json(&["proxy", "list"])), (303, json!([])));

    let add = "/configuration/proxy/ignores";
    let wrong = browser.post_signed(add, &[("text", "ab"), ("until", "2020-01-01"), ("address", "x")]);
    for field in ["ignore-text", "ignore-until", "ignore-address"] {
        assert!(!error_of(&wrong.body, field).is_empty(), "{field}");
    }
    let good = [("text", "abc"), ("until", "2100-01-01"), ("confirmed", "yes")];
    assert_eq!(browser.post_signed(add, &good).status, 303);
    assert_eq!(site.json(&["ignore", "list"])[0]["text"], "abc");
    let id = site.json(&["ignore", "list"])[0]["id"].to_string();
    assert_eq!(browser.post_signed(&format!("{add}/remove"), &[("id", &id)]).status, 303);
    assert_eq!(site.json(&["ignore", "list"]), json!([]));
}

#[test]
fn a_new_token_is_shown_once_and_no_other_ever() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let old = panel.site.ok(&["token", "show"]);
    let path = "/configuration/proxy/token";
    let asked = browser.post_signed(path, &[("overlap", "1")]);
    assert!(asked.status == 200 && asked.body.contains("name=\"typed\""), "{asked:?}");
    let made = browser.post_proven(path, &[("overlap", "1")], ("rotate", PASSWORD, panel.code(1)));
    let new = panel.site.ok(&["token", "show"]);
    assert!(made.status == 200 && made.body.contains(new.trim()) && new != old, "{made:?}");
    let page = browser.get("/configuration/proxy").body;
    assert!(!page.contains(new.trim()) && !page.contains(old.trim()) && page.contains("anna"));
}

#[test]
fn an_auditor_looks_and_an_operator_ignores_texts_alone() {
    let panel = Panel::new();
    let statuses = |browser: &mut Browser| {
        [
            browser.post_signed("/configuration/events", &[("proxy_event_seconds", "7")]).status,
            browser
                .post_signed("/configuration/proxy/clients", &[("address", "10.0.0.1"), ("port", "1")])
                .status,
            browser.post_signed("/configuration/proxy/token", &[("overlap", "1")]).status,
            browser
                .post_signed(
                    "/configuration/proxy/ignores",
                    &[("text", "abc"), ("until", "2100-01-01"), ("confirmed", "yes")],
                )
                .status,
        ]
    };
    for (role, expected) in [("auditor", [403; 4]), ("operator", [403, 403, 403, 303])] {
        let mut browser = with_role(&panel, role);
        assert_eq!(statuses(&mut browser), expected, "{role}");
        for (path, _) in LABELS {
            let page = browser.get(path);
            assert!(page.status == 200 && page.body.contains(" disabled>"), "{role}: {path}");
        }
    }
    // A form without the token of its session is nobody's.
    let mut browser = panel.signed_in(0);
    assert_eq!(browser.post("/configuration/events", &[("proxy_event_seconds", "7")]).status, 403);
    assert_eq!(panel.site.ok(&["config", "get", "proxy_event_seconds"]).trim(), "60");
}
