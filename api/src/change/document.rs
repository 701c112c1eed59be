//! A site's settings and tables as one document in JSON, and back: the objects of the state that a document can have.
//! Keys are in it only with a passphrase; tokens, passwords and downloaded CRLs never.

use super::put::{put, refused};
use super::state::{self, State};
use super::{Act, ChangeError, Need};
use crate::db::DbError;
use crate::pki::ca::Issued;
use crate::store::certificates::{self, Usage};
use crate::store::{configuration, crls};
use common::secret::Secret;
use common::text::clock;
use openssl::pkey::PKey;
use openssl::symm::Cipher;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::AnyConnection;

/// The format that this program reads and writes.
const FORMAT: u32 = 1;
/// Fewest characters of a passphrase for keys.
pub(crate) const SHORTEST: usize = 12;
/// The kinds of objects in a document, or left out of it; `cert` has its own rules.
const KINDS: [&str; 8] = ["ban", "config", "crl", "ignore", "partner", "proxy", "proxyclient", "trust"];

/// Our certificates that are exported with their keys.
const CERTIFICATES: [Usage; 4] = [Usage::Own, Usage::Ca, Usage::Https, Usage::Panel];

/// A site as a document.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Document {
    format: u32,
    /// The author, for people.
    #[serde(default)]
    made_by: String,
    /// The time, seconds since 1970-01-01 UTC.
    #[serde(default)]
    time: i64,
    /// The objects by name.
    pub(crate) objects: State,
}

impl Document {
    /// A document with only these objects.
    pub(crate) fn of(objects: State) -> Self {
        let made_by = format!("os4xapi {}", env!("CARGO_PKG_VERSION"));
        Self { format: FORMAT, made_by, time: clock::now(), objects }
    }

    /// The document as it is written.
    pub(crate) fn text(&self) -> Result<String, DbError> {
        let text = serde_json::to_string_pretty(self);
        Ok(format!("{}\n", text.map_err(|_| DbError::Corrupt("object that is no JSON".into()))?))
    }

    /// Parses a document.
    pub(crate) fn parse(text: &str) -> Result<Self, ChangeError> {
        let document: Self = serde_json::from_str(text).map_err(|why| {
            ChangeError::Refused(format!("that is not a document of 'os4xapi export': {why}"))
        })?;
        if document.format != FORMAT {
            return Err(ChangeError::Refused(format!(
                "the document has format {}, this os4xapi knows format {FORMAT}: use the os4xapi that wrote it, or a \
                 newer one",
                document.format
            )));
        }
        Ok(document)
    }
}

/// The whole site; with a passphrase also its keys. Also gives the names of what it leaves out.
pub(crate) async fn export(
    connection: &mut AnyConnection,
    passphrase: Option<&Secret>,
) -> Result<(Document, Vec<String>), DbError> {
    let (mut objects, mut left_out) = (State::new(), Vec::new());
    for (name, value) in state::read(connection).await? {
        let (kind, _) = name.split_once(' ').unwrap_or((&name, ""));
        match kind {
            "config" if !value.is_string() => left_out.push(name),
            // Downloaded CRLs come again by themselves; the others are added below.
            "crl" if !value["url"].is_string() => {}
            _ if KINDS.contains(&kind) => drop(objects.insert(name, value)),
            _ => left_out.push(name),
        }
    }
    for crl in crls::all(connection).await?.into_iter().filter(|crl| crl.source.is_none()) {
        objects.insert(format!("crl {} {}", crl.name, crl.issuer_key), json!({"pem": crl.pem}));
    }
    if let Some(passphrase) = passphrase {
        for usage in CERTIFICATES {
            let Some(issued) = certificates::get(connection, usage).await? else { continue };
            let name = format!("cert {}", usage.word());
            let key = encrypted(&issued.key, passphrase);
            let key = key.ok_or_else(|| DbError::Corrupt(format!("key of '{name}'")))?;
            left_out.retain(|other| *other != name);
            objects.insert(name, json!({"pem": issued.certificate, "key": key}));
        }
    }
    Ok((Document::of(objects), left_out))
}

/// A key (PKCS#8 in PEM), encrypted with a passphrase.
fn encrypted(key: &Secret, passphrase: &Secret) -> Option<String> {
    let key = PKey::private_key_from_pem(key.expose().as_bytes()).ok()?;
    let word = passphrase.expose().as_bytes();
    String::from_utf8(key.private_key_to_pem_pkcs8_passphrase(Cipher::aes_256_cbc(), word).ok()?).ok()
}

/// Gives the objects of a document their values; with `replaces`, removes objects that it does not have.
pub(crate) async fn import(
    act: &mut Act,
    objects: &State,
    replaces: bool,
    passphrase: Option<&Secret>,
) -> Result<(), ChangeError> {
    let before = act.before().clone();
    let now = |name: &String| before.get(name).unwrap_or(&Value::Null).clone();
    if replaces {
        for (name, value) in before.iter().filter(|(name, _)| !objects.contains_key(*name)) {
            let (kind, _) = name.split_once(' ').unwrap_or((name, ""));
            let is_downloaded = kind == "crl" && value["source"].is_string();
            // A password, which the document cannot have, stays.
            let is_secret = kind == "config" && !value.is_string();
            if KINDS.contains(&kind) && !is_downloaded && !is_secret {
                put(act, name, &Value::Null, value).await?;
            }
        }
    }
    for (name, value) in objects.iter().filter(|(name, value)| now(name) != **value) {
        match name.strip_prefix("cert ") {
            Some(usage) => put_certificate(act, usage, value, passphrase).await?,
            None if value.is_null() => return Err(refused(name, "there is none")),
            None => put(act, name, value, &now(name)).await?,
        }
    }
    configuration::values(act).await?.check_order()?;
    Ok(())
}

/// A certificate of ours with its key.
async fn put_certificate(
    act: &mut Act,
    word: &str,
    value: &Value,
    passphrase: Option<&Secret>,
) -> Result<(), ChangeError> {
    let object = format!("cert {word}");
    let usage = Usage::of_word(word).filter(|usage| CERTIFICATES.contains(usage));
    let usage = usage.ok_or_else(|| refused(&object, "there is no such certificate"))?;
    let Some(passphrase) = passphrase else {
        return Err(Need::Passphrase { object }.into());
    };
    let text = |member: &str| value[member].as_str().unwrap_or_default();
    let word = passphrase.expose().as_bytes();
    let key = PKey::private_key_from_pem_passphrase(text("key").as_bytes(), word)
        .map_err(|_| refused(&object, "the passphrase does not open its key"))?;
    let leaf = X509::from_pem(text("pem").as_bytes()).and_then(|leaf| leaf.public_key());
    if !leaf.is_ok_and(|public| public.public_eq(&key)) {
        return Err(refused(&object, "its key does not belong to its certificate"));
    }
    let plain = key.private_key_to_pem_pkcs8().ok().and_then(|pem| String::from_utf8(pem).ok());
    let plain = Secret::new(plain.ok_or_else(|| refused(&object, "its key cannot be written"))?);
    let issued = Issued { certificate: text("pem").to_owned(), key: plain };
    certificates::put(act, usage, &issued).await?;
    Ok(())
}
