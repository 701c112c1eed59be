//! Every row of `t/hostile.txt` with real daemons: a partner or a station of the test sends it. The offender gets the
//! ESID of the row, the log gets one line, the other side gets no octet, and a session beside it is not affected.

use oftp2peer::oftp::session::Role as Side;
use oftp2peer::transport::Break;
use std::time::{Duration, Instant};
use t::ends::{Ending, Ends, Session};
use t::hostile;
use t::link::Dmz;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wire::{Step, Trace, reason_to_responder};

/// Sent after each bad buffer, and dropped together with it.
const CD: &[u8] = b"\x10\0\0\x05R";
/// The SSIDCODE of the caller in all rows.
const SSID: &str = "O0013000000ALPHA   HOST01";

/// A site with the profile `profile`, and both its ends.
fn site(name: &str, profile: &str) -> (Site, Ends) {
    let partner = PartnerEntry::new("alpha", SSID).option("--profile", profile);
    let site = Builder::new(name).partners([partner]).station(None).start().unwrap();
    let ends = Ends::new(&site, SSID).unwrap();
    (site, ends)
}

/// A session that goes on without end: SFID and SFNA for each call of `go_on`.
struct Innocent<'a> {
    session: Session<'a>,
    steps: std::vec::IntoIter<Step>,
}

impl<'a> Innocent<'a> {
    fn begin(ends: &'a Ends) -> Self {
        let steps = named("refused files without end").steps.into_iter();
        let mut innocent = Self { session: ends.begin().unwrap(), steps };
        innocent.go_on(3);
        innocent
    }

    fn go_on(&mut self, steps: usize) {
        let steps: Vec<_> = self.steps.by_ref().take(steps).collect();
        assert_eq!(self.session.play(&steps, usize::MAX), Ok(()));
    }

    fn end(mut self) {
        let step = |by, octets: &[u8]| Step { by, octets: octets.to_owned(), label: String::new() };
        let last = [step(Side::Initiator, CD), step(Side::Responder, b"\x10\0\0\x0bF00000\r")];
        assert_eq!(self.session.play(&last, usize::MAX), Ok(()));
        let station = self.session.close().unwrap();
        assert_eq!(station, Ending { octets: Vec::new(), how: Break::Fin });
    }
}

/// Whether `octets` are one ESID with `reason` in the layout of the level that the SSIDs of `before` agree on.
fn is_esid(octets: &[u8], reason: &str, before: &[Step]) -> bool {
    let is_ssid = |step: &&Step| step.octets.get(4) == Some(&b'X');
    let is_level_5 = before.iter().filter(is_ssid).all(|ssid| ssid.octets[5] == b'5');
    let Some((header, esid)) = octets.split_at_checked(4) else { return false };
    let length = u32::try_from(octets.len()).unwrap() | 0x1000_0000;
    let text = esid.get(6..esid.len() - 1).unwrap_or_default();
    let tail = if is_level_5 { format!("{:03}{}", text.len(), text.escape_ascii()) } else { String::new() };
    header == length.to_be_bytes() && esid == format!("F{reason}{tail}\r").as_bytes()
}

/// Plays `case` up to the refused step and checks all effects; returns how long both ends had to wait.
fn refused(site: &mut Site, ends: &Ends, case: &Trace, (at, reason): &(usize, String)) -> Duration {
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    let (before, rest) = case.steps.split_at(*at);
    let name = &case.name;
    let mut session = ends.begin().unwrap();
    session.play(before, usize::MAX).unwrap_or_else(|departure| panic!("{name}: {departure}"));
    // The profile is only known with the SSID: if only this profile refuses the SSID, octets after it would be found
    // first.
    let behind = if case.tolerant.is_some() { CD } else { &[] };
    session.send(rest[0].by, &[&rest[0].octets[..], behind].concat());
    let sent = Instant::now();
    let (partner, station) = session.ending();
    let waited = sent.elapsed();

    let is_inside = before.iter().any(|step| step.by == Side::Initiator);
    assert_eq!(station.is_some(), is_inside, "{name}");
    assert!(!ends.is_called(), "{name}");
    has_heard(&partner, &Break::CloseNotify, case, before, reason);
    if let Some(station) = &station {
        // A side knows its own SSID, which nobody else has seen if the negotiation failed because of it.
        let failed = ["10", "12"].contains(&reason.as_str());
        let known = if failed { &case.steps[..=*at] } else { before };
        has_heard(station, &Break::Fin, case, known, reason_to_responder(reason, known));
    }

    let offender = if rest[0].by == Side::Initiator { Role::Server } else { Role::Client };
    for (role, mark) in marks {
        if is_inside {
            site.wait_log_after(role, mark, " session_end ");
        } else if role == Role::Server {
            site.wait_log_after(role, mark, " session_refused ");
        }
        let log = site.log(role)[mark..].to_owned();
        let tells = |line: &Line| ["violation", "session_refused"].contains(&line.event());
        let lines: Vec<_> = log.lines().filter_map(Line::read).filter(tells).collect();
        assert_eq!(lines.len(), usize::from(role == offender), "{name}: {log}");
        for line in lines {
            is_complete(&line, rest[0].by, reason);
        }
    }
    waited
}

