//! The answers and refusals of the API: status, code and sentence of every error, the listener of a caller, and the log
//! lines about a caller without the token. The good answers are in `life`, on both databases.

use crate::pki;
use crate::site::Site;
use nix::sys::signal::Signal;
use serde_json::json;

#[test]
fn every_refusal_has_its_status_and_code() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    // Ten bad calls a minute are answered one by one, so this test makes no more without the token.
    let get = client.raw(b"GET /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!((get.status, get.code()), (405, "bad-method"));
    assert!(get.head.contains("allow: post"), "{}", get.head);
    let elsewhere =
        client.raw(b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}");
    assert_eq!((elsewhere.status, elsewhere.code()), (404, "unknown-path"));
    assert!(get.head.contains("cache-control: no-store"), "{}", get.head);
    for body in ["", "nonsense", "[]", "7", "{\"token\":", &"[".repeat(100_000)] {
        let answer = client.post(body.as_bytes(), "");
        assert_eq!((answer.status, answer.code()), (400, "bad-request"), "{body:.20}");
    }
    serve.await_line("call_refused address=127.0.0.1 code=bad-method");
    serve.await_line("call_refused address=127.0.0.1 code=unknown-path");
    for (members, status, code) in [
        (json!({}), 400, "bad-request"),
        (json!({"function": 7}), 400, "bad-request"),
        (json!({"function": "proxy_shell"}), 404, "unknown-function"),
        (json!({"function": "proxy_enrol"}), 400, "bad-request"),
        (json!({"function": "proxy_enrol", "public_key": "nonsense"}), 400, "bad-request"),
        (json!({"function": "proxy_config", "proxy_id": "nonsense"}), 400, "bad-request"),
        (json!({"function": "proxy_config", "proxy_id": pki::proxy_id()}), 403, "forbidden"),
        (json!({"function": "proxy_session", "events": [{"event": "middle"}]}), 400, "bad-request"),
        (json!({"function": "proxy_crl_url", "url": "crl.example"}), 400, "bad-request"),
        (
            json!({"function": "proxy_crl_url", "url": format!("http://a/{}", "x".repeat(1024))}),
            400,
            "bad-request",
        ),
        (json!({"function": "proxy_crl_url"}), 400, "bad-request"),
        (json!({"function": "proxy_system_log", "level": "ERROR"}), 400, "bad-request"),
    ] {
        let answer = client.call(&members);
        assert_eq!((answer.status, answer.code()), (status, code), "{members}");
    }
    serve.end(Signal::SIGINT);
}

#[test]
fn an_entry_says_what_a_daemon_may_say_and_nothing_that_a_script_takes_for_an_option() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let good = json!({"function": "proxy_system_log", "level": "FATAL", "text": "a text", "detail": "", "pid": 1,
        "origin": "client", "host": "dmz-1.example", "time": 1, "address": "::1", "partner": "ACME-1_x.y"});
    let option = "--config=/x";
    for (member, bad) in [
        ("level", json!(option)),
        ("level", json!("error")),
        ("level", json!("TRACE")),
        ("text", json!(option)),
        ("origin", json!("api")),
        ("origin", json!(option)),
        ("host", json!(option)),
        ("host", json!("")),
        ("host", json!("a b")),
        ("host", json!("x".repeat(256))),
        ("pid", json!(-1)),
        ("address", json!(option)),
        ("address", json!("203.0.113.9:6619")),
        ("partner", json!(option)),
        ("partner", json!("a b")),
        ("partner", json!("")),
    ] {
        let mut entry = good.clone();
        entry[member] = bad;
        let answer = client.call(&entry);
        assert_eq!((answer.status, answer.code()), (400, "bad-request"), "{entry}");
    }
    client.ok(&good);
    let log = site.json(&["log"]);
    assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
    for member in ["level", "origin", "host", "address", "partner"] {
        assert_eq!(log[0][member], good[member]);
    }
    assert_eq!(site.run(&["partner", "add", "-ACME", "--ssid", "O0013ACME"]).status, 64);
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_wrong_path_is_its_callers_not_the_web_servers_in_between() {
    let site = Site::new();
    site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    let serve = site.serve();
    let client = site.client(&serve);
    let stray = |forwarded: &str| {
        let head = "GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";
        client.raw(format!("{head}X-Forwarded-For: {forwarded}\r\n\r\n").as_bytes()).status
    };
    // One caller is locked; the next one behind the same web server is not.
    let statuses: Vec<u16> = (0..11).map(|_| stray("203.0.113.5")).collect();
    assert_eq!((statuses[9], statuses[10]), (404, 429));
    assert_eq!(stray("203.0.113.6"), 404);
    serve.await_line("call_refused address=203.0.113.6 code=unknown-path");
    let log = serve.end(Signal::SIGTERM);
    assert!(!log.contains("address=127.0.0.1 code"), "{log}");
}

