//! A file that is sent: pieces in order, each with whether it closes a record; counted and hashed while it is read.

use super::command::Format;
use super::settings::{Content, OutFile};
use openssl::sha::Sha256;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};

/// Octets read at a time: a multiple of the restart block.
const CHUNK: usize = 256 * 1024;
const BLOCK: u64 = 1024;

trait Octets: BufRead + Send {}
impl<T: BufRead + Send> Octets for T {}

/// The file being sent.
pub struct Source {
    from: Box<dyn Octets>,
    format: Format,
    size: u64,
    piece: Vec<u8>,
    hash: Sha256,
    octets: u64,
    records: u64,
    skip: u64,
}

impl Source {
    /// Opens `file` and checks that its octets fit its format.
    pub fn open(file: &OutFile) -> io::Result<Self> {
        let (from, size): (Box<dyn Octets>, u64) = match &file.content {
            Content::Path(path) => {
                let open = File::open(path)?;
                let size = open.metadata()?.len();
                (Box::new(BufReader::with_capacity(CHUNK, open)), size)
            }
            Content::Octets(octets) => {
                (Box::new(Cursor::new(std::sync::Arc::clone(octets))), octets.len() as u64)
            }
        };
        match file.format {
            Format::Fixed(0) | Format::Variable(0) => {
                return Err(wrong("records of format F and V need a length of 1 to 99999".to_owned()));
            }
            Format::Fixed(length) if size % u64::from(length) != 0 => {
                return Err(wrong(format!(
                    "{size} octets are no whole number of records of {length} octets"
                )));
            }
            _ => {}
        }
        let hash = Sha256::new();
        Ok(Self { from, format: file.format, size, piece: Vec::new(), hash, octets: 0, records: 0, skip: 0 })
    }

    /// Octets of the whole file.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Size in blocks of 1024 octets, rounded up.
    pub fn blocks(&self) -> u64 {
        self.size.div_ceil(BLOCK)
    }

    /// The last position a restart could begin at: records for F, blocks for U and T. V is not known before reading.
    pub fn last_position(&self) -> u64 {
        match self.format {
            Format::Fixed(length) => self.size / u64::from(length),
            // The Listener answers with what it has; a count no file can reach is still a legal offer.
            Format::Variable(_) => self.size.min(999_999_999),
            Format::Unstructured | Format::Text => self.size / BLOCK,
        }
    }

    /// Goes to restart position `position`, and reads everything before it: the hash is that of the whole file.
    /// Gives the number of skipped octets.
    pub fn go_to(&mut self, position: u64) -> io::Result<u64> {
        if self.format.has_records() {
            for _ in 0..position {
                if self.next_piece()?.is_none() {
                    return Err(wrong(format!("the file has no record {position}")));
                }
            }
        } else {
            self.skip = position * BLOCK;
            while self.octets + CHUNK as u64 <= self.skip {
                self.next_piece()?;
            }
            return Ok(self.skip);
        }
        Ok(self.octets)
    }

    /// The next octets and whether they close a record; none at the end.
    pub fn next_piece(&mut self) -> io::Result<Option<(&[u8], bool)>> {
        self.piece.clear();
        let limit = match self.format {
            Format::Fixed(length) | Format::Variable(length) => length as usize,
            Format::Unstructured | Format::Text => CHUNK,
        };
        let mut some = self.from.by_ref().take(limit as u64);
        if matches!(self.format, Format::Variable(_)) {
            some.read_until(b'\n', &mut self.piece)?;
        } else {
            some.read_to_end(&mut self.piece)?;
        }
        let begin = self.octets;
        self.octets += self.piece.len() as u64;
        if self.octets > self.size || (self.piece.is_empty() && self.octets < self.size) {
            return Err(wrong("its size changed while it was sent".to_owned()));
        }
        if self.piece.is_empty() {
            return Ok(None);
        }
        self.hash.update(&self.piece);
        let at_end = self.octets == self.size;
        let is_cut =
            matches!(self.format, Format::Variable(_)) && !at_end && self.piece.last() != Some(&b'\n');
        if is_cut {
            return Err(wrong(format!("a record is longer than {limit} octets")));
        }
        let closes = at_end || self.format.has_records();
        self.records += u64::from(self.format.has_records());
        let from =
            usize::try_from(self.skip.saturating_sub(begin)).unwrap_or(usize::MAX).min(self.piece.len());
        Ok(Some((&self.piece[from..], closes)))
    }

    /// Octets and records read so far, and the SHA-256 of them.
    pub fn totals(&self) -> (u64, u64, [u8; 32]) {
        (self.octets, self.records, self.hash.clone().finish())
    }
}

fn wrong(words: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, words)
}
