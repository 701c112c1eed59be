//! What a relay asks of the protocol that it carries.

use super::side::Side;

/// What becomes of a legal unit.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It passes.
    Pass,
    /// It does not, because the session is over.
    Drop,
    /// It does not: these octets go on in its place, and those back to who sent it. Either may be empty.
    Answer {
        /// To the other side.
        onward: Vec<u8>,
        /// To the sender.
        back: Vec<u8>,
    },
}

/// Decides what passes.
pub trait Judge {
    /// What is wrong with a unit.
    type Fault;
    /// Length of the unit at the start of `octets`, once it is whole; refuses as early as it can.
    ///
    /// # Errors
    /// What is wrong with the octets: the session ends.
    fn frame(&self, from: Side, octets: &[u8]) -> Result<Option<usize>, Self::Fault>;
    /// Judges one whole unit.
    ///
    /// # Errors
    /// What is wrong with the unit: the session ends.
    fn judge(&mut self, from: Side, unit: &[u8]) -> Result<Verdict, Self::Fault>;
    /// A close here ends the session in the regular way; elsewhere it breaks off.
    fn may_close(&self) -> bool;
    /// A unit that ends the session has passed; what still comes is drained.
    fn over(&self) -> bool;
    /// What to tell a side when the session is ended here, for `cause`.
    fn farewell(&mut self, to: Side, cause: &Cause<Self::Fault>) -> Vec<u8>;
}

/// Why a session is ended here, not by a peer.
#[derive(Debug)]
pub enum Cause<F> {
    /// A unit from this side was refused.
    Refused(Side, F),
    /// Nothing moved for too long.
    Silent,
    /// This side began a unit and did not finish it in time.
    Unfinished(Side),
    /// A signal asks the process to end.
    Told,
}
