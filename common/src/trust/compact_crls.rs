//! A revocation list in the form for session processes. OpenSSL's own form needs about 300 octets of heap for each
//! entry: each fork copies its page tables, the first search sorts the entries, and each search hashes the whole list
//! for its signature. Here all this is done once, when the configuration is taken over: the serial numbers are sorted
//! into memory that children share, and the signature is verified for the known issuers; for other issuers it is
//! hashed. OpenSSL still decides which list counts for which certificate and for how long.

use super::der::{Value, Values, tag, value};
use crate::sys::{self, RevocationList, SealedOctets};
use openssl::asn1::Asn1Integer;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::md::{Md, MdRef};
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use openssl::pkey_ctx::PkeyCtx;
use openssl::x509::{X509, X509Crl, X509CrlRef};
use std::cmp::Ordering;

/// A serial number in DER: tag, length and at most 20 octets (RFC 5280 §5.2.3); a shorter one is filled with zeros.
const RECORD: usize = 22;
/// OID 2.5.29.21, reasonCode.
const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
/// OID 2.5.29.24, invalidityDate.
const INVALIDITY_DATE: &[u8] = &[0x55, 0x1d, 24];
/// removeFromCRL: such an entry means that the certificate is not revoked.
const REMOVE_FROM_CRL: &[u8] = &[0x0a, 1, 8];
/// OID 1.2.840.113549.1.1, without the last number of a signature with SHA-2.
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1];
/// OID 1.2.840.10045.4.3, the same.
const ECDSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3];

/// The list in the form for session processes. An unusual list keeps OpenSSL's form, and is sorted.
pub(super) fn share(crl: X509Crl, trusted: &[X509]) -> X509Crl {
    compact(&crl, trusted).unwrap_or_else(|| {
        sort(&crl);
        crl
    })
}

/// OpenSSL sorts a list when it searches it.
fn sort(crl: &X509CrlRef) {
    if let Ok(serial) = BigNum::from_u32(1).and_then(|one| Asn1Integer::from_bn(&one)) {
        let _ = crl.get_by_serial(&serial);
    }
}

fn compact(crl: &X509Crl, trusted: &[X509]) -> Option<X509Crl> {
    let der = crl.to_der().ok()?;
    let parts = Parts::of(&der)?;
    let signature = Signature::of(&parts)?;
    let serials = match parts.serials()? {
        none if none.is_empty() => None,
        some => Some(SealedOctets::new(&some).ok()?),
    };
    let compact = Compact { serials, signature, signers: signers(crl, trusted) };
    sys::x509_crl_answered_by(&parts.without_entries(), Box::new(compact)).ok()
}

/// The keys of trusted certificates that have signed the list.
fn signers(crl: &X509CrlRef, trusted: &[X509]) -> Vec<PKey<Public>> {
    let named = trusted
        .iter()
        .filter(|issuer| issuer.subject_name().try_cmp(crl.issuer_name()).is_ok_and(Ordering::is_eq));
    let keys = named.filter_map(|issuer| issuer.public_key().ok());
    let signers = keys.filter(|key| crl.verify(key).unwrap_or(false)).collect();
    // Each key that has not signed it leaves an error.
    drop(ErrorStack::get());
    signers
}

/// The parts of a list.
struct Parts<'a> {
    tbs: Value<'a>,
    /// The octets of the list before its entries, and behind them.
    around: [&'a [u8]; 2],
    entries: &'a [u8],
    algorithm: Value<'a>,
    signature: Value<'a>,
}

impl<'a> Parts<'a> {
    fn of(der: &'a [u8]) -> Option<Self> {
        let mut list = Values(Values(der).take(tag::SEQUENCE)?.content);
        let tbs = list.take(tag::SEQUENCE)?;
        let algorithm = list.take(tag::SEQUENCE)?;
        let signature = list.take(tag::BIT_STRING)?;
        let mut fields = Values(tbs.content);
        // The version is optional.
        fields.take(tag::INTEGER);
        let (inner_algorithm, _issuer) = (fields.take(tag::SEQUENCE)?, fields.take(tag::SEQUENCE)?);
        let (_this_update, _next_update) = (take_time(&mut fields)?, take_time(&mut fields));
        let before = tbs.content.get(..tbs.content.len() - fields.0.len())?;
        let entries = fields.take(tag::SEQUENCE).map_or(&[][..], |entries| entries.content);
        let is_sound = list.is_empty() && inner_algorithm.whole == algorithm.whole;
        is_sound.then_some(Self { tbs, around: [before, fields.0], entries, algorithm, signature })
    }

    /// The same list without its entries.
    fn without_entries(&self) -> Vec<u8> {
        let tbs = value(tag::SEQUENCE, &self.around.concat());
        value(tag::SEQUENCE, &[&tbs, self.algorithm.whole, self.signature.whole].concat())
    }

