//! The information that somebody needs to find a fault of this site, in one archive without secrets, for the command
//! `support` and the panel. Only reads.

mod archive;

use crate::change::{document, recorded_as_json};
use crate::db::{DbError, generation};
use crate::expiry;
use crate::settings::{SETTINGS, Values};
use crate::status;
use crate::store::audit::{self, Filter};
use crate::store::{configuration, crl_urls, journal, proxies, refusals, sessions};
use common::text::clock;
use serde::Serialize;
use serde_json::{Value, json};
use sqlx::AnyConnection;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// Newest entries of the system log, sessions, and acts.
const NEWEST: u32 = 1_000;
/// Octets of the end of the API's log.
const LOG: u64 = 1 << 20;

/// A file of the archive.
pub(crate) struct File {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    pub(crate) content: String,
}

/// An archive (tar) with these files.
pub(crate) fn archive(files: &[File]) -> String {
    let mut archive = String::new();
    let now = clock::now();
    for file in files {
        archive::append(&mut archive, &format!("os4xapi-support/{}", file.name), &file.content, now);
    }
    archive::finish(&mut archive);
    archive
}

/// All files; `place` is that of the database, without a password.
pub(crate) async fn files(connection: &mut AnyConnection, place: &str) -> Result<Vec<File>, DbError> {
    let values = configuration::values(connection).await?;
    let (document, left_out) = document::export(connection, None).await?;
    let filter = Filter::default();
    let acts = audit::list(connection, &filter, NEWEST).await?;
    let acts: Vec<Value> = acts.iter().map(recorded_as_json).collect::<Result<_, _>>()?;
    let mut files = vec![
        file(
            "about.json",
            "versions, and the state of the database",
            &about(connection, place, &left_out).await?,
        )?,
        file("settings.json", "all settings", &settings(&values))?,
        file("site.json", "the output of 'os4xapi export'", &document)?,
        file("expiry.json", "what ends", &expiry::ends(connection).await?)?,
        file("status.json", "the output of 'os4xapi status'", &status::read(connection).await?)?,
        file(
            "refused.json",
            "refusals of the servers since yesterday",
            &refusals::grouped(connection, clock::now() - clock::DAY, NEWEST).await?,
        )?,
        file(
            "downloads.json",
            "URLs of CRLs, and the results of the downloads",
            &downloads(connection).await?,
        )?,
        file("audit.json", "the newest acts", &acts)?,
        file(
            "log.json",
            "the newest entries of the system log",
            &journal::entries(connection, NEWEST).await?,
        )?,
        file("sessions.json", "the newest sessions", &sessions::newest(connection, NEWEST).await?)?,
    ];
    if let Some(content) = end_of(Path::new(values.text("api_log_file"))) {
        files.push(File { name: "api.log", what: "the end of the API's log", content });
    }
    Ok(files)
}

/// `value` as JSON.
fn as_json<T: Serialize>(value: &T) -> Result<String, DbError> {
    let text = serde_json::to_string_pretty(value);
    Ok(format!("{}\n", text.map_err(|_| DbError::Corrupt("row that is no JSON".into()))?))
}

fn file<T: Serialize>(name: &'static str, what: &'static str, value: &T) -> Result<File, DbError> {
    Ok(File { name, what, content: as_json(value)? })
}

async fn about(connection: &mut AnyConnection, place: &str, left_out: &[String]) -> Result<Value, DbError> {
    let servers = proxies::all(connection).await?.into_iter();
    let servers: Vec<Value> = servers
        .map(|proxy| json!({"proxy_id": proxy.id, "name": proxy.name, "addresses": proxy.addresses}))
        .collect();
    let broken = audit::verify(connection).await?.err().map(|broken| broken.to_string());
    Ok(json!({
        "os4xapi": env!("CARGO_PKG_VERSION"),
        "openssl": openssl::version::version(),
        "system": std::env::consts::ARCH,
        "time": clock::rfc3339(clock::now()),
        "database": place,
        "generation": generation(connection).await?,
        "audit_broken": broken,
        "clients_of_the_last_day": journal::callers(connection, clock::now() - clock::DAY).await?,
        "servers": servers,
        "left_out": left_out,
    }))
}

fn settings(values: &Values) -> Value {
    let shown = SETTINGS.iter().filter(|setting| !setting.is_secret());
    shown.map(|setting| (setting.name.to_owned(), json!(setting.shown(values.text(setting.name))))).collect()
}

async fn downloads(connection: &mut AnyConnection) -> Result<Vec<Value>, DbError> {
    let sources = crl_urls::sources(connection).await?.into_iter();
    Ok(sources
        .map(|source| {
            json!({"url": source.url, "due": source.due, "failures": source.failures, "tried": source.tried,
                   "fetched": source.fetched, "error": source.error})
        })
        .collect())
}

/// The end of a log, beginning with a whole line.
fn end_of(path: &Path) -> Option<String> {
    let mut file = std::fs::File::open(path).ok().filter(|_| !path.as_os_str().is_empty())?;
    let from = file.metadata().ok().filter(std::fs::Metadata::is_file)?.len().saturating_sub(LOG);
    file.seek(SeekFrom::Start(from)).ok()?;
    let mut octets = Vec::new();
    file.take(LOG).read_to_end(&mut octets).ok()?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    match text.split_once('\n') {
        Some((_, whole)) if from > 0 => Some(whole.to_owned()),
        _ => Some(text),
    }
}
