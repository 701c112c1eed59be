//! `os4xapi partner test` from the order to the outcome, on both databases: which client gets it, and that the command
//! shows what the client reports.

use crate::postgres::Cluster;
use crate::site::Site;
use serde_json::{Value, json};

/// Steps as a client reports them, the last one good or failed.
fn steps(is_good: bool) -> Value {
    let good =
        |step: &str| json!({"step": step, "good": true, "ms": 1, "text": format!("{step} \u{1b}[31m\0")});
    let last = if is_good {
        good("ssrm")
    } else {
        json!({"step": "ssrm", "good": false, "ms": 9, "reason": "timeout", "text": "it sent nothing"})
    };
    json!([good("name"), good("tcp"), good("tls"), good("certificate"), last])
}

/// One client accepts tests, and another one, which has called later, does not.
fn test_partners(site: &Site) {
    site.ok(&["partner", "add", "acme", "--ssid", "O0013ACME", "--host", "192.0.2.1"]);
    let serve = site.serve();
    let client = site.client(&serve);
    let generation = client.generation();
    let wait = |name: &str, kinds: &[&str], seconds: u32| {
        client.ok(&json!({"function": "proxy_wait", "client_name": name, "generation": generation,
            "seconds": seconds, "acts": kinds}))
    };
    for is_good in [true, false] {
        assert_eq!(wait("new", &["end-session", "test-partner"], 1)["acts"], Value::Null);
        assert_eq!(wait("old", &["end-session"], 1)["acts"], Value::Null);
        std::thread::scope(|threads| {
            let command = threads.spawn(|| site.run(&["partner", "test", "acme", "--json"]));
            let handed = wait("new", &["end-session", "test-partner"], 30);
            let act = &handed["acts"][0];
            assert_eq!((&act["act"], &act["partner"]), (&json!("test-partner"), &json!("acme")), "{handed}");
            assert!(site.refused(&["partner", "test", "acme"]).contains("one test of a partner at a time"));
            client.ok(&json!({"function": "proxy_act_done", "client_name": "new", "number": act["number"],
                "done": true, "text": "done", "steps": steps(is_good)}));
            let said = command.join().unwrap();
            assert_eq!(said.status, i32::from(!is_good), "{}", said.err);
            let found: Value = serde_json::from_str(&said.out).unwrap();
            assert_eq!((&found["good"], &found["client"]), (&json!(is_good), &json!("127.0.0.1 new")));
            assert_eq!(found["steps"], steps(is_good));
            assert_eq!(said.err.contains("fails in step ssrm: timeout. A deadline passed."), !is_good);
        });
    }
    serve.end(nix::sys::signal::Signal::SIGTERM);
}

#[test]
fn a_test_goes_to_the_client_that_takes_it_and_comes_back_as_it_tells() {
    test_partners(&Site::new());
}

#[test]
fn a_test_goes_its_way_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    test_partners(&site);
}

#[test]
fn of_several_clients_the_one_tests_whose_listener_leads_to_the_partner() {
    let site = Site::new();
    site.ok(&["partner", "add", "acme", "--ssid", "O0013ACME", "--host", "192.0.2.1"]);
    site.sql(
        "INSERT INTO os4x_clients_seen (address, seen) VALUES ('192.0.2.1 a', 99999999997), \
         ('192.0.2.2 b', 99999999998), ('192.0.2.3 c', 99999999999)",
    );
    site.sql(
        "INSERT INTO os4x_waits (caller, acts, seen) SELECT address, 'test-partner', seen FROM os4x_clients_seen",
    );
    site.sql_done(
        r#"CREATE TRIGGER client AFTER INSERT ON os4x_acts BEGIN UPDATE os4x_acts SET taken = 1, done = 1,
            outcome = 'done', steps = '[{"step":"name","good":false,"ms":1,"reason":"x","text":""}]'; END"#,
    );
    let tester = || {
        let said = site.run(&["partner", "test", "acme", "--json"]);
        let found: Value = serde_json::from_str(&said.out).unwrap();
        found["client"].as_str().unwrap().to_owned()
    };
    assert_eq!(tester(), "192.0.2.3 c", "the one that has called last");
    site.ok(&["proxyclient", "add", "192.0.2.2"]);
    assert_eq!(tester(), "192.0.2.2 b", "the one that takes proxy requests");
    site.ok(&["proxyclient", "add", "192.0.2.1", "--partner", "acme", "--port", "3306"]);
    assert_eq!(tester(), "192.0.2.1 a", "the one whose listener leads to the partner");
}

#[test]
fn a_test_waits_for_what_was_changed_and_says_where_it_is_not_in_force() {
    let site = Site::new();
    site.ok(&["partner", "add", "acme", "--ssid", "O0013ACME", "--host", "192.0.2.1"]);
    site.sql("INSERT INTO os4x_clients_seen (address, seen) VALUES ('192.0.2.1', 99999999999)");
    site.sql_done(
        r#"CREATE TRIGGER client AFTER INSERT ON os4x_acts BEGIN UPDATE os4x_acts SET taken = 1, done = 1,
            outcome = 'done', steps = '[{"step":"name","good":false,"ms":1,"reason":"x","text":""}]'; END"#,
    );
    let serve = site.serve();
    let client = site.client(&serve);
    let tell = |generation: Option<u64>| {
        let state = json!({"generation": generation});
        let server = json!({"proxy_id": format!("{}px", "0".repeat(64)), "address": "192.0.2.9:2878",
            "state": state});
        client.ok(&json!({"function": "proxy_state", "client": {}, "server": server}));
    };
    let newest = client.generation();
    tell(Some(newest - 1));
    let said = site.refused(&["partner", "test", "acme"]);
    assert!(said.contains(&format!("192.0.2.9:2878 still has generation {}", newest - 1)), "{said}");
    tell(None);
    let said = site.refused(&["partner", "test", "acme"]);
    assert!(said.contains("192.0.2.9:2878 has no configuration"), "{said}");
    tell(Some(newest));
    let said = site.refused(&["partner", "test", "acme"]);
    assert!(!said.contains("192.0.2.9"), "{said}");
    serve.end(nix::sys::signal::Signal::SIGTERM);
}
