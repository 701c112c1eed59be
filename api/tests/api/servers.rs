//! Several servers: what each has for itself of the settings, which of them take new sessions, and the sessions of
//! each.

use crate::browser::Browser;
use crate::https::Client;
use crate::keys::{key, program};
use crate::panel::{PASSWORD, Panel};
use crate::panel_configuration::error_of;
use crate::pki::{self, Identity};
use crate::postgres::Cluster;
use crate::rest::{is_act, refused_field, robot, send};
use crate::site::Site;
use common::text::clock;
use serde_json::{Value, json};

/// A site with the certificate that a server needs.
fn site() -> Site {
    let site = Site::new();
    bring_certificate(&site);
    site
}

fn bring_certificate(site: &Site) {
    let own = Identity::ca("Own CA").issue("we.example");
    let chain = site.dir.write("chain.pem", &own.pem());
    let key = site.dir.write("own.key", &own.key_pem());
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
}

/// Two servers.
fn servers(site: &Site) -> [String; 2] {
    ["dmz-a", "dmz-b"].map(|name| {
        let id = pki::proxy_id();
        site.ok(&["proxy", "add", &id, "--name", name]);
        id
    })
}

fn config(client: &Client, id: &str) -> Value {
    client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone()
}

fn server(site: &Site, id: &str) -> Value {
    let all = site.json(&["proxy", "list"]);
    all.as_array().unwrap().iter().find(|one| one["proxy_id"] == id).unwrap().clone()
}

/// The state of a server of this site, as its client tells it.
fn told(id: &str, name: &str, state: &Value) -> Value {
    let mut server = json!({"version": "0.1.0", "build": "20261128", "pid": 7, "host": name, "started": 1_000,
        "time": clock::now(), "generation": 1, "incoming": {"used": 2, "limit": 500},
        "outgoing": {"used": 1, "limit": 100}, "unverified": {"used": 0, "limit": 200}});
    for (member, value) in state.as_object().unwrap() {
        server[member] = value.clone();
    }
    json!({"function": "proxy_state", "client": {"time": clock::now(), "generation": 1},
        "server": {"proxy_id": id, "address": "192.0.2.1:2878", "state": server, "age": 0}})
}

#[test]
fn a_value_of_a_server_replaces_the_global_one_in_its_configuration_only() {
    let site = site();
    let [one, other] = servers(&site);
    let serve = site.serve();
    let client = site.client(&serve);
    site.ok(&["config", "set", "tcp_port_tls", "6621"]);
    site.ok(&["config", "set", "tcp_outgoing_ip", "192.0.2.1"]);
    for (name, value) in [
        ("tcp_port_tls", "6620"),
        ("tcp_incoming_ip", "::ffff:192.0.2.7"),
        ("tcp_outgoing_ip", ""),
        ("tcp_proxy_protocol_from", "192.0.2.8"),
    ] {
        site.ok(&["proxy", "set", &other, name, value]);
    }
    let values = |id: &str| {
        let config = config(&client, id);
        ["tcp_port_tls", "tcp_incoming_ip", "tcp_outgoing_ip", "proxy_protocol_from", "draining"]
            .map(|name| config[name].clone())
    };
    let global = [json!(6621), Value::Null, json!("192.0.2.1"), json!([]), Value::Null];
    assert_eq!(values(&one), global);
    let own = [json!(6620), json!("192.0.2.7"), Value::Null, json!(["192.0.2.8/32"]), Value::Null];
    assert_eq!(values(&other), own);
    assert_eq!(server(&site, &other)["settings"]["tcp_incoming_ip"], "192.0.2.7", "in its one spelling");
    let shown = site.ok(&["proxy", "show", &other]);
    assert!(shown.contains("tcp_port_tls") && shown.contains("this server"), "{shown}");
    let list = site.ok(&["proxy", "list"]);
    assert!(list.contains("tcp_port_tls=6620"), "{list}");
    for name in ["tcp_port_tls", "tcp_incoming_ip", "tcp_outgoing_ip", "tcp_proxy_protocol_from"] {
        site.ok(&["proxy", "unset", &other, name]);
    }
    assert_eq!(values(&other), global);
    assert_eq!(server(&site, &other)["settings"], json!({}));
    // Neither a server that is drained nor one that is not in use takes new sessions.
    site.ok(&["proxy", "drain", &other]);
    assert_eq!((&values(&one)[4], &values(&other)[4]), (&Value::Null, &json!(true)));
    site.ok(&["proxy", "undrain", &other]);
    site.ok(&["proxy", "set", &other, "enabled", "no"]);
    assert_eq!(values(&other)[4], true);
    site.ok(&["proxy", "unset", &other, "enabled"]);
    assert_eq!(values(&other), global);
}

