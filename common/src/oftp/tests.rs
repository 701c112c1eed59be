//! The checker against the shared test data: messages, hand-made sessions, sessions recorded between real stacks.
//! The data are in `t/vectors`, octet for octet as they were recorded.

use super::{Checker, CommandCode, Level, Profile, SSRM, Side, check_message, describe};
use serde::Deserialize;

const VALID: &str = include_str!("../../../t/vectors/messages_valid.json");
const INVALID: &str = include_str!("../../../t/vectors/messages_invalid.json");
const SESSIONS: &str = include_str!("../../../t/vectors/sessions.json");
const RECORDED: &str = include_str!("../../../t/vectors/recorded_sessions.json");

/// Vectors whose verdict in the tolerant profile differs from `man/doc/deviations.md`; the document decides.
const CONTRADICTED: [&str; 3] = [
    // `messages_invalid.json` says that the tolerant profile refuses it, deviation C6 that it accepts it. RFC 5024
    // §5.3.7 gives CDT two reserved octets that carry nothing: leaving them off does no harm.
    "CDT without reserved octets",
    // Deviation C15: a file without records does not use their length.
    "SFID record length for U",
    // Deviation C14: the octets can be read as Latin-1, and the description is for people.
    "SFID description not UTF-8",
];

#[derive(Deserialize)]
struct Message {
    name: String,
    level: Option<u8>,
    hex: String,
    expect: Option<String>,
    tolerant: Option<String>,
    fields: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct Session {
    name: String,
    strict: Option<(usize, String)>,
    tolerant: Option<(usize, String)>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
struct Step {
    dir: char,
    hex: String,
}

impl Step {
    fn side(&self) -> Side {
        if self.dir == 'I' { Side::Initiator } else { Side::Responder }
    }
}

pub(super) fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn level(number: Option<u8>) -> Option<Level> {
    number.and_then(|number| Level::from_digit(b'0' + number))
}

/// Runs a session as a relay does, with each buffer cut in two at `cut` octets. Returns index and reason of the refused
/// step.
fn run(session: &Session, profile: Profile, cut: usize) -> Option<(usize, String)> {
    let mut checker = Checker::new(profile, 1000);
    for (index, step) in session.steps.iter().enumerate() {
        let (side, stb) = (step.side(), octets(&step.hex));
        let mut verdict =
            checker.frame(side, &stb[..cut.min(stb.len() - 1)]).map(|length| assert_eq!(length, None));
        verdict = verdict
            .and_then(|()| checker.frame(side, &stb).map(|length| assert_eq!(length, Some(stb.len()))));
        let judged = checker.judge(side, &stb).map(|_| ());
        if verdict.is_err() {
            assert_eq!(verdict, judged, "{}: both say the same", session.name);
        }
        if let Err(violation) = judged {
            assert!(violation.to_string().ends_with(")."), "{violation}");
            return Some((index, violation.reason().code().to_owned()));
        }
    }
    None
}

#[test]
fn valid_messages_pass_in_both_profiles() {
    for message in serde_json::from_str::<Vec<Message>>(VALID).unwrap() {
        for profile in [Profile::STRICT, Profile::TOLERANT] {
            let verdict =
                check_message(Side::Initiator, &octets(&message.hex), level(message.level), profile);
            assert_eq!(verdict, Ok(vec![]), "{} ({profile})", message.name);
        }
    }
}

#[test]
fn valid_messages_have_the_fields_that_the_data_say() {
    for message in serde_json::from_str::<Vec<Message>>(VALID).unwrap() {
        let line = describe(&octets(&message.hex), level(message.level));
        let fields = message.fields.unwrap();
        assert!(line.starts_with(fields["command"].as_str().unwrap()), "{line}");
        if let Some(octets) = fields.get("octets_represented") {
            assert!(line.contains(&format!(" octets={octets} ")), "{line}");
            continue;
        }
        for (name, value) in
            fields.iter().filter(|(name, _)| name.starts_with(fields["command"].as_str().unwrap()))
        {
            let shown = line.split(&format!(" {name}=")).nth(1).unwrap_or_else(|| panic!("{name} in {line}"));
            let wanted = match value {
                serde_json::Value::Number(number) => {
                    let shown = shown.split(' ').next().unwrap().parse::<u64>().unwrap();
                    assert_eq!(Some(shown), number.as_u64(), "{name} in {line}");
                    continue;
                }
                _ if name == "SSIDPSWD" => "<masked>".to_owned(),
                _ if shown.starts_with('<') => continue,
                value => value.as_str().unwrap().to_owned(),
            };
            let shown = shown.strip_prefix('"').unwrap_or(shown);
            assert!(shown.starts_with(wanted.get(..60).unwrap_or(&wanted)), "{name}={wanted} in {line}");
        }
    }
}

#[test]
fn invalid_messages_are_refused_for_the_reason_the_data_say() {
    for message in serde_json::from_str::<Vec<Message>>(INVALID).unwrap() {
        let verdict = |profile| {
            check_message(Side::Initiator, &octets(&message.hex), level(message.level), profile)
                .map_err(|violation| violation.reason().code())
        };
        let expected = message.expect.as_deref().unwrap();
        assert_eq!(verdict(Profile::STRICT), Err(expected), "{}", message.name);
        let contradicted = CONTRADICTED.contains(&message.name.as_str());
        if message.tolerant.as_deref() == Some("accept") || contradicted {
            assert_eq!(verdict(Profile::TOLERANT).map(|notes| notes.len()), Ok(1), "{}", message.name);
        } else {
            assert_eq!(verdict(Profile::TOLERANT), Err(expected), "{}", message.name);
        }
    }
}

#[test]
fn sessions_go_as_the_data_say_wherever_buffers_are_cut() {
    for data in [SESSIONS, RECORDED] {
        for session in serde_json::from_str::<Vec<Session>>(data).unwrap() {
            for cut in 0..8 {
                assert_eq!(run(&session, Profile::STRICT, cut), session.strict, "{} (strict)", session.name);
                assert_eq!(
                    run(&session, Profile::TOLERANT, cut),
                    session.tolerant,
                    "{} (tolerant)",
                    session.name
                );
            }
        }
    }
}

#[test]
fn the_constant_is_a_valid_ready_message() {
    assert_eq!(check_message(Side::Responder, &SSRM, None, Profile::STRICT), Ok(vec![]));
    assert_eq!(CommandCode::from_octet(SSRM[4]), Some(CommandCode::Ssrm));
}
