//! Everything that an operator can change, as objects with a name and a value in JSON, for the audit and to find the
//! effect of a change. Secrets are in it only as fingerprints. Reports of daemons are not part of it.

use crate::db::DbError;
use crate::pki::ca::Issued;
use crate::settings::{self, TOKEN};
use crate::store::certificates::{self, Usage};
use crate::store::client_address::ClientAddress;
use crate::store::proxies::ProxyClient;
use crate::store::{
    api_keys, bans, configuration, crl_urls, crls, ignores, old_tokens, partners, proxies, setup_links, users,
};
use common::config::Trusted;
use common::net::Network;
use common::secret::Secret;
use common::text::hex;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sqlx::AnyConnection;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Objects by name: the kind, which is the word of its commands, a blank, and the name among its kind.
pub(crate) type State = BTreeMap<String, Value>;

/// A client's listener as it is in the audit.
#[derive(Serialize, Deserialize)]
pub(super) struct Listener {
    pub(super) address: ClientAddress,
    pub(super) partner: Option<String>,
    listen_ip: Option<IpAddr>,
    listen_port: u16,
    networks: Vec<String>,
    name: String,
}

impl From<ProxyClient> for Listener {
    fn from(client: ProxyClient) -> Self {
        let ProxyClient { address, partner, listen_ip, listen_port, networks, name } = client;
        let networks = networks.iter().map(Network::to_string).collect();
        Self { address, partner, listen_ip, listen_port, networks, name }
    }
}

impl TryFrom<Listener> for ProxyClient {
    type Error = DbError;

    fn try_from(listener: Listener) -> Result<Self, DbError> {
        let Listener { address, partner, listen_ip, listen_port, networks, name } = listener;
        let networks = networks.iter().map(|text| text.parse()).collect::<Result<_, _>>();
        let networks = networks.map_err(|_| DbError::Corrupt("network in the audit".into()))?;
        Ok(Self { address, partner, listen_ip, listen_port, networks, name })
    }
}

/// Reads all objects.
pub(crate) async fn read(connection: &mut AnyConnection) -> Result<State, DbError> {
    let mut state = State::new();
    read_settings(connection, &mut state).await?;
    read_certificates(connection, &mut state).await?;
    for partner in readable(partners::all(connection).await, &mut state)? {
        state.insert(format!("partner {}", partner.short_name), value(&partner)?);
    }
    for proxy in readable(proxies::all(connection).await, &mut state)? {
        let mut facts = json!({"name": proxy.name, "added": proxy.added});
        // Without any, the value is the one that earlier rows of the audit have.
        if !proxy.settings.rows().is_empty() {
            facts["settings"] = json!(proxy.settings.rows());
        }
        state.insert(format!("proxy {}", proxy.id), facts);
    }
    for listener in readable(proxies::clients(connection).await, &mut state)? {
        let name = listener_name(&listener.address, listener.partner.as_deref());
        state.insert(format!("proxyclient {name}"), value(&Listener::from(listener))?);
    }
    for ban in bans::all(connection).await? {
        state.insert(format!("ban {}", ban.network), value(&ban)?);
    }
    for ignore in ignores::all(connection).await? {
        state.insert(format!("ignore {}", ignore.id), value(&ignore)?);
    }
    read_users(connection, &mut state).await?;
    for key in readable(api_keys::all(connection).await, &mut state)? {
        let facts = json!({"role": key.role, "scopes": key.scopes, "networks": key.network_texts(),
                           "valid_until": key.until, "added": key.created, "added_by": key.created_by,
                           "fingerprint": format!("sha256:{}", key.hash)});
        state.insert(format!("key {}", key.name), facts);
    }
    Ok(state)
}

/// The readable objects. Rows that os4xapi never writes are named, so that they can still be removed.
fn readable<T>(found: Result<Vec<T>, DbError>, state: &mut State) -> Result<Vec<T>, DbError> {
    match found {
        Err(DbError::Corrupt(what)) => {
            state.insert(format!("unreadable {what}"), json!(true));
            Ok(Vec::new())
        }
        other => other,
    }
}

/// The certificate for a usage and its key, if it can be read.
async fn certificate(
    connection: &mut AnyConnection,
    usage: Usage,
    state: &mut State,
) -> Result<Option<Issued>, DbError> {
    let found = certificates::get(connection, usage).await.map(|issued| issued.into_iter().collect());
    Ok(readable(found, state)?.pop())
}

