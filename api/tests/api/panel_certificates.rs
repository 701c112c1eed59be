//! Our own certificates in the panel: brought with their keys, of which no page has anything, and asked for by a
//! request whose key stays here.

use crate::browser::Browser;
use crate::https::{connect, context};
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::with_role;
use crate::pki::Identity;
use crate::site::await_that;
use openssl::x509::X509;
use serde_json::json;

#[test]
fn a_certificate_is_brought_with_its_key_and_the_key_is_in_no_page() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let site = &panel.site;
    let ca = Identity::ca("Our CA");
    let own = ca.issue("we.example");
    let both = format!("{}{}{}", ca.pem(), own.pem(), own.key_pem());
    let wrong = browser.upload("/certificates", &[("usage", "own")], ("c.pem", &own.pem()));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"key-error\""), "{wrong:?}");
    assert!(wrong.body.contains("there is no certificate request with a key"), "{}", wrong.body);
    let other = format!("{}{}", own.pem(), ca.key_pem());
    let wrong = browser.upload("/certificates", &[("usage", "own")], ("c.pem", &other));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"file-error\""), "{wrong:?}");
    let secret = own.key_pem().lines().nth(1).unwrap().to_owned();

    let shown = browser.upload("/certificates", &[("usage", "own")], ("c.pem", &both));
    assert_eq!(shown.status, 200);
    check_headers(&shown);
    assert!(shown.body.contains("CN=we.example") && shown.body.contains("CN=Our CA"), "{}", shown.body);
    assert!(!shown.body.contains(&secret) && !shown.body.contains("PRIVATE"), "a key is in no page");
    assert!(site.json(&["cert", "list"]).as_array().unwrap().iter().all(|one| one["usage"] != "own"));
    let staged = Browser::hidden(&shown.body, "staged");
    let keep = [("staged", staged.as_str())];
    let done = browser.post_proven("/certificates/keep", &keep, ("", PASSWORD, panel.code(1)));
    assert_eq!(done.header("location"), Some("/certificates?done=saved"), "{done:?}");
    assert_eq!(site.json(&["cert", "list"])[0]["usage"], "own");
    // It is held no longer.
    let again = browser.post_proven("/certificates/keep", &keep, ("", "", ""));
    assert!(again.status == 409 && again.body.contains("Upload the certificate again"), "{again:?}");
    let page = browser.get("/certificates");
    assert!(page.body.contains("CN=we.example") && !page.body.contains(&secret));
    let file = browser.get("/certificates/own.pem");
    assert!(file.status == 200 && file.body.contains("BEGIN CERTIFICATE") && !file.body.contains("PRIVATE"));

    // The next one waits for its day, and is forgotten again.
    let day = [("usage", "next"), ("from", "2020-01-01")];
    assert!(browser.upload("/certificates", &day, ("c.pem", &both)).body.contains("id=\"from-error\""));
    let tomorrow = crate::pki::now() + 86_400;
    let day: String = common::text::clock::rfc3339(tomorrow).chars().take(10).collect();
    let shown = browser.upload("/certificates", &[("usage", "next"), ("from", &day)], ("c.pem", &both));
    let staged = Browser::hidden(&shown.body, "staged");
    assert_eq!(browser.post_proven("/certificates/keep", &[("staged", &staged)], ("", "", "")).status, 303);
    assert_eq!(site.json(&["cert", "list"])[1]["usage"], "next");
    assert_eq!(browser.post_proven("/certificates/cancel", &[], ("", "", "")).status, 303);
    assert_eq!(site.json(&["cert", "list"])[1]["usage"], "ca");
    let before = site.ok(&["cert", "show", "https"]);
    assert_eq!(browser.post_proven("/certificates/https", &[], ("", "", "")).status, 303);
    assert_ne!(site.ok(&["cert", "show", "https"]), before);
}

#[test]
fn a_request_is_made_here_and_answered_without_a_key() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let subject = ("subject", "C=DE, O=We, CN=we.example");
    let given = [subject, ("hosts", "we.example"), ("algorithm", "ec"), ("replace", "no")];
    let wrong = browser.post_signed("/certificates/request", &[("subject", "nonsense"), ("hosts", "a b/c")]);
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("id=\"request-subject-error\"")
            && wrong.body.contains("id=\"request-hosts-error\"")
    );
    let none = [("algorithm", "ec"), ("replace", "no")];
    let refused = browser.post_proven("/certificates/request", &none, ("", PASSWORD, panel.code(1)));
    assert!(refused.status == 422 && refused.body.contains("The subject is missing: "), "{refused:?}");
    let made = browser.post_proven("/certificates/request", &given, ("", "", ""));
    assert_eq!(made.header("location"), Some("/certificates?done=added"), "{made:?}");
    let request = browser.get("/certificates/request.pem");
    assert!(request.body.contains("BEGIN CERTIFICATE REQUEST"), "{request:?}");
    let again = browser.post_proven("/certificates/request", &given, ("", "", ""));
    assert!(
        again.status == 422 && again.body.contains("A certificate request exists already, for"),
        "{again:?}"
    );
    let of_other = Identity::ca("we.example").pem();
    let wrong = browser.upload("/certificates", &[("usage", "own")], ("other.pem", &of_other));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"key-error\""), "{wrong:?}");
    assert!(wrong.body.contains("does not match the certificate request"), "{}", wrong.body);
    let answer = Identity::ca("Their CA").certify(&request.body);
    let shown = browser.upload("/certificates", &[("usage", "own")], ("answer.pem", &answer));
    assert!(
        shown.status == 200 && shown.body.contains("The private key matches the certificate."),
        "{shown:?}"
    );
    let staged = Browser::hidden(&shown.body, "staged");
    assert_eq!(browser.post_proven("/certificates/keep", &[("staged", &staged)], ("", "", "")).status, 303);
    let usages: Vec<_> = panel
        .site
        .json(&["cert", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["usage"].clone())
        .collect();
    assert_eq!(usages, [json!("own"), json!("ca"), json!("https")]);

    let mut browser = with_role(&panel, "operator");
    assert_eq!(browser.get("/certificates").status, 200);
    assert_eq!(browser.upload("/certificates", &[("usage", "own")], ("f", "x")).status, 403);
    for path in ["keep", "request", "cancel", "https", "panel"] {
        assert_eq!(browser.post_signed(&format!("/certificates/{path}"), &[]).status, 403, "{path}");
    }
}

