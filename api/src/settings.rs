//! The settings that OS4Xapi knows: name, default, allowed values, help. One table; rows of
//! `os4x_configuration` hold what differs from it. The commands check values against it,
//! `serve` reads through it, the man page is held against it. Touches no database itself.

use crate::http::Target;
use common::config::{IDLE_COMMANDS, LEAST_PARKED_AGE, MOST_COUNT, MOST_PARKED, MOST_SECONDS};
use common::net::Network;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// What a setting's value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A whole number; least, most.
    Number(u32, u32),
    /// `yes` or `no`.
    YesNo,
    /// An IP address of one host, or empty.
    Address,
    /// A host name or an IP address.
    Host,
    /// Addresses and networks with commas between, or empty.
    Networks,
    /// A path in a URL, beginning with `/`.
    UrlPath,
    /// An absolute path of a file, or empty.
    File,
    /// A program or a URL that is told of events, or empty.
    Event,
    /// A log level.
    Level,
    /// A secret that has a command of its own; the command.
    Secret(&'static str),
}

/// One known setting.
#[derive(Debug)]
pub(crate) struct Setting {
    /// Name of its row.
    pub(crate) name: &'static str,
    /// Value without a row.
    pub(crate) default: &'static str,
    /// What it may be.
    pub(crate) kind: Kind,
    /// One line for people.
    pub(crate) help: &'static str,
}

const fn setting(name: &'static str, default: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { name, default, kind, help }
}

const PORT: Kind = Kind::Number(1, 65_535);
const COUNT: Kind = Kind::Number(1, MOST_COUNT);
const SECONDS: Kind = Kind::Number(1, MOST_SECONDS);

/// Name of the row that holds the token's secret half.
pub(crate) const TOKEN: &str = "proxy_client_token";

