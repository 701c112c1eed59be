//! The traces of `t/vectors` with real daemons: partner and station send the recorded buffers through both daemons, and
//! each receives the buffers of the other, octet by octet, however they were cut into pieces.

use oftp2peer::oftp::session::Role as Side;
use std::collections::BTreeSet;
use t::ends::Ends;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wire::{Step, Trace, reason_to_responder};

fn traces() -> Vec<Trace> {
    let files = [include_str!("vectors/sessions.json"), include_str!("vectors/recorded_sessions.json")];
    files.iter().flat_map(|json| Trace::read_all(json).unwrap()).collect()
}

/// A site with every SSIDCODE of the traces.
fn site(name: &str, profile: &str) -> (Site, Ends) {
    let ssid = |octets: &[u8]| String::from_utf8(octets[6..31].to_owned()).unwrap().trim_end().to_owned();
    let calls = traces().into_iter().flat_map(|trace| trace.steps);
    let calls = calls.filter(|step| step.by == Side::Initiator && step.octets[4] == b'X');
    let codes: BTreeSet<String> = calls.map(|step| ssid(&step.octets)).collect();
    let partners = codes.iter().enumerate().map(|(at, code)| {
        let entry = PartnerEntry::new(&format!("partner{at}"), code);
        entry.option("--certificate", "any").option("--profile", profile)
    });
    let site = Builder::new(name).partners(partners).station(None).start().unwrap();
    let ends = Ends::new(&site, "O0013WHOEVER").unwrap();
    (site, ends)
}

/// Plays all of a legal trace.
fn arrives(site: &mut Site, ends: &Ends, trace: &Trace, piece: usize) {
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    let mut session = ends.begin().unwrap();
    // Buffers that are still on the way when the other side has ended the session are legal, and nobody reads them.
    let (lively, late) = trace.steps.split_at(end_of(&trace.steps).map_or(trace.steps.len(), |end| end + 1));
    let played = session.play(lively, piece);
    assert_eq!(played, Ok(()), "{} in pieces of {piece}", trace.name);
    for step in late {
        session.send(step.by, &step.octets);
    }
    let rest = session.close();
    assert!(rest.as_ref().is_some_and(|rest| rest.octets.is_empty()), "{}: {rest:?}", trace.name);
    for (role, mark) in marks {
        site.wait_log_after(role, mark, " session_end ");
        assert!(!site.log(role)[mark..].contains(" violation "), "{}", trace.name);
    }
}

/// Plays the steps before the refused one, and checks that each end gets the reason and nothing else.
fn is_refused(site: &mut Site, ends: &Ends, trace: &Trace, (at, reason): &(usize, String), piece: usize) {
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    let (before, rest) = trace.steps.split_at(*at);
    let mut session = ends.begin().unwrap();
    assert_eq!(session.play(before, piece), Ok(()), "{}", trace.name);
    session.send(rest[0].by, &rest[0].octets);
    let (partner, station) = session.ending();
    let is_inside = station.is_some();
    let inside = reason_to_responder(reason, &trace.steps[..=*at]);
    for (end, reason) in [(Some(partner), reason.as_str()), (station, inside)] {
        let Some(end) = end else { continue };
        // A side that has sent an ESID gets none.
        let due = if end_of(before).is_some() { Vec::new() } else { format!("F{reason}").into_bytes() };
        assert_eq!(end.octets.get(4..7).unwrap_or_default(), due, "{}: {end:?}", trace.name);
        let length = end.octets.get(3).copied().unwrap_or_default();
        assert_eq!(end.octets.len(), usize::from(length), "{}: {end:?}", trace.name);
    }
    if is_inside {
        for (role, mark) in marks {
            site.wait_log_after(role, mark, " session_end ");
        }
    }
}

/// The step that ends the session.
fn end_of(steps: &[Step]) -> Option<usize> {
    steps.iter().position(|step| step.octets[4] == b'F')
}

/// All traces except the one in which the Initiator speaks before SSRM: the server has sent SSRM before it reads.
fn replay(name: &str, profile: &str, piece: usize, up_to: usize) {
    let (mut site, ends) = site(name, profile);
    let octets = |trace: &Trace| trace.steps.iter().map(|step| step.octets.len()).sum::<usize>();
    let strict = profile == "strict";
    let traces = traces().into_iter().map(|trace| trace.live(strict));
    let traces = traces.filter(|trace| trace.steps[0].by == Side::Responder);
    for trace in traces.filter(|trace| octets(trace) <= up_to) {
        match if strict { &trace.strict } else { &trace.tolerant } {
            None => arrives(&mut site, &ends, &trace, piece),
            Some(verdict) => is_refused(&mut site, &ends, &trace, verdict, piece),
        }
    }
    site.end();
}

#[test]
fn every_trace_arrives_as_it_was_recorded() {
    replay("replay", "tolerant", usize::MAX, usize::MAX);
}

#[test]
fn every_trace_arrives_in_pieces_of_seven_octets() {
    replay("replay-7", "tolerant", 7, usize::MAX);
}

#[test]
fn every_trace_arrives_octet_by_octet() {
    // Each octet is a separate TLS record: the longest trace would take too long.
    replay("replay-1", "tolerant", 1, 6_000);
}

#[test]
fn the_strict_profile_stops_each_trace_at_its_step() {
    replay("replay-strict", "strict", usize::MAX, usize::MAX);
}
