//! The system log for people: ignored and other entries, and the event script, as a file and as a URL, with all values
//! that a daemon in the DMZ can put into an entry.

use crate::https::Client;
use crate::site::{Serve, Site, await_text, await_that};
use crate::web::{Web, closed_port};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// Characters that a shell, or a terminal, would interpret.
const HOSTILE: &str = "$(touch /tmp/os4x-owned) `id`; 'a' \"b\" * \\ -rf\n\u{1b}[2J\u{0}end";

fn entry(text: &str) -> Value {
    json!({"function": "proxy_system_log", "level": "ERROR", "text": text, "detail": "event value=the-peer-said-this",
        "origin": "server", "host": "dmz", "pid": 4711, "time": 1_795_339_270, "address": "203.0.113.9",
        "partner": "ACME"})
}

/// Texts in the system log.
fn logged(site: &Site) -> Vec<String> {
    let log = site.json(&["log"]);
    log.as_array().unwrap().iter().map(|entry| entry["text"].as_str().unwrap().to_owned()).collect()
}

/// A shell script in the site's directory that is the event script from now on.
fn script(site: &Site, name: &str, body: &str) -> PathBuf {
    let path = PathBuf::from(site.dir.write(name, &format!("#!/bin/sh\n{body}\n")));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
    site.ok(&["config", "set", "proxy_event_script", path.to_str().unwrap()]);
    path
}

fn running(site: &Site) -> (Serve, Client) {
    let serve = site.serve();
    let client = site.client(&serve);
    (serve, client)
}

#[test]
fn what_is_ignored_reaches_neither_table_nor_script_until_it_expires() {
    let site = Site::new();
    let told = site.dir.path("told");
    script(&site, "event.sh", &format!("printf '%s\\n' \"$3 $2\" >> {}", told.display()));
    let (serve, client) = running(&site);
    site.ok(&["ignore", "add", "STATION is down", "--description", "moving house", "--days", "1"]);
    client.ok(&entry("the station is down again"));
    serve.await_line("system_log_ignored ignore=1");
    client.ok(&entry("the station is up"));
    // The peer's words are in the detail, and match nothing.
    site.ok(&["ignore", "add", "the-peer-said-this"]);
    client.ok(&entry("the peer speaks"));
    await_text(&told, "server the peer speaks");
    assert_eq!(logged(&site), ["the station is up", "the peer speaks"]);
    assert_eq!(site.json(&["ignore", "list"])[0]["description"], "moving house");
    site.ok(&["ignore", "remove", "1"]);
    site.ok(&["ignore", "remove", "2"]);
    assert!(site.refused(&["ignore", "remove", "1"]).contains("ignore list"));
    client.ok(&entry("the station is down"));
    // It expires soon: the worker removes it and says so.
    let soon = crate::pki::now() + 1;
    let until = openssl_time(soon);
    site.ok(&["ignore", "add", "whatever", "--until", &until, "--description", "short"]);
    await_that("the end of the entry", || site.json(&["ignore", "list"]) == json!([]));
    await_text(&told, "api an entry of the ignore list has expired");
    let log = site.json(&["log"]);
    let last = log.as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["origin"], &last["level"]), (&json!("api"), &json!("INFO")));
    assert!(last["detail"].as_str().unwrap().contains("description=short"), "{last}");
    assert!(!std::fs::read_to_string(&told).unwrap().contains("again"));
    serve.end(Signal::SIGTERM);
}

