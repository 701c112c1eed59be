//! The versions of objects for lists in JSON: to change an object only if nobody has changed it since, its version is
//! given to `--if-version`.

use crate::db::DbError;
use crate::store::versions;
use serde::Serialize;
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// The versions of the objects of a kind.
pub(crate) struct Versions {
    kind: &'static str,
    all: BTreeMap<String, i64>,
}

/// A row of a list, and its version.
#[derive(Serialize)]
pub(crate) struct Versioned<T> {
    #[serde(flatten)]
    row: T,
    version: i64,
}

impl Versions {
    /// Those of a kind.
    pub(crate) async fn of(connection: &mut AnyConnection, kind: &'static str) -> Result<Self, DbError> {
        Ok(Self { kind, all: versions::of(connection, &format!("{kind} ")).await? })
    }

    /// The version of one of them.
    pub(crate) fn get(&self, name: impl std::fmt::Display) -> i64 {
        self.all.get(&format!("{} {name}", self.kind)).copied().unwrap_or(0)
    }

    /// A row with its version.
    pub(crate) fn with<T>(&self, name: impl std::fmt::Display, row: T) -> Versioned<T> {
        Versioned { row, version: self.get(name) }
    }
}
