//! Whether a client that has proven itself while another one is joined takes that one's place: only if the other one
//! does not answer a ping. Pure: times in, a verdict out.

use std::time::Instant;

/// What is known of the life of the client that is joined.
#[derive(Clone, Copy)]
pub(super) struct Life {
    /// When something of it came last.
    pub(super) heard: Instant,
    /// When it will have left a ping unanswered for too long; none: it owes no answer.
    pub(super) answer_due: Option<Instant>,
}

impl Life {
    /// It has left a ping unanswered for too long.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.answer_due.is_some_and(|due| due <= now)
    }
}

/// What becomes of a successor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ping the client that is joined, unless it owes an answer already, and ask again.
    Wait,
    /// Nobody is joined any more.
    Join,
    /// The client that is joined does not answer: it has to go.
    Replace,
    /// The client that is joined has given a sign of life.
    Refuse,
}

/// Of a successor that proved itself at `since`; `present`: the client that is joined.
pub(super) fn judge(since: Instant, present: Option<Life>, now: Instant) -> Verdict {
    match present {
        None => Verdict::Join,
        Some(life) if life.heard > since => Verdict::Refuse,
        Some(life) if life.is_silent(now) => Verdict::Replace,
        Some(_) => Verdict::Wait,
    }
}

#[cfg(test)]
mod tests {
    use super::{Life, Verdict, judge};
    use std::time::{Duration, Instant};

    #[test]
    fn only_a_client_that_owes_an_answer_for_too_long_is_replaced() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let verdict = |heard, answer_due: Option<u64>, now| {
            let life = Life { heard: at(heard), answer_due: answer_due.map(at) };
            judge(at(10), Some(life), at(now))
        };
        // Not asked yet; asked, and the time is not over; over.
        assert_eq!(verdict(9, None, 10), Verdict::Wait);
        assert_eq!(verdict(9, Some(15), 14), Verdict::Wait);
        assert_eq!(verdict(9, Some(15), 15), Verdict::Replace);
        // It owed an answer before the successor came.
        assert_eq!(verdict(1, Some(12), 11), Verdict::Wait);
        assert_eq!(verdict(1, Some(7), 10), Verdict::Replace);
        // It has answered, if late: whether it owes the next answer makes no difference.
        assert_eq!(verdict(11, None, 11), Verdict::Refuse);
        assert_eq!(verdict(11, Some(12), 16), Verdict::Refuse);
        // What came before the successor proves nothing.
        assert_eq!(verdict(10, None, 10), Verdict::Wait);
        assert_eq!(judge(at(10), None, at(10)), Verdict::Join);
    }
}
