//! Networks as an operator types them, and what is wrong with one: the text, why, and what to type instead. Pure.

use super::error::CliError;
use common::net::Network;
use std::net::IpAddr;

/// The network that `what` (an option or an argument) is to be. One that holds every address is refused: `instead` says
/// what does what is meant.
pub(super) fn parse(what: &str, text: &str, instead: &str) -> Result<Network, CliError> {
    let network: Network =
        text.parse().map_err(|why| CliError::Usage(match with_host_bits(text) {
            Some((host, network)) => format!(
                "{what} cannot be '{text}': it has host bits; {network} is the network, and {host} this host alone"
            ),
            None => format!("{what} cannot be '{text}': {why}"),
        }))?;
    if network.bits().0 == 0 {
        return Err(CliError::Usage(format!("{what} cannot be '{text}', which is every address: {instead}")));
    }
    Ok(network)
}

/// The host, and the network around it, of an address with a prefix that is too short for it.
fn with_host_bits(text: &str) -> Option<(IpAddr, Network)> {
    let (address, prefix) = text.split_once('/')?;
    let (host, prefix): (IpAddr, u8) = (address.parse().ok()?, prefix.parse().ok()?);
    // A mapped address is an IPv4 one, whose prefix is shorter by those bits.
    let (host, prefix) = match host.to_canonical() {
        mapped @ IpAddr::V4(_) if host.is_ipv6() => (mapped, prefix.checked_sub(96)?),
        other => (other, prefix),
    };
    Some((host, Network::around(host, prefix)?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn what_is_refused_says_what_to_type_instead() {
        for (text, said) in [
            ("203.0.113.9/24", "203.0.113.0/24 is the network, and 203.0.113.9 this host alone"),
            ("2001:db8::9/32", "2001:db8::/32 is the network"),
            ("::ffff:203.0.113.9/120", "203.0.113.0/24 is the network, and 203.0.113.9 this host alone"),
            ("203.0.113.0/33", "a network is an address"),
            ("acme.example", "a network is an address"),
            ("", "a network is an address"),
            ("0.0.0.0/0", "which is every address: do this"),
            ("::/0", "which is every address: do this"),
            ("::ffff:0:0/96", "which is every address: do this"),
        ] {
            let refusal = parse("--network", text, "do this").unwrap_err().to_string();
            assert!(refusal.starts_with(&format!("--network cannot be '{text}'")), "{refusal}");
            assert!(refusal.contains(said), "{refusal}");
        }
    }

    #[test]
    fn a_network_has_one_spelling() {
        for (text, network) in [
            ("203.0.113.9", "203.0.113.9/32"),
            ("::ffff:203.0.113.0/120", "203.0.113.0/24"),
            ("2001:DB8::/32", "2001:db8::/32"),
        ] {
            assert_eq!(parse("NETWORK", text, "").unwrap().to_string(), network);
        }
    }
}
