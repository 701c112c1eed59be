//! The ways in which a session ends, and how the other side sees each: the table of os4x_smartproxy(7), row by row.
//! Each side ends a session that the partner has begun; `outgoing_faults` has the other direction.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::session::Role as End;
use oftp2peer::transport::{Break, Conn};
use t::ends::{Ending, Ends, Session};
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wire::Step;

const SSID: &str = "O0013ACME";
const MANUAL: &str = include_str!("../man/os4x_smartproxy.7");

fn step(by: End, oeb: &str) -> Step {
    let length = u32::try_from(oeb.len() + 4).unwrap() | 0x1000_0000;
    Step {
        by,
        octets: [&length.to_be_bytes(), oeb.as_bytes()].concat(),
        label: oeb.chars().take(9).collect(),
    }
}

/// A session after the exchange of both SSIDs.
fn begin(ends: &Ends) -> Session<'_> {
    let ssid = |code| format!("X5{code:25}SECRET  02048BYYN002N{:12}\r", "");
    let start = [
        step(End::Responder, "IODETTE FTP READY \r"),
        step(End::Initiator, &ssid(SSID)),
        step(End::Responder, &ssid("O0013STATION")),
    ];
    let mut session = ends.begin().unwrap();
    assert_eq!(session.play(&start, usize::MAX), Ok(()));
    session
}

fn site(name: &str, settings: &[(&str, &str)]) -> (Site, Ends) {
    let builder = Builder::new(name).partners([PartnerEntry::new("acme", SSID)]).station(None);
    let builder = settings.iter().fold(builder, |builder, (name, value)| builder.setting(name, value));
    let site = builder.start().unwrap();
    let ends = Ends::new(&site, SSID).unwrap();
    (site, ends)
}

/// The reasons of both daemons, the server's first.
fn reasons(site: &mut Site, marks: [(Role, usize); 2]) -> [String; 2] {
    marks.map(|(role, mark)| {
        // `session_end`, or `session_crashed` of a process that could not write it.
        let line = site.wait_log_after(role, mark, " session_* *reason=");
        Line::read(&line).unwrap().field("reason").unwrap()
    })
}

