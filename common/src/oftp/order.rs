//! The order of commands as a table: RFC 5024 §9's state tables, merged into one for an observer between both sides.
//!
//! Each state lists who may send which command, and the next state; everything else is a violation. The checker has the
//! conditions on values (credit, restart, negotiation). `order_table` prints the whole table.

use super::command::CommandCode;
use super::deviation::Deviation;
use super::side::Side;
use std::fmt;

/// The state of a session. `Display` gives the names of RFC 5024 §9: Initiator/Responder at the start, then
/// Speaker/Listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The Responder's SSRM is due.
    WaitSsrm,
    /// The Initiator's SSID is due.
    WaitInitiatorSsid,
    /// The Responder's SSID is due.
    WaitResponderSsid,
    /// The SSIDs do not agree: an ESID is due.
    NegotiationFailed,
    /// Secure authentication: the Initiator's SECD is due.
    WaitInitiatorSecd,
    /// The Responder's AUCH is due.
    WaitResponderAuch,
    /// The Initiator's AURP is due.
    WaitInitiatorAurp,
    /// The Responder's SECD is due.
    WaitResponderSecd,
    /// The Initiator's AUCH is due.
    WaitInitiatorAuch,
    /// The Responder's AURP is due.
    WaitResponderAurp,
    /// The Speaker may begin something.
    Idle,
    /// The same, directly after a Change Direction that was not requested: the session may be ended.
    IdleFresh,
    /// A file is offered.
    Open,
    /// A file is being transferred, credit left.
    Transfer,
    /// A file is being transferred, no credit left.
    TransferNoCredit,
    /// The file is sent, the answer is due.
    Close,
    /// The same, with one CDT still on its way (C1).
    CloseCreditDue,
    /// EFPA asked for the turn: CD is due.
    WaitCd,
    /// A receipt is sent: RTR is due.
    WaitRtr,
    /// An ESID has passed.
    Closing,
}

/// Who may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Initiator,
    Responder,
    Speaker,
    Listener,
    Either,
}

/// The command, as far as the order depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Command(CommandCode),
    EfpaStay,
    EfpaTurn,
    EsidNormal,
    EsidError,
}

impl Event {
    pub(super) fn code(self) -> CommandCode {
        match self {
            Self::Command(code) => code,
            Self::EfpaStay | Self::EfpaTurn => CommandCode::Efpa,
            Self::EsidNormal | Self::EsidError => CommandCode::Esid,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(code) => write!(f, "{code}"),
            Self::EfpaStay => f.write_str("EFPA(N)"),
            Self::EfpaTurn => f.write_str("EFPA(Y)"),
            Self::EsidNormal => f.write_str("ESID(00)"),
            Self::EsidError => f.write_str("ESID(error)"),
        }
    }
}

/// The next state after a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    To(State),
    /// The Listener becomes the Speaker.
    Turn(State),
    /// Depends on what both SSIDs agree on.
    Negotiated,
    /// Depends on the credit that is left.
    ByCredit,
}

/// One command that a state allows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Move {
    pub(super) who: Who,
    pub(super) event: Event,
    pub(super) next: Next,
    /// Only the tolerant profile allows it.
    pub(super) deviation: Option<Deviation>,
}

impl Move {
    const fn tolerated(self, deviation: Deviation) -> Self {
        Self { deviation: Some(deviation), ..self }
    }
}

const fn sends(who: Who, event: Event, next: Next) -> Move {
    Move { who, event, next, deviation: None }
}

const fn cmd(who: Who, code: CommandCode, next: State) -> Move {
    sends(who, E::Command(code), Next::To(next))
}

use CommandCode as C;
use Event as E;
use State as S;
use Who::{Either, Initiator, Listener, Responder, Speaker};

/// Allowed in every state but the first and the last (RFC 5024 §3.4.2).
const ABORT: Move = sends(Either, E::EsidError, Next::To(S::Closing));

/// One row of the table.
struct Row {
    state: State,
    name: &'static str,
    moves: &'static [Move],
}

const fn row(state: State, name: &'static str, moves: &'static [Move]) -> Row {
    Row { state, name, moves }
}

