//! The settings that one server may have for itself: some of the global ones, whose value it replaces for this server,
//! and two that only a server has. Reads no database.

use super::kind::{Kind, yes_no};
use super::setting::{Setting, SettingError};
use super::table;
use super::values::Values;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The global settings that a server may have for itself.
pub(crate) const OVERRIDES: [&str; 4] =
    ["tcp_port_tls", "tcp_incoming_ip", "tcp_outgoing_ip", "tcp_proxy_protocol_from"];
/// Whether the server is in use.
pub(crate) const ENABLED: &str = "enabled";
/// Whether it takes no new sessions for a time.
pub(crate) const DRAIN: &str = "drain";

/// The settings that no global one has.
static OWN: LazyLock<[Setting; 2]> = LazyLock::new(|| {
    let yes_no =
        |name, default, help| Setting { name, default: Cow::Borrowed(default), kind: Kind::YesNo, help };
    [
        yes_no(
            ENABLED,
            "yes",
            "The server is in use; a server that is not takes no new sessions, and nobody is told that it is missing.",
        ),
        yes_no(DRAIN, "no", "The server takes no new sessions; those that run go on (maintenance)."),
    ]
});

/// All of them, in the order of lists.
pub(crate) fn all() -> impl Iterator<Item = &'static Setting> {
    OWN.iter().chain(OVERRIDES.iter().filter_map(|name| table::find(name).ok()))
}

/// The setting of this name.
pub(crate) fn find(name: &str) -> Result<&'static Setting, SettingError> {
    all().find(|setting| setting.name == name).ok_or_else(|| {
        let names: Vec<&str> = all().map(|setting| setting.name).collect();
        SettingError::NotOfServer { name: name.to_owned(), allowed: names.join(", ") }
    })
}

/// The values that a server has for itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServerSettings(BTreeMap<String, String>);

impl ServerSettings {
    /// Reads the rows of a server.
    pub(crate) fn new(rows: BTreeMap<String, String>) -> Self {
        Self(rows)
    }

    /// All of them by name.
    pub(crate) fn rows(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Its own value of this setting.
    pub(crate) fn own(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether it is in use.
    pub(crate) fn is_enabled(&self) -> bool {
        self.own(ENABLED).and_then(yes_no).unwrap_or(true)
    }

    /// Whether it takes no new sessions for a time.
    pub(crate) fn is_drained(&self) -> bool {
        self.own(DRAIN).and_then(yes_no).unwrap_or(false)
    }

    /// The settings that hold for this server, of those that hold for all.
    pub(crate) fn over(&self, global: Values) -> Values {
        OVERRIDES.iter().fold(global, |values, name| match self.own(name) {
            Some(value) => values.with(name, value),
            None => values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{OVERRIDES, ServerSettings, all, find};
    use crate::settings::{SettingError, Values};
    use std::collections::BTreeMap;

    fn own(pairs: &[(&str, &str)]) -> ServerSettings {
        ServerSettings::new(pairs.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    #[test]
    fn a_server_has_its_own_values_and_the_rest_of_the_global_ones() {
        let global = Values::new(BTreeMap::from([
            ("tcp_port_tls".to_owned(), "6620".to_owned()),
            ("tcp_outgoing_ip".to_owned(), "192.0.2.1".to_owned()),
        ]));
        let values = own(&[("tcp_outgoing_ip", "192.0.2.2"), ("drain", "yes")]).over(global.clone());
        assert_eq!((values.port("tcp_port_tls"), values.text("tcp_outgoing_ip")), (6620, "192.0.2.2"));
        // An empty value is a value: the system's choice for this server.
        assert_eq!(own(&[("tcp_outgoing_ip", "")]).over(global).address("tcp_outgoing_ip"), None);
    }

    #[test]
    fn a_server_is_in_use_and_takes_sessions_unless_it_is_said() {
        assert!(own(&[]).is_enabled() && !own(&[]).is_drained());
        assert!(!own(&[("enabled", "no")]).is_enabled() && own(&[("drain", "yes")]).is_drained());
    }

    #[test]
    fn each_name_is_a_setting_and_no_other_is_one_of_a_server() {
        assert_eq!(all().count(), 2 + OVERRIDES.len());
        let why = find("proxy_sessions").unwrap_err();
        assert!(matches!(why, SettingError::NotOfServer { .. }));
        assert!(why.to_string().ends_with("tcp_outgoing_ip, tcp_proxy_protocol_from"), "{why}");
    }
}
