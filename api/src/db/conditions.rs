//! The conditions of a search, and the values for their places.

use super::statement::{Statement, query};
use sqlx::AssertSqlSafe;

/// Conditions that must all be true.
#[derive(Debug, Default)]
pub(crate) struct Conditions {
    clauses: Vec<String>,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Text(String),
    Number(i64),
}

impl Conditions {
    /// One more; each `?` in it is the place of this text.
    pub(crate) fn text(&mut self, clause: &'static str, text: &str) {
        self.add(clause, Value::Text(text.to_owned()));
    }

    /// The same for a number.
    pub(crate) fn number(&mut self, clause: &'static str, number: i64) {
        self.add(clause, Value::Number(number));
    }

    /// The same if the text is not empty.
    pub(crate) fn text_if(&mut self, clause: &'static str, text: &str) {
        if !text.is_empty() {
            self.text(clause, text);
        }
    }

    /// The same if there is a number.
    pub(crate) fn number_if(&mut self, clause: &'static str, number: Option<i64>) {
        if let Some(number) = number {
            self.number(clause, number);
        }
    }

    /// The same for a column that contains `text`, in upper or lower case.
    pub(crate) fn containing_if(&mut self, clause: &'static str, text: &str) {
        if !text.is_empty() {
            self.text(clause, &containing(text));
        }
    }

    /// One more without a value.
    pub(crate) fn fixed(&mut self, clause: &'static str) {
        self.clauses.push(clause.to_owned());
    }

    /// One more with two values: `#` is the place of the number, `?` that of the text.
    pub(crate) fn pair(&mut self, clause: &'static str, number: i64, text: &str) {
        self.values.extend([Value::Number(number), Value::Text(text.to_owned())]);
        let last = self.values.len();
        self.clauses.push(clause.replace('#', &format!("${}", last - 1)).replace('?', &format!("${last}")));
    }

    fn add(&mut self, clause: &'static str, value: Value) {
        self.values.push(value);
        self.clauses.push(clause.replace('?', &format!("${}", self.values.len())));
    }

    /// The rows of `select` for which they are true, in this order, `limit` at most.
    pub(crate) fn statement(self, select: &str, order: &str, limit: u32) -> Statement<'static> {
        let place = self.values.len() + 1;
        let all = if self.clauses.is_empty() { "1 = 1".to_owned() } else { self.clauses.join(" AND ") };
        // Safe: clauses are constants, and values have places.
        let sql = AssertSqlSafe(format!("{select} WHERE {all} ORDER BY {order} LIMIT ${place}"));
        let bound = self.values.into_iter().fold(query(sql), |statement, value| match value {
            Value::Text(text) => statement.bind(text),
            Value::Number(number) => statement.bind(number),
        });
        bound.bind(i64::from(limit))
    }
}

/// A pattern of `LIKE ... ESCAPE '@'` for lower-case text that contains `text`.
fn containing(text: &str) -> String {
    let text = text.to_lowercase().replace('@', "@@").replace('%', "@%").replace('_', "@_");
    format!("%{text}%")
}
