//! Text and time in the forms that all parts use: hex digits, names of hosts, URLs, escaped and shortened text, the
//! wall clock. Pure functions, apart from the clock's `now`. Imports only `sys`, so that `oftp` may use it.

pub mod clock;
pub mod escape;
pub mod fields;
pub mod hex;
pub mod host;
pub mod url;

/// `text`; if it is longer than `most` octets, its begin and `...` in at most `most` octets.
pub fn shortened(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut cut = most.saturating_sub(3);
        while !text.is_char_boundary(cut) {
            cut -= 1;
        }
        text.truncate(cut);
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::shortened;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(shortened("\u{e4}\u{e4}\u{e4}\u{e4}".to_owned(), 6), "\u{e4}...");
        assert_eq!(shortened("short".to_owned(), 5), "short");
        assert_eq!(shortened("longer".to_owned(), 5), "lo...");
    }
}