#[test]
fn what_a_server_cannot_have_is_refused_with_the_remedy() {
    let site = Site::new();
    let [one, _] = servers(&site);
    let nobody = pki::proxy_id();
    for (words, part) in [
        (&["proxy", "set", &one, "proxy_sessions", "7"][..], "it may have enabled, drain, tcp_port_tls"),
        (&["proxy", "set", &one, "tcp_port_tls", "0"], "it takes a number from 1 to 65535"),
        (&["proxy", "set", &one, "enabled", "perhaps"], "yes or no"),
        (&["proxy", "unset", &one, "nothing"], "it may have"),
        (&["proxy", "set", &nobody, "drain", "yes"], "'os4xapi proxy list' shows them"),
        (&["proxy", "drain", &nobody], "'os4xapi proxy list' shows them"),
        (&["proxy", "show", &nobody], "'os4xapi proxy list' shows them"),
    ] {
        let said = site.run(words);
        assert!(said.status != 0 && said.err.contains(part), "{words:?}: {said:?}");
    }
}

#[test]
fn an_address_that_a_server_lacks_is_told_with_the_way_out() {
    let site = site();
    let [one, other] = servers(&site);
    let serve = site.serve();
    let client = site.client(&serve);
    for (id, address) in [(&one, "192.0.2.1"), (&other, "192.0.2.2")] {
        client.ok(&json!({"function": "proxy_config", "proxy_id": id, "server_addresses": [address]}));
    }
    let said = site.run(&["config", "set", "tcp_outgoing_ip", "192.0.2.1"]);
    let way_out = "give it its own one with 'os4xapi proxy set PROXY-ID tcp_outgoing_ip ADDRESS'";
    assert!(said.err.contains(&format!("{other} does not have")) && said.err.contains(way_out), "{said:?}");
    let said = site.run(&["proxy", "set", &other, "tcp_outgoing_ip", "192.0.2.1"]);
    assert!(said.status == 0 && said.err.contains("Its own are 192.0.2.2"), "{said:?}");
    let said = site.run(&["proxy", "set", &other, "tcp_outgoing_ip", "192.0.2.2"]);
    assert!(said.status == 0 && said.err.is_empty(), "{said:?}");
    // Now each of the two hosts has the address that it uses.
    let said = site.run(&["config", "set", "tcp_outgoing_ip", "192.0.2.1"]);
    assert!(said.status == 0 && said.err.is_empty(), "{said:?}");
    let outgoing = |id: &str| config(&client, id)["tcp_outgoing_ip"].clone();
    assert_eq!([outgoing(&one), outgoing(&other)], [json!("192.0.2.1"), json!("192.0.2.2")]);
}

/// A scrape of the metrics.
fn scrape(program: &mut Browser) -> String {
    program.get("/metrics").body
}

