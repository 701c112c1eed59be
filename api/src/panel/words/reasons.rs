//! The meaning of each reason in German, and what to do about it; `Status` has the English sentences, which the
//! commands and the manual have too.

use crate::language::Language;
use crate::status;
use common::process::end_reasons::Status;
use common::state::OTHERS;

/// The meaning of a reason, and what to do about it.
pub(super) fn meaning(language: Language, reason: &str) -> &'static str {
    match (language, Status::from_word(reason)) {
        (Language::English, _) => status::meaning(reason),
        (Language::German, Some(status)) => german(status),
        (Language::German, None) if reason == OTHERS => {
            "Es gab in einer Minute mehr, als einzeln gezählt werden. Die anderen Gründe zeigen, was sie gewesen sein \
             können."
        }
        (Language::German, None) => {
            "Diese Version von os4xapi kennt das Wort nicht. Siehe os4x_proxy-log(5) der Version der Dienste."
        }
    }
}

macro_rules! sentences {
    ($($status:ident: $sentence:literal;)*) => {
        /// The sentence for each: one that is missing does not compile.
        fn german(status: Status) -> &'static str {
            match status { $(Status::$status => $sentence,)* }
        }
    };
}

sentences! {
    Normal: "Alles ist in Ordnung: Die Sitzung endete mit einem normalen ESID, der Dienst auf Anweisung.";
    Failed: "Der Dienst konnte nicht starten oder musste anhalten. Seine letzte Zeile nennt den Grund.";
    Terminated: "Ein Signal hat den Prozess beendet.";
    Retired: "Ein wartender Sitzungsprozess wurde nicht mehr benötigt: Er oder seine Konfiguration war zu alt.";
    PartnerBroke: "Der Partner hat die Verbindung abgebrochen.";
    StationBroke: "Die Station hat die Verbindung abgebrochen.";
    LinkBroke: "Die Datenverbindung zwischen den Diensten ist abgebrochen.";
    Timeout: "Eine Frist ist abgelaufen.";
    PartnerViolation: "Der Partner hat etwas gesendet, das OFTP2 nicht erlaubt.";
    StationViolation: "Die Station hat etwas gesendet, das OFTP2 nicht erlaubt.";
    ErrorEsid: "Ein ESID mit einem Fehlergrund hat die Sitzung beendet.";
    StationDown:
        "Die Station antwortet nicht. Prüfen Sie, ob ihr Empfangsdienst läuft und ob proxy_station_host und tcp_port \
         stimmen.";
    ClientDown:
        "Kein Client ist verbunden, oder er hat keinen Sitzungsprozess gestartet. Sehen Sie im Protokoll von \
         os4x_proxyclient2 nach.";
    PartnerDown: "Der Partner ist nicht erreichbar (ausgehend).";
    UnknownPartner:
        "Der SSIDCODE steht nicht in der Partnertabelle. Fügen Sie den Partner hinzu ('os4xapi partner add').";
    NotThisPartner:
        "Das Zertifikat gehört nicht zum SSIDCODE. Hinterlegen Sie es, oder korrigieren Sie die Regel ('os4xapi \
         partner set').";
    Disabled: "Der Partner ist deaktiviert. Aktivieren Sie ihn ('os4xapi partner set NAME --enabled yes').";
    Capacity:
        "Eine Grenze ist erreicht. Siehe die Einstellungen, deren Name mit proxy_ beginnt ('os4xapi config list').";
    Destination:
        "Das Ziel steht nicht in der Partnertabelle (ausgehend). Tragen Sie den Host beim Partner ein ('os4xapi \
         partner set NAME --host').";
    Licence: "Die Lizenz ist abgelaufen. 'os4xapi licence issue' stellt eine neue aus.";
    NotAllowed: "Die Adresse der Station liegt in keinem Netz, das den Listener verwenden darf (ausgehend).";
    BadRequest: "Die Station hat keinen Partner mit CONNECT oder SOCKS5 genannt (ausgehend).";
    OutgoingIp:
        "Der Server hat die ausgehende IP-Adresse nicht (ausgehend). Korrigieren Sie tcp_outgoing_ip oder die \
         Adresse des Partners.";
    Penalty:
        "Zu viele Verbindungen dieser Quelle sind vor Kurzem gescheitert. Nach einigen Minuten darf sie sich wieder \
         verbinden; siehe proxy_penalty_exempt.";
    NoCertificate:
        "Der Partner hat kein Zertifikat gezeigt. Seine Station muss so eingerichtet werden, dass sie ihr eigenes \
         zeigt (mutual TLS).";
    UnknownCa:
        "Kein vertrauenswürdiges Zertifikat führt zum Zertifikat des Partners. Vertrauen Sie seiner CA ('os4xapi \
         trust add'), oder hinterlegen Sie das Zertifikat ('partner set --pin').";
    Expired: "Ein Zertifikat ist abgelaufen. Sein Inhaber benötigt ein neues.";
    NotYetValid: "Ein Zertifikat ist noch nicht gültig. Vergleichen Sie die Uhren dieses Hosts und seiner CA.";
    Revoked: "Ein Zertifikat wurde gesperrt. Sein Inhaber benötigt ein neues.";
    CrlMissing:
        "Der Server hat keine Sperrliste für ein Zertifikat. 'os4xapi crl list' sagt, warum; 'os4xapi crl add' fügt \
         eine hinzu.";
    CrlExpired: "Eine Sperrliste ist abgelaufen. 'os4xapi crl list' sagt, warum es keine neuere gibt.";
    CrlBadSignature:
        "Eine Sperrliste ist nicht von ihrem Aussteller signiert. Fügen Sie die Liste der CA selbst hinzu ('os4xapi \
         crl add').";
    WrongUsage: "Ein Zertifikat ist für einen anderen Zweck. 'os4xapi partner set NAME --usage any' erlaubt es.";
    WeakKey:
        "Ein Schlüssel oder eine Signatur ist zu schwach: RSA und DH benötigen 2048 Bit, Signaturen SHA-256. Der \
         Inhaber benötigt ein neues Zertifikat.";
    WrongName:
        "Das Zertifikat ist für einen anderen Hostnamen (ausgehend). Ändern Sie den Host des Partners in diesen \
         Namen, oder hinterlegen Sie das Zertifikat.";
    Tls: "Der TLS-Handshake ist auf andere Weise gescheitert. Das Detail enthält die Meldung der TLS-Bibliothek.";
    Protocol:
        "Der Partner verwendet ein Protokoll, eine Version oder Suiten, die abgelehnt werden, oder gar kein TLS. \
         Siehe das Detail, und 'os4xapi partner set NAME --legacy-suites yes' für ältere Suiten.";
    BadCertificate: "Ein Zertifikat ist auf andere Weise fehlerhaft. Sein Inhaber benötigt ein neues.";
    NoSsid: "Der Partner hat die Verbindung beendet, bevor er sein SSID gesendet hat.";
    Probe: "Die Verbindung wurde vor ihrem ersten Byte geschlossen: eine Verfügbarkeitsprüfung oder ein Portscan.";
    Banned:
        "Der Betreiber weist diese Quelle ab. 'os4xapi ban list' zeigt die Sperren, 'os4xapi ban remove' hebt eine \
         auf.";
    WrongNetwork:
        "Der Partner kam von einer Adresse außerhalb seiner Netze. Wenn sie richtig ist, fügen Sie sie beim Partner \
         hinzu ('os4xapi partner set NAME --network').";
    Administrator: "Ein Administrator hat die Sitzung beendet. Das Detail nennt ihn, 'os4xapi audit list' die Zeit.";
    Usage: "Eine Option, eine Adresse oder ein Port ist falsch (sysexits EX_USAGE).";
    Draining: "Der Server nimmt keine neuen Sitzungen an (ausgehend): Ein anderer Server nimmt sie an, oder \
        'os4xapi proxy undrain' lässt diesen wieder neue annehmen.";
    ProxyHeader: "Ein Lastverteiler hat keinen gültigen PROXY-Header gesendet: Stellen Sie ihn so ein, dass er einen \
        sendet ('send-proxy-v2' in HAProxy), oder nehmen Sie seine Adresse aus tcp_proxy_protocol_from.";
    Internal: "Ein Fehler dieses Programms: Der Prozess ist abgestürzt (sysexits EX_SOFTWARE).";
    Sandbox:
        "Der Kernel hat einen Sitzungsprozess beendet (SIGSYS), weil er etwas getan hat, das seine Sandbox \
         verbietet: Ein Angreifer steuert ihn, oder die Bibliotheken des Systems sind neuer als die Sandbox. Siehe \
         'proxy_sandbox' in os4x_smartproxy-trouble(7).";
}

#[cfg(test)]
mod tests {
    use super::{Language, OTHERS, Status, meaning};

    #[test]
    fn each_reason_has_a_sentence_in_each_language() {
        let words = Status::ALL.iter().map(|status| status.word()).chain([OTHERS, "of-tomorrow"]);
        for word in words {
            let [english, german] = Language::ALL.map(|language| meaning(language, word));
            assert_ne!(english, german, "{word}");
            assert!(english.ends_with(['.', '?']) && german.ends_with('.'), "{word}: {german}");
            // Commands and settings are the same in both.
            for part in english.split('\'').skip(1).step_by(2).filter(|part| part.starts_with("os4xapi ")) {
                let command = part.split(" NAME").next().unwrap_or_default();
                assert!(german.contains(command), "{word}: {command}: {german}");
            }
        }
    }
}
