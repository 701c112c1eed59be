//! The commands one by one: help, exit status, what each refuses and why, and what its lists show and never show. The
//! program runs as an operator runs it; the test does not read the database.

use crate::pki::{self, Identity};
use crate::site::{Dir, PROGRAM, Said, Site};
use openssl::x509::X509;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

fn bare(words: &[&str]) -> Said {
    Said::of(&Command::new(PROGRAM).args(words).output().unwrap())
}

/// Every command that the help names, as words.
fn commands() -> Vec<Vec<String>> {
    let help = bare(&["-h"]).out;
    let mut all = Vec::new();
    for line in help.lines().filter_map(|line| line.strip_prefix("  ")) {
        let mut words = line.split_whitespace();
        let group = words.next().unwrap().to_owned();
        let verbs = words.next().unwrap();
        if verbs.contains('|') || verbs == "issue" {
            all.extend(verbs.split('|').map(|verb| vec![group.clone(), verb.to_owned()]));
        } else {
            all.push(vec![group]);
        }
    }
    all
}

#[test]
fn every_command_has_help_and_refuses_an_unknown_option() {
    let all = commands();
    assert!(all.len() > 25, "{all:?}");
    for words in all {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let help = bare(&[&words[..], &["-h"]].concat());
        assert_eq!((help.status, help.err.as_str()), (0, ""), "{words:?}");
        assert!(help.out.starts_with(&format!("usage: os4xapi {}", words.join(" "))), "{}", help.out);
        // A monitoring system knows four statuses.
        let status = if words == ["check"] { 3 } else { 64 };
        assert_eq!(bare(&[&words[..], &["--nonsense"]].concat()).status, status, "{words:?}");
    }
}

#[test]
fn a_wrong_command_line_is_status_64() {
    for words in [
        &[][..],
        &["fly"],
        &["config"],
        &["config", "fly"],
        &["config", "get"],
        &["config", "set", "tcp_port"],
        &["config", "list", "surplus"],
        &["partner", "add", "NAME"],
        &["partner", "add", "bad name", "--ssid", "O1"],
        &["proxy", "add", "nonsense"],
        &["licence", "issue", "nonsense"],
        &["serve", "--listen", "nonsense"],
        &["init", "--host", "not a host", "--db", "/nonexistent/x"],
        &["config", "list", "--db", "mysql://localhost/x"],
    ] {
        let said = bare(words);
        assert_eq!((said.status, said.out.as_str()), (64, ""), "{words:?}: {}", said.err);
        assert!(said.err.starts_with("os4xapi: "), "{}", said.err);
    }
    assert_eq!(bare(&["-v"]).status, 0);
}

#[test]
fn init_makes_a_private_file_and_never_touches_an_existing_one() {
    let site = Site::new();
    let mode = std::fs::metadata(&site.db).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let before = std::fs::read(&site.db).unwrap();
    assert!(site.refused(&["init"]).contains(&site.db));
    assert_eq!(std::fs::read(&site.db).unwrap(), before);

    let foreign = site.dir.write("notes.txt", "mine");
    let other = Site { dir: Dir::new(), db: foreign.clone() };
    other.refused(&["init"]);
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    assert!(other.refused(&["config", "list"]).contains(&foreign));
    assert_eq!(std::fs::read_to_string(&foreign).unwrap(), "mine");
    let empty = Site { dir: Dir::new(), db: site.dir.write("empty", "") };
    assert!(empty.refused(&["config", "list"]).contains("not a database of OS4Xapi"));
}

#[test]
fn without_db_the_file_lies_beside_the_binary() {
    let dir = Dir::new();
    let program = dir.path("os4xapi");
    // Another process does this: a descriptor open for writing here would be inherited by children of other tests, and
    // the file would be busy.
    assert!(Command::new("cp").arg(PROGRAM).arg(&program).status().unwrap().success());
    let run =
        |words: &[&str]| Said::of(&Command::new(&program).args(words).current_dir("/").output().unwrap());
    assert!(run(&["config", "list"]).err.contains("os4xapi init"));
    assert!(!dir.path("os4xapi.db").exists());
    assert_eq!(run(&["init"]).status, 0);
    assert!(dir.path("os4xapi.db").exists());
    assert_eq!(run(&["config", "get", "tcp_port"]).out, "3305\n");
}

