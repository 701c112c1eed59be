//! The audit: one row for each act that changed something, in a chain. Each row has the SHA-256 of itself and of the
//! previous row, and a table of one row has the newest hash: so rows that are edited, removed or inserted later are
//! found. Rows are only appended. Does not interpret their contents.

use crate::db::{self, Change, Conditions, DbError};
use common::text::hex;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::fmt;

const COLUMNS: &str = "number, time, actor, role, way, address, act, object, old_value, new_value, generation, \
                       previous, hash";
/// Rows that are read at a time when the chain is checked.
const PAGE: i64 = 200;

/// The entry for an act.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Seconds since 1970-01-01 UTC.
    pub(crate) time: i64,
    /// Who has done it.
    pub(crate) actor: String,
    /// The role of that person.
    pub(crate) role: String,
    /// The way it came.
    pub(crate) way: String,
    /// The address of that person; none: this host, or not known.
    pub(crate) address: Option<String>,
    /// The name of the act.
    pub(crate) act: String,
    /// Its objects.
    pub(crate) object: String,
    /// The old values of the objects, in JSON; null if there was none.
    pub(crate) old: String,
    /// The new values of the objects.
    pub(crate) new: String,
    /// The generation of the configuration that it made.
    pub(crate) generation: i64,
}

/// An entry at its place in the chain.
#[derive(Debug, Clone)]
pub(crate) struct Recorded {
    /// Counted from 1.
    pub(crate) number: i64,
    /// Its contents.
    pub(crate) entry: Entry,
    /// The hash of the previous row; empty for the first.
    pub(crate) previous: String,
    /// Its own hash.
    pub(crate) hash: String,
}

/// The place where the chain is broken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A row was edited.
    Edited(i64),
    /// A row before this one is missing, or was inserted.
    Order(i64),
    /// The newest rows are missing; the last one in the table, and the last one that was written.
    End(i64, i64),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited(number) => {
                write!(f, "row {number} was edited: its hash is not that of what it says")
            }
            Self::Order(number) => {
                write!(
                    f,
                    "row {number} does not follow the one before it: rows were removed, or put in between"
                )
            }
            Self::End(last, head) => write!(f, "the last row is {last}, and the chain ended with row {head}"),
        }
    }
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    /// The number of the newest row; 0 if there is none.
    pub(crate) number: i64,
    /// Its hash.
    pub(crate) hash: String,
}

/// A selection of rows.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// Text in the actor, in upper or lower case.
    pub(crate) actor: String,
    /// Text in the act.
    pub(crate) act: String,
    /// Text in the objects.
    pub(crate) object: String,
    /// Not older than this time.
    pub(crate) since: Option<i64>,
    /// Before the row of this number.
    pub(crate) before: Option<i64>,
}

impl Entry {
    /// One text with everything that the entry says, and its place.
    fn hash(&self, number: i64, previous: &str) -> Result<String, DbError> {
        let Self { time, actor, role, way, address, act, object, old, new, generation } = self;
        let values = (previous, number, time, actor, role, way, address, act, object, old, new, generation);
        let text = serde_json::to_vec(&values).map_err(|_| DbError::Corrupt("row of the audit".into()))?;
        Ok(hex::encode(&openssl::sha::sha256(&text)))
    }
}

impl Recorded {
    fn of(row: &AnyRow) -> Result<Self, DbError> {
        let entry = Entry {
            time: row.try_get("time")?,
            actor: row.try_get("actor")?,
            role: row.try_get("role")?,
            way: row.try_get("way")?,
            address: row.try_get("address")?,
            act: row.try_get("act")?,
            object: row.try_get("object")?,
            old: row.try_get("old_value")?,
            new: row.try_get("new_value")?,
            generation: row.try_get("generation")?,
        };
        let (previous, hash) = (row.try_get("previous")?, row.try_get("hash")?);
        Ok(Self { number: row.try_get("number")?, entry, previous, hash })
    }
}

/// The end of the chain.
pub(crate) async fn head(connection: &mut AnyConnection) -> Result<Head, DbError> {
    let row = db::query("SELECT number, hash FROM os4x_audit_head").fetch_one(connection).await?;
    Ok(Head { number: row.try_get(0)?, hash: row.try_get(1)? })
}

