//! Requests to the outside through an HTTP proxy: CRLs and events, by the settings or the environment. The hosts here
//! have names that only the proxy knows.

use crate::pki::Identity;
use crate::site::{PROGRAM, Said, Site, await_that};
use crate::web::Web;
use nix::sys::signal::Signal;
use serde_json::json;
use std::process::Command;

/// A site that trusts `ca`, and downloads CRLs only from public hosts.
fn site_that_trusts(ca: &Identity) -> Site {
    let site = Site::new();
    site.ok(&["trust", "add", &site.dir.write("ca.pem", &ca.pem())]);
    site
}

/// The proxy's URL, which is its address.
fn at(proxy: &Web) -> String {
    proxy.url("").replace("localhost", "127.0.0.1")
}

#[test]
fn a_crl_is_fetched_through_the_proxy_with_user_and_password() {
    let ca = Identity::ca("Far CA");
    let site = site_that_trusts(&ca);
    let proxy = Web::new();
    let url = "http://crl.example/my%20ca.crl";
    proxy.put(url, ca.crl(60).as_bytes());
    assert!(site.refused(&["crl", "fetch", url]).contains("no address"));
    let with_user = at(&proxy).replace("http://", "http://me:se%40cret@");
    let file = site.dir.write("proxy", &format!("{with_user}\n"));
    site.ok(&["config", "set", "http_proxy", &format!("@{file}")]);
    assert!(site.ok(&["crl", "fetch", url]).contains("CN=Far CA: taken"));
    let asked = proxy.asked().join("");
    assert!(asked.starts_with(&format!("GET {url} HTTP/1.1\r\n")), "{asked}");
    let asked = asked.to_lowercase();
    assert!(asked.contains("host: crl.example\r\n"), "{asked}");
    assert!(
        asked.contains("proxy-authorization: basic bwu6c2vay3jldA==\r\n".to_lowercase().as_str()),
        "{asked}"
    );
    // If a proxy wants other credentials, the message says so; the password is never shown.
    let locked = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n";
    proxy.answer(url, locked.as_bytes());
    let told = site.refused(&["crl", "fetch", url]);
    assert!(told.contains("does not accept this user and password") && told.contains("http_proxy"), "{told}");
    for words in [&["config", "list"][..], &["config", "list", "--json"], &["config", "get", "http_proxy"]] {
        let said = site.ok(words);
        assert!(said.contains("http://me:***@127.0.0.1:") && !said.contains("cret"), "{words:?}: {said}");
    }
    let told = site.refused(&["config", "set", "http_proxy", "socks5://me:secret@proxy"]);
    assert!(told.contains("it takes http://HOST:PORT") && !told.contains("secret"), "{told}");
}

