//! Two `serve` on one PostgreSQL: each job is done by one of them, and if one ends, the other one does all jobs.

use crate::downloads::with_server;
use crate::pki::Identity;
use crate::postgres::Cluster;
use crate::site::{Site, await_that};
use common::text::clock;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc;

/// Waits for a time slice of both: each writes its log file again within its time slice.
fn await_time_slices(site: &Site) {
    let file = site.dir.path("api.log");
    site.ok(&["config", "set", "api_log_file", file.to_str().unwrap()]);
    for _ in 0..6 {
        await_that("a time slice", || std::fs::remove_file(&file).is_ok());
    }
    site.ok(&["config", "set", "api_log_file", ""]);
}

/// How many entries of the system log have this text.
fn entries(site: &Site, text: &str) -> usize {
    site.json(&["log"]).as_array().unwrap().iter().filter(|entry| entry["text"] == text).count()
}

/// Slow: about 35 s, because both have to run several time slices.
#[test]
fn slow_two_that_serve_one_database_take_over_the_next_certificate_and_report_an_older_database_once() {
    let (cluster, ca) = (Cluster::start(), Identity::ca("Next CA"));
    let (site, second) = (cluster.site(), cluster.site());
    site.ok(&["init"]);
    let id = with_server(&site, &ca);
    let next = ca.issue("next.example");
    let chain = site.dir.write("next.pem", &(next.pem() + &ca.pem()));
    let key = site.dir.write("next.key", &next.key_pem());
    let (one, two) = (site.serve(), second.serve());
    let soon = clock::rfc3339(clock::now() + 4);
    site.ok(&["cert", "next", "--chain", &chain, "--key", &key, "--from", &soon]);
    // A server that calls each of them has a newer configuration than the database.
    for client in [site.client(&one), second.client(&two)] {
        for _ in 0..2 {
            client.ok(&json!({"function": "proxy_config", "proxy_id": id, "generation": 1_u64 << 40}));
        }
    }
    let texts = [
        "the configuration is older than the one that a server has",
        "our next certificate towards partners is used from now on",
    ];
    await_that("both reports", || texts.iter().all(|text| entries(&site, text) > 0));
    await_time_slices(&site);
    for text in texts {
        assert_eq!(entries(&site, text), 1, "{text}");
    }
    let acts = site.json(&["audit", "list"]);
    let taken = |act: &&Value| act["act"] == "cert next" && act["actor"] == "serve";
    assert_eq!(acts.as_array().unwrap().iter().filter(taken).count(), 1, "{acts}");
    one.end(Signal::SIGTERM);
    two.end(Signal::SIGTERM);
}

/// Slow: about 40 s, because both have to run several time slices.
#[test]
fn slow_two_that_serve_one_database_do_each_job_once() {
    let (ca, other) = (Identity::ca("Shared CA"), Identity::ca("Late CA"));
    let cluster = Cluster::start();
    let (site, second) = (cluster.site(), cluster.site());
    site.ok(&["init"]);
    for (name, ca) in [("ca.pem", &ca), ("other.pem", &other)] {
        site.ok(&["trust", "add", &site.dir.write(name, &ca.pem())]);
    }
    site.ok(&["config", "set", "proxy_crl_allow_private", "yes"]);
    site.ok(&["config", "set", "proxy_crl_slice_seconds", "5"]);
    site.ok(&["config", "set", "proxy_crl_check_slices", "1"]);
    let expired = other.crl_lasting(3, 60, 1).to_pem().unwrap();
    site.ok(&["crl", "add", &site.dir.write("late.crl", &String::from_utf8(expired).unwrap())]);
    // A host that lets its callers wait: the other `serve` runs its time slice during the download.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/ca.crl", listener.local_addr().unwrap());
    let (go, wait) = mpsc::channel::<()>();
    let (tell, asked) = mpsc::channel();
    let crl = ca.crl_signed_by(60, 7, &ca.key).to_der().unwrap();
    std::thread::spawn(move || {
        let calls: Vec<_> =
            listener.incoming().flatten().map(|stream| (tell.send(()), stream).1).take(1).collect();
        let _ = wait.recv();
        for mut stream in calls.into_iter().chain(listener.incoming().flatten()) {
            let _ = tell.send(());
            let _ = BufReader::new(&stream).read_line(&mut String::new());
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", crl.len());
            let _ = stream.write_all(&crl);
        }
    });
    let (one, two) = (site.serve(), second.serve());
    let client_of_two = second.client(&two);
    site.client(&one).ok(&json!({"function": "proxy_crl_url", "url": url}));
    asked.recv().unwrap();
    site.ok(&["ban", "add", "203.0.113.9", "--until", &clock::rfc3339(clock::now() + 6)]);
    site.ok(&["ignore", "add", "words", "--until", &clock::rfc3339(clock::now() + 6)]);
    await_that("the end of the ban", || site.json(&["ban", "list"]) == json!([]));
    await_time_slices(&site);
    go.send(()).unwrap();
    let is_current = || {
        let list = site.json(&["crl", "list"]);
        list.as_array().unwrap().iter().any(|row| row["url"] == url && row["state"] == "current")
    };
    await_that("the CRL", is_current);
    // The second message of the one download, and no other download.
    assert_eq!(asked.try_iter().count(), 1, "one download");
    for text in [
        "a CRL has expired and could not be renewed",
        "a ban has ended and was removed",
        "an entry of the ignore list has expired and was removed",
    ] {
        assert_eq!(entries(&site, text), 1, "{text}");
    }
    let acts = site.json(&["audit", "list"]);
    let removals = acts.as_array().unwrap().iter().filter(|act| act["act"] == "ban remove").count();
    assert_eq!(removals, 1, "{acts}");
    // The other one goes on.
    one.end(Signal::SIGTERM);
    client_of_two.generation();
    two.end(Signal::SIGTERM);
}
