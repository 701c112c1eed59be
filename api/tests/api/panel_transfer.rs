//! The page Backup and transfer: the site as a document, with keys only under a passphrase and after a proof, and
//! imports, of which the difference is shown before anything is changed.

use crate::browser::{Browser, Reply};
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::with_role;
use crate::pki::Identity;
use serde_json::{Value, json};

const PASSPHRASE: &str = "long enough to guard keys";

/// Uploads a file to be imported.
fn bring(browser: &mut Browser, mode: &str, passphrase: &str, content: &str) -> Reply {
    let fields = [("mode", mode), ("passphrase", passphrase)];
    browser.upload("/transfer/import", &fields, ("site.json", content))
}

/// Confirms the import that a page has shown.
fn keep(browser: &mut Browser, shown: &Reply) -> Reply {
    assert_eq!(shown.status, 200, "{shown:?}");
    let [staged, version] = ["staged", "version"].map(|name| Browser::hidden(&shown.body, name));
    browser.post_proven("/transfer/import/keep", &[("staged", &staged), ("version", &version)], ("", "", ""))
}

/// A browser whose user has given password and code a moment ago.
fn proven(panel: &Panel) -> Browser {
    let mut browser = panel.signed_in(0);
    let fields = [("passphrase", PASSPHRASE), ("again", PASSPHRASE)];
    let done = browser.post_proven("/transfer/keys", &fields, ("", PASSWORD, panel.code(1)));
    assert_eq!(done.status, 200, "{done:?}");
    browser
}

fn partners(panel: &Panel) -> Vec<Value> {
    let all = panel.site.json(&["partner", "list"]);
    all.as_array().unwrap().iter().map(|partner| partner["short_name"].clone()).collect()
}

#[test]
fn the_document_is_that_of_the_command_and_has_keys_only_after_a_proof() {
    let panel = Panel::new();
    let site = &panel.site;
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let mut browser = panel.signed_in(0);
    let page = browser.get("/transfer");
    check_headers(&page);
    assert!(page.status == 200 && page.body.contains("os4xapi backup /BACKUPS/"), "{page:?}");
    let file = browser.get("/transfer/export.json");
    assert!(file.header("content-disposition").unwrap().starts_with("attachment"));
    let objects = |text: &str| serde_json::from_str::<Value>(text).unwrap()["objects"].clone();
    assert_eq!(objects(&file.body), objects(&site.ok(&["export"])));
    assert!(file.body.contains("partner ACME") && !file.body.contains("PRIVATE"));

    for (passphrase, again, password, code, field) in [
        ("short", "short", PASSWORD, "x", "keys-passphrase-error"),
        (PASSPHRASE, "another one of them", PASSWORD, "x", "keys-again-error"),
        (PASSPHRASE, PASSPHRASE, "", "", "keys-present_password-error"),
        (PASSPHRASE, PASSPHRASE, "wrong password", panel.code(1), "keys-present_password-error"),
    ] {
        let fields = [("passphrase", passphrase), ("again", again)];
        let wrong = browser.post_proven("/transfer/keys", &fields, ("", password, code));
        assert!(wrong.status == 422 && wrong.body.contains(field), "{field}: {wrong:?}");
        assert!(!wrong.body.contains(PASSPHRASE) && !wrong.body.contains("PRIVATE"), "{field}");
    }
    assert!(site.json(&["audit", "list", "--act", "export"]).as_array().unwrap().is_empty());
    // Failures make the user wait.
    site.ok(&["user", "unlock", "anna"]);
    let fields = [("passphrase", PASSPHRASE), ("again", PASSPHRASE)];
    let file = browser.post_proven("/transfer/keys", &fields, ("", PASSWORD, panel.code(2)));
    assert!(file.status == 200 && file.body.contains("ENCRYPTED PRIVATE KEY"), "{file:?}");
    assert!(!file.body.contains("BEGIN PRIVATE KEY"));
    let act = &site.json(&["audit", "list", "--act", "export"])[0];
    assert_eq!((&act["actor"], &act["new"]), (&json!("anna"), &json!({"keys": "read"})));
}

