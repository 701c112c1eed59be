//! The partners, and everything that is known about one.

use super::Versions;
use super::versions::Versioned;
use crate::db::DbError;
use crate::store::deviations::{self, Shown};
use crate::store::partners;
use common::config::Partner;
use serde::Serialize;
use sqlx::AnyConnection;

/// All partners.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Versioned<Partner>>, DbError> {
    let versions = Versions::of(connection, "partner").await?;
    let all = partners::all(connection).await?.into_iter();
    Ok(all.map(|partner| versions.with(partner.short_name.clone(), partner)).collect())
}

/// Everything that is known about one partner.
#[derive(Serialize)]
pub(crate) struct Known {
    #[serde(flatten)]
    pub(crate) partner: Partner,
    /// The deviations from RFC 5024 of its sessions.
    pub(crate) deviations: Vec<Shown>,
    pub(crate) version: i64,
}

impl Known {
    /// About this partner.
    pub(crate) async fn of(connection: &mut AnyConnection, partner: Partner) -> Result<Self, DbError> {
        let name = &partner.short_name;
        let deviations = deviations::of_partner(connection, name).await?;
        let version = Versions::of(connection, "partner").await?.get(name);
        Ok(Self { partner, deviations, version })
    }
}
