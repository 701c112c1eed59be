//! Errors as texts for the command line and for the log: the causes, outermost first, and the sentence for people. Many
//! errors repeat their cause in their own text, so a repeated text is left out. Pure; prints nothing.

use std::error::Error;

/// The causes of `error` whose text is not contained in its own text or in earlier ones.
pub(crate) fn causes(error: &dyn Error) -> Vec<String> {
    let mut said = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        cause = inner.source();
    }
    said.split_off(1)
}

/// The error and its causes on one line.
pub(crate) fn on_one_line(error: &dyn Error) -> String {
    causes(error).iter().fold(error.to_string(), |text, cause| format!("{text} ({cause})"))
}

/// The text of an error as a sentence. Errors begin with a lower-case letter and have no full stop (Rust API
/// guidelines); a first word that is a name, such as a setting or an option, is not changed.
pub(crate) fn sentence(text: &str) -> String {
    let (word, _) = text.split_once(' ').unwrap_or((text, ""));
    let mut sentence = text.to_owned();
    if word.bytes().all(|octet| octet.is_ascii_lowercase())
        && let Some(first) = sentence.get_mut(..1)
    {
        first.make_ascii_uppercase();
    }
    if !text.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::{on_one_line, sentence};
    use std::error::Error;
    use std::fmt;

    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Layer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self.1.as_deref()?)
        }
    }

    #[test]
    fn a_cause_is_said_once() {
        let inner = Layer("no such file", None);
        let middle = Layer("cannot connect: no such file", Some(Box::new(inner)));
        let outer = Layer("the database is out of reach", Some(Box::new(middle)));
        assert_eq!(on_one_line(&outer), "the database is out of reach (cannot connect: no such file)");
    }

    #[test]
    fn a_sentence_has_a_capital_and_a_full_stop_but_a_name_stays() {
        for (text, expected) in [
            ("a file is missing", "A file is missing."),
            ("tcp_port takes a number", "tcp_port takes a number."),
            ("--port is missing", "--port is missing."),
            ("OpenSSL failed", "OpenSSL failed."),
            ("Is it there?", "Is it there?"),
            ("", "."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }
}
