//! Partners in a table (CSV, RFC 4180), as people edit them in a spreadsheet: a line of headings, then one partner in a
//! line. Pure.

use super::{ChangeError, State};
use crate::settings::yes_no;
use common::config::Partner;
use serde_json::Value;
use std::str::FromStr;

/// The columns that are known; a partner needs the first two.
const COLUMNS: [&str; 6] = ["name", "ssid", "host", "port", "tls", "outgoing_ip"];

/// The partners of a table: new ones, and partners of `present` with the changes of their line.
pub(super) fn partners(text: &str, present: &State) -> Result<State, ChangeError> {
    let mut rows = rows(text).into_iter().enumerate();
    let (_, headings) = rows.next().ok_or_else(|| refused(1, "the table is empty"))?;
    let columns = columns(&headings)?;
    let mut all = State::new();
    for (at, cells) in rows.filter(|(_, cells)| cells.iter().any(|cell| !cell.is_empty())) {
        let row = Row { number: at + 1, columns: &columns, cells: &cells };
        let partner = row.partner(present)?;
        let name = format!("partner {}", partner.short_name);
        let value = serde_json::to_value(&partner).map_err(|why| row.refused(&why.to_string()))?;
        if all.insert(name, value).is_some() {
            return Err(row.refused(&format!("there are two rows for '{}'", partner.short_name)));
        }
    }
    Ok(all)
}

/// The place of each column.
fn columns(headings: &[String]) -> Result<Vec<&'static str>, ChangeError> {
    let mut columns = Vec::new();
    for heading in headings {
        let plain = heading.trim().to_lowercase().replace([' ', '-'], "_");
        let known = COLUMNS.into_iter().find(|column| *column == plain);
        let Some(known) = known.filter(|known| !columns.contains(known)) else {
            let all = COLUMNS.join(", ");
            return Err(refused(
                1,
                &format!("there is no column '{heading}', or it is there twice: it takes {all}"),
            ));
        };
        columns.push(known);
    }
    match COLUMNS.iter().take(2).find(|needed| !columns.contains(*needed)) {
        None => Ok(columns),
        Some(needed) => Err(refused(1, &format!("the heading '{needed}' is missing"))),
    }
}

/// A row of the table.
struct Row<'a> {
    number: usize,
    columns: &'a [&'static str],
    cells: &'a [String],
}

impl Row<'_> {
    /// The cell of a column; none if it is empty.
    fn cell(&self, column: &str) -> Option<&str> {
        let at = self.columns.iter().position(|known| *known == column)?;
        self.cells.get(at).map(|cell| cell.trim()).filter(|cell| !cell.is_empty())
    }

    fn parsed<T: FromStr>(&self, column: &str, wanted: &str) -> Result<Option<T>, ChangeError> {
        let cell = self.cell(column);
        cell.map(|text| text.parse().map_err(|_| self.wrong(column, text, wanted))).transpose()
    }

    fn needed(&self, column: &str) -> Result<&str, ChangeError> {
        self.cell(column).ok_or_else(|| self.refused(&format!("the cell of '{column}' is empty")))
    }

    fn partner(&self, present: &State) -> Result<Partner, ChangeError> {
        if self.cells.len() > self.columns.len() {
            return Err(self.refused("it has more cells than there are headings"));
        }
        let (name, ssid) = (self.needed("name")?, self.needed("ssid")?);
        let there = present.get(&format!("partner {name}")).cloned().unwrap_or(Value::Null);
        let mut partner = serde_json::from_value(there).unwrap_or_else(|_| Partner::new(name, ssid));
        ssid.clone_into(&mut partner.ssid);
        if let Some(host) = self.cell("host") {
            partner.host = Some(host.to_owned());
        }
        let tls = match self.cell("tls") {
            Some(text) => yes_no(text).ok_or_else(|| self.wrong("tls", text, "yes or no"))?,
            None => partner.tls,
        };
        if partner.port == Partner::default_port(partner.tls) {
            partner.port = Partner::default_port(tls);
        }
        partner.tls = tls;
        partner.port = self.parsed("port", "a port from 1 to 65535")?.unwrap_or(partner.port);
        partner.outgoing_ip = self.parsed("outgoing_ip", "an IP address")?.or(partner.outgoing_ip);
        Ok(partner)
    }

    fn wrong(&self, column: &str, text: &str, wanted: &str) -> ChangeError {
        self.refused(&format!("'{column}' cannot be '{text}': it takes {wanted}"))
    }

    fn refused(&self, why: &str) -> ChangeError {
        refused(self.number, why)
    }
}

