//! Partner against Station: every level, plain and TLS, odd sizes, formats, faults.

use crate::ca::{Authority, Request};
use crate::oftp::codec::{Level, hex};
use crate::oftp::command::Format;
use crate::oftp::report::{Ending, Outcome, Report, Side};
use crate::oftp::settings::{Act, Answer, Authentication, Misbehaviour, OutFile, Point, Settings};
use crate::transport::Break;
use crate::transport::dial::Dial;
use crate::{Event, Partner, Running, Station};
use openssl::ssl::SslVersion;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder that is removed at the end of the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oftp2peer-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn partner_settings() -> Settings {
    Settings::new("O0013PARTNER", "SECRET1")
}

fn station_settings() -> Settings {
    Settings::new("O0013STATION", "SECRET2")
}

fn plain(partner: Settings, station: Settings) -> (Partner, Running) {
    let running = Station::new(station).spawn().unwrap();
    (Partner::new(Dial::to(&running.address()), partner), running)
}

fn incompressible(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(at) / 13 + at / 251).to_le_bytes()[0]).collect()
}

fn sha(octets: &[u8]) -> String {
    hex(&openssl::sha::sha256(octets))
}

fn both(partner: &Partner, running: &Running, files: Vec<OutFile>) -> (Report, Report) {
    let ours = partner.send(files);
    (ours, running.next_report(PATIENCE).unwrap())
}

#[test]
fn every_level_moves_files_and_receipts() {
    for level in Level::ALL {
        for compression in [false, true] {
            for (buffer, credit) in [(128, 1), (2048, 7), (99_999, 999)] {
                let settings = Settings { level, buffer, credit, compression, ..partner_settings() };
                let (partner, running) =
                    plain(settings, Settings { compression: true, ..station_settings() });
                let files = [incompressible(5_000), vec![b' '; 20_000]];
                let out =
                    files.iter().enumerate().map(|(at, f)| OutFile::octets(&format!("FILE{at}"), &f[..]));
                let (ours, theirs) = both(&partner, &running, out.collect());
                let what = format!("level {level}, compression {compression}, buffer {buffer}: {ours:?}");
                assert_eq!(ours.ending, Ending::Normal(Side::Us), "{what}");
                assert_eq!(theirs.ending, Ending::Normal(Side::Peer), "{what}");
                assert_eq!(ours.agreed.unwrap().level, level);
                for (at, octets) in files.iter().enumerate() {
                    assert_eq!(theirs.received[at].sha256, sha(octets), "{what}");
                    assert!(ours.receipt_for(&ours.sent[at].id).is_some(), "{what}");
                }
            }
        }
    }
}

#[test]
fn odd_sizes_pass_at_the_edges_of_buffers() {
    let (partner, running) =
        plain(Settings { credit: 2, buffer: 128, ..partner_settings() }, station_settings());
    let sizes = [0, 1, 62, 63, 64, 65, 124, 125, 126, 250, 251, 500, 1023, 1024, 1025];
    let out = sizes.iter().map(|&size| OutFile::octets(&format!("SIZE{size}"), incompressible(size)));
    let (ours, theirs) = both(&partner, &running, out.collect());
    assert!(ours.is_good(), "{ours:?}");
    for (&size, file) in sizes.iter().zip(&theirs.received) {
        assert_eq!((file.octets, &file.sha256), (size as u64, &sha(&incompressible(size))));
    }
}

#[test]
fn formats_count_their_records() {
    let lines = b"one\ntwo\n\nfour without end".to_vec();
    let cases = [
        (Format::Fixed(80), vec![b'x'; 800], 10),
        (Format::Variable(99_999), lines.clone(), 4),
        (Format::Text, lines.clone(), 0),
        (Format::Unstructured, lines, 0),
    ];
    for (format, octets, records) in cases {
        let (partner, running) = plain(partner_settings(), station_settings());
        let file = OutFile { format, ..OutFile::octets("FORMAT", &octets[..]) };
        let (ours, theirs) = both(&partner, &running, vec![file]);
        assert!(ours.is_good(), "{format:?} {ours:?}");
        assert_eq!(
            (ours.sent[0].records, &theirs.received[0].sha256),
            (records, &sha(&octets)),
            "{format:?}"
        );
    }
}

