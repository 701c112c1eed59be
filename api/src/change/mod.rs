//! The one way to change something: an act is validated, applied and written down in one transaction. `Act::begin` sees
//! everything as it is, whoever acts writes its rows, and `Act::commit` sees what has become of it: that makes the row
//! of the audit. An act that fails, is only asked about (`dry_run`), or was asked for on what has changed meanwhile,
//! leaves nothing. Changes are one at a time. What daemons report is none.

mod author;
mod difference;
pub(crate) mod document;
mod error;
mod put;
pub(crate) mod revert;
pub(crate) mod rules;
mod state;
pub(crate) mod values;

pub(crate) use author::Author;
pub(crate) use difference::Difference;
pub(crate) use error::ChangeError;
pub(crate) use state::{State, listener_name, read};

use crate::db::{Change, Db, DbError, generation};
use crate::store::audit::{self, Entry};
use crate::store::versions;
use common::text::clock;
use serde_json::Value;
use std::ops::{Deref, DerefMut};

/// Names of objects that a row of the audit has in its column; all are in its values.
const NAMED: usize = 10;

/// What is asked for, and by whom.
#[derive(Debug)]
pub(crate) struct Order {
    /// By whom.
    pub(crate) author: Author,
    /// The words of the command.
    pub(crate) act: &'static str,
    /// Nothing is to be changed: what would be?
    pub(crate) dry_run: bool,
    /// The version that was looked at: an object that has a newer one is left alone.
    pub(crate) if_version: Option<i64>,
}

impl Order {
    /// Of this program itself.
    pub(crate) fn system(act: &'static str) -> Self {
        Self { author: Author::system(), act, dry_run: false, if_version: None }
    }
}

/// A change in the making.
pub(crate) struct Act {
    change: Change,
    before: State,
    order: Order,
    notes: State,
}

impl Act {
    /// Begins to change what the daemons see.
    pub(crate) async fn begin(db: &Db, order: Order) -> Result<Self, DbError> {
        Self::of(db.change().await?, order).await
    }

    /// Begins to change what the backend alone sees: the generation stays.
    pub(crate) async fn begin_unseen(db: &Db, order: Order) -> Result<Self, DbError> {
        Self::of(db.unseen_change().await?, order).await
    }

    async fn of(mut change: Change, order: Order) -> Result<Self, DbError> {
        let before = state::read(&mut change).await?;
        Ok(Self { change, before, order, notes: State::new() })
    }

    /// Whether it only tells what it would change.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.order.dry_run
    }

    /// What was there when it began.
    pub(crate) fn before(&self) -> &State {
        &self.before
    }

    /// Something that was done and is no object.
    pub(crate) fn note(&mut self, name: String, value: Value) {
        self.notes.insert(name, value);
    }

    /// Writes it down and makes it last; gives the generation.
    pub(crate) async fn commit(mut self) -> Result<u64, ChangeError> {
        record(&mut self.change, &self.before, self.notes, &self.order).await?;
        Ok(self.change.commit().await?)
    }
}

impl Deref for Act {
    type Target = Change;

    fn deref(&self) -> &Change {
        &self.change
    }
}

impl DerefMut for Act {
    fn deref_mut(&mut self) -> &mut Change {
        &mut self.change
    }
}

/// Writes down that somebody reads a secret, which changes nothing else; before it is told.
pub(crate) async fn record_reading(db: &Db, act: &'static str, secret: &str) -> Result<(), ChangeError> {
    let order = Order { author: Author::of_command(), act, dry_run: false, if_version: None };
    let mut act = Act::begin_unseen(db, order).await?;
    act.note(secret.to_owned(), Value::from("read"));
    act.commit().await?;
    Ok(())
}

/// Writes down what has become of `before` in this change, in which nothing else follows. What has changed nothing is
/// no row.
pub(crate) async fn record(
    change: &mut Change,
    before: &State,
    notes: State,
    order: &Order,
) -> Result<(), ChangeError> {
    let mut difference = Difference::between(before, &state::read(change).await?);
    check_versions(change, &difference, order).await?;
    let changed: Vec<String> = difference.names().cloned().collect();
    difference.new.extend(notes);
    if order.dry_run {
        return Err(ChangeError::DryRun(difference.lines()));
    }
    if difference.is_empty() {
        return Ok(());
    }
    let entry = entry(change, &difference, order).await?;
    let number = audit::append(change, &entry).await?;
    for object in changed {
        versions::set(change, &object, number).await?;
    }
    Ok(())
}

async fn check_versions(
    change: &mut Change,
    difference: &Difference,
    order: &Order,
) -> Result<(), ChangeError> {
    let Some(seen) = order.if_version else { return Ok(()) };
    for object in difference.names() {
        let version = versions::get(change, object).await?;
        if version > seen {
            return Err(ChangeError::Stale { object: object.clone(), version, seen });
        }
    }
    Ok(())
}

async fn entry(change: &mut Change, difference: &Difference, order: &Order) -> Result<Entry, DbError> {
    let text = |state: &State| {
        serde_json::to_string(state).map_err(|_| DbError::Corrupt("object that is no JSON".into()))
    };
    let mut names: Vec<&str> = difference.names().map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let Author { actor, role, way, address } = order.author.clone();
    Ok(Entry {
        time: clock::now(),
        actor,
        role: role.to_owned(),
        way: way.to_owned(),
        address,
        act: order.act.to_owned(),
        object: format!("{}{more}", names.join(", ")),
        old: text(&difference.old)?,
        new: text(&difference.new)?,
        generation: i64::try_from(generation(change).await?).unwrap_or(i64::MAX),
    })
}
