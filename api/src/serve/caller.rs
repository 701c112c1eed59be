//! The caller with the right token: an address, and the name by which a client distinguishes itself from others there.

use std::net::IpAddr;

/// Longest name of a client, characters.
const LONGEST: usize = 300;

/// A client.
pub(super) struct Caller {
    pub(super) address: IpAddr,
    name: String,
    key: String,
}

impl Caller {
    /// The client that calls from `address` with the name `name`; without a name, all clients of the address are one.
    pub(super) fn new(address: IpAddr, name: Option<&str>) -> Self {
        let name: String =
            name.unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST).collect();
        let key = if name.is_empty() { address.to_string() } else { format!("{address} {name}") };
        Self { address, name, key }
    }

    /// The name that it gives itself, if it has one.
    pub(super) fn name(&self) -> Option<&str> {
        Some(self.name.as_str()).filter(|name| !name.is_empty())
    }

    /// Its name in the database: its address, a blank and its name.
    pub(super) fn key(&self) -> &str {
        &self.key
    }
}

#[cfg(test)]
mod tests {
    use super::{Caller, LONGEST};

    #[test]
    fn clients_behind_one_address_are_told_apart() {
        let key = |name: Option<&str>| Caller::new([192, 0, 2, 1].into(), name).key().to_owned();
        assert_eq!(key(None), "192.0.2.1");
        assert_eq!(key(Some("a:/opt\n")), "192.0.2.1 a:/opt");
        assert_eq!(key(Some(&"x".repeat(LONGEST + 5))).len(), "192.0.2.1 ".len() + LONGEST);
    }
}
