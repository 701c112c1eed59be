//! Incoming sessions: every level and size of buffer, restart, receipts, and how either side and the log see an end, a
//! regular one or a break.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::codec::{Level, hex};
use oftp2peer::oftp::command::Format;
use oftp2peer::oftp::report::{Ending, Outcome, Report, Side};
use oftp2peer::oftp::settings::{Act, Answer, Misbehaviour, OutFile, Point, Settings};
use oftp2peer::transport::Break;
use oftp2peer::{Event, Partner};
use openssl::ssl::SslVersion;
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use t::loglines::Line;
use t::site::{Builder, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// SSRM with its header. The partner gets it from the server, so it is not in the counts of relayed octets.
const SSRM: &[u8] = b"\x10\0\0\x17IODETTE FTP READY \r";

fn incompressible(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(at) / 13 + at / 251).to_le_bytes()[0]).collect()
}

fn sha(octets: &[u8]) -> String {
    hex(&openssl::sha::sha256(octets))
}

fn station() -> Settings {
    Settings::new("O0013STATION", "STATION")
}

/// The fields of the first line with `pattern` after `mark`.
#[track_caller]
fn fields<const N: usize>(
    site: &mut Site,
    role: Role,
    mark: usize,
    pattern: &str,
    keys: [&str; N],
) -> [String; N] {
    let line = site.wait_log_after(role, mark, pattern);
    let line = Line::read(&line).unwrap();
    keys.map(|key| line.field(key).unwrap_or_default())
}

/// Ends a site after this number of sessions: each has its two lines in each daemon.
#[track_caller]
fn end(site: Site, sessions: usize) {
    for role in [Role::Server, Role::Client] {
        let of = |event: &str| -> BTreeSet<String> {
            let log = site.log(role);
            let lines: Vec<Line> =
                log.lines().filter_map(Line::read).filter(|line| line.event() == event).collect();
            let named: BTreeSet<String> = lines.iter().map(|line| line.field("session").unwrap()).collect();
            assert_eq!(lines.len(), named.len(), "one line a session: {lines:?}");
            named
        };
        wait_for("an end line of each session", || (of("session_end").len() >= sessions).then_some(()));
        assert_eq!(of("session_begin"), of("session_end"), "{}", role.binary());
        assert_eq!(of("session_begin").len(), sessions, "{}", role.binary());
    }
    site.end();
}

/// One session with `files` from both sides; compares what both report with the daemons' end lines.
#[track_caller]
fn exchange(site: &mut Site, partner: &Partner, up: Vec<OutFile>, down: Vec<OutFile>) -> Report {
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    let files = up.len() + down.len();
    let station = site.station.as_ref().unwrap();
    for file in down {
        station.queue().add_file(file);
    }
    let ours = partner.send(up);
    let theirs = station.next_report(PATIENCE).unwrap();
    assert!(ours.is_good() && theirs.is_good(), "{ours:?} {theirs:?}");
    assert_eq!(ours.sent.len() + theirs.sent.len(), files);
    for (one, other) in ours.sent.iter().zip(&theirs.received).chain(theirs.sent.iter().zip(&ours.received)) {
        assert_eq!((&one.sha256, one.octets), (&other.sha256, other.octets));
    }
    assert_eq!((ours.octets_out, ours.octets_in), (theirs.octets_in, theirs.octets_out));
    let expected = [
        ours.octets_out.to_string(),
        (ours.octets_in - SSRM.len() as u64).to_string(),
        files.to_string(),
        (ours.receipts.len() + theirs.receipts.len()).to_string(),
        "normal".to_owned(),
        String::new(),
    ];
    for (role, mark) in marks {
        let keys = ["octets_in", "octets_out", "files", "receipts", "reason", "esid"];
        assert_eq!(fields(site, role, mark, "session_end", keys), expected, "{ours:?}");
    }
    ours
}

