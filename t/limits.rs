//! Deadlines and limits: silent peers are disconnected, those above a limit are refused, and neither of them keeps
//! others out or reaches the inside.

use oftp2peer::Partner;
use oftp2peer::oftp::report::{Ending, Report, Side};
use oftp2peer::oftp::settings::{Act, Misbehaviour, OutFile, Point, Settings};
use oftp2peer::transport::Break;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use t::loglines::Line;
use t::site::{Builder, Flight, PartnerEntry, Role, Site, sockets};
use t::wait::{PATIENCE, wait_for, wait_slow};

/// A source address that only this test uses, so that its sessions are recognised.
fn source(last: u8) -> IpAddr {
    [127, 0, 9, last].into()
}

fn from(site: &Site, last: u8, misbehaviour: Option<(Point, Act)>) -> Partner {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.dial.from = Some(source(last));
    partner.settings.misbehaviour = misbehaviour.map(|(at, act)| Misbehaviour { at, act });
    partner
}

/// A connection from this address that only sends these octets.
fn silent(site: &Site, last: u8, octets: &[u8]) -> TcpStream {
    let mut tcp = from(site, last, None).dial.open_tcp().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp.write_all(octets).unwrap();
    tcp
}

/// Waits until the other side closes.
#[track_caller]
fn wait_closed(mut tcp: TcpStream) {
    let end = tcp.read_to_end(&mut Vec::new());
    assert!(!end.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "{end:?}");
}

/// The values of `keys` in the server's line of `event` for this address.
#[track_caller]
fn fields<const N: usize>(site: &mut Site, event: &str, last: u8, keys: [&str; N]) -> [String; N] {
    let line = site.wait_log(Role::Server, &format!(" {event} *address=127.0.9.{last}:"));
    let line = Line::read(&line).unwrap();
    keys.map(|key| line.field(key).unwrap_or_default())
}

#[track_caller]
fn assert_09(report: &Report) {
    assert!(matches!(report.ending, Ending::Aborted { by: Side::Peer, reason: 9, .. }), "{report:?}");
}

#[test]
fn a_silent_peer_is_disconnected_at_its_deadline() {
    let seconds = [("handshake", "3"), ("ssid", "4"), ("buffer", "5"), ("silence", "8")];
    let mut builder = Builder::new("deadlines");
    for (name, value) in seconds {
        builder = builder.setting(&format!("proxy_{name}_seconds"), value);
    }
    let mut site = builder.start().unwrap();
    let strangers = [silent(&site, 1, b""), silent(&site, 2, b"\x16\x03\x01\x02")];
    let calls: Vec<_> = [
        (Point::Ready, Act::Silence),
        (Point::Ready, Act::Send(b"\x10\0\0\x41X5O0013ACME".to_vec())),
        (Point::Started, Act::Send(b"\x10\0".to_vec())),
        (Point::Started, Act::Silence),
        (Point::Data(50_000), Act::Silence),
    ]
    .into_iter()
    .zip(3..)
    .map(|(misbehaviour, last)| {
        let partner = from(&site, last, Some(misbehaviour));
        let file = OutFile::octets("FILE", vec![0; 400_000]);
        std::thread::spawn(move || partner.send([file]))
    })
    .collect();
    let hints = [
        "no complete TLS handshake within 3 s; \
         it sent nothing: a partner that waits for SSRM is set up for OFTP without TLS",
        "no complete TLS handshake within 3 s",
    ];
    for (stranger, last) in strangers.into_iter().zip(1..) {
        wait_closed(stranger);
        let [reason, esid, detail] = fields(&mut site, "session_refused", last, ["reason", "esid", "detail"]);
        assert_eq!([reason.as_str(), &esid, &detail], ["timeout", "", hints[usize::from(last) - 1]]);
    }
    for (call, last) in calls.into_iter().zip(3..) {
        assert_09(&call.join().unwrap());
        if last < 5 {
            let [reason, esid, detail] =
                fields(&mut site, "session_refused", last, ["reason", "esid", "detail"]);
            assert_eq!([reason.as_str(), &esid, &detail], ["timeout", "09", "no SSID within 4 s"]);
            continue;
        }
        let [reason, esid, detail] = fields(&mut site, "session_end", last, ["reason", "esid", "detail"]);
        assert_eq!((reason.as_str(), esid.as_str()), ("timeout", "09"));
        let words = if last == 5 { "began an Exchange Buffer" } else { "nothing moved for too long" };
        assert!(detail.contains(words), "{detail}");
        assert_09(&site.station.as_ref().unwrap().next_report(PATIENCE).unwrap());
    }
    assert_eq!(site.station.as_ref().unwrap().connections(), 3);
    site.assert_works();
    site.end();
}

