//! Partners in the panel: added by their certificate, of which is shown what is in it, changed, pinned, let in or not,
//! called for a test, and removed; and sessions that are ended.

use crate::browser::Browser;
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::{keep_busy, with_role};
use crate::pki::{Identity, proxy_id};
use crate::states::daemons_tell;
use serde_json::{Value, json};

/// The fields of a partner as its form has them.
fn members<'a>(ssid: &'a str, certificate: &'a str, host: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("ssid", ssid),
        ("certificate", certificate),
        ("usage", ""),
        ("host", host),
        ("port", ""),
        ("tls", "yes"),
        ("outgoing-ip", ""),
        ("check-ssid", "yes"),
        ("profile", "tolerant"),
        ("allow", ""),
        ("legacy-suites", ""),
        ("max-file-size", "2M"),
        ("file-names", "A*\r\n\r\nB?"),
        ("network", "192.0.2.0/24, 203.0.113.9"),
    ]
}

#[test]
fn a_partner_is_added_by_its_certificate_after_a_look_at_it() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let identity = Identity::ca("Acme Parts");
    assert!(browser.get("/partners").body.contains("href=\"/partner-add\""));
    check_headers(&browser.get("/partner-add"));
    // What is no certificate is told beside the field, with what to do.
    for (content, why) in
        [("", "Choose a file"), ("junk", "something unknown"), (&identity.key_pem(), "a private key")]
    {
        let path = if content.is_empty() { "/partners/NONE/pins" } else { "/partner-add" };
        let reply = browser.upload(path, &[], ("f.pem", content));
        if content.is_empty() {
            assert_eq!(reply.status, 404);
            continue;
        }
        assert!(reply.status == 422 && reply.body.contains("id=\"file-error\""), "{reply:?}");
        assert!(reply.body.contains(why), "{why}: {}", reply.body);
    }
    let shown = browser.upload("/partner-add", &[], ("acme.pem", &identity.pem()));
    assert_eq!(shown.status, 200);
    check_headers(&shown);
    for part in [
        "CN=Acme Parts",
        "value=\"Acme-Parts\"",
        "SHA-256",
        "Client authentication (clientAuth)",
        "value=\"pinned\" selected",
    ] {
        assert!(shown.body.contains(part), "{part}: {}", shown.body);
    }
    assert_eq!(panel.site.json(&["partner", "list"]), json!([]), "nothing is kept yet");

    let found = Browser::hidden(&shown.body, "found");
    let mut fields = members("", "pinned", "acme.example");
    fields.extend([("found", found.as_str()), ("short_name", "-bad")]);
    let wrong = browser.post_proven("/partner-add/keep", &fields, ("", PASSWORD, panel.code(1)));
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("id=\"short_name-error\"") && wrong.body.contains("id=\"ssid-error\""));
    assert!(wrong.body.contains("value=\"acme.example\""), "nothing is lost");
    for (network, why) in [
        (
            "192.0.2.9/24",
            "192.0.2.9/24 has host bits. The network is: 192.0.2.0/24. This host alone is: 192.0.2.9.",
        ),
        ("192.0.2.1 0.0.0.0/0", "0.0.0.0/0: This value is not allowed."),
    ] {
        let mut fields = members("O0013ACME", "pinned", "acme.example");
        fields.retain(|(name, _)| *name != "network");
        fields.extend([("network", network), ("found", found.as_str()), ("short_name", "ACME")]);
        let wrong = browser.post_proven("/partner-add/keep", &fields, ("", PASSWORD, panel.code(1)));
        assert!(wrong.status == 422 && wrong.body.contains("id=\"network-error\""), "{wrong:?}");
        assert!(wrong.body.contains(why), "{why}: {}", wrong.body);
    }
    let mut fields = members("O0013ACME", "pinned", "acme.example");
    fields.extend([("found", found.as_str()), ("short_name", "ACME")]);
    let done = browser.post_proven("/partner-add/keep", &fields, ("", PASSWORD, panel.code(1)));
    assert_eq!(done.header("location"), Some("/partners/ACME?done=added"), "{done:?}");
    let partner = &panel.site.json(&["partner", "list"])[0];
    assert_eq!(partner["files"], json!({"max_size": 2048, "names": ["A*", "B?"]}));
    assert_eq!(partner["networks"], json!(["192.0.2.0/24", "203.0.113.9/32"]));
    assert_eq!((&partner["port"], partner["pins"].as_array().unwrap().len()), (&json!(6619), 1));
    let row = &panel.site.json(&["audit", "list", "--act", "partner add"])[0];
    assert_eq!((&row["actor"], &row["way"]), (&json!("anna"), &json!("panel")));

    // Its page says how it would fare; the same name is not taken twice.
    let page = browser.get("/partners/ACME").body;
    assert!(page.contains("Certificate check") && page.contains("Acme Parts"), "{page}");
    let again = browser.post_proven("/partner-add/keep", &fields, ("", "", ""));
    assert!(again.status == 422 && again.body.contains("A partner with this short name exists already."));
    let mut large = "-----BEGIN CERTIFICATE-----\n".to_owned();
    large.push_str(&"A".repeat(1_300_000));
    assert_eq!(browser.upload("/partner-add", &[], ("f", &large)).status, 413);
    // Its page warns of what the command warns of.
    panel.site.ok(&["ban", "add", "192.0.2.0/25"]);
    let page = browser.get("/partners/ACME").body;
    assert!(
        page.contains("192.0.2.0/25 is banned, so this partner is accepted from there only after"),
        "{page}"
    );
}

