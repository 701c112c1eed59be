//! Medians of the measures, a row for each quantity and a column for each chain, with the ratios of the last column.

use std::fmt;

/// Which values of a quantity are better.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    /// Larger ones.
    More,
    /// Smaller ones.
    Less,
}

/// A row's heading.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Row {
    name: String,
    better: Better,
}

impl Row {
    pub(crate) fn new(name: String, better: Better) -> Self {
        Self { name, better }
    }
}

/// The table.
pub(crate) struct Table {
    columns: Vec<String>,
    /// The values of each column, in the rows' order of appearance.
    rows: Vec<(Row, Vec<Vec<f64>>)>,
}

impl Table {
    /// An empty one with these columns.
    pub(crate) fn new(columns: impl Iterator<Item = String>) -> Self {
        Self { columns: columns.collect(), rows: Vec::new() }
    }

    /// One more value.
    pub(crate) fn add(&mut self, row: Row, column: usize, value: f64) {
        let at = self.rows.iter().position(|(known, _)| *known == row).unwrap_or_else(|| {
            self.rows.push((row, vec![Vec::new(); self.columns.len()]));
            self.rows.len() - 1
        });
        if let Some(values) = self.rows.get_mut(at).and_then(|(_, columns)| columns.get_mut(column)) {
            values.push(value);
        }
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// More than three digits would only show the noise of the machine.
fn shown(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (own, others) = self.columns.split_last().ok_or(fmt::Error)?;
        write!(f, "{:38}", "median")?;
        self.columns.iter().try_for_each(|column| write!(f, "{column:>10}"))?;
        others.iter().try_for_each(|other| write!(f, "{:>16}", format!("{own}/{other}")))?;
        for (row, columns) in &self.rows {
            let medians: Vec<f64> = columns.iter().map(|values| median(values)).collect();
            let (own, others) = medians.split_last().ok_or(fmt::Error)?;
            write!(f, "\n{:38}", row.name)?;
            medians.iter().try_for_each(|value| write!(f, "{:>10}", shown(*value)))?;
            for other in others {
                let ratio = own / other;
                let is_behind = if row.better == Better::More { ratio < 1.0 } else { ratio > 1.0 };
                write!(f, "{ratio:>14.2} {}", if is_behind { '-' } else { ' ' })?;
            }
        }
        write!(f, "\n\nRatios marked '-' are those where the last chain is behind.")
    }
}
