//! The configuration as it comes in: parts of one text, up to a largest size. Whatever is wrong with an answer, its last
//! part ends it; nothing of it becomes the beginning of the next. Parses nothing.

/// The answer that is on its way.
#[derive(Default)]
pub(super) struct Answer {
    text: String,
    /// The rest of it is not wanted any more.
    given_up: bool,
}

/// What a part has led to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More is to come, or was not wanted.
    Nothing,
    /// All of it.
    Whole(String),
    /// Longer than it may be; said once.
    TooLong,
}

impl Answer {
    /// No answer is on its way, or none that is wanted.
    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the next part; `limit`: the longest answer, octets.
    pub(super) fn take(&mut self, part: &str, last: bool, limit: usize) -> Progress {
        let unwanted = self.given_up;
        let too_long = !unwanted && self.text.len() + part.len() > limit;
        if unwanted || too_long {
            *self = Self { given_up: !last, ..Self::default() };
            return if too_long { Progress::TooLong } else { Progress::Nothing };
        }
        self.text.push_str(part);
        if last { Progress::Whole(std::mem::take(&mut self.text)) } else { Progress::Nothing }
    }

    /// It takes too long: what comes of it still is not wanted.
    pub(super) fn give_up(&mut self) {
        self.given_up |= !self.text.is_empty();
        self.text = String::new();
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Progress};
    const LIMIT: usize = 6;

    fn whole(text: &str) -> Progress {
        Progress::Whole(text.to_owned())
    }

    #[test]
    fn parts_become_one_text_up_to_the_limit() {
        let mut answer = Answer::default();
        for _ in 0..2 {
            assert_eq!(answer.take("abc", false, LIMIT), Progress::Nothing);
            assert_eq!(answer.take("def", true, LIMIT), whole("abcdef"));
        }
    }

    #[test]
    fn one_that_is_too_long_is_one_fault_and_the_next_is_whole() {
        let mut answer = Answer::default();
        for (part, last, progress) in [
            ("abcd", false, Progress::Nothing),
            ("efg", false, Progress::TooLong),
            ("hij", false, Progress::Nothing),
            ("klmnopq", false, Progress::Nothing),
            ("rst", true, Progress::Nothing),
        ] {
            assert_eq!(answer.take(part, last, LIMIT), progress, "{part}");
            assert_eq!(answer.is_empty(), part != "abcd");
        }
        assert_eq!(answer.take("next", true, LIMIT), whole("next"));
        // Its last part may be the one that is too much.
        assert_eq!(answer.take("abcdefg", true, LIMIT), Progress::TooLong);
        assert_eq!(answer.take("next", true, LIMIT), whole("next"));
    }

    #[test]
    fn the_rest_of_one_that_was_given_up_is_not_taken_for_another() {
        let mut answer = Answer::default();
        answer.give_up();
        assert_eq!(answer.take("abc", false, LIMIT), Progress::Nothing);
        answer.give_up();
        assert_eq!(answer.take("d", true, LIMIT), Progress::Nothing);
        assert_eq!(answer.take("next", true, LIMIT), whole("next"));
    }
}
