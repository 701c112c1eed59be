//! A partner, both daemons, a station: the purpose of a site, and what each side sees when the other one breaks off.

use nix::sys::signal::Signal;
use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::codec::{Level, hex};
use oftp2peer::oftp::report::{Ending, Outcome};
use oftp2peer::oftp::settings::{Act, Misbehaviour, OutFile, Point, Settings};
use oftp2peer::transport::Break;
use openssl::ssl::SslVersion;
use std::time::Duration;
use t::site::{Builder, Role, Site};
use t::wait::wait_for;

const PATIENCE: Duration = Duration::from_secs(20);

fn big() -> Vec<u8> {
    (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_file_goes_in_and_its_receipt_comes_back() {
    let mut site = Site::start("transfer").unwrap();
    let octets = big();
    let report = site.partner("O0013ACME").unwrap().send([OutFile::octets("BIG", &octets[..])]);
    assert!(report.is_good(), "{report:?}");
    assert!(report.receipt_for(&report.sent[0].id).is_some(), "{report:?}");
    let station = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
    assert_eq!(station.received[0].outcome, Outcome::Accepted);
    assert_eq!(station.received[0].sha256, hex(&openssl::sha::sha256(&octets)));
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_end*ssid=O0013ACME*files=1");
    }
    site.end();
}

#[test]
fn levels_versions_and_both_directions_pass() {
    let site = Site::start("levels").unwrap();
    for level in Level::ALL {
        for version in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
            let identity = site.certificate("partner", "O0013ACME").unwrap();
            let mut partner = site.partner_with("O0013ACME", Some(&identity)).unwrap();
            let tls = identity.tls(&site.authority).unwrap().only(version);
            partner.dial.tls = Some((tls.context().unwrap(), Some(site.address.to_string())));
            partner.settings =
                Settings { level, buffer: 2048, credit: 3, compression: true, ..partner.settings };
            let station = site.station.as_ref().unwrap();
            station.queue().add_file(OutFile::octets("DOWN", vec![b' '; 100_000]));
            let report =
                partner.send([OutFile::octets("UP", vec![b'x'; 100_000]), OutFile::octets("EMPTY", [])]);
            assert!(report.is_good() && report.received.len() == 1, "{report:?}");
            assert!(station.next_report(PATIENCE).unwrap().is_good());
        }
    }
    site.end();
}

#[test]
fn a_station_that_dies_is_a_break_to_the_partner() {
    let misbehaviour = Some(Misbehaviour { at: Point::Data(2_000_000), act: Act::Reset });
    let station = Settings { misbehaviour, ..Settings::new("O0013STATION", "STATION") };
    let mut site = Builder::new("station-dies").station(Some(station)).start().unwrap();
    let report = site.partner("O0013ACME").unwrap().send([OutFile::octets("BREAK", &big()[..])]);
    assert!(matches!(&report.ending, Ending::Broken(end) if *end != Break::CloseNotify), "{report:?}");
    site.wait_log(Role::Server, "session_end*ssid=O0013ACME");
    site.end();
}

#[test]
fn a_partner_that_breaks_off_is_a_break_to_the_station() {
    for (name, act) in [("cut", Act::Cut), ("reset", Act::Reset), ("close", Act::Close)] {
        let site = Site::start(&format!("partner-{name}")).unwrap();
        let mut partner = site.partner("O0013ACME").unwrap();
        partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Data(2_000_000), act });
        assert_eq!(partner.send([OutFile::octets("BREAK", &big()[..])]).ending, Ending::Misbehaviour);
        let report = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert_eq!(report.ending, Ending::Broken(Break::Reset), "{name}");
        site.end();
    }
}

#[test]
fn nobody_inside_is_told_about_a_stranger() {
    let mut site = Site::start("strangers").unwrap();
    let foreign = Authority::new("Foreign CA").unwrap().issue(&Request::new("f").ssid("O0013ACME")).unwrap();
    let other = site.certificate("other", "O0013OTHER").unwrap();
    for (ssid, identity, reason) in [
        ("O0013NOBODY", site.certificate("nobody", "O0013NOBODY").unwrap(), Some(3)),
        ("O0013ACME", other, Some(3)),
        ("O0013ACME", foreign, None),
    ] {
        let mark = site.mark(Role::Server);
        let report = site.partner_with(ssid, Some(&identity)).unwrap().call();
        assert_eq!(report.ending.reason(), reason, "{report:?}");
        site.wait_log_after(Role::Server, mark, "session_refused");
    }
    let mark = site.mark(Role::Server);
    assert!(!site.partner_with("O0013ACME", None).unwrap().call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused");
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    site.end();
}

#[test]
fn a_station_that_is_down_is_esid_08() {
    let mut site = Builder::new("station-down").station(None).start().unwrap();
    let report = site.partner("O0013ACME").unwrap().call();
    assert_eq!(report.ending.reason(), Some(8), "{report:?}");
    site.wait_log(Role::Server, "session_refused*ssid=O0013ACME*esid=08");
    site.end();
}

#[test]
fn many_sessions_at_a_time_leave_nothing_behind() {
    // From four addresses, because only 20 connections of one address may wait for their handshake.
    let site = Builder::new("parallel").start().unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    let threads: Vec<_> = (0..40)
        .map(|at| {
            let mut own = Partner::new(partner.dial.clone(), partner.settings.clone());
            own.dial.from = Some([127, 0, 7, 1 + at % 4].into());
            std::thread::spawn(move || own.send([OutFile::octets(&format!("FILE{at}"), vec![at; 50_000])]))
        })
        .collect();
    for thread in threads {
        let report = thread.join().unwrap();
        assert!(report.is_good(), "{report:?}");
    }
    for role in [Role::Server, Role::Client] {
        wait_for("an end of each session", || {
            (site.log(role).matches(" session_end ").count() == 40).then_some(())
        });
    }
    site.end();
}

#[test]
#[should_panic(expected = "os4x_proxyserver2 ended")]
fn waiting_for_a_line_notices_that_the_daemon_is_gone() {
    let mut site = Site::start("gone").unwrap();
    site.signal(Role::Server, Signal::SIGKILL);
    site.wait_log(Role::Server, "a line that never comes");
}
