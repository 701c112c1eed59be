//! Things that expire under a running server: its licence, our certificate towards partners, a trusted CA. Both logs
//! warn before. New sessions that need them are refused, running ones continue, and a renewal needs no restart.

use crate::outward::{acme, connect, launch, listening, refusal, station};
use nix::sys::signal::Signal;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::tls::Tls;
use serde_json::Value;
use std::time::{Duration, SystemTime};
use t::licence;
use t::loglines::Line;
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::wait::{wait_for, wait_slow};

const DAY: Duration = Duration::from_hours(24);
/// How often the server checks.
const LOOK: Duration = Duration::from_mins(1);
/// In these tests, things expire this long after their begin.
const LIFE: Duration = Duration::from_secs(40);

/// Waits until the system log has an entry with this text, whose detail has `detail`.
#[track_caller]
fn wait_system_log(site: &Site, text: &str, detail: &str) {
    let has =
        |entry: &Value, key: &str, part: &str| entry[key].as_str().is_some_and(|all| all.contains(part));
    wait_for(&format!("'{text}' in the system log"), || {
        let log: Vec<Value> = site.listed(&["log"]).unwrap();
        log.iter().any(|entry| has(entry, "text", text) && has(entry, "detail", detail)).then_some(())
    });
}

/// The server's next line with all `parts` after `mark`, within one interval of its checks; returns its level.
#[track_caller]
fn wait_look(site: &Site, mark: usize, parts: [&str; 2]) -> String {
    let line = wait_slow(LOOK, parts[0], || {
        let log = site.log(Role::Server);
        log[mark..].lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    });
    Line::read(&line).unwrap().level.to_owned()
}

#[test]
fn the_end_of_the_licence_is_announced_60_30_and_7_days_ahead() {
    let mut site = Site::start("licence-ahead").unwrap();
    for days in [100, 60, 30, 7] {
        site.signal(Role::Server, Signal::SIGTERM);
        site.wait_end(Role::Server);
        site.wait_end(Role::Client);
        // The whole days that are left while the test runs.
        licence::renew(&site, days * DAY + DAY / 2).unwrap();
        let mark = site.mark(Role::Server);
        for (role, up) in [(Role::Server, "daemon_start"), (Role::Client, "server_joined")] {
            let mark = site.mark(role);
            site.restart(role).unwrap();
            site.wait_log_after(role, mark, up);
        }
        site.wait_log_after(Role::Server, mark, "listener_open*tls");
        let log = site.log(Role::Server)[mark..].to_owned();
        let logged: Vec<Line> =
            log.lines().filter_map(Line::read).filter(|line| line.event() == "licence").collect();
        if days == 100 {
            assert_eq!(logged, [], "nobody is disturbed before it is time");
            continue;
        }
        assert_eq!(logged.len(), 1, "{log}");
        assert_eq!((logged[0].level, logged[0].field("days").unwrap()), ("WARN", days.to_string()));
        assert_eq!(logged[0].field("reason").unwrap(), "it expires soon");
        wait_system_log(&site, "the licence expires soon", &format!("days={days} "));
    }
    site.end();
}

/// A partner that presents a certificate of `old` and another CA's certificate for the key of `old`.
fn shown(site: &Site, old: &Authority, other: &Authority) -> oftp2peer::Partner {
    let cross = other.certify(old, &Request::authority("Old root")).unwrap();
    let leaf = old.issue(&Request::new("leaf")).unwrap();
    let chain = [leaf.certificate_pem().unwrap(), cross.to_pem().unwrap()].concat();
    let tls = Tls {
        identity: Some((chain, leaf.key_pem().unwrap())),
        trust: Some(site.authority.certificate_pem().unwrap()),
        ..Tls::default()
    };
    let mut partner = site.partner("O0013ANY").unwrap();
    partner.dial.tls = Some((tls.context().unwrap(), Some(site.address.to_string())));
    partner
}

