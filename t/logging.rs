//! The log of a running daemon: the effect of its rc file, the effect of a change of that file, and that each process
//! logs its work from its start to its end.

use crate::outward::{acme, connect, launch, listening, prepare, station};
use nix::sys::signal::{Signal, kill};
use oftp2peer::ca::{Authority, Request};
use openssl::ssl::SslVersion;
use std::collections::BTreeSet;
use std::fs;
use std::net::TcpStream;
use t::installation::Installation;
use t::loglines::Line;
use t::site::{Builder, Role};
use t::wait::wait_for;

const STEM: &str = "os4x_proxyserver";

/// An rc file that sends the server's lines from `priority` on to `appender`, which `definition` defines.
fn rc(priority: &str, appender: &str, definition: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE log4c SYSTEM \"\">\n<log4c version=\"1.2.4\">\n\
         <category name=\"{STEM}\" priority=\"{priority}\" appender=\"{appender}\"/>\n{definition}\n</log4c>\n"
    )
}

fn write_rc(installation: &Installation, text: &str) {
    fs::write(installation.file("os4x_proxyserver.logrc"), text).unwrap();
}

fn start(installation: &Installation) {
    let output = installation.server().unwrap().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// An idle server checks its rc file when something happens: a connection that ends at once.
fn wake(installation: &Installation) {
    drop(TcpStream::connect(installation.internal).unwrap());
}

#[test]
fn the_rc_file_beside_the_binary_chooses_level_file_and_layout() {
    let installation = Installation::new("logrc").unwrap();
    let definition = "<appender name=\"window\" type=\"rollingfile\" prefix=\"window\" layout=\"dated\"/>";
    write_rc(&installation, &rc("debug", "window", definition));
    start(&installation);
    kill(installation.pid(STEM).unwrap(), Signal::SIGHUP).unwrap();
    // DEBUG, so that the end is logged, too.
    let text = wait_for("daemon_stop in the rolling file", || {
        fs::read_to_string(installation.file("window.0")).ok().filter(|text| text.contains("daemon_stop "))
    });
    assert!(
        text.lines().any(|line| line.contains(" INFO     os4x_proxyserver.daemon- daemon_start ")),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.contains(" DEBUG    os4x_proxyserver.daemon- daemon_stop ")),
        "{text}"
    );
    assert_eq!(installation.log(STEM), "");
}

#[test]
fn a_changed_rc_file_takes_effect_in_the_running_daemon_and_a_broken_one_does_not() {
    let installation = Installation::new("reread").unwrap();
    start(&installation);
    write_rc(&installation, &rc("info", "no-such-appender", ""));
    wake(&installation);
    let refused = installation.wait_for_log(STEM, "logrc_refused");
    let reason = Line::read(&refused).unwrap().field("reason").unwrap();
    assert!(reason.contains("os4x_proxyserver.logrc:4: <category name=\"os4x_proxyserver\">: "), "{reason}");
    write_rc(&installation, &rc("debug", "os4x_appender", "<!-- changed -->"));
    wake(&installation);
    installation.wait_for_log(STEM, "logrc_taken");
    kill(installation.pid(STEM).unwrap(), Signal::SIGHUP).unwrap();
    installation.wait_for_log(STEM, "daemon_stop");
}

/// Written like the sample of log4c: categories, appenders and layouts of its own examples.
const SAMPLE: &str = r#"<?xml version="1.0" encoding="ISO-8859-1"?>
<!DOCTYPE log4c SYSTEM "">
<log4c version="1.2.4">
  <config><bufsize>0</bufsize><debug level="2"/><nocleanup>0</nocleanup><reread>1</reread></config>
  <category name="root" priority="notice"/>
  <category name="six13log.log" priority="error" appender="stdout"/>
  <rollingpolicy name="policy" type="sizewin" maxsize="1024" maxnum="10"/>
  <appender name="window" type="rollingfile" logdir="." prefix="sample" layout="dated" rollingpolicy="policy"/>
  <appender name="stdout" type="stream" layout="basic"/>
  <appender name="stderr" type="stream" layout="dated"/>
  <appender name="syslog" type="syslog" layout="basic"/>
  <appender name="s13file" type="s13_file" layout="basic"/>
  <appender name="plain" type="s13_stderr" layout="none"/>
  <layout name="basic" type="basic"/>
  <layout name="dated" type="dated"/>
  <layout name="none" type="s13_none"/>
  <category name="six13log.log.app" priority="debug" appender="plain"/>
