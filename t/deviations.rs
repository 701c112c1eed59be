//! Deviations of stations from the RFC, through both daemons: the tolerant profile passes them unchanged and reports
//! them, the strict one refuses them. `hostile.txt` has them field by field.

use crate::outward::{self, acme, connect, launch, listening};
use oftp2peer::Partner;
use oftp2peer::oftp::codec::hex;
use oftp2peer::oftp::report::{Outcome, Report};
use oftp2peer::oftp::session::Role as End;
use oftp2peer::oftp::settings::{Answer, Intake, OutFile, ReceiptEnd, Settings};
use t::ends::Ends;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::{PATIENCE, wait_for};
use t::wire::Step;

/// Characters that are in no set of RFC 5024.
const PASSWORD: &str = "pa#s!";
/// The peer writes one octet for each character: the same name in Latin-1 and in UTF-8.
const NAMES: [(&str, &str); 2] =
    [("ABC#+@~\u{c4}", r"ABC#+@~\xc4"), ("ABC#+@~\u{c3}\u{84}", r"ABC#+@~\xc3\x84")];

fn site(name: &str, profile: &str) -> Site {
    let partner = PartnerEntry::new("acme", "O0013ACME").option("--profile", profile);
    let station = Settings {
        password: PASSWORD.to_owned(),
        peer_password: Some(PASSWORD.to_owned()),
        user: "a+b@c".to_owned(),
        ..Settings::new("O0013STATION", "")
    };
    Builder::new(name).partners([partner]).station(Some(station)).start().unwrap()
}

fn partner(site: &Site) -> Partner {
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.password = PASSWORD.to_owned();
    partner.settings.user = "M\u{fc}ller#1".to_owned();
    partner.settings.peer_password = Some(PASSWORD.to_owned());
    partner
}

fn file(name: &str) -> OutFile {
    OutFile {
        destination: Some("O0013M\u{dc}LLER#1".to_owned()),
        originator: Some("O0013ACME+SONS".to_owned()),
        ..OutFile::octets(name, &b"odd"[..])
    }
}

/// Asserts that the file of this name arrived completely, and that its name is unchanged.
fn came(report: &Report, name: &str) {
    let file = &report.received[0];
    assert_eq!((file.id.name.as_str(), &file.outcome), (name, &Outcome::Accepted));
    assert_eq!(file.sha256, hex(&openssl::sha::sha256(b"odd")));
}

#[test]
fn odd_names_and_passwords_pass_unchanged_and_are_told() {
    let mut site = site("odd-names", "tolerant");
    let partner = partner(&site);
    for (name, shown) in NAMES {
        let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
        site.station.as_ref().unwrap().queue().add_file(file(name));
        let ours = partner.send([file(name)]);
        let theirs = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert!(ours.is_good() && theirs.is_good(), "{ours:?} {theirs:?}");
        came(&ours, name);
        came(&theirs, name);
        // Both ends have received the same password, octet by octet.
        for (mine, other) in [(&ours, &theirs), (&theirs, &ours)] {
            let receipt = mine.receipt_for(&mine.sent[0].id).unwrap();
            assert!(receipt.refusal.is_none(), "{receipt:?}");
            assert_eq!(mine.sent[0].id, other.received[0].id);
        }
        assert_eq!(theirs.peer.unwrap().user, "M\u{fc}ller#1");
        for (role, mark) in marks {
            site.wait_log_after(role, mark, " session_end *files=2*receipts=2");
            let log = site.log(role)[mark..].to_owned();
            let told: Vec<_> =
                log.lines().filter_map(Line::read).filter(|line| line.event() == "deviation").collect();
            assert_eq!(told.len(), 1, "one line a session: {log}");
            let fields = ["number", "side", "command", "field"].map(|key| told[0].field(key).unwrap());
            assert_eq!(fields, ["C13", "partner", "SSID", "SSIDPSWD"], "{}", told[0].text);
            assert!(log.is_ascii() && !log.contains(PASSWORD), "{log}");
        }
        wait_for("the files in the list, escaped", || {
            let listed = site.api(&["sessions", "--files"]).unwrap();
            (listed.matches(&format!(" {shown} ")).count() == 2).then_some(())
        });
    }
    site.end();
}

/// An SSIDCODE that the partner table accepts can also connect.
#[test]
fn an_odd_ssidcode_of_the_table_comes_in() {
    const SSID: &str = "O0013A+B #1~";
    // The serialNumber of a certificate could not contain it.
    let entry = PartnerEntry::new("odd", SSID).option("--certificate", "any");
    let mut site = Builder::new("odd-ssid").partners([entry]).start().unwrap();
    let refused = site.api(&["partner", "add", "quoted", "--ssid", "O0013'"]);
    assert!(refused.is_err_and(|error| error.to_string().contains("without quotes and backslashes")));
    let identity = site.certificate("odd", "O0013ODD").unwrap();
    let partner = site.partner_with(SSID, Some(&identity)).unwrap();
    let report = partner.send([OutFile::octets("FILE", *b"odd")]);
    assert!(report.is_good(), "{report:?}");
    site.wait_log(Role::Server, " deviation number=C13 side=partner command=SSID field=SSIDCODE ");
    site.end();
}

