//! Reads `t/hostile.txt`, the table of hostile buffers, into traces that a scripted peer can play.
//!
//! Has its own layouts, those of the table: nothing is taken from the checker that the cases test.

use crate::wire::{Step, Trace};
use oftp2peer::oftp::session::Role;
use std::collections::HashMap;
use std::fmt;

/// The table as it stands in the repository.
pub const TABLE: &str = include_str!("../hostile.txt");

/// What is wrong with a line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    line: usize,
    what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} of the table of hostile buffers: {}", self.line, self.what)
    }
}

impl std::error::Error for Fault {}

/// One field of a message: name, width (none: as long as its value), value.
#[derive(Debug, Clone)]
struct Field {
    name: String,
    width: Option<usize>,
    value: Vec<u8>,
}

/// The messages and lists of steps that the table has named so far.
#[derive(Debug, Default)]
struct Names {
    messages: HashMap<String, (Vec<u8>, Vec<Field>)>,
    steps: HashMap<String, Vec<Step>>,
}

/// All cases of the table.
pub fn cases() -> Result<Vec<Trace>, Fault> {
    read(TABLE)
}

fn read(table: &str) -> Result<Vec<Trace>, Fault> {
    let mut names = Names::default();
    let mut cases = Vec::new();
    for (index, line) in table.lines().enumerate() {
        let fault = |what| Fault { line: index + 1, what };
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(message) = line.strip_prefix("message ") {
            names.message(message).map_err(fault)?;
        } else if let Some(before) = line.strip_prefix("before ") {
            let (name, steps) = before.split_once(" = ").ok_or_else(|| fault("no ' = '".to_owned()))?;
            let steps = names.steps(steps).map_err(fault)?;
            names.steps.insert(name.to_owned(), steps);
        } else {
            cases.push(names.case(line).map_err(fault)?);
        }
    }
    Ok(cases)
}

impl Names {
    fn message(&mut self, line: &str) -> Result<(), String> {
        let (name, fields) = line.split_once(" = ").ok_or("no ' = '")?;
        let mut words = fields.split(' ');
        let code = unescape(words.next().unwrap_or_default())?;
        let fields = words.map(Field::read).collect::<Result<_, _>>()?;
        self.messages.insert(name.to_owned(), (code, fields));
        Ok(())
    }

    fn case(&self, line: &str) -> Result<Trace, String> {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, before, steps, strict, tolerant] = columns[..] else {
            return Err(format!("{} columns instead of 5", columns.len()));
        };
        let mut all = self.named(before)?;
        all.extend(self.steps(steps)?);
        let last = all.len().saturating_sub(1);
        Ok(Trace {
            name: name.to_owned(),
            steps: all,
            strict: verdict(strict, last)?,
            tolerant: verdict(tolerant, last)?,
        })
    }

    fn named(&self, name: &str) -> Result<Vec<Step>, String> {
        if name.is_empty() {
            return Ok(Vec::new());
        }
        self.steps.get(name).cloned().ok_or_else(|| format!("nothing is called '{name}'"))
    }

    fn steps(&self, text: &str) -> Result<Vec<Step>, String> {
        let mut steps = Vec::new();
        for part in text.split(" ; ") {
            let (times, part) = match part.split_once("* ") {
                Some((times, part)) if times.bytes().all(|octet| octet.is_ascii_digit()) => {
                    (times.parse().map_err(|_| "too many repeats")?, part)
                }
                _ => (1, part),
            };
            let one = match part.strip_prefix('@') {
                Some(name) => self.named(name)?,
                None => vec![self.step(part)?],
            };
            for _ in 0..times {
                steps.extend_from_slice(&one);
            }
        }
        Ok(steps)
    }

    fn step(&self, text: &str) -> Result<Step, String> {
        let (by, what) = text.split_once(' ').ok_or_else(|| format!("'{text}' is no step"))?;
        let by = match by {
            "I" => Role::Initiator,
            "R" => Role::Responder,
            _ => return Err(format!("'{by}' is neither I nor R")),
        };
        let octets = if let Some(hex) = what.strip_prefix('=') {
            from_hex(hex)?
        } else if let Some(quoted) = what.strip_prefix('"') {
            with_header(unescape(quoted.strip_suffix('"').ok_or("a quote is not closed")?)?)?
        } else {
            with_header(self.exchange_buffer(what)?)?
        };
        Ok(Step { by, octets, label: what.chars().take(40).collect() })
    }

    /// A named message, some of its fields changed.
    fn exchange_buffer(&self, text: &str) -> Result<Vec<u8>, String> {
        let mut words = text.split(' ');
        let name = words.next().unwrap_or_default();
        let (code, fields) =
            self.messages.get(name).ok_or_else(|| format!("no message is called '{name}'"))?;
        let mut fields = fields.clone();
        for word in words {
            let change = Field::read(word)?;
            let field = fields.iter_mut().find(|field| field.name == change.name);
            let field = field.ok_or_else(|| format!("{name} has no field '{}'", change.name))?;
            // `:=` leaves the width off.
            field.width = field.width.filter(|_| !word.contains(":="));
            field.value = change.value;
        }
        let mut oeb = code.clone();
        for field in &fields {
            oeb.extend_from_slice(&field.value);
            let missing = field.width.unwrap_or(0).saturating_sub(field.value.len());
            oeb.extend(std::iter::repeat_n(b' ', missing));
        }
        Ok(oeb)
    }
}

