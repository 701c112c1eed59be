//! `os4xapi setup`: one command makes an inside host that the units can start; a second run changes nothing; wrong
//! values are refused before anything is made.

use crate::pki;
use crate::site::{Dir, PROGRAM, Said};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

fn setup(dir: &Dir, words: &[&str]) -> Said {
    let mut command = Command::new(PROGRAM);
    command.arg("setup").args(words).arg("--db").arg(dir.path("os4xapi.db")).stdin(Stdio::null());
    Said::of(&command.output().unwrap())
}

fn ask(dir: &Dir, words: &[&str]) -> Said {
    Said::of(&Command::new(PROGRAM).args(words).arg("--db").arg(dir.path("os4xapi.db")).output().unwrap())
}

fn read(dir: &Dir, name: &str) -> String {
    std::fs::read_to_string(dir.path(name)).unwrap()
}

const FILES: [(&str, u32); 4] =
    [("os4xapi.db", 0o600), ("token", 0o600), ("client.env", 0o640), ("os4xapi.env", 0o640)];

#[test]
fn one_command_writes_what_the_units_read() {
    let dir = Dir::new();
    let acme = pki::Identity::ca("issuer").issue("acme");
    let pin = dir.write("acme.pem", &acme.pem());
    let words =
        ["--host", "inside.example.com", "--server", "dmz.example.com", "--station", "erp.example:3306"];
    let partner = ["--partner", "acme", "--ssid", "O0013ACME", "--pin", &pin];
    let said = setup(&dir, &[&words[..], &partner].concat());
    assert_eq!((said.status, said.err.as_str()), (0, ""), "{}", said.out);
    let client = read(&dir, "client.env");
    assert!(
        client.contains("\nOS4X_API_URL=https://inside.example.com:8443/os4xapi/index.php\n"),
        "{client}"
    );
    assert!(client.contains("\nOS4X_PROXYSERVER=dmz.example.com\n"), "{client}");
    assert!(read(&dir, "os4xapi.env").contains("\nOS4X_API_LISTEN=[::]:8443\n"));
    assert_eq!(read(&dir, "token"), ask(&dir, &["token", "show"]).out);
    assert_eq!(ask(&dir, &["config", "get", "proxy_station_host"]).out, "erp.example\n");
    assert_eq!(ask(&dir, &["config", "get", "tcp_port"]).out, "3306\n");
    let partners = ask(&dir, &["partner", "list"]).out;
    assert!(partners.contains("O0013ACME") && partners.contains("pinned"), "{partners}");
    for (name, mode) in FILES {
        let found = dir.path(name).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{name}: {found:o}");
    }
    for wanted in
        ["DMZ host dmz.example.com", "6619", "2878", "os4x_proxyserver2 -L", "licence issue PROXY-ID"]
    {
        assert!(said.out.contains(wanted), "{wanted}: {}", said.out);
    }
}

#[test]
fn a_second_run_changes_nothing_and_says_so() {
    let dir = Dir::new();
    let first = ["--server", "dmz", "--partner", "acme", "--ssid", "O0013ACME"];
    assert_eq!(setup(&dir, &first).status, 0);
    let before: Vec<String> = FILES[1..].iter().map(|(name, _)| read(&dir, name)).collect();
    let partners = ask(&dir, &["partner", "list"]).out;

    // The same, and without options: known values need not be given again.
    for words in [&first[..], &[]] {
        let said = setup(&dir, words);
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{words:?}");
        assert_eq!(said.out.matches("already").count(), 6 + usize::from(!words.is_empty()), "{}", said.out);
    }
    assert_eq!(ask(&dir, &["config", "set", "proxy_station_host", "erp"]).status, 0);
    let other =
        ["--server", "other", "--host", "inside", "--station", "third", "--partner", "acme", "--ssid", "O2"];
    let said = setup(&dir, &[&other[..], &["--listen", "[::]:8443"]].concat());
    assert_eq!(said.status, 0, "{}", said.err);
    for told in
        ["client.env is not changed", "os4xapi.env is not changed", "stays erp", "cert https --host inside"]
    {
        assert!(said.err.contains(told), "{told}: {}", said.err);
    }
    let after: Vec<String> = FILES[1..].iter().map(|(name, _)| read(&dir, name)).collect();
    assert_eq!(before, after);
    assert_eq!(ask(&dir, &["config", "get", "proxy_station_host"]).out, "erp\n");
    assert_eq!(ask(&dir, &["partner", "list"]).out, partners);
}

#[test]
fn what_cannot_work_is_refused_before_anything_is_there() {
    for (words, told) in [
        (&["--host", "localhost"][..], "--server is missing"),
        (&["--server", "dmz:0"], "--server"),
        (&["--server", "dmz", "--host", "inside", "--listen", "127.0.0.1:8443"], "--listen [::]:8443"),
        (&["--server", "dmz", "--station", "a b"], "--station"),
        (&["--server", "dmz", "--partner", "acme"], "--ssid is missing"),
        (&["--server", "dmz", "--ssid", "O0013ACME"], "--partner is missing"),
    ] {
        let dir = Dir::new();
        let said = setup(&dir, words);
        assert_eq!(said.status, 64, "{words:?}: {}", said.err);
        assert!(said.err.contains(told), "{words:?}: {}", said.err);
        assert!(!dir.path("os4xapi.db").exists() && !dir.path("token").exists(), "{words:?}");
    }
}

#[test]
fn on_a_terminal_it_asks_and_asks_again() {
    let dir = Dir::new();
    let database = dir.path("os4xapi.db");
    let command = format!("{PROGRAM} setup --db {}", database.display());
    // script(1) gives the program a terminal and types its own standard input there.
    let answers = "dmz:nonsense\ndmz\n\n\nerp\nacme\nO0013ACME\n\n";
    let input = dir.write("answers", answers);
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("--server cannot be 'dmz:nonsense'"), "{said}");
    assert!(said.contains("[127.0.0.1:8443]"), "{said}");
    assert!(read(&dir, "client.env").contains("\nOS4X_PROXYSERVER=dmz\n"));
    assert_eq!(ask(&dir, &["config", "get", "proxy_station_host"]).out, "erp\n");
    assert!(ask(&dir, &["partner", "list"]).out.contains("O0013ACME"));
}
