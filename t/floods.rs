//! Strangers that take all places: they cannot keep out partners and clients that authenticate.

use nix::sys::signal::Signal;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, bind, connect, socket};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime};
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::{wait_for, wait_slow};

/// More than there are places.
const CROWD: usize = 100;

/// A connection from this address.
fn connected(from: IpAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).ok()?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(SocketAddr::new(from, 0))).ok()?;
    connect(socket.as_raw_fd(), &SockaddrStorage::from(to)).ok()?;
    Some(socket.into())
}

/// Connections that only send this; new ones are made while this value lives.
struct Crowd {
    stop: Option<Sender<()>>,
    dialled: Arc<AtomicUsize>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Crowd {
    fn new(from: &[[u8; 4]], to: SocketAddr, octets: &'static [u8]) -> Self {
        Self::of(CROWD, from, to, octets)
    }

    /// With this number of connections at the same time.
    fn of(size: usize, from: &[[u8; 4]], to: SocketAddr, octets: &'static [u8]) -> Self {
        let sources: Vec<IpAddr> = from.iter().map(|address| IpAddr::from(*address)).collect();
        let (stop, stopped) = channel();
        let dialled = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&dialled);
        let thread = thread::spawn(move || {
            let mut held = VecDeque::new();
            let mut pause = Duration::ZERO;
            let mut sources = sources.into_iter().cycle();
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                // A connection that was closed is replaced; the oldest one is dropped first.
                if held.len() >= size
                    && let Some(mut oldest) = held.pop_front()
                {
                    let _ = TcpStream::read(&mut oldest, &mut [0]);
                }
                if let Some(mut stream) = sources.next().and_then(|from| connected(from, to)) {
                    // A connection that was refused at once is gone already.
                    let _ = stream.write_all(octets);
                    held.push_back(stream);
                    counted.fetch_add(1, Ordering::Relaxed);
                    pause = Duration::ZERO;
                } else {
                    // Nobody listens at the moment.
                    pause = Duration::from_millis(10);
                }
            }
        });
        Self { stop: Some(stop), dialled, thread: Some(thread) }
    }

    /// Waits until this number of connections was made.
    fn wait(&self, count: usize) {
        wait_for("the crowd's connections", || (self.dialled.load(Ordering::Relaxed) >= count).then_some(()));
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[test]
fn silent_connections_from_the_dmz_keep_no_client_out() {
    let mut site = Site::start("neighbour").unwrap();
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    let neighbour = Crowd::new(&[[127, 0, 9, 9]], site.internal, b"");
    neighbour.wait(2 * CROWD);
    for _ in 0..3 {
        let mark = site.mark(Role::Server);
        site.restart(Role::Client).unwrap();
        site.wait_log_after(Role::Server, mark, "listener_open*tls");
        site.assert_works();
        site.signal(Role::Client, Signal::SIGTERM);
        site.wait_end(Role::Client);
        let before = neighbour.dialled.load(Ordering::Relaxed);
        neighbour.wait(before + CROWD);
    }
    drop(neighbour);
    // The lines about refusals are limited, however many there are.
    let refused = site.log(Role::Server).matches(" client_refused ").count();
    assert!(refused < 100, "{refused}");
    site.restart(Role::Client).unwrap();
    site.wait_open();
    site.end();
}

/// A site that treats loopback addresses like addresses of the internet.
fn exposed(name: &str) -> Site {
    Builder::new(name).setting("proxy_penalty_exempt", "").start().unwrap()
}

/// A partner's session from its own address.
fn call_from(site: &Site, from: [u8; 4]) -> bool {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.dial.from = Some(from.into());
    partner.call().ending.is_normal()
}

/// Twelve addresses of twelve networks, and of one: as many connections as possible.
#[test]
fn strangers_that_take_all_places_of_the_tls_port_keep_no_partner_out() {
    for (name, octets) in [("silent-crowd", &b""[..]), ("half-crowd", &b"\x16\x03\x01\x02\x00\x01"[..])] {
        let site = exposed(name);
        let networks: Vec<[u8; 4]> = (1..=12).map(|network| [127, 40, network, 7]).collect();
        let hosts = (1..=12).map(|host| [127, 41, 0, host]);
        let crowd = Crowd::of(500, &networks.into_iter().chain(hosts).collect::<Vec<_>>(), site.tls, octets);
        crowd.wait(1_000);
        for host in 1..=5 {
            assert!(call_from(&site, [127, 42, host, 1]), "{name} {host}");
        }
        // A source that was a partner's recently has its own place.
        assert!((0..5).all(|_| call_from(&site, [127, 42, 1, 1])));
        drop(crowd);
        let log = site.log(Role::Server);
        assert!(log.contains("others needed its place"), "{log}");
        assert_no_flood(&log);
        site.end();
    }
}

/// Connections from this address that send nothing.
fn silent(site: &Site, from: [u8; 4]) -> Vec<TcpStream> {
    let one = |_| {
        let stream = connected(from.into(), site.tls).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream
    };
    (0..5).map(one).collect()
}

/// The number of them that the server has not closed.
fn still_open(streams: &mut [TcpStream]) -> usize {
    let is_open = |stream: &mut TcpStream| {
        stream.read(&mut [0]).is_err_and(|why| why.kind() == std::io::ErrorKind::WouldBlock)
    };
    streams.iter_mut().map(is_open).filter(|is_open| *is_open).count()
}

/// Five connections of one address are more than any source of the crowd has: a stranger's would be closed.
#[test]
fn a_partner_keeps_its_places_in_a_flood_where_it_is_listed() {
    // The server looks up the name itself, in a separate process.
    for (name, option, value, hosts) in [
        (
            "listed-in-flood",
            "--network",
            "127.45.0.0/16",
            [[127, 45, 0, 1], [127, 45, 0, 2], [127, 45, 0, 3]],
        ),
        ("named-in-flood", "--host", "localhost", [[127, 0, 0, 1]; 3]),
    ] {
        let acme = PartnerEntry::new("acme", "O0013ACME").option(option, value);
        let mut site = Builder::new(name)
            .partners([acme])
            .setting("proxy_penalty_exempt", "")
            .setting("proxy_unverified_soft", "20")
            .setting("proxy_unverified_hard", "20")
            .prepare()
            .unwrap();
        site.bring_up(Role::Api).unwrap();
        site.bring_up(Role::Server).unwrap();
        site.signal(Role::Server, Signal::SIGTTIN);
        site.bring_up(Role::Client).unwrap();
        if option == "--host" {
            site.wait_log(Role::Server, "localhost has the addresses");
        }
        let [first, others @ ..] = hosts;
        let (mut listed, mut stranger) = (silent(&site, first), silent(&site, [127, 46, 0, 1]));
        let networks: Vec<[u8; 4]> = (1..=24).map(|network| [127, 40, network, 7]).collect();
        let crowd = Crowd::new(&networks, site.tls, b"\x16");
        crowd.wait(500);
        wait_for("the stranger to make way", || (still_open(&mut stranger) < 3).then_some(()));
        assert_eq!(still_open(&mut listed), 5, "{name}");
        assert!(others.into_iter().all(|host| call_from(&site, host)), "{name}");
        drop(crowd);
        // Their processes would wait for them until the deadline of the handshake.
        drop((listed, stranger));
        site.end();
    }
}

#[test]
fn strangers_that_fail_repeatedly_are_refused_with_few_lines() {
    let mut site = exposed("garbage");
    let crowd = Crowd::new(&[[127, 43, 0, 1], [127, 43, 1, 1]], site.tls, b"no TLS at all\r\n\r\n");
    crowd.wait(600);
    site.wait_log(Role::Server, "session_refused*reason=penalty");
    assert!(call_from(&site, [127, 44, 0, 1]));
    drop(crowd);
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    let line = site.wait_log(Role::Server, " strangers *");
    let line = Line::read(&line).unwrap();
    let number = |key| line.field(key).unwrap().parse::<u64>().unwrap();
    assert!(number("penalized") > 100 && number("unlogged") > 100, "{line:?}");
    let log = site.log(Role::Server);
    assert_no_flood(&log);
    // The entries for the backend are limited by the same count.
    let entries = site.api(&["log", "--json"]).unwrap();
    assert!(entries.matches("session refused").count() <= 40, "{entries}");
    site.end();
}

/// At most 100 lines in a second, whatever happens.
fn assert_no_flood(log: &str) {
    let mut seconds = std::collections::BTreeMap::new();
    for line in log.lines().filter(|line| line.contains(" session_refused ")) {
        *seconds.entry(line.get(..17).unwrap_or_default()).or_insert(0) += 1;
    }
    // A period of the count may be in two seconds of the clock.
    assert!(seconds.values().all(|lines| *lines <= 200), "{seconds:?}");
}

/// As fast as one thread connects; a ban is the cheapest refusal.
#[test]
fn a_flood_of_refusals_leaves_two_hundred_rows_a_minute_and_each_is_counted() {
    const COUNT: u16 = 3_000;
    let site = exposed("rows");
    site.api(&["ban", "add", "127.128.0.0/9"]).unwrap();
    let refused = || -> Vec<Value> { site.listed(&["refused", "--limit", "100000"]).unwrap() };
    wait_for("the ban to be in force", || {
        drop(connected(IpAddr::from([127, 200, 0, 1]), site.tls));
        (!refused().is_empty()).then_some(())
    });
    let sum = |rows: &[Value]| rows.iter().filter_map(|row| row["times"].as_u64()).sum::<u64>();
    let minute = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() / 60;
    let (before, begun) = (sum(&refused()), minute());
    for number in 0..COUNT {
        let [high, low] = number.to_be_bytes();
        wait_for("a connection", || connected(IpAddr::from([127, 201, high, low]), site.tls));
    }
    let rows = wait_slow(Duration::from_secs(15), "all to be counted", || {
        Some(refused()).filter(|rows| sum(rows) >= before + u64::from(COUNT))
    });
    let minutes = minute() - begun + 2;
    assert!(rows.len() as u64 <= 201 * minutes, "{} rows in {minutes} minutes", rows.len());
    assert!(rows.iter().any(|row| row["reason"] == "others"), "{rows:?}");
    site.assert_works();
    site.end();
}
