//! The only way to change something: an act is validated, applied and recorded in one transaction. `Act::begin` reads
//! the state, the caller writes its rows, and `Act::commit` reads the state again: the difference is the row of the
//! audit. An act that fails, that is only a `dry_run`, or whose objects were changed meanwhile, leaves nothing. There
//! is one change at a time. Reports of daemons are not acts.

pub(crate) mod api_keys;
mod author;
pub(crate) mod bans;
pub(crate) mod certificates;
pub(crate) mod crls;
mod difference;
pub(crate) mod document;
mod error;
pub(crate) mod ignores;
pub(crate) mod imports;
pub(crate) mod judgement;
pub(crate) mod licences;
pub(crate) mod listeners;
pub(crate) mod network;
mod obstacle;
pub(crate) mod partner_debug;
pub(crate) mod partner_members;
mod partner_table;
pub(crate) mod partners;
pub(crate) mod pins;
mod put;
pub(crate) mod requests;
pub(crate) mod revert;
mod right;
pub(crate) mod rollback;
pub(crate) mod rules;
pub(crate) mod servers;
pub(crate) mod settings;
mod state;
pub(crate) mod token;
pub(crate) mod trust;
pub(crate) mod users;
pub(crate) mod values;

pub(crate) use author::Author;
pub(crate) use difference::{Difference, recorded_as_json};
pub(crate) use error::{ChangeError, Need, purpose};
pub(crate) use obstacle::{Obstacle, heard, unseen};
pub(crate) use right::Right;
pub(crate) use state::{State, listener_name, read};

use crate::db::{Change, Db, DbError, generation};
use crate::store::audit::{self, Entry};
use crate::store::{rollbacks, versions};
use common::text::clock;
use judgement::Judgement;
use serde_json::Value;
use std::ops::{Deref, DerefMut};

/// The act with which a backup is recorded.
pub(crate) const BACKUP: &str = "backup";
/// Most names of objects in the column of a row of the audit; the values have all of them.
const NAMED: usize = 10;

/// A request for a change, and its author.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The author.
    pub(crate) author: Author,
    /// The words of the command.
    pub(crate) act: &'static str,
    /// Nothing is to be changed; only the effect is shown.
    pub(crate) dry_run: bool,
    /// The version that was read: an object with a newer one is not changed.
    pub(crate) if_version: Option<i64>,
    /// Nobody may be able to reach us after it: it is taken back then, unless somebody says before that it stays.
    pub(crate) back_at: Option<i64>,
}

impl Order {
    /// A request of this program itself.
    pub(crate) fn system(act: &'static str) -> Self {
        Self::of(Author::system(), act)
    }

    /// A request of an author, carried out at once and whatever the version is.
    pub(crate) fn of(author: Author, act: &'static str) -> Self {
        Self { author, act, dry_run: false, if_version: None, back_at: None }
    }
}

/// The rows that an act changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Rows that the daemons get: their configuration has a new generation afterwards.
    Daemons,
    /// Rows that only the backend uses.
    Backend,
}

/// Makes a whole change; gives the result of `work`.
pub(crate) async fn carry_out<T>(
    db: &Db,
    reach: Reach,
    order: Order,
    work: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError>,
) -> Result<T, ChangeError> {
    let mut act = match reach {
        Reach::Daemons => Act::begin(db, order).await?,
        Reach::Backend => Act::begin_unseen(db, order).await?,
    };
    let done = work(&mut act).await?;
    act.commit().await?;
    Ok(done)
}

/// A change that is not committed yet.
pub(crate) struct Act {
    change: Change,
    before: State,
    order: Order,
    notes: State,
    /// The judgement on partners before the change, for a dry run.
    judged: Option<Judgement>,
}

impl Act {
    /// Begins to change what the daemons see.
    pub(crate) async fn begin(db: &Db, order: Order) -> Result<Self, DbError> {
        Self::of(db.change().await?, order).await
    }

    /// Begins a change that only the backend sees: the generation does not change.
    pub(crate) async fn begin_unseen(db: &Db, order: Order) -> Result<Self, DbError> {
        Self::of(db.unseen_change().await?, order).await
    }

    async fn of(mut change: Change, order: Order) -> Result<Self, DbError> {
        let before = state::read(&mut change).await?;
        let judged = if order.dry_run { Some(Judgement::read(&mut change).await?) } else { None };
        Ok(Self { change, before, order, notes: State::new(), judged })
    }

    /// Whether only the effect is shown.
    pub(crate) fn is_dry_run(&self) -> bool {
        self.order.dry_run
    }

    /// Who makes it.
    pub(crate) fn author(&self) -> &Author {
        &self.order.author
    }

    /// What was there when it began.
    pub(crate) fn before(&self) -> &State {
        &self.before
    }

    /// Adds something that was done but is not an object.
    pub(crate) fn note(&mut self, name: String, value: Value) {
        self.notes.insert(name, value);
    }

    /// Records the change and commits it; gives the generation.
    pub(crate) async fn commit(mut self) -> Result<u64, ChangeError> {
        let recorded = record(&mut self.change, &self.before, self.notes, &self.order).await;
        match (recorded, self.judged) {
            (Err(ChangeError::DryRun(mut lines)), Some(before)) => {
                Judgement::read(&mut self.change).await?.foretell(&before, &mut lines);
                return Err(ChangeError::DryRun(lines));
            }
            (recorded, _) => recorded?,
        }
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

/// Records that somebody reads a secret, which changes nothing else; this is done before the secret is shown.
pub(crate) async fn record_reading(db: &Db, order: Order, secret: &str) -> Result<(), ChangeError> {
    record_note(db, order, secret, Value::from("read")).await
}

/// Records something that was done and that changes no object.
pub(crate) async fn record_note(db: &Db, order: Order, name: &str, value: Value) -> Result<(), ChangeError> {
    let mut act = Act::begin_unseen(db, order).await?;
    act.note(name.to_owned(), value);
    act.commit().await?;
    Ok(())
}

/// Records the difference between `before` and this change, which must be complete. If nothing was changed, there is no
/// row.
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
    if let Some(due) = order.back_at {
        rollbacks::add(change, number, due).await?;
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
