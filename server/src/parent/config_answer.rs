//! The backend's answer to a request for a configuration: reads it and checks the whole configuration. `link` takes it
//! over. Pure.

use crate::active_config::ActiveConfig;
use common::rpc::{ConfigAnswer, without_values};

/// The result of reading an answer.
pub(super) enum Answer {
    /// The generation in force is the newest.
    Unchanged,
    /// Another generation, ready for use, and sentences about single certificates or CRLs that were skipped.
    New(Box<ActiveConfig>, Vec<String>),
    /// The answer cannot be used: the generation, if it is known, and the reason.
    Refused(Option<u64>, String),
}

/// Reads an answer, JSON.
pub(super) fn read(text: &str) -> Answer {
    match serde_json::from_str::<ConfigAnswer>(text) {
        Ok(ConfigAnswer::Unchanged { .. }) => Answer::Unchanged,
        Ok(ConfigAnswer::Changed { config }) => {
            let generation = config.generation;
            match ActiveConfig::build(*config) {
                Ok((config, skipped)) => Answer::New(Box::new(config), skipped),
                Err(e) => Answer::Refused(Some(generation), e.to_string()),
            }
        }
        Err(e) => Answer::Refused(None, format!("it does not match the protocol: {}", without_values(&e))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_without_a_valid_configuration_is_refused() {
        assert!(matches!(read(r#"{"ok":true,"unchanged":true}"#), Answer::Unchanged));
        for text in ["", "no JSON", "{}", r#"{"config":{"generation":1}}"#] {
            let Answer::Refused(None, reason) = read(text) else { panic!("{text} is not refused") };
            assert!(reason.starts_with("it does not match the protocol: "), "{reason}");
        }
    }
}
