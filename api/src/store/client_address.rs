//! The address of a client, and its name if several clients call from one address. A plain value.

use common::net::normal;
use common::text::host::is_client_name;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address, or `NAME@ADDRESS`: the client that calls from there, with this name (`OS4X_CLIENT_NAME`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct ClientAddress {
    name: Option<String>,
    /// The address from which it calls.
    pub(crate) ip: IpAddr,
}

/// The text is no address of a client.
#[derive(Debug)]
pub(crate) struct NoClientAddress(String);

impl fmt::Display for NoClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "'{}' is not an IP address, nor NAME@ADDRESS with a name of 1 to 64 letters, digits, '.', '_' and \
             '-'",
            self.0
        )
    }
}

impl ClientAddress {
    /// Whether a caller with this key, an address and perhaps a blank and a name, can be meant: without a name, all of
    /// the address are.
    pub(crate) fn is_key(&self, key: &str) -> bool {
        let (ip, name) = key.split_once(' ').map_or((key, None), |(ip, name)| (ip, Some(name)));
        ip.parse() == Ok(self.ip) && (self.name.is_none() || self.name.as_deref() == name)
    }

    /// Whether the client that calls from `ip` with this name is meant.
    pub(crate) fn is(&self, ip: IpAddr, name: Option<&str>) -> bool {
        self.ip == ip && self.name.as_deref() == name
    }
}

impl From<IpAddr> for ClientAddress {
    fn from(ip: IpAddr) -> Self {
        Self { name: None, ip }
    }
}

impl FromStr for ClientAddress {
    type Err = NoClientAddress;

    fn from_str(text: &str) -> Result<Self, NoClientAddress> {
        let wrong = || NoClientAddress(text.to_owned());
        let (name, ip) = match text.rsplit_once('@') {
            Some((name, ip)) => (Some(name), ip),
            None => (None, text),
        };
        let ip = ip.parse().map(normal).map_err(|_| wrong())?;
        match name {
            Some(name) if !is_client_name(name) => Err(wrong()),
            name => Ok(Self { name: name.map(str::to_owned), ip }),
        }
    }
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name}@{}", self.ip),
            None => self.ip.fmt(f),
        }
    }
}

impl From<ClientAddress> for String {
    fn from(address: ClientAddress) -> Self {
        address.to_string()
    }
}

impl TryFrom<String> for ClientAddress {
    type Error = NoClientAddress;

    fn try_from(text: String) -> Result<Self, NoClientAddress> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::ClientAddress;

    #[test]
    fn an_address_may_have_a_name() {
        for (text, shown) in [
            ("10.1.0.1", "10.1.0.1"),
            ("inside-1@10.1.0.1", "inside-1@10.1.0.1"),
            ("a@2001:db8::1", "a@2001:db8::1"),
            ("::1", "127.0.0.1"),
        ] {
            assert_eq!(text.parse::<ClientAddress>().unwrap().to_string(), shown);
        }
        for bad in ["", "@10.1.0.1", "a b@10.1.0.1", "a@b@10.1.0.1", "inside-1", "a@", "10.1.0.1@a"] {
            let fault = bad.parse::<ClientAddress>().unwrap_err().to_string();
            assert!(fault.starts_with(&format!("'{bad}' is not an IP address")), "{fault}");
        }
    }

    #[test]
    fn a_client_with_a_name_is_another_one() {
        let (ip, named) = ([10, 1, 0, 1].into(), "a@10.1.0.1".parse::<ClientAddress>().unwrap());
        assert!(named.is(ip, Some("a")) && !named.is(ip, None) && !named.is(ip, Some("b")));
        assert!(named.is_key("10.1.0.1 a") && !named.is_key("10.1.0.1 b") && !named.is_key("10.1.0.1"));
        assert!(ClientAddress::from(ip).is_key("10.1.0.1 a") && !ClientAddress::from(ip).is_key("10.1.0.2"));
        assert!(ClientAddress::from(ip).is(ip, None) && !ClientAddress::from(ip).is(ip, Some("a")));
    }
}
