//! Trusted certificates and CRLs in the panel: looked at before they are trusted, and what a removal would shut out.

use crate::browser::Browser;
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::{keep_busy, with_role};
use crate::pki::Identity;
use serde_json::json;

#[test]
fn a_certificate_is_looked_at_before_it_is_trusted_and_who_needs_it_is_told() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let site = &panel.site;
    let ca = Identity::ca("Trade CA");
    let wrong = browser.upload("/trust", &[], ("ca.pem", "junk"));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"file-error\""), "{wrong:?}");
    let shown = browser.upload("/trust", &[], ("ca.pem", &ca.pem()));
    assert!(shown.status == 200 && shown.body.contains("CN=Trade CA"), "{shown:?}");
    check_headers(&shown);
    assert_eq!(site.json(&["trust", "list"]), json!([]));
    let found = Browser::hidden(&shown.body, "found");
    let fields = [("found", found.as_str()), ("trust_name", "trade"), ("needs_crl", "no")];
    let done = browser.post_proven("/trust/keep", &fields, ("", PASSWORD, panel.code(1)));
    assert_eq!(done.header("location"), Some("/trust?done=added"), "{done:?}");
    let listed = site.json(&["trust", "list"]);
    assert_eq!((&listed[0]["name"], &listed[0]["no_crl"]), (&json!("trade"), &json!(true)));
    assert!(browser.get("/trust").body.contains("trade"));
    let crl = [("name", "trade"), ("no_crl", "no"), ("confirmed", "yes")];
    assert_eq!(browser.post_signed("/trust/crl", &crl).status, 303);
    assert_eq!(site.json(&["trust", "list"])[0]["no_crl"], false);

    // A CRL of it has to be signed by it.
    let other = Identity::ca("Trade CA");
    let wrong = browser.upload("/crls", &[], ("a.crl", &other.crl(1)));
    assert!(wrong.status == 422 && wrong.body.contains("id=\"file-error\""), "{wrong:?}");
    assert_eq!(browser.upload("/crls", &[], ("a.crl", &ca.crl(1))).status, 303);
    let page = browser.get("/crls").body;
    assert!(page.contains("current") && page.contains("CN=Trade CA"), "{page}");
    let which = Browser::hidden(&page, "which");
    assert_eq!(browser.post_signed("/crls/remove", &[("which", &which), ("confirmed", "yes")]).status, 303);
    assert_eq!(site.json(&["crl", "list"]), json!([]));

    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let asked = browser.post_signed("/trust/remove", &[("name", "trade")]);
    assert!(asked.status == 200 && asked.body.contains("- trust trade"), "{asked:?}");
    assert!(asked.body.contains("? not known, since no session has shown a certificate yet: ACME"));
    assert_eq!(browser.post_proven("/trust/remove", &[("name", "trade")], ("Trade", "", "")).status, 422);
    assert_eq!(browser.post_proven("/trust/remove", &[("name", "trade")], ("trade", "", "")).status, 303);
    assert_eq!(site.json(&["trust", "list"]), json!([]));
    let again = browser.post_signed("/trust/remove", &[("name", "trade")]);
    assert!(again.status == 409 && again.body.contains("No certificate is trusted as"), "{again:?}");
}

#[test]
fn a_crl_may_be_larger_than_other_files_up_to_a_limit() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let ca = Identity::ca("Large CA");
    panel.site.ok(&["trust", "add", &panel.site.dir.write("ca.pem", &ca.pem())]);
    // Text around PEM is left out.
    let of_size = |octets: usize| format!("{}\n{}", "revoked\n".repeat(octets / 8), ca.crl(1));
    let taken = browser.upload("/crls", &[], ("a.crl", &of_size(9 << 20)));
    assert_eq!(taken.header("location"), Some("/crls?done=added"), "{taken:?}");
    assert_eq!(panel.site.json(&["crl", "list"]).as_array().unwrap().len(), 1);
    let refused = browser.upload("/crls", &[], ("a.crl", &of_size((10 << 20) + (96 << 10))));
    assert!(refused.status == 413 && refused.body.contains("at most 10 MiB"), "{}", refused.status);
    // Any other file is limited as before.
    let refused = browser.upload("/trust", &[], ("a.crl", &of_size(5 << 18)));
    assert!(refused.status == 413 && refused.body.contains("at most 1 MiB"), "{}", refused.status);
}

#[test]
fn an_operator_downloads_crls_and_trusts_nobody() {
    let panel = Panel::new();
    panel.site.run(&["crl", "fetch", "http://127.0.0.1:1/a.crl"]);
    panel.site.sql("UPDATE os4x_crl_urls SET due = 99999999999");
    let mut browser = with_role(&panel, "operator");
    assert!(browser.get("/crls").body.contains("http://127.0.0.1:1/a.crl"));
    assert_eq!(browser.post_signed("/crls/fetch", &[]).header("location"), Some("/crls?done=fetching"));
    for path in ["/trust/keep", "/trust/crl", "/trust/remove", "/crls/remove"] {
        assert_eq!(browser.post_signed(path, &[]).status, 403, "{path}");
    }
    assert_eq!(browser.upload("/trust", &[], ("f", "x")).status, 403);
    assert_eq!(browser.upload("/crls", &[], ("f", "x")).status, 403);
}

#[test]
fn each_refusal_leads_to_where_it_is_mended() {
    let panel = Panel::new();
    keep_busy(&panel);
    let mut browser = panel.signed_in(0);
    let page = browser.get("/refused").body;
    let (_, rest) = page.split_once("href=\"/partner-add?ssid=").unwrap_or_else(|| panic!("{page}"));
    let ssid = rest.split('"').next().unwrap().to_owned();
    let first = browser.get(&format!("/partner-add?ssid={ssid}")).body;
    assert_eq!(Browser::hidden(&first, "ssid"), ssid);
    // It goes on to the form of the partner.
    let second = browser.upload("/partner-add", &[("ssid", &ssid)], ("", ""));
    assert!(second.status == 200 && second.body.contains(&format!("value=\"{ssid}\"")), "{second:?}");
}