#[test]
fn a_server_gets_no_configuration_before_there_is_a_certificate() {
    let site = Site::new();
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id]);
    let serve = site.serve();
    let answer = site.client(&serve).call(&json!({"function": "proxy_config", "proxy_id": id}));
    assert_eq!((answer.status, answer.code()), (503, "not-configured"));
    assert!(answer.body["error"]["message"].as_str().unwrap().contains("cert set"));
}

#[test]
fn a_body_that_is_too_large_is_refused_announced_or_not() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let announced = client.raw(
        b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 9999999999\r\n\r\n",
    );
    assert_eq!((announced.status, announced.code()), (413, "too-large"));
    let mut chunked = b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
        Transfer-Encoding: chunked\r\n\r\n100001\r\n"
        .to_vec();
    chunked.resize(chunked.len() + 0x10_0001, b' ');
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    let unannounced = client.raw(&chunked);
    assert_eq!((unannounced.status, unannounced.code()), (413, "too-large"));
}

#[test]
fn callers_of_both_families_are_known_by_one_spelling() {
    let site = Site::new();
    site.ok(&["proxyclient", "add", "127.0.0.1", "--listen-ip", "::ffff:127.0.0.2"]);
    let serve = site.serve_at("[::]:0", &[]);
    let (four, mut six) = (site.client(&serve), site.client(&serve));
    six.host = "::1";
    let config = json!({"function": "proxy_client_config"});
    for client in [&four, &six] {
        assert_eq!(client.ok(&config)["config"]["listen_ip"], json!("127.0.0.2"));
    }
    // The limit for bad calls belongs to the host, whichever way its calls come.
    for client in [&four, &six, &four, &six, &four, &six, &four, &six, &four, &six] {
        assert_eq!(client.post(b"{}", "").status, 401);
    }
    assert_eq!((four.post(b"{}", "").status, six.post(b"{}", "").status), (429, 429));
    let log = serve.log();
    assert_eq!(log.matches("] call_refused address=127.0.0.1 code=bad-token").count(), 11, "{log}");

    // A trusted web server in front of it, with an IPv6 address.
    assert_eq!(
        four.call_from(&config, "X-Forwarded-For: ::ffff:192.0.2.7\r\n").body["config"]["listen_ip"],
        json!("127.0.0.2")
    );
    site.ok(&["config", "set", "api_trusted_proxies", "::1/128"]);
    for (client, named) in [(&four, "192.0.2.7"), (&six, "[::ffff:192.0.2.7]:4711")] {
        let answer = client.call_from(&config, &format!("X-Forwarded-For: {named}\r\n"));
        assert_eq!(answer.body["config"]["listen_ip"], json!(null), "{answer:?}");
    }
    assert_eq!(six.post(b"{}", "X-Forwarded-For: ::ffff:192.0.2.7\r\n").status, 401);
    serve.await_line("call_refused address=192.0.2.7 code=bad-token");
    assert!(!serve.log().contains("::ffff"), "{}", serve.log());
}

