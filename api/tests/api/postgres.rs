//! The same life on PostgreSQL, on a private cluster that `scripts/lib/postgres-for-tests` makes: installed or failed
//! clearly, never skipped.

use crate::life::whole_life;
use crate::site::{Dir, Site};
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
        let output = Command::new(HELPER).arg("start").arg(dir.path("pg")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Self { dir, url: String::from_utf8(output.stdout).unwrap().trim().to_owned() }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let stopped = Command::new(HELPER).arg("stop").arg(self.dir.path("pg")).status();
        assert!(stopped.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

#[test]
fn whole_life_on_postgresql() {
    let cluster = Cluster::start();
    let dir = Dir::new();
    let db = format!("@{}", dir.write("url", &cluster.url));
    let site = Site { dir, db };
    let empty = site.refused(&["config", "list"]);
    assert!(empty.contains("os4xapi init"), "{empty}");
    let said = site.ok(&["init"]);
    let password = cluster.url.split(':').nth(2).unwrap().split('@').next().unwrap();
    assert!(password.len() == 32 && !said.contains(password), "{said}");
    whole_life(&site);
}

#[test]
fn a_database_that_is_not_there_is_named_without_its_password() {
    let dir = Dir::new();
    let db = format!("postgres://os4x:topsecret@localhost/none?host={}", dir.path("nowhere").display());
    let site = Site { dir, db };
    let said = site.refused(&["config", "list"]);
    assert!(said.contains("postgres://localhost/none") && !said.contains("topsecret"), "{said}");
}