#[test]
fn a_hundred_silent_strangers_start_nothing_inside_and_keep_nobody_out() {
    let site = Site::start("strangers-100").unwrap();
    let parked = || {
        wait_for("four parked pairs, and the client's API worker", || {
            let children = site.children(Role::Client);
            (children.len() == 5 && site.children(Role::Server).len() == 4).then_some(children)
        })
    };
    let before = parked();
    // As many of each address as may be unverified, and in all fewer than the number from which connections are closed.
    let strangers: Vec<TcpStream> = (0..100).map(|at| silent(&site, 1 + at / 20, b"\x16")).collect();
    wait_for("a process for each stranger", || (site.children(Role::Server).len() >= 100).then_some(()));
    assert_eq!(site.children(Role::Client), before);
    let report = from(&site, 100, None).call();
    assert!(report.ending.is_normal(), "{report:?}");
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), 0);
    drop(strangers);
    parked();
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), 100);
    assert_eq!(site.station.as_ref().unwrap().connections(), 1);
    site.end();
}

#[test]
fn unverified_connections_of_one_address_are_limited() {
    let mut site = Builder::new("per-address")
        .setting("proxy_unverified_per_address", "2")
        .setting("proxy_penalty_exempt", "")
        .start()
        .unwrap();
    let strangers = [silent(&site, 1, b""), silent(&site, 1, b"")];
    for _ in 0..60 {
        wait_closed(silent(&site, 1, b""));
    }
    let report = from(&site, 2, None).call();
    assert!(report.ending.is_normal(), "{report:?}");
    let [reason, detail] = fields(&mut site, "session_refused", 1, ["reason", "detail"]);
    assert_eq!(reason, "capacity");
    assert!(detail.contains("of this address"), "{detail}");
    // A flood of refusals does not become a flood of lines.
    let lines = site.log(Role::Server).matches(" session_refused ").count();
    assert!((1..=40).contains(&lines), "{lines}");
    drop(strangers);
    wait_for("the address to be let in again", || {
        from(&site, 1, None).call().ending.is_normal().then_some(())
    });
    site.end();
}

#[test]
fn when_all_places_are_taken_a_strangers_connection_is_closed() {
    let settings = ["proxy_unverified_soft", "proxy_unverified_hard"];
    let mut site = settings
        .into_iter()
        .fold(Builder::new("in-all"), |site, name| site.setting(name, "3"))
        .setting("proxy_penalty_exempt", "")
        .start()
        .unwrap();
    let strangers = [1, 2, 2].map(|last| silent(&site, last, b"\x16"));
    wait_for("a process for each stranger", || (site.children(Role::Server).len() >= 3).then_some(()));
    assert!(from(&site, 4, None).call().ending.is_normal());
    let [reason, detail] = fields(&mut site, "session_refused", 2, ["reason", "detail"]);
    assert_eq!(reason, "capacity");
    assert!(detail.contains("needed its place"), "{detail}");
    drop(strangers);
    site.end();
}

#[test]
fn sessions_are_limited_for_a_partner_and_in_all() {
    for (name, in_all, other_passes) in [("per-partner", "2", true), ("sessions", "1", false)] {
        let partners = [("acme", "O0013ACME"), ("other", "O0013OTHER")];
        let mut site = Builder::new(name)
            .partners(partners.map(|(name, ssid)| PartnerEntry::new(name, ssid)))
            .setting("proxy_sessions_per_partner", "1")
            .setting("proxy_sessions", in_all)
            .start()
            .unwrap();
        let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
        let mut reasons = BTreeMap::new();
        for (partner, ssid) in partners {
            reasons.insert(partner, site.partner(ssid).unwrap().call().ending.reason());
        }
        let expected = if other_passes { Some(0) } else { Some(8) };
        assert_eq!(reasons, BTreeMap::from([("acme", Some(8)), ("other", expected)]), "{name}");
        let line = site.wait_log(Role::Server, "session_refused*reason=capacity");
        let line = Line::read(&line).unwrap();
        assert_eq!(
            (line.field("partner").as_deref(), line.field("esid").as_deref()),
            (Some("acme"), Some("08"))
        );
        // Each line names the setting to change.
        site.wait_log(Role::Server, "session_refused*partner=acme*(proxy_sessions_per_partner)");
        if !other_passes {
            site.wait_log(Role::Server, "session_refused*partner=other*(proxy_sessions)");
        }
        assert!(flight.land().unwrap().is_good());
        let again = || site.partner("O0013ACME").unwrap().call().ending.is_normal().then_some(());
        wait_for("room for one more session", again);
        site.end();
    }
}

