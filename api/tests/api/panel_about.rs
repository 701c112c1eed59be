//! The page About: versions, licences and the database, and the archive for support.

use crate::panel::{Panel, check_headers};
use crate::panel_pages::{keep_busy, with_role};
use crate::pki::Identity;
use serde_json::Value;
use std::process::Command;

#[test]
fn the_installation_is_described_and_others_licences_are_listed() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let page = browser.get("/about");
    check_headers(&page);
    for part in [env!("CARGO_PKG_VERSION"), "OpenSSL 3", "SQLite 3.", &panel.site.db, "MiB", "0 days, 0 h"] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    for (path, part) in
        [("/components", "<td"), ("/components.csv", "sqlx,"), ("/components.json", "\"sqlx\"")]
    {
        let reply = browser.get(path);
        assert!(reply.status == 200 && reply.body.contains(part), "{path}: {reply:?}");
    }
    assert_eq!(browser.get("/readyz").body, "ok\n");
    let of_panel: Value = serde_json::from_str(&browser.get("/about/status.json").body).unwrap();
    let of_command = panel.site.json(&["status"]);
    for member in ["generation", "findings", "daemons", "ends", "last_backup"] {
        assert_eq!(of_panel[member], of_command[member], "{member}");
    }
}

#[test]
fn an_administrator_downloads_the_archive_for_support_without_secrets() {
    let panel = Panel::new();
    let site = &panel.site;
    keep_busy(&panel);
    let own = Identity::ca("CA").issue("own");
    let (chain, key) = (site.dir.write("own.pem", &own.pem()), site.dir.write("own.key", &own.key_pem()));
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let token = site.token();
    let mut browser = panel.signed_in(0);
    assert!(browser.get("/about").body.contains("/about/support.tar"));
    let archive = browser.get("/about/support.tar");
    assert_eq!(archive.header("content-type"), Some("application/x-tar"));
    for secret in ["PRIVATE KEY", "argon2", &token[..64], panel.code(0)] {
        assert!(!archive.body.contains(secret), "{secret}");
    }
    let file = site.dir.write("support.tar", &archive.body);
    let listed = Command::new("tar").args(["-tf", &file]).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(String::from_utf8(listed.stdout).unwrap().contains("os4xapi-support/status.json\n"));
    for role in ["operator", "auditor"] {
        let mut browser = with_role(&panel, role);
        assert!(!browser.get("/about").body.contains("support.tar"), "{role}");
        assert_eq!(browser.get("/about/support.tar").status, 403, "{role}");
    }
}
