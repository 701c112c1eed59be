//! The table of the texts for settings: name and unit, the label from the documentation and the explanation, each in
//! English and in German. A table and nothing else.

use super::{SettingWords, Unit, row};

pub(super) static ALL: &[SettingWords] = &[
    row(
        "tcp_port_tls",
        Unit::None,
        "TCP/IP port of OFTP server (TLS)",
        "TCP/IP-Port des OFTP-Servers (TLS)",
        "The server accepts connections of partners on this port (TLS).",
        "Auf diesem Port nimmt der Server Verbindungen von Partnern an (TLS).",
    ),
    row(
        "tcp_incoming_ip",
        Unit::None,
        "Listener IP address",
        "IP-Adresse des Listeners",
        "The server accepts connections of partners on this address. If the field is empty, it uses all IPv4 and \
         IPv6 addresses.",
        "Auf dieser Adresse nimmt der Server Verbindungen von Partnern an. Wenn das Feld leer ist, verwendet er \
         alle IPv4- und IPv6-Adressen.",
    ),
    row(
        "tcp_outgoing_ip",
        Unit::None,
        "IP address of outgoing proxy connections (optional)",
        "IP-Adresse ausgehender Proxy-Verbindungen (optional)",
        "Connections to partners have this source address. If the field is empty, the system chooses the address. A \
         server that does not have the address stops.",
        "Diese Absenderadresse haben die Verbindungen zu Partnern. Wenn das Feld leer ist, wählt das System die \
         Adresse. Ein Server, der die Adresse nicht hat, beendet sich.",
    ),
    row(
        "tcp_port",
        Unit::None,
        "TCP/IP port of the OS4X receive daemon",
        "TCP/IP-Port des OS4X-Empfangsdienstes",
        "The station's receive daemon accepts connections on this port.",
        "Auf diesem Port nimmt der Empfangsdienst der Station Verbindungen an.",
    ),
    row(
        "tls_check_client_certificate",
        Unit::None,
        "TLS server: check client certificate validity",
        "TLS-Server: Gültigkeit des Client-Zertifikats prüfen",
        "A partner must show a certificate.",
        "Ein Partner muss ein Zertifikat vorlegen.",
    ),
    row(
        "tls_ignore_crl_unavailability",
        Unit::None,
        "Ignore TLS CRL unavailability?",
        "Fehlende TLS-Sperrlisten (CRL) ignorieren?",
        "The server accepts a certificate even if it has no usable CRL of its issuer.",
        "Der Server akzeptiert ein Zertifikat auch dann, wenn er keine brauchbare CRL des Ausstellers hat.",
    ),
    row(
        "tls_legacy_suites",
        Unit::None,
        "Accept legacy TLS of partners",
        "Veraltetes TLS von Partnern akzeptieren",
        "The server accepts old TLS of partners: TLS 1.2 with ECDHE, CBC and SHA-2, also without RFC 5746. The \
         setting of a partner has precedence.",
        "Der Server akzeptiert veraltete Verfahren von Partnern: TLS 1.2 mit ECDHE, CBC und SHA-2, auch ohne RFC \
         5746. Die Einstellung beim Partner hat Vorrang.",
    ),
    row(
        "proxy_outgoing_allow_local",
        Unit::None,
        "Allow local addresses of partners",
        "Lokale Adressen von Partnern erlauben",
        "Partners may have loopback, link-local or multicast addresses, or the server's own addresses.",
        "Partner dürfen Loopback-, Link-Local- und Multicast-Adressen sowie die eigenen Adressen des Servers haben.",
    ),
    row(
        "proxy_penalty_exempt",
        Unit::None,
        "Networks without penalties",
        "Netze ohne Strafen",
        "Addresses in these networks get no penalties for connections that fail, and may have any number of \
         unverified connections. This is meant for a load balancer or a scanner of your own.",
        "Adressen aus diesen Netzen erhalten keine Strafen für fehlgeschlagene Verbindungen und dürfen beliebig \
         viele ungeprüfte Verbindungen haben. Das ist für einen Lastverteiler oder einen eigenen Scanner gedacht.",
    ),
    row(
        "tcp_proxy_protocol_from",
        Unit::None,
        "Load balancers with the PROXY protocol",
        "Lastverteiler mit PROXY-Protokoll",
        "Connections from these addresses and networks must begin with a PROXY header (version 1 or 2), which names \
         the partner's address; no other connection may have one.",
        "Verbindungen von diesen Adressen und Netzen müssen mit einem PROXY-Header (Version 1 oder 2) beginnen, der \
         die Adresse des Partners nennt; alle anderen Verbindungen dürfen keinen haben.",
    ),
    row(
        "proxy_station_proxy_protocol",
        Unit::None,
        "Send the station a PROXY header",
        "PROXY-Header an die Station senden",
        "Before each incoming session the station gets a PROXY header (version 2) with the partner's address; it must \
         expect the header.",
        "Vor jeder eingehenden Sitzung erhält die Station einen PROXY-Header (Version 2) mit der Adresse des Partners; \
         sie muss ihn erwarten.",
    ),
    row(
        "proxy_station_host",
        Unit::None,
        "Hostname or IP address of host running OS4X receive daemon (mandatory for incoming connections)",
        "Hostname oder IP-Adresse des Hosts mit dem OS4X-Empfangsdienst (nötig für eingehende Verbindungen)",
        "The client forwards incoming sessions to this host.",
        "An diesen Host leitet der Client eingehende Sitzungen weiter.",
    ),
    row(
        "proxy_sandbox",
        Unit::None,
        "Sandbox of session processes",
        "Sandbox der Sitzungsprozesse",
        "The session processes of both daemons run in a sandbox, as far as the kernel supports it. Choose 'no' only \
         while sessions end with the reason sandbox, until the cause is removed.",
        "Die Sitzungsprozesse beider Dienste laufen in einer Sandbox, soweit der Kernel sie unterstützt. Wählen Sie \
         'nein' nur, solange Sitzungen mit dem Grund sandbox enden, bis die Ursache behoben ist.",
    ),
    row(
        "proxy_max_config_age",
        Unit::Seconds,
        "Maximum age of the configuration",
        "Maximales Alter der Konfiguration",
        "The server works for this time without a confirmation of its configuration.",
        "So lange arbeitet der Server ohne Bestätigung seiner Konfiguration.",
    ),
    row(
        "proxy_enrol_seconds",
        Unit::Seconds,
        "Validity of a client's certificate",
        "Gültigkeit des Zertifikats eines Clients",
        "The certificate of a client is valid for this time.",
        "So lange ist das Zertifikat eines Clients gültig.",
    ),
    row(
        "proxy_sessions",
        Unit::None,
        "Maximum number of incoming sessions",
        "Maximale Anzahl eingehender Sitzungen",
        "So many incoming sessions are allowed at the same time on each server. The overview shows the sum of \
         all servers.",
        "So viele eingehende Sitzungen sind auf jedem Server gleichzeitig erlaubt. Die Übersicht zeigt die Summe aller \
         Server.",
    ),
    row(
        "proxy_sessions_per_partner",
        Unit::None,
        "Maximum number of incoming sessions of a partner",
        "Maximale Anzahl eingehender Sitzungen eines Partners",
        "So many incoming sessions of one partner are allowed at the same time on each server.",
        "So viele eingehende Sitzungen eines Partners sind auf jedem Server gleichzeitig erlaubt.",
    ),
    row(
        "proxy_outgoing_sessions",
        Unit::None,
        "Maximum number of outgoing sessions",
        "Maximale Anzahl ausgehender Sitzungen",
        "So many outgoing sessions are allowed at the same time on each server. The overview shows the sum of \
         all servers.",
        "So viele ausgehende Sitzungen sind auf jedem Server gleichzeitig erlaubt. Die Übersicht zeigt die Summe aller \
         Server.",
    ),
    row(
        "proxy_parked_pairs",
        Unit::None,
        "Parked pairs",
        "Bereitstehende Paare",
        "So many pairs of processes are kept ready for each direction.",
        "So viele Prozesspaare stehen in jeder Richtung im Voraus bereit.",
    ),
    row(
        "proxy_max_parked_pairs",
        Unit::None,
        "Maximum number of parked pairs",
        "Maximale Anzahl bereitstehender Paare",
        "At most so many pairs are kept ready while many sessions begin. Their number is that of the sessions in \
         the busiest second of the last half minute, but at least proxy_parked_pairs.",
        "So viele Prozesspaare stehen höchstens bereit, wenn viele Sitzungen beginnen. Ihre Anzahl entspricht den \
         Sitzungen der stärksten Sekunde in der letzten halben Minute, mindestens aber proxy_parked_pairs.",
    ),
    row(
        "proxy_parked_age",
        Unit::Seconds,
        "Maximum age of a parked pair",
        "Maximales Alter eines bereitstehenden Paars",
        "A pair is kept ready for at most this time.",
        "So lange steht ein Paar höchstens bereit.",
    ),
    row(
        "proxy_unverified_per_address",
        Unit::None,
        "Unverified connections of an address",
        "Ungeprüfte Verbindungen einer Adresse",
        "So many unverified connections of one address are allowed at the same time (IPv6: of one /64 network).",
        "So viele ungeprüfte Verbindungen einer Adresse sind gleichzeitig erlaubt (IPv6: eines /64-Netzes).",
    ),
    row(
        "proxy_unverified_soft",
        Unit::None,
        "Unverified connections, soft limit",
        "Ungeprüfte Verbindungen, weiche Grenze",
        "Above this number of unverified connections, those that have lasted for more than 5 s are closed to make \
         room for new ones.",
        "Ab dieser Anzahl ungeprüfter Verbindungen werden solche, die länger als 5 s dauern, für neue Verbindungen \
         geschlossen.",
    ),
    row(
        "proxy_unverified_hard",
        Unit::None,
        "Unverified connections, hard limit",
        "Ungeprüfte Verbindungen, harte Grenze",
        "So many unverified connections are allowed on each server. A quarter of them is reserved for addresses from \
         which partners connected recently or that are in the partner table.",
        "So viele ungeprüfte Verbindungen sind auf jedem Server erlaubt. Ein Viertel davon ist für Adressen \
         reserviert, \
         von denen sich kürzlich Partner verbunden haben oder die in der Partnertabelle stehen.",
    ),
    row(
        "proxy_handshake_seconds",
        Unit::Seconds,
        "Time limit of the TLS handshake",
        "Zeitlimit des TLS-Handshakes",
        "A partner has to complete the TLS handshake within this time.",
        "In dieser Zeit muss ein Partner den TLS-Handshake abschließen.",
    ),
    row(
        "proxy_ssid_seconds",
        Unit::Seconds,
        "Time limit of the SSID",
        "Zeitlimit der SSID",
        "A partner has to send its SSID within this time.",
        "In dieser Zeit muss ein Partner seine SSID senden.",
    ),
    row(
        "proxy_buffer_seconds",
        Unit::Seconds,
        "Time limit of an Exchange Buffer",
        "Zeitlimit eines Exchange Buffers",
        "An Exchange Buffer has to arrive completely within this time after its beginning.",
        "In dieser Zeit muss ein begonnener Exchange Buffer vollständig ankommen.",
    ),
    row(
        "proxy_silence_seconds",
        Unit::Seconds,
        "Maximum silence in a session",
        "Maximale Zeit ohne Daten in einer Sitzung",
        "A session is ended after this time without data.",
        "Nach dieser Zeit ohne Daten wird eine Sitzung beendet.",
    ),
    row(
        "proxy_station_seconds",
        Unit::Seconds,
        "Time limit of the connection to the station",
        "Zeitlimit der Verbindung zur Station",
        "The connection to the station has to be established within this time.",
        "In dieser Zeit muss die Verbindung zur Station zustande kommen.",
    ),
    row(
        "proxy_log_max_bytes",
        Unit::Octets,
        "Maximum size of a daemon's log file",
        "Maximale Größe der Protokolldatei eines Dienstes",
        "From this size on, the log file of a day gets only lines of level ERROR and above.",
        "Ab dieser Größe nimmt die Protokolldatei eines Tages nur noch Zeilen der Stufe ERROR und höher auf.",
    ),
    row(
        "proxy_idle_commands",
        Unit::None,
        "Maximum number of commands without progress",
        "Maximale Anzahl von Kommandos ohne Fortschritt",
        "So many commands in a row may transfer neither a file nor a receipt.",
        "So viele aufeinanderfolgende Kommandos dürfen weder eine Datei noch eine Empfangsbestätigung übertragen.",
    ),
    row(
        "proxy_crl_automatic",
        Unit::None,
        "Automatic CRL handling",
        "Automatische Verarbeitung von CRLs",
        "The backend downloads the CRLs for certificates of partners from the URLs in these certificates.",
        "Das Backend lädt die CRLs zu den Zertifikaten von Partnern von den Adressen herunter, die in den \
         Zertifikaten stehen.",
    ),
    row(
        "proxy_crl_slice_seconds",
        Unit::Seconds,
        "Length of a timeslice",
        "Länge einer Zeitscheibe",
        "A timeslice has this length.",
        "So lange dauert eine Zeitscheibe.",
    ),
    row(
        "proxy_crl_check_slices",
        Unit::Slices,
        "Check CRL URLs every x timeslices",
        "CRL-Adressen alle x Zeitscheiben prüfen",
        "The backend checks for CRLs that are due whenever so many timeslices have passed.",
        "So viele Zeitscheiben liegen zwischen zwei Prüfungen auf fällige CRLs.",
    ),
    row(
        "proxy_crl_max_age",
        Unit::Seconds,
        "Maximum age of CRLs",
        "Maximales Alter von CRLs",
        "A CRL is downloaded again after this time, even if it is valid for longer.",
        "Nach dieser Zeit wird eine CRL erneut heruntergeladen, auch wenn sie länger gültig ist.",
    ),
    row(
        "proxy_crl_max_size",
        Unit::Mebibytes,
        "Maximum size of a CRL",
        "Maximale Größe einer CRL",
        "Larger CRLs are not downloaded.",
        "Größere CRLs werden nicht heruntergeladen.",
    ),
    row(
        "proxy_crl_allow_private",
        Unit::None,
        "CRLs from private hosts",
        "CRLs von privaten Hosts",
        "The backend downloads CRLs also from hosts with private, loopback or link-local addresses.",
        "Das Backend lädt CRLs auch von Hosts mit privaten, Loopback- oder Link-Local-Adressen herunter.",
    ),
    row(
        "proxy_event_script",
        Unit::None,
        "OS4X API proxy system log event script",
        "Ereignisskript für das Systemprotokoll (OS4X API proxy)",
        "This file is run for each entry of the system log, or each entry is sent to this URL.",
        "Diese Datei wird für jeden Eintrag gestartet, oder jeder Eintrag wird an diese URL gesendet.",
    ),
    row(
        "proxy_event_seconds",
        Unit::Seconds,
        "Time limit of the event script",
        "Zeitlimit des Ereignisskripts",
        "The event script is aborted after this time.",
        "Nach dieser Zeit wird das Ereignisskript abgebrochen.",
    ),
    row(
        "http_proxy",
        Unit::None,
        "HTTP proxy for http",
        "HTTP-Proxy für http",
        "The backend uses this HTTP proxy for http URLs of CRLs and events. If the field is empty, the variable \
         http_proxy or HTTP_PROXY applies.",
        "Das Backend verwendet diesen HTTP-Proxy für http-Adressen von CRLs und Ereignissen. Wenn das Feld leer \
         ist, gilt die Variable http_proxy oder HTTP_PROXY.",
    ),
    row(
        "https_proxy",
        Unit::None,
        "HTTP proxy for https",
        "HTTP-Proxy für https",
        "The backend uses this HTTP proxy for https URLs of CRLs and events. If the field is empty, the variable \
         https_proxy or HTTPS_PROXY applies.",
        "Das Backend verwendet diesen HTTP-Proxy für https-Adressen von CRLs und Ereignissen. Wenn das Feld leer \
         ist, gilt die Variable https_proxy oder HTTPS_PROXY.",
    ),
    row(
        "no_proxy",
        Unit::None,
        "Hosts without a proxy",
        "Hosts ohne Proxy",
        "The backend reaches these hosts without a proxy. If the field is empty, the variable no_proxy or NO_PROXY \
         applies.",
        "Das Backend erreicht diese Hosts ohne Proxy. Wenn das Feld leer ist, gilt die Variable no_proxy oder \
         NO_PROXY.",
    ),
    row(
        "api_path",
        Unit::None,
        "Paths of the API",
        "Pfade der API",
        "The API is available under these paths. A change applies from the next start of serve.",
        "Unter diesen Pfaden ist die API erreichbar. Die Änderung gilt ab dem nächsten Start von serve.",
    ),
    row(
        "api_trusted_proxies",
        Unit::None,
        "Trusted web servers",
        "Vertrauenswürdige Webserver",
        "The backend uses the address in X-Forwarded-For of these web servers. Enter addresses and networks.",
        "Von diesen Webservern übernimmt das Backend die Adresse in X-Forwarded-For. Geben Sie Adressen und Netze \
         an.",
    ),
    row(
        "api_log_file",
        Unit::None,
        "Absolute path to logfile of OS4X API",
        "Absoluter Pfad der Protokolldatei der OS4X API",
        "The OS4X API writes its log to this file. If the field is empty, it writes to standard error.",
        "In diese Datei schreibt die OS4X API ihr Protokoll. Wenn das Feld leer ist, schreibt sie auf die \
         Standardfehlerausgabe.",
    ),
    row(
        "api_log_level",
        Unit::None,
        "Loglevel of OS4X API",
        "Protokollstufe der OS4X API",
        "The OS4X API logs messages from this level on: ERROR, WARN, INFO, DEBUG or TRACE.",
        "Die OS4X API protokolliert Meldungen ab dieser Stufe: ERROR, WARN, INFO, DEBUG oder TRACE.",
    ),
    row(
        "api_keep_days",
        Unit::Days,
        "Retention period",
        "Aufbewahrungsdauer",
        "Entries of the system log, the session list and the refusals are kept for this time.",
        "So lange werden Einträge des Systemprotokolls, der Sitzungsliste und der Abweisungen aufbewahrt.",
    ),
    row(
        "api_backup_days",
        Unit::Days,
        "Report if the last backup is older",
        "Meldung, wenn die letzte Sicherung älter ist",
        "After so many days the overview reports the age of the last backup; 0: never.",
        "Nach so vielen Tagen meldet die Übersicht das Alter der letzten Sicherung; 0: nie.",
    ),
    row(
        "panel_url",
        Unit::None,
        "URL of the panel",
        "URL der Administrationsoberfläche",
        "Browsers reach the panel at this URL. Links to the panel begin with it, and the panel answers requests for \
         its host.",
        "Unter dieser URL erreichen Browser die Administrationsoberfläche. Links auf die Oberfläche beginnen mit \
         ihr, und die Oberfläche beantwortet Anfragen an ihren Host.",
    ),
    row(
        "panel_networks",
        Unit::None,
        "Networks of the panel",
        "Netze der Administrationsoberfläche",
        "Browsers may reach the panel from these networks. This host always may.",
        "Aus diesen Netzen dürfen Browser die Administrationsoberfläche erreichen. Dieser Host darf es immer.",
    ),
    row(
        "panel_idle_minutes",
        Unit::Minutes,
        "Maximum idle time of a panel session",
        "Maximale Leerlaufzeit einer Sitzung der Administrationsoberfläche",
        "A session of the panel ends after this time without a page.",
        "Nach dieser Zeit ohne Seitenaufruf endet eine Sitzung der Administrationsoberfläche.",
    ),
    row(
        "panel_session_hours",
        Unit::Hours,
        "Maximum duration of a panel session",
        "Maximale Dauer einer Sitzung der Administrationsoberfläche",
        "A session of the panel ends after this time in any case.",
        "Nach dieser Zeit endet eine Sitzung der Administrationsoberfläche in jedem Fall.",
    ),
    row(
        "metrics_networks",
        Unit::None,
        "Networks for metrics without a key",
        "Netze für Metriken ohne Schlüssel",
        "Addresses of these networks may read /metrics at the panel's port without a key.",
        "Aus diesen Netzen darf /metrics am Port der Administrationsoberfläche ohne Schlüssel gelesen werden.",
    ),
    row(
        "metrics_partners",
        Unit::None,
        "Metrics for each partner",
        "Metriken je Partner",
        "The metrics have the short name of the partner. These are many more numbers, and whoever reads them sees the \
         partners.",
        "Die Metriken enthalten den Kurznamen des Partners: Es sind viel mehr Zahlen, und wer sie liest, sieht die \
         Partner.",
    ),
];
