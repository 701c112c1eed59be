//! Adds, changes and removes partners: all rules for them hold, whoever asks for it.

use super::rules::{self, no_partner};
use super::{ChangeError, settings, values};
use crate::db::{Change, DbError};
use crate::store::{bans, partners};
use common::config::Partner;
use common::net::Network;
use sqlx::AnyConnection;

/// Adds a partner, unless there is one of its short name.
pub(crate) async fn add(change: &mut Change, partner: &Partner) -> Result<(), ChangeError> {
    if partners::all(change).await?.iter().any(|other| other.short_name == partner.short_name) {
        return Err(ChangeError::PartnerExists(partner.short_name.clone()));
    }
    put(change, partner).await
}

/// Adds a partner, or replaces the one of its short name.
pub(crate) async fn put(change: &mut Change, partner: &Partner) -> Result<(), ChangeError> {
    values::check_partner(partner)?;
    rules::check_partner(change, partner).await?;
    Ok(partners::put(change, partner).await?)
}

/// Removes a partner, and the listeners tied to it.
pub(crate) async fn remove(change: &mut Change, name: &str) -> Result<(), ChangeError> {
    if partners::remove(change, name).await? { Ok(()) } else { Err(no_partner(name)) }
}

/// Warnings about a partner that is valid but cannot be served together with the other rows.
pub(crate) async fn warnings(
    connection: &mut AnyConnection,
    partner: &Partner,
) -> Result<Vec<String>, DbError> {
    let mut warnings = Vec::new();
    if let Some(address) = partner.outgoing_ip {
        warnings.extend(settings::foreign(connection, address).await?);
    }
    // Bans come first: a partner in a banned network is refused.
    for ban in bans::all(connection).await? {
        let parsed = ban.network.parse::<Network>();
        if parsed.is_ok_and(|banned| partner.places().any(|network| network.overlaps(&banned))) {
            warnings.push(format!(
                "{} is banned, so this partner is accepted from there only after 'os4xapi ban remove {}'.",
                ban.network, ban.network
            ));
        }
    }
    Ok(warnings)
}