#[test]
fn the_token_is_256_bits_and_the_hash_of_the_ca() {
    let site = Site::new();
    let token = site.token();
    let (secret, hash) = token.split_once('.').unwrap();
    assert!(secret.len() == 64 && secret.bytes().all(|b| b.is_ascii_hexdigit()), "{secret}");
    let ca = X509::from_pem(site.ok(&["cert", "show", "ca"]).as_bytes()).unwrap();
    let digest = pki::hex(&openssl::sha::sha256(&ca.to_der().unwrap()));
    assert_eq!(hash, digest);
    let rotated = site.ok(&["token", "rotate"]);
    assert_ne!(rotated.trim(), token);
    assert_eq!(rotated.trim(), site.token());
    assert!(rotated.trim().ends_with(hash));
}

#[test]
fn lists_show_neither_keys_nor_the_token() {
    let site = Site::new();
    let ca = Identity::ca("CA");
    let chain = site.dir.write("chain.pem", &ca.pem());
    let key = site.dir.write("key.pem", &ca.key_pem());
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    let token = site.token();
    let secret = token.split_once('.').unwrap().0;
    for group in ["config", "partner", "proxy", "proxyclient", "cert", "trust", "crl"] {
        for more in [&[][..], &["--json"]] {
            let out = site.ok(&[&[group, "list"], more].concat());
            assert!(!out.contains("PRIVATE") && !out.contains(secret), "{group}: {out}");
        }
    }
    assert!(site.refused(&["config", "get", "proxy_client_token"]).contains("token show"));
    assert!(site.refused(&["config", "set", "proxy_client_token", "x"]).contains("os4xapi token"));
    assert!(!site.ok(&["cert", "show", "own"]).contains("PRIVATE"));
}

#[test]
fn settings_keep_their_value_and_refuse_what_they_cannot_be() {
    let site = Site::new();
    assert_eq!(site.ok(&["config", "get", "tcp_port_tls"]), "6619\n");
    site.ok(&["config", "set", "tcp_port_tls", "6620"]);
    site.ok(&["config", "set", "tcp_incoming_ip", "2001:DB8::1"]);
    assert_eq!(site.ok(&["config", "get", "tcp_port_tls"]), "6620\n");
    assert_eq!(site.ok(&["config", "get", "tcp_incoming_ip"]), "2001:db8::1\n");
    site.ok(&["config", "set", "tcp_incoming_ip", ""]);
    assert_eq!(site.ok(&["config", "get", "tcp_incoming_ip"]), "\n");
    assert!(site.refused(&["config", "set", "tcp_port_tls", "70000"]).contains("1 to 65535"));
    assert!(site.refused(&["config", "set", "tcp_prot", "1"]).contains("no setting 'tcp_prot'"));
    assert!(
        site.refused(&["config", "set", "proxy_unverified_hard", "50"]).contains("proxy_unverified_soft")
    );
    assert_eq!(site.ok(&["config", "get", "proxy_unverified_hard"]), "200\n");
    let list = site.json(&["config", "list"]);
    let row = list.as_array().unwrap().iter().find(|row| row["name"] == "tcp_port_tls").unwrap();
    assert_eq!((&row["value"], &row["default"]), (&"6620".into(), &"6619".into()));
}

