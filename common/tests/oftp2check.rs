//! Runs the binary `oftp2check` as operators do, on the shared traces and on TRACE logs.

#![cfg(test)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn run(arguments: &[&str], input: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_oftp2check"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // Both pipes may fill up: write in another thread.
    let writer = std::thread::spawn(move || pipe.write_all(&input));
    let output = child.wait_with_output().unwrap();
    // A program that does not read its input may close the pipe early.
    let _ = writer.join().unwrap();
    output
}

fn vectors(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../t/vectors").join(name)
}

fn values(file: &Path) -> Vec<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap()
}

fn lines(output: &Output) -> Vec<serde_json::Value> {
    output
        .stdout
        .split(|&octet| octet == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[test]
fn the_shared_traces_get_their_verdicts() {
    for file in ["sessions.json", "recorded_sessions.json"].map(vectors) {
        let output = run(&["--json", file.to_str().unwrap()], b"");
        assert_eq!(output.status.code(), Some(1), "some of them are illegal");
        let traces = values(&file);
        let seen = lines(&output);
        assert_eq!(seen.len(), traces.len() * 2);
        for (trace, verdicts) in traces.iter().zip(seen.chunks(2)) {
            for (verdict, profile) in verdicts.iter().zip(["strict", "tolerant"]) {
                assert_eq!(verdict["name"], trace["name"]);
                assert_eq!(verdict["profile"], profile);
                assert_eq!(verdict["verdict"], trace[profile], "{}", trace["name"]);
            }
        }
    }
}

#[test]
fn one_profile_and_the_exit_status() {
    let legal = values(&vectors("sessions.json")).remove(0);
    let tolerated = values(&vectors("recorded_sessions.json"))
        .into_iter()
        .find(|trace| trace["name"] == "A lowercase id")
        .unwrap();
    let status = |arguments: &[&str], trace: &serde_json::Value| {
        let output = run(arguments, trace.to_string().as_bytes());
        (output.status.code(), lines(&output).len())
    };
    assert_eq!(status(&["--json", "-"], &legal), (Some(0), 2));
    assert_eq!(status(&["--json", "-"], &tolerated), (Some(1), 2));
    assert_eq!(status(&["--json", "--profile", "tolerant", "-"], &tolerated), (Some(0), 1));
    assert_eq!(status(&["--json", "--profile", "strict", "-"], &tolerated), (Some(1), 1));
}

#[test]
fn messages_alone_are_judged_too() {
    let file = vectors("messages_invalid.json");
    let output = run(&["--json", "-p", "strict", file.to_str().unwrap()], b"");
    for (message, verdict) in values(&file).iter().zip(lines(&output)) {
        assert_eq!(verdict["verdict"], serde_json::json!([0, message["expect"]]), "{}", message["name"]);
    }
    assert_eq!(
        run(&["--json", vectors("messages_valid.json").to_str().unwrap()], b"").status.code(),
        Some(0)
    );
}

/// The TRACE log of the daemons gives the same verdicts for the same sessions.
#[test]
fn a_trace_log_gives_the_verdicts_of_its_sessions() {
    let traces = values(&vectors("sessions.json"));
    let mut log = String::from("20261122 09:21:10.000 INFO     os4x_proxyserver[1] session_begin\n");
    for (pid, trace) in traces.iter().enumerate() {
        for step in trace["steps"].as_array().unwrap() {
            let hex = step["hex"].as_str().unwrap();
            let role = if step["dir"] == "I" { "Initiator" } else { "Responder" };
            let octets = hex.len() / 2;
            writeln!(
                log,
                "20261122 09:21:10.167 TRACE    os4x_proxyserver[{pid}] buffer side=partner \
             role={role} octets={octets} hex={hex}"
            )
            .unwrap();
        }
    }
    let output = run(&["--json", "-"], log.as_bytes());
    // A session that does not begin with SSRM counts as a fragment, so its order is not judged.
    let sessions = |trace: &&serde_json::Value| trace["steps"][0]["dir"] == "R";
    let seen: Vec<_> = lines(&output).chunks(2).map(|pair| pair[0]["verdict"].clone()).collect();
    let judged: Vec<_> = traces.iter().zip(seen).filter(|(trace, _)| sessions(trace)).collect();
    assert!(judged.len() >= 27);
    for (trace, verdict) in judged {
        assert_eq!(verdict, trace["strict"], "{}", trace["name"]);
    }
}

#[test]
fn people_read_fields_and_a_sentence_and_never_a_password() {
    let bad = values(&vectors("sessions.json"))
        .into_iter()
        .find(|trace| trace["name"] == "BAD: CDT while credit is left")
        .unwrap();
    let output = run(&["-"], bad.to_string().as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("SSIDCODE   \"O0013000000ALPHA   HOST01\""), "{text}");
    assert!(text.contains("  strict: buffer 6: CDT of the Responder is refused with ESID 02: "), "{text}");
    assert!(text.contains("SSIDPSWD   <masked>") && !text.contains("ALPHAPW"), "{text}");
}

/// A file `ABC#+@~Ä` in Latin-1 with a record length that it does not use: in a session, as a single message, and in
/// the log of a session without its begin. Each time the tolerated deviations are reported with escaped octets, and the
/// strict profile names the remedy.
#[test]
fn what_is_tolerated_is_told_wherever_it_stands() {
    let mut session = values(&vectors("sessions.json")).remove(0);
    let steps = session["steps"].as_array_mut().unwrap();
    let sfid = steps.iter_mut().find(|step| step["hex"].as_str().unwrap()[8..].starts_with("48")).unwrap();
    let odd = format!("{}20{}", &"4142432b2b407ec4".replacen("2b", "23", 1), "20".repeat(17));
    let hex = sfid["hex"].as_str().unwrap();
    let at = 2 * (4 + 107);
    let hex = format!("{}{odd}{}3030303830{}", &hex[..10], &hex[62..at], &hex[at + 10..]);
    sfid["hex"] = hex.clone().into();
    let message = serde_json::json!({"name": "alone", "level": 5, "hex": hex});
    let octets = hex.len() / 2;
    let log = format!(
        "20261122 09:21:10.167 TRACE    os4x_proxyserver[1] buffer side=partner role=Initiator \
         octets={octets} hex={hex}\n"
    );
    for input in [session.to_string(), message.to_string(), log.clone() + &log] {
        let output = run(&["-"], input.as_bytes());
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(r#"SFIDDSN    "ABC#+@~\xc4""#), "{text}");
        assert!(
            text.contains("; the profile tolerant accepts it as C13, and --allow C13 alone (RFC 5024 §5.2)."),
            "{text}"
        );
        assert!(text.contains("  tolerant: legal\n"), "{text}");
        for told in
            ["tolerated=C13 role=Initiator command=SFID field=SFIDDSN ", "tolerated=C15 role=Initiator "]
        {
            assert_eq!(text.matches(told).count(), 1, "{text}");
        }
    }
}

#[test]
fn unreadable_files_and_wrong_options_have_their_own_status() {
    let status = |arguments: &[&str], input: &[u8]| run(arguments, input).status.code();
    assert_eq!(status(&["/nonexistent/trace.json"], b""), Some(2));
    assert_eq!(status(&["-"], b"{\"name\":"), Some(2));
    assert_eq!(status(&["-"], b"nothing of ours\n"), Some(2));
    assert_eq!(status(&["-"], br#"[{"name":"x","steps":[{"dir":"Q","hex":"10"}]}]"#), Some(2));
    assert_eq!(status(&["-"], br#"[{"name":"x","steps":[{"dir":"I","hex":"1"}]}]"#), Some(2));
    assert_eq!(status(&["-f", "log", vectors("sessions.json").to_str().unwrap()], b""), Some(2));
    assert_eq!(status(&["--colour", "-"], b""), Some(64));
    assert_eq!(status(&[], b""), Some(64));
    assert_eq!(status(&["-h"], b""), Some(0));
}

/// Options and exit statuses of the help text and of the manual page are the same.
#[test]
fn the_manual_page_knows_what_the_help_knows() {
    let page = std::fs::read_to_string(vectors("../../man/oftp2check.1")).unwrap();
    let help = String::from_utf8(run(&["-h"], b"").stdout).unwrap();
    let options = |text: &str, mark: &str| -> Vec<String> {
        let line = |line: &str| {
            line.strip_prefix(mark).and_then(|rest| rest.split([' ', ',']).next().map(str::to_owned))
        };
        text.lines().filter_map(line).collect()
    };
    let (documented, shown) = (options(&page, ".It Fl "), options(&help, "  -"));
    assert_eq!(documented, shown);
    assert_eq!(shown.len(), 4);
    for status in ["0", "1", "2", "64"] {
        assert!(page.contains(&format!("\n.It {status}\n")), "{status}");
        assert!(help.contains(&format!("{status} ")), "{status}");
    }
}
