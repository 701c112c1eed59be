//! Reads the certificates, keys and CRLs that operators bring, in whatever form, and gives the names and times in them.
//! Run by the commands. Decides nothing about trust, except which files may be stored.

use super::ca::pem;
use super::content::{self, Kind, Part};
use super::{Doing, PkiError, der};
use common::config::Trusted;
use common::secret::Secret;
use common::text::clock;
use common::text::hex;
use common::x509::issuer::fingerprint;
use common::x509::subject;
use common::x509::times::unix_time_of;
use openssl::bn::BigNum;
use openssl::error::ErrorStack;
use openssl::pkcs12::{ParsedPkcs12_2, Pkcs12};
use openssl::pkey::{PKey, Private};
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyFlags;
use openssl::x509::{
    CrlNumber, X509, X509Crl, X509CrlRef, X509ExtendedKeyUsage, X509Name, X509PurposeId, X509Ref,
    X509StoreContext, X509StoreContextRef,
};
use std::path::Path;
use zeroize::Zeroizing;

const PEM_CRL_BEGIN: &str = "-----BEGIN X509 CRL-----";
const PEM_CRL_END: &str = "-----END X509 CRL-----";

/// Fewer days than these left are worth a warning.
const EXPIRES_SOON: i64 = 30;

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, PkiError> {
    let octets = std::fs::read(path).map_err(|cause| PkiError::Read(path.to_path_buf(), cause))?;
    Ok(content::plain(Zeroizing::new(octets)))
}

/// The first line of a file, as a password.
pub(crate) fn password(path: &Path) -> Result<Secret, PkiError> {
    let octets = read(path)?;
    let line = octets.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok(text) if !text.contains('\0') => Ok(Secret::new(text.to_owned())),
        _ => Err(PkiError::PasswordFile(path.to_path_buf())),
    }
}

/// All certificates of a file, in its order: PEM, DER, PKCS#7, or PKCS#12 with its password.
pub(crate) fn certificates(path: &Path, password: Option<&Secret>) -> Result<Vec<X509>, PkiError> {
    const KIND: &str = "certificate";
    let octets = read(path)?;
    let (parts, mut found) = (content::parts(&octets), Vec::new());
    let refused = |cause| PkiError::Parse(path.to_path_buf(), KIND, cause);
    for part in &parts {
        match part.kind {
            Kind::Certificate => found.push(content::certificate(part).map_err(refused)?),
            Kind::Pkcs7 => found.extend(content::of_pkcs7(part).map_err(refused)?),
            Kind::Pkcs12 => {
                let opened = pkcs12(path, part, password)?;
                found.extend(opened.cert.into_iter().chain(opened.ca.into_iter().flatten()));
            }
            _ => {}
        }
    }
    if found.is_empty() { Err(other(path, KIND, &parts, &[Kind::Pkcs7, Kind::Pkcs12])) } else { Ok(found) }
}

/// What to say of a file in which nothing of the wanted kind is; `may_hold` could have held some.
fn other(path: &Path, wanted: &'static str, parts: &[Part<'_>], may_hold: &[Kind]) -> PkiError {
    match parts.first() {
        Some(part) if !may_hold.contains(&part.kind) => {
            PkiError::Other(path.to_path_buf(), wanted, part.kind)
        }
        _ => PkiError::Nothing(path.to_path_buf(), wanted),
    }
}

/// Opens a PKCS#12 object: with the password, or else with none or an empty one. Other files may be those it is for.
fn pkcs12(path: &Path, part: &Part<'_>, password: Option<&Secret>) -> Result<ParsedPkcs12_2, PkiError> {
    let file = || path.to_path_buf();
    let archive = Pkcs12::from_der(part.octets).map_err(|cause| PkiError::Parse(file(), "PKCS#12", cause))?;
    let open = archive.parse2(password.map_or("", Secret::expose));
    if let (Err(_), Some(_), Ok(opened)) = (&open, password, archive.parse2("")) {
        return Ok(opened);
    }
    open.map_err(|cause| {
        let says =
            |what| cause.errors().iter().any(|error| error.reason().is_some_and(|why| why.contains(what)));
        match password {
            _ if says("unsupported") => PkiError::Legacy(file()),
            None => PkiError::Encrypted(file(), part.kind),
            Some(_) => PkiError::Password(file()),
        }
    })
}

