//! Each command that changes something leaves one row in the audit. The commands are taken from the help: a new command
//! that is not in the table here fails the test.

use crate::pki::{self, Identity};
use crate::postgres::Cluster;
use crate::site::Site;
use crate::web::Web;
use common::text::clock;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Commands that change nothing in the database.
const READING: [&str; 30] = [
    "serve",
    "backup",
    "export",
    "config get",
    "config list",
    "partner list",
    "partner show",
    "proxy list",
    "proxy show",
    "proxyclient list",
    "cert list",
    "cert show",
    "trust list",
    "crl list",
    "token show",
    "ban list",
    "ignore list",
    "expiry",
    "status",
    "check",
    "refused",
    "log",
    "sessions",
    "support",
    "user list",
    "key list",
    "audit list",
    "audit show",
    "audit verify",
    "help",
];

pub(crate) fn rows(site: &Site) -> Vec<Value> {
    site.json(&["audit", "list", "--limit", "100000"]).as_array().unwrap().clone()
}

/// The number of the newest row.
pub(crate) fn newest(site: &Site) -> i64 {
    rows(site).last().unwrap()["number"].as_i64().unwrap()
}

/// Everything that a command may change, and the audit.
pub(crate) fn everything(site: &Site) -> Vec<String> {
    let lists = [
        "config",
        "partner",
        "proxy",
        "proxyclient",
        "cert",
        "trust",
        "crl",
        "ban",
        "ignore",
        "user",
        "key",
        "audit",
    ];
    lists.iter().map(|kind| site.json(&[kind, "list"]).to_string()).collect()
}

/// All commands of the help, by their words.
fn commands(site: &Site) -> BTreeSet<String> {
    let help = site.ok(&["-h"]);
    let (_, list) = help.split_once("usage: os4xapi COMMAND").unwrap();
    let mut found = BTreeSet::new();
    for line in list.lines().filter(|line| line.starts_with("  ")) {
        let (words, _) = line.trim().split_once("  ").unwrap();
        match words.split_once(' ') {
            None => assert!(found.insert(words.to_owned())),
            Some((group, verbs)) => {
                found.extend(verbs.split('|').map(|verb| format!("{group} {verb}")));
            }
        }
    }
    assert!(found.len() > 40, "{found:?}");
    found
}

/// The files of operators.
pub(crate) struct Files {
    pub(crate) ca: String,
    pub(crate) chain: String,
    pub(crate) key: String,
    crl: String,
    url: String,
    pub(crate) proxy: String,
    licence: String,
    soon: String,
    table: String,
    web: Web,
}

impl Files {
    pub(crate) fn new(site: &Site) -> Self {
        let (ca, web) = (Identity::ca("Audit CA"), Web::new());
        let own = ca.issue("we.example");
        let fetched = ca.crl_signed_by(0, 9, &ca.key).to_der().unwrap();
        Self {
            ca: site.dir.write("ca.pem", &ca.pem()),
            chain: site.dir.write("chain.pem", &own.pem()),
            key: site.dir.write("own.key", &own.key_pem()),
            crl: site.dir.write("ca.crl", &ca.crl(60)),
            url: web.put("/ca.crl", &fetched),
            proxy: pki::proxy_id(),
            licence: site.dir.path("server.lic").to_str().unwrap().to_owned(),
            table: site.dir.write("partners.csv", "name,ssid\nTABLE,O0013TABLE\n"),
            soon: clock::rfc3339(pki::now() + 3_600),
            web,
        }
    }
}

