//! The Speaker's part: one file, one receipt.

use super::codec::{Level, hex};
use super::command::{Command, FileId, Receipt, Sfid};
use super::data::Packer;
use super::report::{FileReport, Outcome};
use super::session::{Session, Stop, out_of_order};
use super::settings::{OutFile, Point, Progress, ReceiptEnd};
use super::source::Source;
use std::time::Instant;

/// Octets of the two length fields behind which an unsigned receipt of level 5 has nothing.
const EMPTY_TAIL: usize = 4;

impl Session<'_> {
    /// Sends a receipt and waits until the other side is ready again.
    pub(super) fn send_receipt(&mut self, receipt: &Receipt) -> Result<(), Stop> {
        let command = Command::Receipt(receipt.clone());
        let level = self.agreed.level;
        let mut octets = command.encode(level)?;
        match self.settings.receipt_end {
            ReceiptEnd::BeforeHash if level == Level::Five => octets.truncate(octets.len() - EMPTY_TAIL),
            ReceiptEnd::AsLevel4 if level == Level::Five => octets = command.encode(Level::Four)?,
            _ => {}
        }
        self.send_encoded(&octets)?;
        match self.receive()? {
            Command::Rtr => {
                self.report.receipts_sent.push(receipt.clone());
                Ok(())
            }
            other => Err(out_of_order(&other, "RTR")),
        }
    }

    /// Sends a file; true if the other side asks for the turn.
    pub(super) fn send_file(&mut self, file: &OutFile) -> Result<bool, Stop> {
        let began = Instant::now();
        let id = FileId {
            name: file.name.clone(),
            stamp: file.stamp.clone(),
            destination: file.destination.clone().unwrap_or_else(|| self.peer_code.clone()),
            originator: file.originator.clone().unwrap_or_else(|| self.settings.code.clone()),
        };
        let mut entry = FileReport::new(id);
        let result = match Source::open(file) {
            Ok(mut source) => self.send_source(file, &mut source, &mut entry),
            Err(error) => {
                entry.outcome = Outcome::Local(error.to_string());
                Ok(false)
            }
        };
        entry.took = began.elapsed();
        self.report.sent.push(entry);
        result
    }

    fn send_source(
        &mut self,
        file: &OutFile,
        source: &mut Source,
        entry: &mut FileReport,
    ) -> Result<bool, Stop> {
        let restart = if file.restart && self.agreed.restart { source.last_position() } else { 0 };
        self.send(&Command::Sfid(Sfid {
            restart,
            description: file.description.clone(),
            ..Sfid::plain(entry.id.clone(), file.format, source.blocks())
        }))?;
        match self.receive()? {
            Command::Sfpa(position) if position <= restart => {
                let local = |error: std::io::Error| Stop::End(99, format!("the file failed here: {error}"));
                entry.resumed_at = source.go_to(position).map_err(local)?;
            }
            Command::Sfpa(_) => {
                return Err(Stop::End(2, "the answer count is above the restart offer".to_owned()));
            }
            Command::Sfna { reason, retry, text } => {
                entry.outcome = Outcome::Refused { at_end: false, reason, retry, text };
                return Ok(false);
            }
            other => return Err(out_of_order(&other, "SFPA or SFNA")),
        }
        let sent = self.send_octets(source, entry);
        let (octets, records, hash) = source.totals();
        (entry.octets, entry.records) = (octets, records);
        sent?;
        self.misbehave(Point::EndOfFile)?;
        self.send(&Command::Efid { records, octets })?;
        match self.receive()? {
            Command::Efpa(turn) => {
                entry.outcome = Outcome::Accepted;
                entry.sha256 = hex(&hash);
                Ok(turn)
            }
            Command::Efna { reason, text } => {
                entry.outcome = Outcome::Refused { at_end: true, reason, retry: false, text };
                Ok(false)
            }
            other => Err(out_of_order(&other, "EFPA or EFNA")),
        }
    }

    /// All octets from the source's position on, within the credit.
    fn send_octets(&mut self, source: &mut Source, entry: &FileReport) -> Result<(), Stop> {
        let total = source.size();
        let mut packer = Packer::new(self.agreed.buffer, self.agreed.compression);
        let mut credit = self.agreed.credit;
        let mut passed = entry.resumed_at;
        loop {
            let piece = source
                .next_piece()
                .map_err(|error| Stop::End(99, format!("the file failed here: {error}")))?;
            let Some((mut left, closes)) = piece else { break };
            loop {
                let (taken, is_done) = packer.put(left, closes);
                left = left.get(taken..).unwrap_or_default();
                passed += taken as u64;
                if is_done {
                    break;
                }
                self.send_buffer(&mut packer, &mut credit)?;
                self.tell(&entry.id.name, true, passed, total);
                self.misbehave(Point::Data(passed))?;
            }
        }
        if !packer.is_empty() {
            self.send_buffer(&mut packer, &mut credit)?;
        }
        // EFID needs credit, too (RFC 5024 §9.11 note 1): if the last buffer used the last credit, CDT comes first.
        if credit == 0 {
            self.await_credit()?;
        }
        self.tell(&entry.id.name, true, passed, total);
        self.misbehave(Point::Data(passed))
    }

    fn send_buffer(&mut self, packer: &mut Packer, credit: &mut u16) -> Result<(), Stop> {
        if *credit == 0 {
            self.await_credit()?;
            *credit = self.agreed.credit;
        } else if self.conn.has_input() {
            // While credit is left, only an ESID may come.
            let other = self.receive()?;
            return Err(out_of_order(&other, "nothing"));
        }
        self.send_data(packer.finish())?;
        packer.clear();
        *credit -= 1;
        Ok(())
    }

    fn await_credit(&mut self) -> Result<(), Stop> {
        match self.receive()? {
            Command::Cdt => Ok(()),
            other => Err(out_of_order(&other, "CDT")),
        }
    }

    pub(super) fn tell(&self, name: &str, sending: bool, octets: u64, total: u64) {
        if let Some(watch) = &self.settings.watch {
            watch(Progress { name, sending, octets, total });
        }
    }
}
