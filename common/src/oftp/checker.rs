//! The checker of one session: both directions, one verdict for each whole buffer.
//!
//! Knows the state of the session and what its sides have agreed on. A session child asks `frame` for the length of the
//! next buffer, `judge` whether it may pass, and `esid` for the answer if it may not. The checker knows no sockets and
//! no time.

use super::buffer::STH;
use super::command::CommandCode;
use super::deviation::{Deviation, Deviations};
use super::layout::Layout;
use super::level::Level;
use super::message::{self, Finding, Findings};
use super::note::{Label, Note};
use super::order::{Event, Move, Next, State};
use super::profile::Profile;
use super::reason_codes::EsidReason;
use super::side::Side;
use super::ssid::{Ssid, Terms};
use super::transfer::Transfer;
use super::violation::{MessageFault, Violation};

/// Number of different remarks that are remembered, so that each is made once.
const REMARKS: usize = 16;

/// A judged buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command; none if it follows an ESID of the other side and is not an ESID itself: then it was not judged and
    /// must not be passed on.
    pub code: Option<CommandCode>,
    /// The reason, if it is an ESID.
    pub esid: Option<EsidReason>,
}

/// One session's checker.
#[derive(Debug)]
pub struct Checker {
    pub(super) profile: Profile,
    pub(super) state: State,
    speaker: Side,
    pub(super) initiator: Option<Ssid>,
    pub(super) responder: Option<Ssid>,
    pub(super) terms: Option<Terms>,
    /// The field in which the two SSIDs disagree.
    pub(super) conflict: Option<Violation>,
    /// Longest DATA that both sides accept, header included.
    pub(super) longest_data: usize,
    pub(super) credit: u32,
    pub(super) transfer: Option<Transfer>,
    /// Octets of empty subrecords, less the octets of files that have come since.
    pub(super) empty_octets: u64,
    pub(super) receipt: Option<Note>,
    ended: Option<(Side, EsidReason)>,
    /// Whether each side has sent an ESID: nothing may follow it.
    silent: [bool; 2],
    refused: bool,
    /// Commands allowed since the last accepted file or receipt, 0: any number.
    pub(super) idle_limit: u32,
    pub(super) idle: u32,
    /// Deviations that have a note already.
    tolerated: Deviations,
    /// Deviations of each side.
    shown: [Deviations; 2],
    remarked: Vec<&'static str>,
    pub(super) notes: Vec<Note>,
}

