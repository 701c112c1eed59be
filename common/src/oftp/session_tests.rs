//! The checker in sessions: each tolerated deviation, credit, restart, counts, notes, ends.
//!
//! A session is written as text: `I` or `R`, a space, the Exchange Buffer with `\xNN` for octets that are no text.

use super::{Checker, CommandCode, Deviation, EsidReason, Level, Note, Profile, Side, State};

/// Default SSIDs: level 5, both directions, compression, restart, window 2.
const OFFER: &str = r"I X5O0013000000ALPHA   HOST01ALPHAPW102048BYYN002N            \x0d";
const ANSWER: &str = r"R X5O0177BETA-GMBH           BETAPW  02048BYYN002N            \x0d";
const READY: &str = r"R IODETTE FTP READY \x0d";

/// An SFID of level 5 of this format, record length, restart offer and security.
fn sfid(format: char, length: u32, restart: u64, security: u32) -> String {
    let cipher = if security > 0 { 2 } else { 0 };
    let enveloped = u32::from(security > 0);
    format!(
        "I H{:26}   202402292359590001        {:25}{:25}{format}{length:05}{:013}{:013}{restart:017}\
         {security:02}{cipher:02}0{enveloped}N000",
        "FILE", "O0177BETA-GMBH", "O0013000000ALPHA   HOST01", 1, 1
    )
}

fn sfpa(restart: u64) -> String {
    format!("R 2{restart:017}")
}

fn efid(records: u64, octets: u64) -> String {
    format!("I T{records:017}{octets:017}")
}

fn stb(text: &str) -> Vec<u8> {
    let mut oeb = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(r"\x") {
        oeb.extend_from_slice(before.as_bytes());
        oeb.push(u8::from_str_radix(&after[..2], 16).unwrap());
        rest = &after[2..];
    }
    oeb.extend_from_slice(rest.as_bytes());
    let mut stb = (u32::try_from(oeb.len() + 4).unwrap() | 0x1000_0000).to_be_bytes().to_vec();
    stb.append(&mut oeb);
    stb
}

/// Runs the steps; the verdict on the step that is refused, if one is.
fn run(checker: &mut Checker, steps: &[&str]) -> Option<(usize, &'static str)> {
    for (index, step) in steps.iter().enumerate() {
        let side = if step.starts_with('I') { Side::Initiator } else { Side::Responder };
        let buffer = stb(&step[2..]);
        let framed = checker.frame(side, &buffer);
        let judged = checker.judge(side, &buffer);
        if let Err(violation) = judged {
            assert!(framed.is_ok() || framed.as_ref() == Err(&violation));
            return Some((index, violation.reason().code()));
        }
        assert_eq!(framed, Ok(Some(buffer.len())), "{step}");
    }
    None
}

/// Both SSIDs exchanged.
fn started(profile: Profile) -> Checker {
    let mut checker = Checker::new(profile, 1000);
    assert_eq!(run(&mut checker, &[READY, OFFER, ANSWER]), None);
    checker
}

fn deviations(checker: &mut Checker) -> Vec<Deviation> {
    let deviation = |note| if let Note::Tolerated { deviation, .. } = note { Some(deviation) } else { None };
    checker.take_notes().into_iter().filter_map(deviation).collect()
}

