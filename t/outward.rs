//! The common parts of all tests of outgoing sessions: a site whose partners listen on loopback addresses, the partner
//! `acme` as a server there, and the station that calls it.

use oftp2peer::ca::Issued;
use oftp2peer::oftp::report::{Ending, Report};
use oftp2peer::oftp::settings::{Misbehaviour, Settings};
use oftp2peer::transport::dial::{Dial, Via};
use oftp2peer::{Partner, Running, Station};
use openssl::ssl::SslContext;
use t::site::{Builder, Role, Site};

/// The address where partners listen.
pub(crate) const HOST: &str = "127.0.0.1";

/// A site that may have partners on loopback addresses, not launched yet.
pub(crate) fn prepare(name: &str) -> Site {
    Builder::new(name).outgoing().prepare().unwrap()
}

/// Partner `acme`'s OFTP2.
pub(crate) fn acme() -> Settings {
    Settings::new("O0013ACME", "PARTNER")
}

/// The same with a fault.
pub(crate) fn faulty(misbehaviour: Misbehaviour) -> Settings {
    Settings { misbehaviour: Some(misbehaviour), ..acme() }
}

/// A partner as a server on `HOST`.
pub(crate) fn listening(settings: Settings, tls: Option<SslContext>) -> Running {
    Station { listen: format!("{HOST}:0"), tls, ..Station::new(settings) }.spawn().unwrap()
}

/// The request for a good certificate of `acme` on `HOST`.
pub(crate) fn request() -> oftp2peer::ca::Request {
    oftp2peer::ca::Request::new("acme").ssid("O0013ACME").host(HOST)
}

/// A good certificate for `HOST`.
pub(crate) fn certificate(site: &Site) -> Issued {
    site.authority.issue(&request()).unwrap()
}

/// TLS of a partner that presents this certificate and accepts ours.
pub(crate) fn tls(site: &Site, identity: &Issued) -> SslContext {
    identity.tls(&site.authority).unwrap().context().unwrap()
}

/// Adds a partner besides `acme`.
pub(crate) fn add(site: &Site, name: &str, port: u16, options: &[&str]) {
    let (ssid, port) = (format!("O0013{}", name.to_uppercase()), port.to_string());
    let row = ["partner", "add", name, "--ssid", &ssid, "--host", HOST, "--port", &port];
    site.api(&[&row[..], options].concat()).unwrap();
}

/// Adds `acme` with the address where it listens, and starts the site.
pub(crate) fn launch(mut site: Site, partner: &Running, options: &[&str]) -> Site {
    let port = partner.address().port().to_string();
    site.api(&["partner", "set", "acme", "--host", HOST, "--port", &port]).unwrap();
    if !options.is_empty() {
        site.api(&[&["partner", "set", "acme"], options].concat()).unwrap();
    }
    launch_as_it_is(&mut site);
    site
}

/// Starts the site with the partners of the table.
pub(crate) fn launch_as_it_is(site: &mut Site) {
    site.launch().unwrap();
    site.wait_log(Role::Client, "listener_open*local");
}

/// The station, which calls `to` with the proxy protocol `via`.
pub(crate) fn station(to: &impl ToString, via: Via) -> Partner {
    let dial = Dial { via: Some(via), ..Dial::to(to) };
    Partner::new(dial, Settings::new("O0013STATION", "STATION"))
}

pub(crate) fn connect(site: &Site) -> Via {
    Via::Connect(site.outgoing.to_string())
}

pub(crate) fn socks(site: &Site) -> Via {
    Via::Socks5(site.outgoing.to_string())
}

/// The proxy's reason, if it refused.
pub(crate) fn refusal(report: &Report) -> &str {
    match &report.ending {
        Ending::Failed(words) => words,
        _ => "",
    }
}
