//! Charts as SVG: stacked bars, with an axis and a legend. Each series has a colour and a pattern of its own, because
//! some users cannot distinguish the colours. The page has the same figures as a table. Pure.

use std::fmt::Write as _;

/// The measures of a chart.
const WIDTH: i64 = 560;
const HEIGHT: i64 = 250;
const LEFT: i64 = 52;
const RIGHT: i64 = 8;
const TOP: i64 = 54;
const BOTTOM: i64 = 22;
/// The largest text on the axis is a thousand of these.
const UNITS: [&str; 6] = ["", "k", "M", "G", "T", "P"];

/// A chart. Its texts are our own: they need no escaping.
pub(super) struct Chart<'a> {
    /// The prefix of the identifiers in it, unique on its page.
    pub(super) id: &'static str,
    pub(super) title: &'a str,
    /// What it shows, in a sentence.
    pub(super) description: &'a str,
    /// The label of each bar. Every so many of them are shown.
    pub(super) labels: Vec<String>,
    pub(super) every: usize,
    pub(super) series: Vec<Series>,
}

/// The values of one kind.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) look: Look,
    pub(super) values: Vec<i64>,
}

/// How the bars of a series look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Filled.
    Incoming,
    /// Striped.
    Outgoing,
    /// Dotted.
    Refused,
}

impl Look {
    fn class(self) -> &'static str {
        match self {
            Self::Incoming => "incoming",
            Self::Outgoing => "outgoing",
            Self::Refused => "refused",
        }
    }

    /// The pattern, if it is not filled.
    fn pattern(self, id: &str) -> String {
        let class = self.class();
        let drawing = match self {
            Self::Incoming => return String::new(),
            Self::Outgoing => "<path class=\"line\" d=\"M0,6L6,0M-1,1L1,-1M5,7L7,5\"/>",
            Self::Refused => "<circle cx=\"3\" cy=\"3\" r=\"1.6\"/>",
        };
        format!(
            "<pattern id=\"{id}-{class}\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
             <g class=\"{class}\">{drawing}</g></pattern>"
        )
    }

    /// The attributes of its bars.
    fn attributes(self, id: &str) -> String {
        let class = self.class();
        let fill =
            if self == Self::Incoming { String::new() } else { format!(" fill=\"url(#{id}-{class})\"") };
        format!("class=\"bar {class}\"{fill}")
    }
}

impl Chart<'_> {
    /// The chart as SVG.
    pub(super) fn svg(&self) -> String {
        let Self { id, title, description, series, .. } = self;
        let patterns: String = series.iter().map(|one| one.look.pattern(id)).collect();
        let mut svg = format!(
            "<svg class=\"chart\" role=\"img\" aria-labelledby=\"{id}-title {id}-desc\" \
             viewBox=\"0 0 {WIDTH} {HEIGHT}\"><title id=\"{id}-title\">{title}</title>\
             <desc id=\"{id}-desc\">{description}</desc><defs>{patterns}</defs>\
             <text class=\"title\" x=\"10\" y=\"19\">{title}</text>"
        );
        let top = self.top();
        self.draw_legend(&mut svg);
        self.draw_axis(top, &mut svg);
        self.draw_bars(top, &mut svg);
        svg.push_str("</svg>");
        svg
    }

    /// The value at the top of the axis: 2, 4 or 10 times a power of ten, so that its half is a whole number.
    fn top(&self) -> i64 {
        let sum = |at: usize| {
            let values = self.series.iter().filter_map(|one| one.values.get(at).copied());
            values.fold(0_i64, i64::saturating_add)
        };
        let largest = (0..self.labels.len()).map(sum).max().unwrap_or_default();
        let mut power = 1_i64;
        while power < i64::MAX / 100 && power * 10 < largest {
            power *= 10;
        }
        [2, 4, 10].into_iter().map(|times| times * power).find(|top| *top >= largest).unwrap_or(i64::MAX)
    }

    fn draw_legend(&self, svg: &mut String) {
        let mut x = LEFT;
        for Series { name, look, .. } in &self.series {
            let attributes = look.attributes(self.id);
            let _ = write!(
                svg,
                "<rect {attributes} x=\"{x}\" y=\"29\" width=\"14\" height=\"12\"/>\
                 <text x=\"{}\" y=\"40\">{name}</text>",
                x + 20
            );
            x += 50 + 8 * i64::try_from(name.chars().count()).unwrap_or_default();
        }
    }

    fn draw_axis(&self, top: i64, svg: &mut String) {
        for value in [0, top / 2, top] {
            let y = y_of(value, top);
            let _ = write!(
                svg,
                "<path class=\"grid\" d=\"M{LEFT},{y}H{}\"/><text class=\"end\" x=\"{}\" y=\"{}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6,
                y + 4,
                short(value)
            );
        }
        for (at, label) in self.labels.iter().enumerate().step_by(self.every.max(1)) {
            let (x, width) = self.place(at);
            let _ = write!(
                svg,
                "<text class=\"middle\" x=\"{}\" y=\"{}\">{label}</text>",
                x + width / 2,
                HEIGHT - 6
            );
        }
    }

    fn draw_bars(&self, top: i64, svg: &mut String) {
        for (at, label) in self.labels.iter().enumerate() {
            let (x, width) = self.place(at);
            let mut below = 0_i64;
            for Series { name, look, values } in &self.series {
                let value = values.get(at).copied().unwrap_or_default();
                let sum = below.saturating_add(value);
                let (y, base) = (y_of(sum, top), y_of(below, top));
                below = sum;
                if value == 0 {
                    continue;
                }
                // Something is never drawn as nothing.
                let height = (base - y).max(1);
                let attributes = look.attributes(self.id);
                let _ = write!(
                    svg,
                    "<rect {attributes} x=\"{x}\" y=\"{}\" width=\"{width}\" height=\"{height}\">\
                     <title>{label}, {name}: {value}</title></rect>",
                    base - height
                );
            }
        }
    }

    /// The place of a bar: its left side, and its width.
    fn place(&self, at: usize) -> (i64, i64) {
        let count = i64::try_from(self.labels.len()).unwrap_or(1).max(1);
        let step = (WIDTH - LEFT - RIGHT) / count;
        let at = i64::try_from(at).unwrap_or_default();
        (LEFT + at * step + 2, (step - 4).max(2))
    }
}

