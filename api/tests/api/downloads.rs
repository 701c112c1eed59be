//! CRLs that are downloaded: by `serve` if a server reports their URL, by `crl fetch` at once. There may be anything at
//! a URL; only a CRL that a trusted certificate has signed gets into the configuration.

use crate::pki::{self, Identity};
use crate::site::{Said, Site, await_that};
use crate::web::{Web, closed_port};
use nix::sys::signal::Signal;
use openssl::x509::X509Crl;
use serde_json::{Value, json};

/// A site that trusts `ca` and may download from loopback.
pub(crate) fn site_that_trusts(ca: &Identity) -> Site {
    let site = Site::new();
    site.ok(&["trust", "add", &site.dir.write("ca.pem", &ca.pem())]);
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    site.ok(&["config", "set", "proxy_crl_slice_seconds", "5"]);
    site
}

/// Prepares the site to hand out a configuration; gives the Proxy ID of its server.
pub(crate) fn with_server(site: &Site, ca: &Identity) -> String {
    let (own, id) = (ca.issue("we.example"), pki::proxy_id());
    let chain = site.dir.write("chain.pem", &own.pem());
    let key = site.dir.write("own.key", &own.key_pem());
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["proxy", "add", &id]);
    id
}

fn der(crl: &X509Crl) -> Vec<u8> {
    crl.to_der().unwrap()
}

/// Waits for a whole time slice of `serve`: a log file that appears again and again shows that time slices pass.
fn await_time_slices(site: &Site) {
    let file = site.dir.path("api.log");
    site.ok(&["config", "set", "api_log_file", file.to_str().unwrap()]);
    for _ in 0..2 {
        await_that("a time slice", || std::fs::remove_file(&file).is_ok());
    }
    site.ok(&["config", "set", "api_log_file", ""]);
}

/// The values in a URL's line of the list.
fn listed(site: &Site, url: &str) -> Value {
    let list = site.json(&["crl", "list"]);
    let found = list.as_array().unwrap().iter().find(|row| row["url"] == url);
    found.unwrap_or_else(|| panic!("{url}: {list}")).clone()
}

#[test]
fn a_reported_url_brings_its_crl_into_the_configuration() {
    let ca = Identity::ca("Download CA");
    let site = site_that_trusts(&ca);
    let id = with_server(&site, &ca);
    let web = Web::new();
    let url = web.put("/ca.crl", &der(&ca.crl_signed_by(60, 7, &ca.key)));
    let serve = site.serve();
    let client = site.client(&serve);
    let config = || client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"].clone();
    let before = config()["generation"].as_u64();
    let audit = site.json(&["audit", "list"]);
    client.ok(&json!({"function": "proxy_crl_url", "url": url}));
    await_that("the CRL", || config()["crls"].as_array().is_some_and(|crls| crls.len() == 1));
    assert!(config()["generation"].as_u64() > before);
    serve.await_line("crl_taken");
    assert_eq!(site.json(&["audit", "list"]), audit, "nobody has decided anything");
    let row = listed(&site, &url);
    assert_eq!((&row["issuer"], &row["number"]), (&json!("CN=Download CA"), &json!("7")));
    assert_eq!((&row["state"], &row["error"]), (&json!("current"), &Value::Null));
    assert!(row["due"].as_i64() > row["fetched"].as_i64());
    // The same CRL again makes no new generation.
    let held = config()["generation"].clone();
    assert!(site.ok(&["crl", "fetch"]).contains("exists already"));
    assert_eq!(config()["generation"], held);
    // Nobody needs the CRL of a CA that is not trusted any more.
    site.ok(&["trust", "remove", "Download CA"]);
    assert_eq!(config()["crls"], json!([]));
    site.ok(&["crl", "remove", &url]);
    assert_eq!(config()["crl_urls"], json!([]));
    serve.end(Signal::SIGTERM);
}

