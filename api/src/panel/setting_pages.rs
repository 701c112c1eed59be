//! Which page of the configuration shows which settings, in the order of the documentation, and the risk of a change:
//! it may shut its author out, or weaken the protection of the site.

use super::words::Words;
use crate::settings::{SETTINGS, Setting};
use common::config::LIMITS;

/// A page of the configuration.
pub(super) struct SettingPage {
    /// The path of the page.
    pub(super) path: &'static str,
    pub(super) title: fn(&Words) -> &'static str,
    pub(super) sections: &'static [SettingSection],
}

/// Settings that belong together.
pub(super) struct SettingSection {
    pub(super) title: fn(&Words) -> &'static str,
    /// The names of the settings. An empty list means the limits of the daemons that are on no other page.
    pub(super) names: &'static [&'static str],
}

/// The risk of a change of a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Risk {
    None,
    /// Somebody may not be able to reach us any more. The change is reverted automatically unless a user confirms it.
    Reach,
    /// The site is less protected.
    Weaker,
}

const fn section(title: fn(&Words) -> &'static str, names: &'static [&'static str]) -> SettingSection {
    SettingSection { title, names }
}

/// All pages, as the documentation names them.
pub(super) static PAGES: [SettingPage; 5] = [
    SettingPage {
        path: "/configuration/tcp-ip",
        title: |w| w.page_tcp_ip,
        sections: &[
            section(
                |w| w.section_addresses,
                &["tcp_port_tls", "tcp_incoming_ip", "tcp_outgoing_ip", "tcp_port"],
            ),
            section(
                |w| w.section_partners,
                &["tcp_proxy_protocol_from", "proxy_outgoing_allow_local", "proxy_penalty_exempt"],
            ),
            section(|w| w.section_http_proxies, &["http_proxy", "https_proxy", "no_proxy"]),
            section(
                |w| w.section_api,
                &[
                    "api_path",
                    "api_trusted_proxies",
                    "panel_url",
                    "panel_networks",
                    "panel_idle_minutes",
                    "panel_session_hours",
                    "metrics_networks",
                    "metrics_partners",
                ],
            ),
        ],
    },
    SettingPage {
        path: "/configuration/ssl-tls",
        title: |w| w.page_ssl_tls,
        sections: &[
            section(
                |w| w.section_partners,
                &["tls_check_client_certificate", "tls_ignore_crl_unavailability", "tls_legacy_suites"],
            ),
            section(
                |w| w.section_crls,
                &[
                    "proxy_crl_automatic",
                    "proxy_crl_check_slices",
                    "proxy_crl_slice_seconds",
                    "proxy_crl_max_age",
                    "proxy_crl_max_size",
                    "proxy_crl_allow_private",
                ],
            ),
        ],
    },
    SettingPage {
        path: "/configuration/proxy",
        title: |w| w.page_proxy,
        sections: &[
            section(
                |w| w.section_parameters,
                &[
                    "proxy_station_host",
                    "proxy_station_proxy_protocol",
                    "tcp_outgoing_ip",
                    "proxy_max_config_age",
                    "proxy_enrol_seconds",
                    "proxy_sandbox",
                ],
            ),
            section(|w| w.section_limits, &[]),
        ],
    },
    SettingPage {
        path: "/configuration/logging",
        title: |w| w.page_logging,
        sections: &[section(
            |w| w.section_logs,
            &["api_log_file", "api_log_level", "api_keep_days", "api_backup_days", "proxy_log_max_bytes"],
        )],
    },
    SettingPage {
        path: "/configuration/events",
        title: |w| w.page_events,
        sections: &[section(|w| w.section_events, &["proxy_event_script", "proxy_event_seconds"])],
    },
];

impl SettingSection {
    /// The settings of the section.
    pub(super) fn settings(&self) -> Vec<&'static Setting> {
        let is_named = |name: &&str| !self.names.is_empty() && self.names.contains(name);
        let is_other_limit = |name: &str| {
            let is_elsewhere =
                PAGES.iter().flat_map(|page| page.sections).any(|section| section.names.contains(&name));
            self.names.is_empty() && !is_elsewhere && LIMITS.iter().any(|limit| limit.setting == name)
        };
        let mut found: Vec<_> = SETTINGS
            .iter()
            .filter(|setting| is_named(&setting.name) || is_other_limit(setting.name))
            .collect();
        found.sort_by_key(|setting| self.names.iter().position(|name| *name == setting.name));
        found
    }

    /// Whether the section is collapsed until the user opens it, because few users need it.
    pub(super) fn is_folded(&self) -> bool {
        self.names.is_empty()
    }
}

/// The page with this path.
pub(super) fn find(path: &str) -> Option<&'static SettingPage> {
    PAGES.iter().find(|page| page.path == path)
}

/// The risk of giving a setting this value.
pub(super) fn risk(name: &str, value: &str) -> Risk {
    match (name, value) {
        (
            "tcp_port_tls"
            | "tcp_incoming_ip"
            | "tcp_outgoing_ip"
            | "panel_url"
            | "panel_networks"
            | "api_trusted_proxies",
            _,
        ) => Risk::Reach,
        ("tls_check_client_certificate" | "proxy_sandbox", "no")
        | (
            "tls_ignore_crl_unavailability"
            | "tls_legacy_suites"
            | "proxy_crl_allow_private"
            | "proxy_outgoing_allow_local",
            "yes",
        ) => Risk::Weaker,
        _ => Risk::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{PAGES, SettingSection};
    use crate::settings::{SETTINGS, TOKEN};

    #[test]
    fn each_setting_is_on_a_page() {
        let on_pages: Vec<&str> = PAGES
            .iter()
            .flat_map(|page| page.sections)
            .flat_map(SettingSection::settings)
            .map(|setting| setting.name)
            .collect();
        for setting in SETTINGS.iter().filter(|setting| setting.name != TOKEN) {
            assert!(on_pages.contains(&setting.name), "{}", setting.name);
        }
    }
}