/// In the order of `State`.
static ORDER: [Row; 20] = [
    row(
        S::WaitSsrm,
        "I_WF_RM/-",
        &[
            cmd(Responder, C::Ssrm, S::WaitInitiatorSsid),
            sends(Responder, E::EsidError, Next::To(S::Closing)).tolerated(Deviation::C11),
        ],
    ),
    row(S::WaitInitiatorSsid, "I_WF_RM/A_NC_ONLY", &[cmd(Initiator, C::Ssid, S::WaitResponderSsid), ABORT]),
    row(
        S::WaitResponderSsid,
        "I_WF_SSID/A_WF_CONRS",
        &[sends(Responder, E::Command(C::Ssid), Next::Negotiated), ABORT],
    ),
    row(S::NegotiationFailed, "NEG_FAILED", &[ABORT]),
    row(S::WaitInitiatorSecd, "-/WF_SECD", &[cmd(Initiator, C::Secd, S::WaitResponderAuch), ABORT]),
    row(S::WaitResponderAuch, "WF_AUCH/-", &[cmd(Responder, C::Auch, S::WaitInitiatorAurp), ABORT]),
    row(S::WaitInitiatorAurp, "-/WF_AURP", &[cmd(Initiator, C::Aurp, S::WaitResponderSecd), ABORT]),
    row(S::WaitResponderSecd, "WF_SECD/-", &[cmd(Responder, C::Secd, S::WaitInitiatorAuch), ABORT]),
    row(S::WaitInitiatorAuch, "-/WF_AUCH", &[cmd(Initiator, C::Auch, S::WaitResponderAurp), ABORT]),
    row(S::WaitResponderAurp, "WF_AURP/-", &[cmd(Responder, C::Aurp, S::Idle), ABORT]),
    row(
        S::Idle,
        "IDLESP/IDLELI",
        &[
            cmd(Speaker, C::Sfid, S::Open),
            cmd(Speaker, C::Eerp, S::WaitRtr),
            cmd(Speaker, C::Nerp, S::WaitRtr),
            sends(Speaker, E::Command(C::Cd), Next::Turn(S::IdleFresh)),
            sends(Speaker, E::EsidNormal, Next::To(S::Closing)).tolerated(Deviation::C2),
            ABORT,
        ],
    ),
    row(
        S::IdleFresh,
        "IDLESPCD/IDLELICD",
        &[
            cmd(Speaker, C::Sfid, S::Open),
            cmd(Speaker, C::Eerp, S::WaitRtr),
            cmd(Speaker, C::Nerp, S::WaitRtr),
            sends(Speaker, E::EsidNormal, Next::To(S::Closing)),
            ABORT,
        ],
    ),
    row(S::Open, "OPOP/OPIP", &[cmd(Listener, C::Sfpa, S::Transfer), cmd(Listener, C::Sfna, S::Idle), ABORT]),
    row(
        S::Transfer,
        "OPO/OPI",
        &[sends(Speaker, E::Command(C::Data), Next::ByCredit), cmd(Speaker, C::Efid, S::Close), ABORT],
    ),
    row(
        S::TransferNoCredit,
        "OPOWFC/OPI",
        &[
            cmd(Listener, C::Cdt, S::Transfer),
            cmd(Speaker, C::Efid, S::CloseCreditDue).tolerated(Deviation::C1),
            ABORT,
        ],
    ),
    row(
        S::Close,
        "CLOP/CLIP",
        &[
            sends(Listener, E::EfpaStay, Next::To(S::Idle)),
            sends(Listener, E::EfpaTurn, Next::To(S::WaitCd)),
            cmd(Listener, C::Efna, S::Idle),
            ABORT,
        ],
    ),
    row(
        S::CloseCreditDue,
        "CLOP/CLIP+CDT",
        &[
            cmd(Listener, C::Cdt, S::Close).tolerated(Deviation::C1),
            sends(Listener, E::EfpaStay, Next::To(S::Idle)),
            sends(Listener, E::EfpaTurn, Next::To(S::WaitCd)),
            cmd(Listener, C::Efna, S::Idle),
            ABORT,
        ],
    ),
    row(S::WaitCd, "-/WF_CD", &[sends(Speaker, E::Command(C::Cd), Next::Turn(S::Idle)), ABORT]),
    row(S::WaitRtr, "WF_RTR/RTRP", &[cmd(Listener, C::Rtr, S::Idle), ABORT]),
    row(S::Closing, "WF_NDISC/IDLE", &[]),
];

impl State {
    fn row(self) -> Option<&'static Row> {
        ORDER.get(self as usize).filter(|row| row.state == self)
    }

    /// The commands that the state allows.
    pub(super) fn moves(self) -> &'static [Move] {
        self.row().map_or(&[], |row| row.moves)
    }

    /// The expected commands, for the message about an unexpected one.
    pub(super) fn due(self) -> String {
        let due: Vec<_> = self
            .moves()
            .iter()
            .filter(|step| step.deviation.is_none())
            .map(|step| match step.who {
                Who::Either => step.event.to_string(),
                who => format!("{} of the {who:?}", step.event),
            })
            .collect();
        if due.is_empty() { "nothing after an ESID".into() } else { due.join(", ") }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.row().map_or("", |row| row.name))
    }
}

impl Who {
    /// Whether `side` may send this while `speaker` is the Speaker.
    pub(super) fn is(self, side: Side, speaker: Side) -> bool {
        match self {
            Self::Initiator => side == Side::Initiator,
            Self::Responder => side == Side::Responder,
            Self::Speaker => side == speaker,
            Self::Listener => side != speaker,
            Self::Either => true,
        }
    }
}

/// The whole table as text, one line for each allowed command: state, sender, command, next state; and the number of
/// the deviation if only the tolerant profile allows it.
pub fn order_table() -> String {
    let mut table = String::new();
    for row in &ORDER {
        for step in row.moves {
            let next = match step.next {
                Next::To(state) => state.to_string(),
                Next::Turn(state) => format!("{state} turn"),
                Next::Negotiated => {
                    format!("{} or {} or {}", S::Idle, S::WaitInitiatorSecd, S::NegotiationFailed)
                }
                Next::ByCredit => format!("{} or {}", S::Transfer, S::TransferNoCredit),
            };
            let deviation = step.deviation.map_or(String::new(), |number| format!(" {number}"));
            let line = format!("{} | {:?} | {} | {next}{deviation}\n", row.name, step.who, step.event);
            table.push_str(&line);
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::{ORDER, order_table};

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (place, row) in ORDER.iter().enumerate() {
            assert_eq!(row.state as usize, place, "{}", row.name);
        }
    }

    /// Prints the table (`cargo test -p common order_table -- --nocapture`) and compares it with the one that was
    /// checked against RFC 5024 §9 line by line.
    #[test]
    fn the_order_table_is_the_reviewed_one() {
        println!("{}", order_table());
        assert_eq!(order_table(), include_str!("order.expected.txt"));
    }
}
