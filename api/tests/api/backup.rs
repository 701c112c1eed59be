//! Backups of the database while it is in use, and back; a plain copy of its file; and a database that went backwards.

use crate::pki::Identity;
use crate::site::{Dir, Site};
use nix::sys::signal::Signal;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;

const PROXY: &str = "00000000000000000000000000000000000000000000000000000000000000aapx";

fn partners(site: &Site) -> Vec<String> {
    let all = site.json(&["partner", "list"]);
    all.as_array().unwrap().iter().map(|one| one["short_name"].as_str().unwrap().to_owned()).collect()
}

/// The one file beside the database whose name has `.before-`.
fn kept(site: &Site) -> String {
    let names = std::fs::read_dir(site.dir.path("")).unwrap();
    let names = names.map(|one| one.unwrap().path().to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| name.contains("test.db.before-")).collect();
    assert_eq!(names.len(), 1, "{names:?}");
    names.remove(0)
}

#[test]
fn a_backup_is_whole_and_comes_back_while_serve_runs() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    site.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE", "--host", "one.example"]);
    client.ok(&json!({"function": "proxy_session", "events": [
        {"event": "end", "session": "s1", "time": 1, "octets_in": 1, "octets_out": 1, "files": 1, "reason": "x",
         "transfers": [{"sender": "partner", "name": "F", "octets": 5, "result": "refused", "reason": 13}]}]}));
    let sessions = site.json(&["sessions"]);
    let file = site.dir.path("copy.db").to_str().unwrap().to_owned();
    let said = site.ok(&["backup", &file]);
    assert!(said.contains(&file) && said.contains("generation"), "{said}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(site.refused(&["backup", &file]).contains("left as it is"));

    site.ok(&["partner", "add", "TWO", "--ssid", "O0013TWO"]);
    let before = client.generation();
    let refusal = site.refused(&["restore", &file]);
    assert!(refusal.contains("--yes") && refusal.contains("would be lost"), "{refusal}");
    assert_eq!(partners(&site), ["ONE", "TWO"]);
    let said = site.ok(&["restore", &file, "--yes"]);
    assert!(said.contains(&kept(&site)), "{said}");
    assert_eq!(partners(&site), ["ONE"]);
    assert_eq!(site.json(&["sessions"]), sessions);
    assert!(client.generation() > before, "the daemons would not take it over");
    let old = Site { dir: Dir::new(), db: kept(&site) };
    assert_eq!(partners(&old), ["ONE", "TWO"]);
    let log = serve.end(Signal::SIGTERM);
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn what_is_no_backup_changes_nothing() {
    let site = Site::new();
    site.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE"]);
    let none = site.dir.path("none").to_str().unwrap().to_owned();
    assert!(site.refused(&["restore", &none, "--yes"]).contains("os4xapi backup"));
    let text = site.dir.write("text", "no database, but long enough to be looked at");
    for file in [&text, &site.dir.write("empty", ""), &site.db] {
        site.refused(&["restore", file, "--yes"]);
    }
    assert_eq!(partners(&site), ["ONE"]);
    let left = std::fs::read_dir(site.dir.path("")).unwrap().count();
    assert_eq!(left, 3, "the database and the two files");
}

#[test]
fn a_database_that_is_gone_or_broken_comes_back() {
    let site = Site::new();
    site.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE"]);
    let file = site.dir.path("copy.db").to_str().unwrap().to_owned();
    site.ok(&["backup", &file]);
    std::fs::remove_file(&site.db).unwrap();
    site.ok(&["restore", &file]);
    assert_eq!(partners(&site), ["ONE"]);
    std::fs::write(&site.db, "broken, and long enough to be looked at").unwrap();
    let said = site.run(&["restore", &file]);
    assert!(said.status == 1 && said.err.contains("--yes"), "{}", said.err);
    site.ok(&["restore", &file, "--yes"]);
    assert_eq!(partners(&site), ["ONE"]);
    assert!(std::fs::read_to_string(kept(&site)).unwrap().starts_with("broken"));
}

#[test]
fn a_plain_copy_of_the_file_has_the_last_change() {
    let site = Site::new();
    let serve = site.serve();
    site.ok(&["partner", "add", "ONE", "--ssid", "O0013ONE"]);
    let copy = Site { dir: Dir::new(), db: site.dir.path("plain").to_str().unwrap().to_owned() };
    std::fs::copy(&site.db, &copy.db).unwrap();
    assert_eq!(partners(&copy), ["ONE"]);
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_database_that_went_backwards_is_told_once() {
    let site = Site::new();
    site.ok(&["proxy", "add", PROXY]);
    let ca = Identity::ca("CA");
    let (chain, key) = (site.dir.write("chain.pem", &ca.pem()), site.dir.write("key.pem", &ca.key_pem()));
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let serve = site.serve();
    let client = site.client(&serve);
    let fetch = |held: u64| {
        client.ok(&json!({"function": "proxy_config", "proxy_id": PROXY, "generation": held}))["config"]["generation"]
            .as_u64()
            .unwrap()
    };
    let now = fetch(1);
    assert_eq!(site.json(&["log"]), json!([]), "an older generation at the server is the rule");
    for held in [now + 7, now + 7, 1] {
        assert_eq!(fetch(held), now);
    }
    let log = site.json(&["log"]);
    assert_eq!((log.as_array().unwrap().len(), &log[0]["level"]), (1, &json!("ERROR")), "{log}");
    let detail = log[0]["detail"].as_str().unwrap();
    assert!(
        detail.contains(&format!("generation={now} held={}", now + 7)) && detail.contains("backup"),
        "{detail}"
    );
    let log = serve.end(Signal::SIGTERM);
    assert_eq!(log.matches("ERROR    ").count(), 1, "{log}");
}

#[test]
fn the_last_backup_is_recorded_and_its_age_is_reported() {
    let site = Site::new();
    let file = site.dir.path("copy.db").to_str().unwrap().to_owned();
    let reported = || {
        let status = site.json(&["status"]);
        let all = status["findings"].as_array().unwrap().clone();
        let is_of_backup =
            |one: &&serde_json::Value| one["remedy"].as_str().unwrap().contains("backup --done");
        all.iter().find(is_of_backup).map(|one| one["what"].as_str().unwrap().to_owned())
    };
    let a_week_passes = || site.sql("UPDATE os4x_audit SET time = time - 7 * 86400 - 1");
    assert_eq!(reported(), None, "it has just been made");
    assert!(site.ok(&["status"]).contains("last backup never"));
    a_week_passes();
    assert!(reported().unwrap().contains("no backup is recorded"));
    site.ok(&["backup", &file]);
    assert_eq!(reported(), None);
    let row = &site.json(&["audit", "list", "--act", "backup"])[0];
    assert_eq!(row["new"]["backup"]["file"], file, "{row}");
    assert!(site.json(&["status"])["last_backup"].as_i64().unwrap() > crate::pki::now() - 60);
    a_week_passes();
    assert!(reported().unwrap().starts_with("the last backup of the database is of"));
    assert!(site.ok(&["backup", "--done"]).contains("another program"));
    assert_eq!(reported(), None);
    a_week_passes();
    assert!(reported().is_some());
    site.ok(&["config", "set", "api_backup_days", "0"]);
    assert_eq!(reported(), None);
    for words in [&["backup"][..], &["backup", &file, "--done"]] {
        assert_eq!(site.run(words).status, 64, "{words:?}");
    }
}
