//! Databases that an older os4xapi has written: `fixtures` has one of version 1 for each kind of database. They are
//! upgraded to this version with all their data; if that fails, they are not changed.

use crate::postgres::Cluster;
use crate::site::{Dir, Site};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use sqlx::{Connection, Executor, PgConnection, SqliteConnection};
use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const SQLITE: &str = include_str!("../fixtures/version-1.sqlite.sql");
const POSTGRES: &str = include_str!("../fixtures/version-1.postgres.sql");

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// A SQLite file of version 1.
fn recorded() -> Site {
    let dir = Dir::new();
    let db = dir.path("test.db").to_str().unwrap().to_owned();
    run(async {
        let url = format!("sqlite://{db}?mode=rwc");
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        connection.execute(SQLITE).await.unwrap();
        connection.close().await.unwrap();
    });
    Site { dir, db }
}

/// The copies that were kept beside the database.
fn kept(site: &Site) -> Vec<PathBuf> {
    let all = std::fs::read_dir(site.dir.path("")).unwrap().map(|one| one.unwrap().path());
    all.filter(|path| path.to_str().unwrap().contains("test.db.version-")).collect()
}

/// All data of the recorded database are there, and can be changed.
fn is_whole(site: &Site) {
    let partners = site.json(&["partner", "list"]);
    let (acme, plain) = (&partners[0], &partners[1]);
    assert_eq!((&acme["short_name"], &acme["host"]), (&json!("ACME"), &json!("acme.example")));
    assert_eq!(acme["pins"].as_array().unwrap().len(), 1);
    assert_eq!((&plain["ssid"], &plain["outgoing_ip"]), (&json!("O0013PLAIN"), &json!("192.0.2.9")));
    assert_eq!((&plain["enabled"], &plain["profile"]), (&json!(false), &json!("strict")));
    assert_eq!(site.ok(&["config", "get", "proxy_sessions"]), "77\n");
    assert_eq!(site.ok(&["config", "get", "proxy_station_host"]), "station.example\n");
    let names = |list: &[&str], field: &str| -> Vec<Value> {
        site.json(list).as_array().unwrap().iter().map(|row| row[field].clone()).collect()
    };
    assert_eq!(names(&["cert", "list"], "usage"), ["own", "ca", "https"]);
    assert_eq!(names(&["trust", "list"], "name"), ["Recorded CA"]);
    assert_eq!(names(&["crl", "list"], "issuer"), [json!("O=Recorded, CN=Recorded CA"), Value::Null]);
    assert_eq!(names(&["proxy", "list"], "name"), ["dmz1"]);
    assert_eq!(names(&["proxyclient", "list"], "listen_port"), [4711, 4712]);
    assert_eq!(names(&["ignore", "list"], "text"), ["some words"]);
    assert_eq!(names(&["log"], "text"), ["certificate refused"]);
    assert_eq!(names(&["sessions"], "session"), ["s1"]);
    assert_eq!(site.json(&["sessions"])[0]["transfers"].as_array().unwrap().len(), 2);
    assert_eq!(site.token().len(), 129, "a secret, and the hash of the CA");
    // Functions of later versions work on it.
    site.ok(&["partner", "set", "ACME", "--usage", "any", "--network", "203.0.113.0/24"]);
    site.ok(&["ban", "add", "198.51.100.0/24"]);
    site.ok(&["trust", "set", "Recorded CA", "--no-crl", "yes"]);
    site.ok(&["ignore", "add", "other words", "--partner", "ACME"]);
    site.ok(&["key", "add", "monitor", "--role", "auditor", "--scope", "metrics"]);
    assert_eq!(site.json(&["partner", "show", "ACME"])["usage"], "any");
    assert_eq!(site.json(&["ignore", "list"])[1]["partner"], "ACME");
}

