//! The request for a configuration: when the backend is asked, the parts of the answer, and the fault that was reported
//! last. Even a faulty answer ends with its last part, so that nothing of it becomes part of the next answer. Pure;
//! this module parses nothing.

use std::time::{Duration, Instant};

/// How often the backend is asked for a newer generation while a client is joined, as documented.
pub(super) const REFRESH: Duration = Duration::from_mins(1);
/// An answer in parts that takes longer than this is given up.
const ANSWER: Duration = Duration::from_mins(10);

/// The request and its answer.
#[derive(Default)]
pub(super) struct ConfigFetch {
    requested: Option<Instant>,
    /// The answer's text so far.
    text: String,
    /// Whether the rest of the answer is ignored.
    given_up: bool,
    /// Whether the answer is still missing.
    open: bool,
    /// Whether the configuration has changed since the request: then another request follows.
    stale: bool,
    /// The last fault that was reported.
    fault: Option<String>,
}

/// Result of a part.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More parts follow, or the part is ignored.
    Nothing,
    /// The whole text.
    Whole(String),
    /// The text is too long; returned once.
    TooLong,
}

impl ConfigFetch {
    /// When the next request is due; none before the first one.
    pub(super) fn due(&self) -> Option<Instant> {
        let wait = if self.text.is_empty() { REFRESH } else { ANSWER };
        self.requested.map(|requested| requested + wait)
    }

