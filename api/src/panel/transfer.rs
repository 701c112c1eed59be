//! Backup and transfer: the last backup, the site as a document, with its keys only under a passphrase, and the import
//! of such a document or of a table of partners. What an import would change is shown before it is made.

use super::Panel;
use super::act::{Outcome, Reach, refusal};
use super::fields::{Fields, Form};
use super::form::{Field, FormBlock, Rejected, Shape, Wrong};
use super::gate::SignedIn;
use super::page::{self, Fault, Frame};
use super::parts::{self, Part, PartsPage};
use super::rights::{Right, VERSION};
use super::second_look::{self, Look};
use super::table::Cell;
use super::upload::{LargeUpload, file_field};
use super::words::Words;
use super::{import_preview, rollback};
use crate::change::document::{self, SHORTEST};
use crate::change::imports::Import;
use crate::change::rollback::PATIENCE;
use crate::change::{self, Act, ChangeError, Order};
use crate::db::Location;
use crate::store::{audit, rollbacks};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use common::secret::Secret;
use common::text::clock;
use std::sync::Arc;

/// The path of this page.
pub(super) const PATH: &str = "/transfer";
/// The path of the document without keys.
pub(super) const EXPORT: &str = "/transfer/export.json";
/// The path of the form that asks for the document with keys.
pub(super) const KEYS: &str = "/transfer/keys";
/// The path of the form that uploads a document or a table.
pub(super) const IMPORT: &str = "/transfer/import";
/// The path of the form that imports what was shown.
pub(super) const KEEP: &str = "/transfer/import/keep";
/// The prefixes of the fields of both forms.
const OF_KEYS: &str = "keys-";
const OF_IMPORT: &str = "import-";

/// An import that was shown and may be made.
#[derive(Clone)]
pub(super) struct HeldImport {
    import: Import,
    /// Whether it may shut somebody out, so that it is reverted unless somebody keeps it.
    is_reach: bool,
}

/// The page.
pub(super) async fn show(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    fields: Fields,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    page_with(&panel, &who, &fields, None).await
}

async fn page_with(
    panel: &Panel,
    who: &SignedIn,
    fields: &Fields,
    again: Option<(&str, &Rejected)>,
) -> Result<Response, Fault> {
    let SignedIn(visitor, known) = who;
    let w = visitor.words;
    let last = audit::last(&mut *panel.app.db.snapshot().await?, change::BACKUP).await?;
    let mut f = Frame::for_user(visitor, known, w.transfer);
    f.notices.extend(page::done(w, fields));
    let of = |form: &str| again.filter(|(of, _)| *of == form).map(|(_, rejected)| rejected);
    let last = last.map_or_else(|| Cell::state(w.never, "warn"), |time| Cell::text(page::time(time)));
    let document = Cell::link(file_name("site"), EXPORT.to_owned()).with(w.export_meaning);
    let parts = vec![
        Part::facts("backup", w.backup, vec![(w.last_backup, last)]),
        Part::lines("backup-command", w.command_for_backups, backup_lines(panel.app.db.location())),
        Part::facts("export", w.export, vec![(w.document, document)]),
        Part::form("export-keys", w.export_with_keys, keys_form(who).rejected(of(OF_KEYS))),
        Part::form("import", w.import, import_form(who).rejected(of(OF_IMPORT))),
    ];
    PartsPage { f, parts }.respond(again.is_some())
}

/// The commands that make a backup, or that record one of another program.
fn backup_lines(at: &Location) -> Vec<String> {
    let option = at.option();
    match at {
        Location::File(_) => vec![format!("os4xapi backup /BACKUPS/os4xapi-$(date +%F).db{option}")],
        Location::Postgres(_) => vec![format!(
            "pg_dump --format=custom --file=/BACKUPS/os4xapi-$(date +%F).dump URL && os4xapi backup --done{option}"
        )],
    }
}

fn file_name(what: &str) -> String {
    let day: String = clock::rfc3339(clock::now()).chars().take(10).collect();
    format!("os4x-{what}-{day}.json")
}

fn keys_form(who: &SignedIn) -> FormBlock {
    let w = who.0.words;
    let mut form = FormBlock::new(&who.1, w, KEYS, w.export_with_keys);
    form.id = OF_KEYS;
    let mut fields = vec![
        Field::of(Shape::Password, "passphrase", w.passphrase, "").with(w.passphrase_hint),
        Field::of(Shape::Password, "again", w.passphrase_again, ""),
    ];
    fields.extend(second_look::fields(who, &mut form));
    form.with("", fields)
}

fn import_form(who: &SignedIn) -> FormBlock {
    let w = who.0.words;
    let mut form = FormBlock::new(&who.1, w, IMPORT, w.look_at_it);
    form.id = OF_IMPORT;
    form.is_upload = true;
    let modes = [("merge", w.import_merges), ("replace", w.import_replaces)];
    let modes = modes.map(|(value, word)| (value.to_owned(), word.to_owned())).into();
    let fields = vec![
        file_field(w).with(w.import_file_hint),
        Field::of(Shape::Choice(modes), "mode", w.other_objects, "merge"),
        Field::of(Shape::Password, "passphrase", w.passphrase, "").with(w.import_passphrase_hint),
    ];
    form.with("", fields)
}

/// The document of this site, without keys.
pub(super) async fn export(State(panel): State<Arc<Panel>>, who: SignedIn) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let (document, _) = document::export(&mut *panel.app.db.snapshot().await?, None).await?;
    Ok(as_file(&file_name("site"), document.text()?))
}