/// The certificate that a port shows, whoever has issued it.
fn shown_at(port: u16) -> X509 {
    connect(&context(None), port).ssl().peer_certificate().unwrap()
}

#[test]
fn the_panel_has_a_certificate_of_its_own_as_long_as_one_is_set() {
    const ONLY_HTTPS: &str = "strict-transport-security";
    let panel = Panel::new();
    let (site, serve) = (&panel.site, &panel.serve);
    let mut browser = panel.signed_in(0);
    assert_eq!(browser.get("/").header(ONLY_HTTPS), None);
    let before = shown_at(serve.panel_port);
    let ca = Identity::ca("Company CA");
    let own = ca.issue_https();
    let both = format!("{}{}{}", own.pem(), ca.pem(), own.key_pem());
    let shown = browser.upload("/certificates", &[("usage", "panel")], ("c.pem", &both));
    assert!(shown.status == 200 && !shown.body.contains("PRIVATE"), "{shown:?}");
    // It names the host of panel_url.
    assert!(!shown.body.contains("does not name"), "{}", shown.body);
    let staged = Browser::hidden(&shown.body, "staged");
    let keep = [("staged", staged.as_str())];
    let done = browser.post_proven("/certificates/keep", &keep, ("", PASSWORD, panel.code(1)));
    assert_eq!(done.header("location"), Some("/certificates?done=saved"), "{done:?}");

    // It is shown without a restart, to browsers only.
    await_that("the certificate of the panel", || shown_at(serve.panel_port) == own.certificate);
    assert_eq!(shown_at(serve.port), before);
    browser.trust(ca.certificate.clone());
    let page = browser.get("/certificates");
    assert_eq!(page.header(ONLY_HTTPS), Some("max-age=2592000"));
    assert!(page.body.contains("HTTPS of this panel") && page.body.contains("/certificates/panel.pem"));
    // It expires within a day, and is not renewed here.
    serve.await_line("panel_certificate_expires");
    let ends = site.json(&["expiry"]);
    let end = ends.as_array().unwrap().iter().find(|end| end["what"] == "panel certificate").unwrap();
    assert_eq!((&end["state"], &end["by_itself"]), (&json!("soon"), &json!(false)));
    assert_eq!(site.ok(&["cert", "show", "panel"]), own.pem() + &ca.pem());
    let word = site.dir.write("word", "long enough to guard keys");
    let exported = site.ok(&["export", "--passphrase-file", &word]);
    assert!(exported.contains("cert panel") && !site.ok(&["export"]).contains("cert panel"));

    assert!(site.ok(&["cert", "unset", "panel"]).contains("https certificate again"));
    await_that("the https certificate", || shown_at(serve.panel_port) == before);
    let mut browser = panel.signed_in(2);
    assert_eq!(browser.get("/").header(ONLY_HTTPS), None);
    assert!(site.refused(&["cert", "unset", "panel"]).contains("cert set panel"));
    assert_eq!(site.run(&["cert", "unset", "https"]).status, 64);

    // One that no browser accepts is taken with a warning, and taken back in the panel.
    let other = ca.issue("other.example");
    let (chain, key) = (site.dir.write("c.pem", &other.pem()), site.dir.write("k.pem", &other.key_pem()));
    let said = site.run(&["cert", "set", "panel", "--chain", &chain, "--key", &key]);
    assert!(said.status == 0 && said.err.contains("does not name 127.0.0.1"), "{said:?}");
    await_that("the other certificate", || shown_at(serve.panel_port) == other.certificate);
    browser.trust_any();
    // Names of the https certificate lead to the panel as before.
    let host = std::mem::replace(&mut browser.host, format!("localhost:{}", serve.panel_port));
    assert_eq!(browser.get("/certificates").status, 200);
    browser.host = "other.evil.example".to_owned();
    assert_eq!(browser.get("/certificates").status, 421);
    browser.host = host;
    let asked = browser.post_signed("/certificates/panel", &[]);
    assert!(asked.status == 200 && asked.body.contains("present_password"), "{asked:?}");
    let done = browser.post_proven("/certificates/panel", &[], ("", PASSWORD, panel.code(3)));
    assert_eq!(done.header("location"), Some("/certificates?done=removed"), "{done:?}");
    assert!(site.refused(&["cert", "show", "panel"]).contains("no certificate of its own"));
}