impl Checker {
    /// A session that has not begun. `idle_commands`: how many commands (DATA and CDT aside) may pass since the last
    /// accepted file or receipt before the session is ended with ESID 99; 0 sets no limit.
    #[must_use]
    pub fn new(profile: Profile, idle_commands: u32) -> Self {
        Self {
            profile,
            state: State::WaitSsrm,
            speaker: Side::Initiator,
            initiator: None,
            responder: None,
            terms: None,
            conflict: None,
            longest_data: 0,
            credit: 0,
            transfer: None,
            empty_octets: 0,
            receipt: None,
            ended: None,
            silent: [false; 2],
            refused: false,
            idle_limit: idle_commands,
            idle: 0,
            tolerated: Deviations::NONE,
            shown: [Deviations::NONE; 2],
            remarked: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The level in force, once both SSIDs have passed.
    pub fn level(&self) -> Option<Level> {
        self.terms.map(|terms| terms.level)
    }

    /// The SSID of `side`, once it passed.
    pub fn ssid(&self, side: Side) -> Option<&Ssid> {
        match side {
            Side::Initiator => self.initiator.as_ref(),
            Side::Responder => self.responder.as_ref(),
        }
    }

    /// Why the negotiation has failed, once both SSIDs were judged. The Responder's SSID is legal, and so is the
    /// session if only an ESID follows; a relay between both sides need not pass the SSID on.
    pub fn conflict(&self) -> Option<&Violation> {
        self.conflict.as_ref()
    }

    /// The file in transfer: its sender, its name, and the octets so far.
    pub fn file_under_way(&self) -> Option<(Side, Label, u64)> {
        self.transfer.as_ref().map(|file| (file.sender, file.name, file.progress.octets))
    }

    /// The file that is offered and not answered yet: its name, and its announced size in blocks of 1,024 octets.
    pub fn file_offered(&self) -> Option<(Label, u64)> {
        let file = self.transfer.as_ref().filter(|_| self.state == State::Open)?;
        Some((file.name, file.announced))
    }

    /// The first ESID that passed: its sender and its reason. After it a close is regular; before it, a close is a
    /// break.
    pub fn ended(&self) -> Option<(Side, EsidReason)> {
        self.ended
    }

    /// The deviations that this side has shown so far.
    pub fn deviations(&self, side: Side) -> Deviations {
        let [initiator, responder] = self.shown;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    /// Whether a close at a buffer's boundary is a legal end: after an ESID, or before the Initiator's SSID
    /// (connection tests read SSRM and go).
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::WaitSsrm | State::WaitInitiatorSsid | State::Closing)
    }

    /// The findings since the last call. Allocates nothing if there are none.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Length, header included, of the buffer that begins at `available[0]`; none: more octets are needed. Refuses as
    /// early as possible: by the first octet for the header's version, by the fourth for its length, by the fifth for
    /// the command, its state and its length. The verdict does not depend on how the octets are split.
    ///
    /// # Errors
    /// The rule that the octets break, and the ESID reason for it.
    pub fn frame(&self, from: Side, available: &[u8]) -> Result<Option<usize>, Violation> {
        if self.drains(from) {
            // It is not interpreted. Octets without a valid length are dropped as they are.
            let length = message::header(available).unwrap_or(Some(available.len()));
            return Ok(length.filter(|&length| length > 0 && available.len() >= length));
        }
        Ok(self.begin(from, available)?.map(|(length, _)| length).filter(|&length| available.len() >= length))
    }

    /// Judges one whole buffer of the length that `frame` gave, and updates the state. After an error nothing may pass
    /// any more, in either direction.
    ///
    /// # Errors
    /// The rule that the buffer breaks, and the ESID reason for it.
    pub fn judge(&mut self, from: Side, stb: &[u8]) -> Result<Command, Violation> {
        if self.drains(from) {
            return Ok(self.drain(from, stb));
        }
        let verdict = self.admit(from, stb);
        self.refused |= verdict.is_err();
        verdict
    }

    /// The whole ESID that ends the session, in the layout of the level in force. Before the second SSID the level
    /// that the Initiator offered decides; before the first, the form of level 5: TLS on port 6619 exists only since
    /// RFC 5024, so a peer on it knows that form, and the reason stands at the same place in both.
    pub fn esid(&self, reason: EsidReason, text: &str) -> Vec<u8> {
        self.esid_to(Side::Responder, reason, text)
    }

    /// The same for one side. After a failed negotiation the Initiator did not get the Responder's SSID, so for the
    /// Initiator the level is the one that it offered.
    pub fn esid_to(&self, to: Side, reason: EsidReason, text: &str) -> Vec<u8> {
        let offered = self.initiator.as_ref().map(Ssid::level);
        let is_agreed = to == Side::Responder || self.conflict.is_none();
        let level = self.level().filter(|_| is_agreed).or(offered).unwrap_or(Level::L5);
        super::message::esid(level, reason, text)
    }

    /// The whole SFNA that refuses the offered file for good, in the layout of the level in force.
    pub fn sfna(&self, reason: u8, text: &str) -> Vec<u8> {
        super::message::sfna(self.level().unwrap_or(Level::L5), reason, text)
    }

    fn drains(&self, from: Side) -> bool {
        self.state == State::Closing && !self.silenced(from)
    }

    fn silenced(&self, side: Side) -> bool {
        let [initiator, responder] = self.silent;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
    }

    fn silence(&mut self, side: Side) {
        let [initiator, responder] = &mut self.silent;
        *match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        } = true;
    }