impl Field {
    /// `NAME:width=value`, `NAME=value`, `NAME:=value`.
    fn read(word: &str) -> Result<Self, String> {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("'{word}' is no field"))?;
        let (name, width) = name.split_once(':').unwrap_or((name, ""));
        let width = if width.is_empty() {
            None
        } else {
            Some(width.parse().map_err(|_| format!("'{width}' is no width"))?)
        };
        Ok(Self { name: name.to_owned(), width, value: unescape(value)? })
    }
}

/// `-`, `02`, or `02@7` where it is not the last step.
fn verdict(text: &str, last: usize) -> Result<Option<(usize, String)>, String> {
    if text == "-" {
        return Ok(None);
    }
    let (reason, at) = text.split_once('@').map_or((text, Ok(last)), |(reason, at)| (reason, at.parse()));
    let at = at.map_err(|_| format!("'{text}' names no step"))?;
    Ok(Some((at, reason.to_owned())))
}

/// `\s`, `\xNN` and `{n*text}` (which may hold the others).
fn unescape(text: &str) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        octets.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at..];
        if let Some(tail) = rest.strip_prefix("\\s") {
            octets.push(b' ');
            rest = tail;
        } else if let Some(tail) = rest.strip_prefix("\\x") {
            let digits = tail.get(..2).ok_or("an escape is cut")?;
            octets.extend(from_hex(digits)?);
            rest = &tail[2..];
        } else {
            let end = closing(rest)
                .filter(|end| *end > 0)
                .ok_or_else(|| format!("'{rest}' does not close what it opens"))?;
            let (times, what) = rest[1..end].split_once('*').ok_or("a repeat without '*'")?;
            let times = times.parse().map_err(|_| format!("'{times}' is no count"))?;
            octets.extend(unescape(what)?.repeat(times));
            rest = &rest[end + 1..];
        }
    }
    octets.extend_from_slice(rest.as_bytes());
    Ok(octets)
}

/// Where the brace at the front closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    text.char_indices().find_map(|(at, character)| {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => (),
        }
        (depth == 0).then_some(at)
    })
}

fn from_hex(text: &str) -> Result<Vec<u8>, String> {
    let pair = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len()).step_by(2).map(|at| pair(at).ok_or_else(|| format!("'{text}' is no hex"))).collect()
}

fn with_header(oeb: Vec<u8>) -> Result<Vec<u8>, String> {
    let length =
        u32::try_from(oeb.len() + 4).ok().filter(|length| *length < 1 << 24).ok_or("a buffer too long")?;
    let mut stb = (length | 0x1000_0000).to_be_bytes().to_vec();
    stb.extend(oeb);
    Ok(stb)
}

#[cfg(test)]
mod tests {
    use super::{cases, read, unescape};
    use crate::wire::Trace;
    use common::oftp::{Checker, Profile, Side};
    use oftp2peer::oftp::session::Role;
    use std::collections::HashSet;

    /// Judges as a relay does: what is measured is judged whole; a buffer whose header lies never gets whole.
    fn run(case: &Trace, profile: Profile, known: usize) -> Option<(usize, String)> {
        let mut checker = Checker::new(profile, 1000);
        for (at, step) in case.steps.iter().enumerate() {
            let side = if step.by == Role::Initiator { Side::Initiator } else { Side::Responder };
            let early = checker.frame(side, &step.octets[..known.min(step.octets.len())]);
            let verdict = early.and_then(|_| checker.judge(side, &step.octets));
            if let Err(violation) = verdict {
                return Some((at, violation.reason().code().to_owned()));
            }
        }
        None
    }

    #[test]
    fn the_checker_refuses_each_case_for_its_reason_however_its_octets_arrive() {
        for case in &cases().unwrap() {
            for known in [1, 4, 5, 64, usize::MAX] {
                assert_eq!(run(case, Profile::STRICT, known), case.strict, "{} (strict)", case.name);
                assert_eq!(run(case, Profile::TOLERANT, known), case.tolerant, "{} (tolerant)", case.name);
            }
        }
    }

    #[test]
    fn there_are_enough_cases_and_each_has_its_name() {
        let cases = cases().unwrap();
        let names: HashSet<_> = cases.iter().map(|case| &case.name).collect();
        assert_eq!(names.len(), cases.len());
        assert!(cases.iter().filter(|case| case.tolerant.is_some()).count() >= 130);
        assert!(cases.iter().all(|case| case.strict.is_some()));
    }

    #[test]
    fn escapes_and_repeats() {
        assert_eq!(unescape(r"A\s\x0d{3*x}").unwrap(), b"A \rxxx");
        assert_eq!(unescape(r"{2*\x3f{2*x}}").unwrap(), b"?xx?xx");
        assert!(unescape("{2*x").is_err() && unescape(r"\x1").is_err() && unescape(r"\q").is_err());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let fault = read("# ok\nno columns\n").unwrap_err();
        assert_eq!(fault.to_string(), "line 2 of the table of hostile buffers: 1 columns instead of 5");
    }
}
