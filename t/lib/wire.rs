//! A scripted peer: plays one side of a recorded session, octet by octet, and compares the answers of the other side.
//! Reads the traces of `t/vectors`. Exchange Buffers are only octets here, so it can also play what no OFTP2 system
//! would send.

use oftp2peer::oftp::codec::hex;
use oftp2peer::oftp::session::Role;
use oftp2peer::transport::{Break, Conn};
use serde_json::Value;
use std::fmt;

/// One Stream Transmission Buffer of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Who sends it.
    pub by: Role,
    /// Its octets, header included.
    pub octets: Vec<u8>,
    /// Its description, for messages.
    pub label: String,
}

/// A recorded session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Name.
    pub name: String,
    /// Its buffers in order.
    pub steps: Vec<Step>,
    /// The step that the strict profile refuses, and the ESID reason; none: legal.
    pub strict: Option<(usize, String)>,
    /// The same for the tolerant profile.
    pub tolerant: Option<(usize, String)>,
}

/// A text without valid traces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceError(String);

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no traces can be read: {}", self.0)
    }
}

impl std::error::Error for TraceError {}

impl Trace {
    /// All traces of a file such as `sessions.json`.
    pub fn read_all(json: &str) -> Result<Vec<Self>, TraceError> {
        let whole: Value = serde_json::from_str(json).map_err(|error| TraceError(error.to_string()))?;
        let list = whole.as_array().ok_or_else(|| TraceError("the file is no list".to_owned()))?;
        list.iter().map(Self::read).collect()
    }

    fn read(value: &Value) -> Result<Self, TraceError> {
        let name = value["name"].as_str().unwrap_or_default().to_owned();
        let wrong = |what: &str| TraceError(format!("'{name}' has no {what}"));
        let steps = value["steps"].as_array().ok_or_else(|| wrong("steps"))?;
        let step = |step: &Value| {
            let by = match step["dir"].as_str() {
                Some("I") => Role::Initiator,
                Some("R") => Role::Responder,
                _ => return Err(wrong("direction I or R in a step")),
            };
            let octets = step["hex"].as_str().and_then(from_hex).ok_or_else(|| wrong("hex in a step"))?;
            Ok(Step { by, octets, label: step["label"].as_str().unwrap_or_default().to_owned() })
        };
        let steps = steps.iter().map(step).collect::<Result<_, _>>()?;
        let verdict = |value: &Value| {
            let at = usize::try_from(value[0].as_u64()?).ok()?;
            Some((at, value[1].as_str()?.to_owned()))
        };
        Ok(Self { steps, strict: verdict(&value["strict"]), tolerant: verdict(&value["tolerant"]), name })
    }
}

/// The parts of an SSID that two sides have to agree on: level, buffer, mode, the three features, credit, secure
/// authentication.
struct Offer<'a> {
    level: u8,
    numbers: [&'a [u8]; 2],
    mode: u8,
    features: &'a [u8],
    authentication: bool,
}

impl<'a> Offer<'a> {
    fn of(step: &'a Step) -> Option<Self> {
        let ssid = step.octets.get(4..).filter(|oeb| oeb.first() == Some(&b'X') && oeb.len() > 47)?;
        Some(Self {
            level: ssid[1],
            numbers: [&ssid[35..40], &ssid[44..47]],
            mode: ssid[40],
            features: &ssid[41..44],
            authentication: ssid[1] == b'5' && ssid[47] == b'Y',
        })
    }

    /// Why `answer` ends the session, in the strict or in the tolerant profile.
    fn refuses(&self, answer: &Self, strict: bool) -> Option<&'static str> {
        let special = (self.features[2], answer.features[2]);
        let more = |(ours, theirs): (&u8, &u8)| *ours == b'N' && *theirs == b'Y';
        let exceeds = answer.level > self.level
            || self.numbers.iter().zip(answer.numbers).any(|(ours, theirs)| theirs > *ours)
            || self.features.iter().zip(answer.features).any(more);
        let no_way = matches!((self.mode, answer.mode), (b'S', b'S') | (b'R', b'R'));
        if self.authentication != answer.authentication {
            Some("12")
        } else if no_way || special == (b'Y', b'Y') || strict && (exceeds || special == (b'Y', b'N')) {
            Some("10")
        } else {
            None
        }
    }
}

