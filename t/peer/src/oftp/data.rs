//! DATA subrecords (RFC 5024 §7): packing a file into Exchange Buffers, and unpacking them.
//! Knows no files and no sockets; counts octets and records for EFID.

use super::codec::{CodecError, HEADER};

const END_OF_RECORD: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const LARGEST_COUNT: usize = 63;
/// A shorter run costs no more if it is copied.
const SHORTEST_RUN: usize = 4;

/// Fills DATA buffers of a given size. The Stream Transmission Header is kept in front, so that a buffer can be sent as
/// it is.
#[derive(Debug)]
pub struct Packer {
    buffer: Vec<u8>,
    limit: usize,
    compress: bool,
}

impl Packer {
    /// Buffers of at most `size` octets (SSIDSDEB, command octet counted).
    pub fn new(size: u32, compress: bool) -> Self {
        let limit = HEADER + size as usize;
        let mut packer = Self { buffer: Vec::with_capacity(limit), limit, compress };
        packer.clear();
        packer
    }

    /// Takes as much of `octets` as fits, and gives that number. `end` closes the record when all were taken.
    /// The second value is false when the buffer is full before the record could be closed.
    pub fn put(&mut self, octets: &[u8], end: bool) -> (usize, bool) {
        if octets.is_empty() {
            let fits = !end || self.buffer.len() < self.limit;
            if end && fits {
                self.buffer.push(END_OF_RECORD);
            }
            return (0, fits);
        }
        let mut taken = 0;
        while let Some(rest) = octets.get(taken..).filter(|rest| !rest.is_empty()) {
            let room = self.limit - self.buffer.len();
            if room < 2 {
                return (taken, false);
            }
            let run = if self.compress { run(rest) } else { 0 };
            let (count, flag) = if run >= SHORTEST_RUN {
                (run, COMPRESSED)
            } else {
                let wanted = rest.len().min(LARGEST_COUNT).min(room - 1);
                (if self.compress { plain(rest, wanted) } else { wanted }, 0)
            };
            let last = if end && count == rest.len() { END_OF_RECORD } else { 0 };
            self.buffer.push(last | flag | u8::try_from(count).unwrap_or(0));
            self.buffer.extend_from_slice(if flag == 0 { &rest[..count] } else { &rest[..1] });
            taken += count;
        }
        (taken, true)
    }

    /// Whether nothing was put in since the last `clear`.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == HEADER + 1
    }

    /// The whole Stream Transmission Buffer.
    pub fn finish(&mut self) -> &[u8] {
        let length = u32::try_from(self.buffer.len()).unwrap_or(u32::MAX).to_be_bytes();
        self.buffer[1..HEADER].copy_from_slice(&length[1..]);
        &self.buffer
    }

    /// Begins the next buffer.
    pub fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.extend_from_slice(&[0x10, 0, 0, 0, b'D']);
    }
}

/// How often the first octet follows in a row, at most 63.
fn run(octets: &[u8]) -> usize {
    octets.iter().take(LARGEST_COUNT).take_while(|octet| octets.first() == Some(octet)).count()
}

/// Octets before the next run worth compressing, at most `wanted` and at least 1.
fn plain(octets: &[u8], wanted: usize) -> usize {
    let begins_run = |at: &usize| octets.get(*at..).is_some_and(|rest| run(rest) >= SHORTEST_RUN);
    (1..wanted).find(begins_run).unwrap_or(wanted)
}

/// Unpacks DATA buffers and counts their octets and records.
#[derive(Debug, Default, Clone)]
pub struct Unpacker {
    /// Octets so far, before compression.
    pub octets: u64,
    /// Records closed so far.
    pub records: u64,
    /// `octets` when the last record was closed.
    pub whole: u64,
}

impl Unpacker {
    /// Appends the unpacked octets of the subrecords to `out`. `compression` as negotiated.
    pub fn unpack(
        &mut self,
        mut subrecords: &[u8],
        compression: bool,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        while let [header, rest @ ..] = subrecords {
            let count = usize::from(header & 0x3f);
            let is_compressed = header & COMPRESSED != 0;
            let width = if is_compressed { 1 } else { count };
            if is_compressed && !compression {
                return Err(CodecError::Field(
                    "DATA",
                    "DATABUF",
                    "a compressed subrecord, not agreed".into(),
                ));
            }
            let Some((octets, next)) = rest.split_at_checked(width) else {
                return Err(CodecError::Field(
                    "DATA",
                    "DATABUF",
                    "a subrecord beyond the buffer's end".into(),
                ));
            };
            match octets {
                [octet] if is_compressed => out.resize(out.len() + count, *octet),
                _ => out.extend_from_slice(octets),
            }
            self.octets += count as u64;
            if header & END_OF_RECORD != 0 {
                self.records += 1;
                self.whole = self.octets;
            }
            subrecords = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(file: &[u8], size: u32, compress: bool) -> (Vec<u8>, Unpacker, usize) {
        let (mut packer, mut unpacker) = (Packer::new(size, compress), Unpacker::default());
        let (mut out, mut left, mut buffers) = (Vec::new(), file, 0);
        loop {
            let (taken, done) = packer.put(left, true);
            left = &left[taken..];
            let buffer = packer.finish();
            assert!(buffer.len() <= size as usize + HEADER);
            assert_eq!(
                u32::from_be_bytes(buffer[..4].try_into().unwrap()) & 0x00ff_ffff,
                u32::try_from(buffer.len()).unwrap()
            );
            unpacker.unpack(&buffer[HEADER + 1..], compress, &mut out).unwrap();
            packer.clear();
            buffers += 1;
            if done {
                return (out, unpacker, buffers);
            }
        }
    }

    #[test]
    fn odd_sizes_come_back() {
        for size in [128, 129, 192, 193, 194, 2048, 99_999] {
            for length in [0, 1, 62, 63, 64, 65, 124, 125, 126, 127, 128, 2014, 2015, 2016, 98_435, 98_436] {
                for compress in [false, true] {
                    let noisy: Vec<u8> =
                        (0..length).map(|at: usize| (at * at / 7).to_le_bytes()[0]).collect();
                    for file in [noisy, vec![b' '; length]] {
                        let (out, counts, _) = through(&file, size, compress);
                        assert_eq!(out, file, "size {size}, length {length}, compress {compress}");
                        assert_eq!((counts.octets, counts.records), (length as u64, 1));
                    }
                }
            }
        }
    }

    #[test]
    fn capacities_are_those_of_the_document() {
        for (size, capacity) in [(128, 125), (2048, 2015), (99_999, 98_435)] {
            assert_eq!(through(&vec![7; capacity], size, false).2, 1);
            assert_eq!(through(&vec![7; capacity + 1], size, false).2, 2);
        }
        assert_eq!(through(&vec![7; 49_999 * 63], 99_999, true).2, 1);
    }

    #[test]
    fn bad_subrecords_are_refused() {
        let mut out = Vec::new();
        assert!(Unpacker::default().unpack(&[0x03, 1, 2], true, &mut out).is_err());
        assert!(Unpacker::default().unpack(&[0x45], true, &mut out).is_err());
        assert!(Unpacker::default().unpack(&[0x45, 9], false, &mut out).is_err());
        assert!(Unpacker::default().unpack(&[0xc5, 9], true, &mut out).is_ok());
        assert_eq!(out, [9; 5]);
    }
}
