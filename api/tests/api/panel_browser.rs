//! What a person does in the panel with a real browser, with JavaScript and without: forms that are filled in, looked
//! at twice and taken back. `OS4X_PICTURES` names a directory for a picture of each step.

use crate::chromium::Chromium;
use crate::panel::{PASSWORD, Panel};
use crate::panel_pages::{keep_picture, log_in};
use crate::pki::{self, Identity};
use crate::site::await_that;
use crate::states::daemons_tell;
use serde_json::json;

/// The user whose browser has it.
const WITH_JAVASCRIPT: &str = "clara";

/// Runs this with JavaScript and without; a user of its own for each, with codes.
fn with_and_without_javascript(panel: &Panel, work: impl Fn(&Chromium, &[String], &str)) {
    for (has_javascript, name) in [(true, WITH_JAVASCRIPT), (false, "dora")] {
        let chromium = Chromium::new(&panel.site, panel.serve.panel_port, has_javascript);
        let codes = log_in(&chromium, panel, name, false);
        work(&chromium, &codes, name);
        assert_eq!(chromium.complaints(), Vec::<String>::new());
    }
}

/// Keeps a picture, and sees that nobody is kept out of the page.
fn look_at(chromium: &Chromium, picture: &str, name: &str) {
    keep_picture(chromium, picture);
    if name == WITH_JAVASCRIPT {
        assert_eq!(chromium.barriers(), Vec::<String>::new(), "{picture}");
    }
}

/// Gives what a second look asks for, and does it.
fn confirm(chromium: &Chromium, code: &str) {
    chromium.fill("#present_password", PASSWORD);
    chromium.fill("#present_code", code);
    chromium.click("button.danger");
}

#[test]
fn a_person_changes_settings_sees_what_is_wrong_and_lets_a_port_go_back() {
    let panel = Panel::new();
    with_and_without_javascript(&panel, |chromium, codes, name| {
        chromium.click("nav a[href='/configuration/events']");
        chromium.await_path("/configuration/events");
        chromium.refill("#proxy_event_seconds", "none");
        chromium.click("button.main");
        assert!(
            chromium.text("#proxy_event_seconds-error").contains("a whole number from 1 to 3600 seconds")
        );
        look_at(chromium, &format!("wrong-{name}"), name);
        chromium.refill("#proxy_event_seconds", "31");
        chromium.click("button.main");
        chromium.await_path("/configuration/events?done=saved");
        assert!(chromium.text(".notice.good").contains("Saved."));

        chromium.open("/configuration/tcp-ip");
        chromium.refill("#tcp_port_tls", "6620");
        chromium.click("main form.card button.main");
        assert!(chromium.text("ul.lines").contains("config tcp_port_tls"));
        look_at(chromium, &format!("second-look-{name}"), name);
        confirm(chromium, &codes[0]);
        await_that("the page that keeps it", || chromium.path().starts_with("/rollback/"));
        look_at(chromium, &format!("rollback-{name}"), name);
        let now = || panel.site.ok(&["config", "get", "tcp_port_tls"]).trim().to_owned();
        assert_eq!(now(), "6620");
        panel.site.sql("UPDATE os4x_rollbacks SET due = 0");
        await_that("the old port", || now() == "6619");
        chromium.open("/audit");
        assert!(chromium.text("main table").contains("audit revert"));
        panel.site.ok(&["config", "set", "proxy_event_seconds", "60"]);
    });
}

#[test]
fn a_person_takes_an_act_back() {
    let panel = Panel::new();
    panel.site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    with_and_without_javascript(&panel, |chromium, codes, name| {
        panel.site.ok(&["partner", "set", "ACME", "--host", "acme.example"]);
        let number = panel.site.json(&["audit", "list", "--limit", "1"])[0]["number"].to_string();
        chromium.open(&format!("/audit/{number}"));
        chromium.click("main .acts button");
        assert!(chromium.text("ul.lines").contains("acme.example"));
        keep_picture(chromium, &format!("revert-{name}"));
        confirm(chromium, &codes[0]);
        chromium.await_path(&format!("/audit/{number}?done=reverted"));
        assert!(panel.site.json(&["partner", "list"])[0]["host"].is_null());
    });
}

