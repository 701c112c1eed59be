//! The audit: failed acts leave no row, no secret is in it, an edited character is found, and an act can be reverted.

use crate::audited_commands::{Files, everything, newest, rows};
use crate::pki::{self, Identity};
use crate::postgres::Cluster;
use crate::site::{Dir, PROGRAM, Said, Site};
use common::text::clock;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

#[test]
fn a_new_database_has_one_row_and_a_dry_run_makes_none() {
    let dir = Dir::new();
    let site = Site { db: dir.path("new.db").to_str().unwrap().to_owned(), dir };
    let setup = ["setup", "--server", "dmz.example", "--partner", "ACME", "--ssid", "O0013ACME"];
    for words in [&["init"][..], &setup] {
        let asked = site.ok(&[words, &["--dry-run"]].concat());
        assert!(asked.contains("+ cert ca"), "{asked}");
        assert_eq!(std::fs::read_dir(site.dir.path("")).unwrap().count(), 0);
    }
    // A failed command leaves no database.
    let bad = [&setup[..5], &["--ssid", "O'13"]].concat();
    assert_eq!(site.run(&bad).status, 64);
    assert_eq!(std::fs::read_dir(site.dir.path("")).unwrap().count(), 0);
    site.ok(&setup);
    let rows = rows(&site);
    assert_eq!((rows.len(), &rows[0]["act"]), (1, &json!("setup")));
    assert_eq!(rows[0]["new"]["partner ACME"]["ssid"], "O0013ACME");
}

#[test]
fn what_fails_leaves_nothing() {
    let site = Site::new();
    site.ok(&["partner", "add", "A", "--ssid", "O0013A"]);
    let (one, two) = (Identity::ca("One"), Identity::ca("Two"));
    let both = site.dir.write("both.pem", &one.pem());
    let forged = one.crl_signed_by(0, 3, &two.key).to_pem().unwrap();
    let forged = site.dir.write("forged.crl", &String::from_utf8(forged).unwrap());
    site.ok(&["trust", "add", &both]);
    let good = site.dir.write("good.crl", &one.crl(60));
    let before = everything(&site);
    for words in [
        &["partner", "add", "A", "--ssid", "O0013B"][..],
        &["partner", "add", "B", "--ssid", "O0013A"],
        &["partner", "remove", "B"],
        &["config", "set", "proxy_unverified_hard", "1"],
        &["crl", "add", &good, &forged],
        &["proxyclient", "add", "192.0.2.1", "--partner", "B", "--port", "1"],
        &["ban", "remove", "203.0.113.9"],
        &["ignore", "remove", "7"],
        &["ignore", "add", "some words", "--partner", "B"],
        &["audit", "revert", "99"],
    ] {
        site.refused(words);
        assert_eq!(everything(&site), before, "{words:?}");
    }
    // A command without an effect is not an act.
    site.ok(&["partner", "set", "A", "--enabled", "yes"]);
    assert_eq!(everything(&site), before);
}

#[test]
fn no_secret_is_in_the_audit() {
    let site = Site::new();
    let files = Files::new(&site);
    let old = site.token();
    site.ok(&["cert", "set", "--chain", &files.chain, "--key", &files.key]);
    site.ok(&["token", "rotate"]);
    let proxy = site.dir.write("proxy", "http://me:first-word@proxy.example:3128\n");
    site.ok(&["config", "set", "https_proxy", &format!("@{proxy}")]);
    let last = newest(&site);
    // A new password alone is a change.
    std::fs::write(&proxy, "http://me:other-word@proxy.example:3128\n").unwrap();
    site.ok(&["config", "set", "https_proxy", &format!("@{proxy}")]);
    assert_eq!(newest(&site), last + 1);
    let all = rows(&site);
    let text = serde_json::to_string(&all).unwrap();
    for secret in ["PRIVATE KEY", "first-word", "other-word", &old[..64], &site.token()[..64]] {
        assert!(!text.contains(secret), "{secret}");
    }
    let of = |act: &str| all.iter().rfind(|row| row["act"] == act).unwrap()["new"].clone();
    assert!(of("cert set")["cert own"]["key"].as_str().unwrap().starts_with("sha256:"));
    assert!(of("token rotate")["token"]["fingerprint"].as_str().unwrap().starts_with("sha256:"));
    assert_eq!(of("config set")["config https_proxy"]["value"], "http://me:***@proxy.example:3128");
}

