//! The checker of one session: both directions, one verdict for each whole buffer.
//!
//! Owns where the session stands and what its sides agreed on. A session child asks `frame` how long the buffer at
//! hand is, `judge` whether it may pass, and `esid` for what to say when it may not. It decides nothing about
//! sockets or time.

use super::layout::Layout;
use super::message::{self, Finding};
use super::note::{Deviation, Label, Note};
use super::order::{Event, Move, Next, State};
use super::ssid::{Features, Ssid, Terms};
use super::transfer::Transfer;
use super::violation::{Fault, Violation};
use super::{CommandCode, EsidReason, Level, Profile, STH, Side, data};

/// DATA in a row that carry nothing; one more is an attack or a loop.
const IDLE_BUFFERS: u32 = 1000;

/// Tells apart the remarks already made; the list is short.
const REMARKS: usize = 16;

/// What a judged buffer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// The command; none for what follows an ESID of the other side and is no ESID: it was not judged and must not
    /// be passed on.
    pub code: Option<CommandCode>,
    /// The reason, if it is an ESID.
    pub esid: Option<EsidReason>,
}

/// One session's checker.
#[derive(Debug)]
pub struct Checker {
    profile: Profile,
    state: State,
    speaker: Side,
    initiator: Option<Ssid>,
    responder: Option<Ssid>,
    terms: Option<Terms>,
    credit: u32,
    transfer: Option<Transfer>,
    receipt: Option<Note>,
    ended: Option<(Side, EsidReason)>,
    /// Who has sent an ESID: nothing may follow it.
    silent: [bool; 2],
    /// An ESID of ours is on its way: whatever comes is drained.
    injected: bool,
    refused: bool,
    /// Commands allowed since the last accepted file or receipt, 0: any number.
    idle_limit: u32,
    idle: u32,
    tolerated: u32,
    remarked: Vec<&'static str>,
    notes: Vec<Note>,
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
            credit: 0,
            transfer: None,
            receipt: None,
            ended: None,
            silent: [false; 2],
            injected: false,
            refused: false,
            idle_limit: idle_commands,
            idle: 0,
            tolerated: 0,
            remarked: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Judges by another profile from now on: who the partner is, only its SSID tells.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Who has the turn.
    pub fn speaker(&self) -> Side {
        self.speaker
    }

    /// The level in force, once both SSIDs have passed.
    pub fn level(&self) -> Option<Level> {
        self.terms.map(|terms| terms.level)
    }

    /// What `side` said at the start, once it passed.
    pub fn ssid(&self, side: Side) -> Option<&Ssid> {
        match side {
            Side::Initiator => self.initiator.as_ref(),
            Side::Responder => self.responder.as_ref(),
        }
    }

    /// The first ESID that passed: who sent it and why. A close is due then; before, it is a break.
    pub fn ended(&self) -> Option<(Side, EsidReason)> {
        self.ended
    }

    /// Whether a close at a buffer's boundary is a legal end: after an ESID, or before the Initiator's SSID
    /// (connection tests read SSRM and go).
    pub fn may_close(&self) -> bool {
        matches!(self.state, State::WaitSsrm | State::WaitInitiatorSsid | State::Closing)
    }

    /// What has been found since the last call. Allocates nothing when there is nothing.
    pub fn take_notes(&mut self) -> Vec<Note> {
        std::mem::take(&mut self.notes)
    }

    /// Length, header included, of the buffer that begins at `available[0]`; none: more octets are needed. Refuses as
    /// soon as the octets at hand suffice: the first for the header's version, the fourth for its length, the fifth
    /// for the command, its state and its length. The verdict never depends on how the octets arrive.
    pub fn frame(&self, from: Side, available: &[u8]) -> Result<Option<usize>, Violation> {
        if self.drains(from) {
            // Unread, whatever it is; what has no length is drained as it came.
            let length = message::header(available).unwrap_or(Some(available.len()));
            return Ok(length.filter(|&length| length > 0 && available.len() >= length));
        }
        Ok(self.begin(from, available)?.map(|(length, _)| length).filter(|&length| available.len() >= length))
    }

    /// Judges one whole buffer, as `frame` measured it, and moves on. After an error nothing may pass any more, in
    /// either direction.
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
    /// RFC 5024, so whoever speaks it knows that form, and the reason stands at the same place in both.
    pub fn esid(&self, reason: EsidReason, text: &str) -> Vec<u8> {
        let offered = self.initiator.as_ref().map(Ssid::level);
        let level = self.level().or(offered).unwrap_or(Level::L5);
        super::message::esid(level, reason, text)
    }

