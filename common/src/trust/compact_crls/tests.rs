//! Compares lists in both forms.

use super::{ECDSA, REASON_CODE, RSA, compact, share};
use crate::trust::der::{tag, value};
use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::Signer;
use openssl::x509::{CrlStatus, X509, X509Builder, X509Crl, X509Name, X509NameBuilder};

fn ec_key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name() -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", "issuer").unwrap();
    name.build()
}

/// The certificate of an issuer with this key.
fn issuer(key: &PKey<Private>) -> X509 {
    let mut builder = X509Builder::new().unwrap();
    builder.set_subject_name(&name()).unwrap();
    builder.set_issuer_name(&name()).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(key, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn time() -> Vec<u8> {
    value(tag::UTC_TIME, b"260101000000Z")
}

/// An entry of a list; `extensions`: whole.
fn entry(serial: &[u8], extensions: &[u8]) -> Vec<u8> {
    value(tag::SEQUENCE, &[value(tag::INTEGER, serial), time(), extensions.to_vec()].concat())
}

/// One extension of an entry, as the only one.
fn extension(id: &[u8], critical: bool, text: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[1, 1, 0xff] } else { &[] };
    let fields = [&value(tag::OID, id), critical, &value(tag::OCTET_STRING, text)].concat();
    value(tag::SEQUENCE, &value(tag::SEQUENCE, &fields))
}

fn list(key: &PKey<Private>, entries: &[Vec<u8>]) -> X509Crl {
    let oid = if key.rsa().is_ok() { [RSA, &[11]].concat() } else { [ECDSA, &[2]].concat() };
    let algorithm = value(tag::SEQUENCE, &value(tag::OID, &oid));
    let mut fields =
        vec![value(tag::INTEGER, &[1]), algorithm.clone(), name().to_der().unwrap(), time(), time()];
    if !entries.is_empty() {
        fields.push(value(tag::SEQUENCE, &entries.concat()));
    }
    let tbs = value(tag::SEQUENCE, &fields.concat());
    let mut signer = Signer::new(MessageDigest::sha256(), key).unwrap();
    let signature = [vec![0], signer.sign_oneshot_to_vec(&tbs).unwrap()].concat();
    let parts = [tbs, algorithm, value(tag::BIT_STRING, &signature)].concat();
    X509Crl::from_der(&value(tag::SEQUENCE, &parts)).unwrap()
}

fn revokes(crl: &X509Crl, serial: &[u8]) -> bool {
    let serial = Asn1Integer::from_bn(&BigNum::from_slice(serial).unwrap()).unwrap();
    !matches!(crl.get_by_serial(&serial), CrlStatus::NotRevoked)
}

#[test]
fn both_forms_name_the_same_certificates() {
    let key = ec_key();
    let long = [&[0x7f; 19][..], &[9]].concat();
    let serials: [&[u8]; 5] = [&[5], &[0, 0x80], &[1, 0], &[0x7f; 20], &long];
    let entries: Vec<Vec<u8>> = serials.iter().map(|serial| entry(serial, &[])).collect();
    for entries in [&entries[..], &[]] {
        let plain = list(&key, entries);
        let other = compact(&plain, &[]).unwrap();
        let absent: [&[u8]; 5] = [&[6], &[0x80, 0], &[1], &[0x7f; 19], &[0x7f; 30]];
        for serial in serials.iter().chain(&absent) {
            assert_eq!(revokes(&other, serial), revokes(&plain, serial), "{serial:?}");
        }
        assert_eq!(revokes(&other, &[0x80]), !entries.is_empty());
        assert_eq!(other.issuer_name().to_der().unwrap(), plain.issuer_name().to_der().unwrap());
        assert_eq!(other.last_update().to_string(), plain.last_update().to_string());
    }
}

#[test]
fn only_the_key_that_has_signed_a_list_verifies_it() {
    let rsa = || PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
    for (key, same_kind, other_kind) in [(ec_key(), ec_key(), rsa()), (rsa(), rsa(), ec_key())] {
        let entries = [entry(&[5], &[])];
        for trusted in [vec![issuer(&key), issuer(&same_kind)], vec![issuer(&other_kind)], Vec::new()] {
            let crl = compact(&list(&key, &entries), &trusted).unwrap();
            assert!(crl.verify(&key).unwrap(), "{}", trusted.len());
            assert!(!crl.verify(&same_kind).unwrap_or(false));
            assert!(!crl.verify(&other_kind).unwrap_or(false));
        }
        // One of the signed octets differs.
        let der = list(&key, &entries).to_der().unwrap();
        let at = der.windows(3).position(|three| three == [2, 1, 5]).unwrap();
        let forged = [&der[..at + 2], &[6], &der[at + 3..]].concat();
        let forged = compact(&X509Crl::from_der(&forged).unwrap(), &[issuer(&key)]).unwrap();
        assert!(!forged.verify(&key).unwrap_or(false));
    }
}

#[test]
fn entries_that_say_more_than_revoked_keep_the_form_of_openssl() {
    let key = ec_key();
    let reason = |reason, critical| extension(REASON_CODE, critical, &[0x0a, 1, reason]);
    let certificate_issuer = extension(&[0x55, 0x1d, 29], true, &[0x30, 0]);
    let invalidity = extension(super::INVALIDITY_DATE, false, b"\x18\x0f20260101000000Z");
    for (serial, extensions, is_plain) in [
        (&[7; 20][..], Vec::new(), true),
        (&[7; 21], Vec::new(), false),
        (&[7], reason(1, false), true),
        (&[7], reason(1, true), false),
        (&[7], reason(8, false), false),
        (&[7], invalidity, true),
        (&[7], certificate_issuer, false),
    ] {
        let crl = list(&key, &[entry(&[3], &[]), entry(serial, &extensions)]);
        assert_eq!(compact(&crl, &[]).is_some(), is_plain, "{extensions:?}");
        assert!(revokes(&share(crl, &[]), &[3]));
    }
}

#[test]
fn a_serial_number_in_another_form_than_der_is_left_to_openssl() {
    let key = ec_key();
    let odd = value(tag::SEQUENCE, &[vec![tag::INTEGER, 0x81, 1, 7], time()].concat());
    let crl = list(&key, &[entry(&[3], &[]), odd]);
    assert!(revokes(&crl, &[7]), "OpenSSL reads it");
    assert!(compact(&crl, &[]).is_none());
    assert!(revokes(&share(crl, &[]), &[7]));
}
