//! The versions of objects for lists in JSON: to change an object only if nobody has changed it since, its version is
//! given to `--if-version`.

use super::error::CliError;
use crate::store::versions;
use serde::Serialize;
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// The versions of the objects of a kind.
pub(super) struct Versions {
    kind: &'static str,
    all: BTreeMap<String, i64>,
}

/// A row of a list, and its version.
#[derive(Serialize)]
pub(super) struct Versioned<T> {
    #[serde(flatten)]
    row: T,
    version: i64,
}

impl Versions {
    /// Those of a kind.
    pub(super) async fn of(connection: &mut AnyConnection, kind: &'static str) -> Result<Self, CliError> {
        Ok(Self { kind, all: versions::of(connection, &format!("{kind} ")).await? })
    }

    /// The version of one of them.
    pub(super) fn get(&self, name: impl std::fmt::Display) -> i64 {
        self.all.get(&format!("{} {name}", self.kind)).copied().unwrap_or(0)
    }

    /// A row with its version.
    pub(super) fn with<T>(&self, name: impl std::fmt::Display, row: T) -> Versioned<T> {
        Versioned { row, version: self.get(name) }
    }
}