#[test]
fn the_strict_profile_refuses_odd_names_and_passwords() {
    let mut site = site("odd-names-strict", "strict");
    let odd = partner(&site);
    let mark = site.mark(Role::Server);
    let report = odd.send([file(NAMES[0].0)]);
    assert_eq!(report.ending.reason(), Some(6), "{report:?}");
    let line = site.wait_log_after(Role::Server, mark, " session_refused *reason=partner-violation*esid=06");
    let line = Line::read(&line).unwrap();
    let detail = line.field("detail").unwrap();
    assert!(
        detail.contains("SSIDPSWD") && detail.contains("the profile tolerant accepts it as C13"),
        "{detail}"
    );
    assert!(!site.log(Role::Server).contains(PASSWORD));
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    site.end();

    // With a good password the session begins, and the name of the file ends it.
    let entry = PartnerEntry::new("acme", "O0013ACME").option("--profile", "strict");
    let mut site = Builder::new("odd-names-file").partners([entry]).start().unwrap();
    for (name, shown) in NAMES {
        let mark = site.mark(Role::Server);
        let report = site.partner("O0013ACME").unwrap().send([OutFile::octets(name, &b"odd"[..])]);
        assert_eq!((report.ending.reason(), &report.sent[0].outcome), (Some(6), &Outcome::Unfinished));
        let line = site.wait_log_after(Role::Server, mark, " violation *esid=06*field=SFIDDSN");
        let line = Line::read(&line).unwrap();
        assert!(line.field("found").unwrap().starts_with(&format!("\"{shown}")), "{}", line.text);
        assert!(line.field("expected").unwrap().contains("; the profile tolerant accepts it as C13"));
        let report = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
        assert!(report.received.is_empty() && report.ending.reason() == Some(6), "{report:?}");
    }
    site.end();
}

/// Receipts of level 5 that end before their late fields pass through both daemons, from each sender and in each
/// direction of the call.
#[test]
fn receipts_of_level_5_without_their_tail_come_back() {
    let forms = [
        ("nerp-text", Answer::Nerp(34), ReceiptEnd::BeforeHash, Some("refused by setting"), "NERP"),
        ("nerp-level-4", Answer::Nerp(34), ReceiptEnd::AsLevel4, Some(""), "NERP"),
        ("eerp", Answer::Eerp, ReceiptEnd::BeforeHash, None, "EERP"),
    ];
    for (name, answer, receipt_end, text, command) in forms {
        let short = |settings: Settings| {
            let intake = Intake { answer, ..settings.intake };
            Settings { intake, receipt_end, ..settings }
        };
        let station = Some(short(Settings::new("O0013STATION", "STATION")));
        let site = Builder::new(&format!("short-{name}")).outgoing().station(station).prepare().unwrap();
        let acme = listening(short(acme()), None);
        let mut site = launch(site, &acme, &["--tls", "no"]);
        let inside = site.station.take().unwrap();
        let mut incoming = site.partner("O0013ACME").unwrap();
        incoming.settings = short(incoming.settings);
        let to = acme.address().to_string();
        let mut outgoing = outward::station(&to, connect(&site));
        outgoing.settings = short(outgoing.settings);
        for (caller, called) in [(&incoming, &inside), (&outgoing, &acme)] {
            let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
            called.queue().add_file(OutFile::octets("BACK", *b"back"));
            let ours = caller.send([OutFile::octets("OUT", *b"out")]);
            let theirs = called.next_report(PATIENCE).unwrap();
            for report in [&ours, &theirs] {
                assert!(report.ending.is_normal(), "{name}: {ours:?} {theirs:?}");
                let receipt = report.receipt_for(&report.sent[0].id).unwrap();
                let refusal = receipt.refusal.as_ref().map(|refusal| refusal.text.as_str());
                assert_eq!(refusal, text, "{name}");
            }
            for (role, mark) in marks {
                let line = site.wait_log_after(role, mark, " deviation number=C5 *");
                assert_eq!(Line::read(&line).unwrap().field("command").as_deref(), Some(command), "{line}");
                site.wait_log_after(role, mark, " session_end *reason=normal*receipts=2");
                assert_eq!(site.log(role)[mark..].matches(" deviation ").count(), 1, "{name}");
            }
        }
        site.end();
    }
}

const READY: &str = "IODETTE FTP READY \r";

/// The steps of a session, written as `I` or `R` and the Exchange Buffer.
fn steps(buffers: &[&str]) -> Vec<Step> {
    let step = |buffer: &&str| {
        let (by, oeb) = buffer.split_at(2);
        let length = u32::try_from(oeb.len() + 4).unwrap() | 0x1000_0000;
        let by = if by == "I " { End::Initiator } else { End::Responder };
        let label = oeb.chars().take(20).collect();
        Step { by, octets: [&length.to_be_bytes(), oeb.as_bytes()].concat(), label }
    };
    buffers.iter().map(step).collect()
}

