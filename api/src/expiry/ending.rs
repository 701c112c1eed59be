//! The kinds of things that expire, each with its name and what to do about it, in both languages.

use crate::language::{Language, said};

/// Something that expires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A certificate of ours that cannot be read.
    Unreadable,
    /// Our https certificate, if our own CA has issued it.
    OwnHttps,
    /// Our https certificate, if another CA has issued it.
    Https,
    /// The panel's own certificate.
    Panel,
    IssuerOfPanel,
    OwnCa,
    IssuerOfOurs,
    OurNext,
    Ours,
    /// Our certificate, if the next one is there already.
    OursBeforeNext,
    Pin {
        partner: String,
    },
    Trusted,
    /// A CRL that `serve` downloads.
    DownloadedCrl,
    Crl,
    /// The newest licence of a server that was issued.
    Licence {
        server: String,
    },
    LicenceInForce {
        server: String,
    },
    Ban,
    Ignore,
    ApiKey {
        key: String,
    },
    OldToken,
}

impl Ending {
    /// Its kind, in words.
    pub(crate) fn what(&self, language: Language) -> String {
        match self {
            Self::Unreadable => said!(language, "certificate", "Zertifikat"),
            Self::OwnHttps | Self::Https => said!(language, "https certificate", "HTTPS-Zertifikat"),
            Self::Panel => said!(language, "panel certificate", "Zertifikat der Administrationsoberfläche"),
            Self::IssuerOfPanel => said!(
                language,
                "issuer of the panel certificate",
                "Aussteller des Zertifikats der Administrationsoberfläche"
            ),
            Self::OwnCa => said!(language, "own CA", "eigene CA"),
            Self::IssuerOfOurs => {
                said!(language, "issuer of our certificate", "Aussteller unseres Zertifikats")
            }
            Self::OurNext => said!(language, "our next certificate", "unser nächstes Zertifikat"),
            Self::Ours | Self::OursBeforeNext => said!(language, "our certificate", "unser Zertifikat"),
            Self::Pin { .. } => said!(language, "pin", "hinterlegtes Zertifikat"),
            Self::Trusted => said!(language, "trusted certificate", "vertrauenswürdiges Zertifikat"),
            Self::DownloadedCrl | Self::Crl => said!(language, "CRL", "Sperrliste"),
            Self::Licence { .. } => said!(language, "licence", "Lizenz"),
            Self::LicenceInForce { .. } => said!(language, "licence in force", "wirksame Lizenz"),
            Self::Ban => said!(language, "ban", "Sperre"),
            Self::Ignore => said!(language, "ignored text", "ignorierter Text"),
            Self::ApiKey { .. } => said!(language, "API key", "API-Schlüssel"),
            Self::OldToken => said!(language, "old token", "altes Token"),
        }
    }

    /// There is nothing to do.
    pub(crate) fn by_itself(&self) -> bool {
        matches!(
            self,
            Self::OwnHttps
                | Self::OursBeforeNext
                | Self::DownloadedCrl
                | Self::Ban
                | Self::Ignore
                | Self::OldToken
        )
    }

    /// What to do, or what happens.
    pub(crate) fn renewal(&self, language: Language) -> String {
        match self {
            Self::Unreadable => {
                said!(language, "it cannot be read: set it again", "Es ist nicht lesbar: Setzen Sie es neu.")
            }
            Self::OwnHttps => {
                said!(language, "'serve' renews it a month before", "'serve' erneuert es einen Monat vorher.")
            }
            Self::Https => said!(
                language,
                "os4xapi cert set https --chain FILE --key FILE",
                "os4xapi cert set https --chain DATEI --key DATEI"
            ),
            Self::Panel | Self::IssuerOfPanel => said!(
                language,
                "os4xapi cert set panel --chain FILE --key FILE",
                "os4xapi cert set panel --chain DATEI --key DATEI"
            ),
            Self::OwnCa => said!(
                language,
                "a new database: os4xapi init, then set up all clients again",
                "Legen Sie mit 'os4xapi init' eine neue Datenbank an, und richten Sie alle Clients neu ein."
            ),
            Self::IssuerOfOurs => said!(
                language,
                "it comes with our next certificate",
                "Es wird mit unserem nächsten Zertifikat ersetzt."
            ),
            Self::OurNext | Self::Ours => said!(
                language,
                "os4xapi cert csr, then cert next --chain FILE --from TIME",
                "Erstellen Sie eine Zertifikatsanforderung ('os4xapi cert csr'), und laden Sie das nächste Zertifikat \
                 vorher hoch ('cert next --chain DATEI --from ZEIT')."
            ),
            Self::OursBeforeNext => {
                said!(language, "the next one is there", "Das nächste Zertifikat ist bereits vorhanden.")
            }
            Self::Pin { partner } => said!(
                language,
                "os4xapi partner set {partner} --pin CURRENT --pin NEXT",
                "Hinterlegen Sie das nächste Zertifikat des Partners {partner} auf seiner Seite."
            ),
            Self::Trusted => {
                said!(language, "os4xapi trust add FILE", "Laden Sie das neue Zertifikat der CA hoch.")
            }
            Self::DownloadedCrl => {
                said!(language, "'serve' downloads the next one", "'serve' lädt die nächste herunter.")
            }
            Self::Crl => said!(language, "os4xapi crl add FILE", "Laden Sie die nächste Sperrliste hoch."),
            Self::Licence { server } => said!(
                language,
                "os4xapi licence issue {server} -o FILE",
                "Stellen Sie eine neue Lizenz aus ('os4xapi licence issue {server} -o DATEI')."
            ),
            Self::LicenceInForce { server } => said!(
                language,
                "os4xapi licence issue {server} -o FILE, and bring FILE to the server",
                "Stellen Sie eine neue Lizenz aus ('os4xapi licence issue {server} -o DATEI'), und bringen Sie die \
                 Datei auf den Server."
            ),
            Self::Ban => said!(language, "it is let in again", "Danach ist der Zugang wieder erlaubt."),
            Self::Ignore => said!(language, "it is reported again", "Danach wird er wieder gemeldet."),
            Self::ApiKey { key } => said!(
                language,
                "os4xapi key remove {key}, then key add, and give the new key to its program",
                "Entfernen Sie den Schlüssel {key}, legen Sie einen neuen an, und geben Sie ihn seinem Programm."
            ),
            Self::OldToken => said!(
                language,
                "clients with it are refused",
                "Danach werden Clients abgewiesen, die es noch verwenden."
            ),
        }
    }
}
