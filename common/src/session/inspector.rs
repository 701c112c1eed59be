//! The OFTP2 checker of a session: it judges each buffer, logs the events of the session, and counts for the end line.
//! Both daemons use it, so a DMZ host under an attacker's control cannot send invalid data inward.

use crate::config::FileRules;
use crate::log::{Event, Priority, catalogue, enabled};
use crate::oftp::{self, Checker, CommandCode, EsidReason, Note, Profile, State, Violation};
use crate::rpc::{MAX_TRANSFERS, ShownDeviations, Transfer, TransferResult};
use crate::session::file_rules::FileRefusal;
use crate::session::relay::{self, Cause, Judge, Verdict};
use crate::state::CurrentFile;
use crate::text::hex;
use std::collections::VecDeque;

/// Counts for the end line and the session list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Files that their receiver accepted.
    pub files: u32,
    /// Files that their receiver refused.
    pub refused: u32,
    /// Receipts, EERP and NERP.
    pub receipts: u32,
}

/// A checker, and which of the relay's sides is the Initiator.
pub struct Inspector {
    checker: Checker,
    initiator: relay::Side,
    idle_commands: u32,
    data: [Run; 2],
    /// The SSIDCODE that the Responder must have.
    responder: Option<String>,
    /// Which files the partner may send.
    file_rules: FileRules,
    /// The partner got the turn without a request, and has used it only for files that were refused here: the station
    /// does not know of them.
    turn_unseen: bool,
    /// Counts so far.
    pub tally: Tally,
    /// The last files that were finished or refused.
    transfers: VecDeque<Transfer>,
}

/// DATA buffers in a row, summed up in one DEBUG line.
#[derive(Default, Clone, Copy)]
struct Run {
    buffers: u64,
    octets: u64,
}

impl Inspector {
    /// For a session that the partner (`relay::Side::Outer`) or the station (`Inner`) opened.
    pub fn new(profile: Profile, idle_commands: u32, initiator: relay::Side) -> Self {
        Self {
            checker: Checker::new(profile, idle_commands),
            initiator,
            idle_commands,
            data: [Run::default(); 2],
            responder: None,
            file_rules: FileRules::default(),
            turn_unseen: false,
            tally: Tally::default(),
            transfers: VecDeque::new(),
        }
    }

    /// The partner is known: its SSID is judged again with its own profile.
    ///
    /// # Errors
    /// What a stricter profile refuses in the SSID.
    pub fn set_profile(&mut self, profile: Profile, ssid: &[u8]) -> Result<(), Violation> {
        if profile != Profile::TOLERANT {
            self.checker = Checker::new(profile, self.idle_commands);
            self.checker.judge(oftp::Side::Responder, &oftp::SSRM)?;
            self.checker.judge(oftp::Side::Initiator, ssid)?;
            // They were logged already.
            self.checker.take_notes();
        }
        Ok(())
    }

    /// The Responder must have this SSIDCODE: an SSID with another one is refused.
    pub fn expect(&mut self, responder: &str) {
        self.responder = Some(responder.to_owned());
    }

    /// The partner may only send these files. Others are refused here, in the station's place.
    pub fn restrict(&mut self, rules: &FileRules) {
        self.file_rules.clone_from(rules);
    }

    /// Length of the buffer at the start of `octets`, once it is complete.
    ///
    /// # Errors
    /// The rule that the octets break, and the ESID reason for it.
    pub fn whole(&self, from: oftp::Side, octets: &[u8]) -> Result<Option<usize>, Violation> {
        self.checker.frame(from, octets)
    }

    /// Judges and logs one whole buffer; false: it comes after the end and must not be passed on.
    ///
    /// # Errors
    /// The rule that the buffer breaks, and the ESID reason for it. Nothing may pass afterwards.
    pub fn pass(&mut self, from: oftp::Side, buffer: &[u8]) -> Result<bool, Violation> {
        self.inspect(from, buffer).map(|code| code.is_some())
    }

    /// Judges and logs one whole buffer; none: it comes after the end.
    fn inspect(&mut self, from: oftp::Side, buffer: &[u8]) -> Result<Option<CommandCode>, Violation> {
        if enabled(Priority::Trace) {
            let (side, length) = (self.name(from), buffer.len());
            crate::trace!(
                "buffer side={side} role={from} octets={length} hex={}",
                hex::encode(&oftp::masked(buffer))
            );
        }
        let level = self.checker.level();
        let command = self.checker.judge(from, buffer)?;
        if command.code == Some(oftp::CommandCode::Ssid) && from == oftp::Side::Responder {
            self.check_responder()?;
            self.check_agreement()?;
        }
        if enabled(Priority::Debug) {
            if command.code == Some(oftp::CommandCode::Data) {
                self.sum_up(from, buffer.len());
            } else {
                self.log_data();
                crate::debug!("command side={} {}", self.name(from), oftp::describe(buffer, level));
            }
        }
        for note in self.checker.take_notes() {
            self.take(&note);
        }
        Ok(command.code)
    }