/// The last thing that a side sees.
#[derive(Clone, Copy)]
enum Seen {
    /// An ESID of the peer, and then a regular close.
    Closed,
    /// An ESID of the proxy, and then a regular close.
    Esid(&'static str),
    Reset,
}

impl Seen {
    /// Only the partner has TLS, so the station gets no close_notify.
    #[track_caller]
    fn check(self, side: End, ending: &Ending) {
        let closed = if side == End::Initiator { Break::CloseNotify } else { Break::Fin };
        let (how, octets) = match self {
            Self::Closed => (closed, Vec::new()),
            Self::Esid(reason) => (closed, format!("F{reason}").into_bytes()),
            Self::Reset => (Break::Reset, Vec::new()),
        };
        assert_eq!(ending.how, how, "{side:?}: {ending:?}");
        assert_eq!(ending.octets.get(4..7).unwrap_or_default(), octets, "{side:?}: {ending:?}");
    }
}

/// One row of the manual: how a side ends, how the other side sees it, and the reason of the daemon next to it, with
/// `SIDE` for the side that has ended.
struct Row {
    way: &'static str,
    seen: (&'static str, Seen),
    reason: &'static str,
    play: for<'a> fn(Session<'a>, End) -> Vec<(End, Ending)>,
}

impl Row {
    /// The row in the manual.
    fn line(&self) -> String {
        format!("\n.It {} Ta {} Ta Li {}\n", self.way, self.seen.0, self.reason.replace("SIDE", "partner"))
    }
}

fn other(side: End) -> End {
    if side == End::Initiator { End::Responder } else { End::Initiator }
}

/// `by` sends its last buffer, if it has one, and ends its connection with `act`: returns what the other side sees.
fn leave(mut session: Session<'_>, by: End, word: Option<&str>, act: Act) -> Vec<(End, Ending)> {
    if word == Some("F00000\r") && by == End::Responder {
        // Only the Speaker may end the session.
        assert_eq!(session.play(&[step(End::Initiator, "R")], usize::MAX), Ok(()));
    }
    let word: Vec<Step> = word.map(|oeb| step(by, oeb)).into_iter().collect();
    assert_eq!(session.play(&word, usize::MAX), Ok(()));
    vec![(other(by), session.ends(by, act))]
}

/// `by` sends this and keeps its connection: returns what both see.
fn stay(mut session: Session<'_>, by: End, octets: &[u8]) -> Vec<(End, Ending)> {
    session.send(by, octets);
    let (partner, station) = session.ending();
    vec![(End::Initiator, partner), (End::Responder, station.unwrap())]
}

/// Ends a connection; returns it if it stays open for the other side's last octets.
type Act = fn(Conn) -> Option<Conn>;

const CLOSE: Act = |mut conn| {
    conn.close();
    Some(conn)
};

const CUT: Act = |mut conn| {
    conn.cut();
    Some(conn)
};

fn reset(mut conn: Conn) -> Option<Conn> {
    conn.reset();
    None
}

const NORMAL: &str = "F00000\r";
const FAULT: &str = "F08000\r";

const fn row(
    way: &'static str,
    seen: (&'static str, Seen),
    reason: &'static str,
    play: for<'a> fn(Session<'a>, End) -> Vec<(End, Ending)>,
) -> Row {
    Row { way, seen, reason, play }
}

const ENDS: [Row; 8] = [
    row("ESID 00, then a close", ("ESID 00, close", Seen::Closed), "normal", |session, by| {
        leave(session, by, Some(NORMAL), CLOSE)
    }),
    row("error ESID, then a close", ("that ESID, close", Seen::Closed), "error-esid", |session, by| {
        leave(session, by, Some(FAULT), CLOSE)
    }),
    row("ESID, then FIN alone", ("that ESID, close", Seen::Closed), "error-esid", |session, by| {
        leave(session, by, Some(FAULT), CUT)
    }),
    row("ESID, then a reset", ("that ESID, close", Seen::Closed), "error-esid", |session, by| {
        leave(session, by, Some(FAULT), reset)
    }),
    row("a close without ESID", ("reset", Seen::Reset), "SIDE-broke", |session, by| {
        leave(session, by, None, CLOSE)
    }),
    row("FIN alone (TLS cut off)", ("reset", Seen::Reset), "SIDE-broke", |session, by| {
        leave(session, by, None, CUT)
    }),
    row("a reset", ("reset", Seen::Reset), "SIDE-broke", |session, by| leave(session, by, None, reset)),
    row(
        "a forbidden message",
        ("both: an ESID, close", Seen::Esid("01")),
        "SIDE-violation",
        |session, by| stay(session, by, b"\x10\0\0\x05?"),
    ),
];

const TIMES: [Row; 2] = [
    row("silence", ("both: ESID 09, close", Seen::Esid("09")), "timeout", |session, by| {
        stay(session, by, b"")
    }),
    row("half a buffer", ("both: ESID 09, close", Seen::Esid("09")), "timeout", |session, by| {
        stay(session, by, b"\x10\0\0")
    }),
];

fn play(site: &mut Site, ends: &Ends, row: &Row) {
    for by in [End::Initiator, End::Responder] {
        let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
        for (side, ending) in (row.play)(begin(ends), by) {
            row.seen.1.check(side, &ending);
        }
        let reason = row.reason.replace("SIDE", if by == End::Initiator { "partner" } else { "station" });
        let both = reasons(site, marks);
        // The other daemon has received the ESID.
        let is_right = |found: &String| *found == reason || found == "error-esid";
        assert!(both.contains(&reason) && both.iter().all(is_right), "{} by {by:?}: {both:?}", row.way);
    }
    assert!(MANUAL.contains(&row.line()), "{}", row.line());
}

#[test]
fn each_way_to_end_is_seen_as_the_manual_says() {
    let (mut site, ends) = site("endings", &[]);
    for row in &ENDS {
        play(&mut site, &ends, row);
    }
    site.end();
}

#[test]
fn silence_ends_a_session_on_both_sides_as_the_manual_says() {
    let settings = [("proxy_silence_seconds", "2"), ("proxy_buffer_seconds", "1")];
    let (mut site, ends) = site("endings-in-time", &settings);
    for row in &TIMES {
        play(&mut site, &ends, row);
    }
    site.end();
}

/// The session process of either host is told to end, or is killed; with the other daemon's line about the latter.
#[test]
fn the_end_of_a_session_process_is_seen_as_the_manual_says() {
    let (mut site, ends) = site("endings-process", &[]);
    let cases = [
        ("SIGTERM to its process", "both: ESID 05, close", Seen::Esid("05"), Signal::SIGTERM, "terminated"),
        ("SIGKILL, or a crash", "both: reset", Seen::Reset, Signal::SIGKILL, "killed-by-SIGKILL"),
    ];
    for (way, seen, expected, signal, reason) in cases {
        for role in [Role::Server, Role::Client] {
            let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
            let session = begin(&ends);
            let mark = marks[usize::from(role == Role::Client)].1;
            let line = site.wait_log_after(role, mark, " session_begin ");
            kill(Pid::from_raw(Line::read(&line).unwrap().pid.cast_signed()), signal).unwrap();
            let (partner, station) = session.ending();
            expected.check(End::Initiator, &partner);
            expected.check(End::Responder, &station.unwrap());
            let both = reasons(&mut site, marks);
            let other = if signal == Signal::SIGTERM { "error-esid" } else { "link-broke" };
            let (own, far) = if role == Role::Server { (&both[0], &both[1]) } else { (&both[1], &both[0]) };
            assert_eq!((own.as_str(), far.as_str()), (reason, other), "{way} {role:?}");
        }
        let line = format!("\n.It {way} Ta {seen} Ta Li {reason}\n");
        assert!(MANUAL.contains(&line), "{line}");
    }
    site.end();
}
