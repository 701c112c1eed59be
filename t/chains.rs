//! The chains of partners' certificates: the paths that must be found, and those that must be refused. Each refusal has
//! its own reason in the log, and the partner's `openssl s_client` shows the right alert.

use oftp2peer::Partner;
use oftp2peer::ca::{Authority, Issued, Key, Oddity, Request, self_signed};
use oftp2peer::oftp::settings::Settings;
use oftp2peer::transport::dial::Dial;
use oftp2peer::transport::tls::Tls;
use openssl::x509::X509;
use t::s_client::s_client;
use t::site::{Builder, PartnerEntry, Role, Site};

const SSID: &str = "O0013ANY";

/// A site with a partner that may have any certificate of a trusted CA.
fn site(name: &str) -> Site {
    builder(name).prepare().unwrap()
}

/// The same, not built yet.
pub(crate) fn builder(name: &str) -> Builder {
    let anybody = PartnerEntry::new("anybody", SSID).option("--certificate", "any");
    Builder::new(name).partners([PartnerEntry::new("acme", "O0013ACME"), anybody])
}

/// The certificates that a partner presents: its own, then intermediate ones.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) what: &'static str,
    leaf: Issued,
    others: Vec<X509>,
}

impl Shown {
    pub(crate) fn new(what: &'static str, leaf: Issued, others: &[&X509]) -> Self {
        Self { what, leaf, others: others.iter().map(|&one| one.clone()).collect() }
    }

    fn others_pem(&self) -> Vec<u8> {
        self.others.iter().flat_map(|one| one.to_pem().unwrap()).collect()
    }

    pub(crate) fn partner(&self, site: &Site) -> Partner {
        let chain = [self.leaf.certificate_pem().unwrap(), self.others_pem()].concat();
        let identity = Some((chain, self.leaf.key_pem().unwrap()));
        let trust = Some(site.authority.certificate_pem().unwrap());
        let context = Tls { identity, trust, ..Tls::default() }.context().unwrap();
        let mut dial = Dial::to(&site.tls);
        dial.tls = Some((context, Some(site.address.to_string())));
        Partner::new(dial, Settings::new(SSID, "PARTNER"))
    }

    /// The output of `s_client` when it presents these certificates.
    fn s_client(&self, site: &Site) -> String {
        let certificate = site.file("shown.pem", &self.leaf.certificate_pem().unwrap()).unwrap();
        let key = site.file("shown.key", &self.leaf.key_pem().unwrap()).unwrap();
        let others = site.file("shown-others.pem", &self.others_pem()).unwrap();
        // Presenting a weak certificate needs a low security level on the partner's side.
        let mut options = vec!["-cipher", "DEFAULT:@SECLEVEL=0", "-cert", &certificate, "-key", &key];
        if !self.others.is_empty() {
            options.extend(["-cert_chain", &others]);
        }
        s_client(site.tls, &options, "").unwrap()
    }
}

/// Trusts a certificate.
pub(crate) fn trust(site: &Site, name: &str, certificate: &X509) {
    let file = site.file("trust.pem", &certificate.to_pem().unwrap()).unwrap();
    site.api(&["trust", "add", &file, "--name", name]).unwrap();
}

/// Gives the CRL of `authority`, which is trusted or was presented, to the backend.
fn publish(site: &Site, authority: &mut Authority) {
    let file = site.file("published.pem", &authority.crl(30).unwrap()).unwrap();
    site.api(&["crl", "add", &file]).unwrap();
}

/// A trusted root with its CRL.
fn root(site: &Site, request: &Request) -> Authority {
    let mut root = Authority::root(request).unwrap();
    trust(site, &request.name, root.certificate());
    publish(site, &mut root);
    root
}

pub(crate) fn leaf(authority: &Authority) -> Issued {
    authority.issue(&Request::new("leaf").ssid("O0013LEAF")).unwrap()
}

