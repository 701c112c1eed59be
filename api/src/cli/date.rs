//! Times and durations, as an operator writes them in options.

use super::args::{Invocation, wrong};
use super::error::CliError;
use crate::date::{beginning, end};
use common::text::clock::{self, DAY};

/// The value of `--until`, where an empty one means no end; `before` if the option is missing.
pub(super) fn until(invocation: &Invocation, before: Option<i64>) -> Result<Option<i64>, CliError> {
    match invocation.value("until").as_deref() {
        None => Ok(before),
        Some("") => Ok(None),
        Some(text) => to_come(text).map(Some),
    }
}

/// The value of `--until`, a time in the future.
pub(super) fn to_come(text: &str) -> Result<i64, CliError> {
    let wanted = "a time in the future, such as 2026-12-31 or 2026-12-31T12:00:00Z";
    end(text).filter(|until| *until >= clock::now()).ok_or_else(|| wrong("until", text, wanted))
}

/// The value of `--since`.
pub(super) fn since(text: &str) -> Result<i64, CliError> {
    beginning(text).ok_or_else(|| wrong("since", text, "a time, such as 2026-12-31 or 2026-12-31T12:00:00Z"))
}

/// The value of `--from`, a time in the future.
pub(super) fn from(text: &str) -> Result<i64, CliError> {
    let wanted = "a time in the future, such as 2026-12-31 or 2026-12-31T12:00:00Z";
    beginning(text).filter(|from| *from > clock::now()).ok_or_else(|| wrong("from", text, wanted))
}

/// A time such as 30m, 1h or 2d in seconds.
pub(super) fn duration(text: &str) -> Option<i64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u16 = number.parse().ok()?;
    let unit = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => DAY,
        _ => return None,
    };
    Some(i64::from(number) * unit)
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn a_duration_is_a_number_and_its_unit() {
        assert_eq!(
            ["30m", "1h", "2d", "0m"].map(duration),
            [Some(1_800), Some(3_600), Some(172_800), Some(0)]
        );
        for bad in ["", "h", "1", "1w", "-1h", "1.5h", "99999d", "1\u{fc}"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