/// The document of this site with its keys, which are encrypted. That is recorded.
pub(super) async fn export_keys(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let given = fields.exact("passphrase");
    let passphrase = Secret::new(given.to_owned());
    let mut wrong = Vec::new();
    if given.chars().count() < SHORTEST {
        wrong.push(Wrong::new("passphrase", w.passphrase_hint));
    }
    if fields.exact("again") != given {
        wrong.push(Wrong::new("again", w.passphrases_differ));
    }
    // The passphrase must not be on a page that asks for the proof, so the same form asks for both.
    if wrong.is_empty() && !second_look::is_proven(&panel, &who, &fields).await? {
        wrong.push(Wrong::new(second_look::PASSWORD, w.wrong_proof));
    }
    if !wrong.is_empty() {
        let rejected = Rejected::wrong(&Fields::default(), wrong);
        return page_with(&panel, &who, &Fields::default(), Some((OF_KEYS, &rejected))).await;
    }
    let (document, _) = document::export(&mut *panel.app.db.snapshot().await?, Some(&passphrase)).await?;
    change::record_reading(&panel.app.db, who.order("export", &Fields::default()), "keys").await?;
    Ok(as_file(&file_name("site-with-keys"), document.text()?))
}

fn as_file(name: &str, text: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
    ];
    (headers, text).into_response()
}

/// Shows what the import of the uploaded file would change.
pub(super) async fn look_at(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    LargeUpload(upload): LargeUpload,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let SignedIn(visitor, known) = &who;
    let w = visitor.words;
    let again = async |wrong: Wrong| {
        let rejected = Rejected::wrong(&upload.fields, vec![wrong]);
        page_with(&panel, &who, &Fields::default(), Some((OF_IMPORT, &rejected))).await
    };
    let import = match import(w, &upload.fields, upload.content()) {
        Ok(import) => import,
        Err(wrong) => return again(wrong).await,
    };
    let version = audit::head(&mut *panel.app.db.snapshot().await?).await?.number;
    let order = Order { dry_run: true, ..who.order("import", &Fields::default()) };
    let lines = match panel.act(Reach::Daemons, order, async |act: &mut Act| import.make(act).await).await? {
        Ok(()) => Vec::new(),
        Err(ChangeError::DryRun(lines)) => lines,
        Err(why) => return again(Wrong::new(field_of(&why), refusal(w, &why))).await,
    };
    let mut f = Frame::for_user(visitor, known, w.import);
    let mut parts = vec![Part::table(w.import_would, import_preview::table(w, &lines))];
    if !lines.is_empty() {
        let is_reach = import_preview::is_reach(&lines);
        if is_reach {
            f.notices.push(page::Notice { kind: "warn", ..page::Notice::good(w.reach_comes_back) });
        }
        let mut form = FormBlock::new(known, w, KEEP, w.import);
        let held = HeldImport { import, is_reach };
        form.hidden.push(("staged", panel.imports.put(&known.user.name, held)?));
        form.hidden.push((VERSION, version.to_string()));
        let proof = second_look::fields(&who, &mut form);
        parts.push(Part::form("keep", w.import, form.with("", proof)));
    }
    page::html(&PartsPage { f, parts })
}

/// The uploaded file, to be imported as the form says.
fn import(w: &'static Words, fields: &Fields, content: Option<Vec<u8>>) -> Result<Import, Wrong> {
    let passphrase = fields.exact("passphrase");
    let passphrase = (!passphrase.is_empty()).then(|| Secret::new(passphrase.to_owned()));
    let replaces = fields.text("mode") == "replace";
    let content = content.ok_or_else(|| Wrong::new("file", w.needs_file))?;
    let import = Import::of(content, replaces, passphrase);
    let import = import.map_err(|why| Wrong::new("file", refusal(w, &why)))?;
    if replaces && !import.is_document() {
        return Err(Wrong::new("mode", w.table_replaces_nothing));
    }
    Ok(import)
}

/// The field to which the reason of a refusal belongs.
fn field_of(why: &ChangeError) -> &'static str {
    if matches!(why, ChangeError::Needs(_)) { "passphrase" } else { "file" }
}

/// Imports what was shown.
pub(super) async fn keep(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Administer)?;
    let w = who.0.words;
    let id = fields.text("staged");
    let Some(HeldImport { import, is_reach }) = panel.imports.get(&who.1.user.name, id) else {
        return parts::refused(&who, w.staged_is_over, PATH);
    };
    let look = Look { title: w.import.to_owned(), needs_proof: true, back: PATH, ..Look::default() };
    let back_at = is_reach.then(|| clock::now() + PATIENCE);
    let act = (Reach::Daemons, Order { back_at, ..who.order("import", &fields) });
    let make = async |act: &mut Act| import.make(act).await;
    let outcome = panel.act_confirmed(&who, &fields, act, look, make).await?;
    if matches!(outcome, Outcome::Done(())) {
        panel.imports.remove(id);
        if is_reach {
            let all = rollbacks::all(&mut *panel.app.db.snapshot().await?).await?;
            let newest = all.iter().map(|one| one.number).max();
            return Ok(Redirect::to(&newest.map_or(PATH.to_owned(), rollback::path)).into_response());
        }
    }
    outcome.respond(&who, PATH, "imported")
}
