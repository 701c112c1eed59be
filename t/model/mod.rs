//! A second, slow and simple model of RFC 5024's order of commands; random walks compare it with the checker.
//!
//! Written from the RFC's text: `rules` answers one question, whether a message may follow a history, and reads the
//! whole history each time. It has no states and no table, and shares no code or constant with the checker; `wire` has
//! the messages as octets.

mod rules;
mod wire;

use common::oftp::{Checker, Profile, Side};
use rules::{Message, Ssid, Verdict};

/// A random generator without a crate: xorshift. The walks are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).unwrap() % limit
    }

    fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }

    fn ssid(&mut self) -> Ssid {
        let level = self.pick(&[5, 5, 5, 4, 2]);
        Ssid {
            level,
            mode: self.pick(b"BBBSR"),
            restart: self.below(3) > 0,
            credit: self.pick(&[1, 2, 3]),
            authentication: level == 5 && self.below(4) == 0,
        }
    }

    /// Any message that either side could send.
    fn message(&mut self) -> (Side, Message) {
        let side = self.pick(&[Side::Initiator, Side::Responder]);
        let restart = self.pick(&[0, 0, 1, 2]);
        let message = match self.below(19) {
            0 => Message::Ssrm,
            1 => Message::Ssid(self.ssid()),
            2 => Message::Secd,
            3 => Message::Auch,
            4 => Message::Aurp,
            5 => Message::Sfid { restart },
            6 => Message::Sfpa { restart },
            7 => Message::Sfna,
            8 | 9 => Message::Data,
            10 => Message::Cdt,
            11 => Message::Efid,
            12 => Message::Efpa { turn: self.below(2) == 0 },
            13 => Message::Efna,
            14 => Message::Cd,
            15 => Message::Eerp,
            16 => Message::Nerp,
            17 => Message::Rtr,
            _ => Message::Esid { error: self.below(3) == 0 },
        };
        (side, message)
    }

    /// A message that the model allows, if a few attempts find one, so that a walk continues.
    fn legal(&mut self, history: &[(Side, Message)], tolerant: bool) -> (Side, Message) {
        let mut thrown = self.message();
        for _ in 0..200 {
            // Error ESIDs are legal almost everywhere and would end most walks early.
            let abort = matches!(thrown.1, Message::Esid { error: true }) && self.below(8) > 0;
            if !abort && rules::may_follow(history, thrown.0, thrown.1, tolerant) == Verdict::Legal {
                break;
            }
            thrown = self.message();
        }
        thrown
    }
}

/// One session: mostly legal messages, and sometimes any message. Returns how many steps both judged alike, and whether
/// the walk ended with a refusal.
fn walk(dice: &mut Dice, profile: Profile) -> (usize, bool) {
    let tolerant = profile == Profile::TOLERANT;
    let mut checker = Checker::new(profile, 0);
    let mut history = Vec::new();
    for _ in 0..60 {
        let (side, message) =
            if dice.below(12) == 0 { dice.message() } else { dice.legal(&history, tolerant) };
        let expected = rules::may_follow(&history, side, message, tolerant);
        let stb = wire::write(message, rules::level(&history));
        let judged = match checker.judge(side, &stb) {
            Ok(_) => Verdict::Legal,
            Err(violation) => Verdict::Refused(violation.reason().code()),
        };
        assert_eq!(judged, expected, "{profile}: {side} {message:?} after {history:#?}");
        if judged != Verdict::Legal {
            return (history.len(), true);
        }
        history.push((side, message));
    }
    (history.len(), false)
}

#[test]
fn checker_and_model_agree_on_random_walks() {
    let mut dice = Dice(0x2545_F491_4F6C_DD1D);
    let (mut steps, mut refused, mut longest) = (0, 0, 0);
    for round in 0..6_000 {
        let profile = if round % 2 == 0 { Profile::STRICT } else { Profile::TOLERANT };
        let (length, ended) = walk(&mut dice, profile);
        steps += length;
        refused += usize::from(ended);
        longest = longest.max(length);
    }
    // The walks must be long and end with refusals; otherwise they prove nothing.
    assert!(
        steps > 40_000 && refused > 3_000 && longest > 50,
        "{steps} steps, {refused} refused, {longest} longest"
    );
}