#[test]
fn partners_are_checked_before_they_are_kept() {
    let site = Site::new();
    site.ok(&["partner", "add", "A", "--ssid", "O0013A  "]);
    assert!(site.refused(&["partner", "add", "A", "--ssid", "O0013X"]).contains("already"));
    assert!(site.refused(&["partner", "add", "B", "--ssid", "O0013A"]).contains("belongs to partner 'A'"));
    site.ok(&["partner", "add", "B", "--ssid", "O0013B"]);
    assert!(site.refused(&["partner", "set", "B", "--ssid", "O0013A"]).contains("belongs to partner 'A'"));
    assert!(site.refused(&["partner", "set", "B", "--certificate", "pinned"]).contains("--pin"));
    assert!(site.refused(&["partner", "set", "C", "--enabled", "no"]).contains("no partner 'C'"));
    for (option, value) in [
        ("--ssid", "O0013 IS TOO LONG FOR AN SSID"),
        ("--port", "0"),
        ("--port", "65536"),
        ("--host", "two words"),
        ("--tls", "perhaps"),
        ("--profile", "lax"),
        ("--certificate", "none"),
        ("--outgoing-ip", "host"),
    ] {
        assert_eq!(site.run(&["partner", "set", "B", option, value]).status, 64, "{option} {value}");
    }
    let unknown = site.run(&["partner", "set", "B", "--allow", "C1,C99"]);
    assert!(
        unknown.status == 64 && unknown.err.contains("C1 (EFID while the credit is 0)"),
        "{}",
        unknown.err
    );
    assert!(site.run(&["partner", "set", "B", "--allow", "C1"]).err.contains("--profile strict"));
    site.ok(&["partner", "set", "B", "--allow", ""]);
    assert_eq!(site.json(&["partner", "list"])[1].get("allow"), None);
    assert!(site.run(&["partner", "add", "LOWER", "--ssid", "o0013_x"]).err.contains("RFC 5024"));
    let ca = Identity::ca("CA");
    let two = site.dir.write("two.pem", &(ca.issue("now").pem() + &ca.issue_expired("past").pem()));
    let said = site.run(&["partner", "set", "B", "--pin", &two, "--certificate", "pinned"]);
    assert!(said.status == 0 && said.err.contains("CN=past"), "{}", said.err);
    let pins = |site: &Site| {
        let list = site.json(&["partner", "list"]);
        list.as_array().unwrap().iter().find(|one| one["short_name"] == "B").unwrap()["pins"].clone()
    };
    assert_eq!(pins(&site).as_array().unwrap().len(), 2);
    site.refused(&["partner", "set", "B", "--no-pins"]);
    site.ok(&["partner", "set", "B", "--no-pins", "--certificate", "odette-id", "--host", "h.example"]);
    assert_eq!(pins(&site).as_array().unwrap().len(), 0);
    site.ok(&["partner", "set", "B", "--host", ""]);
    assert_eq!(site.json(&["partner", "list"])[1]["host"], serde_json::Value::Null);
    for (tls, port) in [("no", 3305), ("yes", 6619)] {
        site.ok(&["partner", "set", "B", "--tls", tls]);
        assert_eq!(site.json(&["partner", "list"])[1]["port"], port);
    }
    site.ok(&["partner", "set", "B", "--port", "7000", "--tls", "no"]);
    assert_eq!(site.json(&["partner", "list"])[1]["port"], 7000);
    site.ok(&["partner", "remove", "B"]);
    site.ok(&["partner", "add", "B2", "--ssid", "O0013B"]);
}

#[test]
fn our_certificate_is_taken_whole_or_not_at_all() {
    let site = Site::new();
    let ca = Identity::ca("CA");
    let own = ca.issue("own");
    let file = |name: &str, text: &str| site.dir.write(name, text);
    let good = file("good.pem", &(own.pem() + &ca.pem()));
    let key = file("own.key", &own.key_pem());
    let set = |chain: &str, key: &str| site.refused(&["cert", "set", "--chain", chain, "--key", key]);
    assert!(site.refused(&["cert", "show", "own"]).contains("cert set"));
    assert!(set(&good, &file("ca.key", &ca.key_pem())).contains("does not belong"));
    assert!(set(&good, &file("locked.key", &own.encrypted_key_pem())).contains("encrypted"));
    assert!(set(&file("empty.pem", ""), &key).contains("holds no certificate"));
    assert!(set("/nonexistent", &key).contains("cannot be read"));
    let past = ca.issue_expired("past");
    assert!(set(&file("past.pem", &past.pem()), &file("past.key", &past.key_pem())).contains("not now"));
    site.ok(&["cert", "set", "--chain", &good, "--key", &key]);
    assert_eq!(site.ok(&["cert", "show", "own"]), own.pem() + &ca.pem());
    assert_eq!(site.json(&["cert", "list"]).as_array().unwrap().len(), 3);
}

