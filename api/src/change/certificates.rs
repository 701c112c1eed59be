//! Our own certificates: a chain and its key from an operator, the request for the next certificate, and the renewal of
//! the https certificate.

use super::{Act, ChangeError, Need};
use crate::pki::ca::{Ca, HTTPS_DAYS, Issued, hosts_of, is_name_of};
use crate::pki::chain::Chain;
use crate::pki::request::{self, Algorithm};
use crate::pki::{Doing, PkiError, facts};
use crate::store::certificates::{self, Usage};
use crate::store::configuration;
use common::process::options::host_and_port;
use common::secret::Secret;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Name};

/// Which of our certificates an operator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// The one towards partners, used at once.
    Own,
    /// The next one towards partners, used from this time on.
    Next(i64),
    /// The one of https, used at once.
    Https,
    /// The one of the panel, used at once.
    Panel,
}

impl Slot {
    /// The usage of its row.
    pub(crate) fn usage(self) -> Usage {
        match self {
            Self::Own => Usage::Own,
            Self::Next(_) => Usage::Next,
            Self::Https => Usage::Https,
            Self::Panel => Usage::Panel,
        }
    }

    /// The time at which the chain has to be valid; none: now.
    fn time(self) -> Option<i64> {
        match self {
            Self::Next(from) => Some(from),
            Self::Own | Self::Https | Self::Panel => None,
        }
    }
}

/// A certificate with its issuers, and its key, as an operator has uploaded them or given them to a command.
#[derive(Clone)]
pub(crate) struct Given {
    /// The name of the file that contains the chain.
    pub(crate) file: String,
    pub(crate) certificates: Vec<X509>,
    pub(crate) key: Option<(PKey<Private>, Secret)>,
}

/// A chain that was checked and can be stored.
pub(crate) struct Ready {
    slot: Slot,
    pub(crate) issued: Issued,
    pub(crate) chain: Chain,
    /// Warnings about the chain.
    pub(crate) warnings: Vec<String>,
}

impl Given {
    /// Checks the chain, which is to be used as this one of our certificates. If the operator gave no key, the key of
    /// the request is used.
    pub(crate) async fn ready(self, act: &mut Act, slot: Slot) -> Result<Ready, ChangeError> {
        let from = slot.time();
        let (chain, key) = match self.key {
            Some((key, pem)) => (Chain::of(self.certificates, &key, from)?, pem),
            None => requested(act, &self.file, self.certificates, from).await?,
        };
        let weaknesses = chain.certificates.first().map(facts::weaknesses).transpose()?.unwrap_or_default();
        let mut warnings: Vec<String> = chain.warnings.iter().cloned().chain(weaknesses).collect();
        if slot == Slot::Panel {
            warnings.extend(foreign_panel(act, &chain).await?);
        }
        Ok(Ready { slot, issued: Issued { certificate: chain.pem()?, key }, chain, warnings })
    }
}

impl Ready {
    /// Stores the chain and its key.
    pub(crate) async fn put(&self, act: &mut Act) -> Result<(), ChangeError> {
        match self.slot {
            Slot::Next(from) => certificates::put_next(act, &self.issued, from).await?,
            Slot::Own | Slot::Https | Slot::Panel => {
                certificates::put(act, self.slot.usage(), &self.issued).await?;
            }
        }
        Ok(())
    }
}

/// The warning about a certificate of the panel that does not name its host.
async fn foreign_panel(act: &mut Act, chain: &Chain) -> Result<Option<String>, ChangeError> {
    let values = configuration::values(act).await?;
    let url = values.text("panel_url");
    let names = chain.certificates.first().map(hosts_of).unwrap_or_default();
    let (_, authority) = url.split_once("://").unwrap_or_default();
    let host = host_and_port(authority).map_or(authority, |(host, _)| host);
    let is_named = names.iter().any(|name| is_name_of(name, host));
    Ok((!is_named).then(|| {
        format!(
            "the certificate does not name {host}, the host of panel_url, so browsers warn of it there. It names: {}.",
            if names.is_empty() { "no host".to_owned() } else { names.join(", ") }
        )
    }))
}

/// Removes the panel's own certificate, so that the panel has that of https again; false if there is none.
pub(crate) async fn unset_panel(act: &mut Act) -> Result<bool, ChangeError> {
    Ok(certificates::remove(act, Usage::Panel).await?)
}

/// The chain for the key of the request, and that key. The chain answers the request, so the request is removed.
async fn requested(
    act: &mut Act,
    file: &str,
    certificates: Vec<X509>,
    from: Option<i64>,
) -> Result<(Chain, Secret), ChangeError> {
    let Some(request) = certificates::get(act, Usage::Request).await? else {
        return Err(Need::Key { file: file.to_owned() }.into());
    };
    let key = PKey::private_key_from_pem(request.key.expose().as_bytes());
    let key = key.doing("reading the key of the request for a certificate")?;
    let chain = match Chain::of(certificates, &key, from) {
        Err(PkiError::KeyMismatch) => return Err(Need::KeyOfOther { file: file.to_owned() }.into()),
        other => other?,
    };
    certificates::remove(act, Usage::Request).await?;
    Ok((chain, request.key))
}

/// Makes a key and a request for a certificate. Without a subject or without hosts, takes those of the present
/// certificate. Replaces an older request only if `replaces` is true.
pub(crate) async fn request(
    act: &mut Act,
    subject: Option<X509Name>,
    mut hosts: Vec<String>,
    algorithm: Algorithm,
    replaces: bool,
) -> Result<Issued, ChangeError> {
    let present = certificates::get(act, Usage::Own).await?;
    let present = present.and_then(|own| X509::from_pem(own.certificate.as_bytes()).ok());
    if hosts.is_empty() {
        hosts = present.as_ref().map(hosts_of).unwrap_or_default();
    }
    let subject = match (subject, present) {
        (Some(subject), _) => subject,
        (None, Some(own)) => own.subject_name().to_owned().doing("reading the subject of our certificate")?,
        (None, None) => return Err(Need::Subject.into()),
    };
    if let Some(there) = certificates::get(act, Usage::Request).await?
        && !replaces
    {
        return Err(Need::Replacement { subject: request::subject(&there.certificate)? }.into());
    }
    let made = request::create(&subject, &hosts, algorithm)?;
    certificates::put(act, Usage::Request, &made).await?;
    Ok(made)
}

/// Issues a new https certificate from our own CA; gives its hosts. If `hosts` is empty, takes those of the old
/// certificate.
pub(crate) async fn renew_https(act: &mut Act, mut hosts: Vec<String>) -> Result<Vec<String>, ChangeError> {
    if hosts.is_empty() {
        let old = certificates::need(act, Usage::Https).await?;
        let old = X509::from_pem(old.certificate.as_bytes());
        hosts = old.map(|certificate| hosts_of(&certificate)).unwrap_or_default();
    }
    let ca = certificates::need(act, Usage::Ca).await?;
    let issued = Ca::from_pem(&ca.certificate, &ca.key)?.https(&hosts, HTTPS_DAYS)?;
    certificates::put(act, Usage::Https, &issued).await?;
    Ok(hosts)
}
