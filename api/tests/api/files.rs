//! The files of operators: certificates, keys and CRLs in each form that the openssl command writes. For any other file
//! the message says what kind it is, and what to do.

use crate::pki::Identity;
use crate::site::Site;
use openssl::x509::X509;
use std::path::Path;
use std::process::Command;

/// Runs the openssl command in the site's directory.
fn openssl(site: &Site, words: &str) {
    let output =
        Command::new("openssl").args(words.split(' ')).current_dir(site.dir.path(".")).output().unwrap();
    assert!(output.status.success(), "{words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A site with the files of our certificate: `ca.pem`, `own.pem`, `own.key`, and both in order in `chain.pem`.
fn site_with_files() -> (Site, Identity, Identity) {
    let site = Site::new();
    let ca = Identity::ca("CA");
    let own = ca.issue("own");
    for (name, text) in [
        ("ca.pem", ca.pem()),
        ("own.pem", own.pem()),
        ("chain.pem", own.pem() + &ca.pem()),
        ("own.key", own.key_pem()),
        ("word", "geheim\n".to_owned()),
        ("wrong", "falsch\n".to_owned()),
    ] {
        site.dir.write(name, &text);
    }
    (site, ca, own)
}

/// The path of a file of the site.
fn file(site: &Site, name: &str) -> String {
    site.dir.path(name).to_str().unwrap().to_owned()
}

/// Subjects of the trusted certificates.
fn trusted(site: &Site) -> Vec<String> {
    let list = site.json(&["trust", "list"]);
    list.as_array().unwrap().iter().map(|row| row["subject"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn certificates_are_taken_in_every_form() {
    let (site, ..) = site_with_files();
    openssl(&site, "crl2pkcs7 -nocrl -certfile chain.pem -out pem.p7b");
    openssl(&site, "crl2pkcs7 -nocrl -certfile chain.pem -outform DER -out der.p7b");
    openssl(&site, "pkcs12 -export -nokeys -in chain.pem -out open.p12 -passout pass:");
    openssl(&site, "pkcs12 -export -in chain.pem -inkey own.key -out locked.p12 -passout pass:geheim");
    openssl(&site, "x509 -in own.pem -outform DER -out own.der");
    openssl(&site, "x509 -in own.pem -trustout -addtrust serverAuth -out trusted.pem");
    // Base64 without a frame, and a text as Windows writes it.
    openssl(&site, "base64 -in own.der -out own.b64");
    let text = std::fs::read_to_string(site.dir.path("chain.pem")).unwrap();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(site.dir.path("wide.pem"), [&[0xff, 0xfe], &wide[..]].concat()).unwrap();
    site.dir.write("mark.pem", &format!("\u{feff}{}", text.replace('\n', "\r\n")));
    for (name, count) in [
        ("pem.p7b", 2),
        ("der.p7b", 2),
        ("open.p12", 2),
        ("locked.p12", 2),
        ("own.der", 1),
        ("trusted.pem", 1),
        ("own.b64", 1),
        ("wide.pem", 2),
        ("mark.pem", 2),
    ] {
        site.ok(&["trust", "add", &file(&site, name), "--password-file", &file(&site, "word")]);
        let found = trusted(&site);
        assert_eq!(found.len(), count, "{name}: {found:?}");
        for one in found {
            site.ok(&["trust", "remove", one.strip_prefix("CN=").unwrap()]);
        }
    }
    let pin = file(&site, "locked.p12");
    let add = ["partner", "add", "P", "--ssid", "O0013P", "--pin", &pin];
    assert!(site.refused(&add).contains("--password-file"));
    site.ok(&[&add[..], &["--password-file", &file(&site, "word")]].concat());
    assert_eq!(site.json(&["partner", "list"])[0]["pins"].as_array().unwrap().len(), 2);
}

#[test]
fn our_certificate_and_key_are_taken_in_every_form() {
    let (site, ca, own) = site_with_files();
    openssl(
        &site,
        "pkcs12 -export -in own.pem -certfile ca.pem -inkey own.key -out own.p12 -passout pass:geheim",
    );
    openssl(&site, "pkcs12 -export -in own.pem -certfile ca.pem -inkey own.key -out open.p12 -passout pass:");
    openssl(&site, "crl2pkcs7 -nocrl -certfile chain.pem -out own.p7b");
    openssl(&site, "pkey -in own.key -outform DER -out key.der");
    openssl(&site, "pkcs8 -topk8 -in own.key -passout pass:geheim -out locked.key");
    openssl(&site, "pkcs8 -topk8 -in own.key -passout pass:geheim -outform DER -out locked.der");
    openssl(&site, "ec -in own.key -aes256 -passout pass:geheim -out old.key");
    site.dir.write("both.pem", &(own.key_pem() + &own.pem() + &ca.pem()));
    for (chain, key) in [
        ("own.p12", None),
        ("own.p12", Some("own.p12")),
        ("open.p12", None),
        ("both.pem", None),
        ("own.p7b", Some("own.key")),
        ("chain.pem", Some("key.der")),
        ("chain.pem", Some("locked.key")),
        ("chain.pem", Some("locked.der")),
        ("chain.pem", Some("old.key")),
        ("chain.pem", Some("own.p12")),
    ] {
        let (chain_file, key_file) = (file(&site, chain), key.map(|key| file(&site, key)));
        let mut words = vec!["cert", "set", "--chain", &chain_file];
        if let Some(key) = &key_file {
            words.extend(["--key", key]);
        }
        let needs_password =
            chain == "own.p12" || key.is_some_and(|key| !["own.key", "key.der"].contains(&key));
        if needs_password {
            let said = site.refused(&words);
            assert!(said.contains("is encrypted") && said.contains("--password-file"), "{words:?}: {said}");
            let said = site.refused(&[&words[..], &["--password-file", &file(&site, "wrong")]].concat());
            assert!(said.contains("password does not open"), "{words:?}: {said}");
        }
        let word = file(&site, "word");
        if chain != "open.p12" {
            words.extend(["--password-file", &word]);
        }
        site.ok(&words);
        assert_eq!(site.ok(&["cert", "show", "own"]), own.pem() + &ca.pem(), "{words:?}");
    }
    let said = site.run(&["cert", "set", "--chain", &file(&site, "chain.pem")]);
    assert!(said.status == 64 && said.err.contains("holds no private key"), "{said:?}");
}

#[test]
fn an_old_pkcs12_file_is_named_with_the_command_that_renews_it() {
    let (site, ..) = site_with_files();
    openssl(&site, "pkcs12 -export -legacy -in chain.pem -inkey own.key -out old.p12 -passout pass:geheim");
    let old = file(&site, "old.p12");
    let said = site.refused(&["cert", "set", "--chain", &old, "--password-file", &file(&site, "word")]);
    assert!(said.contains("legacy provider") && said.contains("openssl pkcs12 -legacy -nodes -in"), "{said}");
    // The command in the message helps.
    openssl(&site, "pkcs12 -legacy -nodes -in old.p12 -out new.pem -passin pass:geheim");
    site.ok(&["cert", "set", "--chain", &file(&site, "new.pem")]);
}

#[test]
fn a_file_that_is_something_else_is_named_as_what_it_is() {
    let (site, ca, _) = site_with_files();
    openssl(&site, "req -new -key own.key -subj /CN=own -out own.csr");
    openssl(&site, "req -new -key own.key -subj /CN=own -outform DER -out csr.der");
    openssl(&site, "pkey -in own.key -pubout -out own.pub");
    openssl(&site, "pkey -in own.key -pubout -outform DER -out pub.der");
    openssl(&site, "pkey -in own.key -outform DER -out key.der");
    openssl(&site, "pkcs8 -topk8 -in own.key -passout pass:geheim -outform DER -out locked.der");
    site.dir.write("ca.crl", &ca.crl(60));
    openssl(&site, "crl -in ca.crl -outform DER -out crl.der");
    openssl(&site, "crl2pkcs7 -nocrl -certfile chain.pem -out chain.p7b");
    site.dir.write("page.crt", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n");
    site.dir.write("ssh.key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA\n");
    std::fs::write(site.dir.path("store.jks"), b"\xfe\xed\xfe\xed\0\0\0\x02").unwrap();
    std::fs::write(site.dir.path("certs.zip"), b"PK\x03\x04\x14\0").unwrap();
    site.dir.write("torn.pem", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    for (name, is, remedy) in [
        ("own.csr", "a certificate request (CSR)", "send it to a CA"),
        ("csr.der", "a certificate request (CSR)", "send it to a CA"),
        ("own.pub", "a public key", "certificate of that key"),
        ("pub.der", "a public key", "certificate of that key"),
        ("own.key", "a private key", "keep it secret"),
        ("key.der", "a private key", "keep it secret"),
        ("locked.der", "a private key", "keep it secret"),
        ("ca.crl", "a certificate revocation list", "os4xapi crl add"),
        ("crl.der", "a certificate revocation list", "os4xapi crl add"),
        ("page.crt", "an HTML", "download the file itself"),
        ("ssh.key", "a key of SSH", "certificate"),
        ("store.jks", "a Java keystore", "keytool"),
        ("certs.zip", "an archive", "unpack it"),
        ("word", "something unknown", "PEM or DER"),
    ] {
        let said = site.refused(&["trust", "add", &file(&site, name)]);
        for part in ["holds no certificate: it is", is, remedy] {
            assert!(said.contains(part), "{name}: {said}");
        }
    }
    assert!(site.refused(&["trust", "add", &file(&site, "torn.pem")]).contains("readable certificate"));
    for (name, is) in
        [("own.pem", "a certificate"), ("own.csr", "a certificate request"), ("chain.p7b", "a PKCS#7 file")]
    {
        let set = ["cert", "set", "--chain", &file(&site, "chain.pem"), "--key", &file(&site, name)];
        let said = site.refused(&set);
        assert!(said.contains("holds no private key: it is") && said.contains(is), "{name}: {said}");
    }
    for (name, is) in [("own.pem", "a certificate; "), ("page.crt", "an HTML"), ("own.csr", "request")] {
        let said = site.refused(&["crl", "add", &file(&site, name)]);
        assert!(said.contains("holds no CRL: it is") && said.contains(is), "{name}: {said}");
    }
    site.ok(&["crl", "add", &file(&site, "crl.der")]);
}

#[test]
fn a_chain_is_put_in_order_and_what_does_not_help_is_left_out() {
    let (site, ca, own) = site_with_files();
    let (past, foreign) = (Identity::expired_ca("Past CA"), Identity::ca("Foreign CA"));
    let own_of_past = past.issue("own of past");
    let set = |certificates: &[&Identity], key: &Identity| {
        let text: String = certificates.iter().map(|one| one.pem()).collect();
        let (chain, key) = (site.dir.write("some.pem", &text), site.dir.write("some.key", &key.key_pem()));
        site.run(&["cert", "set", "--chain", &chain, "--key", &key])
    };
    let shown = || X509::stack_from_pem(site.ok(&["cert", "show", "own"]).as_bytes()).unwrap().len();
    for (certificates, kept, told) in [
        (&[&own, &ca][..], 2, None),
        (&[&ca, &own], 2, None),
        (&[&own, &ca, &ca, &own], 2, None),
        (&[&foreign, &ca, &own], 2, Some("'CN=Foreign CA' is not needed")),
        (&[&own, &foreign], 1, Some("if one between them is missing")),
    ] {
        let said = set(certificates, &own);
        assert!(said.status == 0 && shown() == kept, "{said:?}");
        match told {
            Some(told) => assert!(said.err.contains(told), "{said:?}"),
            None => assert!(!said.err.contains("left out"), "{said:?}"),
        }
    }
    let said = set(&[&own_of_past, &past], &own_of_past);
    assert!(said.status == 0 && shown() == 1, "{said:?}");
    assert!(said.err.contains("'CN=Past CA' is valid from") && said.err.contains("left out"), "{said:?}");
    // Two certificates of one key: the first one is used.
    let renewed = ca.issue_for("own renewed", &own);
    let said = set(&[&ca, &renewed, &own], &own);
    assert!(said.status == 1 && said.err.contains("2 certificates of the chain belong"), "{said:?}");
    assert_eq!(set(&[&renewed, &own, &ca], &own).status, 0);
    assert_eq!(shown(), 2);
}

#[test]
fn the_password_is_the_first_line_of_its_file() {
    let (site, ..) = site_with_files();
    openssl(&site, "pkcs12 -export -in own.pem -inkey own.key -out own.p12 -passout pass:geheim");
    let own = file(&site, "own.p12");
    let set = |words: &Path| {
        site.run(&["cert", "set", "--chain", &own, "--password-file", words.to_str().unwrap()])
    };
    site.dir.write("lines", "geheim\r\nanother line\n");
    assert_eq!(set(&site.dir.path("lines")).status, 0);
    std::fs::write(site.dir.path("nul"), b"ge\0heim\n").unwrap();
    let said = set(&site.dir.path("nul"));
    assert!(said.status == 1 && said.err.contains("without NUL"), "{said:?}");
    assert!(set(&site.dir.path("nowhere")).err.contains("cannot be read"));
}

#[test]
fn crls_are_taken_in_every_form() {
    let (site, ca, _) = site_with_files();
    site.ok(&["trust", "add", &file(&site, "ca.pem")]);
    site.dir.write("ca.crl", &ca.crl(60));
    openssl(&site, "crl -in ca.crl -outform DER -out der.crl");
    openssl(&site, "crl2pkcs7 -in ca.crl -certfile chain.pem -out pem.p7b");
    openssl(&site, "crl2pkcs7 -in ca.crl -outform DER -out der.p7b");
    for name in ["ca.crl", "der.crl", "pem.p7b", "der.p7b"] {
        assert!(site.ok(&["crl", "add", &file(&site, name)]).contains("taken"), "{name}");
        site.ok(&["crl", "remove", "CN=CA"]);
    }
    openssl(&site, "crl2pkcs7 -nocrl -certfile chain.pem -out none.p7b");
    for (name, said) in
        [("none.p7b", "holds no CRL"), ("own.pem", "holds no CRL"), ("own.key", "holds no CRL")]
    {
        assert!(site.refused(&["crl", "add", &file(&site, name)]).contains(said), "{name}");
    }
}