/// All of them, in the order of `config list`.
pub(crate) static SETTINGS: &[Setting] = &[
    setting("tcp_port", "3305", PORT, "Port of the station's receive daemon."),
    setting("tcp_port_tls", "6619", PORT, "Port on which the server accepts partners (TLS)."),
    setting(
        "tcp_incoming_ip",
        "",
        Kind::Address,
        "Address on which the server accepts partners; empty: all.",
    ),
    setting(
        "tcp_outgoing_ip",
        "",
        Kind::Address,
        "Source address of connections to partners; empty: the system's choice.",
    ),
    setting("tls_check_client_certificate", "yes", Kind::YesNo, "A partner must show a certificate."),
    setting(
        "tls_ignore_crl_unavailability",
        "no",
        Kind::YesNo,
        "Accept a certificate whose issuer has no usable CRL here.",
    ),
    setting(
        "proxy_outgoing_allow_local",
        "no",
        Kind::YesNo,
        "Partners may have loopback, link-local, multicast or the server's own addresses.",
    ),
    setting("proxy_station_host", "localhost", Kind::Host, "Host of the station's receive daemon."),
    setting(TOKEN, "", Kind::Secret("os4xapi token"), "Security token of the clients."),
    setting(
        "proxy_max_config_age",
        "86400",
        Kind::Number(300, 2_592_000),
        "Seconds that the server works on without hearing of its configuration.",
    ),
    setting(
        "proxy_enrol_seconds",
        "86400",
        Kind::Number(600, 604_800),
        "Validity of a client's certificate, seconds.",
    ),
    setting("proxy_sessions", "500", COUNT, "Incoming sessions in all."),
    setting("proxy_sessions_per_partner", "50", COUNT, "Incoming sessions of one partner."),
    setting("proxy_outgoing_sessions", "100", COUNT, "Outgoing sessions in all."),
    setting(
        "proxy_parked_pairs",
        "4",
        Kind::Number(0, MOST_PARKED),
        "Pairs of processes parked ahead of need, in each direction.",
    ),
    setting(
        "proxy_parked_age",
        "300",
        Kind::Number(LEAST_PARKED_AGE, MOST_SECONDS),
        "Maximum age of a parked pair, seconds.",
    ),
    setting(
        "proxy_unverified_per_address",
        "20",
        COUNT,
        "Connections not yet verified of one address (IPv6: of one /64).",
    ),
    setting(
        "proxy_unverified_soft",
        "100",
        COUNT,
        "Connections not yet verified from which some are refused at random.",
    ),
    setting(
        "proxy_unverified_hard",
        "200",
        COUNT,
        "Connections not yet verified at which all further ones are refused.",
    ),
    setting("proxy_handshake_seconds", "30", SECONDS, "Deadline of a partner's TLS handshake, seconds."),
    setting("proxy_ssid_seconds", "60", SECONDS, "Deadline of a partner's SSID, seconds."),
    setting("proxy_buffer_seconds", "60", SECONDS, "Deadline of one Exchange Buffer once begun, seconds."),
    setting("proxy_silence_seconds", "900", SECONDS, "Longest silence in a session, seconds."),
    setting("proxy_station_seconds", "15", SECONDS, "Deadline of the connection to the station, seconds."),
    setting(
        "proxy_idle_commands",
        "1000",
        Kind::Number(*IDLE_COMMANDS.start(), *IDLE_COMMANDS.end()),
        "Commands in a row that move neither a file nor a receipt.",
    ),
    setting(
        "proxy_crl_automatic",
        "yes",
        Kind::YesNo,
        "Download the CRLs of partners' certificates, from the URLs named in them.",
    ),
    setting("proxy_crl_slice_seconds", "60", Kind::Number(5, 3_600), "Length of a time slice, seconds."),
    setting(
        "proxy_crl_check_slices",
        "1",
        Kind::Number(1, 1_440),
        "Time slices between two looks for CRLs that are due.",
    ),
    setting(
        "proxy_crl_max_age",
        "86400",
        Kind::Number(60, 2_592_000),
        "Seconds after which a CRL is downloaded again, even if it is valid for longer.",
    ),
    setting(
        "proxy_crl_allow_private",
        "no",
        Kind::YesNo,
        "Download CRLs from hosts with private, loopback or link-local addresses too.",
    ),
    setting(
        "proxy_event_script",
        "",
        Kind::Event,
        "OS4X API proxy system log event script: a file to run, or a URL to post to, for each entry.",
    ),
    setting("proxy_event_seconds", "60", Kind::Number(1, 3_600), "Time limit of the event script, seconds."),
    setting(
        "api_path",
        "/os4xapi/index.php",
        Kind::UrlPath,
        "Path of the API's URL (from the next start of serve on).",
    ),
    setting(
        "api_trusted_proxies",
        "",
        Kind::Networks,
        "Web servers whose X-Forwarded-For is believed: addresses and networks, with commas between.",
    ),
    setting("api_log_file", "", Kind::File, "Absolute path to logfile of OS4X API; empty: standard error."),
    setting(
        "api_log_level",
        "INFO",
        Kind::Level,
        "Log level of OS4X API: ERROR, WARN, INFO, DEBUG or TRACE.",
    ),
    setting(
        "api_keep_days",
        "90",
        Kind::Number(1, 3_650),
        "Days that the system log and the session list go back.",
    ),
];

/// Why a value is not taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SettingError {
    /// No such setting.
    Unknown(String),
    /// The value is not of the setting's kind.
    Value {
        /// Name of the setting.
        name: &'static str,
        /// The value refused.
        value: String,
        /// What it may be.
        allowed: String,
    },
    /// Has a command of its own.
    Elsewhere(&'static str, &'static str),
    /// Two settings contradict each other.
    Order(&'static str, &'static str),
}

impl fmt::Display for SettingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => {
                write!(f, "There is no setting '{name}': 'os4xapi config list' shows all of them.")
            }
            Self::Value { name, value, allowed } => {
                write!(f, "{name} cannot be '{value}': it takes {allowed}.")
            }
            Self::Elsewhere(name, command) => write!(f, "{name} is handled by '{command}' alone."),
            Self::Order(least, most) => {
                write!(f, "{least} must not be greater than {most}: change the other one first.")
            }
        }
    }
}

impl std::error::Error for SettingError {}

/// The setting called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Setting, SettingError> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| SettingError::Unknown(name.to_owned()))
}