/// The private key of a file, and as PEM without a password (PKCS#8): PEM, DER or PKCS#12, with `password` if it is
/// encrypted.
pub(crate) fn private_key(
    path: &Path,
    password: Option<&Secret>,
) -> Result<(PKey<Private>, Secret), PkiError> {
    const KIND: &str = "private key";
    let octets = read(path)?;
    let parts = content::parts(&octets);
    let keys = [Kind::PrivateKey, Kind::EncryptedKey, Kind::Pkcs12];
    let Some(part) = parts.iter().find(|part| keys.contains(&part.kind)) else {
        return Err(other(path, KIND, &parts, &[]));
    };
    let refused = |cause| PkiError::Parse(path.to_path_buf(), KIND, cause);
    let key = match (part.kind, password) {
        (Kind::Pkcs12, _) => {
            pkcs12(path, part, password)?.pkey.ok_or_else(|| PkiError::Nothing(path.to_path_buf(), KIND))?
        }
        (Kind::EncryptedKey, None) => return Err(PkiError::Encrypted(path.to_path_buf(), part.kind)),
        (Kind::EncryptedKey, Some(password)) => {
            let word = password.expose().as_bytes();
            let open = if part.is_pem {
                PKey::private_key_from_pem_passphrase(part.octets, word)
            } else {
                PKey::private_key_from_pkcs8_passphrase(part.octets, word)
            };
            open.map_err(|_| PkiError::Password(path.to_path_buf()))?
        }
        _ if part.is_pem => PKey::private_key_from_pem(part.octets).map_err(refused)?,
        _ => PKey::private_key_from_der(part.octets).map_err(refused)?,
    };
    let pem = key.private_key_to_pem_pkcs8().doing("writing a key")?;
    Ok((key, zeroize_on_drop(pem)))
}

/// A key in PEM as a secret; it is ASCII, so nothing is lost.
fn zeroize_on_drop(octets: Vec<u8>) -> Secret {
    match String::from_utf8(octets) {
        Ok(text) => Secret::new(text),
        Err(_) => Secret::default(),
    }
}

/// All CRLs of a file: any number in PEM, or one in DER.
pub(crate) fn crls(path: &Path) -> Result<Vec<X509Crl>, PkiError> {
    const KIND: &str = "CRL";
    let octets = read(path)?;
    let parts = content::parts(&octets);
    if parts.iter().all(|part| part.kind != Kind::Crl) {
        return Err(other(path, KIND, &parts, &[]));
    }
    crls_in(&octets).map_err(|cause| PkiError::Parse(path.to_path_buf(), KIND, cause))
}

/// All CRLs in `octets`: any number in PEM, or one in DER.
pub(crate) fn crls_in(octets: &[u8]) -> Result<Vec<X509Crl>, ErrorStack> {
    if !is_pem(octets) {
        return Ok(vec![X509Crl::from_der(octets)?]);
    }
    let text = String::from_utf8_lossy(octets);
    text.match_indices(PEM_CRL_BEGIN)
        .filter_map(|(start, _)| {
            let rest = text.get(start..)?;
            rest.get(..rest.find(PEM_CRL_END)? + PEM_CRL_END.len())
        })
        .map(|one| X509Crl::from_pem(one.as_bytes()))
        .collect()
}

/// The trusted certificates of the database, and the names of those that cannot be read: a spoilt one takes no other
/// along.
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

fn is_pem(octets: &[u8]) -> bool {
    octets.windows(11).any(|window| window == b"-----BEGIN ")
}