/// The name of a client's listener: a tied one has the partner's short name in it.
pub(crate) fn listener_name(address: &ClientAddress, partner: Option<&str>) -> String {
    match partner {
        Some(partner) => format!("{address} {partner}"),
        None => address.to_string(),
    }
}

/// The users of the panel. A password may have few random bits: only the time when it was set is shown.
async fn read_users(connection: &mut AnyConnection, state: &mut State) -> Result<(), DbError> {
    let link = |link: setup_links::Listed| {
        let facts = json!({"fingerprint": format!("sha256:{}", link.hash), "valid_until": link.until});
        (link.user, facts)
    };
    let links: BTreeMap<String, Value> = setup_links::all(connection).await?.into_iter().map(link).collect();
    for user in readable(users::all(connection).await, state)? {
        let facts = json!({"role": user.role, "enabled": user.enabled, "added": user.created,
                           "set_up": user.proof.map(|proof| proof.set), "link": links.get(&user.name)});
        state.insert(format!("user {}", user.name), facts);
    }
    Ok(())
}

/// The settings that were set, and the token.
async fn read_settings(connection: &mut AnyConnection, state: &mut State) -> Result<(), DbError> {
    let ca = certificate(connection, Usage::Ca, state).await?;
    let keyed = |secret: &str| keyed(ca.as_ref().map(|ca| &ca.key), secret);
    for (name, text) in configuration::rows(connection).await? {
        if name == TOKEN {
            let old = old_tokens::all(connection).await?.into_iter();
            let old: Vec<Value> = old
                .map(|(hash, until)| json!({"fingerprint": format!("sha256:{hash}"), "valid_until": until}))
                .collect();
            state.insert("token".to_owned(), json!({"fingerprint": fingerprint(&text), "old": old}));
            continue;
        }
        let shown = settings::find(&name).map(|setting| setting.shown(&text));
        let facts = match shown {
            Ok(shown) if shown == text => json!(text),
            // A password may be short, and could be guessed from its plain hash.
            Ok(shown) => {
                json!({"value": shown, "fingerprint": keyed(&text)})
            }
            // A setting of a newer os4xapi: it may be a secret.
            Err(_) => json!({"fingerprint": keyed(&text)}),
        };
        state.insert(format!("config {name}"), facts);
    }
    Ok(())
}

/// Our certificates, the trusted ones and the CRLs.
async fn read_certificates(connection: &mut AnyConnection, state: &mut State) -> Result<(), DbError> {
    for usage in Usage::ALL {
        if let Some(issued) = certificate(connection, usage, state).await? {
            let mut facts = json!({"pem": issued.certificate, "key": fingerprint(issued.key.expose())});
            if usage == Usage::Next {
                facts["from"] = json!(certificates::next(connection).await?.map(|(_, from)| from));
            }
            state.insert(format!("cert {}", usage.word()), facts);
        }
    }
    for Trusted { certificate, no_crl } in certificates::trusted(connection).await? {
        let facts = json!({"pem": certificate.pem, "no_crl": no_crl});
        state.insert(format!("trust {}", certificate.name), facts);
    }
    for crl in crls::heads(connection).await? {
        let facts = json!({"last_update": crl.last_update, "next_update": crl.next_update,
                           "source": crl.source});
        state.insert(format!("crl {} {}", crl.name, crl.issuer_key), facts);
    }
    for url in crl_urls::all(connection).await? {
        state.insert(format!("crl {url}"), json!({"url": url}));
    }
    Ok(())
}

fn value<T: Serialize>(row: &T) -> Result<Value, DbError> {
    serde_json::to_value(row).map_err(|_| DbError::Corrupt("row that is no JSON".into()))
}

/// The fingerprint of a secret of many random bits.
fn fingerprint(secret: &str) -> String {
    format!("sha256:{}", hex::encode(&openssl::sha::sha256(secret.as_bytes())))
}

/// The fingerprint of any other secret: only somebody who has the CA's key can try others against it.
fn keyed(key: Option<&Secret>, secret: &str) -> String {
    let sign = |key: &Secret| {
        let key = PKey::hmac(key.expose().as_bytes())?;
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(secret.as_bytes())
    };
    match key.map(sign) {
        Some(Ok(mac)) => format!("hmac-sha256:{}", hex::encode(&mac)),
        _ => "unknown".to_owned(),
    }
}