impl Trace {
    /// The same session through the daemons: if the negotiation fails, they end it at the Responder's SSID, which the
    /// Initiator never sees. An observer of both sides may see an ESID after it.
    #[must_use]
    pub fn live(self, strict: bool) -> Self {
        let offers: Vec<_> =
            self.steps.iter().enumerate().filter_map(|(at, step)| Some((at, Offer::of(step)?))).collect();
        let [(_, offer), (at, answer), ..] = &offers[..] else { return self };
        let (at, refusal) = (*at, offer.refuses(answer, strict));
        let known = if strict { &self.strict } else { &self.tolerant };
        let Some(reason) = refusal.filter(|_| known.as_ref().is_none_or(|(refused, _)| *refused > at)) else {
            return self;
        };
        let verdict = Some((at, reason.to_owned()));
        let steps = self.steps.into_iter().take(at + 1).collect();
        if strict {
            Self { steps, strict: verdict, ..self }
        } else {
            Self { steps, tolerant: verdict, ..self }
        }
    }
}

/// The reason that the Responder gets after `steps` have passed: below level 5, a reason of level 5 becomes 10.
pub fn reason_to_responder<'a>(reason: &'a str, steps: &[Step]) -> &'a str {
    let is_below = steps.iter().filter_map(Offer::of).any(|offer| offer.level < b'5');
    if is_below && matches!(reason, "11" | "12") { "10" } else { reason }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |octet: &u8| char::from(*octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair.first()?)? * 16 + digit(pair.get(1)?)?)).collect()
}

/// Why a trace could not be played to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Departure {
    /// The other side sent something else: step, label, expected octets, received octets.
    Differs(usize, String, Vec<u8>, Vec<u8>),
    /// The connection ended at this step.
    Broken(usize, String, Break),
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Differs(at, label, due, came) => {
                write!(f, "step {at} ({label}) differs: {} was due, {} came", hex(due), hex(came))
            }
            Self::Broken(at, label, end) => write!(f, "at step {at} ({label}) {end}"),
        }
    }
}

impl std::error::Error for Departure {}

impl Departure {
    /// The same at this step.
    #[must_use]
    pub fn at(self, at: usize) -> Self {
        match self {
            Self::Differs(_, label, due, came) => Self::Differs(at, label, due, came),
            Self::Broken(_, label, end) => Self::Broken(at, label, end),
        }
    }
}

