//! The same life on PostgreSQL, on a private cluster that `scripts/lib/postgres-for-tests` makes: it is installed, or
//! the test fails with a clear message; it is never skipped. And the case that the database stops while `serve` runs.

use crate::life::whole_life;
use crate::site::{Dir, Site, await_that};
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const HELPER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/postgres-for-tests");

/// A cluster in its own directory; stopped when dropped, before the directory is removed.
pub(crate) struct Cluster {
    dir: Dir,
    pub(crate) url: String,
}

impl Cluster {
    pub(crate) fn start() -> Self {
        let dir = Dir::new();
        // The server may run under another user than the test.
        std::fs::set_permissions(dir.path("."), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Self { dir, url: String::new() };
        cluster.url = cluster.helper("start").unwrap();
        cluster
    }

    pub(crate) fn helper(&self, verb: &str) -> Result<String, String> {
        let output = Command::new(HELPER).arg(verb).arg(self.dir.path("pg")).output().unwrap();
        if output.status.success() {
            Ok(String::from_utf8(output.stdout).unwrap().trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// A database on it, not initialised.
    pub(crate) fn site(&self) -> Site {
        Self::site_at(&self.url)
    }

    /// The same, through a PgBouncer in transaction mode.
    fn pooled_site(&self) -> Site {
        let url = self.helper("pool").unwrap();
        await_that("PgBouncer", || self.dir.path("pg/.s.PGSQL.6432").exists());
        Self::site_at(&url)
    }

    fn site_at(url: &str) -> Site {
        let dir = Dir::new();
        let db = format!("@{}", dir.write("url", url));
        Site { dir, db }
    }

    /// Lets it hang until the returned value is dropped.
    pub(crate) fn pause(&self) -> Pause<'_> {
        self.helper("pause").unwrap();
        Pause(self)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = self.helper("stop");
        assert!(stopped.is_ok() || std::thread::panicking(), "{stopped:?}");
    }
}

/// A cluster that hangs.
pub(crate) struct Pause<'a>(&'a Cluster);

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        let resumed = self.0.helper("resume");
        assert!(resumed.is_ok() || std::thread::panicking(), "{resumed:?}");
    }
}

#[test]
fn whole_life_behind_a_pooler_that_gives_each_transaction_another_connection() {
    let cluster = Cluster::start();
    let site = cluster.pooled_site();
    site.ok(&["init"]);
    whole_life(&site);
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
fn a_site_moves_from_sqlite_with_all_it_has() {
    let (old, cluster) = (Site::new(), Cluster::start());
    let new = cluster.site();
    old.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE", "--host", "one.example", "--usage", "any"]);
    old.ok(&["partner", "add", "TWO", "--ssid", "O0013TWO"]);
    old.ok(&["proxyclient", "add", "192.0.2.1", "--partner", "ONE", "--port", "4712"]);
    old.ok(&["ignore", "add", "some words", "--description", "it is known"]);
    old.ok(&["ban", "add", "203.0.113.0/24", "--description", "a scanner"]);
    old.ok(&["partner", "set", "TWO", "--network", "198.51.100.0/24"]);
    old.ok(&["config", "set", "tcp_port", "3306"]);
    let serve = old.serve();
    let client = old.client(&serve);
    // More rows than are copied at a time.
    let end = |number: usize| {
        json!({"event": "end", "session": format!("s{number}"), "time": 1, "octets_in": 1, "octets_out": 1, "files": 1,
         "reason": "x", "transfers": [
             {"sender": "partner", "name": "F", "octets": 5, "result": "refused", "reason": 13},
             {"sender": "station", "name": "G", "octets": 6, "result": "accepted"}]})
    };
    client.ok(&json!({"function": "proxy_session", "events": (0..250).map(end).collect::<Vec<_>>()}));
    let before = client.generation();
    serve.end(nix::sys::signal::Signal::SIGTERM);
    let said = old.ok(&["copy", "--to", &new.db]);
    assert!(said.contains("rows copied"), "{said}");
    for list in [
        &["partner", "list"][..],
        &["proxyclient", "list"],
        &["ban", "list"],
        &["ignore", "list"],
        &["config", "list"],
        &["cert", "list"],
        &["sessions", "--limit", "1000"],
    ] {
        assert_eq!(new.json(list), old.json(list), "{list:?}");
    }
    assert_eq!(new.token(), old.token());
    // The next number is a free one.
    new.ok(&["ignore", "add", "other words"]);
    assert_eq!(new.json(&["ignore", "list"]).as_array().unwrap().len(), 2);
    let serve = new.serve();
    assert!(new.client(&serve).generation() > before, "the daemons would not take it over");
    assert!(old.refused(&["copy", "--to", &new.db]).contains("already"));
    assert_eq!(old.run(&["copy", "--to", "other.db"]).status, 64);
    for command in ["backup", "restore"] {
        assert!(new.refused(&[command, "/nonexistent/file"]).contains("pg_"));
    }
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
