//! `/api/v1`: who may do what with which key, and that its documents and acts are those of the commands.

use crate::browser::{Browser, Reply};
use crate::keys::{document, key, program, refused};
use crate::panel::Panel;
use crate::panel_pages::keep_busy;
use crate::pki::Identity;
use crate::site::Site;
use serde_json::{Value, json};

/// All scopes.
pub(crate) const EVERYTHING: &str = "read,partners,trust,settings,sessions,revert,metrics,calendar";

/// A program that may do everything, with the name `robot`.
pub(crate) fn robot(panel: &Panel) -> Browser {
    program(&panel.site, &panel.serve, &key(&panel.site, "robot", "administrator", EVERYTHING))
}

fn get(program: &mut Browser, path: &str) -> Value {
    let reply = program.get(&format!("/api/v1{path}"));
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    document(&reply)
}

pub(crate) fn send(program: &mut Browser, method: &str, path: &str, body: &Value) -> Reply {
    program.request(method, &format!("/api/v1{path}"), body)
}

/// A refusal that names a field.
pub(crate) fn refused_field(reply: &Reply, status: u16, field: &str, words: &str) {
    refused(reply, status, words);
    assert_eq!(document(reply)["field"], field, "{reply:?}");
}

/// The newest row of the audit is an act of the robot.
pub(crate) fn is_act(site: &Site, act: &str) -> Value {
    let row = site.json(&["audit", "list", "--limit", "1"])[0].clone();
    let facts =
        ["act", "actor", "role", "way", "address"].map(|member| row[member].as_str().unwrap_or_default());
    assert_eq!(facts, [act, "robot", "administrator", "api", "127.0.0.1"], "{row}");
    row
}

#[test]
fn each_path_needs_a_key_with_its_scope_and_role() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut nobody = panel.browser();
    let description = document_of(&nobody.get("/api/v1/openapi.json"));
    let without = |scope: &str| {
        let others: Vec<&str> = EVERYTHING.split(',').filter(|other| *other != scope).collect();
        program(site, &panel.serve, &key(site, &format!("no-{scope}"), "administrator", &others.join(",")))
    };
    let mut unscoped: Vec<(String, Browser)> =
        ["read", "partners", "trust", "settings", "sessions", "revert"]
            .iter()
            .map(|scope| ((*scope).to_owned(), without(scope)))
            .collect();
    let mut lesser = [
        ("operator", program(site, &panel.serve, &key(site, "low", "auditor", EVERYTHING))),
        ("administrator", program(site, &panel.serve, &key(site, "middle", "operator", EVERYTHING))),
    ];
    let mut count = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| *name != "parameters")
        {
            let Some(scope) = operation["x-scope"].as_str() else {
                assert_eq!(path, "/openapi.json");
                continue;
            };
            count += 1;
            let path = path
                .replace("{number}", "1")
                .replace("{sha256}", "ab")
                .replace("{id}", "x")
                .replace("{name}", "x");
            let body =
                if path.contains("pins") || path == "/trusted" { json!({"pem": ""}) } else { json!({}) };
            let method = method.to_uppercase();
            refused(&send(&mut nobody, &method, &path, &body), 401, "no key");
            let (_, other) = unscoped.iter_mut().find(|(name, _)| name == scope).unwrap();
            refused(&send(other, &method, &path, &body), 403, &format!("the scope '{scope}'"));
            for (_, program) in lesser.iter_mut().filter(|(role, _)| operation["x-role"] == *role) {
                refused(&send(program, &method, &path, &body), 403, "which may not do that");
            }
        }
    }
    assert!(count > 25, "{count}");
    let (_, operator) = &mut lesser[1];
    refused(&operator.get("/api/v1/audit"), 403, "operator");
    assert_eq!(site.json(&["audit", "list", "--act", "partner"]), json!([]));
}

/// The description is public; nothing else has to be.
fn document_of(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{reply:?}");
    serde_json::from_str(&reply.body).unwrap()
}

