//! The interface between the relay and the protocol that it carries.

use super::side::Side;

/// The verdict on a legal unit.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed on.
    Pass,
    /// It is dropped, because the session is over.
    Drop,
    /// It is not passed on: `onward` is sent in its place, and `back` to its sender. Either may be empty.
    Answer {
        /// To the other side.
        onward: Vec<u8>,
        /// To the sender.
        back: Vec<u8>,
    },
}

/// Decides which units are passed on.
pub trait Judge {
    /// The fault of a unit.
    type Fault;
    /// Length of the unit at the start of `octets`, once it is complete; refuses as early as it can.
    ///
    /// # Errors
    /// The fault of the octets: the session ends.
    fn frame(&self, from: Side, octets: &[u8]) -> Result<Option<usize>, Self::Fault>;
    /// Judges one whole unit.
    ///
    /// # Errors
    /// The fault of the unit: the session ends.
    fn judge(&mut self, from: Side, unit: &[u8]) -> Result<Verdict, Self::Fault>;
    /// Whether a close at this point ends the session in the regular way; otherwise it is a break.
    fn may_close(&self) -> bool;
    /// Whether a unit that ends the session has passed; later octets are only drained.
    fn over(&self) -> bool;
    /// The last octets for a side when this process ends the session for `cause`.
    fn farewell(&mut self, to: Side, cause: &Cause<Self::Fault>) -> Vec<u8>;
}

/// Why this process, not a peer, ends a session.
#[derive(Debug)]
pub enum Cause<F> {
    /// A unit from this side was refused.
    Refused(Side, F),
    /// Nothing moved for too long.
    Silent,
    /// This side began a unit and did not finish it in time.
    Unfinished(Side),
    /// A signal asks the process to end.
    Signal,
    /// This administrator ends the session.
    Administrator(String),
}