#[test]
fn what_is_private_by_its_url_stays_out_of_reach_through_a_proxy() {
    let ca = Identity::ca("Near CA");
    let site = site_that_trusts(&ca);
    let proxy = Web::new();
    site.ok(&["config", "set", "http_proxy", &at(&proxy)]);
    for host in
        ["127.0.0.1", "10.1.2.3", "[::1]", "[fd00::1]", "2130706433", "0x7f.1", "localhost", "a.localhost"]
    {
        let told = site.refused(&["crl", "fetch", &format!("http://{host}/ca.crl")]);
        assert!(told.contains("not a public one"), "{host}: {told}");
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
    proxy.redirect("http://crl.example/moved", "http://10.0.0.1/ca.crl");
    assert!(
        site.refused(&["crl", "fetch", "http://crl.example/moved"])
            .contains("10.0.0.1, which is not a public")
    );
    proxy.put("http://10.0.0.1/ca.crl", ca.crl(60).as_bytes());
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    site.ok(&["crl", "fetch", "http://crl.example/moved"]);
}

#[test]
fn https_goes_through_a_tunnel_and_is_checked_as_ever() {
    let (ca, web_ca) = (Identity::ca("Tunnel CA"), Identity::ca("Web CA"));
    let site = site_that_trusts(&ca);
    let web = Web::https(&web_ca.issue("crl.example"));
    web.put("/ca.crl", ca.crl(60).as_bytes());
    let proxy = Web::tunnel_to(&web);
    let cas = site.dir.write("cas.pem", &web_ca.pem());
    site.ok(&["config", "set", "https_proxy", &at(&proxy).replace("//", "//me:word@")]);
    let fetch = |url: &str| {
        let mut command = Command::new(PROGRAM);
        command.args(["crl", "fetch", url, "--db", &site.db]).env("SSL_CERT_FILE", &cas);
        Said::of(&command.output().unwrap())
    };
    let said = fetch("https://crl.example:8443/ca.crl");
    assert!(said.status == 0 && said.out.contains("CN=Tunnel CA: taken"), "{said:?}");
    let asked = proxy.asked().join("");
    assert!(asked.starts_with("CONNECT crl.example:8443 HTTP/1.1\r\n"), "{asked}");
    assert!(asked.to_lowercase().contains("proxy-authorization: basic bwu6d29yza==\r\n"), "{asked}");
    assert!(!web.asked().join("").to_lowercase().contains("proxy-authorization"), "{:?}", web.asked());
    let said = fetch("https://other.example/ca.crl");
    assert!(said.status == 1 && said.err.contains("ostname mismatch"), "{said:?}");
    let said = fetch("https://192.168.1.1/ca.crl");
    assert!(said.status == 1 && said.err.contains("not a public one"), "{said:?}");
    // A proxy that refuses everybody.
    let closed = Web::new();
    closed.answer("crl.example:443", b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    site.ok(&["config", "set", "https_proxy", &at(&closed)]);
    let said = fetch("https://crl.example/ca.crl");
    assert!(
        said.status == 1 && said.err.contains("answered 403") && said.err.contains("the proxy 127."),
        "{said:?}"
    );
}

#[test]
fn the_environment_counts_where_a_setting_is_empty_and_some_hosts_need_no_proxy() {
    let ca = Identity::ca("Env CA");
    let site = site_that_trusts(&ca);
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    let (proxy, web) = (Web::new(), Web::new());
    let far = "http://crl.example/ca.crl";
    proxy.put(far, ca.crl(600).as_bytes());
    let near = web.put("/ca.crl", ca.crl(60).as_bytes());
    let fetch = |url: &str, variables: &[(&str, &str)]| {
        let mut command = Command::new(PROGRAM);
        command.args(["crl", "fetch", url, "--db", &site.db]).envs(variables.iter().copied());
        Said::of(&command.output().unwrap())
    };
    for name in ["http_proxy", "HTTP_PROXY"] {
        assert_eq!(fetch(far, &[(name, &at(&proxy))]).status, 0, "{name}");
    }
    let asked = proxy.asked().len();
    for name in ["no_proxy", "NO_PROXY"] {
        let said = fetch(&near, &[("http_proxy", &at(&proxy)), (name, "example.net,localhost")]);
        assert_eq!(said.status, 0, "{name}: {said:?}");
    }
    assert_eq!((proxy.asked().len(), web.asked().len()), (asked, 2));
    let said = fetch(far, &[("http_proxy", "socks5://127.0.0.1:1")]);
    assert!(
        said.status == 1 && said.err.to_lowercase().contains("http_proxy does not name a proxy"),
        "{said:?}"
    );
    // A setting has priority.
    site.ok(&["config", "set", "http_proxy", &at(&proxy)]);
    site.ok(&["config", "set", "no_proxy", "localhost"]);
    assert_eq!(fetch(far, &[("http_proxy", "http://127.0.0.1:1")]).status, 0);
    assert_eq!(fetch(&near, &[("no_proxy", "other.example")]).status, 0);
}

#[test]
fn events_are_posted_through_the_proxy() {
    let site = Site::new();
    let proxy = Web::new();
    proxy.put("http://events.example/hook", b"");
    site.ok(&["config", "set", "proxy_event_script", "http://events.example/hook"]);
    let with_user = at(&proxy).replace("http://", "http://me:geheim@");
    site.ok(&["config", "set", "http_proxy", &with_user]);
    site.ok(&["config", "set", "api_log_level", "TRACE"]);
    let serve = site.serve();
    site.client(&serve).ok(&json!({"function": "proxy_crl_url", "url": "ldap:///CN=Any"}));
    await_that("the post", || !proxy.asked().is_empty());
    let asked = proxy.asked().join("");
    assert!(asked.starts_with("POST http://events.example/hook HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains("cannot%20be%20downloaded%20from"), "{asked}");
    let log = serve.end(Signal::SIGTERM);
    assert!(!log.contains("geheim"), "{log}");
}
