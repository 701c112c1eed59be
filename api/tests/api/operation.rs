//! `serve` in operation: commands at the same time, many callers at once, its log file and level, a new https
//! certificate, its end while callers are connected. Each wait is for an event with a deadline, never for a time.

use crate::site::{Site, await_text, await_that};
use nix::sys::signal::Signal;
use openssl::x509::X509;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

#[test]
fn commands_and_calls_go_on_side_by_side() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let before = client.generation();
    std::thread::scope(|scope| {
        for caller in 0..4 {
            let client = &client;
            scope.spawn(move || {
                for number in 0..25 {
                    let session = format!("{caller}-{number}");
                    client.ok(&json!({"function": "proxy_session", "events": [
                        {"event": "end", "session": session, "time": 1, "octets_in": 1, "octets_out": 1, "files": 0,
                         "reason": "x"}]}));
                    client.generation();
                }
            });
        }
        for operator in 0..2 {
            let site = &site;
            scope.spawn(move || {
                for number in 0..10 {
                    let name = format!("P{operator}-{number}");
                    site.ok(&["partner", "add", &name, "--ssid", &format!("O0013{name}")]);
                }
            });
        }
    });
    assert_eq!(site.json(&["partner", "list"]).as_array().unwrap().len(), 20);
    assert_eq!(site.json(&["sessions", "--limit", "1000"]).as_array().unwrap().len(), 100);
    assert!(client.generation() >= before + 20);
    let log = serve.end(Signal::SIGTERM);
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn log_file_and_level_are_taken_over_while_it_runs() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let file = site.dir.path("api.log");
    site.ok(&["config", "set", "api_log_file", file.to_str().unwrap()]);
    site.ok(&["config", "set", "api_log_level", "TRACE"]);
    await_that("a line at DEBUG", || {
        client.generation();
        std::fs::read_to_string(&file).is_ok_and(|text| text.contains("call function=proxy_client_config"))
    });
    // If a log rotation moves the file, there is a new one; at level ERROR a call is not logged.
    let moved = site.dir.path("api.log.1");
    std::fs::rename(&file, &moved).unwrap();
    await_that("a new log file", || file.exists());
    site.ok(&["config", "set", "api_log_level", "ERROR"]);
    let forged = "x\nFATAL forged";
    client.call(&json!({"function": forged}));
    await_text(&file, "unknown_function");
    let token = site.token();
    for file in [file, moved] {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(!text.contains(token.split_once('.').unwrap().0), "{text}");
        assert!(!text.lines().any(|line| line.starts_with("FATAL")), "{text}");
    }
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_log_file_that_cannot_be_opened_is_told_once_and_nothing_is_lost() {
    let site = Site::new();
    site.ok(&["config", "set", "api_log_file", site.dir.path("none/api.log").to_str().unwrap()]);
    let serve = site.serve();
    serve.await_line("log_file_unusable");
    site.ok(&["config", "set", "api_log_level", "DEBUG"]);
    let client = site.client(&serve);
    await_that("a line at DEBUG", || {
        client.generation();
        serve.log().contains("call function=")
    });
    assert_eq!(serve.end(Signal::SIGTERM).matches("log_file_unusable").count(), 1);
}

#[test]
fn a_new_https_certificate_is_shown_without_a_restart() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let shown = || client.tls().ssl().peer_certificate().unwrap();
    let chain = client.tls().ssl().peer_cert_chain().unwrap().len();
    assert_eq!(chain, 2, "leaf and CA");
    let old = shown().to_der().unwrap();
    site.ok(&["cert", "https", "--host", "127.0.0.1", "--host", "api.example"]);
    await_that("the new certificate", || shown().to_der().unwrap() != old);
    let https = X509::from_pem(site.ok(&["cert", "show", "https"]).as_bytes()).unwrap();
    assert_eq!(shown().to_der().unwrap(), https.to_der().unwrap());
    let names = https.subject_alt_names().unwrap();
    let names: Vec<&str> = names.iter().filter_map(|name| name.dnsname()).collect();
    assert_eq!(names, ["api.example"]);
}

#[test]
fn it_ends_although_callers_hang_on() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let silent = client.tcp();
    let mut slow = client.tls();
    slow.write_all(b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").unwrap();
    let log = serve.end(Signal::SIGTERM);
    assert!(log.trim_end().ends_with("stopped"), "{log}");
    drop((silent, slow));
}

#[test]
fn a_taken_port_and_a_missing_database_are_named() {
    let site = Site::new();
    let serve = site.serve();
    let taken = format!("127.0.0.1:{}", serve.port);
    assert!(site.refused(&["serve", "--listen", &taken]).contains(&taken));
    let missing = site.dir.path("none.db");
    let other = Site { dir: crate::site::Dir::new(), db: missing.to_str().unwrap().to_owned() };
    assert!(other.refused(&["serve"]).contains("os4xapi init"));
    assert!(!missing.exists());
}

#[test]
fn a_database_that_others_may_read_is_warned_of() {
    let site = Site::new();
    assert!(!site.serve().log().contains("chmod"));
    std::fs::set_permissions(&site.db, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(site.serve().log().contains("chmod 600"));
}

#[test]
fn the_paths_are_a_setting_and_both_documented_ones_are_the_default() {
    let site = Site::new();
    let serve = site.serve();
    for path in ["/os4xapi/index.php", "/os4x/os4xapi/index.php"] {
        let mut client = site.client(&serve);
        client.path = path.to_owned();
        client.generation();
    }
    serve.end(Signal::SIGTERM);
    site.ok(&["config", "set", "api_path", "/elsewhere, /other/index.php"]);
    let serve = site.serve();
    let mut client = site.client(&serve);
    assert_eq!(client.call(&json!({"function": "proxy_client_config"})).status, 404);
    for path in ["/elsewhere", "/other/index.php"] {
        client.path = path.to_owned();
        client.generation();
    }
}

#[test]
fn a_clock_that_differs_is_told_once() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let at =
        |seconds: i64| json!({"function": "proxy_client_config", "client_time": crate::pki::now() + seconds});
    for seconds in [0, 30, -30] {
        client.ok(&at(seconds));
    }
    assert_eq!(site.json(&["log"]), json!([]));
    for seconds in [-3_600, -3_600] {
        client.ok(&at(seconds));
    }
    let log = site.json(&["log"]);
    let entry = &log[0];
    assert_eq!((log.as_array().unwrap().len(), &entry["level"]), (1, &json!("WARN")), "{log}");
    let detail = entry["detail"].as_str().unwrap();
    assert!(detail.starts_with("clock_differs client=127.0.0.1 daemon=client seconds=3"), "{detail}");
    assert!(detail.contains("way=behind") && detail.contains("NTP"), "{detail}");
    serve.end(Signal::SIGTERM);
}