    /// A buffer that was sent before the other side's ESID arrived: it is dropped, unless it is an ESID.
    fn drain(&mut self, from: Side, stb: &[u8]) -> Command {
        let oeb = stb.get(STH..).unwrap_or_default();
        let whole = matches!(message::header(stb), Ok(Some(length)) if length == stb.len());
        let esid = whole && oeb.first() == Some(&CommandCode::Esid.octet());
        let right = message::check(CommandCode::Esid, oeb, None, Profile::TOLERANT, |_| ());
        match right {
            Ok(layout) if esid => {
                self.silence(from);
                let reason = reason_of(layout, oeb);
                Command { code: Some(CommandCode::Esid), esid: Some(reason) }
            }
            _ => Command { code: None, esid: None },
        }
    }

    /// Length and command of the buffer that begins at `available`, checked as far as the first five octets allow.
    fn begin(&self, from: Side, available: &[u8]) -> Result<Option<(usize, CommandCode)>, Violation> {
        let Some(&first) = available.first() else { return Ok(None) };
        if self.refused || self.silenced(from) {
            let found = format!("0x{first:02x} after the session's end");
            return Err(MessageFault::order(found, State::Closing.due(), "RFC 5024 §9").of(from, None));
        }
        let Some(length) = message::header(available).map_err(|fault| fault.of(from, None))? else {
            return Ok(None);
        };
        let Some(&octet) = available.get(STH) else { return Ok(None) };
        // The most frequent case by far; none of the checks below can refuse it.
        if octet == b'D'
            && self.state == State::Transfer
            && from == self.speaker
            && length <= self.longest_data
        {
            return Ok(Some((length, CommandCode::Data)));
        }
        let code = message::recognise(octet, self.level()).map_err(|fault| fault.of(from, None))?;
        let may =
            |step: &Move| step.event.code() == code && step.who.is(from, self.speaker) && self.grants(*step);
        if !self.state.moves().iter().any(may) {
            let found = format!("{code} in state {}", self.state);
            let fault = self.out_of_order(from, found, |event| event.code() == code);
            return Err(fault.of(from, Some(code)));
        }
        self.fits(code, length.saturating_sub(STH)).map_err(|fault| fault.of(from, Some(code)))?;
        Ok(Some((length, code)))
    }

    fn grants(&self, step: Move) -> bool {
        step.deviation.is_none_or(|deviation| self.profile.accepts(deviation))
    }

    /// The refusal of a command that is out of order. If it is a known deviation, the refusal says how to allow it.
    fn out_of_order(&self, from: Side, found: String, is_meant: impl Fn(Event) -> bool) -> MessageFault {
        let mut moves = self.state.moves().iter().filter(|step| is_meant(step.event));
        let step = moves.find(|step| step.who.is(from, self.speaker));
        let fault = MessageFault::order(found, self.state.due(), "RFC 5024 §9");
        fault.bearable(step.and_then(|step| step.deviation))
    }

    fn fits(&self, code: CommandCode, octets: usize) -> Result<(), MessageFault> {
        if code != CommandCode::Data {
            return message::check_length(code, self.layout_level(code), octets, self.profile);
        }
        let most = self.longest_data.saturating_sub(STH);
        if octets <= most {
            return Ok(());
        }
        Err(MessageFault::size(
            None,
            0,
            format!("{octets} octets"),
            format!("{most} octets or less, as agreed (SSIDSDEB)"),
        ))
    }

    /// The level whose layout a message has. After a failed negotiation ESID may have either form, as before the second
    /// SSID, because its sender may not know the level yet.
    fn layout_level(&self, code: CommandCode) -> Option<Level> {
        let unknown = code == CommandCode::Esid && self.state == State::NegotiationFailed;
        self.level().filter(|_| !unknown)
    }