#[test]
fn every_size_of_buffer_passes_at_every_level() {
    let mut site =
        Builder::new("sizes").station(Some(Settings { compression: true, ..station() })).start().unwrap();
    let identity = site.certificate("partner", "O0013ACME").unwrap();
    let mut sessions = 0;
    for level in Level::ALL {
        for (version, compression, buffer, credit, size) in [
            (SslVersion::TLS1_2, false, 128, 1, 5_000),
            (SslVersion::TLS1_3, true, 128, 1, 5_000),
            (SslVersion::TLS1_2, true, 2_048, 7, 60_000),
            (SslVersion::TLS1_3, false, 99_999, 999, 700_000),
            (SslVersion::TLS1_2, true, 99_999, 1, 700_000),
        ] {
            let mut partner = site.partner_with("O0013ACME", Some(&identity)).unwrap();
            let tls = identity.tls(&site.authority).unwrap().only(version);
            partner.dial.tls = Some((tls.context().unwrap(), Some(site.address.to_string())));
            partner.settings = Settings { level, compression, buffer, credit, ..partner.settings };
            let up = vec![
                OutFile::octets("MIXED", incompressible(size)),
                OutFile::octets("EMPTY", []),
                OutFile { format: Format::Fixed(80), ..OutFile::octets("FIXED", vec![b' '; 8_000]) },
                OutFile {
                    format: Format::Variable(500),
                    ..OutFile::octets("LINES", &b"one\ntwo\n\nfour"[..])
                },
            ];
            let down =
                vec![OutFile::octets("DOWN", incompressible(size + 1)), OutFile::octets("NOTHING", [])];
            let report = exchange(&mut site, &partner, up, down);
            assert_eq!(
                report.tls.unwrap().version,
                if version == SslVersion::TLS1_2 { "TLSv1.2" } else { "TLSv1.3" }
            );
            assert_eq!(report.close, Some(Break::CloseNotify));
            sessions += 1;
        }
    }
    let (mark, partner) = (site.mark(Role::Server), site.partner_with("O0013ACME", Some(&identity)).unwrap());
    exchange(&mut site, &partner, vec![], vec![]);
    let facts = fields(&mut site, Role::Server, mark, "session_begin", ["partner", "ssid", "subject", "tls"]);
    let subject = "O=SmartProxy test, CN=partner, serialNumber=O0013ACME";
    assert_eq!(facts[..3], ["acme", "O0013ACME", subject]);
    assert!(facts[3].starts_with("TLSv1.3 TLS_AES_"), "{}", facts[3]);
    end(site, sessions + 1);
}

#[test]
fn a_file_that_broke_off_goes_on_in_the_next_session() {
    let folder = std::env::temp_dir().join(format!("os4x-restart-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut settings = station();
    settings.intake.folder = Some(folder.clone());
    let mut site = Builder::new("restart").station(Some(settings)).start().unwrap();
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings = Settings { buffer: 2048, credit: 8, ..partner.settings };
    partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Data(300_000), act: Act::Reset });
    let file = OutFile { restart: true, ..OutFile::octets("RESTART", incompressible(600_000)) };
    assert_eq!(partner.send([file.clone()]).ending, Ending::Misbehaviour);
    let broken = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
    assert_eq!(
        (broken.ending, &broken.received[0].outcome),
        (Ending::Broken(Break::Reset), &Outcome::Unfinished)
    );
    for role in [Role::Server, Role::Client] {
        let [reason, files] = fields(&mut site, role, 0, "session_end", ["reason", "files"]);
        assert_eq!((reason.as_str(), files.as_str()), ("partner-broke", "0"), "{}", role.binary());
    }
    partner.settings.misbehaviour = None;
    let report = exchange(&mut site, &partner, vec![file], vec![]);
    assert!(report.sent[0].resumed_at > 200_000, "{report:?}");
    assert_eq!(report.sent[0].sha256, sha(&incompressible(600_000)));
    std::fs::remove_dir_all(&folder).unwrap();
    end(site, 2);
}

#[test]
fn refusals_of_the_station_and_its_receipts_pass() {
    let nerp = |settings: &mut Settings| settings.intake.answer = Answer::Nerp(34);
    let no_start = |settings: &mut Settings| settings.intake.refuse = Some((6, true));
    let no_end = |settings: &mut Settings| settings.intake.refuse_at_end = Some(13);
    let cases = [
        ("nerp", nerp as fn(&mut Settings), Outcome::Accepted, ["1", "0", "1"], Some(34)),
        ("sfna", no_start, refused(false, 6, true), ["0", "1", "0"], None),
        ("efna", no_end, refused(true, 13, false), ["0", "1", "0"], None),
    ];
    for (name, change, outcome, counts, nerp) in cases {
        let mut settings = station();
        change(&mut settings);
        let mut site = Builder::new(name).station(Some(settings)).start().unwrap();
        let report =
            site.partner("O0013ACME").unwrap().send([OutFile::octets("FILE", incompressible(9_000))]);
        assert_eq!(
            (&report.sent[0].outcome, report.ending.is_normal()),
            (&outcome, true),
            "{name}: {report:?}"
        );
        let receipt = report.receipt_for(&report.sent[0].id).and_then(|receipt| receipt.refusal.as_ref());
        assert_eq!(receipt.map(|refusal| refusal.reason), nerp, "{name}");
        for role in [Role::Server, Role::Client] {
            let keys = ["files", "files_refused", "receipts"];
            assert_eq!(fields(&mut site, role, 0, "session_end*reason=normal", keys), counts, "{name}");
        }
        end(site, 1);
    }
}