#[test]
fn an_address_a_partner_or_a_reason_can_be_ignored() {
    let site = Site::new();
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME"]);
    let (serve, client) = running(&site);
    let with = |text: &str, name: &str, value: &str| {
        let mut entry = entry(text);
        entry[name] = json!(value);
        client.ok(&entry);
    };
    with("one", "reason", "no-certificate");
    with("two", "reason", "unknown-partner");
    let said = site.ok(&["ignore", "add", "--reason", "no-certificate", "--partner", "ACME"]);
    assert!(said.contains("have ignored 1 of the 2 entries"), "{said}");
    with("three", "reason", "no-certificate");
    site.ok(&["ignore", "add", "--address", "198.51.100.0/24"]);
    with("four", "address", "198.51.100.7");
    with("five", "address", "198.51.101.7");
    // A value that a peer has chosen matches none of them.
    with("six", "detail", "event reason=no-certificate address=198.51.100.7");
    assert_eq!(logged(&site), ["one", "two", "five", "six"]);
    let table = site.ok(&["log"]);
    let heading = table.lines().next().unwrap();
    assert!(heading.ends_with("DETAIL") && heading.contains("TEXT"), "{heading}");
    assert!(table.contains("one") && table.contains("event value=the-peer-said-this"), "{table}");
    assert!(site.refused(&["ignore", "add", "--partner", "NONE"]).contains("partner list"));
    assert!(site.refused(&["ignore", "add"]).contains("3 to 200"));
    assert_eq!(site.run(&["ignore", "add", "--address", "nowhere"]).status, 64);
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_session_is_told_once_and_a_graver_report_is_not_hidden() {
    let site = Site::new();
    let (serve, client) = running(&site);
    let with = |text: &str, origin: &str, level: &str, session: &str| {
        let mut entry = entry(text);
        (entry["origin"], entry["level"], entry["session"]) = (json!(origin), json!(level), json!(session));
        client.ok(&entry);
    };
    with("first", "client", "WARN", "aa");
    with("the same", "server", "WARN", "aa");
    with("another one", "server", "WARN", "bb");
    // If a DMZ host reports first, the client's report is not hidden.
    with("graver", "client", "ERROR", "bb");
    with("without a session", "server", "WARN", "");
    with("without a session either", "client", "WARN", "");
    assert_eq!(
        logged(&site),
        ["first", "another one", "graver", "without a session", "without a session either"]
    );
    serve.await_line("system_log_repeated session=aa");
    for (name, value) in [("session", "-rf"), ("reason", "two words"), ("event", "UPPER")] {
        let mut wrong = entry("wrong");
        wrong[name] = json!(value);
        assert_eq!(client.call(&wrong).status, 400, "{name}");
    }
    serve.end(Signal::SIGTERM);
}

/// Seconds since 1970 as `ignore add --until` takes them.
fn openssl_time(seconds: i64) -> String {
    let time = common::sys::localtime::utc(seconds);
    let (date, clock) = ((time.year, time.month, time.day), (time.hour, time.minute, time.second));
    format!("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", date.0, date.1, date.2, clock.0, clock.1, clock.2)
}

#[test]
fn what_cannot_be_ignored_is_refused() {
    let site = Site::new();
    for text in ["", "ab", "  a  ", "a\nb c", &"x".repeat(201)] {
        assert!(site.refused(&["ignore", "add", text]).contains("3 to 200"), "{text}");
    }
    for (option, value) in
        [("--days", "0"), ("--days", "3651"), ("--until", "2020-01-01"), ("--until", "tomorrow")]
    {
        assert_eq!(site.run(&["ignore", "add", "text", option, value]).status, 64, "{option} {value}");
    }
    let both = ["ignore", "add", "text", "--days", "1", "--until", "2099-01-01"];
    assert_eq!(site.run(&both).status, 64);
    assert_eq!(site.json(&["ignore", "list"]), json!([]));
}

#[test]
fn a_script_gets_its_arguments_as_they_are_and_nothing_else() {
    let site = Site::new();
    let told = site.dir.path("told");
    let body = format!(
        "{{ echo \"count=$#\"; for a; do printf '[%s]' \"$a\"; done; echo; env; grep SigBlk /proc/self/status; \
         pwd; ls -l /proc/$$/fd; }} > {told}.part; mv {told}.part {told}",
        told = told.display()
    );
    script(&site, "event.sh", &body);
    // The program was started with a blocked signal and a full environment, and passes neither on.
    let serve = site.serve_under(&["env", "SECRET_OF_THE_PARENT=1", "--block-signal=USR1"]);
    let mut hostile = entry(HOSTILE);
    for (name, value) in [
        ("address", "2001:db8::1"),
        ("detail", "-rf /"),
        ("reason", "no-certificate"),
        ("ssid", "-O0013"),
        ("subject", "CN=$(id)"),
        ("session", "00ff"),
        ("event", "session_refused"),
    ] {
        hostile[name] = json!(value);
    }
    site.client(&serve).ok(&hostile);
    await_that("the script", || told.exists());
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.starts_with("count=13\n"), "{told}");
    let text: String = HOSTILE.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let seven = format!("[ERROR][{text}][server][dmz][4711][2001:db8::1][ACME]");
    let more = "[ -rf /][no-certificate][ -O0013][CN=$(id)][00ff][session_refused]";
    assert!(told.contains(&format!("{seven}{more}\n")), "{told}");
    assert!(!told.contains("SECRET_OF_THE_PARENT") && told.contains("\nPATH="), "{told}");
    assert!(told.contains("SigBlk:\t0000000000000000\n/\n"), "{told}");
    for foreign in ["socket:", "pipe:", "anon_inode:", "test.db", "serve.log"] {
        assert!(told.contains("/dev/null") && !told.contains(foreign), "{told}");
    }
    assert!(!std::path::Path::new("/tmp/os4x-owned").exists());
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_script_that_cannot_run_fails_or_hangs_is_logged_and_nothing_waits_for_it() {
    let site = Site::new();
    let (serve, client) = running(&site);
    let missing = site.dir.path("missing.sh");
    site.ok(&["config", "set", "proxy_event_script", missing.to_str().unwrap()]);
    client.ok(&entry("one"));
    serve.await_line("missing.sh cause=\"the script was not started");
    let plain = site.dir.write("plain.sh", "#!/bin/sh\n");
    site.ok(&["config", "set", "proxy_event_script", &plain]);
    client.ok(&entry("two"));
    serve.await_line("plain.sh cause=\"the script was not started");
    script(&site, "failing.sh", "exit 3");
    client.ok(&entry("three"));
    serve.await_line("the script failed with exit status: 3");
    // A script that ends in time leaves no process.
    let left = site.dir.path("left");
    script(&site, "leaving.sh", &format!("sleep 1000 & echo $! > {0}.part; mv {0}.part {0}", left.display()));
    client.ok(&entry("and then"));
    await_that("the script", || left.exists());
    let pid: i32 = std::fs::read_to_string(&left).unwrap().trim().parse().unwrap();
    await_that("the end of what the script left", || is_gone(pid));
    // A script that hangs is ended with all its processes.
    let pids = site.dir.path("pids");
    site.ok(&["config", "set", "proxy_event_seconds", "1"]);
    script(
        &site,
        "hanging.sh",
        &format!("sleep 1000 & echo $! > {0}.part; mv {0}.part {0}; wait", pids.display()),
    );
    client.ok(&entry("four"));
    serve.await_line("it took more than 1 seconds");
    let pid: i32 = std::fs::read_to_string(&pids).unwrap().trim().parse().unwrap();
    await_that("the end of what the script started", || is_gone(pid));
    assert_eq!(logged(&site), ["one", "two", "three", "and then", "four"]);
    serve.end(Signal::SIGTERM);
}

#[test]
fn nothing_of_a_script_outlives_the_service() {
    let site = Site::new();
    let (serve, client) = running(&site);
    let (polite, stubborn, bye) = (site.dir.path("polite"), site.dir.path("stubborn"), site.dir.path("bye"));
    let pids = |path: &PathBuf| -> Vec<i32> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
    };
    // One script that ends at SIGTERM, and three that ignore it; each has a child process. Two more have to wait.
    let rest = |path: &PathBuf| format!("sleep 1000 & echo $$ $! >> {}; wait", path.display());
    script(&site, "polite.sh", &format!("trap 'echo > {}; exit' TERM; {}", bye.display(), rest(&polite)));
    client.ok(&entry("one"));
    await_that("the polite one", || pids(&polite).len() == 2);
    script(&site, "stubborn.sh", &format!("trap '' TERM; {}", rest(&stubborn)));
    for _ in 0..5 {
        client.ok(&entry("more"));
    }
    await_that("the stubborn ones", || pids(&stubborn).len() == 6);
    let log = serve.end(Signal::SIGTERM);
    for pid in [pids(&polite), pids(&stubborn)].concat() {
        await_that("its end", || is_gone(pid));
    }
    assert!(bye.exists(), "it was asked first");
    assert_eq!(log.matches("it was not done when the service ended").count(), 4, "{log}");
    assert!(log.contains("events_given_up waiting=2"), "{log}");
}

