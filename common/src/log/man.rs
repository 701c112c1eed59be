//! For tests: parts of the man pages that are made from tables of the code, so that neither can change alone.
//! Such a part stands between two comments, `NAME begin` and `NAME end`. With `UPDATE_MAN` in the environment the
//! tests write it anew.

use std::fs;
use std::sync::{Mutex, PoisonError};

/// The directory of the workspace.
pub(in crate::log) const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The source of the man page called `page`.
pub(in crate::log) fn read(page: &str) -> String {
    fs::read_to_string(path(page)).unwrap()
}

fn path(page: &str) -> String {
    format!("{WORKSPACE}/man/{page}")
}

/// Asserts that the part `name` of `page` is `expected`, or makes it so.
pub(in crate::log) fn hold(page: &str, name: &str, expected: &str) {
    // Tests run side by side, and two may write the same page.
    static PAGES: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read(page);
    let (begin, end) = (format!(".\\\" {name} begin\n"), format!(".\\\" {name} end\n"));
    let (head, rest) = text.split_once(&begin).unwrap();
    let (part, tail) = rest.split_once(&end).unwrap();
    if part != expected && std::env::var_os("UPDATE_MAN").is_some() {
        fs::write(path(page), format!("{head}{begin}{expected}{end}{tail}")).unwrap();
        return;
    }
    assert!(
        part == expected,
        "{page} is behind the code: run UPDATE_MAN=1 cargo test, or put there:\n{expected}"
    );
}

/// `sentence` in lines of fewer than 80 columns.
pub(in crate::log) fn filled(sentence: &str) -> String {
    let (mut lines, mut column) = (String::new(), 0);
    for word in sentence.split_whitespace() {
        if column > 0 {
            let fits = column + 1 + word.len() < 80;
            lines.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        lines.push_str(word);
        column += word.len();
    }
    lines
}