/// Each tolerated deviation passes in the tolerant profile, is noted by its number, once, and is refused by the strict
/// one for the reason and at the step given.
#[test]
fn each_deviation_is_tolerated_and_noted_once() {
    let file = sfid('U', 0, 0, 0);
    let (open, done) = (sfpa(0), efid(0, 6));
    let text = sfid('T', 0, 0, 0);
    let counter = file.replace("2359590001", "2359590000");
    let name = file.replace("FILE      ", "my_FILE x ");
    let eerp = format!("I E{:26}   202402292359590001        {:25}{:25}", "FILE", "O0177B", "O0013A");
    let special = OFFER.replace("BYYN", "BYYY");
    let larger = ANSWER.replace("02048", "04096");
    let unfinished = efid(0, 3);
    let odd_name = file.replace("FILE      ", r"ABC#+@~\xc4  ");
    let odd_password = OFFER.replace("ALPHAPW1", "pa#s!   ");
    let latin_reason = r"R F08009ung\xfcltig.\x0d";
    let length = sfid('U', 80, 0, 0);
    let padded = file.replace("U00000", "U    0");
    let old = OFFER.replace("X5", "X1");
    let old_answer = ANSWER.replace("X5", "X1").replace("002N    ", "002     ");
    let reserved = file.replace("   2024", " x 2024");
    let (fixed, two_records) = (sfid('F', 4, 0, 0), efid(2, 7));
    let many = format!(r"I D\x01A{}\x81B", r"\x00".repeat(67));
    let cases: [(Deviation, Vec<&str>, (usize, &str)); 25] = [
        (
            Deviation::C1,
            vec![
                READY,
                OFFER,
                ANSWER,
                &file,
                &open,
                r"I D\x03ABC",
                r"I D\x83DEF",
                &done,
                "R C  ",
                "R 4N",
                "I R",
            ],
            (7, "02"),
        ),
        (Deviation::C2, vec![READY, OFFER, ANSWER, r"I F00000\x0d"], (3, "02")),
        (Deviation::C3, vec![READY, OFFER, ANSWER, &name, "R 301N000", &name], (3, "06")),
        (Deviation::C4, vec![READY, OFFER, ANSWER, &counter, "R 301N000", &counter], (3, "06")),
        (Deviation::C5, vec!["R IODETTE FTP READY ", OFFER], (0, "07")),
        (Deviation::C5, vec![READY, OFFER, ANSWER, &eerp, "R P", &eerp], (3, "07")),
        (Deviation::C5, vec![READY, OFFER, "R F04002no"], (2, "07")),
        (
            Deviation::C6,
            vec![READY, OFFER, ANSWER, &file, &open, r"I D\x03ABC", r"I D\x03DEF", "R C", r"I D\x80"],
            (7, "07"),
        ),
        (Deviation::C7, vec![READY, OFFER, ANSWER, "I R", r"R F00\x0d"], (4, "07")),
        (Deviation::C8, vec![READY, OFFER, &larger, "I R"], (3, "02")),
        (Deviation::C9, vec![READY, OFFER, ANSWER, &file, "R 377N000", &file, "R 377N000"], (4, "06")),
        (
            Deviation::C10,
            vec![READY, OFFER, ANSWER, &text, &open, r"I D\x83ABC", r"I D\x83DEF", "R C  ", &done, "R 4N"],
            (6, "06"),
        ),
        (Deviation::C11, vec![r"R F08000\x0d"], (0, "02")),
        (Deviation::C12, vec![READY, &special, ANSWER, "I R"], (3, "02")),
        (Deviation::C13, vec![READY, OFFER, ANSWER, &odd_name, "R 301N000", &odd_name], (3, "06")),
        (Deviation::C13, vec![READY, &odd_password, ANSWER, "I R"], (1, "06")),
        (Deviation::C14, vec![READY, OFFER, ANSWER, latin_reason], (3, "06")),
        (Deviation::C15, vec![READY, OFFER, ANSWER, &length, "R 301N000", &length], (3, "06")),
        (Deviation::C16, vec![READY, OFFER, ANSWER, &padded, "R 301N000", &padded], (3, "06")),
        (Deviation::C19, vec![READY, OFFER, ANSWER, &file, &open, &many], (5, "02")),
        (Deviation::C19, vec![READY, OFFER, ANSWER, &file, &open, r"I D\x40A\x81B"], (5, "06")),
        (Deviation::C19, vec![READY, OFFER, ANSWER, &file, &open, r"I D\x81B", r"I D\x00"], (6, "06")),
        // Level 1 has no SSIDAUTH: its octet is the first of five reserved ones there.
        (Deviation::C17, vec![READY, &old, &old_answer, "I R"], (1, "06")),
        (Deviation::C17, vec![READY, OFFER, ANSWER, &reserved], (3, "06")),
        (
            Deviation::C18,
            vec![
                READY,
                OFFER,
                ANSWER,
                &fixed,
                &open,
                r"I D\x83ABC",
                r"I D\x84DEFG",
                "R C  ",
                &two_records,
                "R 4N",
            ],
            (5, "06"),
        ),
    ];
    for (deviation, steps, refused) in &cases {
        let mut tolerant = Checker::new(Profile::TOLERANT, 1000);
        assert_eq!(run(&mut tolerant, steps), None, "{deviation}");
        assert_eq!(deviations(&mut tolerant), [*deviation]);
        assert_eq!(run(&mut Checker::new(Profile::STRICT, 1000), steps), Some(*refused), "{deviation}");
    }
    let mut tolerant = started(Profile::TOLERANT);
    let steps = [&file, &open, r"I D\x03ABC", &unfinished, "R 4N"];
    assert_eq!(run(&mut tolerant, &steps), None);
    assert_eq!(deviations(&mut tolerant), [Deviation::C10], "no end of record at the end");
    assert_eq!(run(&mut started(Profile::STRICT), &steps), Some((3, "02")));
}