impl Setting {
    /// `value` in its one spelling, if this setting takes it.
    pub(crate) fn check(&self, value: &str) -> Result<String, SettingError> {
        let text = value.trim();
        if let Kind::Secret(command) = self.kind {
            return Err(SettingError::Elsewhere(self.name, command));
        }
        self.kind.canonical(text).ok_or_else(|| SettingError::Value {
            name: self.name,
            value: value.to_owned(),
            allowed: self.kind.to_string(),
        })
    }

    /// Whether lists may show it.
    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret(_))
    }
}

impl Kind {
    fn canonical(self, text: &str) -> Option<String> {
        match self {
            Self::Number(least, most) => {
                let number: u32 = text.parse().ok()?;
                (least..=most).contains(&number).then(|| number.to_string())
            }
            Self::YesNo => yes_no(text).map(|yes| if yes { "yes" } else { "no" }.to_owned()),
            Self::Address if text.is_empty() => Some(String::new()),
            Self::Address => text.parse::<IpAddr>().ok().map(|address| address.to_string()),
            Self::Host => is_host(text).then(|| text.to_owned()),
            Self::Networks => {
                networks(text).map(|list| list.iter().map(Network::to_string).collect::<Vec<_>>().join(","))
            }
            Self::UrlPath => is_url_path(text).then(|| text.to_owned()),
            Self::File => (text.is_empty() || text.starts_with('/')).then(|| text.to_owned()),
            Self::Event => (text.is_empty() || text.starts_with('/') || Target::parse(text).is_ok())
                .then(|| text.to_owned()),
            Self::Level => text.parse::<log::Level>().ok().map(|level| level.to_string()),
            Self::Secret(_) => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(least, most) => write!(f, "a number from {least} to {most}"),
            Self::YesNo => f.write_str("yes or no"),
            Self::Address => f.write_str("an IPv4 or IPv6 address, or nothing ('')"),
            Self::Host => f.write_str("a host name or an IP address"),
            Self::Networks => {
                f.write_str("addresses or networks (10.0.0.0/8) with commas between, or nothing ('')")
            }
            Self::UrlPath => f.write_str("a path that begins with '/', of letters, digits and . _ - / alone"),
            Self::File => f.write_str("an absolute path, or nothing ('')"),
            Self::Event => {
                f.write_str("an absolute path, an http or https URL without a user, or nothing ('')")
            }
            Self::Level => f.write_str("ERROR, WARN, INFO, DEBUG or TRACE"),
            Self::Secret(command) => write!(f, "what '{command}' makes"),
        }
    }
}