/// Plays `role` of `steps`: sends its buffers, in writes of at most `piece` octets, and reads the other side's.
pub fn play(conn: &mut Conn, steps: &[Step], role: Role, piece: usize) -> Result<(), Departure> {
    for (at, step) in steps.iter().enumerate() {
        let broken = |end| Departure::Broken(at, step.label.clone(), end);
        if step.by == role {
            for part in step.octets.chunks(piece.max(1)) {
                conn.write(part).and_then(|()| conn.flush()).map_err(broken)?;
            }
        } else {
            let mut came = vec![0; step.octets.len()];
            let mut filled = 0;
            // A difference is returned at once, even if fewer octets arrive than expected.
            while filled < came.len() {
                filled += conn.read(&mut came[filled..]).map_err(broken)?;
                if came[..filled] != step.octets[..filled] {
                    came.truncate(filled);
                    return Err(Departure::Differs(at, step.label.clone(), step.octets.clone(), came));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use oftp2peer::oftp::codec::Level;
    use oftp2peer::oftp::command::Command;
    use oftp2peer::transport::dial::Dial;
    use std::net::TcpListener;
    use std::time::Duration;

    fn traces() -> Vec<Trace> {
        let files =
            [include_str!("../vectors/sessions.json"), include_str!("../vectors/recorded_sessions.json")];
        files.iter().flat_map(|json| Trace::read_all(json).unwrap()).collect()
    }

    fn pair() -> (Conn, Conn) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = Dial::to(&listener.local_addr().unwrap()).open().unwrap();
        let theirs = Conn::plain(listener.accept().unwrap().0).unwrap();
        for conn in [&ours, &theirs] {
            conn.set_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        (ours, theirs)
    }

    #[test]
    fn both_roles_of_each_trace_understand_each_other() {
        for piece in [1, 7, usize::MAX] {
            for trace in traces() {
                let (mut ours, mut theirs) = pair();
                let steps = trace.steps.clone();
                let thread = std::thread::spawn(move || play(&mut theirs, &steps, Role::Responder, piece));
                assert_eq!(play(&mut ours, &trace.steps, Role::Initiator, piece), Ok(()), "{}", trace.name);
                assert_eq!(thread.join().unwrap(), Ok(()), "{}", trace.name);
            }
        }
    }

    #[test]
    fn a_failed_negotiation_ends_where_the_responder_answers() {
        let ends = |name: &str, strict| {
            let trace = traces().into_iter().find(|trace| trace.name.contains(name)).unwrap().live(strict);
            (trace.steps.len(), if strict { trace.strict } else { trace.tolerant })
        };
        let refused = |at, reason: &str| (at + 1, Some((at, reason.to_owned())));
        assert_eq!(ends("authentication differs", false), refused(2, "12"));
        assert_eq!(ends("answer downgrades to level 4", true), refused(2, "12"));
        assert_eq!(ends("Send-only meets send-only", false), refused(2, "10"));
        assert_eq!(ends("empty file without any DATA", true), (9, None));
    }

    #[test]
    fn a_difference_is_named_with_its_step() {
        let (mut ours, mut theirs) = pair();
        let steps = [Step { by: Role::Responder, octets: b"\x10\0\0\x05P".to_vec(), label: "RTR".into() }];
        theirs.write(b"\x10\0\0\x05R").unwrap();
        theirs.flush().unwrap();
        let end = play(&mut ours, &steps, Role::Initiator, 1).unwrap_err();
        assert!(matches!(end, Departure::Differs(0, ..)), "{end}");
        theirs.cut();
        let end = play(&mut ours, &steps, Role::Initiator, 1).unwrap_err();
        assert_eq!(end, Departure::Broken(0, "RTR".into(), Break::Fin));
    }

    #[test]
    fn each_valid_message_decodes_and_encodes_to_itself() {
        let list: Value = serde_json::from_str(include_str!("../vectors/messages_valid.json")).unwrap();
        let mut seen = 0;
        for message in list.as_array().unwrap() {
            let octets = from_hex(message["hex"].as_str().unwrap()).unwrap();
            let (name, exchange) = (message["name"].as_str().unwrap(), &octets[4..]);
            let levels = match message["level"].as_u64() {
                Some(digit) => vec![Level::from_digit(digit).unwrap()],
                None => Level::ALL.to_vec(),
            };
            for level in levels {
                let command =
                    Command::decode(exchange, level).unwrap_or_else(|error| panic!("{name}: {error}"));
                // If the trace has no level, an ESID may have either layout.
                let is_other_form = message["level"].is_null() && matches!(command, Command::Esid { .. });
                let again = command.encode(level).unwrap();
                let parity = |octets: &[u8]| {
                    octets.iter().map(|o| if *o == 0x8d { 0x0d } else { *o }).collect::<Vec<_>>()
                };
                if !is_other_form {
                    assert_eq!(hex(&parity(&again)), hex(&parity(exchange)), "{name}");
                }
                seen += 1;
            }
        }
        assert!(seen > 20, "only {seen} messages");
    }
}