    /// Whether a request is due.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.due().is_none_or(|due| due <= now)
    }

    /// The backend is asked. An older answer that is incomplete is given up.
    pub(super) fn request(&mut self, now: Instant) {
        self.requested = Some(now);
        (self.open, self.stale) = (true, false);
        self.given_up |= !self.text.is_empty();
        self.text = String::new();
    }

    /// There is a newer generation: it is requested at once, or after the answer to the last request.
    pub(super) fn request_soon(&mut self) {
        if self.open {
            self.stale = true;
        } else {
            self.requested = None;
        }
    }

    /// The client says that there will be no answer.
    pub(super) fn fail(&mut self) {
        self.open = false;
    }

    /// A new control connection has replaced the one with the answer: the rest of the answer will not come.
    pub(super) fn reconnect(&mut self) {
        self.text = String::new();
        self.given_up = false;
    }

    /// The client is gone: the next one is asked at once.
    pub(super) fn disconnect(&mut self) {
        self.reconnect();
        self.requested = None;
    }

    /// Takes the next part; `limit`: the longest answer, octets.
    pub(super) fn take(&mut self, part: &str, last: bool, limit: usize) -> Progress {
        let ignored = self.given_up;
        let too_long = !ignored && self.text.len() + part.len() > limit;
        if ignored || too_long {
            self.text = String::new();
            self.given_up = !last;
            return if too_long { Progress::TooLong } else { Progress::Nothing };
        }
        self.text.push_str(part);
        if !last {
            return Progress::Nothing;
        }
        self.open = false;
        if std::mem::take(&mut self.stale) {
            self.requested = None;
        }
        Progress::Whole(std::mem::take(&mut self.text))
    }

    /// Whether this is the last fault that was reported.
    pub(super) fn has_fault(&self, reason: &str) -> bool {
        self.fault.as_deref() == Some(reason)
    }

    /// Whether this fault differs from the last one; remembers it.
    pub(super) fn is_new_fault(&mut self, reason: &str) -> bool {
        let new = !self.has_fault(reason);
        self.fault = Some(reason.to_owned());
        new
    }

    /// The configuration is good again; whether there was a fault before.
    pub(super) fn recover(&mut self) -> bool {
        self.fault.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 6;

    fn whole(text: &str) -> Progress {
        Progress::Whole(text.to_owned())
    }

    #[test]
    fn a_change_is_requested_at_once_or_after_the_open_answer() {
        let (mut fetch, start) = (ConfigFetch::default(), Instant::now());
        fetch.request(start);
        assert_eq!(fetch.take("a", true, LIMIT), whole("a"));
        assert!(!fetch.is_due(start));
        fetch.request_soon();
        assert!(fetch.is_due(start));
        fetch.request(start);
        fetch.request_soon();
        assert!(!fetch.is_due(start), "it may be in the answer that is on its way");
        assert_eq!(fetch.take("b", false, LIMIT), Progress::Nothing);
        assert_eq!(fetch.take("c", true, LIMIT), whole("bc"));
        assert!(fetch.is_due(start), "or not");
        fetch.request(start);
        fetch.fail();
        assert!(!fetch.is_due(start) && fetch.is_due(start + REFRESH));
    }

    #[test]
    fn parts_become_one_text_up_to_the_limit() {
        let mut fetch = ConfigFetch::default();
        for _ in 0..2 {
            assert_eq!(fetch.take("abc", false, LIMIT), Progress::Nothing);
            assert_eq!(fetch.take("def", true, LIMIT), whole("abcdef"));
        }
    }

    #[test]
    fn an_answer_that_is_too_long_is_one_fault_and_the_next_is_whole() {
        let mut fetch = ConfigFetch::default();
        for (part, last, progress) in [
            ("abcd", false, Progress::Nothing),
            ("efg", false, Progress::TooLong),
            ("hij", false, Progress::Nothing),
            ("klmnopq", false, Progress::Nothing),
            ("rst", true, Progress::Nothing),
        ] {
            assert_eq!(fetch.take(part, last, LIMIT), progress, "{part}");
        }
        assert_eq!(fetch.take("next", true, LIMIT), whole("next"));
        // The last part may be the one that is too much.
        assert_eq!(fetch.take("abcdefg", true, LIMIT), Progress::TooLong);
        assert_eq!(fetch.take("next", true, LIMIT), whole("next"));
    }

    #[test]
    fn the_rest_of_an_answer_that_was_given_up_is_not_part_of_the_next() {
        let (mut fetch, now) = (ConfigFetch::default(), Instant::now());
        fetch.request(now);
        assert_eq!(fetch.take("abc", false, LIMIT), Progress::Nothing);
        fetch.request(now);
        assert_eq!(fetch.take("d", true, LIMIT), Progress::Nothing);
        assert_eq!(fetch.take("next", true, LIMIT), whole("next"));
    }

    #[test]
    fn another_connection_begins_with_an_answer_of_its_own() {
        let (mut fetch, now) = (ConfigFetch::default(), Instant::now());
        fetch.request(now);
        fetch.take("abc", false, LIMIT);
        fetch.request(now);
        fetch.reconnect();
        assert_eq!(fetch.take("next", true, LIMIT), whole("next"));
    }

    #[test]
    fn it_is_requested_each_minute_and_at_once_from_a_new_client() {
        let (mut fetch, now) = (ConfigFetch::default(), Instant::now());
        assert!(fetch.is_due(now));
        fetch.request(now);
        assert!(!fetch.is_due(now + REFRESH / 2) && fetch.is_due(now + REFRESH));
        // An answer in parts has more time.
        fetch.take("abc", false, LIMIT);
        assert!(!fetch.is_due(now + REFRESH) && fetch.is_due(now + ANSWER));
        fetch.reconnect();
        assert_eq!(fetch.due(), Some(now + REFRESH), "a renewed connection asks no sooner");
        fetch.disconnect();
        assert!(fetch.is_due(now));
    }

    #[test]
    fn a_fault_is_told_once_until_it_changes_or_is_over() {
        let mut fetch = ConfigFetch::default();
        let told = ["a", "a", "b", "a"].map(|reason| fetch.is_new_fault(reason));
        assert_eq!(told, [true, false, true, true]);
        assert!(fetch.recover() && !fetch.recover());
        assert!(fetch.is_new_fault("a"));
    }
}