    fn admit(&mut self, from: Side, stb: &[u8]) -> Result<Command, Violation> {
        let begun = self.begin(from, stb)?;
        let (Some((length, code)), Some(oeb)) = (begun, stb.get(STH..)) else {
            let found = format!("{} octets", stb.len());
            return Err(MessageFault::size(None, 0, found, "a whole buffer").of(from, None));
        };
        let refuse = |fault: MessageFault| fault.of(from, Some(code));
        if length != stb.len() {
            let found = format!("{} octets", stb.len());
            return Err(refuse(MessageFault::size(
                None,
                0,
                found,
                format!("{length} octets, as the header says"),
            )));
        }
        if code == CommandCode::Data {
            self.take_data(from, oeb).map_err(refuse)?;
            return Ok(Command { code: Some(code), esid: None });
        }
        let level = self.layout_level(code);
        let (mut tolerated, mut remark) = (Findings::default(), None);
        let layout = message::check(code, oeb, level, self.profile, |finding| match finding {
            Finding::Deviation(deviation, field) => tolerated.add(deviation, field),
            Finding::Remark(text) => remark = Some(text),
        })
        .map_err(refuse)?;
        for (deviation, field) in tolerated.into_iter() {
            self.note_deviation(deviation, from, code, field);
        }
        if let Some(text) = remark {
            self.remark(text, from, code);
        }
        self.follow(from, layout, oeb).map_err(refuse)
    }

    /// The order of commands: finds the move, checks its conditions, and makes it.
    fn follow(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<Command, MessageFault> {
        let code = layout.code;
        let event = event_of(layout, oeb);
        let step = self
            .state
            .moves()
            .iter()
            .find(|step| step.event == event && step.who.is(from, self.speaker) && self.grants(**step));
        let Some(step) = step else {
            let found = format!("{event} in state {}", self.state);
            return Err(self.out_of_order(from, found, |other| other == event));
        };
        self.act(from, layout, oeb)?;
        self.count_idle(code)?;
        if let Some(deviation) = step.deviation {
            self.note_deviation(deviation, from, code, None);
        }
        match step.next {
            Next::To(state) => self.state = state,
            Next::Turn(state) => {
                self.state = state;
                self.speaker = self.speaker.other();
            }
            Next::Negotiated => self.state = self.negotiated(from),
            Next::ByCredit => self.spend(),
        }
        let esid = (code == CommandCode::Esid).then(|| reason_of(layout, oeb));
        if let Some(reason) = esid {
            self.silence(from);
            self.ended = self.ended.or(Some((from, reason)));
        }
        Ok(Command { code: Some(code), esid })
    }

    pub(super) fn note_deviation(
        &mut self,
        deviation: Deviation,
        side: Side,
        command: CommandCode,
        field: Option<&'static str>,
    ) {
        let [initiator, responder] = &mut self.shown;
        match side {
            Side::Initiator => initiator,
            Side::Responder => responder,
        }
        .add(deviation);
        if self.tolerated.add(deviation) {
            self.notes.push(Note::Tolerated { deviation, side, command, field });
        }
    }

    pub(super) fn remark(&mut self, text: &'static str, side: Side, command: CommandCode) {
        if self.remarked.len() < REMARKS && !self.remarked.contains(&text) {
            self.remarked.push(text);
            self.notes.push(Note::Remark { side, command, text });
        }
    }
}

fn event_of(layout: Layout, oeb: &[u8]) -> Event {
    match layout.code {
        CommandCode::Esid if reason_of(layout, oeb) == EsidReason::NormalTermination => Event::EsidNormal,
        CommandCode::Esid => Event::EsidError,
        CommandCode::Efpa if oeb.get(1) == Some(&b'Y') => Event::EfpaTurn,
        CommandCode::Efpa => Event::EfpaStay,
        code => Event::Command(code),
    }
}

fn reason_of(layout: Layout, oeb: &[u8]) -> EsidReason {
    let number = message::number(layout, oeb, "ESIDREAS");
    EsidReason::from_number(u8::try_from(number).unwrap_or(99))
}
