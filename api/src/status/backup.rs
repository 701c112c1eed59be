//! The age of the last backup, as a finding. Pure.

use super::fault::Fault;
use super::findings::{Finding, warning};
use common::text::clock;

/// The finding if there was no backup for too long: since the last one or, without any, since the site was made.
pub(super) fn finding(was_ever: bool, since: i64, days: u32, now: i64) -> Option<Finding> {
    if days == 0 || now - since <= i64::from(days) * clock::DAY {
        return None;
    }
    Some(warning(Fault::Backup { was_ever, since }))
}

#[cfg(test)]
mod tests {
    use super::{clock, finding};
    use crate::language::Language;

    const NOW: i64 = 1_000_000_000;

    #[test]
    fn a_backup_that_is_too_old_is_found_unless_nobody_wants_to_know() {
        let day = clock::DAY;
        for (was_ever, age, days, words) in [
            (true, 7 * day, 7, None),
            (true, 7 * day + 1, 7, Some("the last backup of the database is of 2001-")),
            (false, 7 * day + 1, 7, Some("no backup is recorded")),
            (true, 400 * day, 0, None),
        ] {
            let found = finding(was_ever, NOW - age, days, NOW);
            assert_eq!(found.is_some(), words.is_some(), "{age}");
            assert!(found.is_none_or(|found| found.fault.what(Language::English).contains(words.unwrap())));
        }
    }
}
