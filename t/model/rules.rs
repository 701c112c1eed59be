//! Whether a message may follow a history: the sentences of the RFC, one after another.

use common::oftp::Side;

/// What a Start Session says, as far as the order depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ssid {
    pub(super) level: u32,
    /// `S`, `R` or `B`.
    pub(super) mode: u8,
    pub(super) restart: bool,
    pub(super) credit: usize,
    pub(super) authentication: bool,
}

/// A message, as far as the order depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    Ssrm,
    Ssid(Ssid),
    Secd,
    Auch,
    Aurp,
    Sfid { restart: u64 },
    Sfpa { restart: u64 },
    Sfna,
    Data,
    Cdt,
    Efid,
    Efpa { turn: bool },
    Efna,
    Cd,
    Eerp,
    Nerp,
    Rtr,
    Esid { error: bool },
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Legal,
    /// Refused with this ESID reason.
    Refused(&'static str),
}

type History = [(Side, Message)];

/// §2.1.3, §3.2: the two Start Sessions, the Initiator's first.
fn ssids(history: &History) -> Vec<Ssid> {
    history
        .iter()
        .filter_map(|(_, message)| if let Message::Ssid(ssid) = message { Some(*ssid) } else { None })
        .collect()
}

/// §5.3.2: the lower level counts, once both are known.
pub(super) fn level(history: &History) -> Option<u32> {
    match ssids(history)[..] {
        [offer, answer] => Some(offer.level.min(answer.level)),
        _ => None,
    }
}

/// §3.2, §5.3.2, §4.2: both sides must want secure authentication or neither, and one must send where the other
/// receives. An answer must not exceed the offer; a tolerant observer takes the lower value (C8).
fn compatible(offer: Ssid, answer: Ssid, tolerant: bool) -> bool {
    let beyond =
        answer.level > offer.level || answer.credit > offer.credit || (answer.restart && !offer.restart);
    let useless = matches!((offer.mode, answer.mode), (b'S', b'S') | (b'R', b'R'));
    offer.authentication == answer.authentication && !useless && (tolerant || !beyond)
}

/// §3.3.4: the Initiator is the first Speaker; each Change Direction passes the turn on.
fn speaker(history: &History) -> Side {
    let turns = history.iter().filter(|(_, message)| *message == Message::Cd).count();
    if turns % 2 == 0 { Side::Initiator } else { Side::Responder }
}

/// §5.3.2: who may send files.
fn may_send(offer: Ssid, answer: Ssid, side: Side) -> bool {
    let (sender, receiver) =
        if side == Side::Initiator { (offer.mode, answer.mode) } else { (answer.mode, offer.mode) };
    sender != b'R' && receiver != b'S'
}

/// §4.4: credit is the agreed window since SFPA or the last CDT, less the DATA since then.
fn credit(history: &History, window: usize) -> usize {
    let granted = history
        .iter()
        .rposition(|(_, message)| matches!(message, Message::Sfpa { .. } | Message::Cdt))
        .unwrap();
    let spent = history[granted..].iter().filter(|(_, message)| *message == Message::Data).count();
    window - spent
}

/// §3.3.4: the last message is a Change Direction that no EFPA had asked for.
fn turn_just_given(history: &History) -> bool {
    match history {
        [.., (_, Message::Efpa { turn: true }), (_, Message::Cd)] => false,
        [.., (_, Message::Cd)] => true,
        _ => false,
    }
}