#[test]
fn a_file_that_broke_off_goes_on_where_it_ended() {
    for format in [Format::Unstructured, Format::Fixed(100), Format::Variable(2000)] {
        for level in Level::ALL {
            let folder = Folder::new(&format!("restart-{format:?}-{level}"));
            let mut settings = station_settings();
            settings.intake.folder = Some(folder.0.clone());
            let own = Settings { level, buffer: 2048, credit: 8, ..partner_settings() };
            let (mut partner, running) = plain(own, settings);
            let octets: Vec<u8> = incompressible(600_000)
                .into_iter()
                .enumerate()
                .map(|(at, o)| if at % 1000 == 999 { b'\n' } else { o | 1 })
                .collect();
            let file = OutFile { format, restart: true, ..OutFile::octets("RESTART", &octets[..]) };
            partner.settings.misbehaviour = Some(Misbehaviour { at: Point::Data(300_000), act: Act::Cut });
            let (broken, _) = both(&partner, &running, vec![file.clone()]);
            assert_eq!(
                (&broken.ending, &broken.sent[0].outcome),
                (&Ending::Misbehaviour, &Outcome::Unfinished)
            );
            partner.settings.misbehaviour = None;
            let (ours, theirs) = both(&partner, &running, vec![file]);
            assert!(ours.is_good(), "{format:?} {ours:?}");
            assert!(ours.sent[0].resumed_at > 200_000, "{format:?} {level} {ours:?}");
            assert_eq!(theirs.received[0].sha256, sha(&octets), "{format:?} {level}");
            assert_eq!(std::fs::read(theirs.received[0].path.as_ref().unwrap()).unwrap(), octets);
            assert_eq!(std::fs::read_dir(&folder.0).unwrap().count(), 1);
        }
    }
}

#[test]
fn tls_proves_both_ends_in_both_versions() {
    let authority = Authority::new("peer test").unwrap();
    let server = authority.issue(&Request::new("server").host("127.0.0.1")).unwrap().tls(&authority).unwrap();
    let client =
        authority.issue(&Request::new("client").ssid("O0013PARTNER")).unwrap().tls(&authority).unwrap();
    for (version, name) in [(SslVersion::TLS1_2, "TLSv1.2"), (SslVersion::TLS1_3, "TLSv1.3")] {
        let station = Station { tls: Some(server.context().unwrap()), ..Station::new(station_settings()) };
        let running = station.spawn().unwrap();
        let context = client.clone().only(version).context().unwrap();
        let tls = Some((context, Some("127.0.0.1".to_owned())));
        let partner = Partner::new(Dial { tls, ..Dial::to(&running.address()) }, partner_settings());
        let octets = incompressible(3_000_000);
        let (ours, theirs) = both(&partner, &running, vec![OutFile::octets("TLS", &octets[..])]);
        assert!(ours.is_good(), "{ours:?}");
        assert_eq!(theirs.received[0].sha256, sha(&octets));
        let facts = theirs.tls.unwrap();
        assert_eq!(facts.version, name);
        assert!(facts.subject.unwrap().contains("serialNumber=O0013PARTNER"));
        assert_eq!((ours.close, theirs.close), (Some(Break::CloseNotify), Some(Break::CloseNotify)));
    }
}

#[test]
fn tls_refuses_strangers_and_wrong_names() {
    let (authority, other) = (Authority::new("right").unwrap(), Authority::new("foreign").unwrap());
    let server = authority.issue(&Request::new("server").host("127.0.0.1")).unwrap().tls(&authority).unwrap();
    let station = Station { tls: Some(server.context().unwrap()), ..Station::new(station_settings()) };
    let running = station.spawn().unwrap();
    let mut foreign = other.issue(&Request::new("foreign")).unwrap().tls(&authority).unwrap();
    let call = |tls: &crate::transport::tls::Tls, name: &str| {
        let tls = Some((tls.context().unwrap(), Some(name.to_owned())));
        Partner::new(Dial { tls, ..Dial::to(&running.address()) }, partner_settings()).call().ending
    };
    assert!(matches!(call(&foreign, "127.0.0.1"), Ending::Broken(Break::Tls(_))));
    foreign.identity = None;
    assert!(matches!(call(&foreign, "127.0.0.1"), Ending::Broken(Break::Tls(_))));
    assert!(matches!(call(&server, "other.example"), Ending::Failed(_)));
    assert!(call(&server, "127.0.0.1").is_normal());
}

