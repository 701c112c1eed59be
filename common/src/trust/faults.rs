//! The faults that OpenSSL finds in certificates and CRLs (X509_V_ERR_*): the status, the TLS alert and the remedy of
//! each.

use crate::process::end_reasons::Status;
use crate::text::clock;
use crate::text::url::is_web;
use crate::trust::anchors::Anchors;
use crate::trust::certificate_fields::{crl_urls, name_text, names_text, usage_text};
use crate::x509::codes::verify as codes;
use crate::x509::times::validity;
use openssl::x509::X509Ref;

/// The faults that mean that there is no usable CRL: none, one of another scope, one with a bad signature, one that is
/// not valid now, one that OpenSSL does not support. A trust anchor needs no CRL, and `tls_ignore_crl_unavailability`
/// tolerates all these faults. A certificate that such a CRL lists is refused nevertheless.
pub(super) const NO_USABLE_CRL: [i32; 12] = [
    codes::UNABLE_TO_GET_CRL,
    codes::UNABLE_TO_DECRYPT_CRL_SIGNATURE,
    codes::CRL_SIGNATURE_FAILURE,
    codes::CRL_NOT_YET_VALID,
    codes::CRL_HAS_EXPIRED,
    codes::ERROR_IN_CRL_LAST_UPDATE_FIELD,
    codes::ERROR_IN_CRL_NEXT_UPDATE_FIELD,
    codes::UNABLE_TO_GET_CRL_ISSUER,
    codes::KEYUSAGE_NO_CRL_SIGN,
    codes::UNHANDLED_CRITICAL_CRL_EXTENSION,
    codes::DIFFERENT_CRL_SCOPE,
    codes::CRL_PATH_VALIDATION_ERROR,
];

/// No trusted issuer was found, or only the certificate itself.
pub(super) const UNTRUSTED: [i32; 4] = [
    codes::UNABLE_TO_GET_ISSUER_CERT,
    codes::DEPTH_ZERO_SELF_SIGNED_CERT,
    codes::SELF_SIGNED_CERT_IN_CHAIN,
    codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
];

/// The code by which OpenSSL chooses the alert for the fault `code`. A missing CRL is no fault of the partner's
/// certificate, so the partner gets certificate_unknown (RFC 8446 §6.2), not unknown_ca or certificate_expired. OpenSSL
/// sends that alert for codes that are not in its table.
pub(super) fn alert_code(code: i32) -> i32 {
    if NO_USABLE_CRL.contains(&code) { codes::DIFFERENT_CRL_SCOPE } else { code }
}

/// What exactly is wrong with `certificate`, and what to do about it.
pub(super) fn remedy(code: i32, certificate: &X509Ref, anchors: &Anchors) -> String {
    let issuer = name_text(certificate.issuer_name());
    match fault_status(code) {
        Status::CrlMissing => match anchors.future_crl(certificate) {
            Some(from) => {
                format!("the CRL of {issuer} is not yet valid, but from {} on", clock::rfc3339(from))
            }
            None => missing_crl(&issuer, certificate, code == codes::DIFFERENT_CRL_SCOPE),
        },
        Status::CrlExpired => {
            format!("the CRL of {issuer} has expired: 'os4xapi crl list' says why there is no newer one")
        }
        Status::CrlBadSignature => format!(
            "the CRL of {issuer} is signed by another key, or not for a CRL: 'os4xapi crl add FILE' brings the CA's own"
        ),
        Status::UnknownCa => format!(
            "if {issuer} is to be trusted: 'os4xapi trust add FILE'; for this certificate alone: \
             'os4xapi partner set NAME --pin FILE'"
        ),
        Status::Expired | Status::NotYetValid => {
            let (from, until) = validity(certificate).unwrap_or_default();
            format!(
                "it is valid from {} to {}, and now it is {}",
                clock::rfc3339(from),
                clock::rfc3339(until),
                clock::rfc3339(clock::now())
            )
        }
        Status::Revoked => format!("{issuer} has revoked it: its owner needs a new one"),
        Status::WrongUsage => {
            format!("{}; 'os4xapi partner set NAME --usage any' allows it", usage_text(certificate))
        }
        Status::WrongName => format!(
            "it is for {}; 'os4xapi partner set NAME --host HOST' names another host, and under a pin \
             (--pin FILE) the name does not count",
            names_text(certificate)
        ),
        Status::WeakKey => {
            "RSA and DH keys need 2048 bits, signatures SHA-256: its owner needs a new one".to_owned()
        }
        _ => "its owner needs a new one".to_owned(),
    }
}

