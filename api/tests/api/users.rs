//! The users of the panel by the commands: links that are printed once, roles, and the last administrator.

use crate::site::Site;
use serde_json::json;

/// Adds a user; the secret part of its link.
pub(crate) fn added(site: &Site, name: &str, role: &str) -> String {
    let said = site.ok(&["user", "add", name, "--role", role]);
    secret_of(&said)
}

/// The secret part of the link that a command has printed.
pub(crate) fn secret_of(said: &str) -> String {
    let (_, secret) = said.trim().split_once("/setup/").unwrap();
    assert!(secret.len() == 64 && secret.bytes().all(|octet| octet.is_ascii_hexdigit()), "{said}");
    secret.to_owned()
}

#[test]
fn a_link_is_printed_once_and_kept_nowhere() {
    let site = Site::new();
    let said = site.run(&["user", "add", "Anna", "--role", "administrator"]);
    assert!(said.out.starts_with("https://127.0.0.1:8444/setup/"), "{}", said.out);
    assert!(said.err.contains("works once, until 20"), "{}", said.err);
    let secret = secret_of(&said.out);
    let everything = String::from_utf8_lossy(&std::fs::read(&site.db).unwrap()).into_owned();
    assert!(everything.contains("anna") && !everything.contains(&secret));

    let users = site.json(&["user", "list"]);
    assert_eq!(users[0]["name"], "anna");
    assert_eq!((&users[0]["role"], &users[0]["state"]), (&json!("administrator"), &json!("invited")));
    let secrets = ["totp_secret", "password", "recovery", "hash"];
    assert!(secrets.iter().all(|member| users[0].get(member).is_none()), "{users}");
    assert!(site.refused(&["user", "add", "ANNA", "--role", "auditor"]).contains("user reset anna"));

    // A new link differs from the old one.
    site.ok(&["config", "set", "panel_url", "https://panel.example/"]);
    let again = site.ok(&["user", "reset", "anna"]);
    assert!(again.starts_with("https://panel.example/setup/"), "{again}");
    assert_ne!(secret_of(&again), secret);
    site.sql("UPDATE os4x_setup_links SET valid_until = 1");
    assert_eq!(site.json(&["user", "list"])[0]["state"], "not set up");
}

#[test]
fn what_is_no_user_or_no_role_is_refused_with_what_there_is() {
    let site = Site::new();
    for (words, status, part) in [
        (&["user", "add", "anna"][..], 64, "--role is missing"),
        (&["user", "add", "anna", "--role", "root"], 64, "administrator, operator or auditor"),
        (&["user", "add", "an na", "--role", "auditor"], 1, "1 to 32 letters"),
        (&["user", "set", "anna", "--enabled", "no"], 1, "user list"),
        (&["user", "set", "anna"], 64, "--role or --enabled"),
        (&["user", "reset", "anna"], 1, "no user 'anna'"),
        (&["user", "unlock", "anna"], 1, "no user 'anna'"),
        (&["user", "remove", "anna"], 1, "no user 'anna'"),
    ] {
        let said = site.run(words);
        assert!(said.status == status && said.err.contains(part), "{words:?}: {}", said.err);
    }
    assert_eq!(site.json(&["user", "list"]), json!([]));
}

#[test]
fn the_last_administrator_stays() {
    let site = Site::new();
    added(&site, "anna", "administrator");
    added(&site, "ben", "operator");
    for words in [
        &["user", "remove", "anna"][..],
        &["user", "set", "anna", "--role", "auditor"],
        &["user", "set", "anna", "--enabled", "no"],
    ] {
        assert!(site.refused(words).contains("the last administrator"), "{words:?}");
    }
    site.ok(&["user", "set", "ben", "--role", "administrator"]);
    site.ok(&["user", "remove", "anna"]);
    assert!(site.refused(&["user", "remove", "ben"]).contains("the last administrator"));
    let users = site.json(&["user", "list"]);
    assert_eq!(users.as_array().unwrap().len(), 1);
    // The version of a user is the number of the row that has changed it.
    let version = users[0]["version"].as_i64().unwrap();
    let stale = (version - 1).to_string();
    assert!(site.refused(&["user", "reset", "ben", "--if-version", &stale]).contains("has version"));
}
