//! Whether a client that has authenticated while another one is joined replaces it: only if the joined client does not
//! answer a ping. If it answers, the other one may stand by. Pure: times in, a verdict out.

use std::time::Instant;

/// When the last octets of the joined client arrived, and when it must answer.
#[derive(Clone, Copy)]
pub(super) struct Life {
    /// When its last octets arrived.
    pub(super) last_received: Instant,
    /// When it must have answered a ping; none: no ping is unanswered.
    pub(super) answer_due: Option<Instant>,
}

impl Life {
    /// Whether its answer is overdue.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.answer_due.is_some_and(|due| due <= now)
    }
}

/// The decision about a successor.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Ping the joined client, unless an answer is due already, and decide later.
    Wait,
    /// No client is joined any more: join this one.
    Join,
    /// The joined client does not answer: replace it.
    Replace,
    /// The joined client has answered: this one stands by, or is refused.
    Answered,
}

/// The decision about a successor that authenticated at `since`; `present`: the joined client.
pub(super) fn judge(since: Instant, present: Option<Life>, now: Instant) -> Verdict {
    match present {
        None => Verdict::Join,
        Some(life) if life.last_received > since => Verdict::Answered,
        Some(life) if life.is_silent(now) => Verdict::Replace,
        Some(_) => Verdict::Wait,
    }
}

/// Whether a client that stands by is joined now, because the joined one is gone or does not answer.
pub(super) fn is_standby_joined(present: Option<Life>, now: Instant) -> bool {
    present.is_none_or(|life| life.is_silent(now))
}

#[cfg(test)]
mod tests {
    use super::{Life, Verdict, is_standby_joined, judge};
    use std::time::{Duration, Instant};

    #[test]
    fn only_a_client_that_owes_an_answer_for_too_long_is_replaced() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let verdict = |last_received, answer_due: Option<u64>, now| {
            let life = Life { last_received: at(last_received), answer_due: answer_due.map(at) };
            judge(at(10), Some(life), at(now))
        };
        // Not pinged yet; pinged, with time left; the time is over.
        assert_eq!(verdict(9, None, 10), Verdict::Wait);
        assert_eq!(verdict(9, Some(15), 14), Verdict::Wait);
        assert_eq!(verdict(9, Some(15), 15), Verdict::Replace);
        // An answer was due before the successor came.
        assert_eq!(verdict(1, Some(12), 11), Verdict::Wait);
        assert_eq!(verdict(1, Some(7), 10), Verdict::Replace);
        // It has answered, if late: a later ping makes no difference.
        assert_eq!(verdict(11, None, 11), Verdict::Answered);
        assert_eq!(verdict(11, Some(12), 16), Verdict::Answered);
        // Octets from before the successor came prove nothing.
        assert_eq!(verdict(10, None, 10), Verdict::Wait);
        assert_eq!(judge(at(10), None, at(10)), Verdict::Join);
    }

    #[test]
    fn one_that_stands_by_waits_as_long_as_the_joined_one_answers() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let life =
            |answer_due: Option<u64>| Some(Life { last_received: start, answer_due: answer_due.map(at) });
        assert!(!is_standby_joined(life(None), at(60)));
        assert!(!is_standby_joined(life(Some(5)), at(4)));
        assert!(is_standby_joined(life(Some(5)), at(5)));
        assert!(is_standby_joined(None, at(0)));
    }
}
