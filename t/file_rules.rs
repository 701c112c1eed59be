//! Files that a partner may not send: the server refuses them in the station's place, each with its reason, and the
//! session and its other files continue. The client and the station never see such a file.

use crate::outward::{acme, connect, launch, listening, prepare, station};
use oftp2peer::oftp::codec::Level;
use oftp2peer::oftp::command::{Command, FileId, Format, Sfid};
use oftp2peer::oftp::report::{Outcome, Report};
use oftp2peer::oftp::session::Role as Side;
use oftp2peer::oftp::settings::{OutFile, Settings};
use oftp2peer::oftp::stamp::Stamp;
use oftp2peer::transport::Break;
use t::ends::Ends;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role};
use t::wait::{PATIENCE, wait_for};

fn restricted() -> PartnerEntry {
    let entry = PartnerEntry::new("acme", "O0013ACME").option("--max-file-size", "10");
    entry.option("--file-names", "ORDER*").option("--file-names", "PR?FUNG")
}

/// The results of the sent files, in their order.
fn outcomes(report: &Report) -> Vec<(&str, String)> {
    let word = |outcome: &Outcome| match outcome {
        Outcome::Accepted => "accepted".to_owned(),
        Outcome::Refused { at_end: false, reason, retry: false, .. } => format!("SFNA {reason:02}"),
        other => format!("{other:?}"),
    };
    report.sent.iter().map(|file| (file.id.name.as_str(), word(&file.outcome))).collect()
}

#[test]
fn files_that_a_partner_may_not_send_are_refused_and_the_session_goes_on() {
    for profile in ["tolerant", "strict"] {
        let partners = [restricted().option("--profile", profile)];
        let mut site = Builder::new(&format!("file-rules-{profile}")).partners(partners).start().unwrap();
        for level in Level::ALL {
            let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
            let mut partner = site.partner("O0013ACME").unwrap();
            partner.settings = Settings { level, ..partner.settings };
            // The rules are for the partner: the station may send any file.
            site.station.as_ref().unwrap().queue().add_file(OutFile::octets("ANYTHING", vec![b' '; 50_000]));
            let files = [("OTHER", 10), ("ORDER1", 10_241), ("ORDER2", 10_240), ("OTHER2", 0), ("ORDER3", 0)];
            let report = partner.send(files.map(|(name, size)| OutFile::octets(name, vec![b'x'; size])));
            assert!(report.ending.is_normal(), "level {level}: {report:?}");
            let expected =
                [("OTHER", "SFNA 01"), ("ORDER1", "SFNA 06"), ("ORDER2", "accepted"), ("OTHER2", "SFNA 01")];
            let expected = [&expected[..], &[("ORDER3", "accepted")]].concat();
            let found = outcomes(&report);
            assert!(found.iter().map(|(name, word)| (*name, word.as_str())).eq(expected), "{found:?}");
            assert_eq!(report.received.len(), 1, "{report:?}");
            assert!(report.receipt_for(&report.sent[2].id).is_some(), "{report:?}");
            if let (Level::Five, Outcome::Refused { text, .. }) = (level, &report.sent[1].outcome) {
                assert_eq!(text, "files of more than 10 KiB are not accepted from you");
            }
            let theirs = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
            let came: Vec<_> = theirs.received.iter().map(|file| file.id.name.as_str()).collect();
            assert!(theirs.is_good() && came == ["ORDER2", "ORDER3"], "{theirs:?}");
            let counts = [3, 0];
            for ((role, mark), refusals) in marks.into_iter().zip(counts) {
                let end = format!(" session_end *reason=normal*files=3 files_refused={refusals}");
                site.wait_log_after(role, mark, &end);
                let log = site.log(role)[mark..].to_owned();
                let lines: Vec<_> = log
                    .lines()
                    .filter_map(Line::read)
                    .filter(|line| line.event() == "file_refused")
                    .collect();
                assert_eq!(lines.len(), refusals, "{log}");
                for (line, (name, sfna)) in
                    lines.iter().zip([("OTHER", "01"), ("ORDER1", "06"), ("OTHER2", "01")])
                {
                    let fields = ["side", "name", "sfna"].map(|key| line.field(key).unwrap());
                    assert_eq!(fields, ["partner", name, sfna], "{}", line.text);
                    assert!(
                        line.field("detail").unwrap().contains("'os4xapi partner set --"),
                        "{}",
                        line.text
                    );
                }
                assert!(!log.contains(" deviation ") && !log.contains(" violation "), "{log}");
            }
        }
        wait_for("the refused files in the list", || {
            let listed = site.api(&["sessions", "--files"]).unwrap();
            (listed.matches(" refused ").count() == 3 * Level::ALL.len()).then_some(())
        });
        site.end();
    }
}

