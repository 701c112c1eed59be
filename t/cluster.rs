//! scripts/cluster as people use it, with a small load: one server is killed, and each session has its one end in the
//! list, under the partner's real address. It takes most of a minute and needs root, HAProxy, keepalived and
//! PostgreSQL, so it is no part of the gate: releases run it with all parts and the whole load.

use std::path::PathBuf;
use std::process::Command;
use t::binaries;

const CLUSTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/cluster");

/// The folder of the cluster, removed at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
#[ignore = "it takes most of a minute, and root's namespaces"]
fn a_column_that_is_killed_touches_no_session_of_the_other_and_new_ones_succeed_at_once() {
    let folder = Folder(std::env::temp_dir().join(format!("os4x-cluster-{}", std::process::id())));
    let binaries = binaries::path("os4xapi").parent().unwrap().to_owned();
    let output = Command::new(CLUSTER)
        .args([
            "--sessions",
            "10",
            "--rate",
            "5",
            "--down",
            "3",
            "--kill",
            "server-a",
            "--kill",
            "inside-b",
            "--dir",
        ])
        .arg(&folder.0)
        .arg("--bin")
        .arg(binaries)
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{stdout}\n{}", String::from_utf8_lossy(&output.stderr));
    for part in ["server-a", "inside-b", "(the end)"] {
        assert!(stdout.lines().any(|line| line.starts_with(part) && line.ends_with("good")), "{stdout}");
    }
}
