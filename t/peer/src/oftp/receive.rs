//! The Listener's part: one file, answered, and the receipt for it queued.

use super::codec::hex;
use super::command::{Command, FileId, NerpReason, Receipt, Sfid};
use super::data::Unpacker;
use super::queue::Partial;
use super::report::{FileReport, Outcome};
use super::session::{Session, Stop, out_of_order};
use super::settings::{Answer, Point};
use super::store::Incoming;
use std::io;
use std::time::Instant;

impl Session<'_> {
    /// Receives one file; true if its answer asked for the turn, so that CD is due.
    pub(super) fn receive_file(&mut self, sfid: &Sfid) -> Result<bool, Stop> {
        let began = Instant::now();
        let mut entry = FileReport::new(sfid.id.clone());
        let result = self.take_file(sfid, &mut entry);
        entry.took = began.elapsed();
        self.report.received.push(entry);
        result
    }

    fn take_file(&mut self, sfid: &Sfid, entry: &mut FileReport) -> Result<bool, Stop> {
        if self.settings.mode == 'S' {
            return Err(Stop::End(2, "SFID came to a side that only sends".to_owned()));
        }
        if let Some((reason, retry)) = self.settings.intake.refuse {
            return self.refuse_start(entry, reason, retry, "refused by setting");
        }
        let (mut incoming, mut counts, position) = match self.open(sfid) {
            Ok(opened) => opened,
            Err(error) => return self.refuse_start(entry, 12, true, &error.to_string()),
        };
        entry.resumed_at = counts.octets;
        self.send(&Command::Sfpa(position))?;
        let end = self.take_octets(sfid, &mut incoming, &mut counts);
        (entry.octets, entry.records) = (counts.octets, counts.records);
        let (records, octets) = match end {
            Ok(totals) => totals,
            Err(stop) => {
                if let Some(path) = incoming.leave() {
                    let Unpacker { octets, records, whole } = counts;
                    self.queue.keep_partial(&sfid.id, Partial { path, octets, records, whole });
                }
                return Err(stop);
            }
        };
        self.misbehave(Point::EndOfFile)?;
        let records_came = if sfid.format.has_records() { counts.records } else { 0 };
        let fault = match self.settings.intake.refuse_at_end {
            Some(reason) => Some((reason, "refused by setting".to_owned())),
            None if records != records_came => Some((10, format!("{records_came} records came"))),
            None if octets != counts.octets => Some((11, format!("{} octets came", counts.octets))),
            None => None,
        };
        if let Some((reason, text)) = fault {
            incoming.drop_it();
            return self.refuse_end(entry, reason, &text);
        }
        match incoming.keep(&sfid.id.name) {
            Ok((hash, path)) => {
                (entry.sha256, entry.path) = (hex(&hash), path);
                entry.outcome = Outcome::Accepted;
                self.accept(sfid)
            }
            Err(error) => self.refuse_end(entry, 12, &error.to_string()),
        }
    }

    /// Opens the store at the latest restart position that both sides know.
    fn open(&self, sfid: &Sfid) -> io::Result<(Incoming, Unpacker, u64)> {
        let folder = self.settings.intake.folder.as_deref();
        let partial =
            if sfid.restart > 0 && self.agreed.restart { self.queue.take_partial(&sfid.id) } else { None };
        if let Some(partial) = partial {
            let (position, octets) = if !sfid.format.has_records() {
                let blocks = (partial.octets / 1024).min(sfid.restart);
                (blocks, blocks * 1024)
            } else if partial.records <= sfid.restart {
                (partial.records, partial.whole)
            } else {
                (0, 0)
            };
            let records = if sfid.format.has_records() { position } else { 0 };
            let counts = Unpacker { octets, records, whole: octets };
            return Ok((Incoming::resume(&partial, octets)?, counts, position));
        }
        Ok((Incoming::create(folder)?, Unpacker::default(), 0))
    }

    /// DATA up to EFID, giving credit; the totals in EFID.
    fn take_octets(
        &mut self,
        sfid: &Sfid,
        incoming: &mut Incoming,
        counts: &mut Unpacker,
    ) -> Result<(u64, u64), Stop> {
        let (level, compression) = (self.agreed.level, self.agreed.compression);
        let limit = self.agreed.buffer as usize;
        let mut credit = self.agreed.credit;
        loop {
            let octets = self.receive_octets()?;
            if octets.first() == Some(&b'D') {
                if octets.len() > limit {
                    return Err(Stop::End(7, format!("a DATA buffer is {} octets long", octets.len())));
                }
                counts.unpack(octets.get(1..).unwrap_or_default(), compression, &mut incoming.fresh)?;
                incoming.pass().map_err(|error| Stop::End(8, format!("the file failed here: {error}")))?;
                self.tell(&sfid.id.name, false, counts.octets, sfid.blocks.saturating_mul(1024));
                self.misbehave(Point::Data(counts.octets))?;
                credit -= 1;
                if credit == 0 {
                    self.send(&Command::Cdt)?;
                    credit = self.agreed.credit;
                }
                continue;
            }
            match Command::decode(octets, level)? {
                Command::Efid { records, octets } => return Ok((records, octets)),
                Command::Esid { reason, text } => return Err(Stop::Ended(reason, text)),
                other => return Err(out_of_order(&other, "DATA or EFID")),
            }
        }
    }

    /// EFPA, and the receipt.
    fn accept(&mut self, sfid: &Sfid) -> Result<bool, Stop> {
        let (refusal, not_in) = match self.settings.intake.answer {
            Answer::Nothing => {
                self.send(&Command::Efpa(false))?;
                return Ok(false);
            }
            Answer::Eerp => (None, None),
            Answer::EerpLater => (None, Some(self.report.session)),
            Answer::Nerp(reason) => {
                let creator = self.settings.code.clone();
                (Some(NerpReason { creator, reason, text: "refused by setting".to_owned() }), None)
            }
        };
        // The receipt goes back: destination and originator change places.
        let id = FileId {
            destination: sfid.id.originator.clone(),
            originator: sfid.id.destination.clone(),
            ..sfid.id.clone()
        };
        let (hash, signature) = (Vec::new(), Vec::new());
        let receipt = Receipt { id, user: String::new(), refusal, hash, signature };
        self.queue.add_receipt(&self.peer_code, receipt, not_in);
        let asks_turn = not_in.is_none();
        self.send(&Command::Efpa(asks_turn))?;
        Ok(asks_turn)
    }

    fn refuse_start(
        &mut self,
        entry: &mut FileReport,
        reason: u8,
        retry: bool,
        text: &str,
    ) -> Result<bool, Stop> {
        entry.outcome = Outcome::Refused { at_end: false, reason, retry, text: text.to_owned() };
        self.send(&Command::Sfna { reason, retry, text: text.to_owned() }).map(|()| false)
    }

    fn refuse_end(&mut self, entry: &mut FileReport, reason: u8, text: &str) -> Result<bool, Stop> {
        entry.outcome = Outcome::Refused { at_end: true, reason, retry: false, text: text.to_owned() };
        self.send(&Command::Efna { reason, text: text.to_owned() }).map(|()| false)
    }
}