/// Appends `entry`; gives its number. There is only one change at a time, so nobody else appends meanwhile.
pub(crate) async fn append(change: &mut Change, entry: &Entry) -> Result<i64, DbError> {
    let Head { number, hash: previous } = head(change).await?;
    let number = number + 1;
    let hash = entry.hash(number, &previous)?;
    db::query(AssertSqlSafe(format!(
        "INSERT INTO os4x_audit ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    )))
    .bind(number)
    .bind(entry.time)
    .bind(entry.actor.as_str())
    .bind(entry.role.as_str())
    .bind(entry.way.as_str())
    .bind(entry.address.clone())
    .bind(entry.act.as_str())
    .bind(entry.object.as_str())
    .bind(entry.old.as_str())
    .bind(entry.new.as_str())
    .bind(entry.generation)
    .bind(previous)
    .bind(hash.as_str())
    .execute(&mut **change)
    .await?;
    let head = db::query("UPDATE os4x_audit_head SET number = $1, hash = $2").bind(number).bind(hash);
    head.execute(&mut **change).await?;
    Ok(number)
}

/// The row of this number.
pub(crate) async fn get(connection: &mut AnyConnection, number: i64) -> Result<Option<Recorded>, DbError> {
    let query = AssertSqlSafe(format!("SELECT {COLUMNS} FROM os4x_audit WHERE number = $1"));
    let row = db::query(query).bind(number).fetch_optional(connection).await?;
    row.as_ref().map(Recorded::of).transpose()
}

/// When the newest act was, seconds since 1970-01-01 UTC; 0: there was none.
pub(crate) async fn newest(connection: &mut AnyConnection) -> Result<i64, DbError> {
    let newest = db::query("SELECT COALESCE(MAX(time), 0) FROM os4x_audit").fetch_one(connection).await?;
    Ok(newest.try_get(0)?)
}

/// When the newest row with exactly this act was written, seconds since 1970-01-01 UTC.
pub(crate) async fn last(connection: &mut AnyConnection, act: &str) -> Result<Option<i64>, DbError> {
    let row = db::query("SELECT MAX(time) FROM os4x_audit WHERE act = $1").bind(act.to_owned());
    Ok(row.fetch_one(connection).await?.try_get(0)?)
}

/// When the oldest row was written, seconds since 1970-01-01 UTC; 0: there is none.
pub(crate) async fn oldest(connection: &mut AnyConnection) -> Result<i64, DbError> {
    let oldest = db::query("SELECT COALESCE(MIN(time), 0) FROM os4x_audit").fetch_one(connection).await?;
    Ok(oldest.try_get(0)?)
}

/// The newest `limit` rows that match `filter`, oldest first.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Recorded>, DbError> {
    let mut all = Conditions::default();
    all.containing_if("LOWER(actor) LIKE ? ESCAPE '@'", &filter.actor);
    all.containing_if("LOWER(act) LIKE ? ESCAPE '@'", &filter.act);
    all.containing_if("LOWER(object) LIKE ? ESCAPE '@'", &filter.object);
    all.number_if("time >= ?", filter.since);
    all.number_if("number < ?", filter.before);
    let select = format!("SELECT {COLUMNS} FROM os4x_audit");
    let rows = all.statement(&select, "number DESC", limit).fetch_all(connection).await?;
    rows.iter().rev().map(Recorded::of).collect()
}

/// At most `limit` rows after the one of this number, oldest first.
pub(crate) async fn after(
    connection: &mut AnyConnection,
    number: i64,
    limit: i64,
) -> Result<Vec<Recorded>, DbError> {
    let query = format!("SELECT {COLUMNS} FROM os4x_audit WHERE number > $1 ORDER BY number LIMIT $2");
    let rows = db::query(AssertSqlSafe(query)).bind(number).bind(limit).fetch_all(connection).await?;
    rows.iter().map(Recorded::of).collect()
}

/// Checks the whole chain; gives its end, or the first place where it is broken. Meanwhile the connection must show one
/// state.
pub(crate) async fn verify(connection: &mut AnyConnection) -> Result<Result<Head, Broken>, DbError> {
    let end = head(connection).await?;
    let mut last = Head { number: 0, hash: String::new() };
    loop {
        let rows = after(connection, last.number, PAGE).await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if row.number != last.number + 1 || row.previous != last.hash {
                return Ok(Err(Broken::Order(row.number)));
            }
            if row.entry.hash(row.number, &row.previous)? != row.hash {
                return Ok(Err(Broken::Edited(row.number)));
            }
            last = Head { number: row.number, hash: row.hash };
        }
    }
    Ok(if last == end { Ok(end) } else { Err(Broken::End(last.number, end.number)) })
}