#[test]
fn one_edited_character_is_found() {
    let site = Site::new();
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--host", "acme.example"]);
    site.ok(&["ban", "add", "203.0.113.0/24"]);
    site.ok(&["partner", "set", "ACME", "--host", "acme2.example"]);
    let whole = site.ok(&["audit", "verify"]);
    assert!(whole.contains("4 rows") && whole.contains(rows(&site)[3]["hash"].as_str().unwrap()), "{whole}");
    for (edit, back, found) in [
        (
            "UPDATE os4x_audit SET new_value = REPLACE(new_value, 'acme.', 'acmf.') WHERE number = 2",
            "UPDATE os4x_audit SET new_value = REPLACE(new_value, 'acmf.', 'acme.') WHERE number = 2",
            "row 2 was edited",
        ),
        (
            "UPDATE os4x_audit SET old_value = old_value || ' ' WHERE number = 4",
            "UPDATE os4x_audit SET old_value = TRIM(old_value) WHERE number = 4",
            "row 4 was edited",
        ),
        (
            "UPDATE os4x_audit SET actor = 'x' || actor WHERE number = 1",
            "UPDATE os4x_audit SET actor = SUBSTR(actor, 2) WHERE number = 1",
            "row 1 was edited",
        ),
        (
            "UPDATE os4x_audit SET time = time + 1 WHERE number = 3",
            "UPDATE os4x_audit SET time = time - 1 WHERE number = 3",
            "row 3 was edited",
        ),
        (
            "UPDATE os4x_audit SET address = '' WHERE number = 3",
            "UPDATE os4x_audit SET address = NULL WHERE number = 3",
            "row 3 was edited",
        ),
        (
            "UPDATE os4x_audit SET hash = 'x' || SUBSTR(hash, 2) WHERE number = 2",
            "UPDATE os4x_audit SET hash = (SELECT previous FROM os4x_audit WHERE number = 3) WHERE number = 2",
            "row 2 was edited",
        ),
        (
            "UPDATE os4x_audit SET number = 9 WHERE number = 4",
            "UPDATE os4x_audit SET number = 4 WHERE number = 9",
            "row 9 does not follow",
        ),
    ] {
        site.sql(edit);
        let refusal = site.refused(&["audit", "verify"]);
        assert!(refusal.contains(found) && refusal.contains("tampered"), "{edit}: {refusal}");
        site.sql(back);
        assert_eq!(site.ok(&["audit", "verify"]), whole, "{back}");
    }
    site.sql("DELETE FROM os4x_audit WHERE number = 4");
    assert!(site.refused(&["audit", "verify"]).contains("last row is 3, and the chain ended with row 4"));
    site.sql("DELETE FROM os4x_audit WHERE number = 2");
    assert!(site.refused(&["audit", "verify"]).contains("row 3 does not follow"));
}