#[test]
fn a_person_adds_a_partner_by_its_certificate() {
    let panel = Panel::new();
    let file = panel.site.dir.write("acme.pem", &Identity::ca("Acme Parts").pem());
    with_and_without_javascript(&panel, |chromium, codes, name| {
        chromium.click("nav a[href='/partners']");
        chromium.click("main a.button");
        chromium.await_path("/partner-add");
        chromium.fill("#file", &file);
        chromium.click("main form.card button.main");
        assert!(chromium.text("main dl.facts").contains("CN=Acme Parts"));
        look_at(chromium, &format!("partner-found-{name}"), name);
        chromium.refill("#short_name", name);
        chromium.refill("#ssid", "O0013 BAD'");
        confirm_in_form(chromium, &codes[0]);
        assert!(!chromium.text("#ssid-error").is_empty());
        chromium.refill("#ssid", &format!("O0013{}", name.to_uppercase()));
        confirm_in_form(chromium, &codes[0]);
        chromium.await_path(&format!("/partners/{name}?done=added"));
        assert!(chromium.text("main").contains("Certificate check"));
        look_at(chromium, &format!("partner-{name}"), name);
    });
    assert_eq!(panel.site.json(&["partner", "list"]).as_array().unwrap().len(), 2);
}

/// Gives password and code in the form that asks for them.
fn confirm_in_form(chromium: &Chromium, code: &str) {
    chromium.refill("#present_password", PASSWORD);
    chromium.refill("#present_code", code);
    chromium.click("main form.card button.main");
}

#[test]
fn a_person_selects_partners_issues_a_licence_and_tests_the_event_script() {
    let panel = Panel::new();
    let site = &panel.site;
    for name in ["A", "B"] {
        site.ok(&["partner", "add", name, "--ssid", &format!("O0013{name}")]);
    }
    site.ok(&["proxy", "add", &pki::proxy_id(), "--name", "dmz"]);
    site.ok(&["ban", "add", "203.0.113.0/24"]);
    site.ok(&["config", "set", "proxy_event_script", "/bin/echo"]);
    with_and_without_javascript(&panel, |chromium, codes, name| {
        chromium.open("/partners");
        chromium.click("td.select input[value='A']");
        chromium.click("#selection button[value='no']");
        assert!(chromium.text("ul.lines").contains("partner A"));
        look_at(chromium, &format!("selection-{name}"), name);
        chromium.click("button.danger");
        chromium.await_path("/partners?done=saved");
        let enabled = |at: usize| site.json(&["partner", "list"])[at]["enabled"].clone();
        assert_eq!((enabled(0), enabled(1)), (json!(false), json!(true)));
        site.ok(&["partner", "set", "A", "--enabled", "yes"]);

        chromium.open("/configuration/proxy");
        look_at(chromium, &format!("proxy-{name}"), name);
        chromium.click("form[action='/configuration/proxy/licences'] button");
        look_at(chromium, &format!("licence-form-{name}"), name);
        confirm(chromium, &codes[0]);
        assert!(chromium.text("pre").contains("BEGIN CERTIFICATE"));
        look_at(chromium, &format!("licence-{name}"), name);

        chromium.open("/configuration/events");
        chromium.click("form[action='/configuration/events/test'] button");
        assert!(chromium.text("pre").contains("This is a test of the event script"));
        look_at(chromium, &format!("event-test-{name}"), name);
    });
}

#[test]
fn a_person_ends_a_session() {
    let panel = Panel::new();
    panel.site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let client = panel.site.client(&panel.serve);
    let id = pki::proxy_id();
    panel.site.ok(&["proxy", "add", &id]);
    daemons_tell(&panel.site, &client, &id);
    with_and_without_javascript(&panel, |chromium, _, name| {
        client.ok(&json!({"function": "proxy_session", "events": [{"event": "begin", "session": name, "direction":
            "incoming", "pid": 1, "time": pki::now(), "address": "192.0.2.9:1", "partner": "ACME", "ssid": "O0013ACME",
            "subject": ""}]}));
        chromium.open(&format!("/sessions/{name}"));
        chromium.click("main .acts button");
        chromium.click("button.danger");
        chromium.await_path(&format!("/sessions/{name}?done=ordered"));
        let ordered = &panel.site.json(&["audit", "list", "--act", "session end", "--limit", "1"])[0];
        assert_eq!(ordered["new"][format!("session {name}")]["end"], "ordered", "{ordered}");
    });
}
