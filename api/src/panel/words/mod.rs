//! The words of the panel, in English and German, and the choice of the language. The words of the log stay English:
//! they are the same in logs, commands and manuals.

mod files;
mod reasons;
mod table;

use crate::language::Language;
use crate::pki::PkiError;
use axum::http::{HeaderMap, header};
pub(super) use table::Words;
use table::{ENGLISH, GERMAN};

impl Words {
    /// Their language.
    pub(super) fn language(&self) -> Language {
        if self.language == GERMAN.language { Language::German } else { Language::English }
    }

    /// The word for a direction, which the daemons report in English.
    pub(super) fn direction_word<'a>(&self, direction: &'a str) -> &'a str {
        match direction {
            "incoming" => self.incoming,
            "outgoing" => self.outgoing,
            other => other,
        }
    }

    /// What is wrong with an uploaded file.
    pub(super) fn of_file(&self, why: &PkiError) -> String {
        files::text(self.language(), why)
    }

    /// The meaning of a reason, and what to do about it.
    pub(super) fn meaning(&self, reason: &str) -> &'static str {
        reasons::meaning(self.language(), reason)
    }
}

/// The words of this language, if the panel speaks it.
pub(super) fn of_language(language: &str) -> Option<&'static Words> {
    [&ENGLISH, &GERMAN].into_iter().find(|words| words.language == language)
}

/// The words of the language that a browser asks for first; English, if it is none of ours.
pub(super) fn of_headers(headers: &HeaderMap) -> &'static Words {
    let wanted =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut all = wanted.split(',').map(|one| one.trim().get(..2).unwrap_or_default().to_ascii_lowercase());
    all.find_map(|language| of_language(&language)).unwrap_or(&ENGLISH)
}

#[cfg(test)]
mod tests {
    use super::of_headers;
    use super::table::ALL;
    use axum::http::HeaderMap;

    #[test]
    fn a_browser_gets_the_first_of_its_languages_that_there_is() {
        for (wanted, language) in [
            ("", "en"),
            ("de-DE,de;q=0.9,en;q=0.8", "de"),
            ("fr, de;q=0.5", "de"),
            ("fr", "en"),
            ("EN, de", "en"),
        ] {
            let headers: HeaderMap =
                [("accept-language".parse().unwrap(), wanted.parse().unwrap())].into_iter().collect();
            assert_eq!(of_headers(&headers).language, language, "{wanted}");
        }
    }

    #[test]
    fn each_word_has_a_text_in_both_languages_that_ends_alike() {
        for (name, english, german) in ALL {
            assert!(!english.is_empty() && !german.is_empty(), "{name}");
            // What stands between the digits of a number ends nothing.
            if english.len() == 1 {
                continue;
            }
            assert_eq!(english.ends_with('.'), german.ends_with('.'), "{name}");
            assert_eq!(english.ends_with(':'), german.ends_with(':'), "{name}");
        }
    }
}
