//! The output of commands: texts, tables for people, JSON for programs, warnings to standard error. Values from outside
//! cannot control the terminal.

use super::error::CliError;
use crate::owner;
use common::text::escape::visible;
use serde::Serialize;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, IsTerminal as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Prints `text` as it is. It is not an error if the reader has closed the pipe (`| head`).
pub(super) fn print(text: &str) -> Result<(), CliError> {
    print_on(text).map(|_| ())
}

/// The same if more output follows: false if the reader has closed the pipe.
pub(super) fn print_on(text: &str) -> Result<bool, CliError> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(cause) => Err(CliError::Output(cause)),
        Ok(()) => Ok(true),
    }
}

/// Prints a line for people.
pub(super) fn say(line: &str) -> Result<(), CliError> {
    print(&format!("{}\n", visible(line)))
}

/// Prints lines for people.
pub(super) fn say_lines(lines: &str) -> Result<(), CliError> {
    lines.lines().try_for_each(say)
}

/// Prints a message in addition to the result on standard output.
pub(super) fn note(line: &str) {
    eprintln!("os4xapi: {}", visible(line));
}

/// The same for a person who waits: only if standard error is a terminal.
pub(super) fn tell_terminal(line: &str) {
    if io::stderr().is_terminal() {
        note(line);
    }
}

/// Prints a warning to standard error.
pub(super) fn warn(line: &str) {
    eprintln!("os4xapi: warning: {}", visible(line));
}

/// Asks on a terminal whether to go on; elsewhere, and with `yes`, it does not ask. No transaction is open meanwhile.
pub(super) fn confirm(question: &str, yes: bool) -> Result<(), CliError> {
    if yes || !io::stdin().is_terminal() {
        return Ok(());
    }
    eprint!("os4xapi: {} [y/N] ", visible(question));
    let mut answer = String::new();
    // No answer counts as no.
    let _ = io::stdin().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(CliError::Refused("nothing was changed".into())),
    }
}

/// Prints `value` as JSON.
pub(super) fn json<T: Serialize>(value: &T) -> Result<(), CliError> {
    print(&as_json(value)?)
}

/// `value` as the JSON that is printed.
pub(super) fn as_json<T: Serialize>(value: &T) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(value).map_err(|cause| CliError::Output(cause.into()))?;
    Ok(format!("{text}\n"))
}

/// `value` as JSON on one line.
pub(super) fn json_line<T: Serialize>(value: &T) -> Result<String, CliError> {
    let text = serde_json::to_string(value).map_err(|cause| CliError::Output(cause.into()))?;
    Ok(format!("{text}\n"))
}

/// Writes a result to `path`, or prints it.
pub(super) fn write_to(text: &str, path: Option<&str>) -> Result<(), CliError> {
    write_with_mode(text, path, 0o666)
}

/// The same for a secret: a file that only its owner can read.
pub(super) fn write_secret_to(text: &str, path: Option<&str>) -> Result<(), CliError> {
    write_with_mode(text, path, 0o600)
}

fn write_with_mode(text: &str, path: Option<&str>, mode: u32) -> Result<(), CliError> {
    match path {
        None | Some("-") => print(text),
        Some(path) => {
            write_file(text, Path::new(path), mode).map_err(|cause| CliError::Write(path.into(), cause))
        }
    }
}

/// Writes the whole file. An existing file does not have more rights afterwards than `mode`.
fn write_file(text: &str, path: &Path, mode: u32) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(path)?;
    let found = file.metadata()?;
    if found.is_file() {
        file.set_permissions(Permissions::from_mode(found.permissions().mode() & mode))?;
        owner::give(&file, path)?;
    }
    file.write_all(text.as_bytes())
}

/// Rows under a heading.
pub(super) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub(super) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&word| word.to_owned()).collect()] }
    }

    /// One more row.
    pub(super) fn row<const N: usize>(&mut self, cells: &[String; N]) {
        self.rows.push(cells.iter().map(|cell| visible(cell)).collect());
    }

    /// Prints the table, or `empty` if there is no row.
    pub(super) fn print(&self, empty: &str) -> Result<(), CliError> {
        print(&self.text_or(empty))
    }

    /// The table as text, or `empty` as a line if there is no row.
    pub(super) fn text_or(&self, empty: &str) -> String {
        if self.rows.len() < 2 { format!("{}\n", visible(empty)) } else { self.text() }
    }

    fn text(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
            })
            .map(Option::unwrap_or_default)
            .collect();
        let line = |row: &Vec<String>| {
            let cells: Vec<String> =
                row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            format!("{}\n", cells.join("  ").trim_end())
        };
        self.rows.iter().map(line).collect()
    }
}

/// A value that may be absent, for a table.
pub(super) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// `yes` or `no`.
pub(super) fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn columns_are_aligned_and_control_characters_shown() {
        let mut table = Table::new(&["NAME", "VALUE"]);
        table.row(&["longer name".into(), "\u{1b}[2Jx\n".into()]);
        assert_eq!(table.text(), "NAME         VALUE\nlonger name  \\x1b[2Jx\\n\n");
    }
}