</log4c>
"#;

#[test]
fn the_sample_of_log4c_is_read_and_what_has_no_effect_is_told() {
    let installation = Installation::new("sample").unwrap();
    let warned = [
        "the log configuration has no category for this daemon (one is named six13log.log): name it",
        "os4x_proxyserver.logrc:12: <appender name=\"s13file\">: type s13_file is not known;",
        "os4x_proxyserver.logrc:16: <layout name=\"none\">: type s13_none is not known;",
    ];
    write_rc(&installation, SAMPLE);
    let output = installation.server().unwrap().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let shown = String::from_utf8(output.stderr).unwrap();
    for words in warned {
        assert!(shown.contains(words), "{shown}");
        assert!(installation.wait_for_log(STEM, words).contains(" WARN "));
    }
    // With a category of ours, in every encoding that an editor may use.
    let ours = SAMPLE.replacen(
        "<category",
        "<category name=\"os4x_proxyserver\" priority=\"debug\" appender=\"f\u{fc}r uns\"/>\n<category",
        1,
    );
    let ours = ours.replacen(
        "<layout",
        "<appender name=\"f\u{fc}r uns\" layout=\"dated_local\" type=\"mmap\"/>\n<layout",
        1,
    );
    let latin: Vec<u8> = ours.chars().map(|letter| u8::try_from(letter).unwrap()).collect();
    let marked = [b"\xef\xbb\xbf", ours.as_bytes()].concat();
    for (octets, changes) in [(latin, 1), (marked, 2)] {
        fs::write(installation.file("os4x_proxyserver.logrc"), octets).unwrap();
        wait_for("the change of the log configuration", || {
            wake(&installation);
            let text = fs::read_to_string(installation.file("f\u{fc}r uns")).unwrap_or_default();
            (text.matches(" os4x_proxyserver.log- logrc_taken ").count() == changes).then_some(())
        });
    }
    kill(installation.pid(STEM).unwrap(), Signal::SIGHUP).unwrap();
}

/// Asserts that process `pid` wrote lines that begin with these texts, in this order; others may be between them.
#[track_caller]
fn in_order(log: &[Line], pid: u32, expected: &[&str]) {
    let mut own = log.iter().filter(|line| line.pid == pid);
    for text in expected {
        assert!(
            own.any(|line| line.text.starts_with(text)),
            "'{text}' of {pid} is not there, or not here: {log:#?}"
        );
    }
}

/// The only line of a session child, not of `parent`, that begins with `event` and has these fields.
#[track_caller]
fn of_a_child<'a>(log: &'a [Line], parent: u32, event: &str, fields: &[(&str, &str)]) -> &'a Line<'a> {
    let has = |line: &&Line| fields.iter().all(|(key, value)| line.field(key).as_deref() == Some(*value));
    let found: Vec<&Line> = log.iter().filter(|line| line.event() == event).filter(has).collect();
    let [line] = found[..] else { panic!("{event} {fields:?}: {found:#?} of {log:#?}") };
    assert_ne!(line.pid, parent, "{line:?}");
    line
}

