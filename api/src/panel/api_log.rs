//! The last lines of the API's log file, on the page Logging. Operators do not see them: a line may name anything that
//! somebody has changed.

use super::gate::SignedIn;
use super::parts::Part;
use crate::store::users::Role;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use tokio::task::spawn_blocking;

/// The page with the settings of the log.
pub(super) const LOGGING: &str = "/configuration/logging";
/// Lines that are shown.
const LINES: usize = 200;
/// Octets that are read from the end of the file.
const OCTETS: u64 = 64 << 10;

/// The part of the page.
pub(super) async fn part(who: &SignedIn) -> Option<Part> {
    let w = who.0.words;
    if who.1.user.role == Role::Operator {
        return None;
    }
    let path = who.0.values.text("api_log_file").to_owned();
    if path.is_empty() {
        return Some(Part::note("log", w.api_log, w.api_log_elsewhere));
    }
    // The disk may be slow: no other page waits for it.
    let read = spawn_blocking(move || tail(&path)).await;
    Some(match read {
        Ok(Ok(lines)) => Part::lines("log", w.api_log, lines),
        Ok(Err(why)) => Part::note("log", w.api_log, &format!("{} {why}", w.api_log_unreadable)),
        Err(_) => Part::note("log", w.api_log, w.fault_inner),
    })
}

/// The last lines of a file, the oldest first.
fn tail(path: &str) -> io::Result<Vec<String>> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let start = size.saturating_sub(OCTETS);
    file.seek(SeekFrom::Start(start))?;
    let mut octets = Vec::new();
    file.take(OCTETS).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets);
    // The first line may be the end of one.
    let lines: Vec<&str> = text.lines().skip(usize::from(start > 0)).collect();
    let first = lines.len().saturating_sub(LINES);
    Ok(lines.into_iter().skip(first).map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::{LINES, tail};
    use crate::db::scratch::Scratch;

    #[test]
    fn the_last_lines_of_a_large_file_are_whole_and_no_more_than_so_many() {
        let scratch = Scratch::new();
        let path = scratch.path("api.log");
        let path = path.to_str().unwrap();
        std::fs::write(path, "one\ntwo\n").unwrap();
        assert_eq!(tail(path).unwrap(), ["one", "two"]);
        let line = |number: usize| format!("line {number} {}", "x".repeat(number % 900));
        let all: Vec<String> = (0..5_000).map(line).collect();
        std::fs::write(path, all.join("\n")).unwrap();
        let shown = tail(path).unwrap();
        assert!(shown.len() <= LINES && shown.len() > 50, "{}", shown.len());
        assert_eq!(shown, all[all.len() - shown.len()..]);
        assert!(tail("/nonexistent").is_err());
    }
}