    /// Serial numbers as sorted records; none if an entry has more information than that a certificate is revoked.
    fn serials(&self) -> Option<Vec<u8>> {
        let mut records: Vec<[u8; RECORD]> = Vec::new();
        let mut entries = Values(self.entries);
        while !entries.is_empty() {
            let mut fields = Values(entries.take(tag::SEQUENCE)?.content);
            let serial = fields.take(tag::INTEGER)?;
            // BER has several forms of one number, and OpenSSL reads all of them; only DER can be compared octet by
            // octet.
            if serial.whole != value(tag::INTEGER, serial.content) {
                return None;
            }
            records.push(record(serial.whole)?);
            take_time(&mut fields)?;
            let is_plain = fields.take(tag::SEQUENCE).is_none_or(|all| are_plain(all.content));
            if !is_plain || !fields.is_empty() {
                return None;
            }
        }
        records.sort_unstable();
        Some(records.concat())
    }
}

fn take_time<'a>(fields: &mut Values<'a>) -> Option<Value<'a>> {
    fields.take(tag::UTC_TIME).or_else(|| fields.take(tag::GENERALIZED_TIME))
}

/// Whether the extensions of an entry do not change its meaning.
fn are_plain(extensions: &[u8]) -> bool {
    let mut all = Values(extensions);
    while !all.is_empty() {
        let Some(extension) = all.take(tag::SEQUENCE) else { return false };
        let mut fields = Values(extension.content);
        // A critical extension has a further value here.
        let (id, text) = (fields.take(tag::OID), fields.take(tag::OCTET_STRING));
        let is_plain = match (id, text) {
            (Some(id), Some(text)) if id.content == REASON_CODE => text.content != REMOVE_FROM_CRL,
            (Some(id), Some(_)) => id.content == INVALIDITY_DATE,
            _ => false,
        };
        if !is_plain || !fields.is_empty() {
            return false;
        }
    }
    true
}

fn record(serial: &[u8]) -> Option<[u8; RECORD]> {
    let mut record = [0; RECORD];
    record.get_mut(..serial.len())?.copy_from_slice(serial);
    Some(record)
}

/// A signature, and the hash of the signed octets.
struct Signature {
    key: Id,
    md: &'static MdRef,
    digest: Vec<u8>,
    octets: Vec<u8>,
}

impl Signature {
    /// None if it is of an unusual kind.
    fn of(parts: &Parts<'_>) -> Option<Self> {
        let mut algorithm = Values(parts.algorithm.content);
        let (number, family) = algorithm.take(tag::OID)?.content.split_last()?;
        let (key, md, digest) = match (family, number) {
            (RSA, 11) => (Id::RSA, Md::sha256(), MessageDigest::sha256()),
            (RSA, 12) => (Id::RSA, Md::sha384(), MessageDigest::sha384()),
            (RSA, 13) => (Id::RSA, Md::sha512(), MessageDigest::sha512()),
            (ECDSA, 2) => (Id::EC, Md::sha256(), MessageDigest::sha256()),
            (ECDSA, 3) => (Id::EC, Md::sha384(), MessageDigest::sha384()),
            (ECDSA, 4) => (Id::EC, Md::sha512(), MessageDigest::sha512()),
            _ => return None,
        };
        // The last octet has no unused bits.
        let (0, octets) = parts.signature.content.split_first().map(|(left, rest)| (*left, rest))? else {
            return None;
        };
        let digest = hash(digest, parts.tbs.whole).ok()?.to_vec();
        Some(Self { key, md, digest, octets: octets.to_vec() })
    }

    fn is_of(&self, key: &PKeyRef<Public>) -> Result<bool, ErrorStack> {
        if key.id() != self.key {
            return Ok(false);
        }
        let mut context = PkeyCtx::new(key)?;
        context.verify_init()?;
        context.set_signature_md(self.md)?;
        context.verify(&self.digest, &self.octets)
    }
}

/// A list with its entries as sorted records.
struct Compact {
    /// None: the list revokes no certificate.
    serials: Option<SealedOctets>,
    signature: Signature,
    /// Keys that are known to have signed it: for them the signature is not checked again.
    signers: Vec<PKey<Public>>,
}

impl RevocationList for Compact {
    fn names(&self, serial: &[u8]) -> bool {
        let (Some(serials), Some(wanted)) = (&self.serials, record(serial)) else { return false };
        let (records, _) = serials.octets().as_chunks::<RECORD>();
        records.binary_search(&wanted).is_ok()
    }

    fn is_signed_by(&self, key: &PKeyRef<Public>) -> bool {
        if self.signers.iter().any(|signer| signer.public_eq(key)) {
            return true;
        }
        let signed = self.signature.is_of(key).unwrap_or(false);
        // As OpenSSL does: the handshake reports the fault of the list, not of a signature.
        drop(ErrorStack::get());
        signed
    }
}

#[cfg(test)]
mod tests;