    /// The verdict on a valid command of the partner according to the file rules.
    fn by_rules(&mut self, code: CommandCode, turn_is_fresh: bool) -> Result<Verdict, Violation> {
        match code {
            CommandCode::Sfid => {
                if let Some(answer) = self.refuse_file(turn_is_fresh)? {
                    return Ok(answer);
                }
                self.turn_unseen = false;
            }
            CommandCode::Eerp | CommandCode::Nerp => self.turn_unseen = false,
            CommandCode::Cd if self.turn_unseen => return self.end_unseen_turn(),
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    /// The answer to a file that the partner may not send: SFNA, as the station would send it. The other daemon and the
    /// station never see the offer: the state of the session is the same before and after it.
    fn refuse_file(&mut self, turn_is_fresh: bool) -> Result<Option<Verdict>, Violation> {
        if self.file_rules.is_empty() {
            return Ok(None);
        }
        let Some((name, blocks)) = self.checker.file_offered() else { return Ok(None) };
        let Some(refusal) = FileRefusal::of(&self.file_rules, name.octets(), blocks) else { return Ok(None) };
        let sfna = self.checker.sfna(refusal.reason(), &refusal.text());
        self.inspect(self.side(relay::Side::Inner), &sfna)?;
        self.turn_unseen |= turn_is_fresh;
        Event::new(&catalogue::FILE_REFUSED)
            .field_display("side", relay::Side::Outer)
            .field("name", name.octets())
            .field_num("kib", blocks)
            .field_display("sfna", format_args!("{:02}", refusal.reason()))
            .field("detail", refusal.remedy())
            .log();
        Ok(Some(Verdict::Answer { onward: Vec::new(), back: sfna }))
    }

    /// The partner returns a turn that the station gave without a request and of whose use the station has seen
    /// nothing. If this were passed on, the station would see a Change Direction in answer to its own, which is
    /// forbidden (RFC 5024 §3.3.4.2): a side that has nothing to send ends the session then. Neither side has anything
    /// to send, so both are told that the session has ended.
    fn end_unseen_turn(&mut self) -> Result<Verdict, Violation> {
        let esid = self.checker.esid(EsidReason::NormalTermination, "");
        self.inspect(self.side(relay::Side::Inner), &esid)?;
        Ok(Verdict::Answer { onward: esid.clone(), back: esid })
    }

    /// The SSIDCODE of `side`, without trailing spaces.
    pub fn ssid_code(&self, side: oftp::Side) -> Option<String> {
        self.checker.ssid(side).map(|ssid| ssid.code().to_string())
    }

    /// The side that ended the session with an ESID, and its reason.
    pub fn ended(&self) -> Option<(oftp::Side, EsidReason)> {
        self.checker.ended()
    }

    /// A whole ESID in the layout of the level in force. Nothing is judged after it.
    pub fn esid(&self, reason: EsidReason) -> Vec<u8> {
        self.checker.esid(reason, reason.name())
    }

    /// The same with our own words instead of the RFC's.
    pub fn esid_saying(&self, reason: EsidReason, words: &str) -> Vec<u8> {
        self.checker.esid(reason, words)
    }

    /// The state of the session, in RFC 5024's state names.
    pub fn state(&self) -> String {
        self.checker.state().to_string()
    }

    /// The last files, `MAX_TRANSFERS` at most; the file in transfer is the last one.
    pub fn transfers(&self) -> Vec<Transfer> {
        let under_way = self.checker.file_under_way().map(|(sender, name, octets)| {
            self.transfer(sender, name, octets, (TransferResult::Broken, None))
        });
        let all: Vec<Transfer> = self.transfers.iter().cloned().chain(under_way).collect();
        all.into_iter().rev().take(MAX_TRANSFERS).rev().collect()
    }

    /// The file in transfer.
    pub fn current_file(&self) -> Option<CurrentFile> {
        let (sender, name, octets) = self.checker.file_under_way()?;
        Some(CurrentFile { sender: self.name(sender).to_string(), name: name.to_string(), octets })
    }

    /// Deviations from the RFC of partner and station.
    pub fn deviations(&self) -> ShownDeviations {
        let of = |side| self.checker.deviations(self.side(side));
        ShownDeviations { partner: of(relay::Side::Outer), station: of(relay::Side::Inner) }
    }

    /// The name of this OFTP2 side: `partner` or `station`.
    pub fn name(&self, side: oftp::Side) -> relay::Side {
        if side == oftp::Side::Initiator { self.initiator } else { self.initiator.other() }
    }

    fn check_responder(&self) -> Result<(), Violation> {
        let Some(expected) = &self.responder else { return Ok(()) };
        let found = self.ssid_code(oftp::Side::Responder).unwrap_or_default();
        if found == *expected {
            return Ok(());
        }
        Err(Violation::stranger(oftp::Side::Responder, &found, expected))
    }

    /// Checks the two SSIDs. If they disagree the session is ended here, before the Initiator sees the answer and
    /// continues.
    fn check_agreement(&self) -> Result<(), Violation> {
        self.checker.conflict().map_or(Ok(()), |violation| Err(violation.clone()))
    }

    fn side(&self, side: relay::Side) -> oftp::Side {
        if side == self.initiator { oftp::Side::Initiator } else { oftp::Side::Responder }
    }

    fn sum_up(&mut self, from: oftp::Side, octets: usize) {
        let run = self.run(from);
        run.buffers += 1;
        run.octets += octets as u64;
    }

    fn run(&mut self, from: oftp::Side) -> &mut Run {
        let [initiator, responder] = &mut self.data;
        if from == oftp::Side::Initiator { initiator } else { responder }
    }

    fn log_data(&mut self) {
        for from in [oftp::Side::Initiator, oftp::Side::Responder] {
            let Run { buffers, octets } = std::mem::take(self.run(from));
            if buffers > 0 {
                crate::debug!("command side={} DATA buffers={buffers} octets={octets}", self.name(from));
            }
        }
    }

    fn transfer(
        &self,
        sender: oftp::Side,
        name: oftp::Label,
        octets: u64,
        (result, reason): (TransferResult, Option<u8>),
    ) -> Transfer {
        let (sender, name) = (self.name(sender).to_string(), name.to_string());
        Transfer { sender, name, octets, result, reason }
    }

    fn keep(&mut self, transfer: Transfer) {
        if self.transfers.len() == MAX_TRANSFERS {
            self.transfers.pop_front();
        }
        self.transfers.push_back(transfer);
    }

    fn take(&mut self, note: &Note) {
        match *note {
            Note::FileAccepted { sender, name, octets, .. } => {
                self.tally.files += 1;
                self.keep(self.transfer(sender, name, octets, (TransferResult::Accepted, None)));
            }
            Note::FileRefused { sender, name, octets, reason, .. } => {
                self.tally.refused += 1;
                self.keep(self.transfer(sender, name, octets, (TransferResult::Refused, Some(reason))));
            }
            Note::Receipt { .. } => self.tally.receipts += 1,
            Note::Tolerated { deviation, side, command, field } => {
                Event::new(&catalogue::DEVIATION)
                    .field_display("number", deviation)
                    .field_display("side", self.name(side))
                    .field_display("command", command)
                    .field_opt("field", field)
                    .field("detail", deviation.text())
                    .log();
                return;
            }
            Note::Remark { .. } | Note::CountMismatch { .. } => {
                crate::notice!("note side={} {note}", self.name(note.side()));
                return;
            }
        }
        crate::debug!("note side={} {note}", self.name(note.side()));
    }
}

impl Judge for Inspector {
    type Fault = Violation;

    fn frame(&self, from: relay::Side, octets: &[u8]) -> Result<Option<usize>, Violation> {
        self.checker.frame(self.side(from), octets)
    }

    fn judge(&mut self, from: relay::Side, unit: &[u8]) -> Result<Verdict, Violation> {
        let turn_is_fresh = self.checker.state() == State::IdleFresh;
        match self.inspect(self.side(from), unit)? {
            Some(code) if from == relay::Side::Outer => self.by_rules(code, turn_is_fresh),
            Some(_) => Ok(Verdict::Pass),
            None => Ok(Verdict::Drop),
        }
    }

    fn may_close(&self) -> bool {
        self.checker.may_close()
    }

    fn over(&self) -> bool {
        self.checker.ended().is_some()
    }

    fn farewell(&mut self, to: relay::Side, cause: &Cause<Violation>) -> Vec<u8> {
        if self.over() {
            // One side has ended the session already.
            return Vec::new();
        }
        let reason = match cause {
            Cause::Refused(_, violation) => violation.reason(),
            Cause::Silent | Cause::Unfinished(_) => EsidReason::TimeOut,
            Cause::Signal | Cause::Administrator(_) => EsidReason::EmergencyCloseDown,
        };
        self.checker.esid_to(self.side(to), reason, reason.name())
    }
}
