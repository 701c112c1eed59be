//! CRLs for some of a CA's certificates (RFC 5280 §5.2.5), as large CAs publish them: each certificate is judged by the
//! CRL for it, and a trust anchor needs none.

use crate::chains::{Shown, builder, leaf, trust};
use oftp2peer::ca::{Authority, Issued, Request, Scope};
use std::time::{Duration, SystemTime};
use t::site::{Role, Site};

const URL: [&str; 3] = ["http://192.0.2.1/a.crl", "http://192.0.2.1/b.crl", "http://192.0.2.1/c.crl"];

/// A certificate with the URL of its CRL.
fn shard_leaf(authority: &Authority, url: &str) -> Issued {
    let request = Request { crl_url: Some(url.to_owned()), ..Request::new("leaf").ssid("O0013LEAF") };
    authority.issue(&request).unwrap()
}

fn shard(url: &str) -> Scope {
    Scope { url: Some(url.to_owned()), critical: true, ..Scope::default() }
}

/// Gives the CRL for this scope to the backend.
fn publish(site: &Site, authority: &mut Authority, scope: &Scope) {
    let file = site.file("scoped.pem", &authority.scoped_crl(scope).unwrap()).unwrap();
    site.api(&["crl", "add", &file]).unwrap();
}

fn trusted(site: &Site, name: &str) -> Authority {
    let authority = Authority::new(name).unwrap();
    trust(site, name, authority.certificate());
    authority
}

#[test]
fn each_certificate_is_judged_by_the_list_that_is_for_it() {
    let mut site = builder("scopes").prepare().unwrap();
    let mut good = Vec::new();
    let mut sharded = trusted(&site, "Sharded");
    let gone = shard_leaf(&sharded, URL[1]);
    sharded.revoke(&gone.certificate).unwrap();
    for url in &URL[..2] {
        publish(&site, &mut sharded, &shard(url));
    }
    good.push(Shown::new("in the first shard", shard_leaf(&sharded, URL[0]), &[]));
    good.push(Shown::new("in the second shard", shard_leaf(&sharded, URL[1]), &[]));
    for critical in [true, false] {
        let mut users = trusted(&site, if critical { "Users, critical" } else { "Users" });
        publish(&site, &mut users, &Scope { authorities: Some(false), critical, url: None });
        good.push(Shown::new("onlyContainsUserCerts", leaf(&users), &[]));
    }
    let mut split = trusted(&site, "Split");
    publish(&site, &mut split, &Scope { authorities: Some(true), critical: true, url: None });
    publish(&site, &mut split, &Scope { authorities: Some(false), critical: true, url: None });
    let mut middle = split.beneath("Middle").unwrap();
    trust(&site, "middle, for its list", middle.certificate());
    publish(&site, &mut middle, &Scope { authorities: Some(false), critical: true, url: None });
    good.push(Shown::new("two lists side by side", leaf(&split), &[]));
    good.push(Shown::new("beneath it", leaf(&middle), &[middle.certificate()]));
    let bare = trusted(&site, "Without any list");
    let mut anchor = bare.beneath("An anchor itself").unwrap();
    trust(&site, "anchor", anchor.certificate());
    publish(&site, &mut anchor, &Scope::default());
    good.push(Shown::new("an intermediate that is trusted itself", leaf(&anchor), &[anchor.certificate()]));

    let listed = site.api(&["crl", "list"]).unwrap();
    assert_eq!(listed.matches("Sharded").count(), 2, "{listed}");
    for url in &URL[..2] {
        assert!(listed.contains(url), "the scope of each list is shown: {listed}");
    }
    site.launch().unwrap();
    for shown in good {
        let report = shown.partner(&site).call();
        assert!(report.ending.is_normal(), "{}: {report:?}", shown.what);
    }
    let other = shard_leaf(&sharded, URL[2]);
    for (shown, pattern) in [
        (Shown::new("revoked in its shard", gone, &[]), "reason=revoked "),
        (
            Shown::new("in no shard that we have", other, &[]),
            "reason=crl-missing *no CRL here covers it*c.crl",
        ),
    ] {
        let mark = site.mark(Role::Server);
        assert!(!shown.partner(&site).call().ending.is_normal(), "{}", shown.what);
        site.wait_log_after(Role::Server, mark, &format!("session_refused*{pattern}"));
    }
    site.end();
}

#[test]
fn a_list_of_the_future_waits_for_its_time() {
    const DAY: Duration = Duration::from_hours(24);
    let mut site = builder("future").prepare().unwrap();
    let now = SystemTime::now();
    let publish_between = |site: &Site, authority: &mut Authority, from: SystemTime| {
        let file = site.file("dated.pem", &authority.crl_between(from, now + 30 * DAY).unwrap()).unwrap();
        site.api(&["crl", "add", &file]).unwrap()
    };
    let mut ahead = trusted(&site, "Ahead by two minutes");
    publish_between(&site, &mut ahead, now + Duration::from_mins(2));
    let mut tomorrow = trusted(&site, "Tomorrow's list came early");
    publish_between(&site, &mut tomorrow, now - DAY);
    let gone = leaf(&tomorrow);
    tomorrow.revoke(&gone.certificate).unwrap();
    let said = publish_between(&site, &mut tomorrow, now + DAY);
    assert!(said.contains("it is in force from then on"), "{said}");
    let mut only = trusted(&site, "Only tomorrow's list");
    publish_between(&site, &mut only, now + DAY);
    let listed = site.api(&["crl", "list"]).unwrap();
    let state = |issuer: &str, state: &str| {
        listed.lines().filter(|line| line.contains(issuer) && line.contains(state)).count()
    };
    assert_eq!(
        (state("came early", " current "), state("came early", " not yet valid ")),
        (1, 1),
        "{listed}"
    );
    assert_eq!((state("Ahead", " current "), state("Only", " not yet valid ")), (1, 1), "{listed}");
    site.launch().unwrap();
    for shown in [
        Shown::new("a clock that is ahead", leaf(&ahead), &[]),
        Shown::new("the list of today holds", leaf(&tomorrow), &[]),
        Shown::new("and tomorrow's does not yet", gone, &[]),
    ] {
        let report = shown.partner(&site).call();
        assert!(report.ending.is_normal(), "{}: {report:?}", shown.what);
    }
    let mark = site.mark(Role::Server);
    assert!(!Shown::new("no list that holds", leaf(&only), &[]).partner(&site).call().ending.is_normal());
    site.wait_log_after(
        Role::Server,
        mark,
        "session_refused*reason=crl-missing *is not yet valid, but from ",
    );
    site.end();
}

#[test]
fn a_list_of_another_scope_is_none_where_none_is_needed() {
    let mut site =
        builder("scope-ignored").setting("tls_ignore_crl_unavailability", "yes").prepare().unwrap();
    let mut sharded = trusted(&site, "Sharded");
    let gone = shard_leaf(&sharded, URL[0]);
    sharded.revoke(&gone.certificate).unwrap();
    publish(&site, &mut sharded, &shard(URL[0]));
    site.launch().unwrap();
    let shown = Shown::new("in another shard", shard_leaf(&sharded, URL[1]), &[]);
    assert!(shown.partner(&site).call().ending.is_normal());
    let mark = site.mark(Role::Server);
    assert!(!Shown::new("revoked", gone, &[]).partner(&site).call().ending.is_normal());
    site.wait_log_after(Role::Server, mark, "session_refused*reason=revoked ");
    site.end();
}