/// A stack that knows SSIDAUTH also writes it below level 5, into the first of the reserved octets.
#[test]
fn reserved_octets_with_something_in_them_pass_and_are_told() {
    let ssid = |code: &str, level| format!("X{level}{code:25}SECRET  02048BYYN002N    {:8}\r", "");
    for (level, profile) in [(1, "tolerant"), (2, "tolerant"), (2, "strict")] {
        let partner = PartnerEntry::new("acme", "O0013ACME").option("--profile", profile);
        let name = format!("reserved-{level}-{profile}");
        let mut site = Builder::new(&name).partners([partner]).station(None).start().unwrap();
        let ends = Ends::new(&site, "O0013ACME").unwrap();
        let (ours, theirs) = (ssid("O0013ACME", level), ssid("O0013STATION", level));
        let all = [format!("R {READY}"), format!("I {ours}"), format!("R {theirs}"), "I R".to_owned()];
        let steps = steps(&all.each_ref().map(String::as_str));
        let mut session = ends.begin().unwrap();
        if profile == "strict" {
            assert_eq!(session.play(&steps[..1], usize::MAX), Ok(()));
            session.send(End::Initiator, &steps[1].octets);
            let (partner, station) = session.ending();
            assert_eq!((&partner.octets[4..7], station), (&b"F06"[..], None));
            let refused = site.wait_log(Role::Server, " session_refused *esid=06");
            assert!(refused.contains("SSIDRSV1") && refused.contains("accepts it as C17"), "{refused}");
        } else {
            assert_eq!(session.play(&steps, usize::MAX), Ok(()));
            session.close();
            for role in [Role::Server, Role::Client] {
                let line = site.wait_log(role, " deviation number=C17 *");
                let told =
                    ["side", "command", "field"].map(|key| Line::read(&line).unwrap().field(key).unwrap());
                assert_eq!(told, ["partner", "SSID", "SSIDRSV1"], "{line}");
                site.wait_log(role, " session_end ");
                assert_eq!(site.log(role).matches(" deviation ").count(), 1, "{}", site.log(role));
            }
        }
        site.end();
    }
}

/// Strict, with the deviations that a partner really has: its sessions have shown which ones it needs, and each is
/// allowed separately.
#[test]
fn a_strict_partner_is_allowed_single_deviations() {
    // Values in reserved octets (C17), and an end without a Change Direction (C2).
    let names = ["tolerant", "strict", "some", "all"];
    let options: [&[&str]; 4] = [&[], &["C5"], &["C17"], &["C2,C17"]];
    let ssid = |name: &str| format!("O0013{}", name.to_uppercase());
    let partners = names.iter().zip(options).map(|(name, allowed)| {
        let entry = PartnerEntry::new(name, &ssid(name));
        match allowed {
            [numbers] => entry.option("--profile", "strict").option("--allow", numbers),
            _ => entry,
        }
    });
    let mut site = Builder::new("allowed").partners(partners).station(None).start().unwrap();
    let refusals = [None, Some(("F06", "C17")), Some(("F02", "C2")), None];
    for (name, refusal) in names.into_iter().zip(refusals) {
        let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
        let start = |code: &str, reserved: &str| format!("X2{code:25}SECRET  02048BYYN002{reserved:13}\r");
        let all = [
            format!("R {READY}"),
            format!("I {}", start(&ssid(name), "N")),
            format!("R {}", start("O0013STATION", "")),
            "I F00\r".to_owned(),
        ];
        let steps = steps(&all.each_ref().map(String::as_str));
        let ends = Ends::new(&site, &ssid(name)).unwrap();
        let mut session = ends.begin().unwrap();
        let Some((esid, number)) = refusal else {
            assert_eq!(session.play(&steps, usize::MAX), Ok(()), "{name}");
            session.close();
            for (role, mark) in marks {
                site.wait_log_after(role, mark, " session_end *reason=normal");
                let log = site.log(role)[mark..].to_owned();
                let told: Vec<_> = log
                    .lines()
                    .filter_map(Line::read)
                    .filter_map(|line| (line.event() == "deviation").then(|| line.field("number").unwrap()))
                    .collect();
                assert_eq!(told, ["C17", "C2"], "{name}: {log}");
            }
            continue;
        };
        let at = if number == "C17" { 1 } else { 3 };
        assert_eq!(session.play(&steps[..at], usize::MAX), Ok(()), "{name}");
        session.send(End::Initiator, &steps[at].octets);
        let (partner, _) = session.ending();
        assert_eq!(&partner.octets[4..7], esid.as_bytes(), "{name}");
        let line = site.wait_log_after(Role::Server, marks[0].1, " esid=0");
        let remedy = format!("the profile tolerant accepts it as {number}, and --allow {number} alone");
        assert!(line.contains(&remedy), "{line}");
    }
    let shown = |name: &str| site.api(&["partner", "show", name]).unwrap();
    for name in ["tolerant", "all"] {
        let text = wait_for("the deviations of the sessions", || {
            Some(shown(name)).filter(|text| text.contains("C17"))
        });
        assert!(
            text.contains("\nC2         partner  1 ") && text.contains("\nC17        partner  1 "),
            "{text}"
        );
    }
    assert!(shown("some").contains("strict except C17"), "{}", shown("some"));
    site.end();
}
