//! A new generation of the configuration: it is in force at once, or within a minute if nobody announces it, and it is
//! taken completely or not at all. In tests where the test is the client, it sends the server one answer after the
//! other.

use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::settings::{OutFile, Settings};
use oftp2peer::transport::dial::{Dial, Via};
use oftp2peer::{Event, Partner, Station};
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener};
use std::time::Duration;
use t::installation::free_address;
use t::link::{Control, Dmz};
use t::loglines::Line;
use t::site::sockets::is_open;
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{PATIENCE, wait_for, wait_slow};

/// How long a change may take, as documented: 60 s between two requests, and a little more.
const REFRESH: Duration = Duration::from_secs(65);

/// A site whose client is this test. The server has the backend's configuration, which is also returned unchanged.
fn joined(builder: Builder) -> (Site, Control, Value) {
    let mut site = builder.prepare().unwrap();
    for role in [Role::Api, Role::Server] {
        site.bring_up(role).unwrap();
    }
    let mut control = Control::join(&site).unwrap();
    control.pass_config(&site).unwrap();
    site.wait_open();
    let sound = serde_json::from_str(&control.config(&site).unwrap()).unwrap();
    (site, control, sound)
}

/// Ends such a site: without its client the server has nobody to tell.
fn part(site: Site, control: Control) {
    drop(control);
    wait_for("the server to miss its client", || {
        site.log(Role::Server).contains(" client_gone ").then_some(())
    });
    site.end();
}

/// The configuration with this change, as the next generation.
fn changed(sound: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut answer = sound.clone();
    answer["config"]["generation"] = json!(sound["config"]["generation"].as_u64().unwrap() + 1);
    change(&mut answer["config"]);
    answer.to_string()
}

/// The configuration with `value` in one member.
fn with(sound: &Value, name: &str, value: Value) -> String {
    changed(sound, |config| config[name] = value)
}

/// The lines of this event after `mark`: level and reason of each.
fn logged(site: &Site, mark: usize, event: &str) -> Vec<(String, String)> {
    let log = site.log(Role::Server)[mark..].to_owned();
    let lines = log.lines().filter_map(Line::read).filter(|line| line.event() == event);
    lines.map(|line| (line.level.to_owned(), line.field("reason").unwrap_or_default())).collect()
}