#[test]
fn every_path_to_a_trusted_certificate_is_found() {
    let mut site = site("paths");
    let mut cases = Vec::new();
    let old = root(&site, &Request::authority("Version 1 root").odd(Oddity::FirstVersion));
    cases.push(Shown::new("an X.509 v1 root", leaf(&old), &[]));
    let mut middle = old.beneath("Middle of the v1 root").unwrap();
    publish(&site, &mut middle);
    cases.push(Shown::new("an intermediate that is sent", leaf(&middle), &[middle.certificate()]));
    let mut held = old.beneath("Held middle").unwrap();
    trust(&site, "held", held.certificate());
    publish(&site, &mut held);
    cases.push(Shown::new("an intermediate that we hold", leaf(&held), &[]));
    cases.push(Shown::new("one that we hold and that is sent", leaf(&held), &[held.certificate()]));
    let mut alone = Authority::new("Unknown root").unwrap().beneath("Trusted middle").unwrap();
    trust(&site, "alone", alone.certificate());
    publish(&site, &mut alone);
    cases.push(Shown::new("an intermediate whose root we do not know", leaf(&alone), &[]));

    // An ordinary change of keys: until the last certificate of the old key has expired, there are CRLs of both keys.
    let rolled = Request::authority("Rolled over");
    let (before, after) = (root(&site, &rolled), root(&site, &rolled));
    cases.push(Shown::new("the old key of a CA that has a new one", leaf(&before), &[]));
    cases.push(Shown::new("the new key of a CA under its old name", leaf(&after), &[]));

    let new = root(&site, &Request::authority("Renewed"));
    let cross = Request::authority("Renewed");
    let foreign = Authority::new("Foreign root").unwrap().certify(&new, &cross).unwrap();
    cases.push(Shown::new("cross-signed by nobody we know", leaf(&new), &[&foreign]));
    let late = Authority::new("Expired root").unwrap().certify(&new, &cross.clone().valid(-30, -2)).unwrap();
    cases.push(Shown::new("cross-signed, and that has expired", leaf(&new), &[&late]));

    let other = root(&site, &Request::authority("Other root"));
    let outdated = root(&site, &Request::authority("Outdated").valid(-300, -2));
    let cross = other.certify(&outdated, &Request::authority("Outdated")).unwrap();
    cases.push(Shown::new(
        "the trusted root has expired, its cross-certificate not",
        leaf(&outdated),
        &[&cross],
    ));
    let both = [outdated.certificate(), &cross];
    cases.push(Shown::new("both are sent, the expired one first", leaf(&outdated), &both));
    let outdated = root(&site, &Request::authority("Outdated too").valid(-300, -2));
    trust(&site, "cross", &other.certify(&outdated, &Request::authority("Outdated too")).unwrap());
    cases.push(Shown::new("both are held", leaf(&outdated), &[]));

    let own = self_signed(&Request::new("self")).unwrap();
    trust(&site, "self", &own.certificate);
    cases.push(Shown::new("self-signed and trusted", own, &[]));
    site.launch().unwrap();
    let count = cases.len() as u64;
    for shown in cases {
        let report = shown.partner(&site).call();
        assert!(report.ending.is_normal(), "{}: {report:?}", shown.what);
    }
    assert_eq!(site.station.as_ref().unwrap().connections(), count);
    site.end();
}

