//! What the fuzz targets ask of the OFTP2 checker, beyond that it neither panics nor hangs. Each takes any octets.
//!
//! Built by cargo-fuzz with nightly for long runs, and into the tests of `t/`, which run it over the corpus. It uses
//! the checker's public interface only.

use common::oftp::{Checker, CommandCode, EsidReason, Level, Note, Profile, SSRM, Side, check_message};
use common::oftp::{describe, masked};

/// Both SSIDs of a session of level 5: 2,048 octets, compression, restart, a window of 999.
const SSID: &[u8] = b"X5O0013FUZZ                SECRET  02048BYYN999N            \r";

/// Splits off the first octet; 0 if there is none.
fn first(input: &[u8]) -> (u8, &[u8]) {
    input.split_first().map_or((0, input), |(first, rest)| (*first, rest))
}

/// An Exchange Buffer with its header.
fn stb(oeb: &[u8]) -> Vec<u8> {
    let length = u32::try_from(oeb.len() + 4).unwrap_or(u32::MAX) & 0x00FF_FFFF;
    [&(length | 0x1000_0000).to_be_bytes(), oeb].concat()
}

fn profile(choice: u8) -> Profile {
    if choice & 1 == 0 { Profile::STRICT } else { Profile::TOLERANT }
}

/// A session that has both SSIDs behind it.
fn started(profile: Profile, ssid: &[u8]) -> Checker {
    let mut checker = Checker::new(profile, 1000);
    let ssid = stb(ssid);
    for (side, buffer) in [(Side::Responder, &SSRM[..]), (Side::Initiator, &ssid), (Side::Responder, &ssid)] {
        assert!(checker.judge(side, buffer).is_ok(), "the start is legal");
    }
    checker
}

/// Framing: more octets never take a verdict back, and a buffer is never longer than what is there.
///
/// # Panics
///
/// Where the checker is wrong.
pub fn framing(input: &[u8]) {
    let (choice, octets) = first(input);
    let side = if choice & 2 == 0 { Side::Initiator } else { Side::Responder };
    let fresh = Checker::new(profile(choice), 1000);
    for checker in [fresh, started(profile(choice), SSID)] {
        let mut refused = None;
        for known in 0..=octets.len().min(12) {
            let verdict = checker.frame(side, &octets[..known]);
            if let Some(earlier) = refused {
                assert_eq!(verdict, Err(earlier), "a refusal stands");
            }
            refused = verdict.err();
        }
        match checker.frame(side, octets) {
            Ok(Some(length)) => assert!((5..=octets.len()).contains(&length)),
            Ok(None) => assert!(refused.is_none()),
            Err(violation) => assert!(refused.is_none_or(|earlier| earlier == violation)),
        }
    }
}

