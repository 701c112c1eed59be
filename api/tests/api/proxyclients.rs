//! The clients' listeners: one for proxy requests, others tied to a partner each. What is refused, what is listed, and
//! what the calling client gets. Checks on both databases are in `life`.

use crate::site::Site;
use serde_json::{Value, json};

fn config(site: &Site) -> Value {
    let serve = site.serve();
    site.client(&serve).ok(&json!({"function": "proxy_client_config"}))["config"].clone()
}

fn site_with_partners() -> Site {
    let site = Site::new();
    site.ok(&["partner", "add", "acme", "--ssid", "O0013ACME", "--host", "oftp.acme.example"]);
    site.ok(&["partner", "add", "later", "--ssid", "O0013LATER"]);
    site
}

#[test]
fn a_client_has_a_listener_for_requests_and_one_for_each_partner_it_is_tied_to() {
    let site = site_with_partners();
    let add = |words: &[&str]| site.ok(&[&["proxyclient", "add", "127.0.0.1"], words].concat());
    add(&["--partner", "acme", "--port", "3306"]);
    let alone = config(&site);
    assert_eq!((&alone["listen_port"], &alone["networks"]), (&json!(null), &json!([])));
    add(&["--network", "192.0.2.0/24"]);
    add(&["--partner", "later", "--port", "3308", "--listen-ip", "127.0.0.2", "--name", "old"]);
    // Listeners of another client do not matter.
    site.ok(&["proxyclient", "add", "192.0.2.9", "--partner", "acme", "--port", "3306"]);
    // Each addition replaces the listener for the same purpose.
    add(&["--partner", "acme", "--port", "3307", "--network", "10.1.0.5"]);
    let whole = config(&site);
    assert_eq!((&whole["listen_port"], &whole["networks"]), (&json!(65_433), &json!(["192.0.2.0/24"])));
    let expected = json!([
        {"listen_ip": null, "listen_port": 3307, "partner": "acme", "networks": ["10.1.0.5/32"]},
        {"listen_ip": "127.0.0.2", "listen_port": 3308, "partner": "later", "networks": []},
    ]);
    assert_eq!(whole["tied"], expected);
    // A disabled partner keeps its listener: its calls are refused like all others.
    site.ok(&["partner", "set", "acme", "--enabled", "no"]);
    assert_eq!(config(&site)["tied"], expected);
}

#[test]
fn clients_of_one_address_have_listeners_of_their_own_by_their_names() {
    let site = site_with_partners();
    site.ok(&["proxyclient", "add", "127.0.0.1"]);
    site.ok(&["proxyclient", "add", "inside-2@127.0.0.1", "--port", "65434"]);
    site.ok(&["proxyclient", "add", "inside-2@127.0.0.1", "--partner", "acme", "--port", "3306"]);
    let serve = site.serve();
    let of = |name: Option<&str>| {
        let mut call = json!({"function": "proxy_client_config"});
        if let Some(name) = name {
            call["client_name"] = json!(name);
        }
        let config = site.client(&serve).ok(&call)["config"].clone();
        (config["listen_port"].clone(), config["tied"].as_array().unwrap().len())
    };
    assert_eq!(of(Some("inside-2")), (json!(65_434), 1));
    // All others have those of the address: also one that gives its host and folder, as clients without a name do.
    for other in [None, Some("inside-1"), Some("host:/opt/os4x/proxy")] {
        assert_eq!(of(other), (json!(65_433), 0));
    }
    drop(serve);
    let said = site.run(&["proxyclient", "add", "in side@127.0.0.1"]);
    assert!(
        said.status == 64 && said.err.contains("nor NAME@ADDRESS with a name of 1 to 64 letters"),
        "{said:?}"
    );
    site.ok(&["proxyclient", "remove", "inside-2@127.0.0.1"]);
    let listed = site.json(&["proxyclient", "list"]);
    let places: Vec<&Value> = listed.as_array().unwrap().iter().map(|row| &row["address"]).collect();
    assert_eq!(places, [&json!("127.0.0.1"), &json!("inside-2@127.0.0.1")]);
}