fn refused(at_end: bool, reason: u8, retry: bool) -> Outcome {
    Outcome::Refused { at_end, reason, retry, text: "refused by setting".to_owned() }
}

/// Invalid octets and the ESID for them at any point: an unknown command, no header, a command that is never allowed
/// there.
const RUBBISH: [(&[u8], u8); 3] = [(b"\x10\0\0\x05?", 1), (b"HTTP/1.1 200 OK\r\n", 2), (b"\x10\0\0\x05P", 2)];

#[test]
fn invalid_octets_in_mid_session_are_answered_on_both_sides_and_not_passed_on() {
    for (who, other) in [("partner", "station"), ("station", "partner")] {
        for (case, (at, (octets, reason))) in [Point::Started, Point::Data(50_000)]
            .into_iter()
            .flat_map(|at| RUBBISH.map(|one| (at, one)))
            .enumerate()
        {
            let misbehaviour = Some(Misbehaviour { at, act: Act::Send(octets.to_vec()) });
            let of_station = if who == "station" { misbehaviour.clone() } else { None };
            let settings = Settings { misbehaviour: of_station, credit: 1, buffer: 2048, ..station() };
            let mut site =
                Builder::new(&format!("rubbish-{who}-{case}")).station(Some(settings)).start().unwrap();
            let mut partner = site.partner("O0013ACME").unwrap();
            partner.settings.misbehaviour = misbehaviour.filter(|_| who == "partner");
            let ours = partner.send([OutFile::octets("FILE", incompressible(100_000))]);
            let theirs = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
            let (culprit, victim) = if who == "partner" { (&ours, &theirs) } else { (&theirs, &ours) };
            for report in [culprit, victim] {
                assert!(
                    matches!(&report.ending, Ending::Aborted { by: Side::Peer, reason: r, .. } if *r == reason),
                    "{who} {octets:?}: {other} {report:?}"
                );
            }
            // The daemon next to the offender finds it; the other one receives its ESID.
            let (near, far) =
                if who == "partner" { (Role::Server, Role::Client) } else { (Role::Client, Role::Server) };
            let esid = format!("{reason:02}");
            let violation = fields(&mut site, near, 0, " violation ", ["side", "esid"]);
            assert_eq!(violation, [who, &esid]);
            let end_line = fields(&mut site, near, 0, "session_end", ["reason", "esid"]);
            assert_eq!(end_line, [format!("{who}-violation"), esid.clone()]);
            assert_eq!(fields(&mut site, far, 0, "session_end", ["reason", "esid"]), ["error-esid", &esid]);
            end(site, 1);
        }
    }
}

/// Accepts the client's connection to the station.
#[track_caller]
fn take(listener: &TcpListener) -> TcpStream {
    let (tcp, _) = listener.accept().unwrap();
    tcp.set_read_timeout(Some(PATIENCE)).unwrap();
    tcp
}

