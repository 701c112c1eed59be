//! `os4xapi support`: a file that other people may see, in a format that every system can open.

use crate::pki::Identity;
use crate::site::Site;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

#[test]
fn the_bundle_has_what_helps_and_no_secret() {
    let site = Site::new();
    let own = Identity::ca("CA").issue("own");
    let (chain, key) = (site.dir.write("own.pem", &own.pem()), site.dir.write("own.key", &own.key_pem()));
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["config", "set", "http_proxy", "http://me:first-word@proxy.example:3128"]);
    site.ok(&["config", "set", "api_log_file", &site.dir.write("api.log", "one line\n")]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let token = site.token();
    let file = site.dir.path("support.tar");
    let said = site.ok(&["support", "-o", file.to_str().unwrap()]);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let bundle = String::from_utf8(std::fs::read(&file).unwrap()).unwrap();
    for secret in ["PRIVATE KEY", "first-word", &token[..64]] {
        assert!(!bundle.contains(secret), "{secret}");
    }
    let listed = Command::new("tar").arg("-tf").arg(&file).output().unwrap();
    assert!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    let listed = String::from_utf8(listed.stdout).unwrap();
    for name in [
        "about.json",
        "settings.json",
        "site.json",
        "expiry.json",
        "downloads.json",
        "audit.json",
        "log.json",
        "sessions.json",
        "api.log",
    ] {
        assert!(
            listed.contains(&format!("os4xapi-support/{name}\n")) && said.contains(name),
            "{name}: {listed}"
        );
    }
    let read = |name: &str| {
        let name = format!("os4xapi-support/{name}");
        let output = Command::new("tar").arg("-xOf").arg(&file).arg(name).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let about: serde_json::Value = serde_json::from_str(&read("about.json")).unwrap();
    assert_eq!(
        (&about["audit_broken"], &about["os4xapi"]),
        (&serde_json::Value::Null, &env!("CARGO_PKG_VERSION").into())
    );
    assert!(
        read("site.json").contains("partner ACME") && read("settings.json").contains("me:***@proxy.example")
    );
    assert_eq!(read("api.log"), "one line\n");
    assert_eq!(site.run(&["support"]).status, 64);
}
