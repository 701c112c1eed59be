//! The security token of the clients: how it is generated, composed and changed. Nothing here shows it to a user.

use super::{Act, ChangeError};
use crate::pki::facts::Facts;
use crate::pki::{Doing, PkiError};
use crate::store::certificates::{self, Usage};
use crate::store::{configuration, journal, old_tokens};
use common::secret::Secret;
use common::text::{clock, hex};
use common::x509::issuer::is_issued_by;
use openssl::x509::X509;
use sqlx::AnyConnection;

/// A new token.
pub(crate) struct Rotated {
    /// The token as clients expect it.
    pub(crate) text: String,
    /// The clients that have called within the last day. They need the new token.
    pub(crate) callers: Vec<String>,
    /// The time until which the old token works.
    pub(crate) until: i64,
}

/// The secret half of a token: 256 random bits in hex.
pub(crate) fn new_secret() -> Result<Secret, PkiError> {
    let mut octets = [0; 32];
    openssl::rand::rand_priv_bytes(&mut octets).doing("drawing random numbers")?;
    Ok(Secret::new(hex::encode(&octets)))
}

/// The whole token, as clients expect it. It includes the hash of the CA by which the clients recognise this API,
/// unless another CA has issued the https certificate.
pub(crate) async fn text(connection: &mut AnyConnection) -> Result<String, ChangeError> {
    let token = configuration::token(connection).await?;
    let ca = certificates::need(connection, Usage::Ca).await?.certificate;
    let https = certificates::need(connection, Usage::Https).await?.certificate;
    let doing = "reading the https certificate and its CA";
    let read = |pem: &str| X509::from_pem(pem.as_bytes()).doing(doing);
    let hash = if is_issued_by(&*read(&https)?, &*read(&ca)?) {
        format!(".{}", Facts::of_pem(&ca)?.fingerprint)
    } else {
        String::new()
    };
    Ok(format!("{}{hash}\n", token.expose()))
}

/// Replaces the token with a new one. The old one still works for `overlap` seconds.
pub(crate) async fn rotate(act: &mut Act, overlap: i64) -> Result<Rotated, ChangeError> {
    let old = configuration::token(act).await?;
    let until = clock::now() + overlap;
    old_tokens::add(act, old.expose(), until).await?;
    configuration::set_token(act, &new_secret()?).await?;
    let callers = journal::callers(act, clock::now() - clock::DAY).await?;
    Ok(Rotated { text: text(act).await?, callers, until })
}