/// Whether the message may follow.
pub(super) fn may_follow(history: &History, side: Side, message: Message, tolerant: bool) -> Verdict {
    use Message as M;
    let ended = |by: Side| history.iter().any(|(who, what)| *who == by && matches!(what, M::Esid { .. }));
    let legal = |yes: bool| if yes { Verdict::Legal } else { Verdict::Refused("02") };
    // §3.4.2: nothing follows one's own ESID; what was in flight when the other's came is no fault.
    if ended(side) {
        return legal(false);
    }
    if ended(side.other()) {
        return Verdict::Legal;
    }
    // §5.3: commands that the level does not know are not recognised.
    let unknown = match message {
        M::Nerp => level(history).is_some_and(|level| level < 4),
        M::Secd | M::Auch | M::Aurp => level(history).is_some_and(|level| level < 5),
        _ => false,
    };
    if unknown {
        return Verdict::Refused("01");
    }
    // §2.1.3: SSRM opens the session; a tolerant observer takes a refusal in its place (C11).
    if history.is_empty() {
        let busy = tolerant && message == M::Esid { error: true };
        return legal(side == Side::Responder && (message == M::Ssrm || busy));
    }
    // §3.4.2: an abnormal end may be sent by either side at any time.
    if message == (M::Esid { error: true }) {
        return Verdict::Legal;
    }
    let (offer, answer) = match ssids(history)[..] {
        [] => return legal(side == Side::Initiator && matches!(message, M::Ssid(_))),
        [_] => return legal(side == Side::Responder && matches!(message, M::Ssid(_))),
        [offer, answer] => (offer, answer),
        _ => unreachable!("two SSIDs are all that pass"),
    };
    if !compatible(offer, answer, tolerant) {
        return legal(false);
    }
    // §4.2: the Responder challenges first, then hands the role over.
    let authentication = [
        (Side::Initiator, M::Secd),
        (Side::Responder, M::Auch),
        (Side::Initiator, M::Aurp),
        (Side::Responder, M::Secd),
        (Side::Initiator, M::Auch),
        (Side::Responder, M::Aurp),
    ];
    let done = history.len() - 3;
    if offer.authentication && done < authentication.len() {
        return legal((side, message) == authentication[done]);
    }
    legal(in_turn(history, side, message, (offer, answer), tolerant))
}

/// §3.3, §4.3, §4.4, §9: what follows once the session stands.
fn in_turn(
    history: &History,
    side: Side,
    message: Message,
    (offer, answer): (Ssid, Ssid),
    tolerant: bool,
) -> bool {
    use Message as M;
    let speaks = side == speaker(history);
    let last = history[history.len() - 1].1;
    let window = offer.credit.min(answer.credit);
    let start = history.iter().rposition(|(_, what)| matches!(what, M::Sfid { .. }));
    let file = start.map_or(&[][..], |start| &history[start..]);
    let happened = |wanted: fn(&M) -> bool| file.iter().any(|(_, what)| wanted(what));
    let taken = happened(|what| matches!(what, M::Sfpa { .. }));
    let complete = happened(|what| *what == M::Efid);
    let answered = happened(|what| matches!(what, M::Sfna | M::Efpa { .. } | M::Efna));

    // §4.3.1: an offered file waits for its answer, and the Listener may not begin beyond the offer.
    if let M::Sfid { restart: offered } = last {
        return !speaks
            && match message {
                M::Sfpa { restart } => restart <= offered,
                M::Sfna => true,
                _ => false,
            };
    }
    // §4.4, §9.11: during a file the Speaker sends DATA and EFID while it has credit, else the Listener grants it.
    if taken && !complete {
        let left = credit(history, window);
        return match message {
            M::Data => speaks && left > 0,
            M::Efid => speaks && (left > 0 || tolerant),
            M::Cdt => !speaks && left == 0,
            _ => false,
        };
    }
    // §4.3.5: a complete file waits for its answer. A CDT that crossed an EFID without credit may come first (C1).
    if complete && !answered {
        let before_end = &history[..history.iter().rposition(|(_, what)| *what == M::Efid).unwrap()];
        let crossing = tolerant && last == M::Efid && credit(before_end, window) == 0;
        return !speaks
            && match message {
                M::Efpa { .. } | M::Efna => true,
                M::Cdt => crossing,
                _ => false,
            };
    }
    // §3.3.4: the Listener asked for the turn.
    if last == (M::Efpa { turn: true }) {
        return speaks && message == M::Cd;
    }
    // §4.3.8: a receipt waits until the other side is ready again.
    if matches!(last, M::Eerp | M::Nerp) {
        return !speaks && message == M::Rtr;
    }
    // §3.3.4, §3.4.1: nothing is under way. The turn is not handed back at once, and only who was just given it
    // unasked may end the session; a tolerant observer lets the Speaker end it at any time (C2).
    speaks
        && match message {
            M::Sfid { restart } => {
                may_send(offer, answer, side) && (restart == 0 || (offer.restart && answer.restart))
            }
            M::Eerp | M::Nerp => true,
            M::Cd => !turn_just_given(history),
            M::Esid { error: false } => tolerant || turn_just_given(history),
            _ => false,
        }
}
