//! DATA: the subrecords of one buffer (RFC 5024 §7), and what they add to the file.
//!
//! The tight loop of the checker: a full buffer has 1,563 subrecords. Looks at headers only, never copies, never
//! allocates but for a fault.

use super::violation::Fault;
use super::{EsidReason, Profile};

/// Section that rules subrecords.
const RULE: &str = "RFC 5024 §7";
/// Header of the subrecord that fills long files: 63 octets as they are, the record goes on.
const FULL: u8 = 0x3F;
const END_OF_RECORD: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const COUNT: u8 = 0x3F;

/// How the file's records are to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    /// U, and everything that was signed, compressed or encrypted: one record.
    Stream,
    /// T: one record by the RFC's example; some stacks flag each line.
    Text,
    /// F, octets of each record; 0: not known.
    Fixed(u64),
    /// V, octets of the longest record; 0: not known.
    Variable(u64),
}

/// What is judged by.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) records: Records,
    pub(super) compression: bool,
    pub(super) profile: Profile,
}

/// How far the file has come, over all its buffers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    /// Octets represented.
    pub(super) octets: u64,
    /// Ends of record.
    pub(super) ended: u64,
    /// Octets since the last end of record.
    pub(super) open: u64,
    /// Subrecords, empty ones included, since the last end of record.
    pub(super) pending: bool,
    /// Something tolerated that an operator may want to know.
    pub(super) remark: Option<&'static str>,
}

impl Progress {
    /// Nothing may follow: the one record of the file has ended.
    fn over(&self, rules: Rules) -> bool {
        self.ended > 0
            && match rules.records {
                Records::Stream => true,
                Records::Text => rules.profile == Profile::Strict,
                Records::Fixed(_) | Records::Variable(_) => false,
            }
    }

    /// The file ends without the end of record that is due (C10).
    pub(super) fn unfinished(&self, records: Records) -> bool {
        match records {
            Records::Stream | Records::Text => self.pending,
            Records::Fixed(_) | Records::Variable(_) => self.open > 0,
        }
    }

    /// Takes one Exchange Buffer (`D` and subrecords).
    pub(super) fn take(&mut self, oeb: &[u8], rules: Rules) -> Result<(), Fault> {
        let mut at = 1_usize;
        while let Some(rest) = oeb.get(at..).filter(|rest| !rest.is_empty()) {
            let run = full_run(rest);
            if run > 0 {
                // Each of the run is 64 octets inside the buffer: no overflow.
                self.add(at, FULL, 63_u64.saturating_mul(run as u64), rules)?;
                at = at.saturating_add(run.saturating_mul(64));
                continue;
            }
            let header = rest.first().copied().unwrap_or_default();
            let count = header & COUNT;
            let octets = if header & COMPRESSED == 0 { usize::from(count) } else { 1 };
            if header & COMPRESSED != 0 {
                self.check_run(at, header, rules)?;
            }
            if octets >= rest.len() {
                let found = format!(
                    "the subrecord header 0x{header:02x} with {} octets left",
                    rest.len().saturating_sub(1)
                );
                return Err(data_fault(at, found, "a subrecord that ends within its buffer"));
            }
            self.add(at, header, u64::from(count), rules)?;
            if header & END_OF_RECORD != 0 {
                self.end_record(at, rules)?;
            }
            at = at.saturating_add(octets).saturating_add(1);
        }
        Ok(())
    }

    fn add(&mut self, at: usize, header: u8, octets: u64, rules: Rules) -> Result<(), Fault> {
        if self.ended > 0 && self.over(rules) {
            let filler = octets == 0 && header & END_OF_RECORD == 0 && rules.profile == Profile::Tolerant;
            if !filler {
                let found = format!("the subrecord header 0x{header:02x} after the end of record");
                return Err(data_fault(at, found, "one end of record, at the end of the file"));
            }
            self.remark = Some("empty subrecords after the end of the file");
            return Ok(());
        }
        self.octets = self.octets.saturating_add(octets);
        self.open = self.open.saturating_add(octets);
        self.pending = true;
        if let Records::Fixed(longest) | Records::Variable(longest) = rules.records
            && longest > 0
            && self.open > longest
        {
            let found = format!("a record of {} octets or more", self.open);
            return Err(data_fault(at, found, format!("records of SFIDLRECL {longest} octets")));
        }
        Ok(())
    }

    fn check_run(&mut self, at: usize, header: u8, rules: Rules) -> Result<(), Fault> {
        if !rules.compression {
            let found = format!("the compressed subrecord 0x{header:02x}");
            let fault = data_fault(at, found, "no compression: the two SSIDCMPR did not agree on it");
            return Err(Fault { reason: EsidReason::ProtocolViolation, ..fault });
        }
        if header & COUNT == 0 {
            if rules.profile == Profile::Strict {
                let found = format!("the compressed subrecord 0x{header:02x} of no octets");
                return Err(data_fault(at, found, "a count of 1 to 63 where a subrecord is compressed"));
            }
            self.remark = Some("compressed subrecord of no octets");
        }
        Ok(())
    }

    fn end_record(&mut self, at: usize, rules: Rules) -> Result<(), Fault> {
        if let Records::Fixed(length) = rules.records
            && self.open < length
            && self.octets > 0
        {
            if rules.profile == Profile::Strict {
                let found = format!("a record of {} octets", self.open);
                return Err(data_fault(at, found, format!("records of SFIDLRECL {length} octets")));
            }
            self.remark = Some("record shorter than SFIDLRECL in a file of fixed records");
        }
        self.ended = self.ended.saturating_add(1);
        self.open = 0;
        self.pending = false;
        Ok(())
    }
}

/// How many full subrecords stand at the front, each whole. The stride is fixed, so the next header's address does
/// not wait for this one's value: that is what keeps the loop far below the cost of decryption.
fn full_run(rest: &[u8]) -> usize {
    rest.chunks_exact(64).take_while(|subrecord| subrecord.first() == Some(&FULL)).count()
}

fn data_fault(offset: usize, found: String, expected: impl Into<std::borrow::Cow<'static, str>>) -> Fault {
    Fault::content("DATABUF", offset, found, expected).by(RULE)
}

/// Judges a buffer alone, as an observer without its file can: subrecords end within it.
pub(super) fn check_alone(oeb: &[u8], profile: Profile) -> Result<(), Fault> {
    let rules = Rules { records: Records::Variable(0), compression: true, profile };
    Progress::default().take(oeb, rules)
}

/// Calls `visit` for each whole subrecord: end of record, compressed, count, octets that stand for it.
pub(super) fn subrecords<'a>(oeb: &'a [u8], mut visit: impl FnMut(bool, bool, u8, &'a [u8])) {
    let mut rest = oeb.get(1..).unwrap_or_default();
    while let Some((&header, tail)) = rest.split_first() {
        let compressed = header & COMPRESSED != 0;
        let octets = if compressed { 1 } else { usize::from(header & COUNT) };
        let Some((content, next)) = tail.split_at_checked(octets) else { return };
        visit(header & END_OF_RECORD != 0, compressed, header & COUNT, content);
        rest = next;
    }
}