#[test]
fn version_1_goes_up_on_sqlite_and_what_was_before_is_kept() {
    let site = recorded();
    let first = site.run(&["partner", "list"]);
    let kept = kept(&site);
    assert_eq!(kept.len(), 1, "{kept:?}");
    let copy = kept[0].to_str().unwrap().to_owned();
    assert!(
        first.status == 0 && first.err.contains("were of version 1, and are of version"),
        "{}",
        first.err
    );
    assert!(first.err.contains(&copy) && copy.contains("test.db.version-1-20"), "{}", first.err);
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(site.run(&["partner", "list"]).err, "", "it is told once");
    is_whole(&site);
    // The copy is the old database, and can be restored like a backup.
    let old: Vec<i64> = run(async {
        let mut connection = SqliteConnection::connect(&copy).await.unwrap();
        sqlx::query_scalar("SELECT version FROM os4x_schema").fetch_all(&mut connection).await.unwrap()
    });
    assert_eq!(old, [1]);
    site.ok(&["restore", "--yes", &copy]);
    assert_eq!(site.json(&["ban", "list"]), json!([]));
    let files: Vec<_> = std::fs::read_dir(site.dir.path("")).unwrap().map(|one| one.unwrap()).collect();
    assert_eq!(files.len(), 3, "the database, the copy, and what the copy took the place of: {files:?}");
    is_whole(&site);
}

#[test]
fn version_1_goes_up_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    run(async {
        let mut connection = PgConnection::connect(&cluster.url).await.unwrap();
        connection.execute(POSTGRES).await.unwrap();
        connection.close().await.unwrap();
    });
    let first = site.run(&["partner", "list"]);
    assert!(first.status == 0 && first.err.contains("backups of your own"), "{}", first.err);
    assert_eq!(site.run(&["partner", "list"]).err, "", "it is told once");
    is_whole(&site);
}

#[test]
fn serve_brings_a_database_up_to_date_and_tells_its_log() {
    let site = recorded();
    let serve = site.serve();
    assert_eq!(kept(&site).len(), 1);
    let log = serve.end(Signal::SIGTERM);
    assert!(log.contains("database_upgraded from=1 to="), "{log}");
}

#[test]
fn a_step_that_fails_leaves_the_one_before_it() {
    let site = recorded();
    site.sql_done("CREATE TABLE os4x_bans (in_the_way BIGINT)");
    let refusal = site.refused(&["partner", "list"]);
    assert!(refusal.contains("from version 1 to version 2") && refusal.contains("os4x_bans"), "{refusal}");
    let columns = "SELECT name FROM pragma_table_info('os4x_partners') WHERE name = 'usage'";
    let half: Vec<String> = run(async {
        let mut connection = SqliteConnection::connect(&site.db).await.unwrap();
        sqlx::query_scalar(columns).fetch_all(&mut connection).await.unwrap()
    });
    assert_eq!(half, Vec::<String>::new());
    site.sql_done("DROP TABLE os4x_bans");
    is_whole(&site);
}

#[test]
fn where_no_copy_can_be_kept_nothing_is_changed() {
    let site = recorded();
    // With the time after it, it is longer than the name of a file can be.
    let long = site.dir.path(&"x".repeat(245)).to_str().unwrap().to_owned();
    std::fs::rename(&site.db, &long).unwrap();
    let site = Site { db: long, ..site };
    let refusal = site.refused(&["partner", "list"]);
    assert!(refusal.contains("no copy of it could be kept") && refusal.contains("make room"), "{refusal}");
    let version: i64 = run(async {
        let mut connection = SqliteConnection::connect(&site.db).await.unwrap();
        sqlx::query_scalar("SELECT version FROM os4x_schema").fetch_one(&mut connection).await.unwrap()
    });
    assert_eq!(version, 1);
}

#[test]
fn tables_of_a_newer_version_are_refused_with_a_way_back() {
    let site = recorded();
    site.ok(&["partner", "list"]);
    let copy = kept(&site).remove(0).to_str().unwrap().to_owned();
    site.sql("UPDATE os4x_schema SET version = 99");
    let refusal = site.refused(&["partner", "list"]);
    assert!(refusal.contains("tables of version 99") && refusal.contains("or a newer one"), "{refusal}");
    assert!(refusal.contains("os4xapi restore --yes"), "{refusal}");
    site.ok(&["restore", "--yes", &copy]);
    is_whole(&site);
}
