//! Secrets are only where they are needed: recognisable secrets are used, everything runs at TRACE, and none of them is
//! found in a log or on the disk of the DMZ.

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use openssl::pkey::PKey;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use t::site::{Builder, Flight, PartnerEntry, Role, Site};
use t::wait::wait_for;

/// SSIDPSWD of a partner, and what it is in a TRACE line.
const PASSWORD: &str = "CANARY42";
const PASSWORD_IN_HEX: &str = "43414e4152593432";

fn rc(stem: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<log4c version=\"1.2.4\">\n\
         <category name=\"{stem}\" priority=\"trace\" appender=\"daily\"/>\n\
         <appender name=\"daily\" type=\"os4x_appender\" layout=\"os4x\"/>\n\
         <layout name=\"os4x\" type=\"os4x_layout\"/>\n</log4c>\n"
    )
}

/// A site whose daemons log at TRACE from the first line on.
fn traced() -> Site {
    Builder::new("secrets")
        .partners([PartnerEntry::new("acme", "O0013ACME"), PartnerEntry::new("beta", "O0013BETA")])
        .file(Role::Server, "os4x_proxyserver.logrc", &rc("os4x_proxyserver"))
        .file(Role::Client, "os4x_proxyclient.logrc", &rc("os4x_proxyclient"))
        .start()
        .unwrap()
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

/// The inner lines of every private key in PEM form that this site keeps in its files, and the token.
fn canaries(site: &Site) -> Vec<String> {
    let token = site.api(&["token", "show"]).unwrap();
    let mut all =
        vec![token.trim().split('.').next().unwrap().to_owned(), PASSWORD.into(), PASSWORD_IN_HEX.into()];
    for text in files(site.directory()).iter().filter_map(|file| fs::read_to_string(file).ok()) {
        let keys = text.split("PRIVATE KEY-----").skip(1).step_by(2);
        all.extend(keys.flat_map(str::lines).filter(|line| line.len() >= 40).map(str::to_owned));
    }
    all
}

#[test]
fn nothing_secret_is_in_a_log_or_on_the_dmz_disk() {
    let site = traced();
    let mut acme = site.partner("O0013ACME").unwrap();
    acme.settings.password = PASSWORD.into();
    assert!(acme.call().is_good());
    // Refused sessions are logged with the values of the peer.
    let beta = site.certificate("beta", "O0013BETA").unwrap();
    let mut foreign = site.partner_with("O0013ACME", Some(&beta)).unwrap();
    foreign.settings.password = PASSWORD.into();
    assert!(!foreign.call().is_good());

    let canaries = canaries(&site);
    assert!(canaries.len() >= 5, "token, password and keys: {}", canaries.len());
    let own = fs::read_to_string(site.folder(Role::Server).join("os4x_proxyserver.key")).unwrap();
    for role in [Role::Server, Role::Client, Role::Api] {
        let log = site.log(role) + &site.output(role);
        for canary in &canaries {
            assert!(!log.contains(canary), "{} wrote {canary}", role.binary());
        }
    }
    for role in [Role::Server, Role::Client] {
        let buffers = site.log(role).matches(" TRACE    ").count();
        assert!(buffers > 4, "{} wrote {buffers} TRACE lines", role.binary());
    }
    let dmz = files(&site.folder(Role::Server));
    for file in &dmz {
        let octets = fs::read(file).unwrap();
        let text = String::from_utf8_lossy(&octets);
        for canary in canaries.iter().filter(|canary| !own.contains(*canary)) {
            assert!(!text.contains(canary.as_str()), "{} holds {canary}", file.display());
        }
    }
    let names: BTreeSet<String> = dmz
        .iter()
        .map(|file| file.file_name().unwrap().to_string_lossy().trim_end_matches(char::is_numeric).to_owned())
        .filter(|name| !matches!(name.as_str(), "output" | "stdout" | "stderr"))
        .collect();
    let ours =
        ["os4x_proxyserver.key", "os4x_proxyserver.log.", "os4x_proxyserver.logrc", "os4x_proxyserver.pid"];
    for name in ours {
        assert!(names.contains(name), "{names:?}");
    }
    let known: Vec<&str> = names.iter().map(String::as_str).filter(|name| !ours.contains(name)).collect();
    // The binary (its name ends in a digit), the licence, and the standard output that the tests store.
    assert!(
        known
            .iter()
            .all(|name| name.contains("os4x_proxyserver") || name.contains("lic") || name.contains("out")),
        "{known:?}"
    );
    site.end();
}

/// Whether one of `needles` is anywhere in the writable memory of a process. Reading it takes root.
fn holds(pid: Pid, needles: &[Vec<u8>]) -> bool {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let memory = fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let writable =
        maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|rights| rights.starts_with("rw")));
    writable.filter_map(|line| line.split(' ').next()?.split_once('-')).any(|(from, to)| {
        let [from, to] = [from, to].map(|address| u64::from_str_radix(address, 16).unwrap());
        let mut octets = vec![0; usize::try_from(to - from).unwrap()];
        // Guard pages and the like cannot be read.
        let read = memory.read_at(&mut octets, from).unwrap_or(0);
        needles.iter().any(|needle| octets[..read].windows(needle.len()).any(|window| window == needle))
    })
}

/// The current processes of a daemon, by title; those that have ended meanwhile are left out.
fn processes(site: &Site, role: Role) -> Vec<(Pid, String)> {
    let all = [site.children(role), site.forkers(role), site.attendants(role), [site.pid(role)].into()];
    all.into_iter()
        .flatten()
        .map(|pid| (pid, Site::title(pid)))
        .filter(|(_, title)| !title.is_empty())
        .collect()
}

#[test]
fn the_private_key_towards_partners_is_only_where_it_is_needed() {
    let mut site = Site::start("key-in-memory").unwrap();
    let pem = fs::read_to_string(site.directory().join("ca/proxy.key")).unwrap();
    let scalar = PKey::private_key_from_pem(pem.as_bytes()).unwrap().ec_key().unwrap().private_key().to_vec();
    // The form in which OpenSSL computes, and the form in which it is sent: a line of the PEM text, with any line end.
    let computed = [scalar.clone(), scalar.into_iter().rev().collect()];
    let travelled = [pem.lines().find(|line| line.len() >= 40 && !line.contains('-')).unwrap().into()];
    let everywhere = [&computed[..], &travelled].concat();
    site.wait_pool();
    assert!(holds(site.pid(Role::Server), &computed), "the parent serves partners with it");
    wait_for("the text it came in to be gone, in all processes it has passed", || {
        let all = [Role::Server, Role::Client].map(|role| processes(&site, role));
        let holder = all.concat().into_iter().find(|(pid, _)| holds(*pid, &travelled));
        holder.is_none().then_some(())
    });
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let session = wait_for("the session's process", || {
        let mut incoming = site.children(Role::Server);
        incoming.retain(|pid| Site::title(*pid).contains("O0013ACME"));
        incoming.pop_first()
    });
    assert!(!holds(session, &everywhere), "a process that reads a partner's octets");
    for (pid, title) in processes(&site, Role::Client) {
        assert!(!holds(pid, &everywhere), "{title}");
    }
    assert!(flight.land().unwrap().is_good());
    site.signal(Role::Client, Signal::SIGKILL);
    site.wait_end(Role::Client);
    site.wait_log(Role::Server, "client_gone");
    wait_for("the key to be gone from the server", || {
        let holder = processes(&site, Role::Server).into_iter().find(|(pid, _)| holds(*pid, &everywhere));
        holder.is_none().then_some(())
    });
    site.end();
}
