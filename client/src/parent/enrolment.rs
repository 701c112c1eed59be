//! Our certificate: the key for which it is requested, the TLS context made of it, and the time of its renewal. Pure:
//! other modules ask the backend and connect to the server.

use common::identity::ProxyId;
use common::link::tls;
use common::log::{Event, catalogue};
use common::rpc;
use common::x509::times;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::SslContext;
use openssl::x509::X509;
use std::time::{Duration, Instant};

/// Pause after a failed renewal.
const RENEW_AGAIN: Duration = Duration::from_mins(5);
/// Shortest validity of a certificate, seconds; a shorter one would be renewed all the time.
const LEAST_VALID: u32 = 60;

/// The credentials for a control connection.
#[derive(Clone)]
pub(super) struct Credentials {
    /// Presents our certificate, requires a licence of the same CA.
    pub(super) context: SslContext,
    /// The servers that the backend lists.
    pub(super) proxies: Vec<ProxyId>,
    /// Last second of our certificate, since 1970-01-01 UTC.
    ends: Option<i64>,
}

/// The certificate of this run, and a request for the next one.
#[derive(Default)]
pub(super) struct Enrolment {
    /// The key of an open request.
    key: Option<PKey<Private>>,
    credentials: Option<Credentials>,
    /// The number of the certificate: each has the next one, from 1.
    serial: u64,
    renew_at: Option<Instant>,
}

impl Enrolment {
    /// Makes a new key and keeps it until its certificate arrives; returns its public half in PEM.
    pub(super) fn make_key(&mut self) -> Result<String, ErrorStack> {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
        let key = PKey::from_ec_key(EcKey::generate(&group)?)?;
        let public = String::from_utf8_lossy(&key.public_key_to_pem()?).into_owned();
        self.key = Some(key);
        Ok(public)
    }

    /// The certificate has arrived.
    ///
    /// # Errors
    ///
    /// A sentence that says why it cannot be used; the old certificate stays in use.
    pub(super) fn accept(&mut self, enrolment: &rpc::Enrolment, now: Instant) -> Result<(), String> {
        let Some(key) = self.key.take() else { return Ok(()) };
        let credentials = credentials(enrolment, &key)
            .map_err(|e| format!("the certificate that the backend issued cannot be used: {e}"))?;
        Event::new(&catalogue::ENROLLED).field_num("seconds", enrolment.valid_seconds).log();
        self.credentials = Some(credentials);
        self.serial += 1;
        self.renew_at = Some(now + Duration::from_secs(u64::from(enrolment.valid_seconds / 2)));
        Ok(())
    }

    /// Whether there is a certificate.
    pub(super) fn is_enrolled(&self) -> bool {
        self.credentials.is_some()
    }

    /// The number of the certificate: a control connection that shows an older one must be opened again.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The credentials for a new control connection.
    pub(super) fn credentials(&self) -> Option<Credentials> {
        self.credentials.clone()
    }

    /// Last second of the certificate, since 1970-01-01 UTC.
    pub(super) fn ends(&self) -> Option<i64> {
        self.credentials.as_ref().and_then(|credentials| credentials.ends)
    }

    /// When to request the next certificate.
    pub(super) fn renew_at(&self) -> Option<Instant> {
        self.renew_at
    }

    /// Whether to request the next certificate now. True once; the answer sets the next time.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let is_due = self.renew_at.is_some_and(|at| at <= now);
        if is_due {
            self.renewal_failed(now);
        }
        is_due
    }

    /// The certificate did not arrive, or no control connection could be opened with it.
    pub(super) fn renewal_failed(&mut self, now: Instant) {
        if self.is_enrolled() {
            self.renew_at = Some(now + RENEW_AGAIN);
        }
    }
}