/// Fields that level 5 has added at the end of a command may be missing, from any of their length fields on.
#[test]
fn a_command_of_level_5_may_end_before_its_late_fields() {
    let file = sfid('U', 0, 0, 0);
    let shortened = file.strip_suffix("000").unwrap();
    let (open, done) = (sfpa(0), efid(0, 1));
    let eerp = format!("I E{:26}   202402292359590001        {:25}{:25}", "FILE", "O0177B", "O0013A");
    let nerp =
        format!("I N{:26}      202402292359590001{:25}{:25}{:25}34", "FILE", "O0177B", "O0013A", "O0013A");
    // Number of octets of the Exchange Buffer, the buffer, the messages before it, the answer to it.
    let in_order = [(139, r"004text\x00\x00\x00\x00"), (135, r"000\x00\x00\x00\x00")];
    let short = [(137, r"004text\x00\x00"), (135, "004text"), (133, r"000\x00\x00"), (131, "000"), (128, "")];
    for (length, tail) in in_order {
        let whole = format!("{nerp}{tail}");
        assert_eq!(stb(&whole[2..]).len() - 4, length);
        let mut checker = started(Profile::TOLERANT);
        assert_eq!((run(&mut checker, &[&whole, "R P"]), deviations(&mut checker)), (None, vec![]));
        assert_eq!(run(&mut started(Profile::STRICT), &[&whole, "R P"]), None);
    }
    let nerps = short.map(|(length, tail)| (length, format!("{nerp}{tail}"), "R P"));
    let mut cases: Vec<(usize, Vec<&str>, &str)> =
        nerps.iter().map(|(length, nerp, answer)| (*length, vec![nerp.as_str()], *answer)).collect();
    let cut_eerp = format!(r"{eerp}\x00\x00");
    let sent = [&file, &open, r"I D\x81A", &done];
    let offered = [file.as_str()];
    cases.extend([
        (108, vec![cut_eerp.as_str()], "R P"),
        (106, vec![eerp.as_str()], "R P"),
        (162, vec![shortened], "R 301N000"),
        (4, [&offered[..], &["R 301N"]].concat(), "I R"),
        (3, [&sent[..], &["R 511"]].concat(), "I R"),
    ]);
    for (length, steps, answer) in &cases {
        let cut = steps.last().unwrap();
        assert_eq!(stb(&cut[2..]).len() - 4, *length, "{cut}");
        let mut checker = started(Profile::TOLERANT);
        assert_eq!(run(&mut checker, &[&steps[..], &[answer]].concat()), None, "{cut}");
        assert_eq!(deviations(&mut checker), [Deviation::C5], "{cut}");
        assert_eq!(run(&mut started(Profile::STRICT), steps), Some((steps.len() - 1, "07")), "{cut}");
    }
    // The remaining octets must be valid: otherwise the length is the fault, as in the strict profile.
    let bad = [
        format!("{nerp}004text\\x00"),
        format!("{nerp}005text"),
        format!("{nerp}00"),
        format!("{}004text", nerp.replace("FILE", r"FI\x0aE")),
        format!(r"{eerp}\x00\x02ab"),
        format!(r"{eerp}\x00"),
        shortened[..shortened.len() - 1].to_owned(),
    ];
    for wrong in &bad {
        for profile in [Profile::TOLERANT, Profile::STRICT] {
            assert_eq!(run(&mut started(profile), &[wrong]), Some((0, "07")), "{wrong}");
        }
    }
}

