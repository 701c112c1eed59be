//! `os4xapi partner test`: a client has its server call a partner as a station would. Each step is reported in the
//! words of the log, and a failed step is the last one. The test counts as a session, and not as a refusal of the
//! partner.

use crate::outward::{
    HOST, acme, add, certificate, connect, faulty, launch, launch_as_it_is, listening, prepare, request,
    station, tls,
};
use oftp2peer::Running;
use oftp2peer::ca::Authority;
use oftp2peer::oftp::settings::{Act, Misbehaviour, Point, Settings};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;
use std::thread::spawn;
use std::time::{Duration, Instant, SystemTime};
use t::installation::closed_port;
use t::link::Dmz;
use t::site::{Builder, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{PATIENCE, wait_for};

/// The result of a test: the exit status of the command, the steps, and its message.
struct Told {
    status: i32,
    found: Value,
    message: String,
}

impl Told {
    /// The words of the successful steps.
    fn good(&self) -> Vec<&str> {
        let steps = self.found["steps"].as_array().unwrap().iter();
        steps.filter(|step| step["good"] == true).map(|step| step["step"].as_str().unwrap()).collect()
    }

    /// The last step.
    fn last(&self) -> &Value {
        self.found["steps"].as_array().unwrap().last().unwrap()
    }

    /// The finding of a step.
    fn text(&self, step: &str) -> &str {
        let mut steps = self.found["steps"].as_array().unwrap().iter();
        steps.find(|found| found["step"] == step).unwrap()["text"].as_str().unwrap()
    }
}

fn test(site: &Site, name: &str) -> Told {
    let output = site.api_command(&["partner", "test", name, "--json"]).output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    let found = serde_json::from_str(&found).unwrap_or_else(|_| panic!("{name}: {found}{message}"));
    Told { status: output.status.code().unwrap(), found, message }
}

/// The message of a command that does no test.
fn refused(site: &Site, name: &str) -> String {
    site.api(&["partner", "test", name]).unwrap_err().to_string()
}

fn silent() -> Settings {
    faulty(Misbehaviour { at: Point::Connected, act: Act::Silence })
}

/// The refusals of servers, as the backend counts them.
fn all_refused(site: &Site) -> Value {
    site.listed(&["refused"]).unwrap()
}

#[test]
fn a_partner_that_answers_passes_each_step_and_is_told_that_it_was_a_test() {
    let site = prepare("partner-test");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    let told = test(&site, "acme");
    assert_eq!(told.good(), ["name", "tcp", "tls", "certificate", "ssrm"]);
    assert!(told.status == 0 && told.found["good"] == true && told.message.is_empty(), "{}", told.message);
    assert_eq!(told.text("name"), format!("{HOST} is an address"));
    assert!(told.text("tcp").starts_with(&format!("connected to {}, from {HOST}", partner.address())));
    assert!(told.text("tls").starts_with("TLSv1.3 TLS_"), "{}", told.text("tls"));
    for words in ["CN=acme", " days left (until 2", "serverAuth", " < ", " (trusted); ", "valid until 2"] {
        assert!(told.text("certificate").contains(words), "{words}: {}", told.text("certificate"));
    }
    assert!(told.found["server"]["address"].is_string() && told.found["client"].is_string());
    let report = partner.next_report(PATIENCE).unwrap();
    assert_eq!(report.ending.reason(), Some(99), "{report:?}");
    assert!(report.octets_in < 61, "no SSID: {report:?}");
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_begin direction=outgoing*partner=acme *test=yes");
        let end = site.wait_log(role, "session_end direction=outgoing*partner=acme *test=yes");
        assert!(end.contains("reason=normal ") && end.contains("esid=99"), "{end}");
    }
    let listed = wait_for("its end in the session list", || {
        let listed: Vec<Value> = site.listed(&["sessions"]).unwrap();
        listed.into_iter().find(|session| session["state"] == "ended")
    });
    assert_eq!((&listed["station"], &listed["partner"]), (&json!("partner test"), &json!("acme")));
    let audit: Vec<Value> = site.listed(&["audit", "list"]).unwrap();
    assert_eq!(audit.iter().filter(|row| row["act"] == "partner test").count(), 1);
    // A change that was made just now is already tested.
    let gone = closed_port(HOST.parse().unwrap()).unwrap();
    for (port, status) in [(gone, 1), (partner.address().port(), 0)] {
        site.api(&["partner", "set", "acme", "--port", &port.to_string()]).unwrap();
        assert_eq!(test(&site, "acme").status, status);
    }
    // For people, and while sessions run.
    let table = site.api(&["partner", "test", "acme"]).unwrap();
    assert!(table.contains("STEP ") && table.contains("'os4xapi refused'"), "{table}");
    assert!(station(&"acme", connect(&site)).call().is_good());
    site.end();
}