/// Each changing command on an existing database, in an order in which each has something to change.
fn acts(files: &Files) -> Vec<(&'static str, Vec<&str>)> {
    let overlap = ["--overlap", "1h", "-o", "/dev/null"];
    vec![
        ("setup", vec!["--server", "dmz.example", "--station", "station.example:3310"]),
        ("config set", vec!["proxy_crl_allow_private", "yes"]),
        ("cert set", vec!["--chain", &files.chain, "--key", &files.key]),
        ("cert csr", vec!["-o", "/dev/null"]),
        ("cert next", vec!["--chain", &files.chain, "--key", &files.key, "--from", &files.soon]),
        ("cert https", vec!["--host", "inside.example"]),
        ("cert set", vec!["panel", "--chain", &files.chain, "--key", &files.key]),
        ("cert unset", vec!["panel"]),
        ("trust add", vec![&files.ca]),
        ("trust set", vec!["Audit CA", "--no-crl", "yes"]),
        ("crl add", vec![&files.crl]),
        ("crl fetch", vec![&files.url]),
        ("crl remove", vec![&files.url]),
        ("trust remove", vec!["Audit CA"]),
        ("partner add", vec!["ACME", "--ssid", "O0013ACME"]),
        ("partner set", vec!["ACME", "--host", "acme.example"]),
        ("partner debug", vec!["ACME", "--for", "30m"]),
        ("proxyclient add", vec!["192.0.2.7"]),
        ("proxyclient remove", vec!["192.0.2.7"]),
        ("partner remove", vec!["ACME"]),
        ("proxy add", vec![&files.proxy]),
        ("proxy set", vec![&files.proxy, "tcp_port_tls", "6620"]),
        ("proxy unset", vec![&files.proxy, "tcp_port_tls"]),
        ("proxy drain", vec![&files.proxy]),
        ("proxy undrain", vec![&files.proxy]),
        ("proxy remove", vec![&files.proxy]),
        ("licence issue", vec![&files.proxy, "-o", &files.licence]),
        ("token rotate", overlap.to_vec()),
        ("ban add", vec!["203.0.113.0/24"]),
        ("ban remove", vec!["203.0.113.0/24"]),
        ("ignore add", vec!["some words"]),
        ("user add", vec!["anna", "--role", "administrator"]),
        ("user add", vec!["ben", "--role", "operator"]),
        ("user set", vec!["ben", "--role", "auditor"]),
        ("user reset", vec!["ben"]),
        ("user remove", vec!["ben"]),
        ("key add", vec!["monitor", "--role", "auditor", "--scope", "metrics", "-o", "/dev/null"]),
        ("key remove", vec!["monitor"]),
        ("import", vec![&files.table]),
    ]
}

/// The contents of the SQLite file, which has the whole database after each command; on PostgreSQL the main tables.
fn state(site: &Site) -> Vec<u8> {
    match site.db.strip_prefix('@') {
        None => std::fs::read(&site.db).unwrap(),
        Some(_) => site.json(&["audit", "list"]).to_string().into_bytes(),
    }
}

/// Runs `words` with `--dry-run`, which changes nothing, then without it, which leaves one row.
fn leaves_one_row(site: &Site, command: &str, words: &[&str]) {
    let before = state(site);
    let words: Vec<&str> = command.split(' ').chain(words.iter().copied()).collect();
    let asked = site.ok(&[&words[..], &["--dry-run"]].concat());
    assert!(asked.starts_with("Nothing was changed. This would be:\n  "), "{command}: {asked}");
    assert!(state(site) == before, "{command} --dry-run");
    let last = newest(site);
    site.ok(&words);
    let rows = rows(site);
    let row = rows.last().unwrap();
    assert_eq!((&row["number"], &row["act"]), (&json!(last + 1), &json!(command)), "{row}");
    assert_eq!((&row["way"], &row["role"]), (&json!("cli"), &json!("administrator")));
    assert_ne!(row["old"], row["new"], "{row}");
    assert!(site.ok(&["audit", "verify"]).contains(&format!("{} rows", last + 1)));
}

/// Runs all changing commands on `site`; gives the commands that it ran.
fn do_everything(site: &Site) -> BTreeSet<String> {
    let files = Files::new(site);
    let mut done = BTreeSet::from(["init".to_owned()]);
    assert_eq!((rows(site).len(), &rows(site)[0]["act"]), (1, &json!("init")));
    for (command, words) in acts(&files) {
        leaves_one_row(site, command, &words);
        done.insert(command.to_owned());
    }
    assert!(!files.web.asked().is_empty());
    let ignored = site.json(&["ignore", "list"])[0]["id"].to_string();
    leaves_one_row(site, "ignore remove", &[&ignored]);
    done.insert("ignore remove".to_owned());
    leaves_one_row(site, "ban add", &["198.51.100.0/24"]);
    let number = newest(site).to_string();
    leaves_one_row(site, "audit revert", &[&number]);
    done.insert("audit revert".to_owned());
    done
}

