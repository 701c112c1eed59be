//! Refusals by address: bans of the operator, which count more than everything else, and the networks of a partner.

use crate::outward::{acme, connect, launch, listening, prepare, station};
use common::text::clock;
use nix::sys::signal::Signal;
use oftp2peer::Partner;
use oftp2peer::oftp::report::Report;
use std::io::Read;
use std::net::TcpStream;
use std::time::Duration;
use t::loglines::Line;
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::wait::{PATIENCE, wait_for, wait_slow};

/// How long a change may take, as documented: 60 s between two requests, and a little more.
const REFRESH: Duration = Duration::from_secs(65);

/// The partner, connecting from this address.
fn from(site: &Site, address: [u8; 4]) -> Partner {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.dial.from = Some(address.into());
    partner
}

fn call(site: &Site, address: [u8; 4]) -> Report {
    from(site, address).call()
}

fn connected(site: &Site, address: [u8; 4]) -> TcpStream {
    let tcp = from(site, address).dial.open_tcp().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp
}

/// The fields of the server's first line about a refusal for this reason after `mark`.
pub(crate) fn refusal(site: &mut Site, mark: usize, reason: &str) -> impl Fn(&str) -> String + use<> {
    let line = site.wait_log_after(Role::Server, mark, &format!(" session_refused *reason={reason} "));
    move |key| Line::read(&line).unwrap().field(key).unwrap_or_default()
}

/// The source is exempt from penalties and in the partner's network: a ban counts more than both.
#[test]
fn a_banned_source_is_refused_before_tls_and_without_a_process_and_others_are_served() {
    let acme = PartnerEntry::new("acme", "O0013ACME").option("--network", "127.0.0.0/8");
    let mut site = Builder::new("banned").partners([acme]).prepare().unwrap();
    site.api(&["ban", "add", "127.45.0.0/16", "--description", "scanner"]).unwrap();
    site.launch().unwrap();
    site.wait_pool();
    let before = site.children(Role::Server);
    for _ in 0..60 {
        // It sends nothing, and is refused nevertheless.
        let end = connected(&site, [127, 45, 0, 1]).read(&mut [0]);
        assert!(!matches!(end, Ok(1..)), "{end:?}");
    }
    assert_eq!(site.children(Role::Server), before, "no process has served it");
    let field = refusal(&mut site, 0, "banned");
    assert!(field("address").starts_with("127.45.0.1:"), "{}", field("address"));
    assert_eq!((field("direction").as_str(), field("esid").as_str()), ("incoming", ""));
    assert!(field("detail").contains("os4xapi ban list"), "{}", field("detail"));
    assert!(!call(&site, [127, 45, 9, 9]).ending.is_normal());
    assert!(call(&site, [127, 46, 0, 1]).ending.is_normal());
    // The source gets no penalty, but its lines are limited.
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    let log = site.log(Role::Server);
    assert!(!log.contains("reason=penalty"), "{log}");
    assert!((1..=45).contains(&log.matches(" session_refused ").count()), "{log}");
    let line = site.wait_log(Role::Server, " strangers *");
    let number = |key| Line::read(&line).unwrap().field(key).unwrap().parse::<u32>().unwrap();
    assert!(number("banned") >= 60 && number("penalized") == 0, "{line}");
    site.end();
}

