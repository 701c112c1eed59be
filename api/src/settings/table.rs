//! The settings that OS4Xapi knows, in tables: the limits of the daemons (`common::config::LIMITS`), and all others
//! here. A row is the only place of a setting's name, default, values and help: the commands, `serve` and the man page
//! read it.

use super::kind::Kind;
use super::setting::{Setting, SettingError};
use common::config::{LIMITS, Limit};
use std::borrow::Cow;
use std::sync::LazyLock;

/// Name of the row that holds the token's secret half.
pub(crate) const TOKEN: &str = "proxy_client_token";

const PORT: Kind = Kind::Number(1, 65_535);

/// All of them, in the order of `config list`.
pub(crate) static SETTINGS: LazyLock<Vec<Setting>> = LazyLock::new(|| {
    let limits = LIMITS.iter().map(of_limit);
    daemons().chain(limits).chain(backend()).chain(panel()).collect()
});

/// The setting called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Setting, SettingError> {
    SETTINGS.iter().find(|setting| setting.name == name).ok_or_else(|| SettingError::Unknown(name.to_owned()))
}

fn of_limit(limit: &'static Limit) -> Setting {
    Setting {
        name: limit.setting,
        default: Cow::Owned(limit.default.to_string()),
        kind: Kind::Number(*limit.allowed.start(), *limit.allowed.end()),
        help: limit.meaning,
    }
}

fn setting(name: &'static str, default: &'static str, kind: Kind, help: &'static str) -> Setting {
    Setting { name, default: Cow::Borrowed(default), kind, help }
}

/// The settings of the daemons, except their limits.
fn daemons() -> impl Iterator<Item = Setting> {
    [
        setting("tcp_port", "3305", PORT, "Port of the station's receive daemon."),
        setting("tcp_port_tls", "6619", PORT, "Port on which the server accepts partners (TLS)."),
        setting(
            "tcp_incoming_ip",
            "",
            Kind::Address,
            "Address on which the server accepts partners; empty: all, IPv4 and IPv6.",
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
            "Accept a certificate if the server has no usable CRL of its issuer.",
        ),
        setting(
            "tls_legacy_suites",
            "no",
            Kind::YesNo,
            "Accept old TLS of partners: suites of TLS 1.2 with ECDHE, CBC and SHA-2, and no RFC 5746; a partner's \
             own --legacy-suites comes first.",
        ),
        setting(
            "proxy_outgoing_allow_local",
            "no",
            Kind::YesNo,
            "Partners may have loopback, link-local, multicast or the server's own addresses.",
        ),
        setting(
            "proxy_penalty_exempt",
            "127.0.0.0/8",
            Kind::Networks,
            "Networks whose addresses get no penalties for connections that fail, and may have any number of \
             unverified connections: a load balancer, a scanner of your own.",
        ),
        setting(
            "tcp_proxy_protocol_from",
            "",
            Kind::Networks,
            "Load balancers that pass partners on: addresses and networks, separated by commas; each of their \
             connections must begin with a PROXY header (version 1 or 2), which names the partner's address; no other \
             connection may.",
        ),
        setting(
            "proxy_station_proxy_protocol",
            "no",
            Kind::YesNo,
            "Send the station a PROXY header (version 2) with the partner's address before each incoming session; the \
             station must expect it.",
        ),
        setting("proxy_station_host", "localhost", Kind::Host, "Host of the station's receive daemon."),
        setting(TOKEN, "", Kind::Secret("os4xapi token"), "Security token of the clients."),
        setting(
            "proxy_sandbox",
            "yes",
            Kind::YesNo,
            "Session processes of both daemons are in a sandbox, as far as the kernel has one; set 'no' only while \
             sessions end with the reason sandbox, until the cause is removed.",
        ),
        setting(
            "proxy_max_config_age",
            "86400",
            Kind::Number(300, 2_592_000),
            "Seconds for which the server works without a confirmation of its configuration.",
        ),
        setting(
            "proxy_enrol_seconds",
            "86400",
            Kind::Number(600, 604_800),
            "Validity of a client's certificate, seconds.",
        ),
    ]
    .into_iter()
}

