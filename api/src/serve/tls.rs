//! The https side of the service: the acceptor with the certificate of the database. It follows a change in the
//! database, and renews the certificate a month before it expires, unless it is a company's own. Sends the chain.
//! Clients show no certificate: they have a token.

use super::error::ServeError;
use crate::change::{Act, Order};
use crate::db::{self, Db};
use crate::pki::ca::{Ca, HTTPS_DAYS, hosts_of};
use crate::pki::{Doing, PkiError};
use crate::store::certificates::{self, Usage};
use common::text::clock::{self, DAY};
use common::x509::issuer::is_issued_by;
use common::x509::times::unix_time_of;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslOptions, SslVersion};
use openssl::x509::X509;
use tokio::sync::watch;

/// It is renewed when it is valid for less than this time.
const RENEW: i64 = 30 * DAY;

/// The https side of new connections.
pub(super) struct Tls {
    in_force: watch::Sender<SslAcceptor>,
    /// The certificate shown, PEM.
    shown: String,
    /// Its end, seconds since 1970-01-01 UTC.
    until: i64,
    /// Our own CA has issued it, so that it can be renewed here.
    is_ours: bool,
    /// The operator was told that it expires soon.
    is_told: bool,
    /// The generation at which it was read.
    generation: u64,
}

impl Tls {
    /// Reads the certificate from the database; renews it first if it is time.
    pub(super) async fn load(db: &Db) -> Result<Self, ServeError> {
        let mut snapshot = db.snapshot().await?;
        let generation = db::generation(&mut snapshot).await?;
        let https = certificates::need(&mut snapshot, Usage::Https).await?;
        let ca = certificates::need(&mut snapshot, Usage::Ca).await?;
        drop(snapshot);
        let doing = "reading the https certificate";
        let mut chain = X509::stack_from_pem(https.certificate.as_bytes()).doing(doing)?.into_iter();
        let certificate = chain.next().ok_or(PkiError::KeyMismatch)?;
        let ca = X509::from_pem(ca.certificate.as_bytes()).doing("reading the CA's certificate")?;
        let is_ours = is_issued_by(&certificate, &ca);
        let until = unix_time_of(certificate.not_after()).doing(doing)?;
        if is_ours && until - clock::now() < RENEW {
            return Box::pin(Self::renew(db, &certificate)).await;
        }
        let key = PKey::private_key_from_pem(https.key.expose().as_bytes()).doing("reading the https key")?;
        // Our CA is sent, too: a client that pins it by its hash finds it in the chain.
        let issuers = if is_ours { vec![ca] } else { chain.collect() };
        let in_force = watch::Sender::new(acceptor(&certificate, &key, issuers)?);
        Ok(Self { in_force, shown: https.certificate, until, is_ours, is_told: false, generation })
    }

    async fn renew(db: &Db, old: &X509) -> Result<Self, ServeError> {
        let mut change = Act::begin(db, Order::system("cert https")).await?;
        // Another `serve` on the same database may have been faster.
        let found = certificates::need(&mut change, Usage::Https).await?;
        let found = X509::from_pem(found.certificate.as_bytes()).doing("reading the https certificate")?;
        if found != *old {
            drop(change);
            return Self::load(db).await;
        }
        let ca = certificates::need(&mut change, Usage::Ca).await?;
        let issued = Ca::from_pem(&ca.certificate, &ca.key)?.https(&hosts_of(old), HTTPS_DAYS)?;
        certificates::put(&mut change, Usage::Https, &issued).await?;
        change.commit().await?;
        log::info!("https_certificate_renewed");
        Self::load(db).await
    }

    /// Uses a changed certificate.
    pub(super) async fn refresh(&mut self, db: &Db, generation: u64) -> Result<(), ServeError> {
        if self.generation == generation && (!self.is_ours || self.until - clock::now() >= RENEW) {
            return Ok(());
        }
        let mut fresh = Self::load(db).await?;
        let in_force = self.in_force.clone();
        in_force.send_replace(fresh.in_force.borrow().clone());
        if fresh.shown == self.shown {
            fresh.is_told = self.is_told;
        } else {
            log::info!("https_certificate_changed valid_until={}", clock::rfc3339(fresh.until));
        }
        *self = Self { in_force, ..fresh };
        Ok(())
    }

    /// The end of a certificate that is not renewed here, if it is near and was not reported.
    pub(super) fn untold_expiry(&self) -> Option<i64> {
        let is_news = !self.is_ours && !self.is_told && self.until - clock::now() < RENEW;
        is_news.then_some(self.until)
    }

    /// Its end was reported: it is not reported again.
    pub(super) fn expiry_is_told(&mut self) {
        self.is_told = true;
    }

    /// The acceptor in force, for listeners.
    pub(super) fn subscribe(&self) -> watch::Receiver<SslAcceptor> {
        self.in_force.subscribe()
    }
}

fn acceptor(
    certificate: &X509,
    key: &PKey<openssl::pkey::Private>,
    issuers: Vec<X509>,
) -> Result<SslAcceptor, PkiError> {
    let doing = "setting up https";
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).doing(doing)?;
    builder.set_min_proto_version(Some(SslVersion::TLS1_2)).doing(doing)?;
    builder.set_options(SslOptions::NO_RENEGOTIATION);
    builder.set_certificate(certificate).doing(doing)?;
    builder.set_private_key(key).doing(doing)?;
    for issuer in issuers {
        builder.add_extra_chain_cert(issuer).doing(doing)?;
    }
    builder.check_private_key().doing(doing)?;
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    use super::{RENEW, Tls};
    use crate::db::scratch::{Scratch, run};
    use crate::pki::ca::{Ca, HTTPS_DAYS, hosts_of};
    use crate::store::certificates::{self, Usage};
    use common::text::clock::{self, DAY};
    use openssl::x509::X509;

    #[test]
    fn a_certificate_that_expires_soon_is_renewed_for_the_same_hosts() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let ca = Ca::create().unwrap();
            let hosts = ["api.example".to_owned(), "192.0.2.1".to_owned()];
            let old = ca.https(&hosts, RENEW / DAY - 1).unwrap();
            let mut change = db.change().await.unwrap();
            certificates::put(&mut change, Usage::Ca, &ca.to_issued().unwrap()).await.unwrap();
            certificates::put(&mut change, Usage::Https, &old).await.unwrap();
            let generation = change.commit().await.unwrap();
            let mut tls = Tls::load(&db).await.unwrap();
            assert_ne!(tls.shown, old.certificate);
            assert!(tls.generation > generation);
            assert!(tls.until > clock::now() + (HTTPS_DAYS - 1) * DAY);
            let renewed = X509::from_pem(tls.shown.as_bytes()).unwrap();
            assert_eq!(hosts_of(&renewed), hosts);
            // There is enough time left, so nothing changes any more.
            let (shown, generation) = (tls.shown.clone(), tls.generation);
            tls.refresh(&db, generation).await.unwrap();
            assert_eq!(tls.shown, shown);
        });
    }
}