#[test]
fn the_drain_the_sessions_left_and_the_sum_of_all_servers_are_shown() {
    let panel = Panel::new();
    let site = &panel.site;
    let [one, other] = servers(site);
    let client = site.client(&panel.serve);
    client.ok(&told(&one, "a", &json!({})));
    let mut program = program(site, &panel.serve, &key(site, "prometheus", "auditor", "metrics"));
    assert!(!site.ok(&["status"]).contains("all servers"), "one server works");
    assert!(scrape(&mut program).contains("os4x_server_draining{server=\"dmz-a\"} 0"));
    client.ok(&told(&other, "b", &json!({"draining": 3, "incoming": {"used": 3, "limit": 400}})));
    let text = site.ok(&["status"]);
    for part in [
        "joined, draining, 3 sessions left",
        "the server dmz-b takes no new sessions, and 3 are left",
        &format!("os4xapi proxy undrain {other}"),
        "5/900",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let sums = site.json(&["status"])["sums"].clone();
    assert_eq!((&sums["servers"], &sums["incoming"]), (&json!(2), &json!({"used": 5, "limit": 900})));
    assert_eq!(sums["outgoing"], json!({"used": 2, "limit": 200}));
    let metrics = scrape(&mut program);
    assert!(metrics.contains("os4x_server_draining{server=\"dmz-b\"} 1"), "{metrics}");
    assert!(metrics.contains("os4x_server_sessions_left{server=\"dmz-b\"} 3"), "{metrics}");
    let mut browser = panel.signed_in(0);
    let overview = browser.get("/").body;
    for part in ["takes no new sessions, sessions left: 3", "All servers", "5/900"] {
        assert!(overview.contains(part), "{part}: {overview}");
    }
    let page = browser.get("/configuration/proxy").body;
    assert!(page.contains("takes no new sessions, sessions left: 3"), "{page}");
    // A server that is not in use is not missed.
    site.ok(&["proxy", "add", &pki::proxy_id(), "--name", "spare"]);
    assert!(site.ok(&["status"]).contains("the server spare is listed"));
    let all = site.json(&["proxy", "list"]);
    let spare = all.as_array().unwrap().iter().find(|one| one["name"] == "spare").unwrap();
    site.ok(&["proxy", "set", spare["proxy_id"].as_str().unwrap(), "enabled", "no"]);
    let text = site.ok(&["status"]);
    assert!(!text.contains("the server spare is listed") && text.contains("not enabled"), "{text}");
}

#[test]
fn a_server_is_drained_and_set_in_the_panel() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut browser = panel.signed_in(0);
    assert!(!browser.get("/configuration/proxy").body.contains("Settings of one server"));
    let [one, _] = servers(site);
    let path = "/configuration/proxy/servers";
    let drain = format!("{path}/drain");
    let asked = browser.post_signed(&drain, &[("proxy_id", &one)]);
    assert!(
        asked.status == 200 && asked.body.contains("settings: null") && asked.body.contains("drain="),
        "{asked:?}"
    );
    let done = browser.post_signed(&drain, &[("proxy_id", &one), ("confirmed", "yes")]);
    assert_eq!((done.status, &server(site, &one)["draining"]), (303, &json!(true)), "{done:?}");
    let page = browser.get("/configuration/proxy?done=drained").body;
    assert!(page.contains(">End drain<") && page.contains("takes no new sessions within"), "{page}");
    assert_eq!(browser.post_signed(&format!("{path}/undrain"), &[("proxy_id", &one)]).status, 303);
    assert_eq!(server(site, &one)["draining"], false);
    let set = format!("{path}/set");
    let fields = |setting: &'static str, has: &'static str, value: &'static str| {
        [("of_server", one.as_str()), ("own_setting", setting), ("has_own", has), ("own_value", value)]
    };
    let bad = browser.post_signed(&set, &fields("tcp_proxy_protocol_from", "yes", "nowhere"));
    assert!(bad.status == 422 && !error_of(&bad.body, "own-own_value").is_empty(), "{bad:?}");
    let done = browser.post_signed(&set, &fields("tcp_proxy_protocol_from", "yes", "192.0.2.0/24"));
    assert_eq!(done.status, 303, "{done:?}");
    assert_eq!(server(site, &one)["settings"], json!({"tcp_proxy_protocol_from": "192.0.2.0/24"}));
    assert!(browser.get("/configuration/proxy").body.contains("192.0.2.0/24"));
    // One that may shut partners out has to be confirmed, and is taken back unless somebody says that it stays.
    let proof = ("", PASSWORD, panel.code(1));
    let done = browser.post_proven(&set, &fields("tcp_port_tls", "yes", "6620"), proof);
    let to = done.header("location").unwrap_or_default();
    assert!(done.status == 303 && to.starts_with("/rollback/"), "{done:?}");
    assert_eq!(server(site, &one)["settings"]["tcp_port_tls"], "6620");
    let done = browser.post_signed(&set, &fields("tcp_proxy_protocol_from", "no", ""));
    assert_eq!((done.status, &server(site, &one)["settings"]), (303, &json!({"tcp_port_tls": "6620"})));
    let acts: Vec<Value> = site.json(&["audit", "list"]).as_array().unwrap().clone();
    for act in ["proxy drain", "proxy undrain", "proxy set", "proxy unset"] {
        assert!(acts.iter().any(|row| row["act"] == act && row["actor"] == "anna"), "{act}: {acts:?}");
    }
    let mut operator = crate::panel_pages::with_role(&panel, "operator");
    assert_eq!(operator.post_signed(&drain, &[("proxy_id", &one)]).status, 403);
}