/// Whether a process has ended, even if it was not reaped yet.
fn is_gone(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(_) => true,
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')),
    }
}

#[test]
fn a_flood_of_entries_starts_a_few_scripts_and_drops_what_does_not_fit() {
    let site = Site::new();
    let (go, begun) = (site.dir.path("go"), site.dir.path("begun"));
    let body = format!("echo x >> {}; until [ -e {} ]; do sleep 0.05; done", begun.display(), go.display());
    script(&site, "slow.sh", &body);
    let (serve, client) = running(&site);
    // At the same time: otherwise the first scripts would reach their time limit before the last entry is there.
    std::thread::scope(|scope| {
        for lot in 0..10 {
            let client = &client;
            scope.spawn(move || {
                (0..11).for_each(|number| drop(client.ok(&entry(&format!("entry {lot} {number}")))));
            });
        }
    });
    serve.await_line("event_dropped");
    await_that("four scripts", || {
        std::fs::read_to_string(&begun).is_ok_and(|text| text.lines().count() == 4)
    });
    let log = serve.log();
    assert_eq!(log.matches("event_dropped").count(), 1, "{log}");
    std::fs::write(&go, "").unwrap();
    await_that("the scripts that waited", || {
        std::fs::read_to_string(&begun).is_ok_and(|text| text.lines().count() > 100)
    });
    serve.end(Signal::SIGTERM);
}

#[test]
fn a_url_is_posted_to() {
    let site = Site::new();
    let (serve, client) = running(&site);
    let web = Web::new();
    site.ok(&["config", "set", "proxy_event_script", &web.put("/event?key=7", b"thanks")]);
    client.ok(&entry(HOSTILE));
    await_that("the POST", || !web.asked().is_empty());
    let asked = web.asked().remove(0);
    let (head, body) = asked.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /event?key=7 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/x-www-form-urlencoded"), "{head}");
    assert!(body.starts_with("level=ERROR&text=%24%28touch%20") && !body.contains('\n'), "{body}");
    let known = "&origin=server&host=dmz&pid=4711&address=203.0.113.9&partner=ACME&detail=event%20value%3D\
                 the-peer-said-this&reason=&ssid=&subject=&session=&event=";
    assert!(body.ends_with(known), "{body}");
    for (url, reason) in [
        (web.url("/none"), "the host answered 404"),
        (web.redirect("/moved", "/event?key=7"), "the host answered 302"),
        (format!("http://127.0.0.1:{}/", closed_port()), "does not accept a connection"),
    ] {
        site.ok(&["config", "set", "proxy_event_script", &url]);
        client.ok(&entry("next"));
        serve.await_line(reason);
    }
    serve.end(Signal::SIGTERM);
}
