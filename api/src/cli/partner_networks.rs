//! `--network` of a partner: where its sessions come from, and how that stands to the bans.

use super::args::{Invocation, wrong};
use super::error::CliError;
use super::{network, output};
use crate::change::values::MOST_NETWORKS;
use crate::store::bans;
use common::config::Partner;
use common::net::Network;
use sqlx::AnyConnection;

/// What the option says; none: it is not there.
pub(super) fn given(invocation: &Invocation) -> Result<Option<Vec<String>>, CliError> {
    let values = invocation.values("network");
    if values.is_empty() {
        return Ok(None);
    }
    let texts: Vec<&str> = values.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    if texts == [""] {
        return Ok(Some(Vec::new()));
    }
    let mut networks: Vec<String> = Vec::new();
    for text in texts {
        let network =
            network::parse("--network", text, "'' lets the partner come from anywhere")?.to_string();
        if !networks.contains(&network) {
            networks.push(network);
        }
    }
    if networks.len() > MOST_NETWORKS {
        return Err(wrong("network", &networks.len().to_string(), "at most 64 networks"));
    }
    Ok(Some(networks))
}

/// A ban comes first: a partner that is banned as well does not get in.
pub(super) async fn warn_of_bans(connection: &mut AnyConnection, partner: &Partner) -> Result<(), CliError> {
    for ban in bans::all(connection).await? {
        let parsed = ban.network.parse::<Network>();
        if parsed.is_ok_and(|banned| partner.places().any(|network| network.overlaps(&banned))) {
            output::warn(&format!(
                "{} is banned, so this partner gets in from there only after 'os4xapi ban remove {}'.",
                ban.network, ban.network
            ));
        }
    }
    Ok(())
}

/// For a list of partners.
pub(super) fn text(partner: &Partner) -> String {
    output::or_dash((!partner.networks.is_empty()).then(|| partner.networks.join(", ")))
}