#[test]
fn a_partner_is_changed_pinned_and_removed() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let site = &panel.site;
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    site.ok(&["partner", "add", "BETA", "--ssid", "O0013BETA"]);
    let path = "/partners/ACME";
    let wrong = browser.post_signed(path, &[("host", "not a host"), ("port", "x"), ("network", "0.0.0.0/0")]);
    assert_eq!(wrong.status, 422);
    for field in ["host", "port", "network"] {
        assert!(wrong.body.contains(&format!("id=\"{field}-error\"")), "{field}: {}", wrong.body);
    }
    let refused = browser.post_signed(path, &[("ssid", "O0013BETA")]);
    assert!(
        refused.status == 422 && refused.body.contains("belongs to partner &#39;BETA&#39; already"),
        "{refused:?}"
    );
    assert_eq!(browser.post_signed(path, &members("O0013ACME", "odette-id", "acme.example")).status, 303);
    assert_eq!(site.json(&["partner", "list"])[0]["host"], "acme.example");
    // Who may speak for it is looked at twice.
    let any = members("O0013ACME", "any", "acme.example");
    let asked = browser.post_signed(path, &any);
    assert!(asked.status == 200 && asked.body.contains("every holder of a trusted certificate"), "{asked:?}");
    assert_eq!(browser.post_proven(path, &any, ("", PASSWORD, panel.code(1))).status, 303);
    assert_eq!(site.json(&["partner", "list"])[0]["certificate"], "any");

    let pin = Identity::ca("Pin");
    let shown = browser.upload("/partners/ACME/pins", &[], ("p.pem", &pin.pem()));
    assert!(shown.status == 200 && shown.body.contains("CN=Pin"), "{shown:?}");
    let found = Browser::hidden(&shown.body, "found");
    let keep = [("found", found.as_str()), ("how", "beside"), ("confirmed", "yes")];
    assert_eq!(browser.post_signed("/partners/ACME/pins/keep", &keep).status, 303);
    let partner = || site.json(&["partner", "list"])[0].clone();
    assert_eq!(
        (&partner()["certificate"], partner()["pins"].as_array().unwrap().len()),
        (&json!("pinned"), 1)
    );
    let print = Browser::hidden(&browser.get(path).body, "sha256");
    let remove = [("sha256", print.as_str()), ("confirmed", "yes")];
    // The rule needs one.
    let refused = browser.post_signed("/partners/ACME/pins/remove", &remove);
    assert!(refused.status == 422 && refused.body.contains("no certificate is pinned"), "{refused:?}");
    site.ok(&["partner", "set", "ACME", "--certificate", "odette-id"]);
    assert_eq!(browser.post_signed("/partners/ACME/pins/remove", &remove).status, 303);
    assert_eq!(partner()["pins"], json!([]));

    let enabled = |browser: &mut Browser, yes: &str, confirmed: &str| {
        browser.post_signed("/partners/ACME/enabled", &[("enabled", yes), ("confirmed", confirmed)]).status
    };
    assert_eq!((enabled(&mut browser, "no", ""), &partner()["enabled"]), (200, &json!(true)));
    assert_eq!((enabled(&mut browser, "no", "yes"), &partner()["enabled"]), (303, &json!(false)));
    assert_eq!((enabled(&mut browser, "yes", ""), &partner()["enabled"]), (303, &json!(true)));

    site.ok(&["proxyclient", "add", "10.0.0.1", "--partner", "ACME", "--port", "7000"]);
    let asked = browser.post_signed("/partners/ACME/remove", &[]);
    assert!(asked.status == 200 && asked.body.contains("- proxyclient 10.0.0.1 ACME"), "{asked:?}");
    assert_eq!(browser.post_proven("/partners/ACME/remove", &[], ("acme", "", "")).status, 422);
    let gone = browser.post_proven("/partners/ACME/remove", &[], ("ACME", "", ""));
    assert_eq!(gone.header("location"), Some("/partners?done=removed"));
    assert_eq!(site.json(&["partner", "list"]).as_array().unwrap().len(), 1);
    assert_eq!(browser.get(path).status, 404);
}