/// Faulty generations, and the words of their reasons.
fn faulty(site: &Site, sound: &Value, taken: SocketAddr) -> Vec<(String, &'static str)> {
    let other = site.authority.issue(&Request::new("other")).unwrap();
    let other_key = String::from_utf8(other.key_pem().unwrap()).unwrap();
    let text = sound.to_string();
    let garbage = json!([{"name": "rotten", "pem": "garbage"}]);
    let own = |name, value: &str| with(sound, name, json!(value));
    let number = |name, value: u64| with(sound, name, json!(value));
    let limits = changed(sound, |config| config["limits"]["parked_pairs"] = json!(4_000_000_000_u32));
    let missing = changed(sound, |config| drop(config.as_object_mut().unwrap().remove("trusted")));
    vec![
        (number("tcp_port_tls", 70_000), "integer `70000`, expected u16"),
        (number("tcp_port_tls", 0), "tcp_port_tls is 0; it must be 1 to 65535"),
        (number("proxy_max_config_age", 0), "proxy_max_config_age is 0"),
        (limits, "parked_pairs is 4000000000; it must be 0 to 1000"),
        (own("key", &other_key), "private key towards partners does not belong to our certificate"),
        (own("key", "garbage"), "private key towards partners is no private key in PEM form"),
        (own("certificate", ""), "there is no certificate towards partners"),
        (with(sound, "trusted", garbage.clone()), "none of the 1 trusted certificates is in PEM form"),
        (with(sound, "crls", garbage), "none of the 1 CRLs is in PEM form"),
        (own("partners", &other_key), "invalid type: string ..., expected a sequence"),
        (missing, "missing field `trusted`"),
        (own("tcp_incoming_ip", "192.0.2.1"), "the TLS listener cannot be opened on 192.0.2.1"),
        (number("tcp_port_tls", taken.port().into()), "the TLS listener cannot be opened on "),
        (r#"{"ok":true}"#.to_owned(), "it takes either a configuration or 'unchanged'"),
        (r#"{"ok":true,"unchanged":false}"#.to_owned(), "it takes either a configuration or 'unchanged'"),
        (text.get(..text.len() / 2).unwrap().to_owned(), "EOF while parsing"),
        ("<html>It works!</html>".to_owned(), "expected value at line 1 column 1"),
    ]
}

#[test]
fn a_faulty_generation_is_refused_as_a_whole_and_reported_once() {
    let (mut site, mut control, sound) = joined(Builder::new("faulty"));
    let stranger = site.partner("O0013NEWCO").unwrap();
    let taken = TcpListener::bind((site.address, 0)).unwrap();
    let mut newco = sound["config"]["partners"][0].clone();
    (newco["short_name"], newco["ssid"]) = (json!("newco"), json!("O0013NEWCO"));
    let mut next = sound.clone();
    next["config"]["partners"].as_array_mut().unwrap().push(newco);
    let all = faulty(&site, &next, taken.local_addr().unwrap());
    for (answer, words) in &all {
        let mark = site.mark(Role::Server);
        for _ in 0..3 {
            control.hand_config(answer).unwrap();
        }
        control.hand_config(r#"{"ok":true,"unchanged":true}"#).unwrap();
        site.wait_log_after(Role::Server, mark, "config_confirmed generation=");
        let lines = logged(&site, mark, "config_refused");
        let [(level, reason)] = &lines[..] else { panic!("{words}: {lines:?}") };
        assert!(level == "ERROR" && reason.contains(words), "{words}: {reason}");
        assert!(reason.len() < 400 && !reason.contains("PRIVATE"), "{reason}");
        let closed = usize::from(words.contains("listener"));
        assert_eq!(logged(&site, mark, "listener_error").len(), closed, "{words}");
        assert_eq!(
            logged(&site, mark, "config_taken").len() + logged(&site, mark, "listener_closed").len(),
            0
        );
        // The old certificate, the old trusted CAs and the old partner table, in a newly forked process.
        assert_eq!(stranger.call().ending.reason(), Some(3), "{words}");
    }
    // Each of them was reported to the backend's system log, too.
    for (_, words) in all {
        let entry = loop {
            let message = control.receive().unwrap();
            let entry = &message["system-log"];
            if entry["text"] == "a generation of the configuration was refused" {
                break entry["detail"].as_str().unwrap().to_owned();
            }
        };
        assert!(entry.contains(words), "{words}: {entry}");
    }
    let mark = site.mark(Role::Server);
    control.hand_config(&changed(&next, |_| ())).unwrap();
    site.wait_log_after(Role::Server, mark, "config_taken generation=");
    part(site, control);
}

#[test]
fn a_single_unreadable_certificate_or_crl_is_skipped_and_named() {
    let (mut site, mut control, sound) = joined(Builder::new("skipped"));
    let rotten = |name: &str| json!({"name": name, "pem": "-----BEGIN X509 CRL-----\ngarbage"});
    let generation = sound["config"]["generation"].as_u64().unwrap() + 1;
    let mark = site.mark(Role::Server);
    let answer = changed(&sound, |config| {
        for (list, name) in [("trusted", "Rotten CA"), ("crls", "rotten list")] {
            config[list].as_array_mut().unwrap().insert(0, rotten(name));
        }
        config["partners"][0]["pins"] = json!([rotten("old pin")]);
    });
    control.hand_config(&answer).unwrap();
    site.wait_log_after(Role::Server, mark, &format!("config_taken generation={generation}"));
    let log = site.log(Role::Server)[mark..].to_owned();
    for what in [
        "trusted certificate Rotten CA is no certificate",
        "pinned certificate old pin is no certificate",
        "CRL rotten list is no CRL",
    ] {
        let named = format!("skipped in generation {generation}: \"{what} in PEM form\"");
        assert_eq!(log.matches(&named).count(), 1, "{named}: {log}");
        loop {
            let entry = control.receive().unwrap()["system-log"].clone();
            if entry["text"] == "a certificate or CRL of the configuration cannot be used" {
                break assert_eq!(entry["detail"], format!("{what} in PEM form"));
            }
        }
    }
    // The others are in force.
    assert_eq!(site.partner("O0013NEWCO").unwrap().call().ending.reason(), Some(3));
    part(site, control);
}

#[test]
fn an_empty_trust_list_lets_nobody_in() {
    let (mut site, mut control, sound) = joined(Builder::new("no-trust"));
    let mark = site.mark(Role::Server);
    control.hand_config(&with(&sound, "trusted", json!([]))).unwrap();
    site.wait_log_after(Role::Server, mark, "config_taken");
    assert!(!site.partner("O0013ACME").unwrap().call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=unknown-ca");
    part(site, control);
}

#[test]
fn the_listener_moves_between_one_address_and_all_of_them() {
    let (mut site, mut control, sound) = joined(Builder::new("wildcard"));
    let stranger = site.partner("O0013NEWCO").unwrap();
    let all = SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), site.tls.port());
    let everywhere = with(&sound, "tcp_incoming_ip", Value::Null);
    // Somebody else has the port on another address: the old listener was closed for a moment and is opened again.
    let other = TcpListener::bind((free_address().unwrap().ip(), site.tls.port())).unwrap();
    let mark = site.mark(Role::Server);
    control.hand_config(&everywhere).unwrap();
    site.wait_log_after(Role::Server, mark, &format!("listener_error listener=tls address={all}"));
    site.wait_log_after(Role::Server, mark, "config_refused");
    assert_eq!(stranger.call().ending.reason(), Some(3));
    assert_eq!(logged(&site, mark, "listener_closed"), []);
    drop(other);
    for (answer, old, new) in [(everywhere, site.tls, all), (sound.to_string(), all, site.tls)] {
        let mark = site.mark(Role::Server);
        control.hand_config(&answer).unwrap();
        site.wait_log_after(Role::Server, mark, "config_taken");
        let log = site.log(Role::Server)[mark..].to_owned();
        for line in [format!("closed listener=tls address={old}"), format!("open listener=tls address={new}")]
        {
            assert_eq!(log.matches(&format!("listener_{line}")).count(), 1, "{line}: {log}");
        }
        assert!(is_open(new) && !is_open(old));
        assert_eq!(stranger.call().ending.reason(), Some(3));
    }
    part(site, control);
}

/// The subject of the certificate that partners get.
fn shown(partner: &Partner) -> String {
    partner.dial.open().unwrap().tls_facts().unwrap().subject.unwrap()
}

/// Slow: about 65 s, one round of the 60 s refresh, which is no setting.
/// Waits until the client listens for stations at `address`, or the server for partners.
fn wait_listens(address: SocketAddr, what: &str) {
    wait_for(what, || is_open(address).then_some(()));
}

/// All waits here are shorter than the minute after which a change is noticed in any case.
#[test]
fn a_change_is_in_force_at_once_and_a_killed_watcher_is_replaced() {
    let site = Site::start("at-once").unwrap();
    let watcher = || wait_for("the API watcher", || site.watcher());
    let free = || TcpListener::bind((site.address, 0)).unwrap().local_addr().unwrap();
    let first = watcher();
    let tls = free();
    site.api(&["config", "set", "tcp_port_tls", &tls.port().to_string()]).unwrap();
    wait_listens(tls, "the server to listen elsewhere");
    nix::sys::signal::kill(first, nix::sys::signal::Signal::SIGKILL).unwrap();
    wait_for("another API watcher", || site.watcher().filter(|pid| *pid != first));
    let outgoing = free();
    let (ip, port) = (outgoing.ip().to_string(), outgoing.port().to_string());
    site.api(&["proxyclient", "add", "127.0.0.1", "--listen-ip", &ip, "--port", &port]).unwrap();
    wait_listens(outgoing, "the client to listen");
    let tls = free();
    site.api(&["config", "set", "tcp_port_tls", &tls.port().to_string()]).unwrap();
    wait_listens(tls, "the server to listen elsewhere once more");
    site.end();
}

/// An older server would treat the message as a fault.
#[test]
fn a_server_is_told_of_changes_if_it_supports_the_message() {
    for changes in [true, false] {
        let mut site = Builder::new("changes").prepare().unwrap();
        site.bring_up(Role::Api).unwrap();
        let mut dmz = Dmz::welcome(&mut site, &json!({"version": 1, "changes": changes})).unwrap();
        wait_for("the API watcher", || site.watcher());
        // The client then listens for stations, and requests pairs for them.
        let (ip, port) = (site.outgoing.ip().to_string(), site.outgoing.port().to_string());
        site.api(&["proxyclient", "add", "127.0.0.1", "--listen-ip", &ip, "--port", &port]).unwrap();
        let said = dmz.wait_message("want-outgoing").unwrap();
        assert_eq!(said.contains(&json!("config-changed")), changes, "{said:?}");
        drop(dmz);
        site.end();
    }
}

/// An older backend says that there is no such function.
#[test]
fn a_backend_that_cannot_tell_of_changes_is_asked_as_before() {
    let mut site = Builder::new("older-backend").prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    tamper.set("proxy_wait", Conduct::older());
    site.launch().unwrap();
    tamper.wait_calls("proxy_wait", 1);
    site.assert_works();
    assert!(!site.log(Role::Client).contains("proxy_wait"));
    let entries = site.api(&["log", "--json"]).unwrap();
    assert!(!entries.contains("proxy_wait"), "{entries}");
    site.end();
}

#[test]
fn changes_are_in_force_within_a_minute_and_sessions_run_on() {
    let patient = Duration::from_mins(5);
    let plain = Settings::new("O0013OUT", "PARTNER");
    let outside = Station { listen: "127.0.0.1:0".to_owned(), ..Station::new(plain) }.spawn().unwrap();
    let names = ["acme", "off", "gone", "revoked", "good"];
    let code = |name: &str| format!("O0013{}", name.to_uppercase());
    let builder = Builder::new("changes")
        .outgoing()
        .station(Some(Settings { timeout: patient, ..Settings::new("O0013STATION", "STATION") }))
        // The flight stops in the middle of an Exchange Buffer.
        .setting("proxy_buffer_seconds", "300")
        .partners(names.map(|name| PartnerEntry::new(name, &code(name))));
    let mut site = builder.prepare().unwrap();
    let port = outside.address().port().to_string();
    let out = ["--ssid", "O0013OUT", "--host", "127.0.0.1", "--port", &port, "--tls", "no"];
    site.api(&[&["partner", "add", "out"][..], &out].concat()).unwrap();
    let mut other = Authority::new("Other CA").unwrap();
    let crl = site.file("other.crl", &other.crl(30).unwrap()).unwrap();
    let ca = site.file("other.pem", &other.certificate_pem().unwrap()).unwrap();
    site.api(&["crl", "add", &crl]).unwrap();
    site.api(&["trust", "add", &ca, "--name", "other"]).unwrap();
    site.launch().unwrap();
    let foreign = other.issue(&Request::new("foreign").ssid("O0013GOOD")).unwrap();
    let mut foreign = site.partner_with("O0013GOOD", Some(&foreign)).unwrap();
    assert!(foreign.call().ending.is_normal());
    let partners = names.map(|name| {
        let identity = site.certificate(name, &code(name)).unwrap();
        (site.partner_with(&code(name), Some(&identity)).unwrap(), identity)
    });
    for (partner, _) in &partners {
        assert!(partner.send([OutFile::octets("FILE", *b"before")]).is_good());
    }
    let [(mut acme, _), (mut off, _), (mut gone, _), (mut revoked, identity), (mut good, _)] = partners;
    acme.settings.timeout = patient;
    assert!(!shown(&good).contains("CN=second"));
    let flight = Flight::take_off(acme.clone()).unwrap();

    let address: IpAddr = free_address().unwrap().ip();
    let second = site.authority.issue(&Request::new("second").host(&site.address.to_string())).unwrap();
    let chain = site.file("second.pem", &second.certificate_pem().unwrap()).unwrap();
    let key = site.file("second.key", &second.key_pem().unwrap()).unwrap();
    site.authority.revoke(&identity.certificate).unwrap();
    let mark = site.mark(Role::Server);
    site.publish_crl().unwrap();
    for change in [
        &["partner", "set", "off", "--enabled", "no"][..],
        &["partner", "remove", "gone"],
        &["trust", "remove", "other"],
        &["cert", "set", "--chain", &chain, "--key", &key],
        &["config", "set", "proxy_sessions_per_partner", "1"],
        &["config", "set", "tcp_outgoing_ip", "127.0.0.43"],
        &["config", "set", "tcp_incoming_ip", &address.to_string()],
    ] {
        site.api(change).unwrap();
    }
    // Each change may come in a separate generation: this is the last one.
    wait_slow(REFRESH, "the last generation", || {
        let moved = format!("listener_open listener=tls address={address}:");
        let log = site.log(Role::Server);
        let (_, then) = log[mark..].split_once(&moved)?;
        then.contains(" config_taken ").then_some(())
    });

    let old = site.tls;
    site.tls.set_ip(address);
    for partner in [&mut acme, &mut off, &mut gone, &mut revoked, &mut good, &mut foreign] {
        partner.dial.to = site.tls.to_string();
    }
    assert!(is_open(site.tls) && !is_open(old));
    assert_eq!(off.call().ending.reason(), Some(99));
    assert_eq!(gone.call().ending.reason(), Some(3));
    assert_eq!(acme.call().ending.reason(), Some(8), "its one session is in the air");
    assert!(!revoked.call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=revoked*CN=revoked");
    assert!(!foreign.call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=unknown-ca*CN=foreign");
    assert!(good.send([OutFile::octets("FILE", *b"after")]).is_good());
    assert!(shown(&good).contains("CN=second"), "{}", shown(&good));
    let to_outside = Dial { via: Some(Via::Connect(site.outgoing.to_string())), ..Dial::to(&"out") };
    let report = Partner::new(to_outside, Settings::new("O0013STATION", "STATION")).call();
    assert!(report.is_good(), "{report:?}");
    match outside.next_event(PATIENCE).unwrap() {
        Event::Connected { from, .. } => assert_eq!(from.ip().to_string(), "127.0.0.43"),
        Event::Ended(report) => panic!("{report:?}"),
    }
    // This session came by the old address, with the old limit and the old certificate.
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.end();
}