fn y_of(value: i64, top: i64) -> i64 {
    let room = i128::from(HEIGHT - BOTTOM - TOP);
    let part = room * i128::from(value) / i128::from(top.max(1));
    HEIGHT - BOTTOM - i64::try_from(part).unwrap_or_default()
}

/// A number of the axis, which is short with a unit.
fn short(value: i64) -> String {
    let (mut value, mut unit) = (value, 0);
    while value >= 1_000 && value % 1_000 == 0 && unit + 1 < UNITS.len() {
        value /= 1_000;
        unit += 1;
    }
    format!("{value} {}", UNITS[unit]).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Chart, Look, Series, short};

    fn chart(values: [i64; 2]) -> Chart<'static> {
        let series = [("in", Look::Incoming), ("out", Look::Outgoing), ("no", Look::Refused)];
        let series = series.map(|(name, look)| Series { name, look, values: values.into() });
        let labels = ["10", "11"].map(str::to_owned).into();
        Chart { id: "c", title: "T", description: "D", labels, every: 1, series: series.into() }
    }

    #[test]
    fn each_value_has_a_bar_and_its_series_a_pattern() {
        let svg = chart([7, 0]).svg();
        for (part, count) in [
            ("<rect class=\"bar", 6),
            ("<title>10, in: 7</title>", 1),
            ("11, in", 0),
            ("fill=\"url(#c-outgoing)\"", 2),
            ("<pattern id=\"c-refused\"", 1),
            ("<desc id=\"c-desc\">D</desc>", 1),
            (">40</text>", 1),
            (">20</text>", 1),
            ("style=", 0),
        ] {
            assert_eq!(svg.matches(part).count(), count, "{part}: {svg}");
        }
    }

    #[test]
    fn the_axis_ends_at_a_round_number_that_no_bar_exceeds() {
        for (value, top) in [(0, 2), (1, 4), (2, 10), (4, 20), (33, 100), (34, 200), (1_000, 4_000)] {
            assert_eq!(chart([value, 0]).top(), top, "{value}");
        }
        let huge = chart([i64::MAX, 1]);
        assert!(huge.top() == i64::MAX && huge.svg().contains("</svg>"));
    }

    #[test]
    fn a_number_of_the_axis_is_short() {
        for (value, text) in
            [(0, "0"), (500, "500"), (2_000, "2 k"), (500_000, "500 k"), (4_000_000_000, "4 G")]
        {
            assert_eq!(short(value), text);
        }
    }
}