#[test]
fn partners_that_connect_while_the_server_has_no_descriptors_wait() {
    let mut site = Site::start("descriptors").unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    site.limit_descriptors(Role::Server, 3);
    let call = std::thread::spawn(move || partner.call());
    site.wait_log(Role::Server, "listener_error listener=tls*it cannot accept");
    site.wait_rests(Role::Server, 3);
    // Nobody else connects, so nothing draws the server's attention to the port.
    site.limit_descriptors(Role::Server, 1024);
    let report = call.join().unwrap();
    assert!(report.ending.is_normal(), "{report:?}");
    // The pool may have been filled at the same time: the rule is the same for each listener.
    let log = site.log(Role::Server);
    let logged: Vec<String> = log
        .lines()
        .filter(|line| line.contains("it cannot accept"))
        .map(|line| Line::read(line).unwrap().field("listener").unwrap())
        .collect();
    let listeners: BTreeSet<&String> = logged.iter().collect();
    assert!(logged.contains(&"tls".to_owned()) && logged.len() == listeners.len(), "each once: {logged:?}");
    site.end();
}

#[test]
fn a_peer_that_does_not_read_is_disconnected_and_the_other_side_is_told() {
    for who in ["partner", "station"] {
        let stall = |at| Some(Misbehaviour { at, act: Act::Stall });
        let mut station = Settings::new("O0013STATION", "STATION");
        station.misbehaviour = stall(Point::Data(50_000)).filter(|_| who == "station");
        station.timeout = PATIENCE;
        let builder = Builder::new(&format!("{who}-stalls")).station(Some(station));
        let mut site = builder.setting("proxy_silence_seconds", "3").start().unwrap();
        let mut partner = from(&site, 1, None);
        // More octets than all buffers on the way can hold.
        let file = OutFile::octets("FILE", vec![0; 30_000_000]);
        let over = Arc::new(AtomicBool::new(false));
        let watch = {
            // The daemon's end of the connection that stalls. Only this end matters: the other side's connection ends
            // in the regular way, with the ESID.
            let (end, place) = if who == "partner" {
                (sockets::End::Local, site.tls)
            } else {
                (sockets::End::Remote, site.station_address)
            };
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let mut ends = false;
                wait_slow(Duration::from_mins(2), "the session's end", || {
                    ends |= sockets::ends_behind_octets(end, place).unwrap();
                    over.load(Relaxed).then_some(())
                });
                ends
            })
        };
        let ours = if who == "partner" {
            partner.settings.misbehaviour = stall(Point::Data(50_000));
            partner.settings.timeout = PATIENCE;
            site.station.as_ref().unwrap().queue().add_file(file);
            partner.call()
        } else {
            partner.send([file])
        };
        // If the reset does not arrive, a stalling station waits for it until its timeout.
        let theirs = site.station.as_ref().unwrap().next_report(2 * PATIENCE).unwrap();
        let (stalled, other) = if who == "partner" { (ours, theirs) } else { (theirs, ours) };
        // A connection whose octets were never read cannot end in the regular way. The kernel may lose the reset for a
        // peer that does not read: its rate limit for answers to unexpected segments suppresses the question that would
        // repeat the reset.
        over.store(true, Relaxed);
        assert!(!watch.join().unwrap(), "{who}: a regular end was queued");
        assert_eq!(stalled.ending, Ending::Misbehaviour, "{who}");
        assert!(matches!(stalled.close, None | Some(Break::Reset)), "{who}: {:?}", stalled.close);
        assert_09(&other);
        // Both daemons have the same deadline; the second one may receive the first one's ESID shortly before its own.
        let ends = [Role::Server, Role::Client].map(|role| site.wait_log(role, " session_end *esid=09"));
        assert!(ends.iter().any(|line| line.contains(" reason=timeout ")), "{who}: {ends:?}");
        site.end();
    }
}
