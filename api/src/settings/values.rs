//! The settings in force: the rows of `os4x_configuration`, and defaults for the rest. Reads no database itself.

use super::kind::{networks, yes_no};
use super::setting::SettingError;
use super::table::find;
use common::config::Limits;
use common::net::Network;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// The values in force: rows, and defaults for the rest.
#[derive(Debug, Clone)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    /// Reads the rows of `os4x_configuration`.
    pub(crate) fn new(rows: BTreeMap<String, String>) -> Self {
        Self(rows)
    }

    /// The same settings with another value of one.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.0.insert(name.to_owned(), value.to_owned());
        self
    }

    /// The value of `name`: its row, or the default. A row that `config set` would refuse counts as absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        let Ok(setting) = find(name) else { return "" };
        match self.0.get(name) {
            Some(row) if setting.is_secret() || setting.kind.canonical(row).is_some() => row,
            _ => &setting.default,
        }
    }

    /// A number; 0 if the value is not a number.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A port; 0 if the value is not a port.
    pub(crate) fn port(&self, name: &str) -> u16 {
        self.text(name).parse().unwrap_or_default()
    }

    /// Yes or no.
    pub(crate) fn yes(&self, name: &str) -> bool {
        yes_no(self.text(name)).unwrap_or_default()
    }

    /// An address, if one is set.
    pub(crate) fn address(&self, name: &str) -> Option<IpAddr> {
        self.text(name).parse().ok()
    }

    /// Networks.
    pub(crate) fn networks(&self, name: &str) -> Vec<Network> {
        networks(self.text(name)).unwrap_or_default()
    }

    /// The limits of the daemons.
    pub(crate) fn limits(&self) -> Limits {
        Limits::from_rows(|limit| self.number(limit.setting))
    }

    /// Contradictions between settings.
    pub(crate) fn check_order(&self) -> Result<(), SettingError> {
        const ORDERED: [(&str, &str); 2] = [
            ("proxy_unverified_soft", "proxy_unverified_hard"),
            ("proxy_sessions_per_partner", "proxy_sessions"),
        ];
        match ORDERED.iter().find(|(least, most)| self.number(least) > self.number(most)) {
            Some((least, most)) => Err(SettingError::Order(least, most)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SettingError, Values};
    use common::config::Limits;
    use std::collections::BTreeMap;

    #[test]
    fn a_limit_is_its_setting_or_the_default() {
        assert_eq!(Values::new(BTreeMap::new()).limits(), Limits::default());
        let values = Values::new(BTreeMap::from([("proxy_idle_commands".to_owned(), "77".to_owned())]));
        assert_eq!(values.limits(), Limits { idle_commands: 77, ..Limits::default() });
    }

    #[test]
    fn a_row_that_nobody_checked_counts_as_absent() {
        let values = Values::new(BTreeMap::from([("tcp_port_tls".to_owned(), "many".to_owned())]));
        assert_eq!(values.port("tcp_port_tls"), 6619);
    }

    #[test]
    fn limits_that_contradict_each_other_are_refused() {
        let values = Values::new(BTreeMap::from([("proxy_unverified_soft".to_owned(), "201".to_owned())]));
        assert!(matches!(values.check_order(), Err(SettingError::Order(..))));
    }
}