#[test]
fn the_documents_are_those_of_the_commands() {
    let panel = Panel::new();
    keep_busy(&panel);
    let site = &panel.site;
    let mut robot = robot(&panel);
    let ca = site.dir.write("ca.pem", &Identity::ca("Rest CA").pem());
    site.ok(&["trust", "add", &ca]);
    site.ok(&["crl", "add", &site.dir.write("ca.crl", &Identity::ca("Other CA").crl(60))]);
    site.ok(&["proxyclient", "add", "192.0.2.7"]);
    for (path, words) in [
        ("/partners", &["partner", "list"][..]),
        ("/partners/ACME", &["partner", "show", "ACME"]),
        ("/trusted", &["trust", "list"]),
        ("/crls", &["crl", "list"]),
        ("/settings", &["config", "list"]),
        ("/proxies", &["proxy", "list"]),
        ("/clients", &["proxyclient", "list"]),
        ("/audit", &["audit", "list"]),
        ("/audit/1", &["audit", "show", "1"]),
        ("/expiry?days=3650", &["expiry", "--days", "3650"]),
        ("/refusals?limit=7", &["refused", "--limit", "7"]),
    ] {
        let (told, said) = (get(&mut robot, path), site.json(words));
        assert!(said.as_array().is_none_or(|rows| !rows.is_empty()), "{path}");
        assert_eq!(told, said, "{path}");
    }
    assert_eq!(get(&mut robot, "/findings"), site.json(&["status"])["findings"]);

    let ids = |page: &Value| -> Vec<String> {
        let rows = page["rows"].as_array().unwrap().iter();
        rows.map(|row| row["session"].as_str().unwrap_or_default().to_owned()).collect()
    };
    let all = ids(&get(&mut robot, "/sessions"));
    let (mut seen, mut behind) = (Vec::new(), String::new());
    loop {
        let page = get(&mut robot, &format!("/sessions?limit=1&behind={behind}"));
        seen.extend(ids(&page));
        let Some(next) = page["behind"].as_str() else { break };
        next.clone_into(&mut behind);
    }
    assert!(seen == all && all.len() == 3, "{seen:?} {all:?}");
    assert_eq!(ids(&get(&mut robot, "/sessions?state=ended&partner=BETA")), ["ended-1"]);
    assert_eq!(get(&mut robot, "/sessions/ended-1")["transfers"][0]["name"], "ORDER");
    assert_eq!(get(&mut robot, "/log?level=ERROR&text=refused")["rows"][0]["text"], "a partner was refused");
    assert_eq!(get(&mut robot, "/log?partner=NOBODY")["rows"], json!([]));
    refused_field(&robot.get("/api/v1/sessions?partnr=x"), 400, "partnr", "no filter 'partnr'");
    refused_field(&robot.get("/api/v1/log?since=yesterday"), 400, "since", "cannot be 'yesterday'");
    refused_field(&robot.get("/api/v1/refusals?hours=x"), 400, "hours", "cannot be 'x'");
    refused_field(&robot.get("/api/v1/sessions?behind=x"), 400, "behind", "cannot be 'x'");
    refused(&robot.get("/api/v1/partners/%ff"), 400, "cannot be read");
    for path in ["/sessions/none", "/partners/none", "/partners/ACME/tests/x", "/audit/999", "/audit/x"] {
        refused(&robot.get(&format!("/api/v1{path}")), 404, "there is no ");
    }
}