/// What partners may not like in our certificate: they see it as a server's and as a client's.
pub(crate) fn weaknesses(certificate: &X509) -> Result<Vec<String>, PkiError> {
    let facts = Facts::of(certificate)?;
    let mut found = Vec::new();
    if let Some(purposes) = certificate.extended_key_usage()
        && !purposes.contains(X509ExtendedKeyUsage::ANYEKU)
    {
        let wanted = [
            (X509ExtendedKeyUsage::SSL_SERVER, "serverAuth", "incoming"),
            (X509ExtendedKeyUsage::SSL_CLIENT, "clientAuth", "outgoing"),
        ];
        let missing = wanted.iter().filter(|(purpose, ..)| !purposes.contains(*purpose));
        found.extend(missing.map(|(_, name, direction)| {
            format!("'{}' is not for {name}: partners may refuse it in {direction} sessions.", facts.subject)
        }));
    }
    let days = (facts.until - clock::now()) / clock::DAY;
    if days < EXPIRES_SOON {
        found.push(format!("'{}' expires in {days} days.", facts.subject));
    }
    Ok(found)
}

/// Whether `certificate` is valid now.
pub(crate) fn check_validity(certificate: &X509) -> Result<(), PkiError> {
    let facts = Facts::of(certificate)?;
    if (facts.from..=facts.until).contains(&clock::now()) {
        return Ok(());
    }
    Err(PkiError::Validity(facts.subject, clock::rfc3339(facts.from), clock::rfc3339(facts.until)))
}

/// What lists show of a certificate.
#[derive(Debug, Clone)]
pub(crate) struct Facts {
    /// Subject on one line.
    pub(crate) subject: String,
    /// Issuer on one line.
    pub(crate) issuer: String,
    /// Valid from, seconds since 1970-01-01 UTC.
    pub(crate) from: i64,
    /// Valid until.
    pub(crate) until: i64,
    /// SHA-256 of the DER, hex.
    pub(crate) fingerprint: String,
}

impl Facts {
    /// Of a certificate.
    pub(crate) fn of(certificate: &X509Ref) -> Result<Self, PkiError> {
        let doing = "reading a certificate";
        Ok(Self {
            subject: subject::text(certificate.subject_name()),
            issuer: subject::text(certificate.issuer_name()),
            from: unix_time_of(certificate.not_before()).doing(doing)?,
            until: unix_time_of(certificate.not_after()).doing(doing)?,
            fingerprint: hex::encode(&fingerprint(certificate).doing(doing)?),
        })
    }

    /// Of the first certificate in a PEM text.
    pub(crate) fn of_pem(text: &str) -> Result<Self, PkiError> {
        Self::of(&*X509::from_pem(text.as_bytes()).doing("reading a certificate of the database")?)
    }
}

/// What the database keeps of a CRL.
#[derive(Debug)]
pub(crate) struct CrlFacts {
    /// SHA-256 of the issuer's name, the CRL's scope and the identifier of the issuer's key in DER, hex. Two spellings
    /// of a name have two: `is_of_one_row` tells whether one takes the other's place.
    pub(crate) issuer_key: String,
    /// Issuer on one line.
    pub(crate) issuer: String,
    /// Issuer in DER.
    name: Vec<u8>,
    /// The CRL's scope and the identifier of the issuer's key in DER, one after the other.
    part: Vec<u8>,
    /// thisUpdate, seconds since 1970-01-01 UTC.
    pub(crate) last_update: i64,
    /// nextUpdate, if it names one.
    pub(crate) next_update: Option<i64>,
    /// CRL number, which tells two CRLs of the same second apart.
    number: Option<BigNum>,
    /// The CRL, PEM.
    pub(crate) pem: String,
}