#[test]
fn trusted_certificates_have_one_name_each() {
    let site = Site::new();
    let (one, two) = (Identity::ca("Same Name"), Identity::ca("Same Name"));
    let both = site.dir.write("both.pem", &(one.pem() + &two.pem()));
    site.ok(&["trust", "add", &both]);
    let der = site.dir.path("one.der");
    std::fs::write(&der, one.certificate.to_der().unwrap()).unwrap();
    assert!(site.ok(&["trust", "add", der.to_str().unwrap()]).contains("already"));
    let names: Vec<_> =
        site.json(&["trust", "list"]).as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
    assert_eq!(names, ["Same Name", "Same Name (2)"]);
    site.ok(&["trust", "remove", "Same Name"]);
    assert!(site.refused(&["trust", "remove", "Same Name"]).contains("trust list"));
    let not_a_root = site.dir.write("leaf.pem", &one.issue("leaf").pem());
    assert!(site.run(&["trust", "add", &not_a_root]).err.contains("not a root"));
}

#[test]
fn the_newest_crl_of_each_issuer_is_kept() {
    let site = Site::new();
    let (ca, impostor) = (Identity::ca("Crl CA"), Identity::ca("Crl CA"));
    let write = |name: &str, text: &str| site.dir.write(name, text);
    let (old, new) = (write("old.crl", &ca.crl(600)), write("new.crl", &ca.crl(60)));
    assert!(site.run(&["crl", "add", &old]).err.contains("not among the trusted"));
    site.ok(&["trust", "add", &write("ca.pem", &ca.pem())]);
    assert!(site.ok(&["crl", "add", &new]).contains("taken"));
    assert!(site.ok(&["crl", "add", &old]).contains("a newer one"));
    assert!(site.ok(&["crl", "add", &new]).contains("already"));
    let der = site.dir.path("newer.crl");
    let newer = ca.crl_signed_by(10, 2, &ca.key);
    std::fs::write(&der, newer.to_der().unwrap()).unwrap();
    assert!(site.ok(&["crl", "add", der.to_str().unwrap()]).contains("taken"));
    let forged = ca.crl_signed_by(0, 3, &impostor.key).to_pem().unwrap();
    let forged = write("forged.crl", &String::from_utf8(forged).unwrap());
    assert!(site.refused(&["crl", "add", &forged]).contains("signature"));
    assert!(site.refused(&["crl", "add", &write("junk", "junk")]).contains("holds no CRL"));
    let list = site.json(&["crl", "list"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["state"]), (1, &"current".into()));
    assert!(list[0]["last_update"].as_i64().unwrap() >= pki::now() - 60);
    site.ok(&["crl", "remove", "CN=Crl CA"]);
    assert!(site.refused(&["crl", "remove", "CN=Crl CA"]).contains("crl list"));
}

#[test]
fn a_licence_lists_its_server_unless_told_not_to() {
    let site = Site::new();
    let (one, two) = (pki::proxy_id(), pki::proxy_id());
    let file = site.dir.path("one.lic");
    site.ok(&["licence", "issue", &one, "-o", file.to_str().unwrap(), "--holder", "Example GmbH"]);
    let licence = X509::from_pem(&std::fs::read(&file).unwrap()).unwrap();
    assert!(format!("{:?}", licence.subject_name()).contains("Example GmbH"));
    site.ok(&["licence", "issue", &two, "--no-add"]);
    let list = site.json(&["proxy", "list"]);
    assert_eq!((list.as_array().unwrap().len(), &list[0]["proxy_id"]), (1, &one.as_str().into()));
    assert_eq!(site.run(&["licence", "issue", &two, "--days", "0"]).status, 64);
    assert_eq!(site.run(&["licence", "issue", &two, "--days", "3651"]).status, 64);
    assert!(site.refused(&["licence", "issue", &two, "--holder", ""]).contains("1 to 64"));
}
