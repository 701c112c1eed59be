//! `partner debug` in the backend: what is stored and audited, that both daemons get it, and which daemons are named as
//! too old for it.

use crate::pki::{self, Identity};
use crate::site::Site;
use common::text::clock;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// The state that a daemon reports; `follows`: it is of this version.
fn state(follows: bool) -> Value {
    let mut state = json!({"version": "0.1.0", "generation": 1, "time": clock::now()});
    if follows {
        state["debugs_partners"] = json!(true);
    }
    state
}

#[test]
fn it_is_kept_beside_the_partner_handed_out_and_forgotten() {
    let site = Site::new();
    let (ca, id) = (Identity::ca("Debug CA"), pki::proxy_id());
    let own = ca.issue("we.example");
    let chain = site.dir.write("chain.pem", &(own.pem() + &ca.pem()));
    let key = site.dir.write("own.key", &own.key_pem());
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["proxy", "add", &id]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    site.ok(&["partner", "add", "OTHER", "--ssid", "O0013OTHER"]);
    let version = site.json(&["partner", "list"])[0]["version"].clone();
    let serve = site.serve();
    let client = site.client(&serve);
    let asked = || {
        let server = client.ok(&json!({"function": "proxy_config", "proxy_id": id}));
        [server, client.ok(&json!({"function": "proxy_client_config"}))]
    };
    assert!(
        asked().iter().all(|answer| answer["config"].get("debug").is_none()),
        "what nobody wants is no member"
    );

    let before = asked()[0]["config"]["generation"].as_u64();
    let now = clock::now();
    site.ok(&["partner", "debug", "ACME", "--for", "30m"]);
    for answer in asked() {
        assert!(answer["config"]["generation"].as_u64() > before, "it is in force as each change is");
        let debug = &answer["config"]["debug"];
        assert_eq!((debug.as_array().unwrap().len(), &debug[0]["partner"]), (1, &json!("ACME")));
        assert!(
            (now + 1_800..=clock::now() + 1_800).contains(&debug[0]["until"].as_i64().unwrap()),
            "{debug}"
        );
        assert!((1_700..=1_800).contains(&debug[0]["seconds"].as_u64().unwrap()), "{debug}");
    }
    let listed = site.ok(&["partner", "debug"]);
    assert!(listed.contains("ACME") && !listed.contains("OTHER"), "{listed}");
    assert_eq!(site.json(&["partner", "debug"])[0]["partner"], "ACME");
    assert_eq!(site.json(&["partner", "list"])[0]["version"], version, "the partner's row is as it was");
    let audit = site.json(&["audit", "list"]);
    let row = audit.as_array().unwrap().iter().find(|row| row["act"] == "partner debug").unwrap();
    assert_eq!(row["object"], "debug ACME");

    // Its end needs no action: it is only not sent any more.
    site.sql("UPDATE os4x_partner_debug SET until = 1");
    assert!(asked().iter().all(|answer| answer["config"].get("debug").is_none()));
    assert!(site.ok(&["partner", "debug"]).contains("No partner"));
    assert!(site.refused(&["partner", "debug", "ACME", "--off"]).contains("not on for partner 'ACME'"));
    site.ok(&["partner", "debug", "ACME", "--for", "1d"]);
    site.ok(&["partner", "debug", "ACME", "--off"]);
    assert!(asked().iter().all(|answer| answer["config"].get("debug").is_none()));
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_daemon_that_is_too_old_for_it_is_named() {
    let site = Site::new();
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id, "--name", "dmz-main"]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let debug = || site.run(&["partner", "debug", "ACME"]).err;
    assert!(debug().contains("no daemon is joined at the moment"), "{}", debug());
    let serve = site.serve();
    let client = site.client(&serve);
    for (client_follows, server_follows) in [(true, false), (false, true), (true, true)] {
        client.ok(&json!({"function": "proxy_state", "client": state(client_follows),
            "server": {"proxy_id": id, "address": "192.0.2.1:2878", "state": state(server_follows), "age": 0}}));
        let said = debug();
        assert_eq!(said.contains("client 127.0.0.1 is too old for it"), !client_follows, "{said}");
        assert_eq!(said.contains("server dmz-main is too old for it"), !server_follows, "{said}");
    }
    serve.end(Signal::SIGTERM);
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let site = Site::new();
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    for (words, why) in [
        (&["NOBODY"][..], "there is no partner 'NOBODY'"),
        (&["NOBODY", "--off"], "there is no partner 'NOBODY'"),
        (&["ACME", "--for", "2d"], "at most 1d"),
        (&["ACME", "--for", "0m"], "30m or 8h"),
        (&["ACME", "--for", "soon"], "30m or 8h"),
        (&["ACME", "--for", "1h", "--off"], "exclude each other"),
        (&["--off"], "an argument is missing"),
        (&["--for", "1h"], "an argument is missing"),
    ] {
        let said = site.run(&[&["partner", "debug"], words].concat());
        assert_ne!(said.status, 0, "{words:?}");
        assert!(said.err.to_lowercase().contains(&why.to_lowercase()), "{words:?}: {}", said.err);
    }
    assert_eq!(site.json(&["partner", "debug"]), json!([]));
}
