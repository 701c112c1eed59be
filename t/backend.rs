//! A backend that fails: each failure of each function is reported once, the configuration in force stays in force,
//! nothing waits, and everything works again when the backend does.

use nix::sys::signal::Signal;
use oftp2peer::oftp::report::Ending;
use oftp2peer::oftp::settings::Settings;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use t::link::Dmz;
use t::loglines::Line;
use t::site::sockets::is_open;
use t::site::{Builder, Flight, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{wait_for, wait_slow};

/// Every function, in the order in which a start calls them.
const FUNCTIONS: [&str; 6] = [
    "proxy_enrol",
    "proxy_client_config",
    "proxy_config",
    "proxy_session",
    "proxy_system_log",
    "proxy_crl_url",
];

/// The ways in which any function may fail, and the words of the report.
fn faults() -> Vec<(Conduct, &'static str)> {
    let long = json!({"ok": false, "error": {"code": "internal", "message": "long ".repeat(500_000)}});
    vec![
        (Conduct::Cut, "broke the connection off"),
        (Conduct::Break, "broke the connection off"),
        (Conduct::Flood, "more than 167772160 octets"),
        (Conduct::body("<html>It works!</html>"), "not os4xapi's"),
        (Conduct::body("[]"), "not of the protocol"),
        (Conduct::body(r#"{"ok":"yes"}"#), "not of the protocol"),
        (Conduct::Answer(404, "<html>".to_owned()), "nothing at this path"),
        (Conduct::Answer(502, "<html>".to_owned()), "a web server in front"),
        (Conduct::Answer(500, long.to_string()), "answers 500 internal: long long"),
    ]
}

/// A prepared site, and the web server between its client and its backend.
fn tampered(builder: Builder) -> (Site, Tamper) {
    let mut site = builder.prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    (site, tamper)
}

/// The reasons in a daemon's lines of this event about this function.
fn reasons_in(log: &str, event: &str, function: &str) -> Vec<String> {
    let lines = log.lines().filter_map(Line::read).filter(|line| line.event() == event);
    let lines = lines.filter(|line| line.field("function").as_deref() == Some(function));
    lines.map(|line| line.field("reason").unwrap_or_default()).collect()
}

/// The line that says that a function works again: its counts.
fn recovery(site: &mut Site, mark: usize, function: &str) -> (u64, u64) {
    let pattern = format!("backend_recovered function={function} ");
    let line = site.wait_log_after(Role::Client, mark, &pattern);
    let line = Line::read(&line).unwrap();
    assert_eq!(line.level, "INFO");
    let count = |key| line.field(key).map_or(0, |text| text.parse().unwrap());
    (count("failures"), count("lost"))
}

#[test]
fn a_start_without_a_sound_backend_says_why_and_leaves_nothing() {
    let (mut site, tamper) = tampered(Builder::new("unsound-start"));
    for role in [Role::Api, Role::Server] {
        site.bring_up(role).unwrap();
    }
    let own = [
        ("proxy_enrol", json!({"ok": true}), "missing field `certificate`"),
        (
            "proxy_enrol",
            json!({"ok": true, "certificate": "PEM", "ca": "PEM", "proxies": [], "valid_seconds": 600}),
            "it is no certificate in PEM form",
        ),
        ("proxy_client_config", json!({"ok": true, "config": {"generation": "1"}}), "expected u64"),
    ];
    let own = own.map(|(function, answer, words)| (function, Conduct::body(&answer.to_string()), words));
    let edited = |name: &'static str, value: Value, words: &'static str| {
        let change = move |answer: &mut Value| answer["config"][name] = value.clone();
        ("proxy_client_config", Conduct::edit(change), words)
    };
    let edited = [
        edited("station_port", json!(70_000), "integer `70000`, expected u16"),
        edited("station_port", json!(0), "station_port is 0; it must be 1 to 65535"),
        edited("station_host", json!(""), "station_host is empty"),
        edited("networks", json!(["10.0.0.0/33"]), "networks holds '10.0.0.0/33'"),
    ];
    let expiring = Conduct::edit(|answer| answer["valid_seconds"] = json!(0));
    let every = ["proxy_enrol", "proxy_client_config"];
    let every = every
        .into_iter()
        .flat_map(|function| faults().into_iter().map(move |(conduct, words)| (function, conduct, words)));
    let all = every.chain(own).chain(edited).chain([("proxy_enrol", expiring, "it is valid for 0 s")]);
    for (function, conduct, words) in all {
        tamper.set(function, conduct);
        let output = site.detached(Role::Client).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{function}, {words}: {said}");
        let reason = said.lines().last().unwrap_or_default();
        assert!(
            reason.contains(&format!("{function} failed: ")) && reason.contains(words),
            "{words}: {said}"
        );
        wait_for("the PID file to go", || (!site.pid_file(Role::Client).exists()).then_some(()));
        tamper.set(function, Conduct::Pass);
    }
    site.restart(Role::Client).unwrap();
    site.wait_open();
    site.assert_works();
    site.end();
}

/// The messages that make a server's client call these functions.
fn orders() -> BTreeMap<&'static str, Value> {
    let entry = json!({"level": "ERROR", "text": "words", "detail": "words", "origin": "server", "host": "dmz",
        "pid": 1, "time": 1});
    let end = json!({"event": "end", "session": "00", "time": 1, "octets_in": 0, "octets_out": 0, "files": 0,
        "reason": "normal"});
    BTreeMap::from([
        ("proxy_crl_url", json!({"crl-url": {"url": "http://192.0.2.1/"}})),
        ("proxy_system_log", json!({"system-log": entry})),
        ("proxy_session", json!({"sessions": [end]})),
    ])
}

/// The entries of the client's system log about this function.
fn entries(tamper: &Tamper, event: &str, function: &str) -> usize {
    let begins = format!("{event} function={function} ");
    let calls = tamper.calls("proxy_system_log");
    let own = calls.iter().filter(|entry| entry["origin"] == "client");
    own.filter(|entry| entry["detail"].as_str().is_some_and(|detail| detail.starts_with(&begins))).count()
}

#[test]
fn a_function_that_fails_is_reported_once_and_its_recovery_too() {
    let (mut site, tamper) = tampered(Builder::new("reported-once"));
    site.bring_up(Role::Api).unwrap();
    // This test is the server: it decides when the client calls a function.
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    let orders = orders();
    let mut rounds = BTreeMap::new();
    for (conduct, words) in faults() {
        for function in ["proxy_config"].into_iter().chain(orders.keys().copied()) {
            // A report that the backend could not take is kept and sent again: that is another test. So is one that it
            // takes only once, and perhaps has taken.
            let is_again = match conduct {
                Conduct::Answer(500..=503, _) => orders.contains_key(function),
                Conduct::Cut | Conduct::Break => function == "proxy_session",
                _ => false,
            };
            if is_again {
                continue;
            }
            let round = rounds.entry(function).or_insert(0);
            *round += 1;
            let mark = site.mark(Role::Client);
            let call = |dmz: &mut Dmz, count: usize| {
                if let Some(order) = orders.get(function) {
                    let before = tamper.calls(function).len();
                    (0..count).for_each(|_| dmz.tell(order).unwrap());
                    tamper.wait_calls(function, before + count);
                    return None;
                }
                (0..count).map(|_| dmz.ask_config().unwrap()).last()
            };
            tamper.set(function, conduct.clone());
            let failed = call(&mut dmz, 3);
            assert!(failed.is_none_or(|answer| answer.unwrap_err().contains(words)), "{function}: {words}");
            tamper.set(function, Conduct::Pass);
            let answer = call(&mut dmz, 1);
            assert!(answer.is_none_or(|answer| answer.unwrap().contains("tcp_port_tls")), "{function}");
            let counts = recovery(&mut site, mark, function);
            assert_eq!(counts, (3, if function == "proxy_config" { 0 } else { 3 }), "{function}: {words}");
            let reasons = reasons_in(&site.log(Role::Client)[mark..], "backend_error", function);
            assert!(reasons.len() == 1 && reasons[0].contains(words), "{function}: {reasons:?}");
            assert!(reasons[0].len() <= 1000, "{}", reasons[0].len());
            wait_for("the entry of the recovery", || {
                (entries(&tamper, "backend_recovered", function) == *round).then_some(())
            });
            // A failure of the system log cannot be entered into the system log.
            let reported = if function == "proxy_system_log" { 0 } else { *round };
            assert_eq!(entries(&tamper, "backend_error", function), reported, "{function}");
        }
    }
    drop(dmz);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    site.end();
}

#[test]
fn reports_of_the_server_do_not_delay_its_questions() {
    let (mut site, tamper) = tampered(Builder::new("reports"));
    site.bring_up(Role::Api).unwrap();
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    tamper.set("proxy_session", Conduct::Stall);
    let order = &orders()["proxy_session"];
    // The worker may still be busy: a waiting question would be sent before reports.
    dmz.tell(order).unwrap();
    tamper.wait_calls("proxy_session", 1);
    for _ in 1..450 {
        dmz.tell(order).unwrap();
    }
    site.wait_log(Role::Client, "reports for the backend are lost: it accepts none by proxy_session");
    // One report is being sent, and has 10 s for it; 199 wait.
    let answer = dmz.ask_config().unwrap();
    assert!(answer.unwrap().contains("tcp_port_tls"));
    let reasons = reasons_in(&site.log(Role::Client), "backend_error", "proxy_session");
    assert!(matches!(&reasons[..], [one] if one.contains("did not answer within 10s")), "{reasons:?}");
    assert!(tamper.calls("proxy_session").len() < 5);
    tamper.set("proxy_session", Conduct::Pass);
    let (failures, lost) = recovery(&mut site, 0, "proxy_session");
    // Those that were being sent are sent again: the backend takes each session's end once.
    assert!(failures >= 1 && lost == 250, "{failures} {lost}");
    drop(dmz);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    site.end();
}

#[test]
fn reports_of_the_server_use_little_memory_of_the_client() {
    let (mut site, tamper) = tampered(Builder::new("large-reports"));
    site.bring_up(Role::Api).unwrap();
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    let long = |octets: usize| {
        let mut order = orders()["proxy_session"].clone();
        order["sessions"][0]["detail"] = json!("x".repeat(octets));
        order
    };
    for _ in 0..100 {
        dmz.tell(&long(70_000)).unwrap();
    }
    tamper.set("proxy_session", Conduct::Stall);
    // Fewer than the number that may wait.
    for _ in 0..190 {
        dmz.tell(&long(60_000)).unwrap();
    }
    site.wait_log(Role::Client, " WARN *for proxy_session is refused: it has 70*octets, 65536 are allowed");
    site.wait_log(Role::Client, "reports for the backend are lost: it accepts none by proxy_session");
    assert!(dmz.ask_config().unwrap().is_ok());
    let lines = site.log(Role::Client).matches("for proxy_session is refused").count();
    assert!((1..=9).contains(&lines), "{lines}");
    tamper.set("proxy_session", Conduct::Pass);
    let (failures, lost) = recovery(&mut site, 0, "proxy_session");
    let sent = u64::try_from(tamper.calls("proxy_session").len()).unwrap();
    // 4 MiB hold 69 of them, and each call that fails makes room for one more.
    assert!(sent <= 69 + failures && lost >= 190 - 69, "{sent} {failures} {lost}");
    drop(dmz);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    site.end();
}

#[test]
fn sessions_go_on_while_the_backend_is_away_and_are_reported_later() {
    let mut site = Site::start("backend-away").unwrap();
    site.signal(Role::Api, Signal::SIGKILL);
    site.wait_end(Role::Api);
    for _ in 0..3 {
        site.assert_works();
    }
    // Reports that could not be sent are logged and kept.
    let line = site.wait_log(Role::Client, "backend_error function=proxy_session ");
    assert!(line.contains("cannot be reached at"), "{line}");
    site.restart(Role::Api).unwrap();
    site.assert_works();
    let (failures, lost) = recovery(&mut site, 0, "proxy_session");
    assert!(failures >= 1 && lost == 0, "{failures} {lost}");
    assert_eq!(reasons_in(&site.log(Role::Client), "backend_error", "proxy_session").len(), 1);
    wait_for("four whole sessions in the list", || {
        let shown = site.api(&["sessions", "--json"]).unwrap();
        let sessions: Value = serde_json::from_str(&shown).unwrap();
        (sessions.as_array().unwrap().iter().filter(|one| one["reason"] == "normal").count() == 4)
            .then_some(())
    });
    wait_for("both entries in the system log", || {
        let log = site.api(&["log", "--json"]).unwrap();
        ["fails", "works again"]
            .iter()
            .all(|end| log.contains(&format!("a function of the backend {end}")))
            .then_some(())
    });
    site.end();
}

/// The interval of the requests for the configuration, and a little more.
const REFRESH: Duration = Duration::from_secs(65);

/// A site whose backend will fail in one way, with the expected reports and the calls so far.
struct Failing {
    site: Site,
    tamper: Tamper,
    marks: [usize; 2],
    rounds: usize,
    calls: usize,
    /// The server's event, and words of it.
    server: (&'static str, &'static str),
    /// Words of the client's lines about `proxy_config` (none: it passed the answer on) and `proxy_client_config`.
    client: [Option<&'static str>; 2],
}

/// Long time limits for sites that wait for several rounds; few parked pairs, because there are many sites.
fn patient(name: &str) -> Builder {
    let station = Settings { timeout: Duration::from_mins(5), ..Settings::new("O0013STATION", "STATION") };
    // The flight stops in the middle of an Exchange Buffer.
    let builder = Builder::new(name).station(Some(station)).setting("proxy_buffer_seconds", "300");
    builder.setting("proxy_parked_pairs", "1")
}

fn flight(site: &Site) -> Flight {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.timeout = Duration::from_mins(5);
    Flight::take_off(partner).unwrap()
}

/// A running site whose partner table changes at the moment when its backend begins to fail.
fn failing(
    name: &str,
    [config, client_config]: [Conduct; 2],
    server: (&'static str, &'static str),
    client: [Option<&'static str>; 2],
) -> Failing {
    let (mut site, tamper) = tampered(patient(name));
    // The first renewal of the client's certificate is due at half time.
    tamper.set("proxy_enrol", Conduct::edit(|answer| answer["valid_seconds"] = json!(100)));
    // Without `proxy_wait`, the client asks once a minute.
    tamper.set("proxy_wait", Conduct::older());
    site.launch().unwrap();
    let all = matches!(config, Conduct::Stall);
    for function in FUNCTIONS.into_iter().filter(|_| all) {
        tamper.set(function, Conduct::Stall);
    }
    tamper.set("proxy_enrol", client_config.clone());
    tamper.set("proxy_config", config);
    tamper.set("proxy_client_config", client_config);
    site.api(&["partner", "add", "newco", "--ssid", "O0013NEWCO"]).unwrap();
    let marks = [site.mark(Role::Server), site.mark(Role::Client)];
    let calls = tamper.calls("proxy_client_config").len();
    Failing { site, tamper, marks, rounds: if all { 1 } else { 2 }, calls, server, client }
}

impl Failing {
    /// The old configuration is still in force.
    #[track_caller]
    fn assert_unchanged(&self) {
        self.site.assert_works();
        let report = self.site.partner("O0013NEWCO").unwrap().call();
        assert_eq!(report.ending.reason(), Some(3), "{report:?}");
        let log = &self.site.log(Role::Server)[self.marks[0]..];
        for event in ["config_taken", "listener_closed", "client_gone"] {
            assert!(!log.contains(&format!(" {event} ")), "{event}: {log}");
        }
    }

    /// Waits until it has failed in each round, and checks the reports.
    fn wait_logged_once(&self) {
        let lines = |role: Role| {
            let mark = self.marks[usize::from(role == Role::Client)];
            self.site.log(role)[mark..].to_owned()
        };
        let (event, words) = self.server;
        let of_server = |log: &str| {
            let lines = log.lines().filter(|line| line.contains(&format!(" {event} ")));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        // In the last round the client asks for its own configuration at about the time of the server's.
        let rounds = self.calls + self.rounds;
        wait_slow(2 * REFRESH, &format!("{words} in each round"), || {
            let all = self.tamper.calls("proxy_client_config").len() >= rounds;
            let is_logged = !of_server(&lines(Role::Server)).is_empty();
            let client = lines(Role::Client);
            (all && is_logged && !backend_errors(&client, "proxy_client_config").is_empty()).then_some(())
        });
        let logged = of_server(&lines(Role::Server));
        assert!(logged.len() == 1 && logged[0].contains(words), "{logged:?}");
        let client = lines(Role::Client);
        for (function, words) in ["proxy_config", "proxy_client_config"].into_iter().zip(self.client) {
            let reasons = backend_errors(&client, function);
            let found: Vec<bool> =
                reasons.iter().map(|reason| words.is_some_and(|words| reason.contains(words))).collect();
            assert_eq!(found, vec![true; usize::from(words.is_some())], "{function}: {reasons:?}");
        }
        // Its certificate was renewed meanwhile; or it could not be, and the next attempt is in five minutes.
        let renewal = usize::from(self.client[0].is_some());
        assert_eq!(backend_errors(&client, "proxy_enrol").len(), renewal, "{client}");
        let renewed = lines(Role::Server).contains(" client_joined ");
        assert_eq!(renewed, renewal == 0, "{}", lines(Role::Server));
    }
}

fn backend_errors(log: &str, function: &str) -> Vec<String> {
    reasons_in(log, "backend_error", function)
}

/// Slow: about 130 s, two rounds of the 60 s refresh, which is no setting: a fault must occur twice to show that it is
/// reported once.
#[test]
fn slow_a_backend_that_fails_leaves_all_as_it_was() {
    let html = || Conduct::body("<html>It works!</html>");
    let config = |change: fn(&mut Value)| Conduct::edit(move |answer| change(&mut answer["config"]));
    let port = config(|config| config["tcp_port_tls"] = json!(70_000));
    let key = config(|config| config["key"] = json!("no key"));
    let sites = [
        failing("html", [html(), html()], ("backend_error", "not os4xapi's"), [Some("not os4xapi's"); 2]),
        failing(
            "cut",
            [Conduct::Cut, Conduct::Break],
            ("backend_error", "broke the connection off"),
            [Some("broke the connection off"); 2],
        ),
        failing(
            "port",
            [port, config(|config| config["station_port"] = json!(0))],
            ("config_refused", "expected u16"),
            [None, Some("station_port is 0")],
        ),
        failing(
            "key",
            [key, config(|config| config["limits"]["sessions"] = json!(0))],
            ("config_refused", "is no private key"),
            [None, Some("sessions is 0")],
        ),
        failing(
            "flood",
            [Conduct::Flood, Conduct::Answer(500, "<html>".to_owned())],
            ("backend_error", "more than 167772160 octets"),
            [Some("more than 167772160 octets"), Some("an error of a web server")],
        ),
        failing(
            "stall",
            [Conduct::Stall, Conduct::Stall],
            ("backend_error", "did not answer within 30s"),
            [Some("did not answer within 30s"); 2],
        ),
    ];
    let flights: Vec<Flight> = sites.iter().map(|failing| flight(&failing.site)).collect();
    sites.iter().for_each(Failing::assert_unchanged);
    sites.iter().for_each(Failing::wait_logged_once);
    sites.iter().for_each(Failing::assert_unchanged);
    for flight in flights {
        let report = flight.land().unwrap();
        assert!(report.is_good(), "{report:?}");
    }
    for failing in sites {
        // A call that hangs would delay the end.
        for function in FUNCTIONS {
            failing.tamper.set(function, Conduct::Pass);
        }
        failing.site.end();
    }
}

/// Slow: about 60 s until the server checks the age of its configuration, and up to 60 s more until it asks again.
#[test]
fn slow_a_configuration_that_is_too_old_lets_nobody_in_until_the_backend_is_back() {
    let (mut site, tamper) = tampered(patient("too-old"));
    // The smallest value of the backend's own setting is five minutes.
    tamper.set("proxy_config", Conduct::edit(|answer| answer["config"]["proxy_max_config_age"] = json!(1)));
    site.launch().unwrap();
    tamper.set("proxy_config", Conduct::Answer(503, "<html>".to_owned()));
    let flight = flight(&site);
    let log = wait_slow(REFRESH, "the configuration to be too old", || {
        Some(site.log(Role::Server)).filter(|log| log.contains(" config_expired "))
    });
    let line = log.lines().filter_map(Line::read).find(|line| line.event() == "config_expired").unwrap();
    assert_eq!((line.level, line.field("seconds").as_deref()), ("ERROR", Some("1")));
    site.wait_log(Role::Server, "listener_closed listener=tls*has not confirmed the configuration for 1 s");
    assert!(matches!(site.partner("O0013ACME").unwrap().call().ending, Ending::Failed(_)));
    // Running sessions stay, and no pair waits for a partner that cannot come.
    wait_for("the parked pairs to go", || site.titled(Role::Server, "parked").is_empty().then_some(()));
    let entries = || tamper.calls("proxy_system_log");
    wait_for("the entry in the system log", || {
        let is_it = |entry: &Value| entry["text"] == "the configuration is too old and not in force any more";
        entries().iter().any(is_it).then_some(())
    });
    let mark = site.mark(Role::Server);
    tamper.set("proxy_config", Conduct::Pass);
    wait_slow(REFRESH, "the configuration to be taken again", || {
        site.log(Role::Server)[mark..].contains(" config_taken ").then_some(())
    });
    site.assert_works();
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.end();
}

/// Slow: up to 65 s, the time until the server asks again.
#[test]
fn slow_a_server_that_gets_no_configuration_at_its_start_gets_it_when_the_backend_is_well() {
    let (mut site, tamper) = tampered(patient("no-config"));
    tamper.set("proxy_config", Conduct::body("<html>It works!</html>"));
    for (role, up) in
        [(Role::Api, "listening on"), (Role::Server, "daemon_start"), (Role::Client, "server_joined")]
    {
        site.restart(role).unwrap();
        site.wait_log(role, up);
    }
    let line = site.wait_log(Role::Server, "backend_error function=proxy_config ");
    assert!(line.contains("an answer that is not os4xapi's"), "{line}");
    assert!(!is_open(site.tls));
    assert!(Site::title(site.pid(Role::Server)).ends_with("joined, not listening"));
    wait_for("the entry in the system log", || {
        (entries(&tamper, "backend_error", "proxy_config") == 1).then_some(())
    });
    tamper.set("proxy_config", Conduct::Pass);
    wait_slow(REFRESH, "the configuration to be taken", || {
        site.log(Role::Server).contains(" config_taken ").then_some(())
    });
    site.assert_works();
    assert_eq!(reasons_in(&site.log(Role::Server), "backend_error", "proxy_config").len(), 1);
    assert_eq!(recovery(&mut site, 0, "proxy_config"), (1, 0));
    site.end();
}

#[test]
fn a_companys_own_certificate_is_checked_by_the_systems_store() {
    let mut site = Builder::new("own-https").prepare().unwrap();
    // The certificate that the site shows to partners is from another CA than the backend's, and names the backend's
    // address.
    let [chain, key, store] = ["proxy.pem", "proxy.key", "ca.pem"]
        .map(|name| site.directory().join("ca").join(name).to_string_lossy().into_owned());
    site.api(&["cert", "set", "https", "--chain", &chain, "--key", &key]).unwrap();
    let token = site.folder(Role::Client).join("token").to_string_lossy().into_owned();
    site.api(&["token", "show", "-o", &token]).unwrap();
    for (role, up) in [(Role::Api, "listening on"), (Role::Server, "daemon_start")] {
        site.restart(role).unwrap();
        site.wait_log(role, up);
    }
    // The system does not know that CA.
    let refused = site.detached(Role::Client).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(refused.status.code() == Some(1) && said.contains("certificate"), "{said}");
    let mut command = site.command(Role::Client);
    command.env("SSL_CERT_FILE", &store);
    site.start_as(Role::Client, command).unwrap();
    site.wait_open();
    site.assert_works();
    site.end();
}

#[test]
fn reports_that_the_backend_could_not_take_are_sent_again() {
    let (mut site, tamper) = tampered(Builder::new("again"));
    let page = r#"{"ok":false,"error":{"code":"internal","message":"Disk full."}}"#;
    for function in ["proxy_session", "proxy_system_log"] {
        tamper.set(function, Conduct::Answer(500, page.to_owned()));
    }
    site.launch().unwrap();
    for _ in 0..3 {
        site.assert_works();
    }
    assert!(!site.partner("O0013NOBODY").unwrap().call().ending.is_normal());
    tamper.wait_calls("proxy_session", 1);
    tamper.wait_calls("proxy_system_log", 1);
    let line = site.wait_log(Role::Client, "backend_error function=proxy_session ");
    assert!(line.contains("Disk full"), "{line}");
    for function in ["proxy_session", "proxy_system_log"] {
        tamper.set(function, Conduct::Pass);
    }
    for function in ["proxy_session", "proxy_system_log"] {
        let (failures, lost) = recovery(&mut site, 0, function);
        assert!(failures >= 1 && lost == 0, "{function}: {failures} {lost}");
    }
    wait_for("three whole sessions in the list, each once", || {
        let shown = site.api(&["sessions", "--json"]).unwrap();
        (shown.matches("\"normal\"").count() == 3).then_some(())
    });
    wait_for("the refusal in the system log, once", || {
        let log = site.api(&["log", "--json"]).unwrap();
        (log.matches("session refused: unknown-partner").count() == 1).then_some(())
    });
    site.end();
}
