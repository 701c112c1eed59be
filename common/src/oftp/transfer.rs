//! The file in transfer: what SFID announced, the restart position, the octets so far, and whether EFID agrees with
//! them (RFC 5024 §5.3.3, §5.3.4, §5.3.8).

use super::command::CommandCode;
use super::data::{Progress, Records};
use super::layout::Layout;
use super::message::{number, value};
use super::note::{Label, Note};
use super::side::Side;

/// One file, from SFID to its answer.
#[derive(Debug)]
pub(super) struct Transfer {
    pub(super) sender: Side,
    pub(super) name: Label,
    pub(super) records: Records,
    /// Signed, compressed or encrypted: the record count refers to the file before it was secured, which we cannot see.
    secured: bool,
    format: u8,
    record_length: u64,
    /// SFIDFSIZ, in blocks of 1,024 octets.
    pub(super) announced: u64,
    /// SFIDREST, in records or 1,024 octets.
    pub(super) offered: u64,
    /// SFPAACNT, the same unit.
    pub(super) restart: u64,
    pub(super) progress: Progress,
    /// Short DATA in a row that carried nothing.
    pub(super) idle_buffers: u32,
    told: (u64, u64),
}

impl Transfer {
    /// Reads a checked SFID.
    pub(super) fn new(sender: Side, layout: Layout, oeb: &[u8]) -> Self {
        let format = value(layout, oeb, "SFIDFMT").and_then(<[u8]>::first).copied().unwrap_or(b'U');
        let record_length = number(layout, oeb, "SFIDLRECL");
        let secured = number(layout, oeb, "SFIDSEC") != 0 || number(layout, oeb, "SFIDCOMP") != 0;
        let records = match format {
            _ if secured => Records::Stream,
            b'F' => Records::Fixed(record_length),
            b'V' => Records::Variable(record_length),
            b'T' => Records::Text,
            _ => Records::Stream,
        };
        Self {
            sender,
            name: Label::new(value(layout, oeb, "SFIDDSN").unwrap_or_default()),
            records,
            secured,
            format,
            record_length,
            announced: number(layout, oeb, "SFIDFSIZ"),
            offered: number(layout, oeb, "SFIDREST"),
            restart: 0,
            progress: Progress::default(),
            idle_buffers: 0,
            told: (0, 0),
        }
    }

    /// Reads a checked EFID.
    pub(super) fn end(&mut self, layout: Layout, oeb: &[u8]) {
        self.told = (number(layout, oeb, "EFIDRCNT"), number(layout, oeb, "EFIDUCNT"));
    }

    /// Records and octets of the whole file, as far as an observer can know them. A position times 1,024 may need more
    /// than 64 bits; a sum that does not fit counts as unknown.
    fn counted(&self) -> (Option<u64>, Option<u64>) {
        let seen = self.progress;
        let from =
            |unit: u64| self.restart.checked_mul(unit).and_then(|start| start.checked_add(seen.octets));
        let records = self.restart.checked_add(seen.ended);
        match self.format {
            b'F' | b'V' if self.secured => (None, from(1024)),
            b'F' => (records, from(self.record_length)),
            b'V' => (records, if self.restart == 0 { Some(seen.octets) } else { None }),
            _ => (Some(0), from(1024)),
        }
    }

    /// EFID does not agree with the transferred data: the Listener should answer with EFNA 10 or 11.
    fn miscounted(&self) -> Option<Note> {
        let counted = self.counted();
        let differs = |told: u64, counted: Option<u64>| counted.is_some_and(|counted| counted != told);
        (differs(self.told.0, counted.0) || differs(self.told.1, counted.1)).then_some(Note::CountMismatch {
            sender: self.sender,
            name: self.name,
            told: self.told,
            counted,
        })
    }

    /// The notes of an accepted file: the file itself, and a wrong EFID that the Listener accepted.
    pub(super) fn accepted(&self) -> impl Iterator<Item = Note> {
        let accepted = Note::FileAccepted {
            sender: self.sender,
            name: self.name,
            octets: self.progress.octets,
            restart: self.restart,
        };
        std::iter::once(accepted).chain(self.miscounted())
    }

    /// The note of a refused file.
    pub(super) fn refused(&self, command: CommandCode, reason: u64) -> Note {
        Note::FileRefused {
            sender: self.sender,
            name: self.name,
            octets: self.progress.octets,
            command,
            reason: u8::try_from(reason).unwrap_or(99),
        }
    }
}