/// Many at a time on one database: each has its row, none is lost.
fn many_at_a_time(site: &Site) {
    let before = newest(site);
    let start = |number: usize| {
        let network = format!("10.0.{number}.0/24");
        let mut command = Command::new(PROGRAM);
        command.args(["ban", "add", &network, "--db", &site.db]);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children: Vec<_> = (0..12).map(start).collect();
    for child in children {
        let said = Said::of(&child.wait_with_output().unwrap());
        assert_eq!(said.status, 0, "{}", said.err);
    }
    assert!(site.ok(&["audit", "verify"]).contains(&format!("{} rows", before + 12)));
    // Each row has only its own act.
    let objects: BTreeMap<String, Value> = rows(site)
        .into_iter()
        .filter(|row| row["number"].as_i64() > Some(before))
        .map(|row| (row["object"].as_str().unwrap().to_owned(), row["new"].clone()))
        .collect();
    assert_eq!(objects.len(), 12, "{objects:?}");
    for (object, new) in objects {
        assert_eq!(new.as_object().unwrap().keys().collect::<Vec<_>>(), [&object]);
    }
}

#[test]
fn changes_at_a_time_are_one_chain() {
    many_at_a_time(&Site::new());
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    many_at_a_time(&site);
}

#[test]
fn a_stale_view_changes_nothing() {
    let site = Site::new();
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let version = || site.json(&["partner", "show", "ACME"])["version"].to_string();
    let (first, host) = (version(), ["--host", "a.example"]);
    let set = |words: &[&str], seen: &str| {
        site.run(&[&["partner", "set", "ACME"], words, &["--if-version", seen]].concat())
    };
    assert_eq!(set(&host, &first).status, 0);
    let second = version();
    assert_eq!(second, newest(&site).to_string());
    let before = everything(&site);
    let said = set(&["--host", "b.example"], &first);
    assert!(said.status == 1 && said.err.contains(&format!("audit show {second}")), "{}", said.err);
    assert_eq!(everything(&site), before);
    assert_eq!(set(&["--host", "b.example"], &second).status, 0);
    // Dependent objects count, too: the listener that would also be removed.
    let third = version();
    site.ok(&["proxyclient", "add", "192.0.2.1", "--partner", "ACME", "--port", "4711"]);
    assert!(site.refused(&["partner", "remove", "ACME", "--if-version", &third]).contains("proxyclient"));
    // An object that nobody has changed has version 0.
    let listed = site.json(&["config", "list"]);
    let port = listed.as_array().unwrap().iter().find(|row| row["name"] == "tcp_port").unwrap();
    assert_eq!(port["version"], 0);
    site.ok(&["config", "set", "tcp_port", "3306", "--if-version", "0"]);
    assert!(site.refused(&["config", "set", "tcp_port", "3307", "--if-version", "0"]).contains("meanwhile"));
    assert_eq!(site.run(&["config", "set", "tcp_port", "3307", "--if-version", "x"]).status, 64);
}

#[test]
fn an_act_is_taken_back() {
    let site = Site::new();
    let files = Files::new(&site);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--pin", &files.chain, "--host", "a.example"]);
    site.ok(&["proxyclient", "add", "192.0.2.1", "--partner", "ACME", "--port", "4711"]);
    let other = pki::proxy_id();
    site.ok(&["proxy", "add", &other, "--name", "dmz2"]);
    site.ok(&["proxy", "set", &other, "tcp_port_tls", "6620"]);
    let without_versions = |mut list: Value| {
        for row in list.as_array_mut().unwrap() {
            row.as_object_mut().unwrap().remove("version");
        }
        list
    };
    let lists = || {
        ["partner", "proxyclient", "trust", "ban", "ignore", "proxy", "config"]
            .map(|kind| without_versions(site.json(&[kind, "list"])))
    };
    for words in [
        &["partner", "set", "ACME", "--host", "b.example", "--profile", "strict", "--allow", "C1,C2"][..],
        &["partner", "remove", "ACME"],
        &["partner", "add", "TWO", "--ssid", "O0013TWO"],
        &["trust", "add", &files.ca, "--no-crl"],
        &["ban", "add", "203.0.113.0/24", "--description", "why", "--until", "2099-01-01"],
        &["ignore", "add", "some words", "--partner", "ACME"],
        &["proxy", "add", &files.proxy, "--name", "dmz1"],
        &["proxy", "set", &other, "tcp_outgoing_ip", ""],
        &["proxy", "unset", &other, "tcp_port_tls"],
        &["proxy", "drain", &other],
        &["proxy", "remove", &other],
        &["config", "set", "tcp_port", "3306"],
        &[
            "proxyclient",
            "add",
            "192.0.2.1",
            "--partner",
            "ACME",
            "--port",
            "4799",
            "--network",
            "10.0.0.0/8",
        ],
    ] {
        let before = lists();
        site.ok(words);
        let after = lists();
        assert_ne!(after, before, "{words:?}");
        let number = newest(&site).to_string();
        site.ok(&["audit", "revert", &number]);
        assert_eq!(lists(), before, "{words:?}");
        // A reverted act can be reverted again.
        let number = newest(&site).to_string();
        site.ok(&["audit", "revert", &number]);
        assert_eq!(lists(), after, "{words:?}");
        let number = newest(&site).to_string();
        site.ok(&["audit", "revert", &number]);
    }
    let shown = site.ok(&["audit", "show", "6"]);
    assert!(shown.contains("~ partner ACME: host: \"a.example\" -> \"b.example\""), "{shown}");
    let of = |filter: &[&str]| site.json(&[&["audit", "list"], filter].concat()).as_array().unwrap().len();
    assert_eq!(of(&["--act", "Partner Remove"]), 1);
    assert_eq!(of(&["--object", "ban 203.0.113.0/24", "--limit", "2"]), 2);
    assert_eq!((of(&["--since", "2099-01-01"]), of(&["--actor", "no%one"])), (0, 0));
    assert!(site.ok(&["audit", "verify"]).contains("whole"));
}

#[test]
fn what_changed_since_is_not_taken_back() {
    let site = Site::new();
    let files = Files::new(&site);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    site.ok(&["partner", "set", "ACME", "--host", "a.example"]);
    site.ok(&["partner", "set", "ACME", "--host", "b.example"]);
    let before = everything(&site);
    let refusal = site.refused(&["audit", "revert", "3"]);
    assert!(refusal.contains("not as row 3 has left it") && refusal.contains("audit show 4"), "{refusal}");
    assert_eq!(everything(&site), before);
    site.ok(&["partner", "remove", "ACME"]);
    site.ok(&["partner", "add", "OTHER", "--ssid", "O0013ACME"]);
    assert!(site.refused(&["audit", "revert", "5"]).contains("belongs to partner 'OTHER'"));
    // Values that the audit does not have cannot be restored.
    site.ok(&["cert", "set", "--chain", &files.chain, "--key", &files.key]);
    site.ok(&["token", "rotate"]);
    for number in ["7", "8"] {
        assert!(site.refused(&["audit", "revert", number]).contains("neither keys nor tokens"));
    }
}

#[test]
fn the_actor_is_who_called_sudo() {
    let site = Site::new();
    let add = |network: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["ban", "add", network, "--db", &site.db]);
        command.envs([("SUDO_USER", "anna"), ("SUDO_UID", "1234")]);
        command.env("SSH_CONNECTION", "192.0.2.77 50022 192.0.2.1 22");
        assert_eq!(Said::of(&command.output().unwrap()).status, 0);
        rows(&site).last().unwrap().clone()
    };
    let row = add("203.0.113.0/24");
    let actor = row["actor"].as_str().unwrap();
    if nix::unistd::getuid().is_root() {
        assert_eq!(actor, "anna(1234) as root(0)");
    } else {
        assert!(!actor.contains("anna"), "{actor}: only root is believed");
    }
    assert_eq!(row["address"], "192.0.2.77");
}

