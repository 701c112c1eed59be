//! A new token while clients run: the old one works for the overlap that was asked for, and clients that still use it
//! are reported.

use crate::https::Client;
use crate::pki::Identity;
use crate::site::{Site, await_that};
use serde_json::{Value, json};

fn status(client: &Client) -> u16 {
    client.call(&json!({"function": "proxy_client_config"})).status
}

fn entries(site: &Site, text: &str) -> Vec<Value> {
    let log = site.json(&["log"]);
    log.as_array().unwrap().iter().filter(|entry| entry["text"] == text).cloned().collect()
}

#[test]
fn the_old_token_works_for_the_overlap_and_is_told() {
    let site = Site::new();
    let serve = site.serve();
    let old = site.client(&serve);
    old.generation();
    let said = site.run(&["token", "rotate", "--overlap", "1h"]);
    assert_eq!(said.out.trim(), site.token(), "the token alone is on standard output");
    assert!(said.err.contains("started again with the new token until 20"), "{}", said.err);
    assert!(said.err.contains("the clients 127.0.0.1"), "{}", said.err);
    let new = site.client(&serve);
    for _ in 0..3 {
        assert_eq!((status(&old), status(&new)), (200, 200));
    }
    let told = entries(&site, "a client still uses the old token");
    assert_eq!((told.len(), &told[0]["level"]), (1, &json!("WARN")), "{told:?}");
    assert!(told[0]["detail"].as_str().unwrap().contains("client=127.0.0.1"), "{told:?}");
    site.sql("UPDATE os4x_old_tokens SET valid_until = 1");
    assert_eq!((status(&old), status(&new)), (401, 200));
    for bad in ["0", "h", "31d", "721h", "-1h"] {
        let said = site.run(&["token", "rotate", "--overlap", bad]);
        assert_eq!(said.status, 64, "{bad}: {}", said.err);
    }
}

#[test]
fn a_client_with_a_token_that_has_ended_is_told_apart_from_a_stranger() {
    let site = Site::new();
    let serve = site.serve();
    let (old, mut stranger) = (site.client(&serve), site.client(&serve));
    stranger.token = "0".repeat(64);
    site.ok(&["token", "rotate", "--overlap", "2d"]);
    site.ok(&["token", "rotate"]);
    for _ in 0..2 {
        assert_eq!((status(&old), status(&stranger)), (401, 401));
    }
    let told = entries(&site, "a client with the old token was refused");
    assert_eq!((told.len(), &told[0]["level"]), (1, &json!("ERROR")), "{told:?}");
    assert!(told[0]["detail"].as_str().unwrap().contains("os4xapi token show"), "{told:?}");
}

#[test]
fn a_certificate_of_the_companys_own_is_shown_and_the_token_has_no_hash() {
    let site = Site::new();
    let serve = site.serve();
    let (pinned, with_hash) = (site.client(&serve), site.token());
    let ca = Identity::ca("Company CA");
    let own = ca.issue_https();
    let der = own.certificate.to_der().unwrap();
    let (chain, key) =
        (site.dir.write("chain.pem", &(own.pem() + &ca.pem())), site.dir.write("key", &own.key_pem()));
    let said = site.run(&["cert", "set", "https", "--chain", &chain, "--key", &key]);
    assert!(said.status == 0 && said.out.contains("The https certificate"), "{}", said.err);
    assert!(said.err.contains("restart the clients") && said.err.contains("localhost"), "{}", said.err);
    let token = site.token();
    assert_eq!(Some(token.as_str()), with_hash.split('.').next());
    assert_eq!(site.json(&["cert", "list"])[1]["usage"], "https");
    serve.await_line("https_certificate_changed");
    assert_eq!(pinned.shown_certificate(), der);
    Client::new(serve.port, &ca.pem(), &token).generation();
    // It is valid for a month or less: it is not renewed here, and the operator is warned once.
    serve.await_line("https_certificate_expires");
    assert_eq!(entries(&site, "the https certificate expires soon").len(), 1);
    let wrong = site.run(&["cert", "set", "ca", "--chain", &chain, "--key", &key]);
    assert_eq!(wrong.status, 64, "{}", wrong.err);
    // And back.
    site.ok(&["cert", "https"]);
    assert_eq!(site.token(), with_hash);
    await_that("the certificate of the own CA", || pinned.shown_certificate() != der);
    pinned.generation();
}
