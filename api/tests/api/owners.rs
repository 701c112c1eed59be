//! The owners of files: files that root makes are given to the owner of the folder, a user who may not open the
//! database is told its owner, and only the owner can read a file with a token. If the tests do not run as root, the
//! owner is the user.

use crate::site::{Dir, PROGRAM, Said, Site};
use nix::unistd::{Uid, chown, geteuid};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// A user without rights, if the tests can give files to it; else their own.
fn owner() -> Uid {
    if geteuid().is_root() { Uid::from_raw(65_534) } else { geteuid() }
}

/// A folder of this owner, with a database that this user makes in it.
fn site() -> Site {
    let dir = Dir::new();
    chown(&dir.path(""), Some(owner()), None).unwrap();
    let db = dir.path("test.db").to_str().unwrap().to_owned();
    let site = Site { dir, db };
    site.ok(&["init"]);
    site
}

#[test]
fn what_root_makes_belongs_to_the_owner_of_the_folder() {
    let site = site();
    let place = |name: &str| site.dir.path(name).to_str().unwrap().to_owned();
    site.ok(&["config", "set", "api_log_file", &place("api.log")]);
    site.ok(&["backup", &place("copy.db")]);
    site.ok(&["token", "show", "-o", &place("token")]);
    if geteuid().is_root() {
        chown(&site.dir.path("test.db"), Some(Uid::from_raw(0)), None).unwrap();
    }
    let serve = site.serve();
    site.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE"]);
    let mut seen = Vec::new();
    for file in std::fs::read_dir(site.dir.path("")).unwrap() {
        let (file, name) = (file.as_ref().unwrap(), file.as_ref().unwrap().file_name());
        let name = name.into_string().unwrap();
        // The test itself makes this file.
        if name != "serve.log" {
            assert_eq!(file.metadata().unwrap().uid(), owner().as_raw(), "{name}");
            seen.push(name);
        }
    }
    seen.sort();
    assert_eq!(seen, ["api.log", "copy.db", "test.db", "test.db-shm", "test.db-wal", "token"]);
    drop(serve);
}

#[test]
fn a_user_who_may_not_open_the_database_is_told_whose_it_is() {
    let site = Site::new();
    let (program, db) = (site.dir.path("os4xapi"), site.dir.path("test.db"));
    let user = owner();
    // Another process does this: a descriptor open for writing here would be inherited by children of other tests, and
    // the file would be busy.
    assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    if !geteuid().is_root() {
        std::fs::set_permissions(&db, std::fs::Permissions::from_mode(0o0)).unwrap();
    }
    let mut command = Command::new(&program);
    command.args(["config", "list", "--db", &site.db]).uid(user.as_raw());
    let said = Said::of(&command.output().unwrap());
    assert_eq!(said.status, 1);
    let its_owner = nix::unistd::User::from_uid(geteuid()).unwrap().unwrap().name;
    for part in [format!("belongs to {its_owner}"), format!("runuser -u {its_owner} -- os4xapi")] {
        assert!(said.err.contains(&part), "{}", said.err);
    }
}

#[test]
fn a_token_in_a_file_is_for_its_owner_alone() {
    let site = Site::new();
    let file = site.dir.write("token", "wide open");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(site.ok(&["token", "show", "-o", &file]), "");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), site.token());
    site.ok(&["token", "rotate", "-o", &file]);
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), site.token());
}
