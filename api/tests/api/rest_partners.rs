//! The life of a partner by `/api/v1`, on each database.

use crate::audited_commands::newest;
use crate::keys::{document, key, program, refused};
use crate::panel::Panel;
use crate::pki::Identity;
use crate::postgres::Cluster;
use crate::rest::{EVERYTHING, is_act, refused_field, robot, send};
use serde_json::{Value, json};

/// The life of a partner; on each database.
fn partner_lives(panel: &Panel) {
    let site = &panel.site;
    let mut robot = robot(panel);
    let new = json!({"short_name": "ACME", "ssid": "O0013ACME", "host": "acme.example", "tls": false,
                     "files": {"max_size": 500}});
    let last = newest(site);
    let told = send(&mut robot, "POST", "/partners?dry_run=yes", &new);
    assert!(
        told.status == 200
            && document(&told)["would_change"][0].as_str().unwrap().starts_with("+ partner ACME")
    );
    assert_eq!(newest(site), last, "nothing was changed");
    let added = send(&mut robot, "POST", "/partners", &new);
    assert_eq!((added.status, added.header("location")), (201, Some("/api/v1/partners/ACME")), "{added:?}");
    is_act(site, "partner add");
    let partner = site.json(&["partner", "show", "ACME"]);
    assert_eq!(
        (&partner["port"], &partner["files"]["max_size"]),
        (&json!(3305), &json!(500)),
        "the port without TLS"
    );
    refused_field(&send(&mut robot, "POST", "/partners", &new), 409, "short_name", "already");

    for (members, field) in [
        (json!({"ssid": "O0013X", "host": "x"}), "short_name"),
        (json!({"short_name": "X X", "ssid": "O0013X"}), "short_name"),
        (json!({"short_name": "X", "enabled": true}), "ssid"),
        (json!({"short_name": "X", "ssid": "O'13", "enabled": true}), "ssid"),
        (json!({"short_name": "X", "ssid": "O0013X", "certificate": "pinned"}), ""),
    ] {
        let reply = send(&mut robot, "POST", "/partners", &members);
        assert_eq!(reply.status, 422, "{reply:?}");
        assert_eq!(document(&reply)["field"].as_str().unwrap_or_default(), field, "{members}");
    }
    for (members, field, words) in [
        (json!({"host": {"a": 1}}), "host", "cannot have that value"),
        (json!({"port": 0}), "port", "port is one from 1 to 65535"),
        (json!({"port": "many"}), "port", ""),
        (json!({"host": "a b"}), "host", "cannot have that value"),
        (json!({"certificate": "all"}), "certificate", ""),
        (json!({"colour": "blue"}), "colour", "no member 'colour'"),
        (json!({"pins": []}), "pins", "act of their own"),
        (json!({"short_name": "OTHER"}), "short_name", "keeps its short name"),
        (json!({"networks": ["203.0.113.9/24"]}), "networks", "cannot have that value"),
    ] {
        let reply = send(&mut robot, "PATCH", "/partners/ACME", &members);
        assert_eq!(reply.status, 422, "{members}: {reply:?}");
        refused_field(&reply, 422, field, words);
    }
    refused(&send(&mut robot, "PATCH", "/partners/ACME", &json!([1])), 400, "not the document");
    refused(&send(&mut robot, "PATCH", "/partners/none", &json!({})), 404, "no partner 'none'");

    let shown = robot.get("/api/v1/partners/ACME");
    let tag = shown.header("etag").unwrap().to_owned();
    let plain = robot.headers.clone();
    robot.headers = format!("{plain}If-Match: {tag}\r\n");
    assert_eq!(send(&mut robot, "PATCH", "/partners/ACME", &json!({"host": null, "port": 4711})).status, 204);
    is_act(site, "partner set");
    let stale = send(&mut robot, "PATCH", "/partners/ACME", &json!({"enabled": false}));
    refused(&stale, 412, "was changed by somebody else");
    robot.headers = plain;
    let partner = site.json(&["partner", "show", "ACME"]);
    assert_eq!(
        (&partner["host"], &partner["port"], &partner["enabled"]),
        (&Value::Null, &json!(4711), &json!(true))
    );

    // An operator does daily work.
    let mut operator = program(site, &panel.serve, &key(site, "operator", "operator", EVERYTHING));
    assert_eq!(send(&mut operator, "PATCH", "/partners/ACME", &json!({"enabled": false})).status, 204);
    refused(&send(&mut operator, "PATCH", "/partners/ACME", &json!({"ssid": "O0013X"})), 403, "operator");
    assert_eq!(site.json(&["partner", "show", "ACME"])["enabled"], false);

    let (one, two) = (Identity::ca("One"), Identity::ca("Two"));
    for (method, pem, count) in [("POST", one.pem(), 1), ("POST", two.pem(), 2), ("PUT", two.pem(), 1)] {
        let reply = send(&mut robot, method, "/partners/ACME/pins", &json!({"pem": pem}));
        assert_eq!(reply.status, 204, "{reply:?}");
        let partner = site.json(&["partner", "show", "ACME"]);
        assert_eq!(partner["pins"].as_array().unwrap().len(), count);
        assert_eq!(partner["certificate"], "pinned");
    }
    refused_field(
        &send(&mut robot, "POST", "/partners/ACME/pins", &json!({"pem": "none"})),
        422,
        "pem",
        "pem",
    );
    refused(
        &send(&mut robot, "DELETE", "/partners/ACME/pins/abcd", &json!({})),
        404,
        "no pinned certificate",
    );
    assert_eq!(send(&mut robot, "PATCH", "/partners/ACME", &json!({"certificate": "odette-id"})).status, 204);
    let print = openssl::x509::X509::from_pem(two.pem().as_bytes()).unwrap();
    let print = print.digest(openssl::hash::MessageDigest::sha256()).unwrap();
    let print: String = common::text::hex::encode(&print);
    let gone = send(&mut robot, "DELETE", &format!("/partners/ACME/pins/{print}"), &json!({}));
    assert_eq!(gone.status, 204, "{gone:?}");
    assert_eq!(send(&mut robot, "DELETE", "/partners/ACME", &json!({})).status, 204);
    let row = is_act(site, "partner remove");
    let reverted = send(&mut robot, "POST", &format!("/audit/{}/revert", row["number"]), &json!({}));
    assert_eq!(reverted.status, 204, "{reverted:?}");
    is_act(site, "audit revert");
    assert_eq!(site.json(&["partner", "list"])[0]["short_name"], "ACME");
    assert!(site.ok(&["audit", "verify"]).contains("whole"));
}

#[test]
fn a_partner_is_added_changed_pinned_and_removed() {
    partner_lives(&Panel::new());
}

#[test]
fn a_partner_is_added_changed_pinned_and_removed_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    partner_lives(&Panel::of(site));
}