#[test]
fn rules_are_set_shown_and_taken_away() {
    let site = Builder::new("file-rules-set").partners([restricted()]).prepare().unwrap();
    let shown = site.api(&["partner", "list"]).unwrap();
    assert!(shown.contains("10 KiB") && shown.contains("ORDER*, PR?FUNG"), "{shown}");
    let shown = site.api(&["partner", "list", "--json"]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&shown).unwrap();
    let rules = serde_json::json!({"max_size": 10, "names": ["ORDER*", "PR?FUNG"]});
    assert_eq!(json[0]["files"], rules, "{shown}");
    site.api(&["partner", "set", "acme", "--max-file-size", "2G"]).unwrap();
    assert!(site.api(&["partner", "list"]).unwrap().contains("2097152 KiB"));
    site.api(&["partner", "set", "acme", "--max-file-size", "", "--file-names", ""]).unwrap();
    let shown = site.api(&["partner", "list", "--json"]).unwrap();
    assert!(!shown.contains("max_size") && !shown.contains("ORDER"), "{shown}");
    for wrong in [["--max-file-size", "ten"], ["--file-names", "PR\u{dc}FUNG"]] {
        let refused = site.api(&[&["partner", "set", "acme"], &wrong[..]].concat());
        assert!(refused.is_err_and(|error| error.to_string().contains(wrong[0])));
    }
    site.end();
}

/// The station calls, has nothing more to send and gives the turn away; the partner uses it for a file that is refused,
/// and returns the turn. The station must not see that as an answer to its own Change Direction.
#[test]
fn a_turn_that_the_station_sees_nothing_of_ends_the_session_for_both() {
    for (profile, files, came) in [
        ("tolerant", &["OTHER"][..], 0),
        ("strict", &["OTHER", "OTHER2"], 0),
        ("strict", &["OTHER", "ORDER1"], 1),
        ("strict", &["ORDER1", "OTHER"], 1),
    ] {
        let site = prepare(&format!("file-rules-out-{profile}-{}-{came}", files.join("-").to_lowercase()));
        let partner = listening(acme(), None);
        let options = ["--tls", "no", "--profile", profile, "--file-names", "ORDER*"];
        let mut site = launch(site, &partner, &options);
        for name in files {
            partner.queue().add_file(OutFile::octets(name, *b"back"));
        }
        let ours = station(&"acme", connect(&site)).call();
        assert!(ours.ending.is_normal() && ours.received.len() == came, "{files:?}: {ours:?}");
        let theirs = partner.next_report(PATIENCE).unwrap();
        assert!(theirs.ending.is_normal(), "{files:?}: {theirs:?}");
        assert_eq!((&ours.close, &theirs.close), (&Some(Break::Fin), &Some(Break::Fin)), "{files:?}");
        let refused = outcomes(&theirs).iter().filter(|(_, word)| word == "SFNA 01").count();
        assert_eq!(refused, files.len() - came, "{theirs:?}");
        for role in [Role::Server, Role::Client] {
            site.wait_log(role, "session_end direction=outgoing*reason=normal");
            assert!(!site.log(role).contains(" violation "), "{}", site.log(role));
        }
        site.end();
    }
}

/// A partner that offers file after file without waiting for answers gets each answer, and the session ends at the
/// limit of idle commands; the station sees none of the files.
#[test]
fn files_refused_without_end_are_bounded() {
    let mut site = Builder::new("file-rules-flood").partners([restricted()]).station(None).start().unwrap();
    let ends = Ends::new(&site, "O0013ACME").unwrap();
    let buffer = |octets: Vec<u8>| {
        let length = u32::try_from(octets.len() + 4).unwrap() | 0x1000_0000;
        [&length.to_be_bytes()[..], &octets].concat()
    };
    let ssid = |code| buffer(format!("X5{code:25}{:8}02048BYYN002N{:12}\r", "PASSWORD", "").into_bytes());
    let step = |by, octets| t::wire::Step { by, octets, label: String::new() };
    let start = [
        step(Side::Responder, b"\x10\0\0\x17IODETTE FTP READY \r".to_vec()),
        step(Side::Initiator, ssid("O0013ACME")),
        step(Side::Responder, ssid("O0013STATION")),
    ];
    let id = FileId {
        name: "OTHER".to_owned(),
        stamp: Stamp::next(),
        destination: "O0013STATION".to_owned(),
        originator: "O0013ACME".to_owned(),
    };
    let offer = Command::Sfid(Sfid::plain(id, Format::Unstructured, 1)).encode(Level::Five).unwrap();
    let mark = site.mark(Role::Server);
    let mut session = ends.begin().unwrap();
    assert_eq!(session.play(&start, usize::MAX), Ok(()));
    session.send(Side::Initiator, &buffer(offer).repeat(600));
    let (partner, station) = session.ending();
    let text = "files of this name are not accepted from you";
    let sfna = buffer(format!("301N{:03}{text}", text.len()).into_bytes());
    // Three commands of the start, and two for each file: the 499th answer would be the 1001st command.
    let (answers, last) = partner.octets.split_at(498 * sfna.len());
    assert!(answers == sfna.repeat(498) && last[4..].starts_with(b"F99"), "{last:?}");
    let station = station.unwrap();
    assert!(station.octets[4..].starts_with(b"F99"), "{station:?}");
    site.wait_log_after(Role::Server, mark, " session_end *reason=partner-violation*esid=99");
    site.end();
}