#[test]
fn answers_of_all_kinds() {
    let cases = [
        (Answer::Eerp, Level::Five, true, None),
        (Answer::Nerp(34), Level::Five, true, Some(34)),
        (Answer::Nerp(20), Level::Four, true, Some(20)),
        (Answer::Nothing, Level::Five, false, None),
    ];
    for (answer, level, has_receipt, nerp) in cases {
        let mut station = station_settings();
        station.intake.answer = answer;
        let (partner, running) = plain(Settings { level, ..partner_settings() }, station);
        let (ours, _) = both(&partner, &running, vec![OutFile::octets("ANSWER", &b"x"[..])]);
        assert!(ours.is_good(), "{answer:?} {ours:?}");
        let receipt = ours.receipt_for(&ours.sent[0].id);
        assert_eq!(receipt.is_some(), has_receipt, "{answer:?}");
        assert_eq!(receipt.and_then(|r| r.refusal.as_ref()).map(|r| r.reason), nerp);
    }
}

#[test]
fn a_receipt_may_come_in_the_next_session() {
    let mut station = station_settings();
    station.intake.answer = Answer::EerpLater;
    let (partner, running) = plain(partner_settings(), station);
    let (mut ours, _) = both(&partner, &running, vec![OutFile::octets("LATER", &b"x"[..])]);
    assert!(ours.receipts.is_empty());
    partner.await_receipts(&mut ours, PATIENCE);
    assert!(ours.receipt_for(&ours.sent[0].id).is_some());
}

#[test]
fn refused_files_leave_the_session_whole() {
    let mut station = station_settings();
    station.intake.refuse = Some((6, true));
    let (partner, running) = plain(partner_settings(), station);
    let (ours, _) = both(&partner, &running, vec![OutFile::octets("START", &b"x"[..])]);
    assert!(matches!(ours.sent[0].outcome, Outcome::Refused { at_end: false, reason: 6, retry: true, .. }));
    assert!(ours.ending.is_normal());
    let mut station = station_settings();
    station.intake.refuse_at_end = Some(13);
    let (partner, running) = plain(partner_settings(), station);
    let (ours, _) = both(&partner, &running, vec![OutFile::octets("END", &b"x"[..])]);
    assert!(matches!(ours.sent[0].outcome, Outcome::Refused { at_end: true, reason: 13, .. }));
    assert!(ours.ending.is_normal());
}

#[test]
fn a_station_sends_what_it_has_queued() {
    let (partner, running) = plain(partner_settings(), station_settings());
    let octets = incompressible(300_000);
    running.queue().add_file(OutFile::octets("DOWN", &octets[..]));
    let (ours, theirs) = both(&partner, &running, vec![OutFile::octets("UP", &b"up"[..])]);
    assert_eq!(ours.received[0].sha256, sha(&octets));
    assert!(ours.is_good() && theirs.is_good());
    assert!(theirs.receipt_for(&theirs.sent[0].id).is_some(), "{theirs:?}");
}

#[test]
fn wrong_identities_get_their_reasons() {
    let reason = |change: fn(&mut Settings), at_partner: bool| {
        let (mut own, mut station) = (partner_settings(), station_settings());
        change(if at_partner { &mut own } else { &mut station });
        let (partner, running) = plain(own, station);
        let (ours, theirs) = both(&partner, &running, Vec::new());
        assert_eq!(ours.ending.reason(), theirs.ending.reason());
        ours.ending.reason()
    };
    for at_partner in [true, false] {
        assert_eq!(reason(|s| s.peer_code = Some("O0013NOBODY".into()), at_partner), Some(3));
        assert_eq!(reason(|s| s.peer_password = Some("OTHER".into()), at_partner), Some(4));
        assert_eq!(reason(|_| {}, at_partner), Some(0));
    }
}

