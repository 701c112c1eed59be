//! Connections to the TLS port that are not from partners: health checks of a load balancer, port scans, and partners
//! that are not configured for TLS. The first two cause one line a minute; the line about the others has a hint.

use nix::sys::signal::Signal;
use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use t::loglines::Line;
use t::site::{Builder, Role, Site};

/// The lines of this event: the level, then these fields.
fn lines(site: &Site, event: &str, keys: &[&str]) -> Vec<Vec<String>> {
    let log = site.log(Role::Server);
    let found = log.lines().filter_map(Line::read).filter(|line| line.event() == event);
    let fields = |line: Line| {
        let values = keys.iter().map(|key| line.field(key).unwrap_or_default());
        std::iter::once(line.level.to_owned()).chain(values).collect()
    };
    found.map(fields).collect()
}

fn connect(place: SocketAddr) -> TcpStream {
    TcpStream::connect(place).unwrap()
}

#[test]
fn health_checks_are_counted_and_warn_of_nothing() {
    let mut site = Site::start("health").unwrap();
    site.signal(Role::Server, Signal::SIGTTIN);
    site.wait_log(Role::Server, "level level=DEBUG");
    // Children that are forked from now on log at DEBUG, too.
    site.assert_works();
    let mut peers = Vec::new();
    for reset in [false, true, false] {
        let mark = site.mark(Role::Server);
        let check = connect(site.tls);
        let address = check.local_addr().unwrap();
        if reset {
            common::sys::linger_reset(check.as_fd()).unwrap();
        } else {
            check.shutdown(Shutdown::Write).unwrap();
        }
        drop(check);
        site.wait_log_after(Role::Server, mark, &format!("probe address={address}"));
        peers.push(vec!["DEBUG".to_owned(), address.to_string()]);
    }
    // A parked child served each of them, and another child has replaced it.
    site.assert_works();
    assert_eq!(lines(&site, "probe", &["address"]), peers);
    assert_eq!(lines(&site, "session_refused", &[]), Vec::<Vec<String>>::new());
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    assert_eq!(lines(&site, "probes", &["count"]), [["INFO", "3"]]);
    site.wait_end(Role::Client);
    site.end();
}

#[test]
fn a_partner_that_speaks_no_tls_is_told_apart_in_the_reason() {
    let builder = Builder::new("no-tls").setting("proxy_handshake_seconds", "2");
    let mut site = builder.start().unwrap();
    for (octets, reason, hint) in [
        (
            &b"GET / HTTP/1.1\r\nHost: dmz\r\n\r\n"[..],
            "protocol",
            "it speaks HTTP or another protocol of text",
        ),
        (b"\x10\x00\x00\x17IODETTE FTP READY \r", "protocol", "it speaks OFTP without TLS"),
        (b"", "timeout", "it sent nothing: a partner that waits for SSRM is set up for OFTP without TLS"),
    ] {
        let mark = site.mark(Role::Server);
        let mut peer = connect(site.tls);
        peer.write_all(octets).unwrap();
        site.wait_log_after(Role::Server, mark, "session_refused");
        let [.., last] = &lines(&site, "session_refused", &["reason", "detail"])[..] else { panic!("none") };
        let [level, found, detail] = &last[..] else { panic!("{last:?}") };
        assert_eq!((level.as_str(), found.as_str()), ("WARN", reason), "{detail}");
        assert!(detail.contains(hint), "{detail}");
    }
    site.assert_works();
    site.end();
}