#[test]
fn a_partner_is_called_and_a_session_is_ended_by_a_client() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let site = &panel.site;
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--host", "192.0.2.1"]);
    // Nobody is there to do it: the reason is shown, with a link back to the partner.
    let refused = browser.post_signed("/partners/ACME/test", &[]);
    assert!(refused.status == 409 && refused.body.contains("No client has called"), "{refused:?}");
    assert!(refused.body.contains("href=\"/partners/ACME\""), "{refused:?}");
    let client = site.client(&panel.serve);
    let id = proxy_id();
    site.ok(&["proxy", "add", &id]);
    daemons_tell(site, &client, &id);
    let generation = client.generation();
    let wait = || -> Value {
        client.ok(
            &json!({"function": "proxy_wait", "client_name": "new", "generation": generation, "seconds": 10,
            "acts": ["end-session", "test-partner"]}),
        )["acts"][0]
            .clone()
    };
    client
        .ok(&json!({"function": "proxy_wait", "client_name": "new", "generation": generation, "seconds": 1,
        "acts": ["end-session", "test-partner"]}));
    let ordered = browser.post_signed("/partners/ACME/test", &[]);
    let at = ordered.header("location").unwrap().to_owned();
    assert!(at.starts_with("/partners/ACME/tests/"), "{ordered:?}");
    assert!(browser.get(&at).body.contains("waiting for a client"));
    let act = wait();
    assert_eq!(act["act"], "test-partner", "{act}");
    client.ok(
        &json!({"function": "proxy_act_done", "client_name": "new", "number": act["number"], "done": true,
        "text": "done", "steps": [{"step": "name", "good": true, "ms": 1, "text": "192.0.2.1"},
        {"step": "tcp", "good": false, "ms": 2, "reason": "partner-down", "text": "<refused>"}]}),
    );
    let page = browser.get(&at).body;
    assert!(page.contains("partner-down") && page.contains("&#60;refused&#62;"), "{page}");

    let began = crate::pki::now();
    client.ok(&json!({"function": "proxy_session", "client_name": "new", "events": [{"event": "begin", "session":
        "run-1", "direction": "incoming", "pid": 1, "time": began, "address": "192.0.2.9:1", "partner": "ACME",
        "ssid": "O0013ACME", "subject": ""}]}));
    assert!(browser.get("/sessions/run-1").body.contains("/sessions/run-1/end"));
    assert_eq!(browser.post_signed("/sessions/run-1/end", &[]).status, 200);
    let ended = browser.post_signed("/sessions/run-1/end", &[("confirmed", "yes")]);
    assert_eq!(ended.header("location"), Some("/sessions/run-1?done=ordered"), "{ended:?}");
    let act = wait();
    assert_eq!((&act["act"], &act["session"]), (&json!("end-session"), &json!("run-1")), "{act}");
    assert_eq!(act["administrator"], "anna");
}

#[test]
fn the_page_of_a_partner_shows_its_last_sessions_and_refusals_and_logs_more_for_an_hour() {
    let panel = Panel::new();
    keep_busy(&panel);
    let site = &panel.site;
    site.ok(&["partner", "add", "NEW", "--ssid", "O0099NEW"]);
    let mut browser = with_role(&panel, "operator");
    let page = browser.get("/partners/BETA").body;
    assert!(page.contains("href=\"/sessions/ended-1\"") && !page.contains("running-2"), "{page}");
    assert!(browser.get("/partners/ACME").body.contains("No refusals were found."));
    // It was refused before it was listed: by its SSIDCODE.
    let page = browser.get("/partners/NEW").body;
    assert!(page.contains("unknown-partner") && page.contains("203.0.113.7"), "{page}");

    let debug =
        |browser: &mut Browser, yes: &str| browser.post_signed("/partners/ACME/debug", &[("debug", yes)]);
    assert_eq!(debug(&mut browser, "yes").header("location"), Some("/partners/ACME?done=saved"));
    let debugged = &site.json(&["partner", "debug"])[0];
    let seconds = debugged["seconds"].as_i64().unwrap();
    assert!(debugged["partner"] == "ACME" && (3_500..=3_600).contains(&seconds), "{debugged}");
    let page = browser.get("/partners/ACME").body;
    assert!(
        page.contains("Detailed logging (DEBUG) until") && page.contains("End detailed logging"),
        "{page}"
    );
    assert_eq!(debug(&mut browser, "no").status, 303);
    assert_eq!(site.json(&["partner", "debug"]), json!([]));
    assert_eq!(debug(&mut browser, "no").status, 409);
    let row = &site.json(&["audit", "list", "--act", "partner debug", "--limit", "1"])[0];
    assert_eq!((&row["actor"], &row["new"]["debug ACME"]), (&json!("operator"), &json!("ended early")));
}

