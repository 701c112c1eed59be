//! What the pages of the configuration do besides changing settings: licences, bans, texts to ignore, the end of the
//! log file, and a test of the event script.

use crate::panel::{Panel, check_headers};
use crate::panel_pages::{keep_busy, with_role};
use common::text::clock;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

#[test]
fn the_licence_in_force_is_shown_and_renewed() {
    let panel = Panel::new();
    keep_busy(&panel);
    let mut browser = panel.signed_in(0);
    let page = browser.get("/configuration/proxy").body;
    // One server has reported its licence, the other one has never been joined.
    assert!(page.contains(">Renew licence<") && page.contains(">Issue licence<"), "{page}");
    let status = panel.site.json(&["status"]);
    let ends = status["daemons"].as_array().unwrap().iter().find_map(|one| {
        let state = (one["daemon"] == "server").then(|| &one["state"])?;
        state["licence_ends"].as_i64()
    });
    let ends = clock::rfc3339(ends.unwrap()).replace('T', " ");
    assert!(page.contains(&format!(">{ends}<")), "{ends}: {page}");
}

#[test]
fn a_ban_is_shown_and_lifted() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut browser = panel.signed_in(0);
    assert!(browser.get("/configuration/proxy").body.contains("No network is banned."));
    site.ok(&["ban", "add", "203.0.113.0/24", "--description", "a scanner"]);
    let page = browser.get("/configuration/proxy").body;
    assert!(page.contains("203.0.113.0/24") && page.contains("a scanner"), "{page}");
    let path = "/configuration/proxy/bans/remove";
    let asked = browser.post_signed(path, &[("network", "203.0.113.0/24")]);
    assert!(asked.status == 200 && asked.body.contains("- ban 203.0.113.0/24"), "{asked:?}");
    let lifted = browser.post_signed(path, &[("network", "203.0.113.0/24"), ("confirmed", "yes")]);
    assert_eq!((lifted.status, site.json(&["ban", "list"])), (303, json!([])));
    let mut browser = with_role(&panel, "operator");
    assert_eq!(browser.post_signed(path, &[("network", "203.0.113.0/24")]).status, 403);
}

#[test]
fn a_ban_is_added_after_a_look_at_whom_it_hits_and_taken_back() {
    let panel = Panel::new();
    keep_busy(&panel);
    let site = &panel.site;
    site.ok(&["partner", "set", "ACME", "--network", "198.51.100.16/28"]);
    let mut browser = panel.signed_in(0);
    let path = "/configuration/proxy/bans";
    for (network, until, said) in [
        ("198.51.100.9/24", "", "198.51.100.0/24"),
        ("0.0.0.0/0", "", "A ban cannot contain all addresses."),
        ("198.51.100.0/24", "2001-01-01", "The date must be in the future."),
    ] {
        let again = browser.post_signed(path, &[("network", network), ("until", until)]);
        assert!(again.status == 422 && again.body.contains(said), "{network}: {again:?}");
    }
    let nobody = browser.post_signed(path, &[("network", "233.252.0.0/24")]);
    assert!(nobody.body.contains("No known partner calls from this network."), "{nobody:?}");
    let fields = [("network", "198.51.100.0/24"), ("until", "2100-01-01"), ("description", "a scanner")];
    let asked = browser.post_signed(path, &fields);
    assert!(asked.status == 200 && asked.body.contains("are refused from there: ACME."), "{asked:?}");
    assert_eq!(site.json(&["ban", "list"]), json!([]));
    let added = browser.post_signed(path, &[&fields[..], &[("confirmed", "yes")]].concat());
    assert_eq!(added.status, 303, "{added:?}");
    let bans = site.json(&["ban", "list"]);
    assert_eq!(
        (&bans[0]["network"], &bans[0]["description"]),
        (&json!("198.51.100.0/24"), &json!("a scanner"))
    );
    let row = site.json(&["audit", "list", "--limit", "1"])[0].clone();
    assert_eq!((&row["act"], &row["way"]), (&json!("ban add"), &json!("panel")), "{row}");
    let mut operator = with_role(&panel, "operator");
    assert_eq!(operator.post_signed(path, &fields).status, 403);
    assert!(!operator.get("/configuration/proxy").body.contains("Ban a network"));
}

