//! Partners behind a load balancer that names them by the PROXY protocol: HAProxy in front of the TLS port, and in
//! front of the station.

use crate::bans::refusal;
use common::net::proxy_header;
use oftp2peer::Partner;
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use t::installation::free_address;
use t::site::{Builder, PartnerEntry, Role, Site, SiteError};
use t::wait::{PATIENCE, wait_for, wait_slow};

/// Address from which the balancer connects.
const BALANCER: [u8; 4] = [127, 77, 0, 1];
const FROM: &str = "127.77.0.0/24";

/// HAProxy that passes connections on; `options` of `server` and of `bind`.
struct HaProxy {
    process: Child,
    at: SocketAddr,
    log: PathBuf,
}

impl HaProxy {
    fn start(site: &Site, bind: &str, to: SocketAddr, server: &str) -> io::Result<Self> {
        let at = free_address()?;
        let text = format!(
            "global\n log stdout format raw daemon\n\
             defaults\n mode tcp\n log global\n timeout connect 10s\n timeout check 10s\n\
              timeout client 60s\n timeout server 60s\n\
             listen hop\n bind {at} {bind}\n log-format \"from=%ci:%cp\"\n server next {to} {server}\n"
        );
        let file = |name: &str| site.directory().join(format!("haproxy-{}.{name}", at.port()));
        fs::write(file("cfg"), text)?;
        let log = file("log");
        let process = Command::new("/usr/sbin/haproxy")
            .args(["-db", "-f"])
            .arg(file("cfg"))
            .stdin(Stdio::null())
            .stdout(File::create(&log)?)
            .stderr(File::create(file("err"))?)
            .spawn()?;
        let started = Self { process, at, log };
        wait_for("HAProxy", || t::site::sockets::is_open(at).then_some(()));
        Ok(started)
    }

    /// In front of the TLS port.
    fn before_tls(site: &Site, options: &str) -> io::Result<Self> {
        Self::start(site, "", site.tls, &format!("source {} {options}", IpAddr::from(BALANCER)))
    }

    /// The partner, connecting to it from this address.
    fn partner(&self, site: &Site, from: [u8; 4]) -> Result<Partner, SiteError> {
        let mut partner = partner_at(site, from)?;
        partner.dial.to = self.at.to_string();
        Ok(partner)
    }