/// Trusts a CA and adds its CRL.
fn trust(site: &Site, name: &str, authority: &mut Authority) {
    let certificate = authority.certificate_pem().unwrap();
    site.api(&["trust", "add", &site.file("trust.pem", &certificate).unwrap(), "--name", name]).unwrap();
    let crl = authority.crl(30).unwrap();
    site.api(&["crl", "add", &site.file("trust-crl.pem", &crl).unwrap()]).unwrap();
}

/// Slow: about 125 s, two of the checks that the server makes once a minute.
#[test]
fn slow_new_sessions_are_refused_after_an_expiry_until_the_renewal_and_sessions_run_on() {
    let patient = Duration::from_mins(5);
    let station_settings = Settings { timeout: patient, ..Settings::new("O0013STATION", "STATION") };
    let site = Builder::new("runs-out")
        .outgoing()
        .station(Some(station_settings))
        // The flight stops in the middle of an Exchange Buffer.
        .setting("proxy_buffer_seconds", "300")
        .partners([
            PartnerEntry::new("acme", "O0013ACME"),
            PartnerEntry::new("any", "O0013ANY").option("--certificate", "any"),
        ])
        .prepare()
        .unwrap();
    let own = Request::new("proxy").host(&site.address.to_string()).valid(-1, 20);
    let own = site.authority.issue(&own).unwrap();
    let chain = site.file("soon.pem", &own.certificate_pem().unwrap()).unwrap();
    let key = site.file("soon.key", &own.key_pem().unwrap()).unwrap();
    site.api(&["cert", "set", "--chain", &chain, "--key", &key]).unwrap();
    let end = SystemTime::now() + LIFE;
    let mut old = Authority::root(&Request { until: Some(end), ..Request::authority("Old root") }).unwrap();
    let mut other = Authority::new("Other root").unwrap();
    trust(&site, "old", &mut old);
    trust(&site, "other", &mut other);
    licence::renew(&site, LIFE).unwrap();
    // Everything that was made until here has expired then, however long that took.
    let end = SystemTime::now() + LIFE;
    let partner = listening(acme(), None);
    let mut site = launch(site, &partner, &["--tls", "no"]);
    let renewed = shown(&site, &old, &other);
    assert!(renewed.call().ending.is_normal());
    assert!(station(&"acme", connect(&site)).call().is_good());
    let mut acme = site.partner("O0013ACME").unwrap();
    acme.settings.timeout = patient;
    let flight = Flight::take_off(acme).unwrap();

    wait_slow(LIFE, "the end of the licence", || {
        (SystemTime::now() > end + Duration::from_secs(1)).then_some(())
    });
    let mark = site.mark(Role::Server);
    assert!(!site.partner("O0013ACME").unwrap().call().is_good());
    site.wait_log_after(
        Role::Server,
        mark,
        "session_refused direction=incoming reason=licence*the licence has expired",
    );
    let report = station(&"acme", connect(&site)).call();
    assert!(refusal(&report).contains("HTTP/1.1 503 licence: "), "{report:?}");
    assert_eq!(wait_look(&site, mark, [" licence holder=", "days=-1 reason=\"expired: "]), "ERROR");
    wait_system_log(&site, "the licence has expired", "days=-1 ");
    assert_eq!(wait_look(&site, mark, ["our certificate expires soon", " 19 days left"]), "WARN");
    wait_system_log(&site, "our certificate expires soon", "19 days left");
    // The same generation, built again without the expired root.
    wait_look(&site, mark, [" config_taken ", "generation="]);

    let mark = site.mark(Role::Server);
    licence::renew(&site, 365 * DAY).unwrap();
    assert_eq!(wait_look(&site, mark, [" licence holder=", "days="]), "INFO");
    site.assert_works();
    assert!(station(&"acme", connect(&site)).call().is_good());
    let report = renewed.call();
    assert!(report.ending.is_normal(), "the other root vouches for the key: {report:?}");
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.end();
}
