//! DATA: the subrecords of one buffer (RFC 5024 §7), and what they add to the counts of the file.
//!
//! The inner loop of the checker: a full buffer has 1,563 subrecords. It reads only headers, copies nothing, and
//! allocates only for a fault.

use super::deviation::{Deviation, Deviations};
use super::profile::Profile;
use super::reason_codes::EsidReason;
use super::violation::MessageFault;

/// The section with the rules of subrecords.
const RULE: &str = "RFC 5024 §7";
/// Header of the usual subrecord of a long file: 63 uncompressed octets, and the record continues.
const FULL: u8 = 0x3F;
/// Header of the longest compressed run: one octet that represents 63.
const FULL_RUN: u8 = 0x7F;
const END_OF_RECORD: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const COUNT: u8 = 0x3F;

/// How the file is divided into records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Records {
    /// U, and every file that was signed, compressed or encrypted: one record.
    Stream,
    /// T: one record in the RFC's example; some stacks end a record with each line.
    Text,
    /// F, octets of each record; 0: not known.
    Fixed(u64),
    /// V, octets of the longest record; 0: not known.
    Variable(u64),
}

/// The rules for the subrecords of a file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) records: Records,
    pub(super) compression: bool,
    pub(super) profile: Profile,
}

/// How much of the file has arrived, over all its buffers.
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
    /// Octets of subrecords that carried nothing, neither data nor an end of record.
    pub(super) empty: u64,
    /// The deviations that the profile had to tolerate.
    pub(super) tolerated: Deviations,
}

impl Progress {
    /// Whether nothing may follow, because the only record of the file has ended.
    fn over(&self, rules: Rules) -> bool {
        self.ended > 0
            && match rules.records {
                Records::Stream => true,
                Records::Text => !rules.profile.accepts(Deviation::C10),
                Records::Fixed(_) | Records::Variable(_) => false,
            }
    }

    /// The file ends without the end of record that is required (C10).
    pub(super) fn unfinished(&self, records: Records) -> bool {
        match records {
            Records::Stream | Records::Text => self.pending,
            Records::Fixed(_) | Records::Variable(_) => self.open > 0,
        }
    }

    /// Takes one Exchange Buffer (`D` and subrecords): ordinary subrecords in a fast loop, all others one by one.
    pub(super) fn take(&mut self, oeb: &[u8], rules: Rules) -> Result<(), MessageFault> {
        let mut at = 1_usize;
        while let Some(rest) = oeb.get(at..).filter(|rest| !rest.is_empty()) {
            let ordinary = self.take_ordinary(rest, rules);
            at = at.saturating_add(ordinary);
            if let Some(rest) = rest.get(ordinary..).filter(|rest| !rest.is_empty()) {
                at = at.saturating_add(self.take_one(at, rest, rules)?);
            }
        }
        Ok(())
    }

    /// Takes the ordinary subrecords at the front, up to the first one that needs a closer check. Returns their octets.
    /// `take_one` judges the rest, so it is only slower, never wrong, to stop early.
    ///
    /// No sum can overflow: a buffer represents at most 3 MB, so 2^64 octets are never reached.
    fn take_ordinary(&mut self, rest: &[u8], rules: Rules) -> usize {
        let (least, most, ends) = match rules.records {
            Records::Stream | Records::Text => (0, u64::MAX, false),
            Records::Fixed(length) if length > 0 => (length, length, true),
            Records::Variable(length) if length > 0 => (0, length, true),
            Records::Fixed(_) | Records::Variable(_) => (0, u64::MAX, true),
        };
        if self.over(rules) {
            return 0;
        }
        let (mut at, mut octets, mut open, mut ended) = (0_usize, 0_u64, self.open, 0_u64);
        let mut empty = 0_u64;
        while let Some(&header) = rest.get(at) {
            let count = u64::from(header & COUNT);
            let next = match header {
                FULL if rest.get(at.wrapping_add(64)) != Some(&FULL) => at.wrapping_add(64),
                FULL | FULL_RUN if header == FULL || rules.compression => {
                    let rest = rest.get(at..).unwrap_or_default();
                    let (run, taken) = if header == FULL { run_of::<64>(rest) } else { run_of::<2>(rest) };
                    let represented = run.wrapping_mul(63);
                    if run == 0 || open.wrapping_add(represented) > most {
                        break;
                    }
                    octets = octets.wrapping_add(represented);
                    open = open.wrapping_add(represented);
                    at = at.wrapping_add(taken);
                    self.pending = true;
                    continue;
                }
                _ if header & COMPRESSED == 0 => at.wrapping_add(usize::from(header & COUNT)).wrapping_add(1),
                _ if rules.compression && count > 0 => at.wrapping_add(2),
                _ => break,
            };
            let record = open.wrapping_add(count);
            if next > rest.len() || record > most {
                break;
            }
            if header & END_OF_RECORD != 0 {
                if !ends || record < least {
                    break;
                }
                ended = ended.wrapping_add(1);
                open = 0;
            } else {
                open = record;
            }
            octets = octets.wrapping_add(count);
            empty = empty.wrapping_add(u64::from(header == 0));
            self.pending = header & END_OF_RECORD == 0;
            at = next;
        }
        self.octets = self.octets.wrapping_add(octets);
        self.ended = self.ended.wrapping_add(ended);
        self.empty = self.empty.wrapping_add(empty);
        self.open = open;
        at
    }