#[test]
fn secure_authentication_proves_both_or_ends_with_11_or_12() {
    let authority = Authority::new("auth").unwrap();
    let rsa = |name| Request { key: crate::ca::Key::Rsa(2048), ..Request::new(name) };
    let (one, two) = (authority.issue(&rsa("one")).unwrap(), authority.issue(&rsa("two")).unwrap());
    let keys = |own: &crate::ca::Issued, peer: &crate::ca::Issued| {
        let (key, certificate, peer) = (own.key.clone(), own.certificate.clone(), peer.certificate.clone());
        Some(Arc::new(Authentication { key, certificate, peer }))
    };
    let cases = [
        (keys(&one, &two), keys(&two, &one), 0),
        (keys(&one, &two), keys(&two, &two), 11),
        (keys(&one, &two), None, 12),
    ];
    for (ours, theirs, reason) in cases {
        let own = Settings { authentication: ours, ..partner_settings() };
        let (partner, running) = plain(own, Settings { authentication: theirs, ..station_settings() });
        let (ours, _) = both(&partner, &running, vec![OutFile::octets("AUTH", &b"x"[..])]);
        assert_eq!(ours.ending.reason(), Some(reason), "{ours:?}");
    }
}

#[test]
fn each_misbehaviour_is_seen_as_what_it_is() {
    let authority = Authority::new("misbehaviour").unwrap();
    let ends = authority.issue(&Request::new("both").host("127.0.0.1")).unwrap().tls(&authority).unwrap();
    let context = ends.context().unwrap();
    let cases = [(Act::Close, Break::CloseNotify), (Act::Cut, Break::Fin), (Act::Reset, Break::Reset)];
    for (act, seen) in cases {
        let station = Station { tls: Some(context.clone()), ..Station::new(station_settings()) };
        let running = station.spawn().unwrap();
        let tls = Some((context.clone(), None));
        let own = Settings {
            misbehaviour: Some(Misbehaviour { at: Point::Data(500_000), act }),
            ..partner_settings()
        };
        let partner = Partner::new(Dial { tls, ..Dial::to(&running.address()) }, own);
        let (ours, theirs) =
            both(&partner, &running, vec![OutFile::octets("BREAK", incompressible(1_000_000))]);
        assert_eq!((ours.ending, theirs.ending), (Ending::Misbehaviour, Ending::Broken(seen)));
        assert_eq!(theirs.received[0].outcome, Outcome::Unfinished);
    }
}

#[test]
fn rubbish_is_answered_with_an_esid_of_its_reason() {
    for (octets, reason) in
        [(&b"\x10\0\0\x05Q"[..], 1), (b"\x10\0\0\x05P", 2), (b"\x10\0\0\x06PP", 7), (b"\x20\0\0\x05P", 2)]
    {
        let act = Act::Send(octets.to_vec());
        let own =
            Settings { misbehaviour: Some(Misbehaviour { at: Point::Started, act }), ..partner_settings() };
        let (partner, running) = plain(own, station_settings());
        let (ours, _) = both(&partner, &running, Vec::new());
        assert!(
            matches!(ours.ending, Ending::Aborted { by: Side::Peer, reason: r, .. } if r == reason),
            "{ours:?}"
        );
    }
}

#[test]
fn silence_is_borne_for_the_timeout_only() {
    let own = Settings {
        misbehaviour: Some(Misbehaviour { at: Point::Ready, act: Act::Silence }),
        ..partner_settings()
    };
    let (partner, running) =
        plain(own, Settings { timeout: Duration::from_millis(200), ..station_settings() });
    let (_, theirs) = both(&partner, &running, Vec::new());
    assert_eq!(theirs.ending, Ending::Broken(Break::TimedOut));
}

#[test]
fn a_station_that_ends_breaks_its_sessions_off() {
    let own = Settings {
        misbehaviour: Some(Misbehaviour { at: Point::Started, act: Act::Silence }),
        ..partner_settings()
    };
    let (partner, running) = plain(own, station_settings());
    let thread = std::thread::spawn(move || partner.call());
    assert!(matches!(running.next_event(PATIENCE), Ok(Event::Connected { session: 1, .. })));
    drop(running);
    let close = thread.join().unwrap().close;
    assert!(close.is_some() && close != Some(Break::TimedOut), "{close:?}");
}