/// Ends a session whose client carries the act out at once.
fn end_session(site: &Site) {
    site.sql("INSERT INTO os4x_sessions (session, client, received, partner, orphaned) VALUES ('ab', 'c', 1, 'p', 0)");
    site.sql("INSERT INTO os4x_clients_seen (address, seen) VALUES ('c', 99999999999)");
    site.sql_done(
        "CREATE TRIGGER client AFTER INSERT ON os4x_acts BEGIN \
         UPDATE os4x_acts SET taken = 1, done = 1, outcome = 'done'; \
         UPDATE os4x_sessions SET ended = 1, reason = 'administrator', detail = 'over'; END",
    );
    leaves_one_row(site, "session end", &["a"]);
    site.sql_done("DROP TRIGGER client");
}

/// Unlocks a user who has failed too often.
fn unlock_user(site: &Site) {
    site.sql("UPDATE os4x_users SET failed = 10, locked_until = 99999999999 WHERE name = 'anna'");
    assert_eq!(site.json(&["user", "list"])[0]["state"], "locked");
    leaves_one_row(site, "user unlock", &["anna"]);
    assert_eq!(site.json(&["user", "list"])[0]["state"], "invited");
}

/// Tests a partner whose client reports at once that each step is good.
fn test_partner(site: &Site) {
    site.ok(&["partner", "add", "called", "--ssid", "O0013CALLED", "--host", "192.0.2.1"]);
    site.sql_done(
        r#"CREATE TRIGGER client AFTER INSERT ON os4x_acts BEGIN
            UPDATE os4x_acts SET taken = 1, done = 1, outcome = 'done', steps =
            '[{"step":"name","good":true,"ms":1,"text":""},{"step":"tcp","good":true,"ms":1,"text":""},
              {"step":"tls","good":true,"ms":1,"text":""},{"step":"certificate","good":true,"ms":1,"text":""},
              {"step":"ssrm","good":true,"ms":1,"text":""}]'; END"#,
    );
    leaves_one_row(site, "partner test", &["called"]);
    site.sql_done("DROP TRIGGER client");
}

#[test]
fn each_changing_command_leaves_one_row() {
    let site = Site::new();
    let mut done = do_everything(&site);

    unlock_user(&site);
    done.insert("user unlock".to_owned());

    end_session(&site);
    done.insert("session end".to_owned());
    test_partner(&site);
    done.insert("partner test".to_owned());

    let backup = site.dir.path("backup.db").to_str().unwrap().to_owned();
    site.ok(&["backup", &backup]);
    site.ok(&["ban", "add", "192.0.2.0/24"]);
    leaves_one_row(&site, "restore", &[&backup, "--yes"]);
    done.insert("restore".to_owned());
    // The audit still has the acts, although the old rows are back.
    assert_eq!(site.json(&["ban", "list"]), json!([]));
    assert!(rows(&site).iter().any(|row| row["object"] == "ban 192.0.2.0/24"));

    let cluster = Cluster::start();
    let copy = cluster.site();
    let last = newest(&site);
    assert!(site.ok(&["copy", "--to", &copy.db, "--dry-run"]).contains("database"));
    assert!(copy.refused(&["audit", "list"]).contains("os4xapi init"));
    site.ok(&["copy", "--to", &copy.db]);
    assert_eq!((newest(&copy), newest(&site)), (last + 1, last));
    assert!(copy.ok(&["audit", "verify"]).contains("whole"));
    done.insert("copy".to_owned());

    let reading: BTreeSet<String> = READING.map(str::to_owned).into();
    for command in commands(&site) {
        let words: Vec<&str> = command.split(' ').chain(["-h"]).collect();
        let changes = site.ok(&words).contains("--dry-run");
        assert_eq!(changes, done.contains(&command), "{command}");
        assert_ne!(changes, reading.contains(&command), "{command}");
    }
}

#[test]
fn each_changing_command_leaves_one_row_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    assert!(site.ok(&["init", "--dry-run"]).contains("+ token"));
    assert!(site.refused(&["audit", "list"]).contains("os4xapi init"));
    site.ok(&["init"]);
    do_everything(&site);
}
