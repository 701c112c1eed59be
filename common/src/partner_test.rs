//! The test of a partner: the steps of a call, the result of each, and how long it took. The server's session process
//! reports them, the client passes them on to the backend, and the administrator reads them. Plain values.

use crate::process::end_reasons::Status;
use crate::text::shortened;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// The words of the steps, in their order.
pub const STEPS: [&str; 5] = ["name", "tcp", "tls", "certificate", "ssrm"];

/// The word of the step in which the partner shows its certificate.
const CERTIFICATE: usize = 3;

/// The value of a test session where others have their station.
pub const STATION: &str = "partner test";

/// Longest text of a step, octets: all steps must fit into one message of a session process.
const MAX_TEXT: usize = 1000;
/// Longest word in a step, octets.
const MAX_WORD: usize = 40;
/// Largest number of steps that are passed on: a newer server may have more than this version knows.
const MOST: usize = 8;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestStep {
    /// One of `STEPS`.
    pub step: String,
    /// Whether it succeeded.
    pub good: bool,
    /// How long it took, milliseconds.
    pub ms: u64,
    /// Why it failed: the word that the log has.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What was found, or why it failed, as in the log.
    pub text: String,
}

/// Steps from another host, limited in number and length.
#[must_use]
pub fn bounded(steps: Vec<TestStep>) -> Vec<TestStep> {
    let bounded = |step: TestStep| TestStep {
        step: shortened(step.step, MAX_WORD),
        reason: shortened(step.reason, MAX_WORD),
        text: shortened(step.text, MAX_TEXT),
        ..step
    };
    steps.into_iter().take(MOST).map(bounded).collect()
}

/// The steps of a test that is running.
pub struct TestRecord {
    done: Vec<TestStep>,
    /// When the current step began.
    since: Instant,
}

impl TestRecord {
    /// The first step begins.
    pub fn begin(now: Instant) -> Self {
        Self { done: Vec::new(), since: now }
    }

    /// The current step has succeeded, and the next one begins.
    pub fn pass(&mut self, text: String, now: Instant) {
        self.end(None, text, now);
    }

    /// The current step has failed. Returns all steps.
    pub fn fail(&mut self, reason: Status, text: String, now: Instant) -> Vec<TestStep> {
        self.end(Some(reason), text, now);
        self.take()
    }

    /// All finished steps.
    pub fn take(&mut self) -> Vec<TestStep> {
        std::mem::take(&mut self.done)
    }

    /// Whether the partner has not shown its certificate yet.
    pub fn is_before_certificate(&self) -> bool {
        self.done.len() < CERTIFICATE
    }

    fn end(&mut self, reason: Option<Status>, text: String, now: Instant) {
        let Some(step) = STEPS.get(self.done.len()) else { return };
        let ms = now.saturating_duration_since(self.since).as_millis();
        self.since = now;
        self.done.push(TestStep {
            step: (*step).to_owned(),
            good: reason.is_none(),
            ms: u64::try_from(ms).unwrap_or(u64::MAX),
            reason: reason.map(|reason| reason.word().to_owned()).unwrap_or_default(),
            text: shortened(text, MAX_TEXT),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{MAX_TEXT, MAX_WORD, MOST, STEPS, TestRecord, TestStep, bounded};
    use crate::ipc::frame;
    use crate::process::end_reasons::Status;
    use std::time::{Duration, Instant};

    #[test]
    fn steps_follow_each_other_and_a_failed_one_is_the_last() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut record = TestRecord::begin(start);
        record.pass("found".to_owned(), at(3));
        assert!(record.is_before_certificate());
        let steps = record.fail(Status::PartnerDown, "refused".to_owned(), at(10));
        let told: Vec<_> = steps.iter().map(|step| (step.step.as_str(), step.good, step.ms)).collect();
        assert_eq!(told, [("name", true, 3), ("tcp", false, 7)]);
        assert_eq!((steps[0].reason.as_str(), steps[1].reason.as_str()), ("", "partner-down"));
        let mut record = TestRecord::begin(start);
        for _ in 0..=STEPS.len() {
            record.pass("x".repeat(MAX_TEXT + 1), start);
        }
        let steps = record.take();
        assert_eq!(steps.len(), STEPS.len(), "there is none behind the last");
        assert!(steps.iter().all(|step| step.text.len() <= MAX_TEXT));
        assert!(frame::length(&steps).unwrap() < 16 * 1024, "they fit into one message");
    }

    #[test]
    fn what_another_host_tells_is_bounded() {
        let word = || "x".repeat(100_000);
        let step = TestStep { step: word(), good: false, ms: u64::MAX, reason: word(), text: word() };
        let steps = bounded(vec![step; 100]);
        assert_eq!(steps.len(), MOST);
        let is_short = |step: &TestStep| {
            step.step.len() <= MAX_WORD && step.reason.len() <= MAX_WORD && step.text.len() <= MAX_TEXT
        };
        assert!(steps.iter().all(is_short));
    }
}