#[test]
fn bad_tokens_are_refused_logged_and_bounded() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let token = site.token();
    let guess = |token: serde_json::Value| {
        let body = json!({"function": "proxy_client_config", "token": token}).to_string();
        client.post(body.as_bytes(), "")
    };
    let secret = token.split_once('.').unwrap().0;
    for bad in [json!(null), json!(7), json!(""), json!("."), json!(secret[1..]), json!(format!("{secret}0"))]
    {
        let answer = guess(bad);
        assert_eq!((answer.status, answer.code()), (401, "bad-token"));
    }
    serve.await_line("call_refused address=127.0.0.1 code=bad-token");
    for _ in 0..5 {
        guess(json!("bad"));
    }
    let began = std::time::Instant::now();
    assert_eq!(guess(json!("bad")).code(), "too-many");
    assert!(began.elapsed() >= std::time::Duration::from_secs(1), "the answer was not held back");
    assert_eq!(guess(json!("bad")).status, 429);
    // A call with the right token is never delayed, with or without the hash of the CA.
    assert_eq!(guess(json!(secret)).status, 200);
    assert_eq!(guess(json!(token)).status, 200);
    site.ok(&["token", "rotate"]);
    assert_eq!(guess(json!(token)).status, 429);
    let log = serve.end(Signal::SIGTERM);
    assert_eq!(log.matches("] call_refused").count(), 11, "{log}");
    // The calls that were not logged are counted, and the operator was informed while they came.
    assert!(log.contains("] calls_refused address=127.0.0.1 count=14 seconds="), "{log}");
    let told = site.json(&["log"]);
    let told: Vec<&str> = told.as_array().unwrap().iter().filter_map(|one| one["text"].as_str()).collect();
    let locked = "an address is locked after too many calls without the token";
    assert_eq!(told, [locked, "a client with the old token was refused"]);
    assert!(!log.contains(secret), "{log}");
}

#[test]
fn a_listener_belongs_to_the_address_that_calls() {
    let site = Site::new();
    site.ok(&["proxyclient", "add", "203.0.113.5", "--port", "5000"]);
    let serve = site.serve();
    let client = site.client(&serve);
    let port = |headers: &str| {
        let answer = client.call_from(&json!({"function": "proxy_client_config"}), headers);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["config"]["listen_port"].clone()
    };
    // Without a row there is no listener; the header of an untrusted caller is ignored.
    assert_eq!(port(""), json!(null));
    assert_eq!(port("X-Forwarded-For: 203.0.113.5\r\n"), json!(null));
    site.ok(&["config", "set", "api_trusted_proxies", "::1"]);
    assert_eq!(port("X-Forwarded-For: 203.0.113.5\r\n"), json!(5000));
    assert_eq!(port("X-Forwarded-For: 203.0.113.5, 198.51.100.1\r\n"), json!(null));
    site.ok(&["proxyclient", "add", "::1"]);
    assert_eq!(port(""), json!(65_433));
    assert_eq!(port("X-Forwarded-For: ::ffff:127.0.0.1\r\n"), json!(65_433));
}

#[test]
fn clients_behind_one_address_are_told_apart() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let key = openssl::pkey::PKey::generate_ed25519().unwrap().public_key_to_pem().unwrap();
    let key = String::from_utf8(key).unwrap();
    let call = |name: &str, mut members: serde_json::Value| {
        members["client_name"] = json!(name);
        client.ok(&members)
    };
    let begin = |session: &str| {
        json!({"function": "proxy_session", "events": [
            {"event": "begin", "session": session, "direction": "incoming", "pid": 1, "time": 1, "address": "x",
             "partner": "p", "ssid": "s", "subject": ""}]})
    };
    let states = || -> Vec<String> {
        let mut all = site.json(&["sessions"]).as_array().unwrap().clone();
        all.sort_by_key(|one| one["session"].to_string());
        all.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
    };
    call("one:/opt", begin("a"));
    call("two:/opt", begin("b"));
    call("two:/opt", json!({"function": "proxy_enrol", "public_key": key}));
    assert_eq!(states(), ["running", "orphaned"]);
    let end = |session: &str| {
        json!({"function": "proxy_session", "events": [{"event": "end", "session": session, "time": 2, "octets_in": 1,
         "octets_out": 1, "files": 0, "reason": "normal"}]})
    };
    call("one:/opt", end("b"));
    assert_eq!(states(), ["running", "ended"]);
    let said = site.run(&["token", "rotate"]).err;
    assert!(said.contains("127.0.0.1 one:/opt") && said.contains("127.0.0.1 two:/opt"), "{said}");
}