#[test]
fn every_process_says_what_it_does_from_start_to_end() {
    let partner = listening(acme(), None);
    let mut site = launch(prepare("activities"), &partner, &["--tls", "no"]);
    let parents = [Role::Server, Role::Client].map(|role| site.pid(role).as_raw().cast_unsigned());
    site.assert_works();
    assert!(station(&"acme", connect(&site)).call().is_good());
    // Refused in TLS, by certificate, by SSID, and at the client's listener.
    let identity = site.certificate("acme", "O0013ACME").unwrap();
    let tls = identity.tls(&site.authority).unwrap().only(SslVersion::TLS1_1);
    let mut old = site.partner("O0013ACME").unwrap();
    old.dial.tls = Some((tls.context().unwrap(), None));
    let foreign = Authority::new("Foreign CA").unwrap().issue(&Request::new("x").ssid("O0013ACME")).unwrap();
    let foreign = site.partner_with("O0013ACME", Some(&foreign)).unwrap();
    let nobody = site.partner("O0013NOBODY").unwrap();
    for (partner, reason) in [(old, "protocol"), (foreign, "unknown-ca"), (nobody, "unknown-partner")] {
        let mark = site.mark(Role::Server);
        partner.call();
        site.wait_log_after(Role::Server, mark, &format!("session_refused*reason={reason}"));
    }
    assert!(!station(&"nowhere", connect(&site)).call().is_good());
    site.wait_log(Role::Api, "system_log from=*unknown-ca");
    for role in [Role::Client, Role::Server, Role::Api] {
        if role != Role::Api {
            site.signal(role, Signal::SIGTTIN);
            site.wait_log(role, "level level=DEBUG");
        }
        site.signal(role, Signal::SIGTERM);
        site.wait_end(role);
    }

    let texts = [Role::Server, Role::Client].map(|role| site.log(role));
    let [server, client] =
        texts.each_ref().map(|text| text.lines().filter_map(Line::read).collect::<Vec<_>>());
    let begins = ["daemon_start", "listener_open listener=internal", "client_joined", "config_taken"];
    let ends = ["level level=DEBUG", "daemon_stop signal=SIGTERM"];
    in_order(&server, parents[0], &[&begins[..], &ends].concat());
    in_order(
        &server,
        parents[0],
        &["listener_open listener=tls", "client_gone", "listener_closed listener=tls"],
    );
    in_order(
        &client,
        parents[1],
        &[&["daemon_start", "enrolled", "config_taken", "server_joined"][..], &ends].concat(),
    );
    in_order(&client, parents[1], &["listener_open listener=local", "level level=DEBUG"]);
    let mut children = BTreeSet::new();
    for direction in ["incoming", "outgoing"] {
        let begin = of_a_child(&server, parents[0], "session_begin", &[("direction", direction)]);
        let session = begin.field("session").unwrap();
        for (log, parent) in [(&server, parents[0]), (&client, parents[1])] {
            let same = [("direction", direction), ("session", session.as_str()), ("partner", "acme")];
            let begin = of_a_child(log, parent, "session_begin", &same);
            let end = of_a_child(log, parent, "session_end", &same);
            assert_eq!((begin.pid, end.field("reason").as_deref()), (end.pid, Some("normal")));
            children.insert(begin.pid);
        }
    }
    assert_eq!(children.len(), 4, "a process each");
    for reason in ["protocol", "unknown-ca", "unknown-partner"] {
        let refusal = [("direction", "incoming"), ("reason", reason)];
        of_a_child(&server, parents[0], "session_refused", &refusal);
    }
    for (log, parent) in [(&server, parents[0]), (&client, parents[1])] {
        let refusal = [("direction", "outgoing"), ("reason", "destination"), ("address", "nowhere")];
        of_a_child(log, parent, "session_refused", &refusal);
    }
    let backend = site.log(Role::Api);
    let lines: Vec<Line> = backend.lines().filter_map(Line::read).collect();
    let events = [
        "started ",
        "client_enrolled ",
        "configuration_handed_out ",
        "system_log ",
        "stopping signal=TERM",
        "stopped",
    ];
    in_order(&lines, lines[0].pid, &events);
    site.end();
}

#[test]
fn a_log_that_has_grown_too_large_takes_only_what_is_grave_and_counts_the_rest() {
    const MOST: usize = 1 << 20;
    let mut site = Builder::new("bounded").setting("proxy_log_max_bytes", &MOST.to_string()).start().unwrap();
    for role in [Role::Server, Role::Client] {
        site.fill_log(role, MOST).unwrap();
    }
    let marks = [Role::Server, Role::Client].map(|role| (role, site.mark(role)));
    for _ in 0..3 {
        site.assert_works();
    }
    for (role, mark) in marks {
        let log = site.log(role);
        assert!(!log[mark..].contains(" session_"), "{}", &log[mark..]);
    }
    site.wait_idle();
    // ERROR lines are still written, among them the number of lines that were left out, at the latest when the daemon
    // ends.
    site.signal(Role::Server, Signal::SIGTERM);
    for (role, mark) in marks {
        site.wait_end(role);
        let line = site.wait_log_after(role, mark, " log_bounded appender=os4x_appender lines=");
        let lines: u64 = Line::read(&line).unwrap().field("lines").unwrap().parse().unwrap();
        assert!(lines >= 6, "begin and end of three sessions: {line}");
    }
    site.end();
}
