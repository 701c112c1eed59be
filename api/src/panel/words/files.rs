//! What is wrong with an uploaded file: the sentence of the commands in English, and one in German.

use crate::language::Language;
use crate::pki::{Kind, PkiError};

/// The sentence.
pub(super) fn text(language: Language, why: &PkiError) -> String {
    match language {
        Language::English => why.to_string(),
        Language::German => german(why),
    }
}

fn german(why: &PkiError) -> String {
    match why {
        PkiError::Nothing(file, wanted) => {
            format!("Die Datei {} enthält keine Daten der Art '{}'.", file.display(), wanted_kind(wanted))
        }
        PkiError::Other(file, wanted, kind) => format!(
            "Die Datei {} enthält keine Daten der Art '{}': Sie enthält {}. {}",
            file.display(),
            wanted_kind(wanted),
            kind_of(*kind),
            remedy(*kind)
        ),
        PkiError::Parse(file, wanted, _) => format!(
            "Die Datei {} enthält keine lesbaren Daten der Art '{}' (PEM oder DER).",
            file.display(),
            wanted_kind(wanted)
        ),
        PkiError::Encrypted(file, kind) => format!(
            "Die Datei {} ist verschlüsselt ({}): Geben Sie ihr Kennwort ein.",
            file.display(),
            kind_of(*kind)
        ),
        PkiError::Password(file) => {
            format!("Das Kennwort öffnet die Datei {} nicht: Geben Sie das richtige ein.", file.display())
        }
        PkiError::Legacy(file) => format!(
            "Die Datei {0} ist mit einem alten Algorithmus (RC2) verschlüsselt, den OpenSSL nicht mehr liest. Wandeln \
             Sie sie um mit 'openssl pkcs12 -legacy -nodes -in {0} -out NEU.pem', und laden Sie NEU.pem hoch.",
            file.display()
        ),
        PkiError::KeyMismatch => {
            "Der private Schlüssel gehört nicht zu unserem Zertifikat in der Kette: Laden Sie die Kette mit unserem \
             Zertifikat und dessen Schlüssel hoch."
                .to_owned()
        }
        PkiError::TwoLeaves(count) => format!(
            "{count} Zertifikate der Kette gehören zum privaten Schlüssel: Setzen Sie dasjenige an den Anfang, das \
             Partner sehen."
        ),
        PkiError::Validity(subject, from, to) => {
            format!("Das Zertifikat '{subject}' gilt von {from} bis {to}, also nicht jetzt.")
        }
        PkiError::NotThen(subject, from, to, then) => {
            format!("Das Zertifikat '{subject}' gilt von {from} bis {to}, also nicht am {then}.")
        }
        PkiError::Holder => {
            "Der Name eines Inhabers hat 1 bis 64 Zeichen und keine Steuerzeichen.".to_owned()
        }
        PkiError::BeyondCa(until) => {
            format!("Die CA selbst gilt nur bis {until}: Wählen Sie weniger Tage.")
        }
        PkiError::DeltaCrl(issuer) => format!(
            "Die Sperrliste von '{issuer}' wurde nicht übernommen: Es ist eine Delta-CRL, die nur Änderungen nennt. \
             Laden Sie die vollständige Liste hoch."
        ),
        PkiError::CrlSignature(issuer) => format!(
            "Die Sperrliste wurde nicht übernommen: Ihre Signatur stammt nicht vom vertrauenswürdigen Zertifikat \
             '{issuer}'."
        ),
        // Faults of this host, which an upload does not cause: logs and searches have their English text.
        PkiError::OpenSsl(..) | PkiError::Read(..) | PkiError::PasswordFile(_) | PkiError::Key(_) => {
            why.to_string()
        }
    }
}

/// The kind that was wanted, which `PkiError` names in English.
fn wanted_kind(wanted: &str) -> &str {
    match wanted {
        "certificate" => "Zertifikat",
        "certificate chain" => "Zertifikatskette",
        "private key" => "privater Schlüssel",
        "CRL" => "Sperrliste",
        other => other,
    }
}

fn kind_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => "ein Zertifikat",
        Kind::Crl => "eine Sperrliste (CRL)",
        Kind::Pkcs7 => "eine PKCS#7-Datei",
        Kind::Pkcs12 => "eine PKCS#12-Datei",
        Kind::PrivateKey | Kind::EncryptedKey => "einen privaten Schlüssel",
        Kind::PublicKey => "einen öffentlichen Schlüssel",
        Kind::Request => "eine Zertifikatsanforderung (CSR)",
        Kind::SshKey => "einen SSH-Schlüssel",
        Kind::JavaStore => "einen Java-Keystore",
        Kind::Archive => "ein Archiv (ZIP)",
        Kind::Page => "eine HTML- oder XML-Seite",
        Kind::Unknown => "etwas Unbekanntes",
    }
}

fn remedy(kind: Kind) -> &'static str {
    match kind {
        Kind::Certificate => {
            "Dem Zertifikat einer CA vertrauen Sie auf der Seite 'Vertrauenswürdige Zertifikate'; laden Sie hier hoch, \
             was verlangt ist."
        }
        Kind::Crl => "Laden Sie sie auf der Seite 'Sperrlisten' hoch.",
        Kind::Pkcs7 | Kind::Pkcs12 => "Laden Sie sie dort hoch, wo ein Zertifikat verlangt ist.",
        Kind::PrivateKey | Kind::EncryptedKey => {
            "Halten Sie ihn geheim: Nur die Seite 'Eigene Zertifikate' nimmt unseren eigenen an."
        }
        Kind::PublicKey => "Bitten Sie den Inhaber um das Zertifikat zu diesem Schlüssel.",
        Kind::Request => {
            "Senden Sie sie an eine CA, und laden Sie das Zertifikat hoch, das Sie von ihr erhalten."
        }
        Kind::SshKey => "Bitten Sie den Inhaber um ein Zertifikat.",
        Kind::JavaStore => {
            "Wandeln Sie ihn in eine PKCS#12-Datei um (keytool -importkeystore -srckeystore DATEI -destkeystore NEU \
             -deststoretype PKCS12), und laden Sie diese hoch."
        }
        Kind::Archive => "Entpacken Sie es, und laden Sie die enthaltene Datei hoch.",
        Kind::Page => {
            "Laden Sie die Datei selbst herunter: Möglicherweise hat ein Portal stattdessen eine Anmeldung verlangt."
        }
        Kind::Unknown => "Laden Sie eine Datei in PEM oder DER hoch.",
    }
}