/// There is no CRL of `issuer`, or none whose scope includes `certificate`.
fn missing_crl(issuer: &str, certificate: &X509Ref, is_other_scope: bool) -> String {
    let what = if is_other_scope { "no CRL here covers it" } else { "there is no CRL of its issuer here" };
    let urls = crl_urls(certificate);
    let place = if urls.iter().any(|url| is_web(url)) {
        format!("it names {}: 'os4xapi crl list' says whether it was downloaded", urls.join(", "))
    } else {
        let named = if urls.is_empty() { "no URL".to_owned() } else { urls.join(", ") };
        format!(
            "it names {named}, where nothing can be downloaded: bring the list with 'os4xapi crl add FILE', or say \
             that this CA publishes none ('os4xapi trust set NAME --no-crl yes')"
        )
    };
    format!("{what} ({issuer}); {place}")
}

/// The status of a session that is refused for a verification fault (X509_V_ERR_*).
pub fn fault_status(code: i32) -> Status {
    match code {
        codes::UNABLE_TO_GET_ISSUER_CERT
        | codes::DEPTH_ZERO_SELF_SIGNED_CERT
        | codes::SELF_SIGNED_CERT_IN_CHAIN
        | codes::UNABLE_TO_GET_ISSUER_CERT_LOCALLY
        | codes::UNABLE_TO_VERIFY_LEAF_SIGNATURE
        | codes::NO_ISSUER_PUBLIC_KEY
        | codes::CERT_UNTRUSTED
        | codes::CERT_REJECTED
        | codes::AKID_SKID_MISMATCH
        | codes::AKID_ISSUER_SERIAL_MISMATCH
        | codes::PERMITTED_VIOLATION
        | codes::EXCLUDED_VIOLATION
        | codes::SUBTREE_MINMAX
        | codes::INVALID_CA
        | codes::PATHLEN_INVALID_FOR_NON_CA
        | codes::EC_KEY_EXPLICIT_PARAMS => Status::UnknownCa,
        codes::UNABLE_TO_GET_CRL
        | codes::UNABLE_TO_GET_CRL_ISSUER
        | codes::DIFFERENT_CRL_SCOPE
        | codes::CRL_PATH_VALIDATION_ERROR => Status::CrlMissing,
        codes::CRL_SIGNATURE_FAILURE
        | codes::UNABLE_TO_DECRYPT_CRL_SIGNATURE
        | codes::KEYUSAGE_NO_CRL_SIGN
        | codes::UNHANDLED_CRITICAL_CRL_EXTENSION => Status::CrlBadSignature,
        codes::CERT_NOT_YET_VALID | codes::ERROR_IN_CERT_NOT_BEFORE_FIELD => Status::NotYetValid,
        codes::CERT_HAS_EXPIRED | codes::ERROR_IN_CERT_NOT_AFTER_FIELD => Status::Expired,
        codes::CRL_NOT_YET_VALID
        | codes::CRL_HAS_EXPIRED
        | codes::ERROR_IN_CRL_LAST_UPDATE_FIELD
        | codes::ERROR_IN_CRL_NEXT_UPDATE_FIELD => Status::CrlExpired,
        codes::CERT_REVOKED => Status::Revoked,
        codes::INVALID_PURPOSE
        | codes::KEYUSAGE_NO_CERTSIGN
        | codes::INVALID_NON_CA
        // Faults of extensions that OpenSSL's strict checks find.
        | codes::PATHLEN_WITHOUT_KU_KEY_CERT_SIGN..=codes::EXTENSIONS_REQUIRE_VERSION_3 => Status::WrongUsage,
        codes::HOSTNAME_MISMATCH | codes::IP_ADDRESS_MISMATCH => Status::WrongName,
        codes::EE_KEY_TOO_SMALL | codes::CA_KEY_TOO_SMALL | codes::CA_MD_TOO_WEAK => Status::WeakKey,
        _ => Status::BadCertificate,
    }
}