#[test]
fn a_station_that_does_not_answer_as_it_should_is_esid_08() {
    let mut site =
        Builder::new("no-ssrm").station(None).setting("proxy_station_seconds", "2").start().unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    let at = site.station_address.to_string();
    let mut case = |act: Option<&dyn Fn(&mut TcpStream)>, reason: &str, words: &str| {
        let listener = act.is_some().then(|| TcpListener::bind(site.station_address).unwrap());
        let (server, client) = (site.mark(Role::Server), site.mark(Role::Client));
        let own = partner.clone();
        let call = std::thread::spawn(move || own.call());
        if let (Some(listener), Some(act)) = (listener, act) {
            let mut tcp = take(&listener);
            act(&mut tcp);
        }
        let report = call.join().unwrap();
        assert_eq!(report.ending.reason(), Some(8), "{words}: {report:?}");
        assert_eq!(report.close, Some(Break::CloseNotify), "{words}");
        let [told_reason, esid, detail] =
            fields(&mut site, Role::Server, server, "session_refused", ["reason", "esid", "detail"]);
        assert_eq!((told_reason.as_str(), esid.as_str()), ("station-down", "08"), "{words}");
        let [inside, text] = fields(&mut site, Role::Client, client, "session_refused", ["reason", "detail"]);
        assert_eq!(inside, reason, "{words}");
        assert!(text.contains(words) && detail.contains(words), "{words}: {text} | {detail}");
        for text in [text, detail] {
            assert!(text.contains(&at), "{words}: the station is not named: {text}");
        }
    };
    let wait_for_end = |tcp: &mut TcpStream| {
        let _ = tcp.read_to_end(&mut Vec::new());
    };
    case(None, "station-down", "was not reached");
    case(Some(&|_| {}), "station-down", "before its SSRM");
    case(Some(&wait_for_end), "station-down", "sent no SSRM in 2 s");
    let send = |octets: &'static [u8]| {
        move |tcp: &mut TcpStream| {
            tcp.write_all(octets).unwrap();
            wait_for_end(tcp);
        }
    };
    case(Some(&send(b"\x10\0\0\x08F08\r")), "station-down", "sent ESID 08 instead of SSRM");
    case(Some(&send(b"\x10\0\0\x0fF08004BUSY\r")), "station-down", "sent ESID 08 instead of SSRM");
    case(Some(&send(b"220 mail.example ESMTP\r\n")), "station-violation", "SSRM");
    case(Some(&send(b"\x10\0\0\x17IODETTE FTP READY \rmore")), "station-violation", "sent more data before");
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), 7);
    end(site, 0);
}

/// Reads the SSID, the station's first buffer.
fn read_ssid(tcp: &mut TcpStream) {
    let mut ssid = [0; 65];
    tcp.read_exact(&mut ssid).unwrap();
    assert_eq!(ssid[..6], *b"\x10\0\0\x41X5");
}

#[test]
fn a_station_that_ends_in_mid_session_is_a_break_to_the_partner() {
    let mut site = Builder::new("station-ends").station(None).start().unwrap();
    let listener = TcpListener::bind(site.station_address).unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    for last_words in [&b""[..], b"\x10\0", b"\x10\0\0\x41X5"] {
        let (server, own) = (site.mark(Role::Server), partner.clone());
        let call = std::thread::spawn(move || own.call());
        let mut tcp = take(&listener);
        tcp.write_all(SSRM).unwrap();
        read_ssid(&mut tcp);
        tcp.write_all(last_words).unwrap();
        drop(tcp);
        let report = call.join().unwrap();
        assert!(matches!(report.ending, Ending::Broken(Break::Reset | Break::Fin)), "{report:?}");
        assert_eq!(fields(&mut site, Role::Server, server, "session_end", ["reason"]), ["station-broke"]);
    }
    is_told_once_each(&site, 3);
    end(site, 3);
}

/// Both daemons see the break; the system log has one entry for each of these sessions, at the level of the line.
#[track_caller]
fn is_told_once_each(site: &Site, count: usize) {
    // Both reports of each have arrived: one was stored, one was left out.
    wait_for("the reports of both daemons", || {
        let log = site.log(Role::Api);
        (log.matches(" system_log_repeated ").count() == count).then_some(())
    });
    let entries: Vec<Value> = site.listed(&["log"]).unwrap();
    let sessions: BTreeSet<&str> = entries.iter().map(|entry| entry["session"].as_str().unwrap()).collect();
    assert_eq!((entries.len(), sessions.len()), (count, count), "{entries:?}");
    for entry in &entries {
        let text = |name: &str| entry[name].as_str().unwrap_or_default();
        assert_eq!([text("level"), text("reason"), text("event")], ["WARN", "station-broke", "session_end"]);
        assert_eq!([text("ssid"), text("partner")], ["O0013ACME", "acme"]);
    }
}