    /// Takes the subrecord at the start of `rest`; returns its length in octets.
    fn take_one(&mut self, at: usize, rest: &[u8], rules: Rules) -> Result<usize, MessageFault> {
        let header = rest.first().copied().unwrap_or_default();
        let count = header & COUNT;
        let octets = if header & COMPRESSED == 0 { usize::from(count) } else { 1 };
        if header & COMPRESSED != 0 {
            self.check_run(at, header, rules)?;
        }
        if octets >= rest.len() {
            let left = rest.len().saturating_sub(1);
            let found = format!("the subrecord header 0x{header:02x} with {left} octets left");
            return Err(data_fault(at, found, "a subrecord that ends within its buffer"));
        }
        self.add(at, header, u64::from(count), rules)?;
        let taken = octets.saturating_add(1);
        if header & END_OF_RECORD != 0 {
            self.end_record(at, rules)?;
        } else if count == 0 {
            self.empty = self.empty.saturating_add(taken as u64);
        }
        Ok(taken)
    }

    fn add(&mut self, at: usize, header: u8, octets: u64, rules: Rules) -> Result<(), MessageFault> {
        if self.ended > 0 && self.over(rules) {
            let is_filler = octets == 0 && header & END_OF_RECORD == 0;
            if !(is_filler && rules.profile.accepts(Deviation::C19)) {
                let found = format!("the subrecord header 0x{header:02x} after the end of record");
                let is_text = rules.records == Records::Text;
                let deviation = is_filler.then_some(Deviation::C19).or(is_text.then_some(Deviation::C10));
                let fault = data_fault(at, found, "one end of record, at the end of the file");
                return Err(fault.bearable(deviation));
            }
            self.tolerated.add(Deviation::C19);
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

    fn check_run(&mut self, at: usize, header: u8, rules: Rules) -> Result<(), MessageFault> {
        if !rules.compression {
            let found = format!("the compressed subrecord 0x{header:02x}");
            let fault = data_fault(at, found, "no compression: the two SSIDCMPR did not agree on it");
            return Err(MessageFault { reason: EsidReason::ProtocolViolation, ..fault });
        }
        if header & COUNT == 0 {
            if !rules.profile.accepts(Deviation::C19) {
                let found = format!("the compressed subrecord 0x{header:02x} of no octets");
                let fault = data_fault(at, found, "a count of 1 to 63 where a subrecord is compressed");
                return Err(fault.bearable(Some(Deviation::C19)));
            }
            self.tolerated.add(Deviation::C19);
        }
        Ok(())
    }

    fn end_record(&mut self, at: usize, rules: Rules) -> Result<(), MessageFault> {
        if let Records::Fixed(length) = rules.records
            && self.open < length
            && self.octets > 0
        {
            if !rules.profile.accepts(Deviation::C18) {
                let found = format!("a record of {} octets", self.open);
                let fault = data_fault(at, found, format!("records of SFIDLRECL {length} octets"));
                return Err(fault.bearable(Some(Deviation::C18)));
            }
            self.tolerated.add(Deviation::C18);
        }
        self.ended = self.ended.saturating_add(1);
        self.open = 0;
        self.pending = false;
        Ok(())
    }
}

/// Number and total octets of the whole subrecords of `STRIDE` octets at the front that have the same header. The
/// stride is fixed, so the address of the next header does not depend on the value of this one: that keeps the cost of
/// the loop far below the cost of decryption.
fn run_of<const STRIDE: usize>(rest: &[u8]) -> (u64, usize) {
    let header = rest.first().copied().unwrap_or_default();
    let alike = |one: &[u8]| one.first() == Some(&header);
    // Four at a time, without a branch between them, then the rest one by one.
    let four = |block: &&[u8]| block.chunks_exact(STRIDE).fold(true, |all, one| all & alike(one));
    let run = rest.chunks_exact(STRIDE.wrapping_mul(4)).take_while(four).count().wrapping_mul(4);
    let tail = rest.get(run.wrapping_mul(STRIDE)..).unwrap_or_default();
    let run = tail.chunks_exact(STRIDE).take_while(|one| alike(one)).count().wrapping_add(run);
    (run as u64, run.wrapping_mul(STRIDE))
}

fn data_fault(
    offset: usize,
    found: String,
    expected: impl Into<std::borrow::Cow<'static, str>>,
) -> MessageFault {
    MessageFault::content("DATABUF", offset, found, expected).by(RULE)
}

/// Judges a single buffer without its file: its subrecords must end within it.
pub(super) fn check_alone(oeb: &[u8], profile: Profile) -> Result<(), MessageFault> {
    let rules = Rules { records: Records::Variable(0), compression: true, profile };
    Progress::default().take(oeb, rules)
}

/// Calls `visit` for each whole subrecord: end of record, compressed, count, and the octets in the buffer.
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

#[cfg(test)]
mod tests {
    use super::{MessageFault, Profile, Progress, Records, Rules};

    /// The same judgement, one subrecord after the other.
    fn carefully(progress: &mut Progress, oeb: &[u8], rules: Rules) -> Result<(), MessageFault> {
        let mut at = 1;
        while at < oeb.len() {
            at += progress.take_one(at, &oeb[at..], rules)?;
        }
        Ok(())
    }

    /// A generator that needs no crate: xorshift.
    fn next(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    /// The fast loop never differs from the careful one: same verdict, same sums, over files of several buffers.
    #[test]
    fn fast_and_careful_agree() {
        let kinds = [
            Records::Stream,
            Records::Text,
            Records::Fixed(80),
            Records::Fixed(0),
            Records::Variable(100),
            Records::Variable(0),
        ];
        let headers = [0x3F, 0x3F, 0x3F, 0x91, 0x7F, 0x51, 0xD1, 0x11, 0x80, 0x00, 0x40, 0xC0, 0xBF];
        let mut seed = 0x9E37_79B9_7F4A_7C15;
        let mut refused = 0;
        for round in 0..20_000_usize {
            let records = kinds[round % kinds.len()];
            let profile = if next(&mut seed).is_multiple_of(2) { Profile::STRICT } else { Profile::TOLERANT };
            let rules = Rules { records, compression: !next(&mut seed).is_multiple_of(4), profile };
            let (mut fast, mut careful) = (Progress::default(), Progress::default());
            for _ in 0..3 {
                let mut oeb = vec![b'D'];
                for _ in 0..next(&mut seed) % 8 {
                    let header = headers[usize::try_from(next(&mut seed)).unwrap() % headers.len()];
                    let octets = if header & 0x40 == 0 { usize::from(header & 0x3F) } else { 1 };
                    oeb.push(header);
                    oeb.extend(std::iter::repeat_n(0x3F, octets));
                }
                // Now and then a buffer that ends in the middle of a subrecord.
                if next(&mut seed).is_multiple_of(8) {
                    oeb.pop();
                }
                let verdict = fast.take(&oeb, rules);
                assert_eq!(verdict, carefully(&mut careful, &oeb, rules), "{oeb:02x?} {rules:?}");
                if verdict.is_err() {
                    refused += 1;
                    break;
                }
                assert_eq!(fast, careful, "{oeb:02x?} {rules:?}");
            }
        }
        assert!((2_000..18_000).contains(&refused), "both verdicts are tried: {refused} refused");
    }
}
