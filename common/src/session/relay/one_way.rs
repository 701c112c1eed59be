//! One direction of a relay: octets read, octets judged, octets written, in one buffer of two units.
//!
//! ```text
//! 0        written      judged        read          capacity
//! |  sent  |  may pass  |  not whole  |    room     |
//! ```

use super::judge::{Judge, Verdict};
use super::side::Side;
use crate::net::Conn;
use std::io;
use std::time::Instant;

/// A read of less than this is not worth a system call if moving octets makes more room.
const WORTHWHILE: usize = 32 * 1024;

pub(super) struct OneWay {
    buffer: Vec<u8>,
    written: usize,
    judged: usize,
    read: usize,
    /// Nothing is read any more: the buffer has the last octets of the session.
    last: bool,
    moved: bool,
    /// Octets of this process are among those to be written.
    answering: bool,
    /// Size of the buffer, octets, without those that this process adds.
    size: usize,
    /// Since when an incomplete unit has been waiting for its sender.
    pub(super) begun: Option<Instant>,
    /// Octets passed on.
    pub(super) passed: u64,
}

impl OneWay {
    pub(super) fn new(largest_unit: usize) -> Self {
        Self {
            buffer: vec![0; 2 * largest_unit],
            written: 0,
            judged: 0,
            read: 0,
            last: false,
            moved: false,
            answering: false,
            size: 2 * largest_unit,
            begun: None,
            passed: 0,
        }
    }

    /// Octets that were judged before the relay began.
    pub(super) fn preload(&mut self, judged: &[u8]) {
        if let Some(room) = self.buffer.get_mut(self.read..self.read + judged.len()) {
            room.copy_from_slice(judged);
            self.read += judged.len();
            self.judged = self.read;
        }
    }

    /// Drops the octets that are not judged, and adds `words` behind the judged ones.
    pub(super) fn add_last(&mut self, words: &[u8]) {
        self.buffer.truncate(self.judged);
        self.buffer.extend_from_slice(words);
        self.judged = self.buffer.len();
        self.read = self.judged;
        self.last = true;
        self.begun = None;
    }

    /// The free space for a read; none while the buffer is full because its reader is slow.
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        if self.last {
            return None;
        }
        if self.written == self.read {
            (self.written, self.judged, self.read) = (0, 0, 0);
        } else if self.written > 0 && self.buffer.len() - self.read < WORTHWHILE {
            self.buffer.copy_within(self.written..self.read, 0);
            self.judged -= self.written;
            self.read -= self.written;
            self.written = 0;
        }
        let room = self.buffer.get_mut(self.read..)?;
        (!room.is_empty()).then_some(room)
    }

    pub(super) fn filled(&mut self, n: usize) {
        self.read += n;
    }

    /// Judges every complete unit and removes those that must not pass. Stops at a unit that is answered here, and
    /// returns the answer for its sender: the next call goes on behind it.
    pub(super) fn judge<J: Judge>(&mut self, judge: &mut J, from: Side) -> Result<Option<Vec<u8>>, J::Fault> {
        let before = self.judged;
        let mut answer = None;
        while let Some(octets) = self.buffer.get(self.judged..self.read).filter(|octets| !octets.is_empty()) {
            let Some(length) = judge.frame(from, octets)? else { break };
            match judge.judge(from, octets.get(..length).unwrap_or(octets))? {
                Verdict::Pass => self.judged += length,
                Verdict::Drop => self.replace(length, &[]),
                Verdict::Answer { onward, back } => {
                    self.replace(length, &onward);
                    answer = Some(back);
                    break;
                }
            }
        }
        if self.judged == self.read || self.read == self.buffer.len() {
            // No unit is incomplete, or this process does not read at the moment.
            self.begun = None;
        } else if self.begun.is_none() || self.judged > before {
            self.begun = Some(Instant::now());
        }
        Ok(answer)
    }

    /// Adds octets of this process behind the judged ones and before the others.
    pub(super) fn insert(&mut self, words: &[u8]) {
        self.replace(0, words);
        self.answering = self.written < self.judged;
    }

    /// Whether octets of this process still wait for their reader. While a peer has not read an answer, nothing is read
    /// from it, so there is at most one answer.
    pub(super) fn is_answering(&self) -> bool {
        self.answering
    }

    /// Replaces the next `length` octets by `words`, as judged.
    fn replace(&mut self, length: usize, words: &[u8]) {
        let (from, to) = (self.judged, self.read.min(self.judged + length));
        self.buffer.splice(from..to, words.iter().copied());
        self.judged = from + words.len();
        self.read = self.read - (to - from) + words.len();
        // The room is as large as before, unless all of it is in use.
        self.buffer.resize(self.size.max(self.read), 0);
    }

    /// Whether the last `write_to` wrote anything.
    pub(super) fn moved(&self) -> bool {
        self.moved
    }

    /// Writes what may pass.
    pub(super) fn write_to(&mut self, sink: &mut Conn) -> io::Result<()> {
        self.moved = false;
        while self.written < self.judged {
            let n = sink.write(self.buffer.get(self.written..self.judged).unwrap_or_default())?;
            if n == 0 {
                break;
            }
            self.written += n;
            self.passed += n as u64;
            self.moved = true;
        }
        self.answering &= self.written < self.judged;
        sink.drain().map(drop)
    }

    /// Whether all judged octets have left this process.
    pub(super) fn is_written(&self, sink: &mut Conn) -> bool {
        self.written == self.judged && sink.wire().unsent() == 0
    }
}
