//! Two SSIDs that disagree, through both daemons: each side gets an ESID with the right reason, and the Initiator gets
//! it instead of the SSID with which it could have continued.

use crate::outward::{HOST, connect, launch_as_it_is, station};
use oftp2peer::oftp::session::Role as End;
use oftp2peer::transport::Break;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::thread::spawn;
use t::ends::Ends;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::PATIENCE;
use t::wire::Step;

const READY: &[u8] = b"\x10\0\0\x17IODETTE FTP READY \r";
const SSID: &str = "O0013ACME";

/// An SSID: level, mode, special logic, secure authentication.
#[derive(Clone, Copy)]
struct Offer(u8, char, char, char);

impl Offer {
    fn octets(self, code: &str) -> Vec<u8> {
        let Self(level, mode, special, authentication) = self;
        let text = format!("X{level}{code:25}SECRET  02048{mode}YY{special}002{authentication}{:12}\r", "");
        [b"\x10\0\0\x41", text.as_bytes()].concat()
    }
}

/// The offer, the answer, the profile, the reason that each side gets, and the field in the log line.
struct Case {
    offer: Offer,
    answer: Offer,
    strict: bool,
    reasons: [&'static str; 2],
    field: &'static str,
}

const fn case(
    offer: Offer,
    answer: Offer,
    strict: bool,
    reasons: [&'static str; 2],
    field: &'static str,
) -> Case {
    Case { offer, answer, strict, reasons, field }
}

const PLAIN: Offer = Offer(5, 'B', 'N', 'N');
const SECURE: Offer = Offer(5, 'B', 'N', 'Y');

const CASES: [Case; 8] = [
    case(PLAIN, SECURE, false, ["12", "12"], "SSIDAUTH"),
    case(SECURE, PLAIN, false, ["12", "12"], "SSIDAUTH"),
    // A side that answers at level 4 does not know reason 12.
    case(SECURE, Offer(4, 'B', 'N', ' '), false, ["12", "10"], "SSIDAUTH"),
    case(Offer(5, 'S', 'N', 'N'), Offer(5, 'S', 'N', 'N'), false, ["10", "10"], "SSIDSR"),
    case(Offer(5, 'R', 'N', 'N'), Offer(5, 'R', 'N', 'N'), false, ["10", "10"], "SSIDSR"),
    case(Offer(5, 'B', 'Y', 'N'), Offer(5, 'B', 'Y', 'N'), false, ["10", "10"], "SSIDSPEC"),
    case(Offer(4, 'B', 'N', ' '), PLAIN, true, ["10", "10"], "SSIDLEV"),
    case(Offer(5, 'B', 'Y', 'N'), PLAIN, true, ["10", "10"], "SSIDSPEC"),
];

/// Whether `octets` are one ESID with this reason.
fn is_esid(octets: &[u8], reason: &str) -> bool {
    octets.get(3).copied().map(usize::from) == Some(octets.len())
        && octets.get(4..7) == Some(format!("F{reason}").as_bytes())
}

/// Checks the only log line, of the daemon that saw the Responder's SSID first.
fn is_told(site: &mut Site, marks: [(Role, usize); 2], teller: Role, case: &Case) {
    for (role, mark) in marks {
        site.wait_log_after(role, mark, " session_end ");
        let log = site.log(role)[mark..].to_owned();
        let lines: Vec<_> =
            log.lines().filter_map(Line::read).filter(|line| line.event() == "violation").collect();
        assert_eq!(lines.len(), usize::from(role == teller), "{log}");
        for line in lines {
            let told = ["esid", "command", "field"].map(|key| line.field(key).unwrap());
            assert_eq!(told, [case.reasons[0], "SSID", case.field], "{}", line.text);
            assert!(!line.field("expected").unwrap().is_empty(), "{}", line.text);
        }
    }
}

/// A site whose partner `acme` is called at `port`, with the profile of the cases.
fn site(name: &str, port: u16, strict: bool) -> Site {
    let profile = if strict { "strict" } else { "tolerant" };
    let entry = PartnerEntry::new("acme", SSID).option("--profile", profile).option("--tls", "no");
    let entry = entry.option("--host", HOST).option("--port", &port.to_string());
    let mut site = Builder::new(name).outgoing().partners([entry]).station(None).prepare().unwrap();
    launch_as_it_is(&mut site);
    site
}

#[test]
fn a_partner_that_calls_gets_the_reason_instead_of_the_stations_ssid() {
    for strict in [false, true] {
        let mut site = site(&format!("negotiation-in-{strict}"), 1, strict);
        let ends = Ends::new(&site, SSID).unwrap();
        for case in CASES.iter().filter(|case| case.strict == strict) {
            let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
            let mut session = ends.begin().unwrap();
            let step = |by, octets: &[u8]| Step { by, octets: octets.to_owned(), label: String::new() };
            let before = [step(End::Responder, READY), step(End::Initiator, &case.offer.octets(SSID))];
            assert_eq!(session.play(&before, usize::MAX), Ok(()));
            session.send(End::Responder, &case.answer.octets("O0013STATION"));
            let (partner, station) = session.ending();
            let station = station.unwrap();
            assert!(is_esid(&partner.octets, case.reasons[0]), "{}: {partner:?}", case.field);
            assert!(is_esid(&station.octets, case.reasons[1]), "{}: {station:?}", case.field);
            assert_eq!((partner.how, station.how), (Break::CloseNotify, Break::Fin));
            is_told(&mut site, marks, Role::Client, case);
        }
        site.end();
    }
}

#[test]
fn a_station_that_calls_gets_the_reason_instead_of_the_partners_ssid() {
    for strict in [false, true] {
        let listener = TcpListener::bind((HOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut site = site(&format!("negotiation-out-{strict}"), port, strict);
        let cases: Vec<_> = CASES.iter().filter(|case| case.strict == strict).collect();
        let answers: Vec<_> = cases.iter().map(|case| case.answer).collect();
        let (tell, told) = channel();
        let partner = spawn(move || {
            for (answer, tcp) in answers.into_iter().zip(listener.incoming()) {
                let mut tcp = tcp.unwrap();
                tcp.set_read_timeout(Some(PATIENCE)).unwrap();
                tcp.write_all(READY).unwrap();
                tcp.read_exact(&mut [0; 65]).unwrap();
                tcp.write_all(&answer.octets(SSID)).unwrap();
                let mut heard = Vec::new();
                tcp.read_to_end(&mut heard).unwrap();
                tell.send(heard).unwrap();
            }
        });
        for case in cases {
            let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
            let mut tcp = station(&format!("{HOST}:{port}"), connect(&site)).dial.open_tcp().unwrap();
            tcp.set_read_timeout(Some(PATIENCE)).unwrap();
            let mut ready = [0; 23];
            tcp.read_exact(&mut ready).unwrap();
            assert_eq!(ready, *READY);
            tcp.write_all(&case.offer.octets("O0013STATION")).unwrap();
            let mut heard = Vec::new();
            tcp.read_to_end(&mut heard).unwrap();
            drop(tcp);
            assert!(is_esid(&heard, case.reasons[0]), "{}: {heard:?}", case.field);
            let heard = told.recv_timeout(PATIENCE).unwrap();
            assert!(is_esid(&heard, case.reasons[1]), "{}: {heard:?}", case.field);
            is_told(&mut site, marks, Role::Server, case);
        }
        partner.join().unwrap();
        site.end();
    }
}
