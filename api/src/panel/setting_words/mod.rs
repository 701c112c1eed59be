//! The texts for the settings: the label from the documentation, and the explanation, in sentences. The commands and
//! the manual have the shorter texts of the table of settings.

mod table;

use super::words::Words;
use table::ALL;

/// The unit of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    Seconds,
    Minutes,
    Hours,
    Days,
    Octets,
    Mebibytes,
    Slices,
}

impl Unit {
    /// The word for the unit.
    pub(super) fn word(self, w: &'static Words) -> &'static str {
        match self {
            Self::None => "",
            Self::Seconds => w.unit_seconds,
            Self::Minutes => w.unit_minutes,
            Self::Hours => w.unit_hours,
            Self::Days => w.unit_days,
            Self::Octets => w.unit_octets,
            Self::Mebibytes => "MiB",
            Self::Slices => w.unit_slices,
        }
    }
}

/// The texts for a setting.
pub(super) struct SettingWords {
    name: &'static str,
    label: [&'static str; 2],
    help: [&'static str; 2],
    pub(super) unit: Unit,
}

impl SettingWords {
    /// The label of the setting.
    pub(super) fn label(&self, w: &'static Words) -> &'static str {
        let [english, german] = self.label;
        if w.language == "de" { german } else { english }
    }

    /// The explanation of the setting.
    pub(super) fn help(&self, w: &'static Words) -> &'static str {
        let [english, german] = self.help;
        if w.language == "de" { german } else { english }
    }
}

/// The texts for the setting with this name.
pub(super) fn of(name: &str) -> Option<&'static SettingWords> {
    ALL.iter().find(|words| words.name == name)
}

const fn row(
    name: &'static str,
    unit: Unit,
    english: &'static str,
    german: &'static str,
    english_help: &'static str,
    german_help: &'static str,
) -> SettingWords {
    SettingWords { name, label: [english, german], help: [english_help, german_help], unit }
}

#[cfg(test)]
mod tests {
    use super::of;
    use crate::settings::{SETTINGS, TOKEN};

    #[test]
    fn each_setting_has_its_words() {
        for setting in SETTINGS.iter().filter(|setting| setting.name != TOKEN) {
            let words = of(setting.name).unwrap_or_else(|| panic!("{}", setting.name));
            assert!(words.label.iter().all(|label| !label.is_empty()), "{}", setting.name);
            assert!(words.help.iter().all(|help| help.ends_with('.')), "{}", setting.name);
            // A sentence has a verb, so it is not the same as the shorter text of the commands.
            let [english, german] = words.help;
            assert!(english != german && english.split(' ').count() > 4, "{english}");
        }
    }
}