/// A case's reason in the log, and the number of its alert (RFC 8446 §6).
type ReasonAndAlert = (&'static str, u8);

#[track_caller]
fn refused(site: &mut Site, what: &str, said: &str, mark: usize, (reason, alert): ReasonAndAlert) {
    let line = site.wait_log_after(Role::Server, mark, "session_refused");
    assert!(line.contains(&format!(" reason={reason} ")), "{what}: {line}");
    assert!(said.contains(&format!("SSL alert number {alert}\n")), "{what}: {said}");
}

/// Paths that lead to no trusted certificate, or that are not allowed.
fn bad_chains(site: &mut Site) -> Vec<(ReasonAndAlert, Shown)> {
    let mut root = root(site, &Request::authority("Strict root"));
    let mut cases = Vec::new();
    let mut sent = root.beneath("Sent and revoked").unwrap();
    root.revoke(sent.certificate()).unwrap();
    publish(site, &mut sent);
    cases.push((("revoked", 44), Shown::new("a revoked intermediate", leaf(&sent), &[sent.certificate()])));
    let mut held = root.beneath("Held and revoked").unwrap();
    root.revoke(held.certificate()).unwrap();
    trust(site, "held-revoked", held.certificate());
    publish(site, &mut held);
    cases.push((("revoked", 44), Shown::new("a revoked intermediate that we hold", leaf(&held), &[])));
    publish(site, &mut root);
    let rolled = Request::authority("Rolled over");
    let (mut before, _after) = (self::root(site, &rolled), self::root(site, &rolled));
    let gone = leaf(&before);
    before.revoke(&gone.certificate).unwrap();
    publish(site, &mut before);
    cases.push((("revoked", 44), Shown::new("revoked by the old key of a CA that has a new one", gone, &[])));
    let bare = root.beneath("Without CRL").unwrap();
    cases.push((
        ("crl-missing", 46),
        Shown::new("no CRL of the intermediate", leaf(&bare), &[bare.certificate()]),
    ));
    let absent = root.beneath("Not sent").unwrap();
    cases.push((("unknown-ca", 48), Shown::new("an intermediate that nobody has", leaf(&absent), &[])));
    let mut late = root.beneath_as(&Request::authority("Late").valid(-30, -2)).unwrap();
    publish(site, &mut late);
    cases.push((("expired", 45), Shown::new("an expired intermediate", leaf(&late), &[late.certificate()])));
    let mut mute = root.beneath_as(&Request::authority("Mute").odd(Oddity::KeyUsage)).unwrap();
    publish(site, &mut mute);
    cases.push((
        ("unknown-ca", 48),
        Shown::new("a CA that may issue nothing", leaf(&mute), &[mute.certificate()]),
    ));
    let old = root.beneath_as(&Request::authority("Old").odd(Oddity::FirstVersion)).unwrap();
    cases.push((("unknown-ca", 48), Shown::new("a v1 intermediate", leaf(&old), &[old.certificate()])));
    let end = root.issue(&Request::new("end")).unwrap();
    let end = Authority::of(end);
    cases.push((
        ("unknown-ca", 48),
        Shown::new("issued by one that is no CA", leaf(&end), &[end.certificate()]),
    ));
    let weak = Request { key: Key::Rsa(1024), ..Request::authority("Weak") };
    let mut weak = root.beneath_as(&weak).unwrap();
    publish(site, &mut weak);
    cases.push((
        ("weak-key", 42),
        Shown::new("an intermediate with a weak key", leaf(&weak), &[weak.certificate()]),
    ));
    let outdated = self::root(site, &Request::authority("Outdated root").valid(-300, -2));
    cases.push((("expired", 45), Shown::new("an expired root", leaf(&outdated), &[])));
    let early = self::root(site, &Request::authority("Early root").valid(2, 300));
    cases.push((
        ("not-yet-valid", 42),
        Shown::new("a root of the future", leaf(&early), &[early.certificate()]),
    ));
    cases
}

/// Certificates that are invalid themselves.
fn bad_leaves(site: &mut Site) -> Vec<(ReasonAndAlert, Shown)> {
    let good = Request::new("acme").ssid("O0013ACME");
    let issue = |request: &Request| site.authority.issue(request).unwrap();
    let revoked = issue(&good);
    let cases = [
        (("expired", 45), "expired", issue(&good.clone().valid(-30, -2))),
        (("not-yet-valid", 42), "not yet valid", issue(&good.clone().valid(2, 30))),
        (("revoked", 44), "revoked", revoked.clone()),
        (("unknown-ca", 48), "of another CA", leaf(&Authority::new("Foreign CA").unwrap())),
        (("unknown-ca", 48), "self-signed", self_signed(&good).unwrap()),
        (("wrong-usage", 43), "for servers alone", issue(&Request { client: false, ..good.clone() })),
        (("wrong-usage", 43), "not for signing", issue(&good.clone().odd(Oddity::KeyUsage))),
        (("weak-key", 42), "RSA with 1024 bits", issue(&Request { key: Key::Rsa(1024), ..good.clone() })),
        (("weak-key", 42), "SHA-1", issue(&good.clone().odd(Oddity::Sha1))),
    ];
    site.authority.revoke(&revoked.certificate).unwrap();
    site.publish_crl().unwrap();
    cases.map(|(refusal, what, leaf)| (refusal, Shown::new(what, leaf, &[]))).into()
}

#[test]
fn bad_chains_and_certificates_are_refused_with_their_reason_and_alert() {
    let mut site = site("dead-ends");
    let cases = [bad_chains(&mut site), bad_leaves(&mut site)].concat();
    site.launch().unwrap();
    for (refusal, shown) in &cases {
        let mark = site.mark(Role::Server);
        let said = shown.s_client(&site);
        refused(&mut site, shown.what, &said, mark, *refusal);
    }
    // TLS 1.2 has no separate alert for this.
    for (version, alert) in [("-tls1_3", 116), ("-tls1_2", 40)] {
        let mark = site.mark(Role::Server);
        let said = s_client(site.tls, &[version], "").unwrap();
        refused(&mut site, version, &said, mark, ("no-certificate", alert));
    }
    assert_eq!(site.log(Role::Server).matches(" session_refused ").count(), cases.len() + 2);
    assert_eq!(site.station.as_ref().unwrap().connections(), 0);
    site.assert_works();
    site.end();
}
