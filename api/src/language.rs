//! The languages of texts for people. Commands, logs and JSON are English; the panel is in the language of its user. A
//! text that both show is made by one function, with both languages side by side.

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    English,
    German,
}

impl Language {
    #[cfg(test)]
    pub(crate) const ALL: [Self; 2] = [Self::English, Self::German];
}

/// `said!(language, "an English text with {value}", "a German one")`: the text in this language, as a `String`.
macro_rules! said {
    ($language:expr, $english:literal, $german:literal) => {
        match $language {
            $crate::language::Language::English => format!($english),
            $crate::language::Language::German => format!($german),
        }
    };
}
pub(crate) use said;