    /// An ESID of ours was put in, in the name of `from` or of both: from now on everything is drained.
    pub fn esid_sent(&mut self, from: Side) {
        self.injected = true;
        self.state = State::Closing;
        self.silence(from);
    }

    fn drains(&self, from: Side) -> bool {
        self.injected || (self.state == State::Closing && !self.silenced(from))
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

    /// What was in flight when the other side's ESID passed: nothing of it counts but an ESID of its own.
    fn drain(&mut self, from: Side, stb: &[u8]) -> Command {
        let oeb = stb.get(STH..).unwrap_or_default();
        let whole = matches!(message::header(stb), Ok(Some(length)) if length == stb.len());
        let esid = whole && oeb.first() == Some(&CommandCode::Esid.octet());
        let right = message::check(CommandCode::Esid, oeb, None, Profile::Tolerant, |_| ());
        match right {
            Ok(layout) if esid && !self.injected => {
                self.silence(from);
                let reason = reason_of(layout, oeb);
                Command { code: Some(CommandCode::Esid), esid: Some(reason) }
            }
            _ => Command { code: None, esid: None },
        }
    }

    /// Header, command, direction and length of the buffer that begins at `available`: all that five octets tell.
    fn begin(&self, from: Side, available: &[u8]) -> Result<Option<(usize, CommandCode)>, Violation> {
        let Some(&first) = available.first() else { return Ok(None) };
        let out_of_place = |found: String, expected: String| Fault::order(found, expected, "RFC 5024 §9");
        if self.refused || self.silenced(from) {
            let found = format!("0x{first:02x} after the session's end");
            return Err(out_of_place(found, State::Closing.due()).of(from, None));
        }
        let Some(length) = message::header(available).map_err(|fault| fault.of(from, None))? else {
            return Ok(None);
        };
        let Some(&octet) = available.get(STH) else { return Ok(None) };
        let code = message::recognise(octet, self.level()).map_err(|fault| fault.of(from, None))?;
        let may =
            |step: &Move| step.event.code() == code && step.who.is(from, self.speaker) && self.grants(*step);
        if !self.state.moves().iter().any(may) {
            let found = format!("its place in state {}", self.state);
            return Err(out_of_place(found, self.state.due()).of(from, Some(code)));
        }
        self.fits(code, length.saturating_sub(STH)).map_err(|fault| fault.of(from, Some(code)))?;
        Ok(Some((length, code)))
    }

    fn grants(&self, step: Move) -> bool {
        step.deviation.is_none() || self.profile == Profile::Tolerant
    }

    fn fits(&self, code: CommandCode, octets: usize) -> Result<(), Fault> {
        if code != CommandCode::Data {
            return message::shape(code, self.layout_level(code), octets, self.profile).map(|_| ());
        }
        let most = self.terms.map_or(0, |terms| terms.buffer_size);
        if octets <= most {
            return Ok(());
        }
        Err(Fault::size(
            None,
            0,
            format!("{octets} octets"),
            format!("{most} octets or less, as agreed (SSIDSDEB)"),
        ))
    }

    /// The level whose layout a message has. After a failed negotiation ESID may have either form, as before the
    /// second SSID: the sender may not have got so far as to know the level.
    fn layout_level(&self, code: CommandCode) -> Option<Level> {
        let unknown = code == CommandCode::Esid && self.state == State::NegotiationFailed;
        self.level().filter(|_| !unknown)
    }

    fn admit(&mut self, from: Side, stb: &[u8]) -> Result<Command, Violation> {
        let begun = self.begin(from, stb)?;
        let (Some((length, code)), Some(oeb)) = (begun, stb.get(STH..)) else {
            let found = format!("{} octets", stb.len());
            return Err(Fault::size(None, 0, found, "a whole buffer").of(from, None));
        };
        let refuse = |fault: Fault| fault.of(from, Some(code));
        if length != stb.len() {
            let found = format!("{} octets", stb.len());
            return Err(refuse(Fault::size(None, 0, found, format!("{length} octets, as the header says"))));
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

    /// The order of commands: finds the move, minds its conditions, makes it.
    fn follow(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<Command, Fault> {
        let code = layout.code;
        let event = event_of(layout, oeb);
        let step = self
            .state
            .moves()
            .iter()
            .find(|step| step.event == event && step.who.is(from, self.speaker) && self.grants(**step));
        let Some(step) = step else {
            return Err(Fault::order(
                format!("the place of {event} in state {}", self.state),
                self.state.due(),
                "RFC 5024 §9",
            ));
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

    /// What a command means beyond its place: conditions on its values first, then what is remembered of it.
    fn act(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), Fault> {
        match layout.code {
            CommandCode::Ssid => {
                let ssid = Ssid::read(oeb, layout);
                if from == Side::Initiator {
                    return self.offer(ssid);
                }
                self.answer(ssid);
                Ok(())
            }
            CommandCode::Sfid => self.open(from, layout, oeb),
            CommandCode::Sfpa => self.start(layout, oeb),
            CommandCode::Cdt => {
                self.grant();
                Ok(())
            }
            CommandCode::Efid => self.end_file(from, layout, oeb),
            CommandCode::Efpa => {
                let file = self.transfer.take();
                self.notes.extend(file.iter().flat_map(Transfer::accepted));
                Ok(())
            }
            CommandCode::Sfna | CommandCode::Efna => {
                let field = if layout.code == CommandCode::Sfna { "SFNAREAS" } else { "EFNAREAS" };
                let reason = message::number(layout, oeb, field);
                self.notes.extend(self.transfer.take().map(|file| file.refused(layout.code, reason)));
                Ok(())
            }
            CommandCode::Eerp | CommandCode::Nerp => {
                self.receipt = Some(receipt_note(from, layout, oeb));
                Ok(())
            }
            CommandCode::Rtr => {
                self.notes.extend(self.receipt.take());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Special logic (RFC 5024 §3.2.1, App. C) is for X.25: on TCP an offer cannot be met. Real stacks offer it all
    /// the same and take no for an answer (C12).
    fn offer(&mut self, ssid: Ssid) -> Result<(), Fault> {
        if ssid.special_logic() && self.profile == Profile::Strict {
            let fault = Fault::content("SSIDSPEC", 43, "\"Y\"".into(), "N, there is no special logic on TCP");
            return Err(Fault { reason: EsidReason::IncompatibleMode, ..fault });
        }
        self.initiator = Some(ssid);
        Ok(())
    }

    fn answer(&mut self, ssid: Ssid) {
        if let Some(offer) = &self.initiator {
            self.terms = Some(Terms::negotiate(offer, &ssid, self.profile));
        }
        self.responder = Some(ssid);
    }

    fn negotiated(&mut self, from: Side) -> State {
        let Some(terms) = self.terms else { return State::NegotiationFailed };
        if let Some(conflict) = terms.conflict {
            self.remark(conflict, from, CommandCode::Ssid);
            return State::NegotiationFailed;
        }
        for (deviation, side, field) in terms.deviations.into_iter().flatten() {
            self.note_deviation(deviation, side, CommandCode::Ssid, field);
        }
        if terms.agreed.has(Features::AUTHENTICATION) { State::WaitInitiatorSecd } else { State::Idle }
    }

    fn open(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), Fault> {
        let file = Transfer::new(from, layout, oeb);
        let terms = self.terms;
        let sends = |terms: Terms| match from {
            Side::Initiator => terms.initiator_sends,
            Side::Responder => terms.responder_sends,
        };
        if !terms.is_some_and(sends) {
            let found = format!("a file of the {from}");
            return Err(Fault::order(
                found,
                "files only in the direction that SSIDSR agreed on",
                "RFC 5024 §9.10",
            ));
        }
        if file.offered > 0 && !terms.is_some_and(|terms| terms.agreed.has(Features::RESTART)) {
            let at = message::offset_of(layout, oeb, "SFIDREST");
            let expected = "0, restart was not agreed on (SSIDREST)";
            return Err(
                Fault::order(file.offered.to_string(), expected, "RFC 5024 §9.10").in_field("SFIDREST", at)
            );
        }
        self.transfer = Some(file);
        Ok(())
    }

    fn start(&mut self, layout: Layout, oeb: &[u8]) -> Result<(), Fault> {
        let answer = message::number(layout, oeb, "SFPAACNT");
        let offered = self.transfer.as_ref().map_or(0, |file| file.offered);
        if answer > offered {
            let expected = format!("at most SFIDREST, {offered}");
            return Err(Fault::order(answer.to_string(), expected, "RFC 5024 §5.3.4").in_field("SFPAACNT", 1));
        }
        if let Some(file) = &mut self.transfer {
            file.restart = answer;
        }
        self.grant();
        Ok(())
    }

    /// SFPA and CDT set the credit to the window; they never add (RFC 5024 §4.4).
    fn grant(&mut self) {
        self.credit = self.terms.map_or(0, |terms| terms.window);
    }

    fn spend(&mut self) {
        self.credit = self.credit.saturating_sub(1);
        self.state = if self.credit > 0 { State::Transfer } else { State::TransferNoCredit };
    }

    /// The hot path: `begin` has seen to place, credit (it is the state) and size.
    fn take_data(&mut self, from: Side, oeb: &[u8]) -> Result<(), Fault> {
        let (Some(file), Some(terms)) = (&mut self.transfer, self.terms) else {
            return Err(Fault::order("DATA".into(), "a file that was opened", "RFC 5024 §9"));
        };
        let rules = data::Rules {
            records: file.records,
            compression: terms.agreed.has(Features::COMPRESSION),
            profile: self.profile,
        };
        let before = file.progress;
        file.progress.take(oeb, rules)?;
        let after = file.progress;
        if after.octets == before.octets && after.ended == before.ended {
            file.idle_buffers = file.idle_buffers.saturating_add(1);
            if file.idle_buffers > IDLE_BUFFERS {
                let found = format!("the {}th DATA in a row without an octet", file.idle_buffers);
                return Err(Fault::order(found, "DATA that carry data", "RFC 5024 §7"));
            }
        } else {
            file.idle_buffers = 0;
        }
        let repeated = file.records == data::Records::Text && after.ended > 1;
        self.spend();
        if repeated {
            self.note_deviation(Deviation::C10, from, CommandCode::Data, Some("DATABUF"));
        }
        if after.short {
            self.remark("record shorter than SFIDLRECL in a file of fixed records", from, CommandCode::Data);
        }
        if after.empty_run {
            self.remark("compressed subrecord of no octets", from, CommandCode::Data);
        }
        if oeb.len() == 1 {
            self.remark("DATA without subrecords", from, CommandCode::Data);
        }
        Ok(())
    }

    fn end_file(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), Fault> {
        self.credit = 0;
        let Some(file) = &mut self.transfer else { return Ok(()) };
        file.end(layout, oeb);
        if !file.progress.unfinished(file.records) {
            return Ok(());
        }
        if self.profile == Profile::Strict {
            let found = "a file whose last record has not ended".into();
            return Err(Fault::order(found, "an end of record in the last subrecord", "RFC 5024 §7"));
        }
        self.note_deviation(Deviation::C10, from, layout.code, None);
        Ok(())
    }

    /// Legal commands without end that move nothing: an accepted file or receipt starts the count again.
    fn count_idle(&mut self, code: CommandCode) -> Result<(), Fault> {
        match code {
            CommandCode::Efpa | CommandCode::Rtr => self.idle = 0,
            CommandCode::Cdt | CommandCode::Esid => (),
            _ => self.idle = self.idle.saturating_add(1),
        }
        if self.idle_limit == 0 || self.idle <= self.idle_limit {
            return Ok(());
        }
        let found = format!("command {} since the last accepted file or receipt", self.idle);
        let fault =
            Fault::order(found, format!("at most {}, a setting", self.idle_limit), "RFC 5024 §5.3.11");
        Err(Fault { reason: EsidReason::UnspecifiedAbort, ..fault })
    }

    fn note_deviation(
        &mut self,
        deviation: Deviation,
        side: Side,
        command: CommandCode,
        field: Option<&'static str>,
    ) {
        if self.tolerated & deviation.bit() == 0 {
            self.tolerated |= deviation.bit();
            self.notes.push(Note::Tolerated { deviation, side, command, field });
        }
    }

    fn remark(&mut self, text: &'static str, side: Side, command: CommandCode) {
        if self.remarked.len() < REMARKS && !self.remarked.contains(&text) {
            self.remarked.push(text);
            self.notes.push(Note::Remark { side, command, text });
        }
    }
}

/// The deviations of one message, each once.
#[derive(Default)]
struct Findings {
    seen: u32,
    list: [Option<(Deviation, Option<&'static str>)>; 4],
}

impl Findings {
    fn add(&mut self, deviation: Deviation, field: Option<&'static str>) {
        if self.seen & deviation.bit() == 0 {
            self.seen |= deviation.bit();
            if let Some(place) = self.list.iter_mut().find(|place| place.is_none()) {
                *place = Some((deviation, field));
            }
        }
    }

    fn into_iter(self) -> impl Iterator<Item = (Deviation, Option<&'static str>)> {
        self.list.into_iter().flatten()
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

fn receipt_note(sender: Side, layout: Layout, oeb: &[u8]) -> Note {
    let field = if layout.code == CommandCode::Eerp { "EERPDSN" } else { "NERPDSN" };
    let reason = message::value(layout, oeb, "NERPREAS").and_then(super::field::number);
    Note::Receipt {
        sender,
        command: layout.code,
        name: Label::new(message::value(layout, oeb, field).unwrap_or_default()),
        reason: reason.and_then(|reason| u8::try_from(reason).ok()),
    }
}