impl CrlFacts {
    /// Of a CRL.
    pub(crate) fn of(crl: &X509CrlRef) -> Result<Self, PkiError> {
        let doing = "reading a CRL";
        let octets = crl.to_der().doing(doing)?;
        if der::is_delta(&octets) {
            return Err(PkiError::DeltaCrl(subject::text(crl.issuer_name())));
        }
        // A CA that takes a new key under its old name goes on with the lists of both.
        let part = [der::crl_scope(&octets), der::crl_key_identifier(&octets)].concat();
        let name = crl.issuer_name().to_der().doing(doing)?;
        let identity = [&name[..], &part].concat();
        let number = crl.extension::<CrlNumber>().doing(doing)?;
        Ok(Self {
            issuer_key: hex::encode(&openssl::sha::sha256(&identity)),
            issuer: subject::text(crl.issuer_name()),
            name,
            part,
            last_update: unix_time_of(crl.last_update()).doing(doing)?,
            next_update: crl.next_update().map(unix_time_of).transpose().doing(doing)?,
            number: number.and_then(|(_, number)| number.to_bn().ok()),
            pem: String::from_utf8_lossy(&crl.to_pem().doing(doing)?).into_owned(),
        })
    }
}

impl CrlFacts {
    /// Of a CRL that the database keeps.
    pub(crate) fn of_pem(text: &str) -> Result<Self, PkiError> {
        Self::of(&*X509Crl::from_pem(text.as_bytes()).doing("reading a CRL of the database")?)
    }

    /// Which certificates of its issuer it is for; none: all.
    pub(crate) fn scope(crl: &X509CrlRef) -> Option<String> {
        der::scope_text(der::crl_scope(&crl.to_der().ok()?))
    }

    /// The CRL number in decimal digits, if there is one.
    pub(crate) fn number(&self) -> Option<String> {
        Some(self.number.as_ref()?.to_dec_str().ok()?.to_string())
    }

    /// Whether the database keeps one of the two only: they have the same issuer, however its name is written, the same
    /// scope and the same key.
    pub(crate) fn is_of_one_row(&self, other: &Self) -> bool {
        let names =
            X509Name::from_der(&self.name).and_then(|one| Ok((one, X509Name::from_der(&other.name)?)));
        self.part == other.part && names.and_then(|(one, two)| subject::is_same(&one, &two)).unwrap_or(false)
    }

    /// Whether this one is newer than `other` of the same issuer: by its time, then by its number.
    pub(crate) fn is_newer_than(&self, other: &Self) -> bool {
        (self.last_update, &self.number) > (other.last_update, &other.number)
    }
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

/// Those of `found` that lead to a certificate of `trusted`, perhaps over others of them, and may sign CRLs:
/// signatures, times and extensions are checked (RFC 5280 section 6.1), CRLs are not.
pub(crate) fn leading_to(trusted: &[X509], found: &[X509]) -> Vec<X509> {
    let leads = |certificate: &&X509| leads_to(trusted, found, certificate).unwrap_or(false);
    let leading = found.iter().filter(leads).cloned().collect();
    // What does not lead there leaves its reason in OpenSSL's queue, where the next TLS connection would find it.
    drop(ErrorStack::get());
    leading
}

fn leads_to(trusted: &[X509], others: &[X509], certificate: &X509) -> Result<bool, ErrorStack> {
    let mut store = X509StoreBuilder::new()?;
    for anchor in trusted {
        store.add_cert(anchor.clone())?;
    }
    store.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    store.set_purpose(X509PurposeId::CRL_SIGN)?;
    let mut untrusted = Stack::new()?;
    for other in others {
        untrusted.push(other.clone())?;
    }
    let mut context = X509StoreContext::new()?;
    context.init(&store.build(), certificate, &untrusted, X509StoreContextRef::verify_cert)
}

/// A short name for a certificate in lists: its common name, else its whole subject.
pub(crate) fn short_name(certificate: &X509Ref) -> String {
    let common = certificate.subject_name().entries_by_nid(openssl::nid::Nid::COMMONNAME).last();
    common
        .and_then(|entry| entry.data().to_string().ok())
        .unwrap_or_else(|| subject::text(certificate.subject_name()))
}

/// All certificates as one PEM text, in their order.
pub(crate) fn chain_pem(chain: &[X509]) -> Result<String, PkiError> {
    chain.iter().map(pem).collect()
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