#[test]
fn each_step_that_fails_is_the_last_one_and_says_what_the_log_says() {
    let mut site = Builder::new("partner-test-faults")
        .outgoing()
        .setting("proxy_handshake_seconds", "8")
        .setting("proxy_ssid_seconds", "4")
        .prepare()
        .unwrap();
    let good = tls(&site, &certificate(&site));
    let other = |name: &str| Authority::new(name).unwrap();
    let shown_by = |authority: &Authority, settings| {
        let identity = authority.issue(&request()).unwrap();
        listening(settings, Some(identity.tls(authority).unwrap().context().unwrap()))
    };
    let mut stale = other("Stale CA");
    let day = Duration::from_hours(24);
    let now = SystemTime::now();
    let outdated = stale.crl_between(now - 9 * day, now - day).unwrap();
    let file = site.file("stale.pem", &stale.certificate_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &file]).unwrap();
    let file = site.file("stale.crl", &outdated).unwrap();
    site.api(&["crl", "add", &file]).unwrap();
    let gone = closed_port(HOST.parse().unwrap()).unwrap();
    let web = TcpListener::bind((HOST, 0)).unwrap();
    let web_port = web.local_addr().unwrap().port();
    spawn(move || {
        let (mut tcp, _) = web.accept().unwrap();
        let _ = tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    let partners: Vec<Running> = vec![
        shown_by(&other("Foreign CA"), acme()),
        shown_by(&stale, acme()),
        listening(silent(), Some(good)),
    ];
    let port = |at: usize| partners[at].address().port();
    let cases = [
        ("nowhere", 1, "name", "", ""),
        ("gone", gone, "tcp", "partner-down", "Connection refused"),
        ("web", web_port, "tls", "protocol", "it speaks HTTP"),
        ("foreign", port(0), "certificate", "unknown-ca", "'os4xapi trust add FILE'"),
        ("stale", port(1), "certificate", "crl-expired", "'os4xapi crl list' says why"),
        ("silent", port(2), "ssrm", "timeout", "sent no SSRM within 4 s"),
    ];
    for (name, port, ..) in cases {
        add(&site, name, port, &[]);
    }
    site.api(&["partner", "set", "nowhere", "--host", "no-such-host.invalid"]).unwrap();
    launch_as_it_is(&mut site);
    for (name, _, step, reason, words) in cases {
        let begun = Instant::now();
        let told = test(&site, name);
        let steps = ["name", "tcp", "tls", "certificate", "ssrm"];
        let passed = steps.iter().position(|each| *each == step).unwrap();
        assert_eq!(told.good(), steps[..passed], "{name}");
        let last = told.last();
        let found = last["reason"].as_str().unwrap();
        assert!(last["step"] == step && last["good"] == false && found.contains(reason), "{name}: {last}");
        assert!(last["text"].as_str().unwrap().contains(words), "{name}: {last}");
        assert_eq!((told.status, &told.found["good"]), (1, &json!(false)), "{name}");
        assert!(told.message.contains(&format!("fails in step {step}: {found}. ")), "{}", told.message);
        assert!(told.found["remedy"].as_str().unwrap().ends_with('.'), "{name}");
        let line = site.wait_log(
            Role::Server,
            &format!("session_refused direction=outgoing reason={found}*test=yes partner={name} "),
        );
        let text = last["text"].as_str().unwrap().split('"').next().unwrap();
        assert!(line.contains(text), "{name}: {text} is not in {line}");
        site.wait_log(Role::Client, &format!("session_refused*address={name} *test=yes*reason={found}"));
        if step == "certificate" {
            assert!(told.text("tls").starts_with("TLSv1.3 TLS_"), "{}", told.text("tls"));
        }
        if step == "ssrm" {
            assert!(last["ms"].as_u64().unwrap() >= 3900 && begun.elapsed() < PATIENCE, "{last}");
        }
    }
    assert_eq!(all_refused(&site), json!([]), "a test is no refusal");
    let entries = site.api(&["log", "--json"]).unwrap();
    assert!(!entries.contains("session refused"), "nor has it an entry in the system log: {entries}");
    site.end();
}

#[test]
fn a_partner_that_is_called_without_tls_shows_no_certificate_and_one_that_declines_says_why() {
    let mut site = prepare("partner-test-plain");
    let plain = listening(acme(), None);
    let declining = raw_esid();
    add(&site, "plain", plain.address().port(), &["--tls", "no"]);
    add(&site, "declining", declining, &["--tls", "no"]);
    launch_as_it_is(&mut site);
    let told = test(&site, "plain");
    assert!(told.status == 0 && told.text("tls").contains("--tls no"), "{}", told.found);
    assert_eq!(told.text("certificate"), "without TLS it shows none");
    assert_eq!(plain.next_report(PATIENCE).unwrap().ending.reason(), Some(99));
    let told = test(&site, "declining");
    assert_eq!((&told.last()["step"], &told.last()["reason"]), (&json!("ssrm"), &json!("error-esid")));
    assert!(told.text("ssrm").contains("ESID 08 in place of its SSRM"), "{}", told.found);
    site.end();
}

/// The port of a partner without TLS that refuses the session: it sends an ESID instead of its SSRM.
fn raw_esid() -> u16 {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let _ = tcp.write_all(b"\x10\0\0\x0bF08000\r");
        let _ = tcp.read_to_end(&mut Vec::new());
    });
    port
}