#[test]
fn a_program_sets_and_drains_a_server() {
    let panel = Panel::new();
    let site = &panel.site;
    let [one, _] = servers(site);
    let mut robot = robot(&panel);
    let path = format!("/proxies/{one}");
    assert_eq!(send(&mut robot, "POST", &format!("{path}/drain"), &json!({})).status, 204);
    is_act(site, "proxy drain");
    let shown: Value = serde_json::from_str(&robot.get(&format!("/api/v1{path}")).body).unwrap();
    assert_eq!((&shown["draining"], &shown["settings"]), (&json!(true), &json!({"drain": "yes"})));
    assert_eq!(send(&mut robot, "POST", &format!("{path}/undrain"), &json!({})).status, 204);
    let wanted = json!({"tcp_port_tls": 6620, "enabled": false});
    assert_eq!(send(&mut robot, "PATCH", &path, &wanted).status, 204);
    is_act(site, "proxy set");
    assert_eq!(server(site, &one)["settings"], json!({"tcp_port_tls": "6620", "enabled": "no"}));
    assert_eq!(send(&mut robot, "PATCH", &path, &json!({"enabled": null})).status, 204);
    assert_eq!(server(site, &one)["settings"], json!({"tcp_port_tls": "6620"}));
    let bad = send(&mut robot, "PATCH", &path, &json!({"tcp_port_tls": 0}));
    refused_field(&bad, 422, "tcp_port_tls", "tcp_port_tls cannot be '0'");
    let nobody = format!("/proxies/{}/drain", pki::proxy_id());
    assert_eq!(send(&mut robot, "POST", &nobody, &json!({})).status, 404);
}