#[test]
fn a_partner_that_ends_in_mid_session_is_a_reset_to_the_station() {
    let mut site = Builder::new("partner-ends").station(None).start().unwrap();
    let listener = TcpListener::bind(site.station_address).unwrap();
    for act in [Act::Close, Act::Cut, Act::Reset] {
        let mut partner = site.partner("O0013ACME").unwrap();
        partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Started, act: act.clone() });
        let (client, call) = (site.mark(Role::Client), std::thread::spawn(move || partner.call()));
        let mut tcp = take(&listener);
        tcp.write_all(SSRM).unwrap();
        read_ssid(&mut tcp);
        tcp.write_all(b"\x10\0\0\x41X5O0013STATION             STATION 99999BNYN999N            \r").unwrap();
        let ended = tcp.read(&mut [0]);
        assert!(matches!(&ended, Err(e) if e.kind() == ErrorKind::ConnectionReset), "{act:?}: {ended:?}");
        call.join().unwrap();
        assert_eq!(fields(&mut site, Role::Client, client, "session_end", ["reason"]), ["partner-broke"]);
    }
    end(site, 3);
}

/// A session in which the partner sends nothing after the SSIDs, and the process that serves it in `role`.
#[track_caller]
fn silent_session(site: &mut Site, role: Role) -> (JoinHandle<Report>, u32) {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Started, act: Act::Silence });
    let mark = site.mark(role);
    let call = std::thread::spawn(move || partner.call());
    let begin = site.wait_log_after(role, mark, "session_begin");
    (call, Line::read(&begin).unwrap().pid)
}

#[test]
fn a_signal_to_a_session_is_for_that_session_alone() {
    let mut site = Site::start("signals").unwrap();
    for role in [Role::Server, Role::Client] {
        let mark = site.mark(role);
        let (call, pid) = silent_session(&mut site, role);
        let child = Pid::from_raw(pid.cast_signed());
        assert!(site.children(role).contains(&child));
        // 20: TRACE.
        kill(child, Signal::SIGTSTP).unwrap();
        site.wait_log_after(role, mark, &format!("[{pid}] level level=TRACE"));
        kill(child, Signal::SIGTERM).unwrap();
        let report = call.join().unwrap();
        assert_eq!(report.ending.reason(), Some(5), "{report:?}");
        let theirs = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert_eq!(theirs.ending.reason(), Some(5), "{theirs:?}");
        let keys = ["reason", "esid"];
        let end = format!("[{pid}] session_end");
        assert_eq!(fields(&mut site, role, mark, &end, keys), ["terminated", "05"]);
        let log = site.log(role);
        let traced: BTreeSet<u32> = log
            .lines()
            .filter_map(Line::read)
            .filter(|line| line.level == "TRACE")
            .map(|line| line.pid)
            .collect();
        assert_eq!(traced, BTreeSet::from([pid]));
    }
    end(site, 2);
}

#[test]
fn a_session_process_that_is_killed_has_its_line_and_breaks_both_ends() {
    let mut site = Site::start("killed").unwrap();
    for role in [Role::Server, Role::Client] {
        let mark = site.mark(role);
        let (call, pid) = silent_session(&mut site, role);
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL).unwrap();
        let report = call.join().unwrap();
        assert!(!report.ending.is_normal() && report.close != Some(Break::CloseNotify), "{report:?}");
        let Event::Connected { .. } = site.station.as_ref().unwrap().next_event(PATIENCE).unwrap() else {
            panic!()
        };
        let theirs = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert!(matches!(theirs.ending, Ending::Broken(_)), "{theirs:?}");
        let crashed = fields(&mut site, role, mark, "session_crashed", ["pid", "reason", "partner"]);
        assert_eq!(crashed, [pid.to_string(), "killed-by-SIGKILL".to_owned(), "acme".to_owned()]);
    }
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, " session_end ");
        let log = site.log(role);
        let lines = |event: &str| log.matches(&format!(" {event} ")).count();
        assert_eq!((lines("session_begin"), lines("session_end"), lines("session_crashed")), (2, 1, 1));
    }
    site.end();
}

#[test]
fn ipv6_is_spoken_on_every_way() {
    let mut site = Builder::new("ipv6").address("::1".parse().unwrap()).start().unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    exchange(&mut site, &partner, vec![OutFile::octets("UP", incompressible(5_000))], vec![]);
    let stranger = site.partner("O0013NOBODY").unwrap().call();
    assert_eq!(stranger.ending.reason(), Some(3));
    for event in ["session_begin", "session_refused"] {
        let [address] = fields(&mut site, Role::Server, 0, event, ["address"]);
        assert!(address.starts_with("[::1]:"), "{address}");
    }
    end(site, 1);
}