#[test]
fn a_ban_ends_by_itself_by_the_servers_clock_and_the_backend_drops_it() {
    let mut site = Builder::new("ban-until").prepare().unwrap();
    let until = clock::now() + 15;
    let said = site.api(&["ban", "add", "127.45.0.1", "--until", &clock::rfc3339(until)]).unwrap();
    assert!(said.contains("Ban of 127.45.0.1/32 added, until 20"), "{said}");
    site.api(&["ban", "add", "127.45.0.2", "--until", "2999-12-31"]).unwrap();
    site.launch().unwrap();
    let report = call(&site, [127, 45, 0, 1]);
    if clock::now() <= until {
        assert!(!report.ending.is_normal(), "{report:?}");
        assert_eq!(refusal(&mut site, 0, "banned")("esid"), "");
    }
    wait_slow(Duration::from_secs(15), "the end of the ban", || {
        call(&site, [127, 45, 0, 1]).ending.is_normal().then_some(())
    });
    assert!(clock::now() > until);
    let taken = site.log(Role::Server).matches(" config_taken ").count();
    assert_eq!(taken, 1, "the server needs no word of the backend");
    assert!(!call(&site, [127, 45, 0, 2]).ending.is_normal());
    site.wait_log(Role::Api, "ban_expired network=127.45.0.1/32");
    let left = site.api(&["ban", "list", "--json"]).unwrap();
    assert!(!left.contains("127.45.0.1/32") && left.contains("127.45.0.2/32"), "{left}");
    site.end();
}

#[test]
fn a_new_ban_is_in_force_within_65_seconds_and_lets_a_session_that_runs_go_on() {
    let mut site = Site::start("ban-running").unwrap();
    let flight = Flight::take_off(from(&site, [127, 45, 0, 1])).unwrap();
    let mark = site.mark(Role::Server);
    site.api(&["ban", "add", "127.45.0.1"]).unwrap();
    wait_slow(REFRESH, "the ban", || site.log(Role::Server)[mark..].contains(" config_taken ").then_some(()));
    assert!(!call(&site, [127, 45, 0, 1]).ending.is_normal());
    assert_eq!(refusal(&mut site, mark, "banned")("esid"), "");
    assert!(flight.land().unwrap().is_good());
    site.end();
}

#[test]
fn sessions_that_we_begin_ask_for_no_network_and_no_ban() {
    let site = prepare("bans-outgoing");
    let partner = listening(acme(), None);
    site.api(&["ban", "add", "127.0.0.0/8"]).unwrap();
    let site = launch(site, &partner, &["--tls", "no", "--network", "203.0.113.0/24"]);
    let report = station(&partner.address(), connect(&site)).call();
    assert!(report.ending.is_normal(), "{report:?}");
    site.end();
}

#[test]
fn a_partner_from_another_network_is_refused_and_the_line_has_the_remedy() {
    let acme = PartnerEntry::new("acme", "O0013ACME").option("--network", "127.50.0.0/16,127.51.0.1");
    let other = PartnerEntry::new("other", "O0013OTHER");
    let mut site = Builder::new("wrong-network").partners([acme, other]).start().unwrap();
    for address in [[127, 50, 9, 9], [127, 51, 0, 1]] {
        assert!(call(&site, address).ending.is_normal(), "{address:?}");
    }
    let report = call(&site, [127, 52, 0, 1]);
    assert_eq!(report.ending.reason(), Some(3), "{report:?}");
    let field = refusal(&mut site, 0, "wrong-network");
    assert_eq!((field("partner").as_str(), field("esid").as_str()), ("acme", "03"));
    let remedy = "os4xapi partner set acme --network 127.50.0.0/16,127.51.0.1/32,127.52.0.1";
    assert!(field("detail").contains(&format!("'{remedy}'")), "{}", field("detail"));
    // The operator is told, and other partners have no networks.
    wait_for("the entry in the system log", || {
        site.api(&["log", "--json"]).unwrap().contains("wrong-network").then_some(())
    });
    let mut other = site.partner("O0013OTHER").unwrap();
    other.dial.from = Some([127, 52, 0, 1].into());
    assert!(other.call().ending.is_normal());
    // The remedy works: a client that starts brings the new configuration.
    let words: Vec<&str> = remedy.split(' ').skip(1).collect();
    site.api(&words).unwrap();
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    site.bring_up(Role::Client).unwrap();
    assert!(call(&site, [127, 52, 0, 1]).ending.is_normal());
    site.end();
}