/// Asserts that an end has received one ESID, or nothing more if it had one `before`, and a regular close.
fn has_heard(end: &Ending, how: &Break, case: &Trace, before: &[Step], reason: &str) {
    assert_eq!(&end.how, how, "{}: {end:?}", case.name);
    let is_over = before.iter().any(|step| step.octets[4] == b'F');
    let is_good = if is_over { end.octets.is_empty() } else { is_esid(&end.octets, reason, before) };
    assert!(is_good, "{}: {end:?}", case.name);
}

/// Asserts that the line of a violation names the fault, its place, and the rule.
fn is_complete(line: &Line, by: Side, reason: &str) {
    let field = |key: &str| line.field(key).unwrap_or_else(|| panic!("no {key}: {}", line.text));
    assert_eq!((line.level, field("esid").as_str()), ("WARN", reason), "{}", line.text);
    if line.event() == "violation" {
        assert_eq!(field("side"), if by == Side::Initiator { "partner" } else { "station" });
        assert!(field("offset").parse::<usize>().is_ok() && !field("expected").is_empty(), "{}", line.text);
        assert!(!field("found").is_empty() && field("rule").starts_with("RFC "), "{}", line.text);
    } else {
        assert_eq!(field("reason"), "partner-violation", "{}", line.text);
        let detail = field("detail");
        assert!(["found ", "asks for ", "(RFC "].iter().all(|part| detail.contains(part)), "{detail}");
    }
}

/// Plays all of `case`, which is legal.
fn passes(site: &mut Site, ends: &Ends, case: &Trace) {
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    let mut session = ends.begin().unwrap();
    session.play(&case.steps, usize::MAX).unwrap_or_else(|departure| panic!("{}: {departure}", case.name));
    session.close();
    for (role, mark) in marks {
        site.wait_log_after(role, mark, " session_end ");
        assert!(!site.log(role)[mark..].contains(" violation "), "{}", case.name);
    }
}

/// Whether the station speaks before it has an SSID: then only the client gets its first buffer.
fn is_rude_station(case: &Trace) -> bool {
    let speaks_first = |step: &Step| step.by == Side::Responder;
    case.steps.iter().all(speaks_first)
}

/// Whether the partner speaks before SSRM: when its octets are read, the server has sent its own SSRM.
fn is_overtaken(case: &Trace) -> bool {
    case.steps[0].by == Side::Initiator
}

/// The rows in which this side is at fault, in the form in which they pass through the daemons.
fn rows(by: Side, strict: bool) -> Vec<Trace> {
    let mut rows: Vec<_> = hostile::cases().unwrap().into_iter().map(|case| case.live(strict)).collect();
    rows.retain(|case| !is_rude_station(case) && !is_overtaken(case) && case.steps.last().unwrap().by == by);
    rows
}

/// A case that the table must have.
fn named(name: &str) -> Trace {
    hostile::cases().unwrap().into_iter().find(|case| case.name == name).unwrap()
}