/// `yes` or `no` in the spellings that people use.
pub(crate) fn yes_no(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "y" | "true" | "on" | "1" => Some(true),
        "no" | "n" | "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A list of networks; commas or spaces between.
pub(crate) fn networks(text: &str) -> Option<Vec<Network>> {
    text.split([',', ' ']).filter(|part| !part.is_empty()).map(|part| part.parse().ok()).collect()
}

/// A host name (RFC 1123; underscores are met in the field) or an address.
pub(crate) fn is_host(text: &str) -> bool {
    let label = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    if text.parse::<IpAddr>().is_ok() {
        return true;
    }
    // Digits and dots alone are a mistyped address, never a name.
    let name = text.strip_suffix('.').unwrap_or(text);
    name.len() <= 253 && name.split('.').all(label) && !name.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_url_path(text: &str) -> bool {
    text.starts_with('/')
        && text.len() <= 200
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/".contains(&b))
}

/// The values in force: rows, and defaults for the rest.
#[derive(Debug, Clone)]
pub(crate) struct Values(BTreeMap<String, String>);

impl Values {
    /// From the rows of `os4x_configuration`.
    pub(crate) fn new(rows: BTreeMap<String, String>) -> Self {
        Self(rows)
    }

    /// The value of `name`: its row, or the default. Rows that hold what `config set` would refuse count as absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        let Ok(setting) = find(name) else { return "" };
        match self.0.get(name) {
            Some(row) if setting.is_secret() || setting.kind.canonical(row).is_some() => row,
            _ => setting.default,
        }
    }

    /// A number; 0 for what is none.
    pub(crate) fn number(&self, name: &str) -> u32 {
        self.text(name).parse().unwrap_or_default()
    }

    /// A port; 0 for what is none.
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

    /// The limits: every setting `proxy_X` for which `Limits` has a field `X`.
    pub(crate) fn limits(&self) -> common::config::Limits {
        let fields: serde_json::Map<String, serde_json::Value> = SETTINGS
            .iter()
            .filter(|setting| matches!(setting.kind, Kind::Number(..)))
            .filter_map(|setting| {
                Some((setting.name.strip_prefix("proxy_")?.to_owned(), self.number(setting.name).into()))
            })
            .collect();
        serde_json::from_value(fields.into()).unwrap_or_default()
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
    use super::{Kind, SETTINGS, SettingError, Values, find, is_host};
    use common::config::Limits;
    use std::collections::BTreeMap;

    #[test]
    fn every_default_is_a_value_in_its_one_spelling() {
        for setting in SETTINGS.iter().filter(|setting| !setting.is_secret()) {
            assert_eq!(setting.check(setting.default).unwrap(), setting.default, "{}", setting.name);
        }
    }

    #[test]
    fn names_are_unique_and_new_ones_carry_a_prefix() {
        let mut seen = std::collections::BTreeSet::new();
        for setting in SETTINGS {
            assert!(seen.insert(setting.name), "{}", setting.name);
            assert!(["tcp_", "tls_", "proxy_", "api_"].iter().any(|prefix| setting.name.starts_with(prefix)));
        }
    }

    #[test]
    fn every_limit_is_a_setting_with_the_same_default() {
        let values = Values::new(BTreeMap::new());
        assert_eq!(values.limits(), Limits::default());
        let fields = serde_json::to_value(Limits::default()).unwrap();
        for field in fields.as_object().unwrap().keys() {
            let name = format!("proxy_{field}");
            let row = BTreeMap::from([(name.clone(), "77".to_owned())]);
            let changed = serde_json::to_value(Values::new(row).limits()).unwrap();
            assert_eq!(changed[field], 77, "{name}");
        }
    }

    #[test]
    fn values_out_of_range_are_refused_with_what_is_allowed() {
        for (name, value) in [
            ("tcp_port_tls", "0"),
            ("tcp_port_tls", "65536"),
            ("tcp_port_tls", "-1"),
            ("tcp_incoming_ip", "300.1.1.1"),
            ("tcp_incoming_ip", "localhost"),
            ("tls_check_client_certificate", "perhaps"),
            ("proxy_station_host", ""),
            ("proxy_station_host", "-x"),
            ("proxy_station_host", "1.2.3"),
            ("api_trusted_proxies", "10.0.0.1/8"),
            ("api_path", "os4xapi"),
            ("api_path", "/{x}"),
            ("api_log_file", "relative"),
            ("api_log_level", "LOUD"),
            ("proxy_event_script", "script.sh"),
            ("proxy_event_script", "http://user:password@host/"),
        ] {
            let error = find(name).unwrap().check(value).unwrap_err();
            assert!(matches!(&error, SettingError::Value { .. }), "{name}={value}");
            assert!(error.to_string().contains("it takes"), "{error}");
        }
    }

    #[test]
    fn values_are_kept_in_one_spelling() {
        for (name, value, kept) in [
            ("tcp_port", " 03306 ", "3306"),
            ("tls_check_client_certificate", "TRUE", "yes"),
            ("tcp_outgoing_ip", "2001:DB8::0001", "2001:db8::1"),
            ("api_log_level", "debug", "DEBUG"),
            ("api_trusted_proxies", "10.0.0.0/8, ::1", "10.0.0.0/8,127.0.0.1/32"),
        ] {
            assert_eq!(find(name).unwrap().check(value).unwrap(), kept);
        }
    }

    #[test]
    fn the_token_is_not_set_by_hand() {
        assert!(matches!(find(super::TOKEN).unwrap().check("x"), Err(SettingError::Elsewhere(..))));
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

    #[test]
    fn hosts_are_names_or_addresses() {
        for good in ["localhost", "a.b-c.example", "192.0.2.1", "::1", "station_1", "host."] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", ".", "a..b", "a b", "host:22", "192.0.2.256", "[::1]"] {
            assert!(!is_host(bad), "{bad}");
        }
    }

    #[test]
    fn kinds_say_what_they_take() {
        assert_eq!(Kind::Number(1, 5).to_string(), "a number from 1 to 5");
    }
}