#[test]
fn the_crl_of_an_intermediate_ca_asks_for_its_certificate_and_is_taken_with_it() {
    let root = Identity::ca("Root CA");
    let middle = root.issue("Middle CA");
    let site = site_that_trusts(&root);
    let web = Web::new();
    let url = web.put("/middle.crl", middle.crl(60).as_bytes());
    let serve = site.serve();
    site.client(&serve).ok(&json!({"function": "proxy_crl_url", "url": url}));
    let log = || site.json(&["log"]);
    await_that("the entry", || log() != json!([]));
    let entry = log()[0].clone();
    assert_eq!((&entry["level"], &entry["origin"]), (&json!("ERROR"), &json!("api")));
    assert!(entry["text"].as_str().unwrap().contains("has to be trusted"), "{entry}");
    for told in [entry["detail"].as_str().unwrap(), listed(&site, &url)["error"].as_str().unwrap()] {
        assert!(told.contains("'CN=Middle CA' is not trusted") && told.contains("trust add"), "{told}");
    }
    // The same report again is not logged.
    site.sql("UPDATE os4x_crl_urls SET due = 0");
    await_that("another try", || web.asked().len() == 2 && listed(&site, &url)["due"] != json!(0));
    site.ok(&["trust", "add", &site.dir.write("middle.pem", &middle.pem())]);
    await_that("the CRL", || listed(&site, &url)["state"] == "current");
    let log = log();
    assert_eq!(log.as_array().unwrap().len(), 1, "{log}");
    serve.end(Signal::SIGTERM);
}

