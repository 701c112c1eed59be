//! The meaning of commands beyond their order: negotiation, credit, restart, files, receipts, idle turns.
//!
//! The second half of `Checker`. It is called when a buffer's fields and its place in the order are right, and refuses
//! values that are wrong in this session.

use super::buffer::STH;
use super::checker::Checker;
use super::command::CommandCode;
use super::data::{self, Progress};
use super::deviation::{Deviation, Deviations};
use super::layout::Layout;
use super::message;
use super::note::{Label, Note};
use super::order::State;
use super::reason_codes::EsidReason;
use super::side::Side;
use super::ssid::{Features, Ssid, Terms};
use super::transfer::Transfer;
use super::violation::MessageFault;

/// Short DATA in a row that carry nothing; one more is taken as an attack or an endless loop.
const IDLE_BUFFERS: u32 = 1000;
/// A DATA with fewer octets is short: the smallest buffer size that may be agreed on.
const SHORT: usize = 128;
/// Octets of empty subrecords that are tolerated: the size of one full subrecord.
const FEW_EMPTY: u64 = 64;
/// With this many octets of empty subrecords, 1 MiB, a session ends.
const MOST_EMPTY: u64 = 1 << 20;

impl Checker {
    /// The meaning of a command: first the conditions on its values, then the changes to the state.
    pub(super) fn act(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), MessageFault> {
        match layout.code {
            CommandCode::Ssid => {
                let ssid = Ssid::read(oeb, layout);
                match from {
                    Side::Initiator => self.initiator = Some(ssid),
                    Side::Responder => self.answer(ssid, layout, oeb),
                }
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

    fn answer(&mut self, ssid: Ssid, layout: Layout, oeb: &[u8]) {
        if let Some(offer) = &self.initiator {
            let terms = Terms::negotiate(offer, &ssid, self.profile);
            self.longest_data = terms.buffer_size.saturating_add(STH);
            self.terms = Some(terms);
            self.conflict = terms.conflict.map(|conflict| conflict.violation(layout, oeb));
        }
        self.responder = Some(ssid);
    }

    pub(super) fn negotiated(&mut self, from: Side) -> State {
        let Some(terms) = self.terms else { return State::NegotiationFailed };
        if let Some(conflict) = terms.conflict {
            self.remark(conflict.text(), from, CommandCode::Ssid);
            return State::NegotiationFailed;
        }
        for (deviation, side, field) in terms.deviations.into_iter().flatten() {
            self.note_deviation(deviation, side, CommandCode::Ssid, field);
        }
        if terms.agreed.has(Features::AUTHENTICATION) { State::WaitInitiatorSecd } else { State::Idle }
    }

    fn open(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), MessageFault> {
        let file = Transfer::new(from, layout, oeb);
        let terms = self.terms;
        let sends = |terms: Terms| match from {
            Side::Initiator => terms.initiator_sends,
            Side::Responder => terms.responder_sends,
        };
        if !terms.is_some_and(sends) {
            let found = format!("a file of the {from}");
            return Err(MessageFault::order(
                found,
                "files only in the direction that SSIDSR agreed on",
                "RFC 5024 §9.10",
            ));
        }
        if file.offered > 0 && !terms.is_some_and(|terms| terms.agreed.has(Features::RESTART)) {
            let at = message::offset_of(layout, oeb, "SFIDREST");
            let expected = "0, restart was not agreed on (SSIDREST)";
            return Err(MessageFault::order(file.offered.to_string(), expected, "RFC 5024 §9.10")
                .in_field("SFIDREST", at));
        }
        self.transfer = Some(file);
        Ok(())
    }

    fn start(&mut self, layout: Layout, oeb: &[u8]) -> Result<(), MessageFault> {
        let answer = message::number(layout, oeb, "SFPAACNT");
        let offered = self.transfer.as_ref().map_or(0, |file| file.offered);
        if answer > offered {
            let expected = format!("at most SFIDREST, {offered}");
            return Err(
                MessageFault::order(answer.to_string(), expected, "RFC 5024 §5.3.4").in_field("SFPAACNT", 1)
            );
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

    pub(super) fn spend(&mut self) {
        self.credit = self.credit.saturating_sub(1);
        self.state = if self.credit > 0 { State::Transfer } else { State::TransferNoCredit };
    }

    /// The inner loop of a transfer: `begin` has checked order, credit (it is part of the state) and size.
    pub(super) fn take_data(&mut self, from: Side, oeb: &[u8]) -> Result<(), MessageFault> {
        let (Some(file), Some(terms)) = (&mut self.transfer, &self.terms) else {
            return Err(MessageFault::order("DATA".into(), "a file that was opened", "RFC 5024 §9"));
        };
        let records = file.records;
        let compression = terms.agreed.has(Features::COMPRESSION);
        let before = file.progress;
        file.progress.take(oeb, data::Rules { records, compression, profile: self.profile })?;
        let after = file.progress;
        let is_idle = (after.octets, after.ended) == (before.octets, before.ended);
        if !is_idle {
            file.idle_buffers = 0;
        } else if oeb.len() < SHORT {
            file.idle_buffers = file.idle_buffers.saturating_add(1);
        }
        let idle = file.idle_buffers;
        self.spend();
        if idle > IDLE_BUFFERS {
            let found = format!("the {idle}th DATA in a row without an octet");
            return Err(MessageFault::order(found, "DATA that carry data", "RFC 5024 §7"));
        }
        self.count_empty(from, before, after)?;
        if records == data::Records::Text && after.ended > 1 {
            self.note_deviation(Deviation::C10, from, CommandCode::Data, Some("DATABUF"));
        }
        // Nearly always there is none, and this runs for each buffer.
        let tolerated = Some(after.tolerated).filter(|set| *set != Deviations::NONE);
        for deviation in tolerated.into_iter().flat_map(Deviations::iter) {
            self.note_deviation(deviation, from, CommandCode::Data, Some("DATABUF"));
        }
        if oeb.len() == 1 {
            self.remark("DATA without subrecords", from, CommandCode::Data);
        }
        Ok(())
    }

    /// Empty subrecords are legal and some stacks send many; without a limit they could keep a session open for ever.
    /// Data of files reduce the count, so that a long file may have more of them.
    fn count_empty(&mut self, from: Side, before: Progress, after: Progress) -> Result<(), MessageFault> {
        let empty = after.empty.saturating_sub(before.empty);
        let carried = after.octets.saturating_sub(before.octets);
        self.empty_octets = self.empty_octets.saturating_add(empty).saturating_sub(carried);
        if empty == 0 || self.empty_octets <= FEW_EMPTY {
            return Ok(());
        }
        let fault = |expected: String| {
            let found = format!("{} octets of empty subrecords beyond what files carried", self.empty_octets);
            MessageFault::order(found, expected, "RFC 5024 §7").in_field("DATABUF", 1)
        };
        if self.empty_octets > MOST_EMPTY {
            return Err(fault(format!("at most {MOST_EMPTY}: the sender's compression may be at fault")));
        }
        if !self.profile.accepts(Deviation::C19) {
            return Err(fault(format!("at most {FEW_EMPTY}")).bearable(Some(Deviation::C19)));
        }
        self.note_deviation(Deviation::C19, from, CommandCode::Data, Some("DATABUF"));
        Ok(())
    }

    fn end_file(&mut self, from: Side, layout: Layout, oeb: &[u8]) -> Result<(), MessageFault> {
        self.credit = 0;
        let Some(file) = &mut self.transfer else { return Ok(()) };
        file.end(layout, oeb);
        if !file.progress.unfinished(file.records) {
            return Ok(());
        }
        if !self.profile.accepts(Deviation::C10) {
            let found = "a file whose last record has not ended".into();
            let fault = MessageFault::order(found, "an end of record in the last subrecord", "RFC 5024 §7");
            return Err(fault.bearable(Some(Deviation::C10)));
        }
        self.note_deviation(Deviation::C10, from, layout.code, None);
        Ok(())
    }

    /// Limits legal commands that move nothing; an accepted file or receipt resets the count.
    pub(super) fn count_idle(&mut self, code: CommandCode) -> Result<(), MessageFault> {
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
            MessageFault::order(found, format!("at most {}, a setting", self.idle_limit), "RFC 5024 §5.3.11");
        Err(MessageFault { reason: EsidReason::UnspecifiedAbort, ..fault })
    }
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
