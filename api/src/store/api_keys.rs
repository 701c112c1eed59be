//! The keys of programs that use the machine interfaces. The database has the hash of a key. The decisions of an
//! administrator about a key are part of the audit; its last use is not.

use crate::db::{self, Change, DbError};
use crate::store::partners::{of_word, word};
use crate::store::users::Role;
use common::net::Network;
use common::text::clock;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::net::IpAddr;

const COLUMNS: &str = "name, hash, role, scopes, networks, valid_until, created, created_by, used, used_from";

/// What a key may be used for. Its role limits that further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Scope {
    /// Read everything that the role may see.
    Read,
    /// Add, change, test and remove partners.
    Partners,
    /// Trusted certificates, and CRLs.
    Trust,
    /// Settings.
    Settings,
    /// End sessions.
    Sessions,
    /// Revert acts of the audit.
    Revert,
    /// `/metrics`.
    Metrics,
    /// `/expiry.ics`.
    Calendar,
}

impl Scope {
    /// All of them.
    pub(crate) const ALL: [Self; 8] = [
        Self::Read,
        Self::Partners,
        Self::Trust,
        Self::Settings,
        Self::Sessions,
        Self::Revert,
        Self::Metrics,
        Self::Calendar,
    ];

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Partners => "partners",
            Self::Trust => "trust",
            Self::Settings => "settings",
            Self::Sessions => "sessions",
            Self::Revert => "revert",
            Self::Metrics => "metrics",
            Self::Calendar => "calendar",
        }
    }

    /// The one with this word.
    pub(crate) fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// A key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiKey {
    pub(crate) name: String,
    /// Hash of the key itself.
    pub(crate) hash: String,
    pub(crate) role: Role,
    pub(crate) scopes: Vec<Scope>,
    /// The networks from which it may be used; empty: those that may reach the panel.
    pub(crate) networks: Vec<Network>,
    /// Its last second, since 1970-01-01 UTC.
    pub(crate) until: i64,
    pub(crate) created: i64,
    pub(crate) created_by: String,
    /// Its last use, accurate to about a minute, and the address of that.
    pub(crate) used: Option<(i64, String)>,
}

impl ApiKey {
    /// Its state: `good` or `ended`.
    pub(crate) fn condition(&self, now: i64) -> &'static str {
        if self.until < now { "ended" } else { "good" }
    }

    /// The words of its scopes.
    pub(crate) fn scope_words(&self) -> Vec<&'static str> {
        self.scopes.iter().map(|scope| scope.word()).collect()
    }

    /// Its networks as texts.
    pub(crate) fn network_texts(&self) -> Vec<String> {
        self.networks.iter().map(Network::to_string).collect()
    }

    fn of(row: &AnyRow) -> Result<Self, DbError> {
        let name: String = row.try_get("name")?;
        let corrupt = || DbError::Corrupt(format!("API key '{name}'"));
        let (scopes, networks): (String, String) = (row.try_get("scopes")?, row.try_get("networks")?);
        let scopes: Option<Vec<Scope>> = scopes.split_whitespace().map(Scope::of_word).collect();
        let networks: Result<Vec<Network>, _> = networks.split_whitespace().map(str::parse).collect();
        let (used, from): (Option<i64>, Option<String>) = (row.try_get("used")?, row.try_get("used_from")?);
        Ok(Self {
            hash: row.try_get("hash")?,
            role: of_word(row.try_get("role")?).ok_or_else(corrupt)?,
            scopes: scopes.ok_or_else(corrupt)?,
            networks: networks.map_err(|_| corrupt())?,
            until: row.try_get("valid_until")?,
            created: row.try_get("created")?,
            created_by: row.try_get("created_by")?,
            used: used.zip(from),
            name,
        })
    }
}

/// All keys by name, also those that have ended.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<ApiKey>, DbError> {
    let rows = db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_api_keys ORDER BY name")));
    rows.fetch_all(connection).await?.iter().map(ApiKey::of).collect()
}

/// The key with this hash.
pub(crate) async fn with_hash(connection: &mut AnyConnection, hash: &str) -> Result<Option<ApiKey>, DbError> {
    let row = db::query(AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_api_keys WHERE hash = $1")));
    row.bind(hash).fetch_optional(connection).await?.as_ref().map(ApiKey::of).transpose()
}

/// Adds a key.
pub(crate) async fn add(change: &mut Change, key: &ApiKey) -> Result<(), DbError> {
    db::query(
        "INSERT INTO os4x_api_keys (name, hash, role, scopes, networks, valid_until, created, created_by) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(key.name.as_str())
    .bind(key.hash.as_str())
    .bind(word(&key.role))
    .bind(key.scope_words().join(" "))
    .bind(key.network_texts().join(" "))
    .bind(key.until)
    .bind(key.created)
    .bind(key.created_by.as_str())
    .execute(&mut **change)
    .await?;
    Ok(())
}

/// Removes the key of this name; false if there is none.
pub(crate) async fn remove(change: &mut Change, name: &str) -> Result<bool, DbError> {
    let done = db::query("DELETE FROM os4x_api_keys WHERE name = $1").bind(name);
    Ok(done.execute(&mut **change).await?.rows_affected() > 0)
}

/// Stores that a key is used from this address.
pub(crate) async fn note_use(
    connection: &mut AnyConnection,
    name: &str,
    address: IpAddr,
) -> Result<(), DbError> {
    let update = db::query("UPDATE os4x_api_keys SET used = $1, used_from = $2 WHERE name = $3");
    update.bind(clock::now()).bind(address.to_string()).bind(name).execute(connection).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{ApiKey, Role, Scope, add, all, note_use, remove, with_hash};
    use crate::db::scratch::{Scratch, run};

    #[test]
    fn a_key_is_found_by_its_hash_and_is_as_it_was_added() {
        let scratch = Scratch::new();
        run(async {
            let db = scratch.open().await;
            let key = ApiKey {
                name: "monitor".to_owned(),
                hash: "ab".to_owned(),
                role: Role::Auditor,
                scopes: vec![Scope::Read, Scope::Metrics],
                networks: vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()],
                until: 7,
                created: 5,
                created_by: "anna".to_owned(),
                used: None,
            };
            let mut change = db.change().await.unwrap();
            add(&mut change, &key).await.unwrap();
            assert_eq!(with_hash(&mut change, "ab").await.unwrap().as_ref(), Some(&key));
            assert_eq!(with_hash(&mut change, "AB").await.unwrap(), None);
            note_use(&mut change, "monitor", [192, 0, 2, 1].into()).await.unwrap();
            let used = all(&mut change).await.unwrap().remove(0).used.unwrap();
            assert_eq!(used.1, "192.0.2.1");
            assert_eq!([key.condition(7), key.condition(8)], ["good", "ended"]);
            assert!(remove(&mut change, "monitor").await.unwrap());
            assert!(!remove(&mut change, "monitor").await.unwrap());
        });
    }

    #[test]
    fn each_scope_has_its_word() {
        for scope in Scope::ALL {
            assert_eq!(Scope::of_word(scope.word()), Some(scope));
        }
        assert_eq!(Scope::of_word("all"), None);
    }
}