#[test]
fn who_reads_a_secret_is_in_the_audit() {
    let site = Site::new();
    let word = site.dir.write("word", "correct horse\n");
    for words in [&["token", "show"][..], &["export", "--passphrase-file", &word]] {
        let last = newest(&site);
        let secret = site.ok(words);
        let row = rows(&site).pop().unwrap();
        assert_eq!(row["number"], last + 1);
        assert_eq!((&row["old"], row["new"].as_object().unwrap().len()), (&json!({}), 1));
        assert!(row["act"].as_str().unwrap().starts_with(words[0]) && secret.len() > 64);
        assert!(
            site.refused(&["audit", "revert", &row["number"].to_string()]).contains("nothing that could")
        );
    }
    site.ok(&["export"]);
    assert_eq!(rows(&site).len(), 3);
}

#[test]
fn what_cannot_be_read_keeps_nobody_from_removing_it() {
    let site = Site::new();
    site.ok(&["partner", "add", "GOOD", "--ssid", "O0013GOOD"]);
    site.ok(&["partner", "add", "BAD", "--ssid", "O0013BAD"]);
    site.sql("UPDATE os4x_partners SET profile = 'of tomorrow' WHERE short_name = 'BAD'");
    assert!(site.refused(&["partner", "list"]).contains("partner 'BAD'"));
    site.ok(&["config", "set", "tcp_port", "3306"]);
    assert_eq!(site.json(&["audit", "list", "--limit", "1"])[0]["object"], "config tcp_port");
    site.ok(&["partner", "remove", "BAD"]);
    assert!(site.ok(&["partner", "list"]).contains("GOOD"));
    assert!(site.ok(&["audit", "verify"]).contains("whole"));
}

#[test]
fn each_act_is_a_line_in_the_log_of_serve() {
    let site = Site::new();
    let serve = site.serve();
    site.ok(&["ban", "add", "203.0.113.0/24", "--until", &clock::rfc3339(pki::now() + 3)]);
    serve.await_line("change number=2 way=cli actor=");
    serve.await_line("act=\"ban add\" object=\"ban 203.0.113.0/24\"");
    serve.await_line("change number=3 way=system actor=serve address=- act=\"ban remove\"");
    assert!(!serve.log().contains("change number=1 "), "that was before");
}