/// The settings of the backend itself.
fn backend() -> impl Iterator<Item = Setting> {
    [
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
            "Number of time slices between two searches for CRLs that are due.",
        ),
        setting(
            "proxy_crl_max_age",
            "86400",
            Kind::Number(60, 2_592_000),
            "Seconds after which a CRL is downloaded again, even if it is valid for longer.",
        ),
        setting("proxy_crl_max_size", "10", Kind::Number(1, 64), "Largest CRL that is downloaded, MiB."),
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
        setting(
            "proxy_event_seconds",
            "60",
            Kind::Number(1, 3_600),
            "Time limit of the event script, seconds.",
        ),
        setting(
            "http_proxy",
            "",
            Kind::Proxy,
            "HTTP proxy for http URLs of CRLs and events; empty: variable http_proxy or HTTP_PROXY.",
        ),
        setting(
            "https_proxy",
            "",
            Kind::Proxy,
            "HTTP proxy for https URLs of CRLs and events; empty: variable https_proxy or HTTPS_PROXY.",
        ),
        setting(
            "no_proxy",
            "",
            Kind::Hosts,
            "Hosts that are reached without a proxy; empty: variable no_proxy or NO_PROXY.",
        ),
        setting(
            "api_path",
            "/os4xapi/index.php,/os4x/os4xapi/index.php",
            Kind::UrlPaths,
            "Paths of the API's URL, separated by commas (in force at the next start of serve).",
        ),
        setting(
            "api_trusted_proxies",
            "",
            Kind::Networks,
            "Web servers whose X-Forwarded-For is used: addresses and networks, separated by commas.",
        ),
        setting(
            "api_log_file",
            "",
            Kind::File,
            "Absolute path to logfile of OS4X API; empty: standard error.",
        ),
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
            "Days for which entries of the system log, the session list and refusals are kept.",
        ),
        setting(
            "api_backup_days",
            "7",
            Kind::Number(0, 365),
            "Days after the last backup at which its age is reported; 0: never.",
        ),
    ]
    .into_iter()
}

/// The settings of the panel.
fn panel() -> impl Iterator<Item = Setting> {
    [
        setting(
            "panel_url",
            "https://127.0.0.1:8444",
            Kind::HttpsUrl,
            "URL at which browsers reach the panel: links to the panel begin with it, and the panel answers requests \
             for its host.",
        ),
        setting(
            "panel_networks",
            "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7,fe80::/10",
            Kind::Networks,
            "Networks from which browsers may reach the panel; this host always may.",
        ),
        setting(
            "panel_idle_minutes",
            "30",
            Kind::Number(1, 1_440),
            "Minutes without a page after which a session of the panel is over.",
        ),
        setting(
            "panel_session_hours",
            "12",
            Kind::Number(1, 168),
            "Hours after which a session of the panel is over in any case.",
        ),
        setting(
            "metrics_networks",
            "",
            Kind::Networks,
            "Networks from which /metrics of the panel's listener may be read without a key.",
        ),
        setting(
            "metrics_partners",
            "no",
            Kind::YesNo,
            "The metrics have the short name of the partner: many more numbers, and whoever reads them sees the \
             partners.",
        ),
    ]
    .into_iter()
}

#[cfg(test)]
mod tests {
    use super::{SETTINGS, SettingError, find};

    #[test]
    fn every_default_is_a_value_in_its_one_spelling() {
        for setting in SETTINGS.iter().filter(|setting| !setting.is_secret()) {
            assert_eq!(setting.check(&setting.default).unwrap(), setting.default, "{}", setting.name);
        }
    }

    #[test]
    fn names_are_unique_and_new_ones_carry_a_prefix() {
        let mut seen = std::collections::BTreeSet::new();
        for setting in SETTINGS.iter() {
            assert!(seen.insert(setting.name), "{}", setting.name);
            // The three that every program calls so have no prefix.
            let is_prefixed = ["tcp_", "tls_", "proxy_", "api_", "panel_", "metrics_"]
                .iter()
                .any(|prefix| setting.name.starts_with(prefix));
            assert!(is_prefixed || setting.name.ends_with("_proxy"), "{}", setting.name);
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
            ("api_path", ""),
            ("api_path", "/a,b"),
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
            ("tcp_incoming_ip", "::ffff:192.0.2.1", "192.0.2.1"),
            ("api_path", "/a, /b/c.php,/a", "/a,/b/c.php"),
            ("api_trusted_proxies", "10.0.0.0/8, ::1", "10.0.0.0/8,127.0.0.1/32"),
            ("api_trusted_proxies", "::ffff:10.0.0.0/104 ::1/128", "10.0.0.0/8,127.0.0.1/32"),
        ] {
            assert_eq!(find(name).unwrap().check(value).unwrap(), kept);
        }
    }

    #[test]
    fn the_token_is_not_set_by_hand() {
        assert!(matches!(find(super::TOKEN).unwrap().check("x"), Err(SettingError::Elsewhere(..))));
    }
}