#[test]
fn listeners_are_listed_with_whom_they_are_for() {
    let site = site_with_partners();
    site.ok(&["proxyclient", "add", "::1"]);
    site.ok(&["proxyclient", "add", "::1", "--partner", "acme", "--port", "3306", "--network", "10.0.0.0/8"]);
    let rows = site.json(&["proxyclient", "list"]);
    let all = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];
    let row = |index: usize, partner: Value, port: u16, networks: &[&str]| {
        json!({"address": "127.0.0.1", "partner": partner, "listen_ip": null, "listen_port": port,
            "networks": networks, "name": "", "version": rows[index]["version"]})
    };
    let expected = [row(0, Value::Null, 65_433, &all), row(1, json!("acme"), 3306, &["10.0.0.0/8"])];
    assert_eq!(rows, json!(expected));
    let table = site.ok(&["proxyclient", "list"]);
    assert!(table.contains("TIED TO") && table.contains("acme"), "{table}");
}

#[test]
fn a_listener_that_could_not_work_is_refused() {
    let site = site_with_partners();
    let add = |words: &[&str]| site.run(&[&["proxyclient", "add", "10.1.0.1"], words].concat());
    let tied = |words: &[&str]| add(&[&["--partner", "acme"], words].concat());
    for (said, status, words) in [
        (tied(&[]), 64, "--port is missing"),
        (tied(&["--port", "0"]), 64, "1 to 65535"),
        (tied(&["--port", "1", "--network", "10.0.0.1/8"]), 64, "--network"),
        (add(&["--partner", "nobody", "--port", "1"]), 1, "no partner 'nobody'"),
        (add(&["--partner", "ACME", "--port", "1"]), 1, "no partner 'ACME'"),
    ] {
        assert!(said.status == status && said.err.contains(words), "{words}: {said:?}");
    }
    assert_eq!(site.json(&["proxyclient", "list"]), json!([]));

    assert_eq!(add(&["--listen-ip", "10.1.0.1"]).status, 0);
    for place in [&["--port", "65433"][..], &["--port", "65433", "--listen-ip", "0.0.0.0"]] {
        let said = tied(place);
        assert!(said.status == 1 && said.err.contains("10.1.0.1 for proxy requests"), "{said:?}");
    }
    let elsewhere = tied(&["--port", "65433", "--listen-ip", "10.1.0.2"]);
    assert!(elsewhere.status == 0 && elsewhere.err.is_empty(), "{elsewhere:?}");
    let said = add(&[]);
    assert!(said.status == 1 && said.err.contains("10.1.0.1 tied to acme"), "{said:?}");
    // For a partner without a host there is a warning: the host may be set later.
    let said = add(&["--partner", "later", "--port", "3306"]);
    assert!(said.status == 0 && said.err.contains("no host"), "{said:?}");
}

#[test]
fn listeners_are_removed_one_by_one_and_with_their_partner() {
    let site = site_with_partners();
    for words in [&[][..], &["--partner", "acme", "--port", "1"], &["--partner", "later", "--port", "2"]] {
        site.ok(&[&["proxyclient", "add", "10.1.0.1"], words].concat());
    }
    let left = || {
        let rows = site.json(&["proxyclient", "list"]);
        rows.as_array().unwrap().iter().map(|row| row["partner"].clone()).collect::<Vec<_>>()
    };
    let said = site.run(&["proxyclient", "remove", "10.1.0.1"]);
    assert!(said.status == 0 && said.err.contains("2 more listeners"), "{said:?}");
    assert_eq!(left(), [json!("acme"), json!("later")]);
    assert!(site.refused(&["proxyclient", "remove", "10.1.0.1"]).contains("for proxy requests"));
    site.ok(&["partner", "remove", "acme"]);
    assert_eq!(left(), [json!("later")]);
    assert!(
        site.refused(&["proxyclient", "remove", "10.1.0.1", "--partner", "acme"]).contains("tied to acme")
    );
    let said = site.run(&["proxyclient", "remove", "10.1.0.1", "--partner", "later"]);
    assert!(said.status == 0 && said.err.is_empty(), "{said:?}");
    assert_eq!(left(), Vec::<Value>::new());
}
