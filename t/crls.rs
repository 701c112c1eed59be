//! A CRL is found automatically: found in a partner's certificate, reported to the backend, downloaded, in force.

use nix::unistd::Pid;
use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::dial::Dial;
use oftp2peer::transport::tls::Tls;
use openssl::x509::X509Crl;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::wait::wait_slow;

/// `proxy_crl_slice_seconds` of this test.
const SLICE: Duration = Duration::from_secs(5);
/// How often the server requests a newer configuration.
const REFRESH: Duration = Duration::from_mins(1);

/// Serves `body` for every request while this test process runs; returns the URL.
fn publish(body: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/other%20ca.crl", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            while request.next().is_some_and(|line| !line.is_empty()) {}
            let head =
                format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), &body].concat());
        }
    });
    url
}

/// Memory that a process does not share, KiB (proc_pid_smaps_rollup(5)).
fn private_dirty(process: Pid) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// The documented delay is a time slice and the minute until the server asks again; nothing makes it shorter.
#[test]
fn the_crl_of_a_new_ca_is_found_fetched_and_in_force() {
    let mut other = Authority::new("Other CA").unwrap();
    let url = publish(other.crl(30).unwrap());
    let mut site = Builder::new("crls")
        .setting("proxy_crl_allow_private", "yes")
        .setting("proxy_crl_slice_seconds", "5")
        .partners([PartnerEntry::new("beta", "O0013BETA")])
        .prepare()
        .unwrap();
    let certificate = other.certificate_pem().unwrap();
    site.api(&["trust", "add", &site.file("other-ca.pem", &certificate).unwrap()]).unwrap();
    site.launch().unwrap();
    let mut request = Request::new("beta").ssid("O0013BETA");
    // CAs also write URLs in this form.
    request.crl_url = Some(format!(" {}\t", url.replace("%20", " ")));
    let beta = other.issue(&request).unwrap();
    let partner = site.partner_with("O0013BETA", Some(&beta)).unwrap();

    let mark = site.mark(Role::Server);
    assert!(!partner.call().is_good());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=crl-missing");
    wait_slow(SLICE, &format!("the CRL of {url} in the backend's list"), || {
        site.api(&["crl", "list"]).unwrap().contains("Other CA").then_some(())
    });
    wait_slow(REFRESH, "the generation with the CRL", || {
        site.log(Role::Server)[mark..].contains(" config_taken ").then_some(())
    });
    assert!(partner.call().is_good());
    site.end();
}

/// A CA renews its intermediate: partners send it, and the site has never seen it.
#[test]
fn the_list_of_an_intermediate_that_partners_send_is_checked_with_it_and_it_is_no_anchor() {
    let mut site = Builder::new("intermediate")
        .setting("proxy_crl_allow_private", "yes")
        .setting("proxy_crl_slice_seconds", "5")
        .partners([PartnerEntry::new("beta", "O0013BETA")])
        .prepare()
        .unwrap();
    // The upper one needs no URL: an operator has added its CRL.
    let top = site.authority.beneath("Top").unwrap();
    let mut renewed = top.beneath("Renewed").unwrap();
    let list = |authority: &mut Authority, name: &str| site.file(name, &authority.crl(30).unwrap()).unwrap();
    site.api(&["crl", "add", &list(&mut top.clone(), "top.crl")]).unwrap();
    let url = publish(renewed.crl(30).unwrap());
    let mut request = Request::new("beta").ssid("O0013BETA");
    request.crl_url = Some(url.clone());
    let beta = renewed.issue(&request).unwrap();
    let chain = [&beta.certificate, renewed.certificate(), top.certificate()];
    let chain: Vec<u8> = chain.iter().flat_map(|one| one.to_pem().unwrap()).collect();
    site.launch().unwrap();
    let partner = |chain: Vec<u8>| {
        let identity = Some((chain, beta.key_pem().unwrap()));
        let trust = Some(site.authority.certificate_pem().unwrap());
        let mut dial = Dial::to(&site.tls);
        let context = Tls { identity, trust, ..Tls::default() }.context().unwrap();
        dial.tls = Some((context, Some(site.address.to_string())));
        Partner::new(dial, Settings::new("O0013BETA", "PARTNER"))
    };
    let (whole, alone) = (partner(chain), partner(beta.certificate_pem().unwrap()));
    let mark = site.mark(Role::Server);
    assert!(!whole.call().is_good());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=crl-missing");
    wait_slow(SLICE, "the CRL of the intermediate in the backend's list", || {
        site.api(&["crl", "list"]).unwrap().contains("CN=Renewed").then_some(())
    });
    wait_slow(REFRESH, "the generation with the CRL", || {
        site.log(Role::Server)[mark..].contains(" config_taken ").then_some(())
    });
    assert!(whole.call().is_good());
    assert!(!site.api(&["trust", "list"]).unwrap().contains("CN=Renewed"));
    let mark = site.mark(Role::Server);
    assert!(!alone.call().is_good());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=unknown-ca");
    site.end();
}