#[test]
fn a_message_with_many_deviations_tells_them_all() {
    let file = sfid('U', 80, 0, 0);
    let file = file
        .replace("FILE ", r"AB#\xc4 ")
        .replace("2359590001", "2359590000")
        .replace("O0177BETA", "O0177beta");
    let file = file.replace("N000", r"N001\xfc").replacen("0000000000001", "            1", 1);
    let mut checker = started(Profile::TOLERANT);
    assert_eq!(run(&mut checker, &[&file]), None);
    let all = [Deviation::C13, Deviation::C4, Deviation::C3, Deviation::C16, Deviation::C14, Deviation::C15];
    assert_eq!(deviations(&mut checker), all);
}

#[test]
fn padded_numbers_count_as_numbers() {
    let (file, open) =
        (sfid('F', 2, 9, 0).replace("F00002", "F    2"), sfpa(3).replace("200000000", "2        "));
    let end = efid(5, 10).replace("T000", "T   ");
    let mut checker = started(Profile::TOLERANT);
    assert_eq!(run(&mut checker, &[&file, &open, r"I D\x82AB\x82AB", &end, "R 4N"]), None);
    let notes = checker.take_notes();
    assert!(!notes.iter().any(|note| matches!(note, Note::CountMismatch { .. })), "{notes:?}");
}