/// All rows with this offender in the tolerant profile, beside a session that continues through all of them; returns
/// how many were refused.
fn all_rows(name: &str, by: Side) -> usize {
    let (mut site, ends) = site(name, "tolerant");
    let mut innocent = Innocent::begin(&ends);
    let mut waits = Vec::new();
    for case in rows(by, false) {
        if let Some(verdict) = &case.tolerant {
            waits.push(refused(&mut site, &ends, &case, verdict));
        } else {
            passes(&mut site, &ends, &case);
        }
        innocent.go_on(2);
    }
    innocent.end();
    site.end();
    // A busy machine may delay some of them.
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_secs(1), "{waits:?}");
    waits.len()
}

#[test]
fn a_partner_gets_an_esid_for_each_fault_and_nobody_else_is_affected() {
    assert!(all_rows("hostile-partner", Side::Initiator) >= 130);
}

#[test]
fn a_station_gets_an_esid_for_each_fault_and_nobody_else_is_affected() {
    assert!(all_rows("hostile-station", Side::Responder) >= 50);
}

#[test]
fn the_strict_profile_refuses_what_the_tolerant_one_accepts() {
    let (mut site, ends) = site("hostile-strict", "strict");
    let mut innocent = Innocent::begin(&ends);
    for case in [Side::Initiator, Side::Responder].into_iter().flat_map(|by| rows(by, true)) {
        if case.strict != case.tolerant {
            refused(&mut site, &ends, &case, case.strict.as_ref().unwrap());
            innocent.go_on(2);
        }
    }
    innocent.end();
    site.end();
}

#[test]
fn a_station_that_speaks_out_of_turn_at_once_is_answered_and_the_partner_hears_08() {
    let (mut site, ends) = site("hostile-greeting", "tolerant");
    let good = named("CD of two octets").steps;
    let cases: Vec<_> = hostile::cases().unwrap().into_iter().filter(is_rude_station).collect();
    assert!(cases.len() >= 7);
    for case in cases {
        let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
        let mut session = ends.begin().unwrap();
        assert_eq!(session.play(&good[..1], usize::MAX), Ok(()), "{}", case.name);
        session.send(Side::Initiator, &good[1].octets);
        let octets: Vec<u8> = case.steps.iter().flat_map(|step| step.octets.clone()).collect();
        session.send(Side::Responder, &octets);
        let (partner, station) = session.ending();
        let station = station.unwrap();
        let (_, reason) = case.tolerant.unwrap();
        assert!(is_esid(&station.octets, &reason, &[]) && station.how == Break::Fin, "{station:?}");
        assert!(
            is_esid(&partner.octets, "08", &good[..2]) && partner.how == Break::CloseNotify,
            "{partner:?}"
        );
        for ((role, mark), status) in marks.into_iter().zip(["station-down", "station-violation"]) {
            site.wait_log_after(role, mark, &format!(" session_refused *reason={status}"));
            assert_eq!(site.log(role)[mark..].matches(" session_refused ").count(), 1, "{}", case.name);
        }
    }
    site.end();
}

#[test]
fn a_dmz_host_under_an_attackers_control_sends_no_invalid_data_inside() {
    let mut site = Builder::new("hostile-dmz").station(None).prepare().unwrap();
    let ends = Ends::new(&site, SSID).unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let mut dmz = Dmz::take_over(&mut site).unwrap();
    let cases = rows(Side::Initiator, false);
    for case in cases.iter().filter(|case| case.tolerant.is_some()) {
        let (at, reason) = case.tolerant.as_ref().unwrap();
        let mark = site.mark(Role::Client);
        let (before, rest) = case.steps.split_at(*at);
        let mut session = ends.begin_in_dmz(dmz.open(SSID).unwrap(), before[0].clone()).unwrap();
        assert_eq!(session.play(&before[1..], usize::MAX), Ok(()), "{}", case.name);
        session.send(rest[0].by, &[&rest[0].octets[..], CD].concat());
        let (data, station) = session.ending();
        has_heard(&data, &Break::CloseNotify, case, before, reason);
        has_heard(&station.unwrap(), &Break::Fin, case, before, reason);
        site.wait_log_after(Role::Client, mark, " session_end *reason=partner-violation");
        let log = site.log(Role::Client)[mark..].to_owned();
        let lines: Vec<_> =
            log.lines().filter_map(Line::read).filter(|line| line.event() == "violation").collect();
        assert_eq!(lines.len(), 1, "{}: {log}", case.name);
        is_complete(&lines[0], Side::Initiator, reason);
    }
    site.end();
}