#[test]
fn a_document_is_imported_after_a_look_at_the_difference() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut browser = proven(&panel);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let document = site.ok(&["export"]);
    site.ok(&["partner", "remove", "ACME", "--yes"]);
    site.ok(&["partner", "add", "OTHER", "--ssid", "O0013OTHER"]);

    let shown = bring(&mut browser, "merge", "", &document);
    check_headers(&shown);
    assert!(shown.body.contains("added") && shown.body.contains("partner ACME"), "{}", shown.body);
    assert!(!shown.body.contains("partner OTHER"));
    assert_eq!(partners(&panel), ["OTHER"], "nothing is changed yet");
    let done = keep(&mut browser, &shown);
    assert_eq!(done.header("location"), Some("/transfer?done=imported"), "{done:?}");
    assert_eq!(partners(&panel), ["ACME", "OTHER"]);
    let act = &site.json(&["audit", "list", "--act", "import"])[0];
    assert_eq!((&act["actor"], &act["way"]), (&json!("anna"), &json!("panel")));
    // It is held no longer, and there is nothing left to import.
    assert_eq!(keep(&mut browser, &shown).status, 409);
    let again = bring(&mut browser, "merge", "", &document);
    assert!(again.body.contains("is in the database already") && !again.body.contains("staged"));

    let shown = bring(&mut browser, "replace", "", &document);
    assert!(shown.body.contains("removed") && shown.body.contains("partner OTHER"), "{}", shown.body);
    // Somebody else changes the same partner meanwhile.
    site.ok(&["partner", "set", "OTHER", "--host", "other.example"]);
    let stale = keep(&mut browser, &shown);
    assert_eq!((stale.status, partners(&panel).len()), (409, 2), "{stale:?}");
    let shown = bring(&mut browser, "replace", "", &document);
    assert_eq!(keep(&mut browser, &shown).status, 303);
    assert_eq!(partners(&panel), ["ACME"]);

    // Settings that may shut somebody out are taken back unless somebody keeps them.
    site.ok(&["config", "set", "panel_networks", "10.0.0.0/8"]);
    let other = site.ok(&["export"]);
    site.ok(&["config", "set", "panel_networks", "172.16.0.0/12"]);
    let shown = bring(&mut browser, "merge", "", &other);
    assert!(shown.body.contains("reverted automatically"), "{}", shown.body);
    let done = keep(&mut browser, &shown);
    assert!(done.header("location").unwrap().starts_with("/rollback/"), "{done:?}");
}

#[test]
fn keys_and_tables_are_imported_and_what_is_neither_is_not() {
    let panel = Panel::new();
    let site = &panel.site;
    let mut browser = proven(&panel);
    let own = Identity::ca("Our CA").issue("we.example");
    let (chain, key) = (site.dir.write("c.pem", &own.pem()), site.dir.write("k.pem", &own.key_pem()));
    let old = site.ok(&["cert", "show", "https"]);
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let word = site.dir.write("word", PASSPHRASE);
    let document = site.ok(&["export", "--passphrase-file", &word]);
    site.ok(&["cert", "https"]);
    for (passphrase, why) in [("", "enter its passphrase"), ("not this passphrase", "does not open its key")]
    {
        let wrong = bring(&mut browser, "merge", passphrase, &document);
        assert!(wrong.status == 422 && wrong.body.contains(why), "{why}: {wrong:?}");
    }
    let shown = bring(&mut browser, "merge", PASSPHRASE, &document);
    assert!(shown.body.contains("cert https") && !shown.body.contains(PASSPHRASE), "{}", shown.body);
    assert_eq!(keep(&mut browser, &shown).status, 303);
    assert_eq!(site.ok(&["cert", "show", "https"]), old);

    let table = "name;ssid;host\nTABLE;O0013TABLE;table.example\n";
    let wrong = bring(&mut browser, "replace", "", table);
    assert!(wrong.status == 422 && wrong.body.contains("import-mode-error"), "{wrong:?}");
    let shown = bring(&mut browser, "merge", "", table);
    assert!(shown.body.contains("partner TABLE"), "{}", shown.body);
    assert_eq!(keep(&mut browser, &shown).status, 303);
    assert_eq!(partners(&panel), ["TABLE"]);
    for (content, why) in [
        ("name;ssid\nA\n", "row 2 of the table"),
        ("{}", "not a document of"),
        ("{\"format\": 9, \"objects\": {}}", "format 9"),
    ] {
        let wrong = bring(&mut browser, "merge", "", content);
        assert!(wrong.status == 422 && wrong.body.contains(why), "{why}: {wrong:?}");
        assert!(wrong.body.contains("import-file-error"));
    }
    let none = browser.upload("/transfer/import", &[("mode", "merge")], ("", ""));
    assert!(none.status == 422 && none.body.contains("Choose a file."), "{none:?}");
    // Larger than a certificate may be.
    let long = format!("name,ssid\nLONG,{}\n", "x".repeat(2 << 20));
    assert_eq!(bring(&mut browser, "merge", "", &long).status, 422);
}

#[test]
fn only_administrators_export_and_import() {
    let panel = Panel::new();
    for role in ["operator", "auditor"] {
        let mut browser = with_role(&panel, role);
        for path in ["/transfer", "/transfer/export.json"] {
            assert_eq!(browser.get(path).status, 403, "{role}: {path}");
        }
        for path in ["/transfer/keys", "/transfer/import/keep"] {
            assert_eq!(browser.post_signed(path, &[]).status, 403, "{role}: {path}");
        }
        assert_eq!(bring(&mut browser, "merge", "", "name,ssid\n").status, 403, "{role}");
    }
}