#[test]
fn an_entry_of_the_log_leads_to_the_form_that_ignores_such_entries_which_shows_its_effect_first() {
    let panel = Panel::new();
    keep_busy(&panel);
    let mut browser = with_role(&panel, "operator");
    let log = browser.get("/log").body;
    let (_, rest) =
        log.split_once("href=\"/configuration/proxy?ignore_text=").unwrap_or_else(|| panic!("{log}"));
    let query = rest.split_once('"').unwrap().0.replace("&#38;", "&");
    // The words of the daemon, and nothing of a peer.
    assert_eq!(query, "a+partner+was+refused&ignore_reason=#ignore-add");
    let form = browser.get("/configuration/proxy?ignore_text=a+partner+was+refused&ignore_reason=").body;
    assert!(form.contains("value=\"a partner was refused\""), "{form}");
    let fields = [("text", "a partner was refused"), ("until", "2100-01-01")];
    let add = "/configuration/proxy/ignores";
    let asked = browser.post_signed(add, &fields);
    assert!(asked.status == 200 && asked.body.contains("would have been ignored: 1 of 1."), "{asked:?}");
    assert_eq!(panel.site.json(&["ignore", "list"]), json!([]));
    let added = browser.post_signed(add, &[&fields[..], &[("confirmed", "yes")]].concat());
    assert_eq!(added.header("location"), Some("/configuration/proxy?done=added"), "{added:?}");
    assert_eq!(panel.site.json(&["ignore", "list"])[0]["text"], "a partner was refused");
    assert!(!with_role(&panel, "auditor").get("/log").body.contains("ignore_text"));
    assert!(!browser.get("/log.csv").body.contains("Ignore entries"));
}

#[test]
fn the_last_lines_of_the_log_file_are_shown_to_those_who_may_read_everything() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let path = "/configuration/logging";
    assert!(browser.get(path).body.contains("journalctl -u os4xapi"));
    let file = panel.site.dir.path("api.log");
    std::fs::write(&file, "20261129 first line <script>\n").unwrap();
    panel.site.ok(&["config", "set", "api_log_file", file.to_str().unwrap()]);
    let page = browser.get(path).body;
    assert!(page.contains("first line &#60;script&#62;"), "{page}");
    assert!(with_role(&panel, "auditor").get(path).body.contains("first line"));
    assert!(!with_role(&panel, "operator").get(path).body.contains("first line"));
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    assert!(browser.get(path).body.contains("The log file cannot be read:"));
}

/// A shell script that is the event script from now on.
fn script(panel: &Panel, body: &str) {
    let path = panel.site.dir.write("event.sh", &format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    panel.site.ok(&["config", "set", "proxy_event_script", &path]);
}

#[test]
fn a_test_event_shows_how_the_script_ended_and_the_beginning_of_its_output() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let path = "/configuration/events/test";
    assert!(!browser.get("/configuration/events").body.contains("Send test event"));
    assert_eq!(browser.post_signed(path, &[]).status, 409);
    script(&panel, "echo \"level=$1 origin=$3\"; echo '<oops>' >&2; exit 3");
    assert!(browser.get("/configuration/events").body.contains("Send test event"));
    let done = browser.post_signed(path, &[]);
    assert_eq!(done.status, 200, "{done:?}");
    check_headers(&done);
    for part in ["level=INFO origin=api", "&#60;oops&#62;", "exit status: 3", " ms</dd>"] {
        assert!(done.body.contains(part), "{part}: {done:?}");
    }
    // More than is shown does not stop it, nor does a process that it leaves behind with its output.
    script(&panel, "setsid sleep 20 & head -c 300000 /dev/zero | tr '\\0' x");
    let done = browser.post_signed(path, &[]);
    let shown = done.body.matches("xxxx").count() * 4;
    assert!(done.body.contains("successful") && (1..=2_048).contains(&shown), "{shown}: {}", done.body.len());
    let row = &panel.site.json(&["audit", "list", "--act", "event test", "--limit", "1"])[0];
    assert_eq!(row["actor"], "anna");
    let mut browser = with_role(&panel, "operator");
    assert_eq!(browser.post_signed(path, &[]).status, 403);
}
