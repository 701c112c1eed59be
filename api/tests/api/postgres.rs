//! The same life on PostgreSQL, on a private cluster that `scripts/lib/postgres-for-tests`
//! makes: installed or failed clearly, never skipped. And what happens when the database goes
//! away beneath `serve`.

use crate::life::whole_life;
use crate::site::{Dir, Site};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const HELPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/postgres-for-tests");

/// A cluster in a directory of its own; stopped when dropped, before the directory goes.
struct Cluster {
    dir: Dir,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        let dir = Dir::new();
        // The server may run under another user than the test.
        std::fs::set_permissions(dir.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Self { dir, url: String::new() };
        cluster.url = cluster.helper("start").unwrap();
        cluster
    }

    fn helper(&self, verb: &str) -> Result<String, String> {
        let output = Command::new(HELPER).arg(verb).arg(self.dir.path("pg")).output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A database on it, not initialised.
    fn site(&self) -> Site {
        let dir = Dir::new();
        let db = format!("@{}", dir.write("url", &self.url));
        Site { dir, db }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = self.helper("stop");
        assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
    }
}

#[test]
fn whole_life_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    let empty = site.refused(&["config", "list"]);
    assert!(empty.contains("os4xapi init"), "{empty}");
    let said = site.ok(&["init"]);
    let password = cluster.url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(password.len() == 32 && !said.contains(password), "{said}");
    whole_life(&site);
}

#[test]
fn a_database_that_went_away_is_used_again_when_it_is_back() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    let serve = site.serve();
    let client = site.client(&serve);
    client.generation();
    cluster.helper("stop").unwrap();
    let answer = client.call(&json!({"function": "proxy_client_config"}));
    assert_eq!((answer.status, answer.code()), (500, "internal"));
    serve.await_line("call_failed cause=\"the database is out of reach");
    serve.await_line("time_slice_failed");
    cluster.helper("start").unwrap();
    client.generation();
    serve.await_line("time_slice_recovered");
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let dir = Dir::new();
    let db = format!("postgres://os4x:topsecret@localhost/none?host={}", dir.path("nowhere").display());
    let site = Site { dir, db };
    let said = site.refused(&["config", "list"]);
    assert!(said.contains("postgres://localhost/none") && !said.contains("topsecret"), "{said}");
}