#[test]
fn of_one_partner_there_is_one_test_at_a_time_and_ten_of_all_in_a_minute() {
    let mut site =
        Builder::new("partner-test-rate").outgoing().setting("proxy_ssid_seconds", "8").prepare().unwrap();
    let context = tls(&site, &certificate(&site));
    let partner = listening(silent(), Some(context));
    add(&site, "silent", partner.address().port(), &[]);
    let gone = closed_port(HOST.parse().unwrap()).unwrap();
    add(&site, "gone", gone, &[]);
    launch_as_it_is(&mut site);
    let mut first = site.api_command(&["partner", "test", "silent"]);
    let first = first.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    wait_for("the first test", || {
        let title = site.titled(Role::Client, "testing silent");
        (!title.is_empty()).then_some(())
    });
    let said = refused(&site, "silent");
    assert!(said.contains("is being tested: there is one test of a partner at a time"), "{said}");
    let other = test(&site, "gone");
    assert_eq!(other.last()["reason"], "partner-down", "another partner has a test of its own");
    let output = first.wait_with_output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("fails in step ssrm: timeout"), "{message}");
    // Two of the ten are over, and the refused one does not count.
    for _ in 0..8 {
        assert_eq!(test(&site, "gone").status, 1);
    }
    let said = refused(&site, "gone");
    assert!(
        said.contains("here were 10 tests in the last minute") && said.contains("try again in"),
        "{said}"
    );
    site.end();
}

