//! The texts for the settings: the label from the documentation, and the explanation in German. The English
//! explanation comes from the table of settings, because the commands and the manual use it too.

use super::words::Words;
use crate::settings::Setting;

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
    german_help: &'static str,
    pub(super) unit: Unit,
}

impl SettingWords {
    /// The label of the setting.
    pub(super) fn label(&self, w: &'static Words) -> &'static str {
        let [english, german] = self.label;
        if w.language == "de" { german } else { english }
    }

    /// The explanation of the setting.
    pub(super) fn help(&self, w: &'static Words, setting: &Setting) -> &'static str {
        if w.language == "de" { self.german_help } else { setting.help }
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
    german_help: &'static str,
) -> SettingWords {
    SettingWords { name, label: [english, german], german_help, unit }
}

static ALL: &[SettingWords] = &[
    row(
        "tcp_port_tls",
        Unit::None,
        "TCP/IP port of OFTP server (TLS)",
        "TCP/IP-Port des OFTP-Servers (TLS)",
        "Auf diesem Port nimmt der Server Verbindungen von Partnern an (TLS).",
    ),
    row(
        "tcp_incoming_ip",
        Unit::None,
        "Listener IP address",
        "IP-Adresse des Listeners",
        "Auf dieser Adresse nimmt der Server Verbindungen von Partnern an. Wenn das Feld leer ist, verwendet er alle \
         IPv4- und IPv6-Adressen.",
    ),
    row(
        "tcp_outgoing_ip",
        Unit::None,
        "IP address of outgoing proxy connections (optional)",
        "IP-Adresse ausgehender Proxy-Verbindungen (optional)",
        "Diese Absenderadresse haben die Verbindungen zu Partnern. Wenn das Feld leer ist, wählt das System die \
         Adresse. Ein Server, der die Adresse nicht hat, beendet sich.",
    ),
    row(
        "tcp_port",
        Unit::None,
        "TCP/IP port of the OS4X receive daemon",
        "TCP/IP-Port des OS4X-Empfangsdienstes",
        "Auf diesem Port nimmt der Empfangsdienst der Station Verbindungen an.",
    ),
    row(
        "tls_check_client_certificate",
        Unit::None,
        "TLS server: check client certificate validity",
        "TLS-Server: Gültigkeit des Client-Zertifikats prüfen",
        "Ein Partner muss ein Zertifikat vorlegen.",
    ),
    row(
        "tls_ignore_crl_unavailability",
        Unit::None,
        "Ignore TLS CRL unavailability?",
        "Fehlende TLS-Sperrlisten (CRL) ignorieren?",
        "Der Server akzeptiert ein Zertifikat auch dann, wenn er keine brauchbare CRL des Ausstellers hat.",
    ),
    row(
        "tls_legacy_suites",
        Unit::None,
        "Accept legacy TLS of partners",
        "Veraltetes TLS von Partnern akzeptieren",
        "Der Server akzeptiert veraltete Verfahren von Partnern: TLS 1.2 mit ECDHE, CBC und SHA-2, auch ohne RFC 5746. \
         Die Einstellung beim Partner hat Vorrang.",
    ),
    row(
        "proxy_outgoing_allow_local",
        Unit::None,
        "Allow local addresses of partners",
        "Lokale Adressen von Partnern erlauben",
        "Partner dürfen Loopback-, Link-Local- und Multicast-Adressen sowie die eigenen Adressen des Servers haben.",
    ),
    row(
        "proxy_penalty_exempt",
        Unit::None,
        "Networks without penalties",
        "Netze ohne Strafen",
        "Adressen aus diesen Netzen erhalten keine Strafen für fehlgeschlagene Verbindungen und dürfen beliebig viele \
         ungeprüfte Verbindungen haben. Das ist für einen Lastverteiler oder einen eigenen Scanner gedacht.",
    ),
    row(
        "proxy_station_host",
        Unit::None,
        "Hostname or IP address of host running OS4X receive daemon (mandatory for incoming connections)",
        "Hostname oder IP-Adresse des Hosts mit dem OS4X-Empfangsdienst (nötig für eingehende Verbindungen)",
        "An diesen Host leitet der Client eingehende Sitzungen weiter.",
    ),
    row(
        "proxy_sandbox",
        Unit::None,
        "Sandbox of session processes",
        "Sandbox der Sitzungsprozesse",
        "Die Sitzungsprozesse beider Dienste laufen in einer Sandbox, soweit der Kernel sie unterstützt. Wählen Sie \
         'nein' nur, solange Sitzungen mit dem Grund sandbox enden, bis die Ursache behoben ist.",
    ),
    row(
        "proxy_max_config_age",
        Unit::Seconds,
        "Maximum age of the configuration",
        "Maximales Alter der Konfiguration",
        "So lange arbeitet der Server ohne Bestätigung seiner Konfiguration.",
    ),
    row(
        "proxy_enrol_seconds",
        Unit::Seconds,
        "Validity of a client's certificate",
        "Gültigkeit des Zertifikats eines Clients",
        "So lange ist das Zertifikat eines Clients gültig.",
    ),
    row(
        "proxy_sessions",
        Unit::None,
        "Maximum number of incoming sessions",
        "Maximale Anzahl eingehender Sitzungen",
        "So viele eingehende Sitzungen sind insgesamt gleichzeitig erlaubt.",
    ),
    row(
        "proxy_sessions_per_partner",
        Unit::None,
        "Maximum number of incoming sessions of a partner",
        "Maximale Anzahl eingehender Sitzungen eines Partners",
        "So viele eingehende Sitzungen eines Partners sind gleichzeitig erlaubt.",
    ),
    row(
        "proxy_outgoing_sessions",
        Unit::None,
        "Maximum number of outgoing sessions",
        "Maximale Anzahl ausgehender Sitzungen",
        "So viele ausgehende Sitzungen sind insgesamt gleichzeitig erlaubt.",
    ),
    row(
        "proxy_parked_pairs",
        Unit::None,
        "Parked pairs",
        "Bereitstehende Paare",
        "So viele Prozesspaare stehen in jeder Richtung im Voraus bereit.",
    ),
    row(
        "proxy_max_parked_pairs",
        Unit::None,
        "Maximum number of parked pairs",
        "Maximale Anzahl bereitstehender Paare",
        "So viele Prozesspaare stehen höchstens bereit, wenn viele Sitzungen beginnen. Ihre Anzahl entspricht den \
         Sitzungen der stärksten Sekunde in der letzten halben Minute, mindestens aber proxy_parked_pairs.",
    ),
    row(
        "proxy_parked_age",
        Unit::Seconds,
        "Maximum age of a parked pair",
        "Maximales Alter eines bereitstehenden Paars",
        "So lange steht ein Paar höchstens bereit.",
    ),
    row(
        "proxy_unverified_per_address",
        Unit::None,
        "Unverified connections of an address",
        "Ungeprüfte Verbindungen einer Adresse",
        "So viele ungeprüfte Verbindungen einer Adresse sind gleichzeitig erlaubt (IPv6: eines /64-Netzes).",
    ),
    row(
        "proxy_unverified_soft",
        Unit::None,
        "Unverified connections, soft limit",
        "Ungeprüfte Verbindungen, weiche Grenze",
        "Ab dieser Anzahl ungeprüfter Verbindungen werden solche, die länger als 5 s dauern, für neue Verbindungen \
         geschlossen.",
    ),
    row(
        "proxy_unverified_hard",
        Unit::None,
        "Unverified connections, hard limit",
        "Ungeprüfte Verbindungen, harte Grenze",
        "So viele ungeprüfte Verbindungen sind insgesamt erlaubt. Ein Viertel davon ist für Adressen reserviert, von \
         denen sich kürzlich Partner verbunden haben oder die in der Partnertabelle stehen.",
    ),
    row(
        "proxy_handshake_seconds",
        Unit::Seconds,
        "Time limit of the TLS handshake",
        "Zeitlimit des TLS-Handshakes",
        "In dieser Zeit muss ein Partner den TLS-Handshake abschließen.",
    ),
    row(
        "proxy_ssid_seconds",
        Unit::Seconds,
        "Time limit of the SSID",
        "Zeitlimit der SSID",
        "In dieser Zeit muss ein Partner seine SSID senden.",
    ),
    row(
        "proxy_buffer_seconds",
        Unit::Seconds,
        "Time limit of an Exchange Buffer",
        "Zeitlimit eines Exchange Buffers",
        "In dieser Zeit muss ein begonnener Exchange Buffer vollständig ankommen.",
    ),
    row(
        "proxy_silence_seconds",
        Unit::Seconds,
        "Maximum silence in a session",
        "Maximale Zeit ohne Daten in einer Sitzung",
        "Nach dieser Zeit ohne Daten wird eine Sitzung beendet.",
    ),
    row(
        "proxy_station_seconds",
        Unit::Seconds,
        "Time limit of the connection to the station",
        "Zeitlimit der Verbindung zur Station",
        "In dieser Zeit muss die Verbindung zur Station zustande kommen.",
    ),
    row(
        "proxy_log_max_bytes",
        Unit::Octets,
        "Maximum size of a daemon's log file",
        "Maximale Größe der Protokolldatei eines Dienstes",
        "Ab dieser Größe nimmt die Protokolldatei eines Tages nur noch Zeilen der Stufe ERROR und höher auf.",
    ),
    row(
        "proxy_idle_commands",
        Unit::None,
        "Maximum number of commands without progress",
        "Maximale Anzahl von Kommandos ohne Fortschritt",
        "So viele aufeinanderfolgende Kommandos dürfen weder eine Datei noch eine Empfangsbestätigung übertragen.",
    ),
    row(
        "proxy_crl_automatic",
        Unit::None,
        "Automatic CRL handling",
        "Automatische Verarbeitung von CRLs",
        "Das Backend lädt die CRLs zu den Zertifikaten von Partnern von den Adressen herunter, die in den Zertifikaten \
         stehen.",
    ),
    row(
        "proxy_crl_slice_seconds",
        Unit::Seconds,
        "Length of a timeslice",
        "Länge einer Zeitscheibe",
        "So lange dauert eine Zeitscheibe.",
    ),
    row(
        "proxy_crl_check_slices",
        Unit::Slices,
        "Check CRL URLs every x timeslices",
        "CRL-Adressen alle x Zeitscheiben prüfen",
        "So viele Zeitscheiben liegen zwischen zwei Prüfungen auf fällige CRLs.",
    ),
    row(
        "proxy_crl_max_age",
        Unit::Seconds,
        "Maximum age of CRLs",
        "Maximales Alter von CRLs",
        "Nach dieser Zeit wird eine CRL erneut heruntergeladen, auch wenn sie länger gültig ist.",
    ),
    row(
        "proxy_crl_max_size",
        Unit::Mebibytes,
        "Maximum size of a CRL",
        "Maximale Größe einer CRL",
        "Größere CRLs werden nicht heruntergeladen.",
    ),
    row(
        "proxy_crl_allow_private",
        Unit::None,
        "CRLs from private hosts",
        "CRLs von privaten Hosts",
        "Das Backend lädt CRLs auch von Hosts mit privaten, Loopback- oder Link-Local-Adressen herunter.",
    ),
    row(
        "proxy_event_script",
        Unit::None,
        "OS4X API proxy system log event script",
        "Ereignisskript für das Systemprotokoll (OS4X API proxy)",
        "Diese Datei wird für jeden Eintrag gestartet, oder jeder Eintrag wird an diese URL gesendet.",
    ),
    row(
        "proxy_event_seconds",
        Unit::Seconds,
        "Time limit of the event script",
        "Zeitlimit des Ereignisskripts",
        "Nach dieser Zeit wird das Ereignisskript abgebrochen.",
    ),
    row(
        "http_proxy",
        Unit::None,
        "HTTP proxy for http",
        "HTTP-Proxy für http",
        "Das Backend verwendet diesen HTTP-Proxy für http-Adressen von CRLs und Ereignissen. Wenn das Feld leer ist, \
         gilt die Variable http_proxy oder HTTP_PROXY.",
    ),
    row(
        "https_proxy",
        Unit::None,
        "HTTP proxy for https",
        "HTTP-Proxy für https",
        "Das Backend verwendet diesen HTTP-Proxy für https-Adressen von CRLs und Ereignissen. Wenn das Feld leer ist, \
         gilt die Variable https_proxy oder HTTPS_PROXY.",
    ),
    row(
        "no_proxy",
        Unit::None,
        "Hosts without a proxy",
        "Hosts ohne Proxy",
        "Das Backend erreicht diese Hosts ohne Proxy. Wenn das Feld leer ist, gilt die Variable no_proxy oder \
         NO_PROXY.",
    ),
    row(
        "api_path",
        Unit::None,
        "Paths of the API",
        "Pfade der API",
        "Unter diesen Pfaden ist die API erreichbar. Die Änderung gilt ab dem nächsten Start von serve.",
    ),
    row(
        "api_trusted_proxies",
        Unit::None,
        "Trusted web servers",
        "Vertrauenswürdige Webserver",
        "Von diesen Webservern übernimmt das Backend die Adresse in X-Forwarded-For. Geben Sie Adressen und Netze an.",
    ),
    row(
        "api_log_file",
        Unit::None,
        "Absolute path to logfile of OS4X API",
        "Absoluter Pfad der Protokolldatei der OS4X API",
        "In diese Datei schreibt die OS4X API ihr Protokoll. Wenn das Feld leer ist, schreibt sie auf die \
         Standardfehlerausgabe.",
    ),
    row(
        "api_log_level",
        Unit::None,
        "Loglevel of OS4X API",
        "Protokollstufe der OS4X API",
        "Die OS4X API protokolliert Meldungen ab dieser Stufe: ERROR, WARN, INFO, DEBUG oder TRACE.",
    ),
    row(
        "api_keep_days",
        Unit::Days,
        "Retention period",
        "Aufbewahrungsdauer",
        "So lange werden Einträge des Systemprotokolls, der Sitzungsliste und der Abweisungen aufbewahrt.",
    ),
    row(
        "panel_url",
        Unit::None,
        "URL of the panel",
        "URL der Administrationsoberfläche",
        "Unter dieser URL erreichen Browser die Administrationsoberfläche. Links auf die Oberfläche beginnen mit ihr, \
         und die Oberfläche beantwortet Anfragen an ihren Host.",
    ),
    row(
        "panel_networks",
        Unit::None,
        "Networks of the panel",
        "Netze der Administrationsoberfläche",
        "Aus diesen Netzen dürfen Browser die Administrationsoberfläche erreichen. Dieser Host darf es immer.",
    ),
    row(
        "panel_idle_minutes",
        Unit::Minutes,
        "Maximum idle time of a panel session",
        "Maximale Leerlaufzeit einer Sitzung der Administrationsoberfläche",
        "Nach dieser Zeit ohne Seitenaufruf endet eine Sitzung der Administrationsoberfläche.",
    ),
    row(
        "panel_session_hours",
        Unit::Hours,
        "Maximum duration of a panel session",
        "Maximale Dauer einer Sitzung der Administrationsoberfläche",
        "Nach dieser Zeit endet eine Sitzung der Administrationsoberfläche in jedem Fall.",
    ),
    row(
        "metrics_networks",
        Unit::None,
        "Networks for metrics without a key",
        "Netze für Metriken ohne Schlüssel",
        "Aus diesen Netzen darf /metrics am Port der Administrationsoberfläche ohne Schlüssel gelesen werden.",
    ),
    row(
        "metrics_partners",
        Unit::None,
        "Metrics for each partner",
        "Metriken je Partner",
        "Die Metriken enthalten den Kurznamen des Partners: Es sind viel mehr Zahlen, und wer sie liest, sieht die \
         Partner.",
    ),
];

#[cfg(test)]
mod tests {
    use super::of;
    use crate::settings::{SETTINGS, TOKEN};

    #[test]
    fn each_setting_has_its_words() {
        for setting in SETTINGS.iter().filter(|setting| setting.name != TOKEN) {
            let words = of(setting.name).unwrap_or_else(|| panic!("{}", setting.name));
            assert!(words.label.iter().all(|label| !label.is_empty()), "{}", setting.name);
            assert!(words.german_help.ends_with('.'), "{}", setting.name);
        }
    }
}
