//! The daemons' reports about themselves, and the refusals of the server: what an administrator sees of them, with
//! daemons of this version and of older ones.

use nix::sys::signal::Signal;
use oftp2peer::ca::Authority;
use oftp2peer::oftp::settings::{OutFile, Settings};
use serde_json::{Value, json};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant, SystemTime};
use t::link::{Control, Dmz};
use t::site::{Builder, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{wait_for, wait_slow};

/// How often a daemon reports its state.
const EVERY: Duration = Duration::from_secs(10);
/// Length of the file, octets: more than all buffers on the way can hold; and where it stops until the test lets it
/// continue.
const LENGTH: usize = 12_000_000;
const STOPS: [u64; 2] = [3_000_000, 9_000_000];

fn listed(site: &Site, command: &[&str]) -> Value {
    site.listed(command).unwrap()
}

/// A daemon as `status` shows it.
fn daemon(site: &Site, name: &str) -> Value {
    let status = listed(site, &["status"]);
    let all = status["daemons"].as_array().unwrap();
    all.iter().find(|daemon| daemon["daemon"] == name).cloned().unwrap_or_default()
}

/// Waits until both daemons have reported this generation.
fn wait_generation(site: &Site, generation: &Value) -> [Value; 2] {
    wait_for("both daemons to tell the generation in force", || {
        let both = ["client", "server"].map(|name| daemon(site, name));
        both.iter().all(|one| one["state"]["generation"] == *generation).then_some(both)
    })
}

#[test]
fn the_state_of_both_daemons_is_shown_and_follows_a_change() {
    let mut site = Builder::new("states").outgoing().start().unwrap();
    site.wait_pool();
    let generation = listed(&site, &["status"])["generation"].clone();
    let [client, server] = wait_generation(&site, &generation);
    for (shown, role, condition) in [(&client, Role::Client, "running"), (&server, Role::Server, "joined")] {
        assert_eq!(shown["condition"], condition, "{shown}");
        assert_eq!(shown["state"]["pid"], site.pid(role).as_raw());
        assert_eq!(shown["state"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(shown["state"]["certificate_ends"].as_i64() > shown["state"]["started"].as_i64(), "{shown}");
    }
    let listeners = |shown: &Value| shown["state"]["listeners"].to_string();
    assert!(listeners(&server).contains(&site.tls.to_string()), "{server}");
    assert!(server["state"]["licence_ends"].as_i64() > server["state"]["started"].as_i64(), "{server}");
    wait_for("the client's listener", || {
        listeners(&daemon(&site, "client")).contains(&site.outgoing.to_string()).then_some(())
    });
    assert_eq!(listed(&site, &["status"])["findings"], json!([]));
    site.api(&["config", "set", "proxy_sessions", "77"]).unwrap();
    let changed = listed(&site, &["status"])["generation"].clone();
    assert_ne!(changed, generation);
    for shown in wait_generation(&site, &changed) {
        assert_eq!(shown["state"]["incoming"]["limit"], 77, "{shown}");
    }
    // A server that does not answer is shown as such, and one that is back is shown again.
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    site.wait_end(Role::Client);
    wait_for("the end of the client", || (daemon(&site, "client")["condition"] == "ended").then_some(()));
    let text = site.api(&["status"]).unwrap();
    assert!(text.contains("is not joined any more") && text.contains("control connection"), "{text}");
    for role in [Role::Server, Role::Client] {
        site.bring_up(role).unwrap();
    }
    wait_for("the server to be joined again", || {
        (daemon(&site, "server")["condition"] == "joined").then_some(())
    });
    site.end();
}

#[test]
fn a_running_session_shows_its_octets_and_its_file_and_they_move() {
    let site = Builder::new("moving")
        .station(Some(Settings {
            timeout: Duration::from_mins(5),
            ..Settings::new("O0013STATION", "STATION")
        }))
        .start()
        .unwrap();
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.timeout = Duration::from_mins(5);
    let (go_on, gate) = channel::<()>();
    let stops = Mutex::new((STOPS.to_vec(), gate));
    partner.settings.watch = Some(Arc::new(move |progress| {
        let mut stops = stops.lock().unwrap();
        if progress.sending && stops.0.first().is_some_and(|stop| progress.octets > *stop) {
            stops.0.remove(0);
            // A partner that nobody releases continues by itself.
            let _ = stops.1.recv();
        }
    }));
    let session = thread::spawn(move || partner.send([OutFile::octets("MOVING", vec![7; LENGTH])]));
    for stop in STOPS {
        // The octets in its buffers were not relayed yet.
        let least = stop - 2_000_000;
        let shown = wait_slow(2 * EVERY, "the session to have come so far", || {
            let all = listed(&site, &["sessions"]);
            let running = all[0].clone();
            (running["octets_in"].as_u64() > Some(least)).then_some(running)
        });
        assert_eq!(
            (&shown["state"], &shown["file"]["name"]),
            (&json!("running"), &json!("MOVING")),
            "{shown}"
        );
        assert_eq!(shown["file"]["sender"], "partner");
        assert!(shown["file"]["octets"].as_u64() <= shown["octets_in"].as_u64(), "{shown}");
        assert_eq!(daemon(&site, "server")["state"]["incoming"]["used"], 1);
        let text = site.api(&["sessions"]).unwrap();
        assert!(text.contains("MOVING from the partner: "), "{text}");
        go_on.send(()).unwrap();
    }
    let report = session.join().unwrap();
    assert!(report.is_good(), "{report:?}");
    let ended = wait_for("the end of the session", || {
        let all = listed(&site, &["sessions"]);
        (all[0]["state"] == "ended").then(|| all[0].clone())
    });
    assert!(ended["octets_in"].as_u64() > Some(LENGTH as u64) && ended["file"].is_null(), "{ended}");
    site.end();
}

#[test]
fn a_stopped_client_an_expired_crl_and_an_unknown_partner_are_named_with_what_to_do() {
    let mut site = Site::start("named").unwrap();
    let mut other = Authority::new("Other CA").unwrap();
    let ago = |days: u64| SystemTime::now() - Duration::from_hours(24 * days);
    let crl = site.file("other.crl", &other.crl_between(ago(30), ago(1)).unwrap()).unwrap();
    let ca = site.file("other.pem", &other.certificate_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &ca, "--name", "other"]).unwrap();
    site.api(&["crl", "add", &crl]).unwrap();
    for _ in 0..3 {
        assert!(!site.partner("O0099STRANGER").unwrap().call().ending.is_normal());
    }
    let row = wait_for("the refusals to be told", || {
        let refused = listed(&site, &["refused"]);
        let row = refused.as_array().unwrap().iter().find(|row| row["ssid"] == "O0099STRANGER").cloned();
        row.filter(|row| row["times"] == 3)
    });
    assert_eq!((&row["reason"], &row["direction"]), (&json!("unknown-partner"), &json!("incoming")));
    assert_eq!(row["address"], "127.0.0.1");
    assert!(row["subject"].as_str().unwrap().contains("CN=partner"), "{row}");
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    let text = wait_for("the end of the client to be told", || {
        site.api(&["status"]).ok().filter(|text| text.contains("told to end by SIGTERM"))
    });
    for words in [
        "systemctl start os4x_proxyclient2",
        "is not joined any more",
        "CRL O=SmartProxy test, CN=Other CA has ended at",
        "os4xapi crl add FILE",
        "O0099STRANGER",
        "'os4xapi partner add' lists it",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    site.end();
}

/// An older backend answers that there is no such function.
#[test]
fn an_older_backend_gets_neither_and_that_is_logged_once() {
    let mut site = Builder::new("older").prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    let functions = ["proxy_state", "proxy_refusals"];
    for function in functions {
        tamper.set(function, Conduct::older());
    }
    site.launch().unwrap();
    site.wait_log(Role::Client, "the backend is older");
    assert!(!site.partner("O0099STRANGER").unwrap().call().ending.is_normal());
    site.assert_works();
    // A change would be reported at once.
    for limit in ["77", "78"] {
        let marks = [Role::Client, Role::Server].map(|role| (role, site.mark(role)));
        site.api(&["config", "set", "proxy_sessions", limit]).unwrap();
        for (role, mark) in marks {
            site.wait_log_after(role, mark, "config_taken");
        }
    }
    tamper.wait_calls("proxy_system_log", 1);
    site.assert_works();
    let log = site.log(Role::Client);
    assert_eq!(log.matches("the backend is older").count(), 1, "{log}");
    assert!(!log.contains("backend_error") && !log.contains("are lost"), "{log}");
    assert_eq!(tamper.calls("proxy_state").len(), 1);
    assert_eq!(tamper.calls("proxy_refusals").len(), 0);
    let text = site.api(&["status"]).unwrap();
    assert!(text.contains("is of an older version"), "{text}");
    site.end();
}

#[test]
fn an_older_server_is_shown_as_such_and_an_older_client_gets_no_new_messages() {
    let mut site = Builder::new("older-daemons").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    let dmz = Dmz::welcome(&mut site, &json!({"version": 1})).unwrap();
    let server = wait_for("the server to be shown", || {
        Some(daemon(&site, "server")).filter(|server| server["condition"] == "older")
    });
    assert_eq!(server["state"], Value::Null);
    assert_eq!(daemon(&site, "client")["condition"], "running");
    assert!(
        site.api(&["status"]).unwrap().contains("is of an older version, and does not report its state"),
        "{server}"
    );
    drop(dmz);
    site.wait_end(Role::Client);

    site.bring_up(Role::Server).unwrap();
    let mut control = Control::join(&site).unwrap();
    control.pass_config(&site).unwrap();
    site.wait_log(Role::Server, "listener_open*tls");
    // Longer than a client that supports them would wait for state and refusals.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert!(!site.partner("O0099STRANGER").unwrap().call().ending.is_normal());
    }
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    let mut said = Vec::new();
    while let Ok(message) = control.receive() {
        said.push(message);
    }
    assert!(said.iter().any(|message| message.get("system-log").is_some()), "{said:?}");
    let new = ["state", "refusals"];
    assert!(!said.iter().any(|message| new.iter().any(|name| message.get(name).is_some())), "{said:?}");
    site.end();
}

/// A DMZ host under an attacker's control sends any values.
#[test]
fn a_hostile_server_fills_nothing_with_refusals_or_states() {
    let mut site = Builder::new("hostile-rows").prepare().unwrap();
    site.bring_up(Role::Api).unwrap();
    let mut dmz = Dmz::welcome(&mut site, &json!({"version": 1, "states": true})).unwrap();
    let row = |number: usize| json!({"minute": 0, "reason": "tls", "ssid": format!("O{number}"), "count": 1});
    for batch in 0..50 {
        let rows: Vec<Value> = (0..100).map(|number| row(batch * 100 + number)).collect();
        dmz.tell(&json!({"refusals": rows})).unwrap();
    }
    // For an unknown session; with values that are too large or control a terminal; and one that is too long.
    let fault = json!({"time": i64::MAX, "text": "\u{1b}[2J"});
    let sessions = json!([{"session": "00", "octets_in": u64::MAX, "file": {"name": "\u{0}"}}]);
    dmz.tell(&json!({"state": {"version": "9", "time": i64::MIN, "fault": fault, "sessions": sessions}}))
        .unwrap();
    dmz.tell(&json!({"state": {"version": "x".repeat(100_000)}})).unwrap();
    wait_for("the state to be shown", || (daemon(&site, "server")["state"]["version"] == "9").then_some(()));
    let groups = wait_for("the rows to be kept", || {
        let rows = listed(&site, &["refused", "--limit", "100000"]);
        Some(rows.as_array().unwrap().len()).filter(|groups| *groups >= 201)
    });
    // The minute may have changed meanwhile.
    assert!(groups <= 402, "{groups}");
    let text = site.api(&["status"]).unwrap();
    assert!(!text.contains('\u{1b}') && text.contains("of the server"), "{text}");
    drop(dmz);
    site.end();
}