#[test]
fn a_crl_that_cannot_be_downloaded_is_told_once_with_what_to_do() {
    let other = Authority::new("Other CA").unwrap();
    let mut site =
        Builder::new("crl-ldap").partners([PartnerEntry::new("beta", "O0013BETA")]).prepare().unwrap();
    let certificate = other.certificate_pem().unwrap();
    site.api(&["trust", "add", &site.file("other-ca.pem", &certificate).unwrap()]).unwrap();
    site.launch().unwrap();
    let mut request = Request::new("beta").ssid("O0013BETA");
    request.crl_url = Some("ldap:///CN=Other CA?certificateRevocationList".to_owned());
    let beta = other.issue(&request).unwrap();
    let partner = site.partner_with("O0013BETA", Some(&beta)).unwrap();
    for _ in 0..2 {
        let mark = site.mark(Role::Server);
        assert!(!partner.call().is_good());
        site.wait_log_after(Role::Server, mark, "session_refused*reason=crl-missing");
    }
    let url = "ldap:///CN=Other%20CA?certificateRevocationList";
    let line = site.wait_log(Role::Server, "a CRL distribution URL cannot be downloaded from");
    assert!(line.contains(" WARN ") && line.contains(url) && line.contains("crl add FILE"), "{line}");
    wait_slow(SLICE, "the entry in the system log", || {
        site.api(&["log"]).unwrap().contains("crl_url_not_fetchable").then_some(())
    });
    let entries = site.api(&["log"]).unwrap();
    assert_eq!(entries.matches("crl_url_not_fetchable").count(), 1, "{entries}");
    assert_eq!(site.log(Role::Server).matches("cannot be downloaded from").count(), 1);
    let list = site.api(&["crl", "list"]).unwrap();
    assert!(list.contains("by-hand") && list.contains(url) && list.contains("crl add FILE"), "{list}");
    site.end();
}

#[test]
fn a_ca_without_crls_is_named_and_its_certificates_need_none() {
    let mut other = Authority::new("Ocsp CA").unwrap();
    let [good, gone] =
        ["good", "gone"].map(|name| other.issue(&Request::new(name).ssid("O0013BETA")).unwrap());
    let middle = other.beneath("Middle CA").unwrap();
    let below = middle.issue(&Request::new("below").ssid("O0013BETA")).unwrap();
    let mut site =
        Builder::new("no-crl").partners([PartnerEntry::new("beta", "O0013BETA")]).prepare().unwrap();
    let file = site.file("other.pem", &other.certificate_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &file, "--name", "other", "--no-crl"]).unwrap();
    let list = site.api(&["trust", "list", "--json"]).unwrap();
    assert_eq!(list.matches("\"no_crl\": true").count(), 1, "{list}");
    // The entries of such a CRL count nevertheless, and the switch is only for this CA.
    other.revoke(&gone.certificate).unwrap();
    site.launch().unwrap();
    assert!(site.partner_with("O0013BETA", Some(&good)).unwrap().call().is_good());
    let refused = |site: &mut Site, chain: Vec<u8>, key: Vec<u8>, reason: &str| {
        let trust = Some(site.authority.certificate_pem().unwrap());
        let mut partner = site.partner("O0013BETA").unwrap();
        let context = Tls { identity: Some((chain, key)), trust, ..Tls::default() }.context().unwrap();
        partner.dial.tls = Some((context, Some(site.address.to_string())));
        let mark = site.mark(Role::Server);
        assert!(!partner.call().is_good());
        site.wait_log_after(Role::Server, mark, &format!("session_refused*reason={reason}"));
    };
    let chain = [below.certificate_pem().unwrap(), middle.certificate_pem().unwrap()].concat();
    refused(&mut site, chain, below.key_pem().unwrap(), "crl-missing");
    site.api(&["crl", "add", &site.file("other.crl", &other.crl(30).unwrap()).unwrap()]).unwrap();
    let mark = site.mark(Role::Server);
    wait_slow(REFRESH, "the generation with the CRL", || {
        site.log(Role::Server)[mark..].contains(" config_taken ").then_some(())
    });
    refused(&mut site, gone.certificate_pem().unwrap(), gone.key_pem().unwrap(), "revoked");
    site.end();
}

