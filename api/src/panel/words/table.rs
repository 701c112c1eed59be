//! The table of the words: a name, the English text and the German text. Without its German text, a word does not
//! compile. A table and nothing else.

macro_rules! words {
    ($($name:ident: $english:literal, $german:literal;)*) => {
        /// All words of a language.
        pub(in crate::panel) struct Words { $(pub(in crate::panel) $name: &'static str,)* }
        pub(super) static ENGLISH: Words = Words { $($name: $english,)* };
        pub(super) static GERMAN: Words = Words { $($name: $german,)* };
        #[cfg(test)]
        pub(super) static ALL: &[(&str, &str, &str)] = &[$((stringify!($name), $english, $german),)*];
    };
}

words! {
    language: "en", "de";
    product: "OS4X SmartProxy", "OS4X SmartProxy";
    panel: "Administrative panel", "Administrationsoberfläche";
    skip: "Skip to the content", "Zum Inhalt springen";
    main_menu: "Main menu", "Hauptmenü";
    monitor: "Monitoring", "Überwachung";
    partners_and_trust: "Partners and certificates", "Partner und Zertifikate";
    administration: "Administration", "Verwaltung";
    overview: "Overview", "Übersicht";
    sessions: "Sessions", "Sitzungen";
    refused: "Refusals", "Abweisungen";
    system_log: "System log", "Systemprotokoll";
    expiry: "Expiry", "Ablaufdaten";
    partners: "Partners", "Partner";
    audit: "Audit log", "Änderungsprotokoll";
    version: "Version", "Version";
    stale: "No connection since", "Keine Verbindung seit";
    save: "Save", "Speichern";
    yes: "yes", "ja";
    no: "no", "nein";
    all: "All", "Alle";
    show: "Show", "Anzeigen";
    show_all: "Show all", "Alle anzeigen";
    newest: "Newest", "Neueste";
    older: "Older", "Ältere";
    as_file: "Download:", "Herunterladen:";
    thousands: ",", ".";
    home: "Back to the overview", "Zurück zur Übersicht";

    all_well: "Everything is in order.", "Alles ist in Ordnung.";
    checks: "Problems and remedies", "Probleme und Abhilfe";
    wrong: "error", "Fehler";
    warning: "warning", "Warnung";
    state: "State", "Zustand";
    what: "Description", "Beschreibung";
    what_to_do: "Action", "Maßnahme";
    now_running: "Current use", "Aktuelle Nutzung";
    last_day: "Last 24 hours", "Letzte 24 Stunden";
    hour_from: "Hour from (UTC)", "Stunde ab (UTC)";
    figures: "Figures of the charts", "Zahlen der Diagramme";
    sessions_by_hour: "Sessions per hour", "Sitzungen pro Stunde";
    sessions_by_hour_meaning: "Incoming sessions, outgoing sessions and refusals of each of the last 24 hours. The \
                               table below the charts has the same figures.",
        "Eingehende Sitzungen, ausgehende Sitzungen und Abweisungen jeder der letzten 24 Stunden. Die Tabelle unter \
         den Diagrammen enthält dieselben Zahlen.";
    sessions_by_day: "Sessions per day", "Sitzungen pro Tag";
    sessions_by_day_meaning: "Incoming and outgoing sessions of each of the last 30 days. The table below the chart \
                              has the same figures.",
        "Eingehende und ausgehende Sitzungen jedes der letzten 30 Tage. Die Tabelle unter dem Diagramm enthält \
         dieselben Zahlen.";
    last_month: "Last 30 days", "Letzte 30 Tage";
    day: "Day (UTC)", "Tag (UTC)";
    octets_by_hour: "Octets per hour", "Bytes pro Stunde";
    octets_by_hour_meaning: "Octets from partners and to partners, by the hour in which the session began. The \
                             table below the charts has the same figures.",
        "Bytes von Partnern und an Partner, nach der Stunde, in der die Sitzung begann. Die Tabelle unter den \
         Diagrammen enthält dieselben Zahlen.";
    daemons: "Daemons", "Dienste";
    daemon: "Daemon", "Dienst";
    client: "client", "Client";
    server: "server", "Server";
    name: "Name", "Name";
    heard_ago: "Last contact", "Letzter Kontakt";
    host_and_start: "Host, PID, start", "Host, PID, Start";
    in_force: "Configuration in force", "Wirksame Konfiguration";
    incoming: "Incoming", "Eingehend";
    outgoing: "Outgoing", "Ausgehend";
    unverified: "Unverified", "Ungeprüft";
    listeners: "Listeners", "Listener";
    no_daemons: "No daemon has reported yet.", "Bisher hat sich kein Dienst gemeldet.";
    is_running: "running", "läuft";
    stands_by: "standby", "in Bereitschaft";
    is_joined: "joined", "verbunden";
    is_older: "older", "ältere Version";
    has_ended: "ended", "beendet";
    is_silent: "silent", "meldet sich nicht";
    is_lost: "lost", "nicht verbunden";
    never_joined: "never joined", "war nie verbunden";
    configuration_now: "Configuration", "Konfiguration";
    generation: "Generation", "Generation";
    as_of: "As of", "Stand";
    refused_lately: "Refusals in the last hour", "Abweisungen in der letzten Stunde";
    ends_soon: "Expiry within 30 days", "Ablauf innerhalb von 30 Tagen";
    nothing_ends: "Nothing expires.", "Es läuft nichts ab.";
    nobody_refused: "No refusals were found.", "Es wurden keine Abweisungen gefunden.";

    session: "Session", "Sitzung";
    no_sessions: "No sessions were found.", "Es wurden keine Sitzungen gefunden.";
    running: "running", "läuft";
    ended: "ended", "beendet";
    running_ones: "Running", "Laufende";
    ended_ones: "Ended", "Beendete";
    ended_at: "End", "Ende";
    orphaned: "orphaned", "verwaist";
    partner: "Partner", "Partner";
    direction: "Direction", "Richtung";
    reason: "Reason", "Grund";
    file_name: "File", "Datei";
    since_day: "From date", "Ab Datum";
    until_day: "To date", "Bis Datum";
    duration: "Duration", "Dauer";
    files: "Files", "Dateien";
    refused_of_them: "refused", "abgelehnt";
    octets: "Octets", "Bytes";
    octets_in: "Octets in", "Bytes eingehend";
    octets_out: "Octets out", "Bytes ausgehend";
    sender: "Sender", "Absender";
    result: "Result", "Ergebnis";
    no_files: "The session has transferred no file, or it has not ended yet.",
        "Die Sitzung hat keine Datei übertragen oder ist noch nicht beendet.";
    facts: "Details", "Details";
    last_files: "Last files", "Letzte Dateien";
    more_about_it: "Commands for further information", "Befehle für weitere Informationen";
    identifier: "ID", "ID";
    detail: "Detail", "Detail";
    ssid: "SSIDCODE", "SSIDCODE";
    station: "Station", "Station";
    certificate: "Certificate", "Zertifikat";
    serial: "Serial number", "Seriennummer";
    files_refused: "Refused files", "Abgelehnte Dateien";
    receipts: "Receipts", "Empfangsbestätigungen";
    process: "Process ID", "Prozess-ID";

    refused_intro: "Equal entries are grouped. An IPv6 address stands for its /64 network.",
        "Gleiche Einträge sind zusammengefasst. Eine IPv6-Adresse steht für ihr /64-Netz.";
    refused_cut: "Equal entries are grouped. The list does not show all entries: filter it, or download it as a file.",
        "Gleiche Einträge sind zusammengefasst. Die Liste zeigt nicht alle Einträge: Filtern Sie sie, oder laden Sie \
         sie als Datei herunter.";
    last_hours: "Period in hours", "Zeitraum in Stunden";
    partner_or_ssid: "Partner or SSIDCODE", "Partner oder SSIDCODE";
    times: "Count", "Anzahl";
    last: "Last time", "Zuletzt";
    last_and_first: "Last and first time", "Letztes und erstes Mal";

    level: "Level", "Stufe";
    origin: "Source", "Quelle";
    text: "Text", "Text";
    time: "Time", "Zeit";
    log_empty: "No entries were found.", "Es wurden keine Einträge gefunden.";

    expiry_intro: "The list shows everything that expires, in the order of the expiry dates.",
        "Die Liste zeigt alles, was abläuft, in der Reihenfolge der Ablaufdaten.";
    timeline: "Expiry dates within the next twelve months; the table below contains the same dates",
        "Ablaufdaten der nächsten zwölf Monate; die Tabelle darunter enthält dieselben Daten";
    ends: "Expiry date", "Ablaufdatum";
    days_left: "Days left", "Verbleibende Tage";
    good: "OK", "OK";
    soon: "expires soon", "läuft bald ab";
    over: "expired", "abgelaufen";
    unreadable: "unreadable", "nicht lesbar";

    name_ssid_host: "Name, SSIDCODE or host", "Name, SSIDCODE oder Host";
    short_name: "Short name", "Kurzname";
    enabled: "enabled", "aktiviert";
    disabled: "disabled", "deaktiviert";
    certificate_rule: "Certificate rule", "Zertifikatsregel";
    host_and_port: "Host and port", "Host und Port";
    profile: "Profile", "Profil";
    no_partners: "No partners were found.", "Es wurden keine Partner gefunden.";

    audit_intro: "The list shows all changes, the newest first. The command 'os4xapi audit verify' detects entries \
                  that were altered.",
        "Die Liste zeigt alle Änderungen, die neuesten zuerst. Der Befehl 'os4xapi audit verify' erkennt nachträglich \
         veränderte Einträge.";
    number: "Number", "Nummer";
    actor: "Performed by", "Ausgeführt von";
    role: "Role", "Rolle";
    way: "Interface", "Schnittstelle";
    act: "Operation", "Vorgang";
    object: "Object", "Objekt";
    changes: "Changes", "Änderungen";
    previous_hash: "Hash of the previous entry", "Prüfsumme des vorherigen Eintrags";
    hash: "Hash", "Prüfsumme";
    nothing_changed: "No entries were found.", "Es wurden keine Einträge gefunden.";

    administrator: "Administrator", "Administrator";
    operator: "Operator", "Bediener";
    auditor: "Auditor", "Prüfer";

    log_in: "Log in", "Anmelden";
    log_out: "Log out", "Abmelden";
    user_name: "User name", "Benutzername";
    password: "Password", "Kennwort";
    code: "Code of the authenticator app", "Code der Authenticator-App";
    code_hint: "Enter the six digits that the app shows, which are valid once, or one of your recovery codes.",
        "Geben Sie die sechs Ziffern ein, die die App zeigt und die nur einmal gelten, oder einen Ihrer \
         Wiederherstellungscodes.";
    login_failed: "The user name, the password or the code is wrong. After several failed logins in a row, a user has \
                   to wait. An administrator can help with 'os4xapi user unlock' or 'os4xapi user reset'.",
        "Benutzername, Kennwort oder Code ist falsch. Nach mehreren Fehlversuchen in Folge muss ein Benutzer warten. \
         Ein Administrator kann mit 'os4xapi user unlock' oder 'os4xapi user reset' helfen.";
    no_default_account: "There is no default account. The command 'os4xapi user add' on the backend's host creates \
                         users.",
        "Es gibt kein Standardkonto. Der Befehl 'os4xapi user add' auf dem Host des Backends legt Benutzer an.";
    last_login: "Your previous login:", "Ihre vorherige Anmeldung:";
    first_login: "This is your first login.", "Dies ist Ihre erste Anmeldung.";
    failed_since: "Failed logins since then:", "Fehlgeschlagene Anmeldungen seitdem:";
    from_address: "from", "von";

    set_up: "Account setup", "Konto einrichten";
    set_up_intro: "This link works only once. Afterwards, you log in with your user name, your password and a code of \
                   your authenticator app.",
        "Dieser Link funktioniert nur einmal. Danach melden Sie sich mit Benutzername, Kennwort und einem Code Ihrer \
         Authenticator-App an.";
    step_password: "1. Choose a password", "1. Kennwort wählen";
    password_hint: "The password must have at least 12 characters. A longer password is safer. It does not expire.",
        "Das Kennwort muss mindestens 12 Zeichen haben. Ein längeres Kennwort ist sicherer. Es läuft nicht ab.";
    password_again: "Repeat password", "Kennwort wiederholen";
    step_app: "2. Scan the QR code with your app", "2. QR-Code mit der App scannen";
    app_hint: "You can use any app for time-based codes (TOTP). If you cannot scan the QR code, enter this key in the \
               app:",
        "Sie können jede App für zeitbasierte Codes (TOTP) verwenden. Wenn Sie den QR-Code nicht scannen können, geben \
         Sie diesen Schlüssel in der App ein:";
    qr_name: "QR code with the key for your app", "QR-Code mit dem Schlüssel für Ihre App";
    step_code: "3. Enter the code that the app shows", "3. Angezeigten Code eingeben";
    finish: "Finish", "Fertigstellen";
    link_over: "This link is not valid: it was used already, it has expired, or it is incomplete. An administrator can \
                create a new link with 'os4xapi user reset'.",
        "Dieser Link ist ungültig: Er wurde bereits verwendet, ist abgelaufen oder unvollständig. Ein Administrator \
         kann mit 'os4xapi user reset' einen neuen Link erstellen.";
    codes: "Your recovery codes", "Ihre Wiederherstellungscodes";
    codes_intro: "With each of these codes you can log in once without your app. The codes are shown only now. Print \
                  them, or store them in a safe place.",
        "Mit jedem dieser Codes können Sie sich einmal ohne Ihre App anmelden. Die Codes werden nur jetzt angezeigt. \
         Drucken Sie sie aus, oder bewahren Sie sie an einem sicheren Ort auf.";
    codes_kept: "I have stored the codes: continue to the login", "Ich habe die Codes aufbewahrt: weiter zur Anmeldung";

    account: "Your account", "Ihr Konto";
    preferences: "Language and colours", "Sprache und Farben";
    language_label: "Language", "Sprache";
    as_browser: "As in the browser", "Wie im Browser";
    theme: "Colour scheme", "Farbschema";
    as_system: "As in the operating system", "Wie im Betriebssystem";
    light: "Light", "Hell";
    dark: "Dark", "Dunkel";
    change_password: "Change password", "Kennwort ändern";
    present_password: "Current password", "Aktuelles Kennwort";
    new_password: "New password", "Neues Kennwort";
    others_end: "Your other sessions end when you change the password.",
        "Ihre anderen Sitzungen werden beendet, wenn Sie das Kennwort ändern.";
    own_sessions: "Your sessions in the panel", "Ihre Sitzungen in der Administrationsoberfläche";
    this_session: "this session", "diese Sitzung";
    end: "End", "Beenden";
    began: "Start", "Beginn";
    last_used: "Last activity", "Letzte Aktivität";
    address: "Address", "Adresse";
    browser: "Browser", "Browser";
    codes_left: "Remaining recovery codes", "Verbleibende Wiederherstellungscodes";
    saved: "Saved.", "Gespeichert.";
    password_changed: "Your password was changed, and your other sessions were ended.",
        "Ihr Kennwort wurde geändert, und Ihre anderen Sitzungen wurden beendet.";

    weak_length: "The password has fewer than 12 characters or more than 256.",
        "Das Kennwort hat weniger als 12 oder mehr als 256 Zeichen.";
    weak_name: "The password contains your name or the name of this site. Such a password is easy to guess.",
        "Das Kennwort enthält Ihren Namen oder den Namen dieser Installation. Ein solches Kennwort ist leicht zu \
         erraten.";
    weak_common: "The password is too common. Such a password is easy to guess.",
        "Das Kennwort ist zu verbreitet. Ein solches Kennwort ist leicht zu erraten.";
    not_the_same: "The two passwords are not the same.", "Die beiden Kennwörter stimmen nicht überein.";
    wrong_code: "The code is wrong. Enter the code that the app shows now. If that fails, check the clocks of your \
                 phone and of this host.",
        "Der Code ist falsch. Geben Sie den Code ein, den die App jetzt zeigt. Wenn das nicht hilft, prüfen Sie die \
         Uhren Ihres Telefons und dieses Hosts.";
    wrong_proof: "The current password or the code is wrong.", "Das aktuelle Kennwort oder der Code ist falsch.";

    configuration: "Configuration", "Konfiguration";
    settings: "Settings", "Einstellungen";
    page_tcp_ip: "TCP/IP", "TCP/IP";
    page_ssl_tls: "SSL/TLS", "SSL/TLS";
    page_proxy: "Proxy", "Proxy";
    page_logging: "Logging", "Protokollierung";
    page_events: "Events", "Ereignisse";
    section_addresses: "Ports and addresses", "Ports und Adressen";
    section_partners: "Partners", "Partner";
    section_http_proxies: "HTTP proxies of this backend", "HTTP-Proxys dieses Backends";
    section_api: "API and panel", "API und Administrationsoberfläche";
    section_crls: "Certificate revocation lists", "Sperrlisten (CRLs)";
    section_parameters: "Configuration parameters", "Konfigurationsparameter";
    section_limits: "Limits of the daemons", "Grenzen der Dienste";
    section_logs: "Logs", "Protokolle";
    section_events: "Event script", "Ereignisskript";
    unit_seconds: "seconds", "Sekunden";
    unit_minutes: "minutes", "Minuten";
    unit_hours: "hours", "Stunden";
    unit_days: "days", "Tage";
    unit_day: "day", "Tag";
    unit_octets: "octets", "Bytes";
    unit_slices: "timeslices", "Zeitscheiben";
    default_value: "Default", "Standardwert";
    nothing: "empty", "leer";
    it_takes: "Allowed:", "Erlaubt:";
    takes_only: "The value must be", "Erlaubt ist nur";
    takes_number: "a whole number from", "eine ganze Zahl von";
    to: "to", "bis";
    takes_yes_no: "yes or no", "ja oder nein";
    takes_address: "an IPv4 or IPv6 address, or empty", "eine IPv4- oder IPv6-Adresse oder ein leerer Wert";
    takes_host: "a host name or an IP address", "ein Hostname oder eine IP-Adresse";
    takes_networks: "a list of addresses or networks (10.0.0.0/8), separated by commas, or empty",
        "eine durch Kommas getrennte Liste von Adressen oder Netzen (10.0.0.0/8) oder ein leerer Wert";
    takes_paths: "a list of paths, separated by commas; each path begins with '/' and has only letters, digits and . _ \
                  - /",
        "eine durch Kommas getrennte Liste von Pfaden; jeder Pfad beginnt mit '/' und enthält nur Buchstaben, Ziffern \
         und . _ - /";
    takes_file: "an absolute path, or empty", "ein absoluter Pfad oder ein leerer Wert";
    takes_proxy: "http://[USER:PASSWORD@]HOST[:PORT], or empty",
        "http://[USER:PASSWORT@]HOST[:PORT] oder ein leerer Wert";
    takes_hosts: "a list of names (including their subdomains), addresses or networks, separated by commas, '*' for \
                  all hosts, or empty",
        "eine durch Kommas getrennte Liste von Namen (einschließlich ihrer Subdomains), Adressen oder Netzen, '*' für \
         alle Hosts oder ein leerer Wert";
    takes_url: "an https URL without a path, such as https://panel.example:8444",
        "eine https-URL ohne Pfad, zum Beispiel https://panel.example:8444";
    takes_event: "an absolute path, an http or https URL without a user, or empty",
        "ein absoluter Pfad, eine http- oder https-URL ohne Benutzer oder ein leerer Wert";
    takes_level: "one of these levels", "eine dieser Stufen";
    not_greater_than: "The value must not be greater than", "Der Wert darf nicht größer sein als";
    not_taken: "Nothing was changed. Correct the following errors:",
        "Es wurde nichts geändert. Korrigieren Sie die folgenden Fehler:";
    not_done: "Nothing was changed", "Es wurde nichts geändert";
    stale_form: "The entry was changed in the meantime. Check its current state, and repeat your change.",
        "Der Eintrag wurde in der Zwischenzeit geändert. Prüfen Sie den aktuellen Stand, und wiederholen Sie Ihre \
         Änderung.";
    changed_meanwhile: "The value was changed in the meantime. The current value is",
        "Der Wert wurde in der Zwischenzeit geändert. Der aktuelle Wert ist";
    look_again: "Confirm change", "Änderung bestätigen";
    would_change: "The change has these effects, including those on the servers:",
        "Die Änderung hat diese Auswirkungen, auch auf die Server:";
    type_to_confirm: "To confirm, enter:", "Geben Sie zur Bestätigung ein:";
    wrong_word: "The text does not match.", "Der Text stimmt nicht überein.";
    prove_again: "This action requires your password and a code. You do not have to enter them again for ten minutes.",
        "Diese Aktion erfordert Ihr Kennwort und einen Code. Danach müssen Sie beides zehn Minuten lang nicht erneut \
         eingeben.";
    do_it: "Confirm", "Bestätigen";
    cancel: "Cancel", "Abbrechen";
    partners_of_a_day: "Partners that connected within the last 24 hours:",
        "Partner mit Verbindungen in den letzten 24 Stunden:";
    reach_meaning: "Running sessions continue. From then on, partners or browsers have to use the new address. A \
                    server stops if an outgoing address is not one of its own.",
        "Laufende Sitzungen werden fortgesetzt. Partner oder Browser müssen ab dann die neue Adresse verwenden. Ein \
         Server beendet sich, wenn eine ausgehende Adresse nicht ihm gehört.";
    reach_comes_back: "If nobody presses 'Keep change' within ten minutes, the change is reverted automatically.",
        "Wenn niemand innerhalb von zehn Minuten auf 'Änderung behalten' drückt, wird die Änderung automatisch \
         rückgängig gemacht.";
    weaker_meaning: "This change reduces the protection: connections that were refused before may be accepted. \
                     SECURITY.md explains the purpose of the setting.",
        "Diese Änderung verringert den Schutz: Bisher abgewiesene Verbindungen können angenommen werden. SECURITY.md \
         erklärt den Zweck der Einstellung.";
    goes_back_in: "A change is reverted automatically unless somebody keeps it. Time left:",
        "Eine Änderung wird automatisch rückgängig gemacht, wenn niemand sie behält. Verbleibende Zeit:";
    goes_back_at: "Automatic reversal", "Automatische Rücknahme";
    stays_or_goes: "Unconfirmed change", "Unbestätigte Änderung";
    keep: "Keep change", "Änderung behalten";
    take_back_now: "Revert now", "Jetzt rückgängig machen";
    in_force_everywhere: "in force on each known server, ports open", "auf jedem bekannten Server wirksam, Ports offen";
    not_in_force_yet: "not in force yet", "noch nicht wirksam";
    done_added: "Added.", "Hinzugefügt.";
    done_removed: "Removed.", "Entfernt.";
    done_reverted: "The change was reverted.", "Die Änderung wurde rückgängig gemacht.";
    done_kept: "The change was kept.", "Die Änderung wurde behalten.";
    done_ordered: "The action was requested. A client performs it within seconds.",
        "Die Aktion wurde angefordert. Ein Client führt sie innerhalb von Sekunden aus.";
    block_clients: "Proxy client configuration", "Proxy-Client-Konfiguration (Proxy client configuration)";
    no_clients: "No client has a listener. Without a listener, a client carries only incoming sessions.",
        "Kein Client hat einen Listener. Ohne Listener überträgt ein Client nur eingehende Sitzungen.";
    add_client: "Add or change a client's listener", "Listener eines Clients hinzufügen oder ändern";
    client_address: "IP address of the client", "IP-Adresse des Clients";
    client_address_hint: "The client connects to this backend from this address. ::1 is treated as 127.0.0.1. \
                          If several clients use one address: NAME@ADDRESS, with the name in OS4X_CLIENT_NAME.",
        "Von dieser Adresse verbindet sich der Client mit diesem Backend. ::1 wird wie 127.0.0.1 behandelt. Wenn \
         mehrere Clients eine Adresse verwenden: NAME@ADRESSE, mit dem Namen in OS4X_CLIENT_NAME.";
    port: "Port", "Port";
    tied_to: "Tied to partner", "An Partner gebunden";
    tied_to_hint: "Enter the short name of a partner to which all connections of the listener lead. If the field is \
                   empty, the listener accepts proxy requests.",
        "Geben Sie den Kurznamen eines Partners ein, zu dem alle Verbindungen des Listeners führen. Wenn das Feld leer \
         ist, nimmt der Listener Proxy-Anfragen an.";
    listen_ip: "Listener address", "Adresse des Listeners";
    listen_ip_hint: "If the field is empty, the listener uses all IPv4 and IPv6 addresses.",
        "Wenn das Feld leer ist, verwendet der Listener alle IPv4- und IPv6-Adressen.";
    networks: "Allowed networks", "Erlaubte Netze";
    networks_hint: "Enter the addresses or networks (10.0.0.0/8) that may use the listener, separated by commas. If \
                    the field is empty, loopback addresses and private networks may use it.",
        "Geben Sie die Adressen oder Netze (10.0.0.0/8) an, die den Listener verwenden dürfen, durch Kommas getrennt. \
         Wenn das Feld leer ist, dürfen Loopback-Adressen und private Netze ihn verwenden.";
    name_hint: "The name appears only in lists. It has at most 64 characters.",
        "Der Name erscheint nur in Listen. Er hat höchstens 64 Zeichen.";
    what_can_be_done: "Actions", "Aktionen";
    remove: "Remove", "Entfernen";
    add: "Add", "Hinzufügen";
    needs_client_address: "The value must be an IP address, or NAME@ADDRESS.",
        "Erlaubt ist nur eine IP-Adresse oder NAME@ADRESSE.";
    needs_address: "The value must be an IPv4 or IPv6 address.", "Erlaubt ist nur eine IPv4- oder IPv6-Adresse.";
    client_remove_meaning: "The station cannot reach partners through this listener any more. Running sessions \
                            continue.",
        "Die Station kann über diesen Listener keine Partner mehr erreichen. Laufende Sitzungen werden fortgesetzt.";
    block_servers: "Proxy servers", "Proxy-Server";
    proxy_id: "OS4X Proxy ID", "OS4X-Proxy-ID";
    proxy_id_hint: "The ID has 64 hexadecimal digits followed by 'px'. The command 'os4x_proxyserver2 -L' prints it.",
        "Die ID besteht aus 64 hexadezimalen Ziffern und 'px'. Der Befehl 'os4x_proxyserver2 -L' gibt sie aus.";
    added: "Date added", "Hinzugefügt am";
    its_addresses: "Addresses", "Adressen";
    server_of_session: "Server", "Server";
    all_servers: "All servers", "Alle Server";
    limits_add_up: "Each server has its own limits", "Jeder Server hat eigene Grenzen";
    not_enabled: "not in use", "nicht in Betrieb";
    draining: "takes no new sessions, sessions left", "nimmt keine neuen Sitzungen an, verbleibende Sitzungen";
    drain: "Drain", "Leeren";
    drain_meaning: "The server closes its port for partners within 65 seconds and refuses new outgoing sessions. \
                    Running sessions go on. This page shows how many are left.",
        "Der Server schließt innerhalb von 65 Sekunden seinen Port für Partner und weist neue ausgehende Sitzungen \
         ab. Laufende Sitzungen gehen weiter. Diese Seite zeigt, wie viele noch laufen.";
    undrain: "End drain", "Leeren beenden";
    drained: "The server takes no new sessions within 65 seconds.",
        "Der Server nimmt innerhalb von 65 Sekunden keine neuen Sitzungen mehr an.";
    undrained: "The server takes new sessions again within 65 seconds.",
        "Der Server nimmt innerhalb von 65 Sekunden wieder neue Sitzungen an.";
    own_settings: "Its own settings", "Eigene Einstellungen";
    set_for_server: "Settings of one server", "Einstellungen eines Servers";
    setting: "Setting", "Einstellung";
    enabled_server: "In use ('enabled')", "In Betrieb ('enabled')";
    has_own: "Own value", "Eigener Wert";
    has_own_hint: "Choose 'no' to let the value for all servers hold for this one again.",
        "Wählen Sie 'nein', damit für diesen Server wieder der Wert für alle gilt.";
    own_value: "Value", "Wert";
    own_value_hint: "Enter the value for this server. An empty address means the choice of its system, an empty list \
                     of load balancers means none.",
        "Geben Sie den Wert für diesen Server ein. Eine leere Adresse bedeutet die Wahl seines Systems, eine leere \
         Liste von Lastverteilern bedeutet keine.";
    no_servers: "No server is listed. A server that is not listed gets no configuration.",
        "Kein Server ist eingetragen. Ein Server, der nicht eingetragen ist, erhält keine Konfiguration.";
    add_server: "Add or rename a server", "Server hinzufügen oder umbenennen";
    server_remove_meaning: "The server gets no configuration any more and closes its port for partners.",
        "Der Server erhält keine Konfiguration mehr und schließt seinen Port für Partner.";
    // About.
    about: "About", "Über diese Installation";
    program: "Program", "Programm";
    build: "build", "Build";
    components: "Components", "Komponenten";
    components_intro: "These programs of other authors are built into server, client and backend, under the licences \
                       that are named in the notation of SPDX. The backend also contains SQLite, which is in the \
                       public domain.",
        "Diese Programme anderer Autoren sind in Server, Client und Backend enthalten, unter den Lizenzen, die in der \
         Schreibweise von SPDX genannt sind. Das Backend enthält außerdem SQLite, das gemeinfrei ist.";
    tls_library: "TLS library", "TLS-Bibliothek";
    this_host: "Host", "Rechner";
    running_since: "Running since", "Läuft seit";
    database: "Database", "Datenbank";
    size: "Size", "Größe";
    version_of_tables: "Version of the tables", "Version der Tabellen";
    diagnosis: "Diagnosis", "Diagnose";
    state_of_site: "State of the site", "Zustand der Installation";
    state_of_site_hint: "The same as 'os4xapi status --json'", "Dasselbe wie 'os4xapi status --json'";
    readiness: "Readiness", "Bereitschaft";
    readiness_hint: "For load balancers and monitoring, without login",
        "Für Lastverteiler und Monitoring, ohne Anmeldung";
    support: "Archive for support", "Archiv für den Support";
    support_hint: "It contains no keys, tokens and passwords, but names and addresses of partners: read it before you \
                   send it.",
        "Es enthält keine Schlüssel, Token und Kennwörter, aber Namen und Adressen von Partnern: Lesen Sie es, bevor \
         Sie es versenden.";
    // Backup and transfer.
    transfer: "Backup and transfer", "Sicherung und Übertragung";
    backup: "Backup", "Sicherung";
    last_backup: "Last backup", "Letzte Sicherung";
    never: "never", "nie";
    command_for_backups: "Command for regular backups", "Befehl für regelmäßige Sicherungen";
    export: "Export", "Export";
    document: "Document", "Dokument";
    export_meaning: "The document contains settings, partners, servers, listeners, trusted certificates, CRLs, bans \
                     and ignored messages, but no keys, tokens and passwords.",
        "Das Dokument enthält Einstellungen, Partner, Server, Listener, vertrauenswürdige Zertifikate, Sperrlisten, \
         gesperrte Netze und ignorierte Meldungen, aber keine Schlüssel, Token und Kennwörter.";
    export_with_keys: "Export with keys", "Export mit Schlüsseln";
    passphrase: "Passphrase", "Passphrase";
    passphrase_again: "Passphrase again", "Passphrase wiederholen";
    passphrase_hint: "The passphrase has at least 12 characters. It encrypts the private keys in the document and is \
                      stored nowhere.",
        "Die Passphrase hat mindestens 12 Zeichen. Sie verschlüsselt die privaten Schlüssel im Dokument und wird \
         nirgends gespeichert.";
    passphrases_differ: "The passphrases are not the same.", "Die Passphrasen stimmen nicht überein.";
    import: "Import", "Import";
    import_file_hint: "The file must be a document of an export, or a table of partners (CSV with the headings name \
                       and ssid, and optionally host, port, tls and outgoing_ip). It may have 16 MiB.",
        "Die Datei muss ein Dokument eines Exports sein, oder eine Tabelle von Partnern (CSV mit den Überschriften \
         name und ssid, und wahlweise host, port, tls und outgoing_ip). Sie darf 16 MiB groß sein.";
    other_objects: "Objects that are not in the document", "Objekte, die nicht im Dokument stehen";
    import_merges: "keep", "behalten";
    import_replaces: "remove", "entfernen";
    import_passphrase_hint: "It is required only if the document contains keys.",
        "Sie ist nur erforderlich, wenn das Dokument Schlüssel enthält.";
    needs_file: "Choose a file.", "Wählen Sie eine Datei.";
    needs_passphrase: "The document contains keys: enter its passphrase.",
        "Das Dokument enthält Schlüssel: Geben Sie seine Passphrase ein.";
    table_replaces_nothing: "A table of partners contains no settings, so it cannot replace the other objects.",
        "Eine Tabelle von Partnern enthält keine Einstellungen und kann die anderen Objekte nicht ersetzen.";
    import_would: "Changes by the import", "Änderungen durch den Import";
    nothing_to_import: "Everything in the file is in the database already.",
        "Alles in der Datei ist bereits in der Datenbank.";
    further_changes: "further changes", "weitere Änderungen";
    change: "Change", "Änderung";
    is_added: "added", "hinzugefügt";
    is_changed: "changed", "geändert";
    is_removed: "removed", "entfernt";
    hint: "hint", "Hinweis";
    done_imported: "Imported.", "Importiert.";
    // The set-up assistant and licences.
    assistant: "Set-up assistant", "Einrichtungsassistent";
    assistant_intro: "These steps lead from an empty database to the first file. The page shows at any time which of \
                      them are done; you can leave it and come back.",
        "Diese Schritte führen von einer leeren Datenbank bis zur ersten Datei. Die Seite zeigt jederzeit, welche \
         davon erledigt sind; Sie können sie verlassen und zurückkommen.";
    assistant_complete: "All required steps are done.", "Alle erforderlichen Schritte sind erledigt.";
    not_complete: "The session list contains no session with a file yet. The set-up assistant shows what is missing.",
        "Die Sitzungsliste enthält noch keine Sitzung mit einer Datei. Der Einrichtungsassistent zeigt, was fehlt.";
    step_done: "done", "erledigt";
    step_open: "not done", "nicht erledigt";
    step_optional: "not done (optional)", "nicht erledigt (freiwillig)";
    copy: "Copy", "Kopieren";
    copied: "Copied", "Kopiert";
    on_dmz_host: "Command on the DMZ host", "Befehl auf dem DMZ-Rechner";
    print_proxy_id: "Print the Proxy ID, on the DMZ host", "Proxy-ID ausgeben, auf dem DMZ-Rechner";
    write_token: "Write the token to a file, on the host of this backend",
        "Token in eine Datei schreiben, auf dem Rechner dieses Backends";
    start_server: "Start the server, on the DMZ host", "Server starten, auf dem DMZ-Rechner";
    start_client: "Start the client, on the inside host", "Client starten, auf dem internen Rechner";
    step_own: "Own certificate for partners", "Eigenes Zertifikat für Partner";
    step_own_why: "Partners recognise you by this certificate: upload it with its key (PKCS#12 or PEM), or create a \
                   request for your CA.",
        "An diesem Zertifikat erkennen Partner Sie: Laden Sie es mit seinem Schlüssel hoch (PKCS#12 oder PEM), oder \
         erstellen Sie eine Anforderung für Ihre CA.";
    step_name: "Name of this panel", "Name dieser Oberfläche";
    step_name_why: "The setting 'panel_url' is the beginning of all links to this panel, for example in invitations of \
                    users.",
        "Die Einstellung 'panel_url' ist der Anfang aller Links auf diese Oberfläche, zum Beispiel in Einladungen von \
         Benutzern.";
    step_station: "Station", "Station";
    step_station_why: "The client passes the sessions of partners to this address: it is the receive daemon of your \
                       OFTP2 station, which has your own SSIDCODE.",
        "An diese Adresse gibt der Client die Sitzungen der Partner weiter: Es ist der Empfangsdienst Ihrer \
         OFTP2-Station, die Ihren eigenen SSIDCODE hat.";
    address_of_station: "Address of the station", "Adresse der Station";
    step_server: "Server in the DMZ", "Server in der DMZ";
    step_server_why: "The server starts only with a licence for its Proxy ID; the first command prints the ID.",
        "Der Server startet nur mit einer Lizenz für seine Proxy-ID; der erste Befehl gibt die ID aus.";
    step_token: "Security token of the client", "Security-Token des Clients";
    step_token_why: "The client proves with the token that it belongs to this backend. If the client runs on another \
                     host, copy the file to it; or rotate the token: the new one is shown once.",
        "Mit dem Token weist der Client nach, dass er zu diesem Backend gehört. Wenn der Client auf einem anderen \
         Rechner läuft, kopieren Sie die Datei dorthin; oder erneuern Sie das Token: Das neue wird einmal angezeigt.";
    step_start: "Start of server and client", "Start von Server und Client";
    step_start_why: "The server accepts the sessions of partners, and the client connects from the inside to it and to \
                     this backend. Start the server first.",
        "Der Server nimmt die Sitzungen der Partner an, und der Client verbindet sich von innen mit ihm und mit diesem \
         Backend. Starten Sie zuerst den Server.";
    names_of_hosts: "Names in the commands", "Namen in den Befehlen";
    dmz_host: "DMZ host", "DMZ-Rechner";
    dmz_host_hint: "Enter the name or the IP address by which the inside host reaches the DMZ host. A port other than \
                    2878 follows after a colon.",
        "Geben Sie den Namen oder die IP-Adresse ein, unter der der interne Rechner den DMZ-Rechner erreicht. Ein \
         anderer Port als 2878 folgt nach einem Doppelpunkt.";
    backend_host: "This backend", "Dieses Backend";
    backend_host_hint: "Enter the name or the IP address by which the client reaches this backend. The HTTPS \
                        certificate must contain it.",
        "Geben Sie den Namen oder die IP-Adresse ein, unter der der Client dieses Backend erreicht. Das \
         HTTPS-Zertifikat muss sie enthalten.";
    needs_place_name: "The value must be a host name or an IP address, optionally with a port.",
        "Erlaubt ist nur ein Hostname oder eine IP-Adresse, wahlweise mit einem Port.";
    show_commands: "Show commands", "Befehle anzeigen";
    with_units: "With systemd", "Mit systemd";
    with_units_note: "If the programs were installed with 'scripts/install --units', put the following lines into the \
                      file client.env, and start the daemons with 'systemctl enable --now os4x_proxyserver2' and \
                      'systemctl enable --now os4x_proxyclient2' instead.",
        "Wenn die Programme mit 'scripts/install --units' installiert wurden, schreiben Sie die folgenden Zeilen in \
         die Datei client.env, und starten Sie die Dienste stattdessen mit 'systemctl enable --now os4x_proxyserver2' \
         und 'systemctl enable --now os4x_proxyclient2'.";
    lines_of_client_env: "Lines of client.env", "Zeilen von client.env";
    step_join: "Connection of server and client", "Verbindung von Server und Client";
    step_join_why: "Partners can connect as soon as a client has joined the server. This page shows it within seconds; \
                    the overview names the cause if it does not happen.",
        "Partner können sich verbinden, sobald ein Client mit dem Server verbunden ist. Diese Seite zeigt das \
         innerhalb von Sekunden; die Übersicht nennt die Ursache, wenn es nicht geschieht.";
    step_partner: "First partner", "Erster Partner";
    step_partner_why: "Only listed partners are accepted: upload the certificate of the partner, and the panel fills \
                       in the form from it.",
        "Nur eingetragene Partner werden akzeptiert: Laden Sie das Zertifikat des Partners hoch, und die Oberfläche \
         füllt das Formular daraus aus.";
    step_acceptance: "Acceptance of the certificate", "Annahme des Zertifikats";
    step_acceptance_why: "This backend checks the known certificates of the first partners by the rules of the server; \
                          the page of the partner shows the reason of a refusal.",
        "Dieses Backend prüft die bekannten Zertifikate der ersten Partner nach den Regeln des Servers; die Seite des \
         Partners zeigt den Grund einer Abweisung.";
    step_call: "Test call", "Testanruf";
    step_call_why: "A test call from the page of the partner shows whether the partner can be reached. It is optional, \
                    because some partners only call you, and it counts for a day.",
        "Ein Testanruf von der Seite des Partners zeigt, ob der Partner erreichbar ist. Er ist freiwillig, weil manche \
         Partner nur von sich aus anrufen, und er zählt einen Tag lang.";
    step_file: "First file", "Erste Datei";
    step_file_why: "A session with a file proves that the whole way from the partner to the station works.",
        "Eine Sitzung mit einer Datei beweist, dass der ganze Weg vom Partner bis zur Station funktioniert.";
    licence: "Licence", "Lizenz";
    licence_until: "Licence valid until", "Lizenz gültig bis";
    licence_file: "Licence file", "Lizenzdatei";
    next_step: "Next step", "Nächster Schritt";
    issue_licence: "Issue licence", "Lizenz ausstellen";
    holder: "Holder", "Inhaber";
    holder_hint: "The holder has 1 to 64 characters. It also becomes the name of the server in lists.",
        "Der Inhaber hat 1 bis 64 Zeichen. Er wird auch der Name des Servers in Listen.";
    licence_days: "Validity in days", "Gültigkeit in Tagen";
    licence_meaning: "The server with this Proxy ID is listed, can join your clients with the licence and gets the \
                      configuration with the private key for partners. An earlier licence remains valid until it \
                      expires: to withdraw it, remove the server from the list.",
        "Der Server mit dieser Proxy-ID wird eingetragen, kann sich mit der Lizenz mit Ihren Clients verbinden und \
         erhält die Konfiguration mit dem privaten Schlüssel für Partner. Eine frühere Lizenz bleibt gültig, bis sie \
         abläuft: Um sie zu entziehen, entfernen Sie den Server aus der Liste.";
    licence_issued: "The licence was issued. Store it on the DMZ host.",
        "Die Lizenz wurde ausgestellt. Speichern Sie sie auf dem DMZ-Rechner.";
    block_ignores: "Log message ignore configuration",
        "Ignorierte Protokollmeldungen (Log message ignore configuration)";
    no_ignores: "No log messages are ignored.", "Es werden keine Protokollmeldungen ignoriert.";
    add_ignore: "Add log message to ignore", "Zu ignorierende Protokollmeldung hinzufügen";
    description: "Description", "Beschreibung";
    description_hint: "Enter the reason for this entry.", "Geben Sie den Grund für diesen Eintrag an.";
    ignore_text_hint: "Enter 3 to 200 characters that the message contains. Upper and lower case do not matter. The \
                       field may be empty if a partner, an address or a reason is given.",
        "Geben Sie 3 bis 200 Zeichen ein, die in der Meldung vorkommen. Groß- und Kleinschreibung spielen keine Rolle. \
         Das Feld darf leer sein, wenn Partner, Adresse oder Grund angegeben sind.";
    ignore_partner_hint: "Enter a short name to ignore only messages about this partner.",
        "Geben Sie einen Kurznamen ein, um nur Meldungen über diesen Partner zu ignorieren.";
    ignore_address_hint: "Enter an address or a network, such as 203.0.113.0/24, to ignore only messages about it.",
        "Geben Sie eine Adresse oder ein Netz ein, zum Beispiel 203.0.113.0/24, um nur Meldungen darüber zu \
         ignorieren.";
    valid_until: "Valid until", "Gültig bis";
    until_hint: "The entry is valid until the end of this day (UTC). Then it is removed automatically.",
        "Der Eintrag gilt bis zum Ende dieses Tages (UTC). Danach wird er automatisch entfernt.";
    needs_day_to_come: "The date must be in the future.", "Das Datum muss in der Zukunft liegen.";
    renew_licence: "Renew licence", "Lizenz erneuern";
    bans: "Banned networks", "Gesperrte Netze";
    banned_network: "Network", "Netz";
    no_bans: "No network is banned.", "Kein Netz ist gesperrt.";
    add_ban: "Ban a network", "Netz sperren";
    ban_network_hint: "Enter an address or a network, such as 203.0.113.9 or 203.0.113.0/24. For a network, the bits \
                       of the host must be 0. A ban cannot contain all addresses.",
        "Geben Sie eine Adresse oder ein Netz ein, zum Beispiel 203.0.113.9 oder 203.0.113.0/24. Bei einem Netz müssen \
         die Bits des Hosts 0 sein. Eine Sperre kann nicht alle Adressen enthalten.";
    ban_until_hint: "The ban ends at the end of this day (UTC). If the field is empty, it has no end.",
        "Die Sperre endet am Ende dieses Tages (UTC). Wenn das Feld leer ist, endet sie nicht von selbst.";
    ban_description_hint: "Enter the reason for the ban, at most 200 characters.",
        "Geben Sie den Grund der Sperre an, höchstens 200 Zeichen.";
    ban_meaning: "The servers refuse new connections of this network within 65 seconds, before TLS begins. Sessions \
                  that we begin are not affected.",
        "Die Server weisen neue Verbindungen dieses Netzes innerhalb von 65 Sekunden ab, bevor TLS beginnt. Sitzungen, \
         die wir beginnen, sind nicht betroffen.";
    ban_listed: "Partners whose host or networks are in it, and which are refused from there:",
        "Partner, deren Host oder Netze darin liegen und die von dort abgewiesen werden:";
    ban_came: "Other partners that had sessions from it within the last 30 days:",
        "Weitere Partner, die in den letzten 30 Tagen Sitzungen von dort hatten:";
    ban_hits_nobody: "No known partner calls from this network.", "Kein bekannter Partner ruft aus diesem Netz an.";
    ban_running: "Running sessions from it, which go on:", "Laufende Sitzungen von dort, die weiterlaufen:";
    ban_clients: "Clients in it, which are still served, because a ban concerns only the TLS port:",
        "Clients darin, die weiter bedient werden, weil eine Sperre nur den TLS-Port betrifft:";
    lift_ban: "Lift ban", "Sperre aufheben";
    lift_ban_meaning: "The servers accept connections of this network again within 65 seconds.",
        "Die Server nehmen Verbindungen dieses Netzes innerhalb von 65 Sekunden wieder an.";
    ignore_like: "Ignore entries like this", "Solche Einträge ignorieren";
    would_have_hidden: "Entries of the last seven days that would have been ignored:",
        "Einträge der letzten sieben Tage, die ignoriert worden wären:";
    out_of: "of", "von";
    api_log: "Last 200 lines of the API's log file", "Letzte 200 Zeilen der Protokolldatei der API";
    api_log_elsewhere: "The API writes its log to standard error. With systemd, 'journalctl -u os4xapi' shows it.",
        "Die API schreibt ihr Protokoll auf die Standardfehlerausgabe. Mit systemd zeigt 'journalctl -u os4xapi' \
         es an.";
    api_log_unreadable: "The log file cannot be read:", "Die Protokolldatei kann nicht gelesen werden:";
    event_test: "Send test event", "Testereignis senden";
    event_test_title: "Test of the event script", "Test des Ereignisskripts";
    event_test_output: "Output (at most 2 KiB)", "Ausgabe (höchstens 2 KiB)";
    event_test_not_run: "No event script is set, or another test is running.",
        "Es ist kein Ereignisskript eingestellt, oder ein anderer Test läuft gerade.";
    token: "OS4X Proxy client security token", "Sicherheitstoken der Clients (OS4X Proxy client security token)";
    token_is_set: "set (never shown)", "gesetzt (wird nie angezeigt)";
    last_set: "Last change", "Letzte Änderung";
    set_by_init: "when the database was created", "beim Anlegen der Datenbank";
    rotate_token: "Replace the security token", "Sicherheitstoken ersetzen";
    new_token: "New security token", "Neues Sicherheitstoken";
    overlap: "Validity of the old token", "Gültigkeit des alten Tokens";
    overlap_hint: "During this time you can install the new token on each client.",
        "In dieser Zeit können Sie das neue Token auf jedem Client installieren.";
    token_meaning: "When the old token expires, clients that still use it are refused. Clients that connected within \
                    the last day:",
        "Sobald das alte Token abläuft, werden Clients abgewiesen, die es noch verwenden. Clients mit Verbindungen am \
         letzten Tag:";
    token_shown_once: "The token is shown only now.", "Das Token wird nur jetzt angezeigt.";
    old_token_until: "Old token valid until", "Altes Token gültig bis";
    clients_to_start: "Clients to restart", "Neu zu startende Clients";
    for_clients: "Commands for the host of each client", "Befehle für den Host jedes Clients";
    file: "File", "Datei";
    file_hint: "The file must be PEM, DER, PKCS#7 or PKCS#12 and have at most 1 MiB.",
        "Die Datei muss PEM, DER, PKCS#7 oder PKCS#12 sein und darf höchstens 1 MiB groß sein.";
    crl_file_hint: "The file must be a CRL in PEM or DER and have at most 10 MiB.",
        "Die Datei muss eine Sperrliste in PEM oder DER sein und darf höchstens 10 MiB groß sein.";
    pasted: "Text instead of a file", "Text statt einer Datei";
    pasted_hint: "Paste the PEM text, beginning with '-----BEGIN CERTIFICATE-----'.",
        "Fügen Sie den PEM-Text ein, beginnend mit '-----BEGIN CERTIFICATE-----'.";
    crl_pasted_hint: "Paste the PEM text, beginning with '-----BEGIN X509 CRL-----'.",
        "Fügen Sie den PEM-Text ein, beginnend mit '-----BEGIN X509 CRL-----'.";
    file_password: "Password of the file", "Kennwort der Datei";
    file_password_hint: "Only a PKCS#12 file needs a password. The password is not stored.",
        "Nur eine PKCS#12-Datei benötigt ein Kennwort. Das Kennwort wird nicht gespeichert.";
    no_file: "No file was received. Choose a file, or paste its text.",
        "Es wurde keine Datei empfangen. Wählen Sie eine Datei, oder fügen Sie ihren Text ein.";
    too_many_certificates: "The file contains too many certificates. Upload only those that are required.",
        "Die Datei enthält zu viele Zertifikate. Laden Sie nur die erforderlichen hoch.";
    look_at_it: "Upload and check", "Hochladen und prüfen";
    add_partner: "Add partner", "Partner hinzufügen";
    add_partner_intro: "Upload the certificate of the partner. The next page shows its content and fills in the form. \
                        Nothing is stored before you confirm it. You can also add a partner without a certificate.",
        "Laden Sie das Zertifikat des Partners hoch. Die nächste Seite zeigt seinen Inhalt und füllt das Formular aus. \
         Nichts wird gespeichert, bevor Sie es bestätigen. Sie können einen Partner auch ohne Zertifikat hinzufügen.";
    its_certificate: "Certificate of the partner", "Zertifikat des Partners";
    found_certificate: "Certificate in the file", "Zertifikat in der Datei";
    partner_is_there: "A partner with this short name exists already.",
        "Ein Partner mit diesem Kurznamen ist bereits vorhanden.";
    short_name_hint: "The short name has 1 to 32 letters, digits, '.', '_' or '-'. It does not begin with '-'.",
        "Der Kurzname besteht aus 1 bis 32 Buchstaben, Ziffern, '.', '_' oder '-'. Er beginnt nicht mit '-'.";
    change_partner: "Change partner", "Partner ändern";
    not_allowed: "This value is not allowed.", "Dieser Wert ist nicht erlaubt.";
    by_default: "default", "Standard";
    section_identity: "Identity", "Identität";
    section_calling: "Outgoing sessions", "Ausgehende Sitzungen";
    section_partner_limits: "Limits and profile", "Grenzen und Profil";
    ssid_hint: "The SSIDCODE has 1 to 25 printable ASCII characters without quotes and backslashes, such as O0013ACME. \
                Each partner has its own SSIDCODE.",
        "Der SSIDCODE besteht aus 1 bis 25 druckbaren ASCII-Zeichen ohne Anführungszeichen und Backslashes, zum \
         Beispiel O0013ACME. Jeder Partner hat einen eigenen SSIDCODE.";
    certificate_rule_hint: "The rule says which certificates the partner may use. odette-id: a certificate that \
                            contains its SSIDCODE as serialNumber. pinned: one of its pinned certificates. any: any \
                            trusted certificate.",
        "Die Regel bestimmt, welche Zertifikate der Partner verwenden darf. odette-id: ein Zertifikat, das seinen \
         SSIDCODE als serialNumber enthält. pinned: eines seiner hinterlegten Zertifikate. any: jedes \
         vertrauenswürdige Zertifikat.";
    rule_any_meaning: "With the rule 'any', every holder of a trusted certificate can identify itself as this partner.",
        "Mit der Regel 'any' kann sich jeder Inhaber eines vertrauenswürdigen Zertifikats als dieser Partner ausgeben.";
    usage_rule: "Required certificate usage", "Erforderliche Verwendung des Zertifikats";
    usage_rule_hint: "client: the certificate must allow the role of the partner in TLS. any: the certificate may have \
                      any usage. The default is any for pinned certificates and client for all others.",
        "client: Das Zertifikat muss die Rolle des Partners in TLS erlauben. any: Das Zertifikat darf jede Verwendung \
         haben. Der Standardwert ist any für hinterlegte Zertifikate und client für alle anderen.";
    host: "Host", "Host";
    host_hint: "Enter the host name or IP address for outgoing sessions. If the field is empty, there are no outgoing \
                sessions.",
        "Geben Sie den Hostnamen oder die IP-Adresse für ausgehende Sitzungen ein. Wenn das Feld leer ist, gibt es \
         keine ausgehenden Sitzungen.";
    partner_port_hint: "Enter a whole number from 1 to 65535. If the field is empty, port 6619 is used with TLS and \
                        port 3305 without TLS.",
        "Geben Sie eine ganze Zahl von 1 bis 65535 ein. Wenn das Feld leer ist, wird mit TLS der Port 6619 und ohne \
         TLS der Port 3305 verwendet.";
    tls_hint: "Outgoing sessions use TLS.", "Ausgehende Sitzungen verwenden TLS.";
    outgoing_ip: "IP address of outgoing sessions", "IP-Adresse ausgehender Sitzungen";
    outgoing_ip_hint: "Enter an IPv4 or IPv6 address of the servers. If the field is empty, the address for all \
                       partners is used.",
        "Geben Sie eine IPv4- oder IPv6-Adresse der Server ein. Wenn das Feld leer ist, wird die Adresse für alle \
         Partner verwendet.";
    check_ssid: "Check of the answering SSIDCODE", "Prüfung des antwortenden SSIDCODE";
    check_ssid_hint: "In outgoing sessions, the partner must answer with its own SSIDCODE.",
        "In ausgehenden Sitzungen muss der Partner mit seinem eigenen SSIDCODE antworten.";
    profile_hint: "The profile says how strictly the OFTP2 messages of the partner are checked.",
        "Das Profil bestimmt, wie streng die OFTP2-Nachrichten des Partners geprüft werden.";
    allow: "Allowed deviations", "Erlaubte Abweichungen";
    allow_hint: "Enter the numbers of allowed deviations from RFC 5024, such as C1, C2. They apply to the profile \
                 strict.",
        "Geben Sie die Nummern erlaubter Abweichungen von RFC 5024 ein, zum Beispiel C1, C2. Sie gelten für das Profil \
         strict.";
    legacy_suites: "Legacy TLS", "Veraltetes TLS";
    legacy_suites_hint: "The default is the setting for all partners.",
        "Der Standardwert ist die Einstellung für alle Partner.";
    max_file_size: "Maximum file size", "Maximale Dateigröße";
    max_file_size_hint: "Enter a number of KiB, or a number followed by M, G or T. If the field is empty, there is no \
                         limit.",
        "Geben Sie eine Zahl in KiB oder eine Zahl mit M, G oder T ein. Wenn das Feld leer ist, gibt es keine Grenze.";
    file_names: "Allowed file names", "Erlaubte Dateinamen";
    file_names_hint: "Enter one pattern per line, at most 64. A pattern has 1 to 52 characters and may contain * and \
                      ?. If the field is empty, all names are allowed.",
        "Geben Sie ein Muster pro Zeile ein, höchstens 64. Ein Muster hat 1 bis 52 Zeichen und darf * und ? enthalten. \
         Wenn das Feld leer ist, sind alle Namen erlaubt.";
    partner_networks_hint: "Enter the addresses or networks from which incoming sessions of the partner are allowed, \
                            at most 64. A network must not contain all addresses. If the field is empty, sessions are \
                            allowed from all addresses.",
        "Geben Sie die Adressen oder Netze ein, aus denen eingehende Sitzungen des Partners erlaubt sind, höchstens \
         64. Ein Netz darf nicht alle Adressen enthalten. Wenn das Feld leer ist, sind Sitzungen von allen Adressen \
         erlaubt.";
    enable: "Enable", "Aktivieren";
    disable: "Disable", "Deaktivieren";
    disable_meaning: "New sessions of the partner are refused. Running sessions continue.",
        "Neue Sitzungen des Partners werden abgewiesen. Laufende Sitzungen werden fortgesetzt.";
    disable_several_meaning: "New sessions of these partners are refused. Running sessions continue.",
        "Neue Sitzungen dieser Partner werden abgewiesen. Laufende Sitzungen werden fortgesetzt.";
    remove_partner_meaning: "New sessions of the partner are refused, and the listeners that are tied to it are \
                             removed. Running sessions continue.",
        "Neue Sitzungen des Partners werden abgewiesen, und die an ihn gebundenen Listener werden entfernt. Laufende \
         Sitzungen werden fortgesetzt.";
    debug_begin: "Log details for 1 hour (DEBUG)", "Details für 1 Stunde protokollieren (DEBUG)";
    debug_end: "End detailed logging", "Detailprotokoll beenden";
    debug_until: "Detailed logging (DEBUG) until", "Detailprotokoll (DEBUG) bis";
    last_sessions: "Last sessions", "Letzte Sitzungen";
    last_refusals: "Last refusals within 30 days", "Letzte Abweisungen innerhalb von 30 Tagen";
    select: "Select", "Auswählen";
    selected_partners: "Selected partners", "Ausgewählte Partner";
    nothing_selected: "Nothing is selected. Select at least one row of the list.",
        "Es ist nichts ausgewählt. Wählen Sie mindestens eine Zeile der Liste aus.";
    test_call: "Connection test", "Verbindungstest";
    act_waits: "waiting for a client", "wartet auf einen Client";
    act_taken: "running on a client", "läuft auf einem Client";
    act_done: "successful", "erfolgreich";
    act_failed: "failed", "fehlgeschlagen";
    step: "Step", "Schritt";
    steps: "Steps", "Schritte";
    what_was_found: "Details", "Details";
    no_steps_yet: "No steps have been reported yet.", "Bisher wurden keine Schritte gemeldet.";
    end_session: "End session", "Sitzung beenden";
    end_session_meaning: "The partner and the station are notified that the session ends. A file in transfer remains \
                          incomplete.",
        "Der Partner und die Station werden über das Ende der Sitzung benachrichtigt. Eine Datei in Übertragung bleibt \
         unvollständig.";
    would_be_accepted: "Certificate check", "Zertifikatsprüfung";
    known_from: "Source", "Quelle";
    a_session: "session", "Sitzung";
    a_pin: "pinned certificate", "hinterlegtes Zertifikat";
    accepted: "accepted", "akzeptiert";
    no_verdicts: "No certificate of the partner is known yet. No certificate is pinned, and no session has shown one.",
        "Bisher ist kein Zertifikat des Partners bekannt. Kein Zertifikat ist hinterlegt, und in keiner Sitzung wurde \
         eines gezeigt.";
    pins: "Pinned certificates", "Hinterlegte Zertifikate";
    no_pins: "No certificate is pinned.", "Es ist kein Zertifikat hinterlegt.";
    pin_certificate: "Pin certificate", "Zertifikat hinterlegen";
    pin_it: "Pin certificate", "Zertifikat hinterlegen";
    pin_how: "Existing pinned certificates", "Bereits hinterlegte Zertifikate";
    pin_how_hint: "Before the partner changes its certificate, pin the next certificate and keep the current one. \
                   Remove the old certificate when it has expired.",
        "Hinterlegen Sie vor einem Zertifikatswechsel des Partners das nächste Zertifikat, und behalten Sie das \
         aktuelle. Entfernen Sie das alte Zertifikat, wenn es abgelaufen ist.";
    pin_beside: "keep", "behalten";
    pin_instead: "remove", "entfernen";
    subject: "Subject", "Antragsteller";
    issuer: "Issuer", "Aussteller";
    serial_number_of_subject: "serialNumber (Odette ID)", "serialNumber (Odette-ID)";
    not_its_ssid: "This is not the SSIDCODE of the partner.", "Dies ist nicht der SSIDCODE des Partners.";
    names_in_it: "Host names and IP addresses", "Hostnamen und IP-Adressen";
    validity: "Validity", "Gültigkeit";
    key: "Key", "Schlüssel";
    may_call: "Client authentication (clientAuth)", "Client-Authentifizierung (clientAuth)";
    may_be_called: "Server authentication (serverAuth)", "Server-Authentifizierung (serverAuth)";
    done_fetching: "The downloads begin within one timeslice. This page shows their progress.",
        "Die Downloads beginnen innerhalb einer Zeitscheibe. Diese Seite zeigt ihren Fortschritt.";
    trusted: "Trusted certificates", "Vertrauenswürdige Zertifikate";
    none_trusted: "There are no trusted certificates.", "Es gibt keine vertrauenswürdigen Zertifikate.";
    trust_more: "Add trusted certificate", "Vertrauenswürdiges Zertifikat hinzufügen";
    trust_it: "Trust certificate", "Dem Zertifikat vertrauen";
    trust_name_hint: "The name appears in lists and log lines. If the field is empty, the common name is used.",
        "Der Name erscheint in Listen und Protokollzeilen. Wenn das Feld leer ist, wird der Common Name verwendet.";
    needs_crl: "CRL required", "CRL erforderlich";
    needs_crl_hint: "The value says whether certificates of this issuer require a CRL.",
        "Der Wert bestimmt, ob Zertifikate dieses Ausstellers eine CRL erfordern.";
    need_crl: "Require CRL", "CRL verlangen";
    need_no_crl: "Do not require CRL", "CRL nicht verlangen";
    no_crl_meaning: "Certificates of this issuer are then accepted without a CRL. Without a CRL, revoked certificates \
                     are accepted too.",
        "Zertifikate dieses Ausstellers werden dann ohne CRL akzeptiert. Ohne CRL werden auch gesperrte Zertifikate \
         akzeptiert.";
    distrust_meaning: "Partners are refused if no other trusted certificate validates their certificates.",
        "Partner werden abgewiesen, wenn kein anderes vertrauenswürdiges Zertifikat ihre Zertifikate bestätigt.";
    crls: "CRLs", "Sperrlisten";
    no_crls: "There is no CRL.", "Es gibt keine Sperrliste.";
    crl_of: "Issued on", "Ausgestellt am";
    crl_next: "Next update", "Nächste Aktualisierung";
    crl_source: "Source", "Quelle";
    crl_current: "current", "aktuell";
    crl_to_come: "not yet valid", "noch nicht gültig";
    crl_sources: "Download URLs", "Download-Adressen";
    no_crl_sources: "There are no download URLs yet. They are taken from the certificates of partners.",
        "Es gibt noch keine Download-Adressen. Sie werden aus den Zertifikaten der Partner übernommen.";
    last_tried: "Last attempt", "Letzter Versuch";
    last_fetched: "Last download", "Letzter Download";
    fetch_all: "Download all now", "Alle jetzt herunterladen";
    bring_crl: "Upload CRL", "Sperrliste hochladen";
    users: "Users", "Benutzer";
    add_user: "Add user", "Benutzer hinzufügen";
    user_name_hint: "The user name has 1 to 32 letters, digits, '.', '_' or '-'.",
        "Der Benutzername besteht aus 1 bis 32 Buchstaben, Ziffern, '.', '_' oder '-'.";
    role_hint: "An administrator can do everything. An operator does daily work and cannot change keys, trusted \
                certificates, users or settings. An auditor can see everything and change nothing.",
        "Ein Administrator darf alles. Ein Bediener erledigt die tägliche Arbeit und kann Schlüssel, vertrauenswürdige \
         Zertifikate, Benutzer und Einstellungen nicht ändern. Ein Prüfer sieht alles und ändert nichts.";
    locked: "locked", "gesperrt";
    invited: "invited", "eingeladen";
    not_set_up: "not set up", "nicht eingerichtet";
    last_login_at: "Last login", "Letzte Anmeldung";
    failed_logins: "Failed logins", "Fehlgeschlagene Anmeldungen";
    new_link: "New link", "Neuer Link";
    unlock: "Unlock", "Entsperren";
    change_role: "Change role of a user", "Rolle eines Benutzers ändern";
    link_made: "One-time link", "Einmal-Link";
    link_intro: "The link is shown only now. Keep it secret: whoever has the link can take over the account.",
        "Der Link wird nur jetzt angezeigt. Halten Sie ihn geheim: Wer den Link hat, kann das Konto übernehmen.";
    reset_meaning: "The password, the app and the recovery codes of the user become invalid, and the sessions of the \
                    user end.",
        "Kennwort, App und Wiederherstellungscodes des Benutzers werden ungültig, und seine Sitzungen werden beendet.";
    remove_user_meaning: "The sessions of the user end. The changes of the user remain in the audit log.",
        "Die Sitzungen des Benutzers werden beendet. Seine Änderungen bleiben im Änderungsprotokoll.";
    as_calendar: "Calendar (iCalendar)", "Kalender (iCalendar)";
    api_keys: "API keys", "API-Schlüssel";
    no_api_keys: "There are no API keys. Programs use them for metrics, for /api/v1 and for the calendar.",
        "Es gibt keine API-Schlüssel. Programme verwenden sie für Metriken, für /api/v1 und für den Kalender.";
    add_api_key: "Add API key", "API-Schlüssel hinzufügen";
    new_api_key: "New API key", "Neuer API-Schlüssel";
    api_key_name_hint: "The name has 1 to 32 letters, digits, '.', '_' or '-'. The audit log shows it as the user.",
        "Der Name besteht aus 1 bis 32 Buchstaben, Ziffern, '.', '_' oder '-'. Das Änderungsprotokoll zeigt ihn als \
         Benutzer.";
    api_key_networks_hint: "Enter the networks from which the key works, such as 10.1.0.0/16, one on each line. If the \
                            field is empty, it works from all networks that may reach the panel.",
        "Geben Sie die Netze ein, aus denen der Schlüssel gilt, zum Beispiel 10.1.0.0/16, eines je Zeile. Wenn das \
         Feld leer ist, gilt er aus allen Netzen, die die Oberfläche erreichen dürfen.";
    api_key_until_hint: "The key works until the end of that day (UTC), for a year at most. If the field is empty, it \
                         works for a year.",
        "Der Schlüssel gilt bis zum Ende dieses Tages (UTC), höchstens ein Jahr lang. Wenn das Feld leer ist, gilt er \
         ein Jahr lang.";
    scopes: "Scopes", "Umfang";
    needs_scope: "Choose at least one scope.", "Wählen Sie mindestens einen Umfang.";
    scope_read: "read everything that the role may see", "alles lesen, was die Rolle sehen darf";
    scope_partners: "add, change, test and remove partners",
        "Partner hinzufügen, ändern, testen und entfernen";
    scope_trust: "trusted certificates and CRLs", "vertrauenswürdige Zertifikate und Sperrlisten";
    scope_settings: "change settings", "Einstellungen ändern";
    scope_sessions: "end sessions", "Sitzungen beenden";
    scope_revert: "revert changes of the audit log", "Änderungen des Änderungsprotokolls rückgängig machen";
    scope_metrics: "metrics (/metrics)", "Metriken (/metrics)";
    scope_calendar: "calendar of expiry dates (/expiry.ics)", "Kalender der Ablaufdaten (/expiry.ics)";
    created_by: "Created by", "Erstellt von";
    api_key_shown_once: "The key is shown only now. Keep it secret: whoever has the key can use it.",
        "Der Schlüssel wird nur jetzt angezeigt. Halten Sie ihn geheim: Wer den Schlüssel hat, kann ihn verwenden.";
    for_programs: "Example", "Beispiel";
    remove_api_key_meaning: "The program that uses the key is then refused.",
        "Das Programm, das den Schlüssel verwendet, wird dann abgewiesen.";
    own_certificates: "Own certificates", "Eigene Zertifikate";
    certificate_for: "Usage", "Verwendung";
    usage_own: "partners", "Partner";
    usage_next: "partners (next certificate)", "Partner (nächstes Zertifikat)";
    usage_request: "certificate request", "Zertifikatsanforderung";
    usage_ca: "own CA", "eigene CA";
    usage_https: "HTTPS of this backend", "HTTPS dieses Backends";
    usage_panel: "HTTPS of this panel", "HTTPS dieser Oberfläche";
    unset_panel: "Remove certificate of the panel", "Zertifikat der Oberfläche entfernen";
    used_from: "Date of first use", "Verwendung ab";
    used_from_hint: "Only the next certificate has this date. It is used from the beginning of that day (UTC).",
        "Nur das nächste Zertifikat hat dieses Datum. Es wird ab dem Beginn dieses Tages (UTC) verwendet.";
    bring_certificate: "Upload certificate", "Zertifikat hochladen";
    key_file: "Private key (if it is in a separate file)", "Privater Schlüssel (falls in eigener Datei)";
    key_file_hint: "The file must be PEM, DER or PKCS#12. A certificate for a request that was created here needs no \
                    key file.",
        "Die Datei muss PEM, DER oder PKCS#12 sein. Ein Zertifikat zu einer hier erstellten Anforderung benötigt keine \
         Schlüsseldatei.";
    key_fits: "The private key matches the certificate.", "Der private Schlüssel passt zum Zertifikat.";
    use_it: "Use certificate", "Zertifikat verwenden";
    staged_is_over: "The upload is kept for ten minutes only. Upload the certificate again.",
        "Das hochgeladene Zertifikat wird nur zehn Minuten aufbewahrt. Laden Sie es erneut hoch.";
    make_request: "Create certificate request", "Zertifikatsanforderung erstellen";
    request_subject_hint: "Enter a subject, such as C=DE, O=Example GmbH, CN=we.example, serialNumber=O0013WE. If the \
                           field is empty, the subject of the current certificate is used.",
        "Geben Sie einen Antragsteller ein, zum Beispiel C=DE, O=Beispiel GmbH, CN=wir.example, serialNumber=O0013WIR. \
         Wenn das Feld leer ist, wird der Antragsteller des aktuellen Zertifikats verwendet.";
    request_hosts_hint: "Enter host names or IP addresses, separated by commas. If the field is empty, those of the \
                         current certificate are used.",
        "Geben Sie Hostnamen oder IP-Adressen ein, durch Kommas getrennt. Wenn das Feld leer ist, werden die des \
         aktuellen Zertifikats verwendet.";
    replace_request: "Replace existing request", "Vorhandene Anforderung ersetzen";
    replace_request_hint: "A certificate for the existing request can then not be used any more. The private key is \
                           kept, and the request remains available as a file in the list above.",
        "Ein Zertifikat für die vorhandene Anforderung kann dann nicht mehr verwendet werden. Der private Schlüssel \
         bleibt erhalten, und die Anforderung bleibt in der Liste oben als Datei verfügbar.";
    forget_next: "Discard next certificate", "Nächstes Zertifikat verwerfen";
    renew_https: "New certificate of our own CA", "Neues Zertifikat der eigenen CA";
    mended_at: "Remedy", "Abhilfe";
    protects_less: "This setting provides less protection than possible:",
        "Diese Einstellung schützt weniger als möglich:";
    revert: "Revert", "Rückgängig machen";

    port_of_partner: "This port is used by the listener for the partner", "Diesen Port nutzt bereits der Listener für";
    port_of_proxy: "This port is used by the listener for proxy requests.",
        "Diesen Port nutzt bereits der Listener für Proxy-Anfragen.";
    needs_place: "Choose another port, or give each listener its own address.",
        "Wählen Sie einen anderen Port, oder geben Sie jedem Listener eine eigene Adresse.";
    has_host_bits: "has host bits. The network is:", "hat Hostbits. Das Netz ist:";
    only_this_host: "This host alone is:", "Nur dieser Rechner ist:";
    needs_pin: "The rule is 'pinned', but no certificate is pinned: pin one, or choose another rule.",
        "Die Regel ist 'pinned', aber kein Zertifikat ist hinterlegt: Hinterlegen Sie eines, oder wählen Sie eine \
         andere Regel.";
    needs_key: "The private key is missing: the file contains none, and there is no certificate request with a key.",
        "Der private Schlüssel fehlt: Die Datei enthält keinen, und es gibt keine Zertifikatsanforderung mit einem \
         Schlüssel.";
    needs_key_of_other: "The private key is missing: the file contains none, and its certificate does not match the \
                         certificate request.",
        "Der private Schlüssel fehlt: Die Datei enthält keinen, und ihr Zertifikat passt nicht zur \
         Zertifikatsanforderung.";
    needs_subject: "The subject is missing: there is no certificate for partners yet from which it can be taken.",
        "Der Antragsteller fehlt: Es gibt noch kein Zertifikat für Partner, aus dem er übernommen werden kann.";
    request_is_there: "A certificate request exists already, for", "Es gibt bereits eine Zertifikatsanforderung, für";
    needs_replacement: "Choose below whether it is replaced.", "Wählen Sie unten, ob sie ersetzt wird.";

    fault: "Error", "Fehler";
    fault_none: "This page does not exist.", "Diese Seite ist nicht vorhanden.";
    fault_role: "Your role does not allow access to this page.", "Ihre Rolle erlaubt keinen Zugriff auf diese Seite.";
    fault_form: "The form was rejected because it is too old, too large, or not from this panel. Open the page again.",
        "Das Formular wurde abgelehnt, weil es zu alt oder zu groß ist oder nicht von dieser Oberfläche stammt. Öffnen \
         Sie die Seite erneut.";
    fault_large: "The form was rejected. A file must have at most 1 MiB (a document of an export: 16 MiB) and arrive \
                  within 25 seconds.",
        "Das Formular wurde abgelehnt. Eine Datei darf höchstens 1 MiB groß sein (das Dokument eines Exports: 16 MiB) \
         und muss innerhalb von 25 Sekunden ankommen.";
    fault_crl_large: "The CRL was rejected. It must have at most 10 MiB and arrive within 25 seconds. The command \
                      'os4xapi crl add' on the backend's host accepts larger CRLs.",
        "Die Sperrliste wurde abgelehnt. Sie darf höchstens 10 MiB groß sein und muss innerhalb von 25 Sekunden \
         ankommen. Der Befehl 'os4xapi crl add' auf dem Host des Backends nimmt auch größere an.";
    fault_host: "The panel is not available under this name. Use a name of its certificate, or change the setting \
                 'panel_url'.",
        "Die Administrationsoberfläche ist unter diesem Namen nicht erreichbar. Verwenden Sie einen Namen aus ihrem \
         Zertifikat, oder ändern Sie die Einstellung 'panel_url'.";
    fault_network: "The panel is not available from your address. The setting 'panel_networks' contains the allowed \
                    networks.",
        "Die Administrationsoberfläche ist von Ihrer Adresse aus nicht erreichbar. Die Einstellung 'panel_networks' \
         enthält die erlaubten Netze.";
    fault_many: "There were too many failed logins from your address. Wait a minute.",
        "Von Ihrer Adresse gab es zu viele fehlgeschlagene Anmeldungen. Warten Sie eine Minute.";
    fault_busy: "Too many users are logging in. Try again in a few seconds.",
        "Zu viele Benutzer melden sich gerade an. Versuchen Sie es in einigen Sekunden erneut.";
    fault_late: "The database does not respond. The log of os4xapi contains the reason.",
        "Die Datenbank antwortet nicht. Das Protokoll von os4xapi enthält den Grund.";
    fault_inner: "An internal error has occurred. The log of os4xapi contains the reason.",
        "Ein interner Fehler ist aufgetreten. Das Protokoll von os4xapi enthält den Grund.";
    fault_signed_out: "You are logged out.", "Sie sind abgemeldet.";
}