#[test]
fn a_partner_that_is_never_called_is_not_tested_and_nothing_is_sent() {
    let mut site = prepare("partner-test-none");
    site.api(&["partner", "add", "off", "--ssid", "O0013OFF", "--host", HOST, "--enabled", "no"]).unwrap();
    launch_as_it_is(&mut site);
    for (name, words) in [
        ("acme", "has no host, so it is never called: 'os4xapi partner set acme --host HOST'"),
        ("acme", "'os4xapi refused' lists those that have failed"),
        ("off", "'os4xapi partner set off --enabled yes'"),
        ("nobody", "here is no partner 'nobody'"),
    ] {
        let said = refused(&site, name);
        assert!(said.contains(words), "{name}: {said}");
    }
    let audit: Vec<Value> = site.listed(&["audit", "list"]).unwrap();
    assert!(audit.iter().all(|row| row["act"] != "partner test"));
    site.api(&["partner", "set", "acme", "--host", HOST]).unwrap();
    let dry = site.api(&["partner", "test", "acme", "--dry-run"]).unwrap();
    assert!(dry.contains("Nothing was changed") && dry.contains("partner acme"), "{dry}");
    assert!(!site.log(Role::Server).contains("test=yes"));
    site.end();
}

/// Adds a host to `acme`, so that it can be tested.
fn list_host(site: &Site) {
    site.api(&["partner", "set", "acme", "--host", HOST]).unwrap();
}

#[test]
fn a_client_that_knows_no_tests_is_handed_none_and_named() {
    let mut site = Builder::new("partner-test-old-client").prepare().unwrap();
    list_host(&site);
    site.bring_up(Role::Api).unwrap();
    let members = json!({"generation": 0, "seconds": 1, "acts": ["end-session"]});
    let wait = || t::link::call(&site, "proxy_wait", &members).unwrap();
    wait();
    let said = refused(&site, "acme");
    assert!(said.contains("is too old for it: install this version there"), "{said}");
    assert!(!wait().contains("test-partner"));
    site.end();
}

#[test]
fn a_server_that_knows_no_tests_is_not_asked_and_named_with_its_version() {
    let mut site = Builder::new("partner-test-old-server").prepare().unwrap();
    list_host(&site);
    site.bring_up(Role::Api).unwrap();
    let welcome = json!({"version": 1, "acts": ["end-session"], "states": true});
    let mut dmz = Dmz::welcome(&mut site, &welcome).unwrap();
    wait_for("the API watcher", || site.watcher());
    let said = refused(&site, "acme");
    assert!(said.contains("is of an older version, which cannot do this: install"), "{said}");
    dmz.tell(&json!({"state": {"version": "0.0.7", "build": "20200101"}})).unwrap();
    let said = wait_for("its version", || {
        Some(refused(&site, "acme")).filter(|said| said.contains("of version 0.0.7 (20200101), which cannot"))
    });
    assert!(said.contains(&format!("the server {}", site.internal)), "{said}");
    drop(dmz);
    site.end();
}

#[test]
fn slow_a_service_or_a_client_that_says_nothing_is_named_with_when_it_was_heard_of() {
    let mut site = prepare("partner-test-old-serve");
    list_host(&site);
    let tamper = Tamper::before(&mut site).unwrap();
    tamper.set("proxy_wait", Conduct::older());
    site.launch().unwrap();
    let begun = Instant::now();
    let said = refused(&site, "acme");
    assert!(begun.elapsed() >= Duration::from_secs(10), "it was waited for");
    assert!(said.contains("or it or 'os4xapi serve' is too old for it; it was last heard of at 2"), "{said}");
    assert!(said.contains(" s ago"), "{said}");
    site.end();
}

#[test]
fn without_a_client_no_test_is_ordered() {
    let mut site = Builder::new("partner-test-no-client").prepare().unwrap();
    list_host(&site);
    site.bring_up(Role::Api).unwrap();
    let said = refused(&site, "acme");
    assert!(
        said.contains("o client has called this backend") && said.contains("(no client has ever called)"),
        "{said}"
    );
    site.end();
}
