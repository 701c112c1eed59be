//! The certificates that may sign CRLs: the trusted ones, and CAs that lead to one of them.

use super::{Doing, PkiError};
use common::config::Trusted;
use common::x509::subject;
use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{X509, X509CrlRef, X509PurposeId, X509StoreContext, X509StoreContextRef};

/// The trusted certificates of the database, and the names of those that cannot be read: a damaged one does not affect
/// the others.
pub(crate) fn of_database(trusted: &[Trusted]) -> (Vec<X509>, Vec<&str>) {
    let (mut found, mut unreadable) = (Vec::with_capacity(trusted.len()), Vec::new());
    for Trusted { certificate, .. } in trusted {
        match X509::from_pem(certificate.pem.as_bytes()) {
            Ok(certificate) => found.push(certificate),
            Err(_) => unreadable.push(certificate.name.as_str()),
        }
    }
    (found, unreadable)
}

/// Whether one of `trusted` issued the CRL; an error if one carries the issuer's name but its key did not sign.
pub(crate) fn crl_issuer_is_trusted(crl: &X509CrlRef, trusted: &[X509]) -> Result<bool, PkiError> {
    let mut named = false;
    for certificate in trusted {
        if !subject::is_same(certificate.subject_name(), crl.issuer_name()).doing("comparing names")? {
            continue;
        }
        named = true;
        if certificate.public_key().and_then(|key| crl.verify(&key)).unwrap_or(false) {
            return Ok(true);
        }
        // A wrong signature leaves its error in OpenSSL's queue, where the next TLS connection would find it.
        drop(ErrorStack::get());
    }
    if named { Err(PkiError::CrlSignature(subject::text(crl.issuer_name()))) } else { Ok(false) }
}

/// The certificates of `found` that lead to one of `trusted`, possibly through others of them, and may sign CRLs:
/// signatures, times and extensions are checked (RFC 5280 section 6.1), CRLs are not.
pub(crate) fn leading_to(trusted: &[X509], found: &[X509]) -> Vec<X509> {
    let leading = verified(trusted, found).unwrap_or_default();
    // A certificate that does not lead there leaves its reason in OpenSSL's queue, where the next TLS connection would
    // find it.
    drop(ErrorStack::get());
    leading
}

fn verified(trusted: &[X509], found: &[X509]) -> Result<Vec<X509>, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in trusted {
        store.add_cert(anchor.clone())?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    store.set_purpose(X509PurposeId::CRL_SIGN)?;
    let store = store.build();
    let mut others = Stack::new()?;
    for other in found {
        others.push(other.clone())?;
    }
    let leads = |certificate: &&X509| {
        let verified = X509StoreContext::new().and_then(|mut context| {
            context.init(&store, certificate, &others, X509StoreContextRef::verify_cert)
        });
        verified.unwrap_or(false)
    };
    Ok(found.iter().filter(leads).cloned().collect())
}

#[cfg(test)]
mod tests {
    use super::crl_issuer_is_trusted;
    use crate::pki::PkiError;
    use crate::pki::ca::Ca;
    use common::text::clock;
    use openssl::asn1::Asn1Time;
    use openssl::bn::BigNum;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::error::ErrorStack;
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::extension::AuthorityKeyIdentifier;
    use openssl::x509::{CrlNumber, X509, X509CrlBuilder};

    #[test]
    fn a_forged_crl_is_refused_and_leaves_nothing_in_openssls_error_queue() {
        let ca = X509::from_pem(Ca::create().unwrap().certificate_pem().unwrap().as_bytes()).unwrap();
        let mut builder = X509CrlBuilder::new().unwrap();
        builder.set_issuer_name(ca.subject_name()).unwrap();
        builder.set_last_update(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_next_update(&Asn1Time::from_unix(clock::now() + 60).unwrap()).unwrap();
        let blank = X509::builder().unwrap();
        let context = blank.x509v3_context(Some(&ca), None);
        builder.append_extension(AuthorityKeyIdentifier::new().keyid(true).build(&context).unwrap()).unwrap();
        builder
            .append_extension(CrlNumber::new(BigNum::from_u32(1).unwrap()).unwrap().build().unwrap())
            .unwrap();
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let forger = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        builder.sign(&forger, MessageDigest::sha256()).unwrap();
        let crl = builder.build().unwrap();
        for key in [ca, X509::from_pem(Ca::create().unwrap().certificate_pem().unwrap().as_bytes()).unwrap()]
        {
            let outcome = crl_issuer_is_trusted(&crl, &[key]);
            assert!(matches!(outcome, Err(PkiError::CrlSignature(_)) | Ok(false)), "{outcome:?}");
            assert!(ErrorStack::get().errors().is_empty());
        }
    }
}
