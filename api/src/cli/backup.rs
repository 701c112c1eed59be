//! `os4xapi backup|restore`: copies a SQLite database to one file and back, also while `serve` runs. PostgreSQL has its
//! own programs for that. Never overwrites a file.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::{self, Act, Author, BACKUP as BACKUP_ACT, ChangeError, Order};
use crate::db::{Db, DbError, Location, Restoration, generation, kept_name, move_aside};
use crate::error_text::on_one_line;
use crate::store::rollbacks;
use common::text::clock;
use serde_json::{Value, json};
use std::path::Path;

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "backup",
        changes: false,
        help: BACKUP,
        options: &[Opt::Flag("done")],
        arguments: (0, 1),
        run: |invocation| Box::pin(back_up(invocation)),
    },
    Command {
        words: "restore",
        changes: true,
        help: RESTORE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(restore(invocation)),
    },
];

const BACKUP: &str = "\
usage: os4xapi backup FILE [--db DB]
       os4xapi backup --done [--db DB]

Writes the whole database into FILE, also while 'serve' runs. FILE must not exist; it has keys and gets mode 0600.
For PostgreSQL use pg_dump, then --done. The time of a backup is recorded: 'os4xapi status' reports a last backup that
is older than the setting api_backup_days.

--done: only record that another program has made a backup
";

const RESTORE: &str = "\
usage: os4xapi restore FILE [--yes] [--db DB]

Replaces the database with FILE, which 'os4xapi backup' has written, also while 'serve' runs. After that the token, the
CA and all certificates are those of FILE. The replaced database is kept in the same directory, with '.before-' and the
time added to its name. For PostgreSQL use pg_restore.

--yes: restore even if this database was changed after the backup, or cannot be read
";

async fn back_up(invocation: Invocation) -> Result<(), CliError> {
    match (invocation.flag("done"), invocation.argument(0)) {
        (true, "") => {
            let db = invocation.open().await?;
            record(&db, json!({"by": "another program"})).await?;
            return output::say("Recorded: another program has made a backup.");
        }
        (false, file) if !file.is_empty() => {}
        _ => return Err(CliError::Usage("either FILE or --done: which one?".into())),
    }
    if matches!(invocation.location()?, Location::Postgres(_)) {
        return Err(CliError::Refused(
            "a database on PostgreSQL is backed up by its own program: pg_dump --format=custom --file=FILE URL".into(),
        ));
    }
    let file = invocation.argument(0);
    let db = invocation.open().await?;
    let generation = db.back_up(Path::new(file)).await?;
    if let Err(why) = record(&db, json!({"file": file, "generation": generation})).await {
        let why = on_one_line(&why);
        output::warn(&format!("the backup is complete, but its time cannot be recorded: {why}"));
    }
    output::say(&format!("Backed up to {file}: {}", state(generation)))
}

/// Records that a backup was made.
async fn record(db: &Db, how: Value) -> Result<(), ChangeError> {
    change::record_note(db, Order::of(Author::of_command(), BACKUP_ACT), "backup", how).await
}

/// A generation in words: its number is the time of the change that made it, unless there were several in a second.
fn state(generation: u64) -> String {
    let time = clock::rfc3339(i64::try_from(generation).unwrap_or(i64::MAX));
    format!("generation {generation}, last changed {time}")
}

async fn restore(invocation: Invocation) -> Result<(), CliError> {
    let location = invocation.location()?;
    let Location::File(path) = &location else {
        return Err(CliError::Refused(
            "a database on PostgreSQL is restored by its own program: pg_restore --clean --if-exists --dbname=URL FILE"
                .into(),
        ));
    };
    let file = Path::new(invocation.argument(0));
    if file.canonicalize().is_ok_and(|file| path.canonicalize().is_ok_and(|path| path == file)) {
        return Err(CliError::Refused(format!("{location} is the database itself: name a backup of it")));
    }
    let restoration = Restoration::of(file, path).await?;
    let kept = kept_name(path);
    match invocation.open().await {
        Ok(current) => {
            check_newer(&current, &restoration, &invocation).await?;
            let mut change = invocation.act(&current).await?;
            if !change.is_dry_run() {
                current.back_up(&kept).await?;
            }
            let source = came_from(&restoration, &invocation);
            restoration.replace(&mut change).await?;
            complete(&mut change, source).await?;
            say_kept(change.commit().await?, &kept)
        }
        Err(CliError::Db(DbError::Missing(_))) => {
            let generation = restored_anew(&restoration, &invocation).await?;
            restoration.become_database(path).await?;
            output::say(&format!("Restored, where no database was. It is now generation {generation}."))
        }
        Err(why) if !invocation.flag("yes") => {
            output::warn(
                "the present database cannot be read, so nothing was done; --yes replaces it nevertheless.",
            );
            Err(why)
        }
        Err(_) => {
            let generation = restored_anew(&restoration, &invocation).await?;
            move_aside(path, &kept)?;
            output::warn("if 'serve' runs, restart it: it has the old file open.");
            restoration.become_database(path).await?;
            say_kept(generation, &kept)
        }
    }
}

/// Records the restoration in the copy that becomes the database; gives its generation.
async fn restored_anew(restoration: &Restoration, invocation: &Invocation) -> Result<u64, CliError> {
    let mut change = invocation.act(restoration.db()).await?;
    complete(&mut change, came_from(restoration, invocation)).await?;
    Ok(change.commit().await?)
}

/// Notes the source of the restored rows. Removes the pending roll-backs of the backup: somebody may have confirmed
/// these acts after it, and their numbers may belong to other acts in the present audit.
async fn complete(change: &mut Act, source: Value) -> Result<(), DbError> {
    rollbacks::clear(change).await?;
    change.note("database".to_owned(), source);
    Ok(())
}

fn came_from(restoration: &Restoration, invocation: &Invocation) -> Value {
    json!({"from": invocation.argument(0), "generation": restoration.generation})
}

fn say_kept(generation: u64, kept: &Path) -> Result<(), CliError> {
    output::say(&format!(
        "Restored. It is now generation {generation}; what was there is kept as {}",
        kept.display()
    ))
}

/// Refuses if a newer state would be lost.
async fn check_newer(
    current: &Db,
    restoration: &Restoration,
    invocation: &Invocation,
) -> Result<(), CliError> {
    let found = generation(&mut *current.snapshot().await?).await?;
    if found <= restoration.generation || invocation.flag("yes") {
        return Ok(());
    }
    Err(CliError::Refused(format!(
        "the database was changed after this backup, and the changes would be lost. The database: {}. The backup: {}. \
         'os4xapi restore --yes' restores it nevertheless, and keeps the present database",
        state(found),
        state(restoration.generation)
    )))
}
