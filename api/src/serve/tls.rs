//! The https sides of the listeners: acceptors with the certificates of the database. They follow a change in the
//! database. The https certificate is renewed a month before it expires, unless it is a company's own. The panel has a
//! certificate of its own or, without one, that of the API. Sends the chain. Clients show no certificate: they have a
//! token.

use super::error::ServeError;
use crate::change::{Act, Order};
use crate::db::{self, Db};
use crate::error_text::on_one_line;
use crate::pki::ca::{Ca, HTTPS_DAYS, Issued, hosts_of};
use crate::pki::{Doing, PkiError};
use crate::store::certificates::{self, Usage};
use common::text::clock::{self, DAY};
use common::text::escape::escape;
use common::x509::issuer::is_issued_by;
use common::x509::times::unix_time_of;
use openssl::pkey::PKey;
use openssl::ssl::{SslAcceptor, SslMethod, SslOptions, SslVersion};
use openssl::x509::X509;
use tokio::sync::watch;

/// It is renewed when it is valid for less than this time.
const RENEW: i64 = 30 * DAY;

/// The https side of a listener.
#[derive(Clone)]
pub(crate) struct Side {
    pub(crate) acceptor: SslAcceptor,
    /// Whether it has the panel's own certificate.
    pub(crate) is_panels_own: bool,
}

/// The https sides of new connections.
pub(super) struct Tls {
    api: watch::Sender<Side>,
    panel: watch::Sender<Side>,
    /// The https certificate.
    https: Shown,
    /// The panel's own certificate, if it has one.
    of_panel: Option<Shown>,
    /// Our own CA has issued the https certificate, so that it can be renewed here.
    is_ours: bool,
    /// The generation at which they were read.
    generation: u64,
}

/// A certificate that is shown.
struct Shown {
    /// With its chain, PEM.
    pem: String,
    /// Its end, seconds since 1970-01-01 UTC.
    until: i64,
    /// The operator was told that it expires soon.
    is_told: bool,
}

impl Shown {
    /// Whether its end is near and was not reported.
    fn untold(&self) -> Option<i64> {
        (!self.is_told && self.until - clock::now() < RENEW).then_some(self.until)
    }
}

impl Tls {
    /// Reads the certificate from the database; renews it first if it is time.
    pub(super) async fn load(db: &Db) -> Result<Self, ServeError> {
        let mut snapshot = db.snapshot().await?;
        let generation = db::generation(&mut snapshot).await?;
        let https = certificates::need(&mut snapshot, Usage::Https).await?;
        let ca = certificates::need(&mut snapshot, Usage::Ca).await?;
        let of_panel = certificates::get(&mut snapshot, Usage::Panel).await?;
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
        let api = Side { acceptor: acceptor(&certificate, &key, issuers)?, is_panels_own: false };
        let (panel, of_panel) = of_panel.and_then(read_panels).unzip();
        let panel = panel.unwrap_or_else(|| api.clone());
        let (api, panel) = (watch::Sender::new(api), watch::Sender::new(panel));
        let https = Shown { pem: https.certificate, until, is_told: false };
        Ok(Self { api, panel, https, of_panel, is_ours, generation })
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

    /// Uses changed certificates.
    pub(super) async fn refresh(&mut self, db: &Db, generation: u64) -> Result<(), ServeError> {
        if self.generation == generation && (!self.is_ours || self.https.until - clock::now() >= RENEW) {
            return Ok(());
        }
        let mut fresh = Self::load(db).await?;
        let (api, panel) = (self.api.clone(), self.panel.clone());
        api.send_replace(fresh.api.borrow().clone());
        panel.send_replace(fresh.panel.borrow().clone());
        if fresh.https.pem == self.https.pem {
            fresh.https.is_told = self.https.is_told;
        } else {
            log::info!("https_certificate_changed valid_until={}", clock::rfc3339(fresh.https.until));
        }
        match (&self.of_panel, &mut fresh.of_panel) {
            (Some(old), Some(new)) if old.pem == new.pem => new.is_told = old.is_told,
            (_, Some(new)) => {
                log::info!("panel_certificate_changed valid_until={}", clock::rfc3339(new.until));
            }
            (Some(_), None) => log::info!("panel_certificate_removed"),
            (None, None) => {}
        }
        *self = Self { api, panel, ..fresh };
        Ok(())
    }

    /// The ends of the certificates that are not renewed here, if they are near and were not reported.
    pub(super) fn untold_expiries(&self) -> Vec<(Usage, i64)> {
        let https = Some(&self.https).filter(|_| !self.is_ours);
        let both = [(Usage::Https, https), (Usage::Panel, self.of_panel.as_ref())];
        both.into_iter().filter_map(|(usage, shown)| Some((usage, shown?.untold()?))).collect()
    }

    /// The end of a certificate was reported: it is not reported again.
    pub(super) fn expiry_is_told(&mut self, usage: Usage) {
        let shown = if usage == Usage::Panel { self.of_panel.as_mut() } else { Some(&mut self.https) };
        if let Some(shown) = shown {
            shown.is_told = true;
        }
    }

    /// The side in force, for the listener of the API.
    pub(super) fn subscribe(&self) -> watch::Receiver<Side> {
        self.api.subscribe()
    }

    /// The side in force, for the listener of the panel.
    pub(super) fn subscribe_panel(&self) -> watch::Receiver<Side> {
        self.panel.subscribe()
    }
}

/// The side with the panel's own certificate. If it cannot be used, the panel goes on with that of the API: the daemons
/// must not suffer.
fn read_panels(issued: Issued) -> Option<(Side, Shown)> {
    let doing = "reading the certificate of the panel";
    let read = || {
        let mut chain = X509::stack_from_pem(issued.certificate.as_bytes()).doing(doing)?.into_iter();
        let certificate = chain.next().ok_or(PkiError::KeyMismatch)?;
        let until = unix_time_of(certificate.not_after()).doing(doing)?;
        let key = PKey::private_key_from_pem(issued.key.expose().as_bytes()).doing(doing)?;
        Ok::<_, PkiError>((acceptor(&certificate, &key, chain.collect())?, until))
    };
    match read() {
        Ok((acceptor, until)) => Some((
            Side { acceptor, is_panels_own: true },
            Shown { pem: issued.certificate, until, is_told: false },
        )),
        Err(why) => {
            log::error!("panel_certificate_unusable cause={}", escape(&on_one_line(&why)));
            None
        }
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
            assert_ne!(tls.https.pem, old.certificate);
            assert!(tls.generation > generation);
            assert!(tls.https.until > clock::now() + (HTTPS_DAYS - 1) * DAY);
            let renewed = X509::from_pem(tls.https.pem.as_bytes()).unwrap();
            assert_eq!(hosts_of(&renewed), hosts);
            // There is enough time left, so nothing changes any more.
            let (shown, generation) = (tls.https.pem.clone(), tls.generation);
            tls.refresh(&db, generation).await.unwrap();
            assert_eq!(tls.https.pem, shown);
        });
    }
}
