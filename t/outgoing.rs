//! A station reaches its partners through the DMZ: the three ways to say where to, the partner's certificate, and
//! nobody but partners.

use openssl::ssl::SslContext;
use std::time::Duration;
use t::ca::Issued;
use t::oftp::report::Fate;
use t::oftp::settings::{OutFile, Settings};
use t::peer::{Partner, Running, Station};
use t::site::{Builder, Role, Site};
use t::transport::dial::{Dial, Via};

const PATIENCE: Duration = Duration::from_secs(20);
const HOST: &str = "127.0.0.1";

/// A site that may have partners on loopback addresses, not launched yet.
fn prepare(name: &str) -> Site {
    Builder::new(name).outgoing().prepare().unwrap()
}

/// Partner `acme` as a server on `HOST`.
fn listening(settings: Settings, tls: Option<SslContext>) -> Running {
    Station { listen: format!("{HOST}:0"), tls, ..Station::new(settings) }.spawn().unwrap()
}

fn acme() -> Settings {
    Settings::new("O0013ACME", "PARTNER")
}

/// A good certificate for `HOST`.
fn certificate(site: &Site) -> Issued {
    site.authority.issue(&t::ca::Request::new("acme").ssid("O0013ACME").host(HOST)).unwrap()
}

fn tls(site: &Site, identity: &Issued) -> SslContext {
    identity.tls(&site.authority).unwrap().context().unwrap()
}

/// Lists `acme` where it listens, and starts the site.
fn launch(mut site: Site, partner: &Running, options: &[&str]) -> Site {
    let port = partner.address().port().to_string();
    let all = [&["partner", "set", "acme", "--host", HOST, "--port", &port], options].concat();
    site.api(&all).unwrap();
    site.launch().unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    site
}

/// The station, which calls `to` by `via`.
fn station(to: &impl ToString, via: Via) -> Partner {
    let dial = Dial { via: Some(via), ..Dial::to(to) };
    Partner::new(dial, Settings::new("O0013STATION", "STATION"))
}

fn connect(site: &Site) -> Via {
    Via::Connect(site.outgoing.to_string())
}

#[test]
fn a_file_goes_out_and_its_receipt_comes_back() {
    let site = prepare("outgoing");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    let report =
        station(&partner.address(), connect(&site)).send([OutFile::octets("OUT", vec![7; 1_000_000])]);
    assert!(report.is_good(), "{report:?}\n{}\n{}", site.log(Role::Server), site.log(Role::Client));
    assert!(report.receipt_for(&report.sent[0].id).is_some(), "{report:?}");
    let received = partner.next_report(PATIENCE).unwrap();
    assert_eq!(received.received[0].fate, Fate::Accepted);
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_begin direction=outgoing*partner=acme ssid=O0013ACME");
        site.wait_log(role, "session_end direction=outgoing*reason=normal*files=1");
    }
    site.end();
}