#[test]
fn settings_are_set_together_or_not_at_all() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut robot = robot(&panel);
    let good =
        json!({"proxy_sessions": 400, "proxy_sandbox": false, "proxy_station_host": "station.example"});
    assert_eq!(send(&mut robot, "PATCH", "/settings", &good).status, 204);
    let row = is_act(site, "config set");
    assert_eq!(row["new"].as_object().unwrap().len(), 3, "{row}");
    let value = |name: &str| site.ok(&["config", "get", name]).trim().to_owned();
    assert_eq!((value("proxy_sessions").as_str(), value("proxy_sandbox").as_str()), ("400", "no"));
    for (given, field, words) in [
        (json!({"proxy_sessions": 300, "tcp_port": 0}), json!("tcp_port"), "tcp_port cannot be '0'"),
        (json!({"proxy_sesions": 300}), json!("proxy_sesions"), "no setting 'proxy_sesions'"),
        (json!({"proxy_client_token": "x"}), json!("proxy_client_token"), "token"),
        (json!({"proxy_sessions": 3}), Value::Null, "must not be greater"),
    ] {
        let reply = send(&mut robot, "PATCH", "/settings", &given);
        refused(&reply, 422, words);
        assert_eq!(document(&reply)["field"], field, "{given}");
    }
    assert_eq!(value("proxy_sessions"), "400");
}

#[test]
fn certificates_are_trusted_and_crls_fetched() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut robot = robot(&panel);
    let pem = Identity::ca("Rest CA").pem();
    let added = send(&mut robot, "POST", "/trusted", &json!({"pem": pem, "name": "Ours", "no_crl": true}));
    assert_eq!((added.status, &document(&added)[0]["name"]), (201, &json!("Ours")), "{added:?}");
    is_act(site, "trust add");
    let trusted = site.json(&["trust", "list"]);
    assert_eq!(trusted[0]["no_crl"], true);
    refused_field(&send(&mut robot, "POST", "/trusted", &json!({"pem": "x"})), 422, "pem", "");
    refused(&send(&mut robot, "POST", "/trusted", &json!({"pm": pem})), 400, "unknown field");
    refused(&send(&mut robot, "DELETE", "/trusted/none", &json!({})), 404, "no trusted certificate");
    let print = trusted[0]["sha256"].as_str().unwrap();
    assert_eq!(send(&mut robot, "DELETE", &format!("/trusted/{print}"), &json!({})).status, 204);
    is_act(site, "trust remove");
    assert_eq!(send(&mut robot, "POST", "/crls/fetch", &json!({})).status, 202);
    is_act(site, "crl fetch");
}

#[test]
fn a_session_is_ended_and_a_partner_called_by_a_client() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut robot = robot(&panel);
    site.ok(&["partner", "add", "called", "--ssid", "O0013CALLED", "--host", "192.0.2.1"]);
    refused(&send(&mut robot, "POST", "/partners/called/tests", &json!({})), 409, "no client has called");
    site.sql("INSERT INTO os4x_sessions (session, client, received, partner, orphaned) VALUES ('ab', 'c', 1, 'p', 0)");
    site.sql("INSERT INTO os4x_clients_seen (address, seen) VALUES ('c', 99999999999)");
    refused(&send(&mut robot, "POST", "/sessions/none/end", &json!({})), 404, "no running session");
    let ended = send(&mut robot, "POST", "/sessions/ab/end", &json!({}));
    assert_eq!((ended.status, document(&ended)), (202, json!({"session": "ab", "clients": ["c"]})));
    is_act(site, "session end");

    let ordered = send(&mut robot, "POST", "/partners/called/tests", &json!({}));
    assert_eq!(ordered.status, 202, "{ordered:?}");
    is_act(site, "partner test");
    let at = ordered.header("location").unwrap().to_owned();
    assert_eq!(document(&robot.get(&at))["state"], "waiting");
    site.sql(
        r#"UPDATE os4x_acts SET taken = 1, done = 0, outcome = 'it has failed', steps =
           '[{"step":"name","good":true,"ms":1,"text":""},{"step":"tcp","good":false,"ms":1,"reason":"partner-down",
             "text":"refused"}]'"#,
    );
    let over = document(&robot.get(&at));
    assert_eq!((&over["state"], &over["good"]), (&json!("failed"), &json!(false)), "{over}");
    assert_eq!(over["steps"][1]["reason"], "partner-down");
}