fn credentials(enrolment: &rpc::Enrolment, key: &PKey<Private>) -> Result<Credentials, String> {
    let readable = |what: &str, pem: &str| {
        X509::from_pem(pem.as_bytes()).map_err(|_| format!("{what} is no certificate in PEM form"))
    };
    let certificate = readable("it", &enrolment.certificate)?;
    let ca = readable("that of its CA", &enrolment.ca)?;
    if enrolment.valid_seconds < LEAST_VALID {
        return Err(format!("it is valid for {} s, {LEAST_VALID} are needed", enrolment.valid_seconds));
    }
    let context = tls::client_context(&certificate, key, &ca)
        .map_err(|_| "it does not belong to this client's key".to_owned())?;
    let ends = times::validity(&certificate).ok().map(|(_, ends)| ends);
    Ok(Credentials { context, proxies: enrolment.proxies.clone(), ends })
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Enrolment, RENEW_AGAIN};
    use common::rpc;
    use openssl::asn1::Asn1Time;
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::x509::{X509, X509Name};
    use std::time::{Duration, Instant};

    /// The backend's answer for the key with this public half; the certificate is its own CA.
    pub(in crate::parent) fn answer(public_key: &str, valid_seconds: u32) -> rpc::Enrolment {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", "client").unwrap();
        let name = name.build();
        let mut certificate = X509::builder().unwrap();
        certificate.set_version(2).unwrap();
        certificate.set_subject_name(&name).unwrap();
        certificate.set_issuer_name(&name).unwrap();
        certificate.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        certificate.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        certificate.set_pubkey(&PKey::public_key_from_pem(public_key.as_bytes()).unwrap()).unwrap();
        let issuer = PKey::from_ec_key(
            openssl::ec::EcKey::generate(
                &openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap(),
            )
            .unwrap(),
        )
        .unwrap();
        certificate.sign(&issuer, MessageDigest::sha256()).unwrap();
        let pem = String::from_utf8(certificate.build().to_pem().unwrap()).unwrap();
        rpc::Enrolment { certificate: pem.clone(), ca: pem, proxies: Vec::new(), valid_seconds }
    }

    #[test]
    fn a_certificate_is_renewed_at_half_of_its_life() {
        let now = Instant::now();
        let mut enrolment = Enrolment::default();
        assert!(!enrolment.is_enrolled() && !enrolment.is_due(now) && enrolment.credentials().is_none());
        let public = enrolment.make_key().unwrap();
        enrolment.accept(&answer(&public, 600), now).unwrap();
        assert!(enrolment.is_enrolled() && enrolment.credentials().is_some());
        assert_eq!(enrolment.serial(), 1);
        let half = now + Duration::from_mins(5);
        assert!(!enrolment.is_due(half.checked_sub(Duration::from_millis(1)).unwrap()));
        assert!(enrolment.is_due(half));
        // It is requested once, and again after a failure.
        assert!(!enrolment.is_due(half));
        assert!(enrolment.is_due(half + RENEW_AGAIN));
        let public = enrolment.make_key().unwrap();
        let later = half + RENEW_AGAIN;
        enrolment.accept(&answer(&public, 100), later).unwrap();
        assert_eq!(enrolment.renew_at(), Some(later + Duration::from_secs(50)));
        assert_eq!(enrolment.serial(), 2);
    }

    #[test]
    fn one_that_cannot_be_used_leaves_the_old_one_in_use() {
        let now = Instant::now();
        let mut enrolment = Enrolment::default();
        let first = enrolment.make_key().unwrap();
        enrolment.accept(&answer(&first, 600), now).unwrap();
        for (edit, why) in [
            (rpc::Enrolment { certificate: "PEM".to_owned(), ..answer(&first, 600) }, "it is no certificate"),
            (
                rpc::Enrolment { ca: "PEM".to_owned(), ..answer(&first, 600) },
                "that of its CA is no certificate",
            ),
            (answer(&first, 600), "does not belong to this client's key"),
            (answer(&first, 59), "it is valid for 59 s, 60 are needed"),
        ] {
            enrolment.make_key().unwrap();
            let error = enrolment.accept(&edit, now).unwrap_err();
            assert!(error.contains(why), "{error}");
            assert!(enrolment.is_enrolled() && enrolment.serial() == 1);
        }
    }

    #[test]
    fn an_answer_that_nobody_waits_for_changes_nothing() {
        let mut enrolment = Enrolment::default();
        let public = enrolment.make_key().unwrap();
        let now = Instant::now();
        enrolment.accept(&answer(&public, 600), now).unwrap();
        enrolment.accept(&answer(&public, 6000), now).unwrap();
        assert_eq!(enrolment.serial(), 1);
        assert_eq!(enrolment.renew_at(), Some(now + Duration::from_mins(5)));
    }
}
