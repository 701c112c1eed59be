//! A picture (SVG) of everything that expires within twelve months: a lane for each kind, a mark for each expiry. The
//! table below it contains the same.

use crate::expiry::Listed;
use crate::language::Language;
use common::text::clock::{self, DAY};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The measures of the picture.
const WIDTH: i64 = 1_000;
const LEFT: i64 = 170;
const TOP: i64 = 26;
const LANE: i64 = 24;
/// Days that the picture covers.
const DAYS: i64 = 365;

/// The picture; empty if nothing expires within that time.
pub(super) fn svg(all: &[Listed], now: i64, language: Language, name: &str) -> String {
    let mut lanes: BTreeMap<String, Vec<(i64, &str)>> = BTreeMap::new();
    for Listed { end, days, state } in all {
        if let Some(days) = days.filter(|days| *days < DAYS) {
            let state = match *state {
                "ended" => "bad",
                "soon" if !end.ending.by_itself() => "warn",
                _ => "good",
            };
            lanes.entry(end.ending.what(language)).or_default().push((days.max(0), state));
        }
    }
    if lanes.is_empty() {
        return String::new();
    }
    let height = TOP + LANE * i64::try_from(lanes.len()).unwrap_or(i64::MAX / LANE - TOP) + 8;
    // The name and the kinds need no escaping: they are our own texts.
    let mut svg = format!(
        "<svg class=\"timeline\" role=\"img\" aria-label=\"{name}\" viewBox=\"0 0 {WIDTH} {height}\">\
         <title>{name}</title>"
    );
    for month in 0..12 {
        let days = month * DAYS / 12;
        let day: String = clock::rfc3339(now + days * DAY).chars().take(10).collect();
        let x = x_of(days);
        let class = if month == 0 { "now" } else { "grid" };
        let _ = write!(
            svg,
            "<path class=\"{class}\" d=\"M{x},{TOP}V{height}\"/><text x=\"{}\" y=\"16\">{day}</text>",
            x + 2
        );
    }
    for ((kind, ends), lane) in lanes.iter().zip(0..) {
        let y = TOP + LANE * lane + LANE / 2;
        let _ = write!(svg, "<text x=\"8\" y=\"{}\">{kind}</text>", y + 4);
        for (days, state) in ends {
            // Each state has a mark of its own shape, because some users cannot distinguish the colours.
            let x = x_of(*days);
            let _ = match *state {
                "good" => write!(svg, "<circle class=\"good\" cx=\"{x}\" cy=\"{y}\" r=\"5\"/>"),
                "warn" => write!(svg, "<path class=\"warn\" d=\"M{},{}l6,11h-12z\"/>", x, y - 6),
                _ => write!(svg, "<path class=\"bad\" d=\"M{},{}h10v10h-10z\"/>", x - 5, y - 5),
            };
        }
    }
    svg.push_str("</svg>");
    svg
}

fn x_of(days: i64) -> i64 {
    LEFT + days * (WIDTH - LEFT - 10) / DAYS
}

#[cfg(test)]
mod tests {
    use super::svg;
    use crate::expiry::{End, Ending, Listed};
    use crate::language::Language::English;
    use common::text::clock::DAY;

    #[test]
    fn each_end_of_the_year_has_its_mark() {
        let end = |days: i64| End {
            ending: Ending::Pin { partner: "ACME".to_owned() },
            name: "a".to_owned(),
            ends: Some(days * DAY),
        };
        let all: Vec<Listed> = [-1, 5, 100, 400].map(|days| Listed::of(end(days), 0)).into();
        let picture = svg(&all, 0, English, "name");
        for mark in
            ["class=\"bad\"", "class=\"warn\"", "<circle class=\"good\"", ">pin</text>", ">1970-01-01</text>"]
        {
            assert_eq!(picture.matches(mark).count(), 1, "{mark}: {picture}");
        }
        assert_eq!(svg(&all[3..], 0, English, "name"), "");
    }
}
