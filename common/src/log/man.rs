//! For tests: parts of the man pages that are made from tables of the code, so that both always agree. Such a part
//! stands between two comments, `NAME begin` and `NAME end`. With `UPDATE_MAN` in the environment the tests write it
//! again. The backend's tests include this file, so it uses nothing of its crate.

use std::fs;
use std::sync::{Mutex, PoisonError};

/// The directory of the workspace.
pub(crate) const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The source of the man page called `page`.
pub(crate) fn read(page: &str) -> String {
    fs::read_to_string(path(page)).unwrap()
}

fn path(page: &str) -> String {
    format!("{WORKSPACE}/man/{page}")
}

/// The source of a page before the part `name`, the part, and what follows it; the two comments are outside the part.
pub(crate) fn split<'a>(text: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let (begin, end) = (format!(".\\\" {name} begin\n"), format!(".\\\" {name} end\n"));
    let start = text.find(&begin).unwrap() + begin.len();
    let length = text[start..].find(&end).unwrap();
    (&text[..start], &text[start..start + length], &text[start + length..])
}

/// Asserts that the part `name` of `page` is `expected`; with `UPDATE_MAN`, writes it.
pub(crate) fn hold(page: &str, name: &str, expected: &str) {
    // Tests run at the same time, and two of them may write the same page.
    static PAGES: Mutex<()> = Mutex::new(());
    let _one_at_a_time = PAGES.lock().unwrap_or_else(PoisonError::into_inner);
    let text = read(page);
    let (head, part, tail) = split(&text, name);
    if part != expected && std::env::var_os("UPDATE_MAN").is_some() {
        fs::write(path(page), format!("{head}{expected}{tail}")).unwrap();
        return;
    }
    assert!(
        part == expected,
        "{page} is behind the code: run UPDATE_MAN=1 cargo test, or put there:\n{expected}"
    );
}

/// `sentence` in lines of fewer than 80 columns. No line begins with a character that roff takes for a request.
pub(crate) fn filled(sentence: &str) -> String {
    let (mut lines, mut column) = (String::new(), 0);
    for word in sentence.split_whitespace() {
        if column > 0 {
            let fits = column + 1 + word.len() < 80;
            lines.push(if fits { ' ' } else { '\n' });
            column = if fits { column + 1 } else { 0 };
        }
        if column == 0 && word.starts_with(['.', '\'']) {
            // At the start of a line it would be a macro.
            lines.push_str("\\&");
        }
        lines.push_str(word);
        column += word.len();
    }
    lines
}