#[test]
fn several_partners_are_disabled_and_enabled_together() {
    let panel = Panel::new();
    let site = &panel.site;
    for name in ["A", "B", "C"] {
        site.ok(&["partner", "add", name, "--ssid", &format!("O0013{name}")]);
    }
    let mut browser = with_role(&panel, "operator");
    let page = browser.get("/partners").body;
    assert!(page.contains("form=\"selection\" name=\"partner\" value=\"A\""), "{page}");
    assert!(!browser.get("/partners.csv").body.contains("Select"));
    let enabled = || -> Vec<bool> {
        let all = site.json(&["partner", "list"]);
        all.as_array().unwrap().iter().map(|one| one["enabled"].as_bool().unwrap()).collect()
    };
    let two = [("partner", "A"), ("partner", "C"), ("enabled", "no")];
    let asked = browser.post_signed("/partners-enabled", &two);
    assert!(asked.status == 200 && asked.body.contains("Disable: A, C"), "{asked:?}");
    for part in ["partner A", "partner C", "name=\"partner\" value=\"C\""] {
        assert!(asked.body.contains(part), "{part}: {asked:?}");
    }
    assert_eq!(enabled(), [true, true, true]);
    let confirmed = |fields: &[(&'static str, &'static str)]| [fields, &[("confirmed", "yes")]].concat();
    assert_eq!(browser.post_signed("/partners-enabled", &confirmed(&two)).status, 303);
    assert_eq!(enabled(), [false, true, false]);
    // All of them or none.
    let unknown = confirmed(&[("partner", "A"), ("partner", "X"), ("enabled", "yes")]);
    assert_eq!(browser.post_signed("/partners-enabled", &unknown).status, 409);
    assert_eq!(browser.post_signed("/partners-enabled", &[("enabled", "yes")]).status, 409);
    assert_eq!(enabled(), [false, true, false]);
    let rows = site.json(&["audit", "list", "--act", "partner set"]);
    assert_eq!(rows.as_array().unwrap().len(), 1, "one act: {rows}");
    let mut browser = with_role(&panel, "auditor");
    assert!(!browser.get("/partners").body.contains("form=\"selection\""));
    assert_eq!(browser.post_signed("/partners-enabled", &confirmed(&two)).status, 403);
}

#[test]
fn an_operator_does_with_partners_what_daily_work_needs_alone() {
    let panel = Panel::new();
    panel.site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let mut browser = with_role(&panel, "operator");
    let page = browser.get("/partners/ACME").body;
    assert!(page.contains("name=\"host\"") && !page.contains("name=\"certificate\""), "{page}");
    let given = members("O0013OTHER", "any", "acme.example");
    assert_eq!(browser.post_signed("/partners/ACME", &given).status, 303);
    let partner = &panel.site.json(&["partner", "list"])[0];
    assert_eq!((&partner["host"], &partner["ssid"]), (&json!("acme.example"), &json!("O0013ACME")));
    assert_eq!(partner["certificate"], "odette-id");
    for path in ["/partners/ACME/remove", "/partners/ACME/pins/remove", "/partner-add/keep"] {
        assert_eq!(browser.post_signed(path, &[]).status, 403, "{path}");
    }
    assert_eq!(browser.upload("/partner-add", &[], ("f", "x")).status, 403);
    let mut browser = with_role(&panel, "auditor");
    for path in ["/partners/ACME", "/partners/ACME/enabled", "/partners/ACME/test", "/sessions/x/end"] {
        assert_eq!(browser.post_signed(path, &[("enabled", "no")]).status, 403, "{path}");
    }
    assert!(!browser.get("/partners/ACME").body.contains("<form method=\"post\" action=\"/partners"));
}