    /// Whether a session of the partner ends well.
    fn calls(&self, site: &Site, from: [u8; 4]) -> bool {
        self.partner(site, from).is_ok_and(|partner| partner.call().ending.is_normal())
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn behind(name: &str) -> Builder {
    Builder::new(name).setting("tcp_proxy_protocol_from", FROM)
}

/// The partner, connecting to the server from this address.
fn partner_at(site: &Site, from: [u8; 4]) -> Result<Partner, SiteError> {
    let mut partner = site.partner("O0013ACME")?;
    partner.dial.from = Some(IpAddr::from(from));
    Ok(partner)
}

/// A connection from this address that sends these octets.
fn sends(site: &Site, from: [u8; 4], octets: &[u8]) -> Result<TcpStream, Box<dyn Error>> {
    let mut tcp = partner_at(site, from)?.dial.open_tcp()?;
    tcp.set_read_timeout(Some(PATIENCE))?;
    tcp.write_all(octets)?;
    Ok(tcp)
}

fn is_closed(tcp: &mut TcpStream) -> bool {
    !matches!(tcp.read(&mut [0]), Ok(1..))
}

#[test]
fn a_partner_behind_a_balancer_is_known_by_its_own_address_in_either_version() {
    let acme = PartnerEntry::new("acme", "O0013ACME").option("--network", "127.45.0.0/16");
    let mut site = behind("balancer").partners([acme]).prepare().unwrap();
    site.api(&["ban", "add", "127.45.0.9"]).unwrap();
    site.launch().unwrap();
    for version in ["send-proxy-v2", "send-proxy"] {
        let mark = site.mark(Role::Server);
        let balancer = HaProxy::before_tls(&site, version).unwrap();
        assert!(balancer.calls(&site, [127, 45, 0, 1]), "{version}");
        let line = site.wait_log_after(Role::Server, mark, " session_begin ");
        assert!(line.contains(" address=127.45.0.1:"), "{line}");
        // Its networks and the bans are about the partner's address, not about the balancer's.
        assert!(!balancer.calls(&site, [127, 45, 0, 9]), "{version}");
        let field = refusal(&mut site, mark, "banned");
        assert!(field("address").starts_with("127.45.0.9:"), "{}", field("address"));
        assert!(!balancer.calls(&site, [127, 46, 0, 1]), "{version}");
        let field = refusal(&mut site, mark, "wrong-network");
        assert!(field("address").starts_with("127.46.0.1:"), "{}", field("address"));
    }
    let sessions = wait_for("the session list", || {
        let sessions = site.api(&["sessions", "--json"]).unwrap();
        sessions.contains("127.45.0.1:").then_some(sessions)
    });
    assert!(!sessions.contains("127.77.0.1:"), "{sessions}");
    site.end();
}

#[test]
fn the_limits_of_a_source_hold_for_each_partner_behind_the_balancer() {
    const LIMIT: usize = 5;
    let settings = behind("balancer-limits").setting("proxy_penalty_exempt", "");
    let mut site = settings.setting("proxy_unverified_per_address", &LIMIT.to_string()).start().unwrap();
    let balancer = HaProxy::before_tls(&site, "send-proxy-v2").unwrap();
    let silent = |from: [u8; 4]| balancer.partner(&site, from).unwrap().dial.open_tcp().unwrap();
    let held: Vec<TcpStream> = (0..=LIMIT).map(|_| silent([127, 45, 0, 1])).collect();
    let field = refusal(&mut site, 0, "capacity");
    assert!(field("detail").contains("proxy_unverified_per_address"), "{}", field("detail"));
    assert!(field("address").starts_with("127.45.0.1:"), "{}", field("address"));
    assert!(balancer.calls(&site, [127, 45, 1, 1]), "another partner");
    drop(held);
    site.end();
}

#[test]
fn health_checks_of_a_balancer_are_no_refusals() {
    let site = behind("balancer-probes").start().unwrap();
    site.wait_pool();
    let pool = site.children(Role::Server).len();
    let mark = site.mark(Role::Server);
    site.signal(Role::Server, nix::sys::signal::Signal::SIGTTIN);
    for check in ["send-proxy-v2 check inter 300ms", "send-proxy-v2 check check-send-proxy inter 300ms"] {
        drop(HaProxy::before_tls(&site, check).unwrap());
    }
    let with_tls =
        HaProxy::before_tls(&site, "send-proxy-v2 check check-send-proxy check-ssl verify none inter 300ms")
            .unwrap();
    wait_for("probes", || {
        (site.log(Role::Server)[mark..].matches(" probe address=127.77.0.1:").count() >= 9).then_some(())
    });
    assert!(with_tls.calls(&site, [127, 45, 0, 1]), "HAProxy takes the server for healthy");
    let log = site.log(Role::Server)[mark..].to_owned();
    assert!(!log.contains(" session_refused ") && !log.contains(" WARN "), "{log}");
    drop(with_tls);
    wait_for("the pool", || (site.children(Role::Server).len() == pool).then_some(()));
    assert_eq!(site.api(&["refused", "--json"]).unwrap().trim(), "[]");
    site.end();
}

#[test]
fn a_balancer_without_a_header_is_told_the_remedy_and_nobody_else_may_send_one() {
    let mut site = behind("balancer-headers").start().unwrap();
    for (octets, detail) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], "send-proxy-v2"),
        (b"PROXY TCP4 300.1.1.1 127.0.0.1 1 2\r\n", "malformed"),
        (b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\0\0\0\0\0\0\0\0\0\0\0\0", "not about TCP"),
    ] {
        let mark = site.mark(Role::Server);
        assert!(is_closed(&mut sends(&site, BALANCER, octets).unwrap()));
        let field = refusal(&mut site, mark, "proxy-header");
        assert!(field("detail").contains(detail), "{}", field("detail"));
        assert!(field("address").starts_with("127.77.0.1:"), "{}", field("address"));
    }
    // HAProxy that is not set up for it.
    let mark = site.mark(Role::Server);
    assert!(!HaProxy::before_tls(&site, "").unwrap().calls(&site, [127, 45, 0, 1]));
    assert!(refusal(&mut site, mark, "proxy-header")("detail").contains("tcp_proxy_protocol_from"));
    // A stranger that claims another address.
    let mark = site.mark(Role::Server);
    let source = SocketAddr::from(([127, 45, 0, 1], 40_000));
    let header = proxy_header::version_2(Some(source), Some(site.tls));
    let _stranger = sends(&site, [127, 78, 0, 1], &header).unwrap();
    let field = refusal(&mut site, mark, "protocol");
    assert!(field("address").starts_with("127.78.0.1:"), "{}", field("address"));
    assert!(field("detail").contains("tcp_proxy_protocol_from"), "{}", field("detail"));
    site.assert_works();
    site.end();
}

#[test]
fn slow_a_balancer_has_five_seconds_for_its_header() {
    let site = behind("balancer-slow").start().unwrap();
    let mut slow = sends(&site, BALANCER, b"PROXY TCP4 127.45.0.1 ").unwrap();
    let line = wait_slow(Duration::from_secs(5), "the limit", || {
        site.log(Role::Server).lines().find(|line| line.contains("reason=proxy-header")).map(str::to_owned)
    });
    assert!(line.contains("within 5 s"), "{line}");
    assert!(is_closed(&mut slow));
    site.assert_works();
    site.end();
}

#[test]
fn a_station_gets_the_partners_address_if_it_wants_it() {
    let mut site = behind("station-header").setting("proxy_station_proxy_protocol", "yes").prepare().unwrap();
    let port = site.api(&["config", "get", "tcp_port"]).unwrap();
    let host = site.api(&["config", "get", "proxy_station_host"]).unwrap();
    let station: SocketAddr = format!("{}:{}", host.trim(), port.trim()).parse().unwrap();
    let hop = HaProxy::start(&site, "accept-proxy", station, "").unwrap();
    site.api(&["config", "set", "tcp_port", &hop.at.port().to_string()]).unwrap();
    site.api(&["config", "set", "proxy_station_host", &hop.at.ip().to_string()]).unwrap();
    site.launch().unwrap();
    let balancer = HaProxy::before_tls(&site, "send-proxy-v2").unwrap();
    assert!(balancer.calls(&site, [127, 45, 0, 1]));
    assert!(partner_at(&site, [127, 46, 0, 1]).unwrap().call().ending.is_normal());
    wait_for("HAProxy's log", || {
        let log = fs::read_to_string(&hop.log).unwrap();
        (log.contains("from=127.45.0.1:") && log.contains("from=127.46.0.1:")).then_some(())
    });
    site.end();
}
