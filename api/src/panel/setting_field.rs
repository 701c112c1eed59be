//! A setting as a field of a form, and the error of an invalid value: both in the language of the page.

use super::form::{Field, Shape, Wrong};
use super::setting_words::{self, Unit};
use super::words::Words;
use crate::settings::{Kind, Setting, SettingError, Values, find};

const LEVELS: [&str; 5] = ["ERROR", "WARN", "INFO", "DEBUG", "TRACE"];

/// The field of a setting with its present value.
pub(super) fn field(w: &'static Words, setting: &'static Setting, values: &Values) -> Field {
    let words = setting_words::of(setting.name);
    let label = words.map_or(setting.name, |words| words.label(w));
    let help = words.map_or(setting.help, |words| words.help(w));
    let unit = words.map_or(Unit::None, |words| words.unit);
    let value = setting.shown(values.text(setting.name));
    let default = match (setting.kind, setting.default.as_ref()) {
        (_, "") => w.nothing,
        (Kind::YesNo, "yes") => w.yes,
        (Kind::YesNo, _) => w.no,
        (_, default) => default,
    };
    let hint = format!(
        "{help} {} {}. {}: {default}. ({})",
        w.it_takes,
        allowed(w, setting.kind, unit),
        w.default_value,
        setting.name
    );
    let one_of = |all: &[(&str, &str)]| {
        Shape::Choice(all.iter().map(|(value, word)| ((*value).to_owned(), (*word).to_owned())).collect())
    };
    let shape = match setting.kind {
        Kind::Number(..) => Shape::Number,
        Kind::YesNo => one_of(&[("yes", w.yes), ("no", w.no)]),
        Kind::Level => one_of(&LEVELS.map(|level| (level, level))),
        _ => Shape::Text,
    };
    Field::of(shape, setting.name, label, value).with(hint)
}

/// A text about the values that a setting allows.
fn allowed(w: &'static Words, kind: Kind, unit: Unit) -> String {
    match kind {
        Kind::Number(least, most) => {
            format!("{} {least} {} {most} {}", w.takes_number, w.to, unit.word(w)).trim_end().to_owned()
        }
        kind => of_kind(w, kind).to_owned(),
    }
}

fn of_kind(w: &'static Words, kind: Kind) -> &'static str {
    match kind {
        Kind::Number(..) => w.takes_number,
        Kind::YesNo => w.takes_yes_no,
        Kind::Address => w.takes_address,
        Kind::Host => w.takes_host,
        Kind::Networks => w.takes_networks,
        Kind::UrlPaths => w.takes_paths,
        Kind::File => w.takes_file,
        Kind::Proxy => w.takes_proxy,
        Kind::Hosts => w.takes_hosts,
        Kind::HttpsUrl => w.takes_url,
        Kind::Event => w.takes_event,
        Kind::Level => w.takes_level,
        Kind::Secret(_) => w.nothing,
    }
}

/// The error of a value, for the field that it concerns.
pub(super) fn wrong(w: &'static Words, why: &SettingError) -> Wrong {
    match why {
        SettingError::Value { name, .. } => {
            let kind = find(name).map_or(Kind::File, |setting| setting.kind);
            let unit = setting_words::of(name).map_or(Unit::None, |words| words.unit);
            Wrong::new(name, format!("{} {}.", w.takes_only, allowed(w, kind, unit)))
        }
        SettingError::Order(least, most) => {
            let label = setting_words::of(most).map_or(*most, |words| words.label(w));
            Wrong::new(least, format!("{} '{label}'.", w.not_greater_than))
        }
        SettingError::Unknown(name) | SettingError::NotOfServer { name, .. } => {
            Wrong::new(name, why.to_string())
        }
        SettingError::Elsewhere(name, _) => Wrong::new(name, why.to_string()),
    }
}