/// Each session names its server, and is orphaned if it is not heard of any more.
fn names_its_server(site: &Site, client: &Client) {
    let [one, other] = servers(site);
    let begin = |session: &str, server: Option<&str>| {
        let mut event = json!({"event": "begin", "session": session, "direction": "incoming", "pid": 7, "time": 2_000,
            "address": "192.0.2.9:5000", "partner": "ACME", "ssid": "O0013ACME", "subject": ""});
        if let Some(server) = server {
            event["server"] = json!(server);
        }
        event
    };
    client.ok(&told(&one, "a", &json!({})));
    let events = [begin("of-one", Some(&one)), begin("of-other", Some(&other)), begin("older-client", None)];
    client.ok(&json!({"function": "proxy_session", "events": events}));
    let of = |id: &str| -> Vec<(String, String)> {
        let all = site.json(&["sessions", "--server", id]);
        let text = |one: &Value, member: &str| one[member].as_str().unwrap().to_owned();
        let mut all: Vec<_> =
            all.as_array().unwrap().iter().map(|one| (text(one, "session"), text(one, "state"))).collect();
        all.sort();
        all
    };
    let pair = |session: &str, state: &str| (session.to_owned(), state.to_owned());
    // An older client names no server: it is the one that this client has joined.
    assert_eq!(of(&one), [pair("of-one", "running"), pair("older-client", "running")]);
    assert_eq!(of(&other), [pair("of-other", "running")]);
    assert!(site.ok(&["sessions"]).contains("dmz-b"));
    let end = json!({"event": "end", "session": "short", "server": other, "time": 2_001, "octets_in": 1,
        "octets_out": 1, "files": 0, "reason": "normal"});
    client.ok(&json!({"function": "proxy_session", "events": [end]}));
    assert_eq!(of(&other), [pair("of-other", "running"), pair("short", "ended")]);
    // One server was started again: only its sessions are orphaned, and only those of before.
    client.ok(&told(&one, "a", &json!({"started": 3_000})));
    let mut later = begin("later", Some(&one));
    later["time"] = json!(3_001);
    client.ok(&json!({"function": "proxy_session", "events": [later]}));
    client.ok(&told(&one, "a", &json!({"started": 3_000})));
    let expected = [pair("later", "running"), pair("of-one", "orphaned"), pair("older-client", "orphaned")];
    assert_eq!((of(&one), of(&other)[0].clone()), (expected.to_vec(), pair("of-other", "running")));
    // A server that its client does not report any more has orphaned sessions, whoever else calls.
    let mut long_ago = told(&other, "b", &json!({}));
    long_ago["server"]["age"] = json!(3_600);
    client.ok(&long_ago);
    assert_eq!(of(&other), [pair("of-other", "orphaned"), pair("short", "ended")]);
    assert_eq!(of(&one)[0], pair("later", "running"));
}

#[test]
fn each_session_names_its_server_on_each_database() {
    let cluster = Cluster::start();
    let other = cluster.site();
    other.ok(&["init"]);
    for site in [Site::new(), other] {
        let serve = site.serve();
        names_its_server(&site, &site.client(&serve));
    }
}

#[test]
fn the_sessions_of_a_server_are_found_in_the_panel_and_by_programs() {
    let panel = Panel::new();
    let site = &panel.site;
    names_its_server(site, &site.client(&panel.serve));
    let other = site.json(&["proxy", "list"]);
    let other = other.as_array().unwrap().iter().find(|one| one["name"] == "dmz-b").unwrap();
    let id = other["proxy_id"].as_str().unwrap();
    let mut browser = panel.signed_in(0);
    let all = browser.get("/sessions.csv").body;
    assert!(all.lines().next().unwrap().contains("Server") && all.contains("dmz-a"), "{all}");
    let found = browser.get(&format!("/sessions.csv?server={id}")).body;
    assert!(found.contains("dmz-b") && !found.contains("dmz-a"), "{found}");
    let rows: Value =
        serde_json::from_str(&browser.get(&format!("/sessions.json?server={id}")).body).unwrap();
    assert!(rows.as_array().unwrap().iter().all(|row| row["server"] == id), "{rows}");
    let page = browser.get(&format!("/sessions?server={id}")).body;
    assert!(page.contains("name=\"server\"") && page.contains(">dmz-b<"), "{page}");
    let one = browser.get("/sessions/of-other").body;
    assert!(one.contains("dmz-b") && one.contains(id), "{one}");
    let mut robot = robot(&panel);
    let found: Value =
        serde_json::from_str(&robot.get(&format!("/api/v1/sessions?server={id}")).body).unwrap();
    assert_eq!(found["rows"].as_array().unwrap().len(), 2, "{found}");
    assert!(site.run(&["sessions", "--server", "dmz-b"]).err.contains("a Proxy ID"));
}