fn refused(number: usize, why: &str) -> ChangeError {
    ChangeError::Refused(format!("row {number} of the table: {why}"))
}

/// The rows and their cells: the separator is the one of the first line; a cell in quotes may contain it, and `""` for
/// a quote.
fn rows(text: &str) -> Vec<Vec<String>> {
    let first = text.lines().next().unwrap_or_default();
    let separator = [';', '\t'].into_iter().find(|separator| first.contains(*separator)).unwrap_or(',');
    let (mut rows, mut cells, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut characters = text.chars().peekable();
    let mut is_quoted = false;
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' if is_quoted || cell.is_empty() => is_quoted = !is_quoted,
            '\n' if !is_quoted => {
                cells.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut cells));
            }
            '\r' if !is_quoted => {}
            other if other == separator && !is_quoted => cells.push(std::mem::take(&mut cell)),
            other => cell.push(other),
        }
    }
    if !cell.is_empty() || !cells.is_empty() {
        cells.push(cell);
        rows.push(cells);
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::{State, partners, rows};
    use serde_json::json;

    #[test]
    fn cells_may_be_quoted_and_separated_in_three_ways() {
        for text in ["a,b\r\n\"x,\"\"y\"\"\",2\r\n", "a;b\n\"x,\"\"y\"\"\";2", "a\tb\n\"x,\"\"y\"\"\"\t2\n\n"]
        {
            let found = rows(text);
            assert_eq!(found[0], ["a", "b"], "{text}");
            assert_eq!(found[1], ["x,\"y\"", "2"], "{text}");
        }
    }

    #[test]
    fn a_row_is_a_partner_and_an_empty_cell_leaves_what_is_there() {
        let table = "Name;SSID;Host;TLS;Outgoing IP\nA;O0013A;a.example;no;\n\nB;O0013B;;;192.0.2.1\n";
        let all = partners(table, &State::new()).unwrap();
        let a = &all["partner A"];
        assert_eq!((&a["port"], &a["host"]), (&json!(3305), &json!("a.example")));
        assert_eq!(all["partner B"]["outgoing_ip"], "192.0.2.1");
        let again = partners("name,ssid,tls\nA,O0013X,yes\n", &all).unwrap();
        let a = &again["partner A"];
        assert_eq!(
            (&a["ssid"], &a["port"], &a["host"]),
            (&json!("O0013X"), &json!(6619), &json!("a.example"))
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_row() {
        for (table, said) in [
            ("", "row 1 of the table: the table is empty"),
            ("name,host\n", "the heading 'ssid' is missing"),
            ("name,ssid,colour\n", "no column 'colour'"),
            ("name,ssid,name\n", "or it is there twice"),
            ("name,ssid\nA,\n", "row 2 of the table: the cell of 'ssid' is empty"),
            ("name,ssid,port\nA,O0013A,1\nB,O0013B,many\n", "row 3 of the table: 'port' cannot be 'many'"),
            ("name,ssid,tls\nA,O0013A,maybe\n", "'tls' cannot be 'maybe'"),
            ("name,ssid\nA,O0013A\nA,O0013B\n", "two rows for 'A'"),
            ("name,ssid\nA,O0013A,more\n", "more cells"),
        ] {
            let refusal = partners(table, &State::new()).unwrap_err().to_string();
            assert!(refusal.contains(said), "{refusal}");
        }
    }
}