/// Nothing in `text` can end a line of a log or steer a terminal.
fn harmless(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

/// One message alone: what the strict profile takes, the tolerant one takes without finding anything; every text that
/// comes of it is harmless; what is masked decodes as before.
///
/// # Panics
///
/// Where the checker is wrong.
pub fn message(input: &[u8]) {
    let (choice, oeb) = first(input);
    let level =
        [None, Some(Level::L1), Some(Level::L2), Some(Level::L4), Some(Level::L5)][usize::from(choice) % 5];
    let buffer = stb(oeb);
    let strict = check_message(Side::Initiator, &buffer, level, Profile::STRICT);
    let tolerant = check_message(Side::Initiator, &buffer, level, Profile::TOLERANT);
    match (&strict, &tolerant) {
        (Ok(found), Ok(also)) => assert!(found.is_empty() && also.is_empty()),
        (Ok(_), Err(violation)) => panic!("the tolerant profile is stricter: {violation}"),
        (Err(violation), _) => harmless(&violation.to_string()),
    }
    if let Err(violation) = &tolerant {
        harmless(&violation.to_string());
        // The password may hold any of these texts by chance, but never shows itself.
        assert!(violation.field() != Some("SSIDPSWD") || violation.found() == "a value that is not shown");
    }
    let line = describe(&buffer, level);
    harmless(&line);
    let safe = masked(&buffer);
    assert_eq!(safe.len(), buffer.len());
    assert_eq!(describe(&safe, level), line);
}

/// Octets and ends of record of a buffer, by the RFC's words: none if it is malformed.
fn count(oeb: &[u8], compression: bool) -> Option<(u64, u64)> {
    let (mut octets, mut ends) = (0, 0);
    let mut rest = &oeb[1..];
    while let [header, tail @ ..] = rest {
        let length = usize::from(header & 0x3F);
        let compressed = header & 0x40 != 0;
        if compressed && !compression {
            return None;
        }
        rest = tail.get(if compressed { 1 } else { length }..)?;
        octets += length as u64;
        ends += u64::from(header & 0x80 != 0);
    }
    Some((octets, ends))
}

/// A file: the buffers that the checker takes have the octets and records that a plain count finds, and no buffer that
/// cannot be counted is taken.
///
/// # Panics
///
/// Where the checker is wrong.
pub fn data(input: &[u8]) {
    let (choice, input) = first(input);
    let (length, mut rest) = first(input);
    let compression = choice & 2 == 0;
    let ssid: Vec<u8> =
        if compression { SSID.to_vec() } else { String::from_utf8_lossy(SSID).replace("BYY", "BNY").into() };
    let mut checker = started(profile(choice), &ssid);
    let format = ['U', 'T', 'F', 'V'][usize::from(choice >> 2) % 4];
    let longest = if matches!(format, 'U' | 'T') { 0 } else { length };
    let file = format!(
        "H{:26}   202402292359590001        {:25}{:25}{format}{longest:05}{:043}000000N000",
        "FUZZ", "O0013TO", "O0013FROM", 0
    );
    assert!(checker.judge(Side::Initiator, &stb(file.as_bytes())).is_ok());
    assert!(checker.judge(Side::Responder, &stb(b"200000000000000000")).is_ok());
    let (mut octets, mut ends) = (0, 0);
    while !rest.is_empty() {
        let (size, tail) = first(rest);
        let (buffer, tail) = tail.split_at(usize::from(size).min(tail.len()));
        rest = tail;
        let oeb = [b"D", buffer].concat();
        let counted = count(&oeb, compression);
        if checker.judge(Side::Initiator, &stb(&oeb)).is_err() {
            return;
        }
        let (more, records) = counted.expect("a malformed buffer was taken");
        octets += more;
        ends += records;
    }
    let records = if matches!(format, 'F' | 'V') { ends } else { 0 };
    let end = format!("T{records:017}{octets:017}");
    if checker.judge(Side::Initiator, &stb(end.as_bytes())).is_err() {
        return;
    }
    assert!(checker.judge(Side::Responder, &stb(b"4N")).is_ok());
    for note in checker.take_notes() {
        harmless(&note.to_string());
        match note {
            Note::FileAccepted { octets: seen, .. } => assert_eq!(seen, octets),
            Note::CountMismatch { .. } => panic!("counts differ: {records} {octets}"),
            _ => (),
        }
    }
}

/// A whole session of both sides. Each buffer: an octet (bit 0: of the Responder; bit 1: with its own header; the rest:
/// where it is cut), two octets of length, the octets. The verdict does not depend on the cut; after a refusal our own
/// ESID is a legal message and everything else is drained.
///
/// # Panics
///
/// Where the checker is wrong.
pub fn session(input: &[u8]) {
    let (choice, mut rest) = first(input);
    let new =
        || if choice & 2 == 0 { Checker::new(profile(choice), 50) } else { started(profile(choice), SSID) };
    let (mut whole, mut parted) = (new(), new());
    while let [how, high, low, tail @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(tail.len());
        let (octets, tail) = tail.split_at(length);
        rest = tail;
        let side = if how & 1 == 0 { Side::Initiator } else { Side::Responder };
        let buffer = if how & 2 == 0 { stb(octets) } else { octets.to_vec() };
        let judged = whole.judge(side, &buffer);
        let early = parted.frame(side, &buffer[..usize::from(how >> 2).min(buffer.len())]);
        let late = early.and_then(|_| parted.frame(side, &buffer)).and_then(|_| parted.judge(side, &buffer));
        assert_eq!(judged, late, "the cut decides");
        assert_eq!(whole.state(), parted.state());
        for note in whole.take_notes() {
            harmless(&note.to_string());
        }
        let Err(violation) = judged else { continue };
        harmless(&violation.to_string());
        end(&mut whole, side, violation.reason(), &buffer);
        return;
    }
}

/// The end of a refused session.
fn end(checker: &mut Checker, side: Side, reason: EsidReason, refused: &[u8]) {
    let esid = checker.esid(reason, "refused");
    assert_eq!(esid.get(4), Some(&CommandCode::Esid.octet()));
    assert!(check_message(side, &esid, checker.level(), Profile::TOLERANT).is_ok(), "our own ESID is legal");
    for side in [Side::Initiator, Side::Responder] {
        let passed = checker.judge(side, refused).ok().and_then(|command| command.code);
        assert_eq!(passed, None, "nothing passes");
    }
}