#[test]
fn an_odd_name_is_noted_escaped_and_an_odd_password_not_at_all() {
    let file = sfid('U', 0, 0, 0).replace("FILE      ", r#"A"\x5c#\xc3\x84    "#);
    let mut checker = started(Profile::TOLERANT);
    assert_eq!(run(&mut checker, &[&file, "R 301N000"]), None);
    let notes: Vec<_> = checker.take_notes().iter().map(Note::to_string).collect();
    let told = "printable character outside of the RFC's set in an alphanumeric field";
    assert_eq!(notes[0], format!("tolerated=C13 role=Initiator command=SFID field=SFIDDSN text=\"{told}\""));
    assert!(notes[1].contains(r#" name="A\"\\#\xc3\x84" "#), "{notes:?}");
    let mut strict = Checker::new(Profile::STRICT, 1000);
    assert_eq!(run(&mut strict, &[READY]), None);
    let refused =
        strict.judge(Side::Initiator, &stb(&OFFER[2..].replace("ALPHAPW1", "pa#s!   "))).unwrap_err();
    assert!(refused.to_string().contains("a value that is not shown in SSIDPSWD"), "{refused}");
}

#[test]
fn credit_is_set_by_sfpa_and_cdt_and_spent_by_data() {
    let file = sfid('U', 0, 0, 0);
    let mut checker = started(Profile::STRICT);
    assert_eq!(run(&mut checker, &[&file, &sfpa(0), r"I D\x01A"]), None);
    assert_eq!(checker.state(), State::Transfer);
    assert_eq!(run(&mut checker, &[r"I D\x01A"]), None);
    assert_eq!(checker.state(), State::TransferNoCredit);
    assert_eq!(run(&mut checker, &["R C  ", r"I D\x01A", r"I D\x01A", r"I D\x01A"]), Some((3, "02")));
}

/// Data of files reduce the count of empty subrecords: many are accepted in a long file, and the counts of small files
/// do not add up.
#[test]
fn empty_subrecords_end_a_session_from_1_mib_on() {
    let (file, open) = (sfid('U', 0, 0, 0), sfpa(0));
    let (offer, answer) =
        (OFFER.replace("02048BYYN002", "99999BYYN999"), ANSWER.replace("02048BYYN002", "99999BYYN999"));
    let data = |subrecords: &[u8]| {
        let oeb = [b"D", subrecords].concat();
        [&(u32::try_from(oeb.len() + 4).unwrap() | 0x1000_0000).to_be_bytes()[..], &oeb].concat()
    };
    let (empty, full) = (data(&vec![0; 1 << 16]), data(&[0x7F, b'A'].repeat(1 << 14)));
    let sends = |checker: &mut Checker, buffer: &[u8], times: usize| {
        (0..times).find(|_| checker.judge(Side::Initiator, buffer).is_err())
    };
    let mut checker = Checker::new(Profile::TOLERANT, 0);
    assert_eq!(run(&mut checker, &[READY, &offer, &answer, &file, &open]), None);
    assert_eq!(sends(&mut checker, &empty, 16), None, "1 MiB");
    assert_eq!(deviations(&mut checker), [Deviation::C19]);
    // One buffer of 1,032,192 octets allows as many empty ones.
    assert_eq!(sends(&mut checker, &full, 1), None);
    assert_eq!(sends(&mut checker, &empty, 15), None);
    assert_eq!(deviations(&mut checker), [], "told once");
    assert_eq!(run(&mut checker, &[r"I D\x81B", &efid(0, 1_032_193), "R 4N", &file, &open]), None);
    let refused = checker.judge(Side::Initiator, &empty).unwrap_err();
    assert_eq!((refused.reason().code(), refused.field()), ("02", Some("DATABUF")), "in the next file");
    assert!(refused.to_string().contains("beyond what files carried"), "{refused}");
}

#[test]
fn counts_are_followed_and_a_wrong_efid_that_is_accepted_is_noted() {
    let cases = [
        (sfid('U', 0, 0, 0), sfpa(0), r"I D\x83ABC", efid(0, 3), None),
        (sfid('U', 0, 0, 0), sfpa(0), r"I D\x83ABC", efid(0, 4), Some((Some(0), Some(3)))),
        (sfid('U', 0, 9, 0), sfpa(2), r"I D\x83ABC", efid(0, 2051), None),
        (sfid('F', 2, 9, 0), sfpa(3), r"I D\x82AB\x82AB", efid(5, 10), None),
        (sfid('F', 2, 9, 0), sfpa(3), r"I D\x82AB\x82AB", efid(4, 10), Some((Some(5), Some(10)))),
        (sfid('V', 9, 0, 0), sfpa(0), r"I D\x82AB\x80", efid(2, 2), None),
        (sfid('V', 9, 5, 0), sfpa(5), r"I D\x82AB\x80", efid(7, 77), None),
        (sfid('V', 9, 5, 0), sfpa(5), r"I D\x82AB\x80", efid(8, 77), Some((Some(7), None))),
        (sfid('F', 9, 0, 1), sfpa(0), r"I D\x82AB", efid(77, 2), None),
        // A position that does not fit into 64 bits when multiplied by 1,024 counts as unknown.
        (sfid('U', 0, 99_999_999_999_999_999, 0), sfpa(99_999_999_999_999_999), r"I D\x80", efid(0, 7), None),
    ];
    for (file, open, data, end, counted) in &cases {
        let mut checker = started(Profile::STRICT);
        assert_eq!(run(&mut checker, &[file, open, data, end, "R 4N"]), None, "{file}");
        let mismatch = checker.take_notes().into_iter().find_map(|note| match note {
            Note::CountMismatch { counted, .. } => Some(counted),
            _ => None,
        });
        assert_eq!(mismatch, *counted, "{file} {data} {end}");
    }
}

#[test]
fn files_and_receipts_are_noted() {
    let eerp = format!(
        "I E{:26}   202402292359590001        {:25}{:25}\\x00\\x00\\x00\\x00",
        "MINE", "O0177B", "O0013A"
    );
    let (file, open) = (sfid('U', 0, 0, 0), sfpa(0));
    let mut checker = started(Profile::STRICT);
    let steps = [&eerp, "R P", &file, &open, r"I D\x83ABC", &efid(0, 3), "R 4N", &file, "R 313Y000"];
    assert_eq!(run(&mut checker, &steps), None);
    let notes: Vec<_> = checker.take_notes().iter().map(Note::to_string).collect();
    assert_eq!(
        notes,
        [
            "receipt=EERP role=Initiator name=\"MINE\"",
            "file=accepted role=Initiator name=\"FILE\" octets=3 restart=0",
            "file=refused role=Initiator name=\"FILE\" octets=0 command=SFNA reason=13",
        ]
    );
    assert!(checker.take_notes().is_empty());
}

#[test]
fn commands_that_lead_nowhere_end_at_the_limit() {
    let (file, refused) = (sfid('U', 0, 0, 0), "R 301N000");
    let eerp = format!(
        "I E{:26}   202402292359590001        {:25}{:25}\\x00\\x00\\x00\\x00",
        "MINE", "O0177B", "O0013A"
    );
    let mut checker = Checker::new(Profile::TOLERANT, 10);
    // Three commands of the start, then six: nine.
    assert_eq!(
        run(&mut checker, &[READY, OFFER, ANSWER, &file, refused, &file, refused, &file, refused]),
        None
    );
    // A receipt taken starts the count again: after it ten are allowed.
    assert_eq!(run(&mut checker, &[&eerp, "R P"]), None);
    let loops: Vec<&str> = [file.as_str(), refused].into_iter().cycle().take(12).collect();
    assert_eq!(run(&mut checker, &loops), Some((10, "99")));
}

#[test]
fn an_esid_drains_the_other_side_and_silences_its_own() {
    let (file, open) = (sfid('U', 0, 0, 0), sfpa(0));
    let mut checker = started(Profile::STRICT);
    assert!(!checker.may_close());
    assert_eq!(run(&mut checker, &[&file, &open, r"R F08000\x0d"]), None);
    assert_eq!(checker.ended(), Some((Side::Responder, EsidReason::ResourcesNotAvailable)));
    assert!(checker.may_close());
    // Sent before the ESID arrived: not judged, and not to be passed on.
    let drained = checker.judge(Side::Initiator, b"\x10\x00\x00\x07Zzz").unwrap();
    assert_eq!((drained.code, drained.esid), (None, None));
    assert_eq!(checker.frame(Side::Initiator, b"garbage"), Ok(Some(7)));
    let crossing = checker.judge(Side::Initiator, &stb(r"F09000\x0d")).unwrap();
    assert_eq!((crossing.code, crossing.esid), (Some(CommandCode::Esid), Some(EsidReason::TimeOut)));
    assert_eq!(checker.ended(), Some((Side::Responder, EsidReason::ResourcesNotAvailable)));
    assert_eq!(run(&mut checker, &["R R"]), Some((0, "02")));
}

#[test]
fn after_a_refusal_nothing_passes() {
    let mut checker = started(Profile::TOLERANT);
    assert_eq!(run(&mut checker, &["I Zebra"]), Some((0, "01")));
    assert_eq!(run(&mut checker, &["I R"]), Some((0, "02")));
}

#[test]
fn our_esid_has_the_form_of_the_level_in_force() {
    let high = |checker: &Checker| checker.esid(EsidReason::TimeOut, "zu spät");
    let two = stb(r"F09008zu spät\x0d");
    let mut checker = Checker::new(Profile::TOLERANT, 0);
    assert_eq!(high(&checker), two, "nothing known yet");
    assert_eq!(run(&mut checker, &[READY, &OFFER.replace("X5", "X2").replace("002N", "002 ")]), None);
    assert_eq!(high(&checker), stb(r"F09\x0d"), "level 2 offered");
    let mut checker = started(Profile::TOLERANT);
    assert_eq!(high(&checker), two);
    let long = checker.esid(EsidReason::UnspecifiedAbort, &"ä".repeat(600));
    assert_eq!(long.len(), 4 + 7 + 998, "cut between characters");
    assert_eq!(
        checker.judge(Side::Responder, &long).map(|command| command.esid),
        Ok(Some(EsidReason::UnspecifiedAbort))
    );
    assert_eq!(checker.level(), Some(Level::L5));
}