/// About 11 MiB in DER, 15 in PEM: more than is accepted without a setting.
#[test]
fn a_large_crl_is_downloaded_and_in_force_and_costs_a_session_no_memory() {
    let mut other = Authority::new("Large CA").unwrap();
    let [good, gone] =
        ["good", "gone"].map(|name| other.issue(&Request::new(name).ssid("O0013BETA")).unwrap());
    other.revoke(&gone.certificate).unwrap();
    other.revoke_strangers(320_000);
    let crl = X509Crl::from_pem(&other.crl(30).unwrap()).unwrap().to_der().unwrap();
    assert!(crl.len() > 10 << 20, "{}", crl.len());
    let url = publish(crl);
    let mut site = Builder::new("crl-large")
        .setting("proxy_crl_allow_private", "yes")
        .partners([PartnerEntry::new("beta", "O0013BETA")])
        .prepare()
        .unwrap();
    let certificate = other.certificate_pem().unwrap();
    site.api(&["trust", "add", &site.file("large-ca.pem", &certificate).unwrap()]).unwrap();
    let refused = site.api(&["crl", "fetch", &url]).unwrap_err().to_string();
    assert!(refused.contains("larger than 10 MiB: set proxy_crl_max_size"), "{refused}");
    site.api(&["config", "set", "proxy_crl_max_size", "64"]).unwrap();
    assert!(site.api(&["crl", "fetch", &url]).unwrap().contains("taken, of"));
    site.launch().unwrap();
    for (identity, is_good) in [(&good, true), (&gone, false)] {
        let mark = site.mark(Role::Server);
        assert_eq!(site.partner_with("O0013BETA", Some(identity)).unwrap().call().is_good(), is_good);
        if !is_good {
            site.wait_log_after(Role::Server, mark, "session_refused*reason=revoked");
        }
    }
    // The CRL was used, and all of it is in memory that the processes share: sorting it alone would need 3 MiB.
    let flight = Flight::take_off(site.partner_with("O0013BETA", Some(&good)).unwrap()).unwrap();
    let parked = site.titled(Role::Server, "parked");
    let serving: Vec<_> = site.children(Role::Server).difference(&parked).copied().collect();
    let [serving] = serving[..] else { panic!("one session: {serving:?}") };
    let own = private_dirty(serving);
    assert!(own < 2 * 1024, "{own} KiB");
    assert!(flight.land().unwrap().is_good());
    site.end();
}

/// More than one message of a session process has room for.
#[test]
fn every_crl_of_a_long_chain_is_asked_for() {
    let url = |number: usize| format!("http://192.0.2.1/{number:02}/{}", "x".repeat(990));
    let mut site = Builder::new("crl-chain")
        .setting("tls_ignore_crl_unavailability", "yes")
        .partners([PartnerEntry::new("beta", "O0013BETA")])
        .prepare()
        .unwrap();
    let mut issuer = Authority::new("Root CA").unwrap();
    let root = site.file("root.pem", &issuer.certificate_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &root]).unwrap();
    site.launch().unwrap();
    let mut chain = Vec::new();
    for number in 0..20 {
        let mut request = Request { to_day: 3000, ..Request::authority(&format!("CA {number}")) };
        request.crl_url = Some(url(number));
        issuer = issuer.beneath_as(&request).unwrap();
        chain = [issuer.certificate_pem().unwrap(), chain].concat();
    }
    let leaf = issuer.issue(&Request::new("beta").ssid("O0013BETA")).unwrap();
    let identity = Some(([leaf.certificate_pem().unwrap(), chain].concat(), leaf.key_pem().unwrap()));
    let trust = Some(site.authority.certificate_pem().unwrap());
    let mut partner = site.partner("O0013BETA").unwrap();
    let context = Tls { identity, trust, ..Tls::default() }.context().unwrap();
    partner.dial.tls = Some((context, Some(site.address.to_string())));
    let report = partner.call();
    assert!(report.is_good(), "{report:?}");
    for number in 0..20 {
        site.wait_log(Role::Server, &format!("a CRL distribution URL is new*{}", url(number)));
    }
    site.end();
}