#[test]
fn the_issuer_that_a_server_reports_signs_its_list_as_long_as_it_leads_to_a_trusted_certificate() {
    let root = Identity::ca("Root CA");
    let middle = root.issue("Middle CA");
    let stranger = Identity::ca("Stranger CA");
    let site = site_that_trusts(&root);
    let id = with_server(&site, &root);
    let web = Web::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let report = |name: &str, ca: &Identity, issuer: String| {
        let url = web.put(name, ca.crl(60).as_bytes());
        client.ok(&json!({"function": "proxy_crl_url", "url": url, "issuers": [issuer]}));
        url
    };
    let (good, bad) =
        (report("/middle", &middle, middle.pem()), report("/stranger", &stranger, stranger.pem()));
    await_that("the CRL", || listed(&site, &good)["state"] == "current");
    await_that("the other", || listed(&site, &bad)["error"].is_string());
    let issuers = |field: &str| {
        client.ok(&json!({"function": "proxy_config", "proxy_id": id}))["config"][field]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!((issuers("crl_issuers"), issuers("crls"), issuers("trusted")), (1, 1, 1));
    // When its root is not trusted any more, its list cannot be checked either.
    site.ok(&["trust", "remove", "Root CA"]);
    assert_eq!((issuers("crls"), issuers("trusted")), (0, 0));
    let refused = client.call(&json!({"function": "proxy_crl_url", "url": good, "issuers": ["no PEM"]}));
    assert_eq!((refused.status, &refused.body["ok"]), (400, &json!(false)));
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_url_with_blanks_is_one_with_its_escaped_spelling_and_one_that_is_no_web_address_waits_for_the_list() {
    let ca = Identity::ca("Blank CA");
    let site = site_that_trusts(&ca);
    let web = Web::new();
    let url = web.put("/my%20ca.crl", ca.crl(60).as_bytes());
    let spelt = format!(" {} ", url.replace("%20", " "));
    assert!(site.ok(&["crl", "fetch", &spelt]).contains("taken, of"));
    assert!(site.ok(&["crl", "fetch", &url]).contains("exists already"));
    assert_eq!(listed(&site, &url)["state"], "current");
    let serve = site.serve();
    let client = site.client(&serve);
    let ldap = "ldap:///CN=Blank%20CA?list";
    for url in [spelt.as_str(), ldap, " ldap:///CN=Blank CA?list", "http://user:word@crl.example/"] {
        client.ok(&json!({"function": "proxy_crl_url", "url": url}));
    }
    let log = site.json(&["log"]);
    assert_eq!(log.as_array().unwrap().len(), 2, "{log}");
    let entry = log.as_array().unwrap().iter().find(|entry| entry["detail"].as_str().unwrap().contains(ldap));
    let entry = entry.unwrap();
    assert_eq!((&entry["level"], &entry["origin"]), (&json!("WARN"), &json!("api")));
    assert!(entry["detail"].as_str().unwrap().contains("os4xapi crl add FILE"), "{entry}");
    assert_eq!(listed(&site, ldap)["state"], "by-hand");
    // Nobody downloads it, also not when a certificate is trusted.
    site.ok(&["trust", "add", &site.dir.write("other.pem", &Identity::ca("Other CA").pem())]);
    assert!(site.ok(&["crl", "fetch"]).contains("exists already"));
    assert_eq!(listed(&site, ldap)["tried"], Value::Null);
    site.ok(&["crl", "remove", "ldap:///CN=Blank CA?list"]);
    serve.end(Signal::SIGTERM);
}

#[test]
fn without_automatic_handling_nothing_is_downloaded() {
    let ca = Identity::ca("Manual CA");
    let site = site_that_trusts(&ca);
    site.ok(&["config", "set", "proxy_crl_automatic", "no"]);
    let web = Web::new();
    let url = web.put("/ca.crl", ca.crl(60).as_bytes());
    let serve = site.serve();
    site.client(&serve).ok(&json!({"function": "proxy_crl_url", "url": url}));
    await_time_slices(&site);
    assert_eq!(web.asked(), Vec::<String>::new());
    assert_eq!(listed(&site, &url)["state"], "missing");
    assert!(site.ok(&["crl", "fetch"]).contains("taken, of"));
    assert_eq!(web.asked().len(), 1);
}

#[test]
fn a_crl_is_taken_in_der_in_pem_and_over_redirects() {
    let ca = Identity::ca("Ways CA");
    let site = site_that_trusts(&ca);
    let web = Web::new();
    let pem = web.put("/pem", ca.crl(600).as_bytes());
    assert!(site.ok(&["crl", "fetch", &pem]).contains("CN=Ways CA: taken"));
    let newer = web.put("/newer", &der(&ca.crl_signed_by(60, 2, &ca.key)));
    web.redirect("/b/second", "../newer");
    web.redirect("/b/../newer", "/newer");
    let first = web.redirect("/first", &web.url("/b/second"));
    assert!(site.ok(&["crl", "fetch", &first]).contains("CN=Ways CA: taken"));
    assert_eq!(listed(&site, &first)["number"], "2");
    // The older CRL is not stored again, whichever URL has it.
    assert!(site.ok(&["crl", "fetch", &pem]).contains("there is a newer one"));
    assert!(site.ok(&["crl", "fetch", &newer]).contains("exists already"));
    assert_eq!(listed(&site, &pem)["state"], "double");
    assert!(web.asked()[0].starts_with("GET /pem HTTP/1.1\r\n"), "{:?}", web.asked());
    let table = site.ok(&["crl", "list"]);
    assert!(table.contains(&first) && table.contains("double"), "{table}");
}

#[test]
fn what_is_no_crl_of_a_trusted_issuer_is_refused_with_its_reason() {
    let (ca, foreign, forger) =
        (Identity::ca("Good CA"), Identity::ca("Foreign CA"), Identity::ca("Good CA"));
    let site = site_that_trusts(&ca);
    let web = Web::new();
    let endless =
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nB00000\r\n".to_vec(), vec![0x30; 11 << 20]];
    for (url, reason) in [
        (web.url("/none"), "404"),
        (format!("http://127.0.0.1:{}/", closed_port()), "does not accept"),
        // No name of the DNS, so no resolver is asked.
        ("http://a..b/".to_owned(), "no address"),
        (web.put("/junk", b"junk"), "neither in DER nor in PEM"),
        (web.put("/empty", b""), "neither in DER nor in PEM"),
        (web.put("/certificate", ca.pem().as_bytes()), "no CRL in it"),
        (web.put("/foreign", foreign.crl(60).as_bytes()), "'CN=Foreign CA' is not trusted"),
        (web.put("/forged", &der(&ca.crl_signed_by(0, 9, &forger.key))), "signature"),
        (web.put("/delta", &der(&ca.delta_crl())), "delta"),
        (web.answer("/large", b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n"), "larger than"),
        (web.answer("/endless", &endless.concat()), "larger than"),
        (web.answer("/torn", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n0"), "broke off"),
        (web.answer("/ftp", b"220 ready\r\n"), "no HTTP"),
        (web.redirect("/loop", "/loop"), "redirects"),
        (web.redirect("/file", "file:///etc/passwd"), "begins with http"),
        (web.answer("/nowhere", b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"), "redirects"),
    ] {
        let said = site.refused(&["crl", "fetch", &url]);
        assert!(said.contains(reason) && said.contains("1 of 1"), "{url}: {said}");
        let row = listed(&site, &url);
        assert!(row["error"].as_str().unwrap().contains(reason), "{row}");
        assert!(row["due"].as_i64() >= row["tried"].as_i64().map(|tried| tried + 59), "{row}");
        assert_eq!((&row["state"], &row["issuer"]), (&json!("missing"), &Value::Null));
    }
    for url in ["", "ftp://a/", "http://user:password@a/", "a"] {
        assert!(site.refused(&["crl", "fetch", url]).contains("is not a CRL distribution URL"), "{url}");
    }
}

#[test]
fn private_addresses_are_out_of_reach_unless_allowed() {
    let ca = Identity::ca("Private CA");
    let site = site_that_trusts(&ca);
    site.ok(&["config", "set", "proxy_crl_allow_private", "no"]);
    let web = Web::new();
    let url = web.put("/ca.crl", ca.crl(60).as_bytes());
    let port = url.rsplit(':').next().unwrap().to_owned();
    for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "2130706433", "0x7f.1"] {
        let said = site.refused(&["crl", "fetch", &format!("http://{host}:{port}")]);
        assert!(said.contains("not a public one") || said.contains("no address"), "{host}: {said}");
    }
    assert_eq!(web.asked(), Vec::<String>::new());
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    site.ok(&["crl", "fetch", &url]);
}

#[test]
fn https_is_checked_against_the_systems_cas() {
    let (ca, web_ca) = (Identity::ca("Https CA"), Identity::ca("Web CA"));
    let site = site_that_trusts(&ca);
    let crl = ca.crl(60);
    let (good, other) = (Web::https(&web_ca.issue("localhost")), Web::https(&web_ca.issue("other.example")));
    let url = good.put("/ca.crl", crl.as_bytes());
    let said = site.refused(&["crl", "fetch", &url]);
    assert!(said.contains("TLS with the host localhost failed"), "{said}");
    let cas = site.dir.write("cas.pem", &web_ca.pem());
    let fetch = |url: &str| {
        let mut command = std::process::Command::new(crate::site::PROGRAM);
        command.args(["crl", "fetch", url, "--db", &site.db]).env("SSL_CERT_FILE", &cas);
        Said::of(&command.output().unwrap())
    };
    assert_eq!(fetch(&url).status, 0);
    let wrong_name = fetch(&other.put("/ca.crl", crl.as_bytes()));
    assert!(wrong_name.status == 1 && wrong_name.err.contains("ostname mismatch"), "{wrong_name:?}");
}

/// Details of the system log's entries about CRLs that have expired.
fn expired(site: &Site) -> Vec<String> {
    let log = site.json(&["log"]);
    let entries = log.as_array().unwrap().iter();
    let told = entries.filter(|entry| entry["text"] == "a CRL has expired and could not be renewed");
    told.map(|entry| {
        assert_eq!((&entry["level"], &entry["origin"]), (&json!("ERROR"), &json!("api")));
        entry["detail"].as_str().unwrap().to_owned()
    })
    .collect()
}

/// Slow: about 40 s, because a CRL has to expire twice and time slices have to pass.
#[test]
fn slow_a_crl_that_expires_is_reported_once_and_again_when_it_was_well_in_between() {
    let (ca, other) = (Identity::ca("Late CA"), Identity::ca("Brought CA"));
    let site = site_that_trusts(&ca);
    site.ok(&["trust", "add", &site.dir.write("other.pem", &other.pem())]);
    let web = Web::new();
    let url = web.put("/ca.crl", &der(&ca.crl_lasting(4, 60, 1)));
    site.ok(&["crl", "fetch", &url]);
    let brought = other.crl_lasting(4, 60, 1).to_pem().unwrap();
    site.ok(&["crl", "add", &site.dir.write("brought.crl", &String::from_utf8(brought).unwrap())]);
    let serve = site.serve();
    await_that("the end of the CRL", || listed(&site, &url)["state"] == "expired");
    // There is no newer CRL at its URL.
    site.ok(&["crl", "fetch", &url]);
    await_that("the entries", || expired(&site).len() == 2);
    let told = expired(&site).join("\n");
    assert!(told.contains("crl_expired issuer=\"CN=Late CA\" until=") && told.contains(&url), "{told}");
    assert!(told.contains("cause=\"the CRL there expired at ") && told.contains("Brought CA"), "{told}");
    await_time_slices(&site);
    assert_eq!(expired(&site).len(), 2, "each once");
    web.put("/ca.crl", &der(&ca.crl_signed_by(30, 2, &ca.key)));
    site.ok(&["crl", "fetch", &url]);
    await_time_slices(&site);
    web.put("/ca.crl", &der(&ca.crl_lasting(4, 0, 3)));
    site.ok(&["crl", "fetch", &url]);
    await_that("the end of the CRL", || listed(&site, &url)["state"] == "expired");
    site.ok(&["crl", "fetch", &url]);
    await_that("one more entry", || expired(&site).len() == 3);
    assert_eq!(expired(&site).iter().filter(|detail| detail.contains("Late CA")).count(), 2);
    serve.end(Signal::SIGTERM);
}
