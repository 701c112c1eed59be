//! Changes settings: checks each value against the table of settings, and all of them together. Problems that the
//! value alone does not show are reported as warnings.

use super::{Act, ChangeError};
use crate::db::DbError;
use crate::settings::{Setting, SettingError};
use crate::store::proxies::Proxy;
use crate::store::{configuration, proxies};
use sqlx::AnyConnection;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// A setting, and a value in its normal spelling.
pub(crate) type Checked = (&'static Setting, String);

/// Each text in the normal spelling of its setting, or an error for each text that is invalid.
pub(crate) fn check(given: &[(&'static Setting, &str)]) -> Result<Vec<Checked>, Vec<SettingError>> {
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for (setting, text) in given {
        match setting.check(text) {
            Ok(value) => good.push((*setting, value)),
            Err(why) => bad.push(why),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// Gives settings these values.
pub(crate) async fn put(act: &mut Act, checked: &[Checked]) -> Result<(), ChangeError> {
    for (setting, value) in checked {
        configuration::set(act, setting.name, value).await?;
    }
    configuration::values(act).await?.check_order()?;
    Ok(())
}

/// A warning about a value that is valid but may not work as intended.
pub(crate) async fn warning(
    connection: &mut AnyConnection,
    name: &str,
    value: &str,
) -> Result<Option<String>, DbError> {
    match (name, value.parse()) {
        ("tcp_incoming_ip" | "tcp_outgoing_ip", Ok(address)) => match foreign(connection, address).await? {
            None => without(connection, name, address).await,
            found => Ok(found),
        },
        ("tcp_proxy_protocol_from", _) => Ok(of_balancers(value)),
        _ => Ok(of_file(name, value)),
    }
}

/// A warning about a network that everybody belongs to: whoever may send a PROXY header can claim any address.
fn of_balancers(value: &str) -> Option<String> {
    value.split(',').any(|network| network.ends_with("/0")).then(|| {
        "with /0 whoever reaches the TLS port may claim any address, so that bans, penalties and the partners' \
         networks protect nothing: name the balancers' own addresses, unless a firewall lets nobody else in."
            .to_owned()
    })
}

/// The problem with a file that a setting names, as far as this host can tell.
fn of_file(name: &str, value: &str) -> Option<String> {
    let path = Path::new(value);
    match name {
        "proxy_event_script" if value.starts_with('/') => match path.metadata() {
            Err(cause) => {
                Some(format!("{value} cannot be inspected ({cause}), so events start nothing yet."))
            }
            Ok(found) if !found.is_file() || found.permissions().mode() & 0o111 == 0 => {
                Some(format!("{value} is not an executable file: chmod +x it."))
            }
            Ok(_) => None,
        },
        "api_log_file" => {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())?;
            Some(format!("there is no folder {}: the log goes to standard error.", folder.display()))
        }
        _ => None,
    }
}

/// A warning about an address that only some servers have: the others need one of their own.
async fn without(
    connection: &mut AnyConnection,
    name: &str,
    address: IpAddr,
) -> Result<Option<String>, DbError> {
    let all = proxies::all(connection).await?;
    let lacks = |proxy: &&Proxy| proxy.settings.own(name).is_none() && is_missing(address, &proxy.addresses);
    let lacking: Vec<&str> = all.iter().filter(lacks).map(|proxy| proxy.id.as_str()).collect();
    let outcome = if name == "tcp_outgoing_ip" { "ends" } else { "keeps the configuration that it has" };
    Ok((!lacking.is_empty()).then(|| {
        format!(
            "{} does not have the address {address}, and {outcome}: give it its own one with 'os4xapi proxy set \
             PROXY-ID {name} ADDRESS', or '' for none.",
            lacking.join(", ")
        )
    }))
}

/// Whether a host with these addresses, as far as they are known, lacks this one.
pub(super) fn is_missing(address: IpAddr, own: &[IpAddr]) -> bool {
    // Every host has the first two, although servers do not report each of them.
    !address.is_loopback() && !address.is_unspecified() && !own.is_empty() && !own.contains(&address)
}

/// A warning about an address of our own that, as far as is known, no server has. A server that does not have it
/// terminates.
pub(crate) async fn foreign(
    connection: &mut AnyConnection,
    address: IpAddr,
) -> Result<Option<String>, DbError> {
    // Every host has these addresses, although servers do not report each of them.
    if address.is_loopback() || address.is_unspecified() {
        return Ok(None);
    }
    let all = proxies::all(connection).await?;
    let known: Vec<IpAddr> = all.into_iter().flat_map(|proxy| proxy.addresses).collect();
    if known.is_empty() {
        return Ok(Some(format!(
            "whether a server has the address {address} is not known, because none has been joined yet."
        )));
    }
    let names: Vec<String> = known.iter().map(IpAddr::to_string).collect();
    Ok((!known.contains(&address)).then(|| {
        format!(
            "no server has the address {address}. Their own are {}: 'os4xapi proxy list' shows whose.",
            names.join(", ")
        )
    }))
}
