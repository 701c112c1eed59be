//! The command `oftp2peer` as people use it: a CA, a station that listens, files sent to it; its exit status and
//! output.

use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use t::binaries;

/// A folder of the test, in which the command runs.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("oftp2peer-t-{}-{name}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(binaries::path("oftp2peer"));
        command.current_dir(&self.0).args(line.split_whitespace());
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// `oftp2peer receive`, ended with the test.
struct Station(Child, BufReader<std::process::ChildStdout>);

impl Station {
    fn start(folder: &Folder, options: &str) -> (Self, String) {
        let line = format!("receive --listen 127.0.0.1:0 --ssid O0013STATION --password TWO {options}");
        let mut child = folder.command(&line).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut station = Self(child, output);
        let first = station.line();
        (station, first.strip_prefix("listening on ").unwrap().to_owned())
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status_and_words(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn json(octets: &[u8]) -> Value {
    serde_json::from_slice(octets).unwrap()
}

const IDENTITY: &str = "--ssid O0013ACME --password ONE";

#[test]
fn a_ca_a_station_and_a_file_over_tls() {
    let folder = Folder::new("tls");
    for line in ["ca init ca", "ca issue ca station --ssid O0013STATION --host 127.0.0.1 --server"] {
        assert!(folder.run(line).status.success(), "{line}");
    }
    assert!(folder.run("ca issue ca acme --ssid O0013ACME --client").status.success());
    let (mut station, address) = Station::start(
        &folder,
        "--cert ca/station.pem --key ca/station.key --ca ca/ca.pem --into in --sessions 2 --json",
    );
    fs::write(folder.0.join("Order 1.txt"), vec![b'x'; 300_000]).unwrap();
    let tls = "--cert ca/acme.pem --key ca/acme.key --ca ca/ca.pem --json";
    let send = |version: &str| {
        let line =
            format!("send --connect {address} {IDENTITY} {tls} --tls-version {version} --wait-eerp 20");
        folder.command(&line).arg("Order 1.txt").output().unwrap()
    };
    for (version, name) in [("1.2", "TLSv1.2"), ("1.3", "TLSv1.3")] {
        let output = send(version);
        assert_eq!(status_and_words(&output), (Some(0), String::new()));
        let (ours, theirs) = (json(&output.stdout), json(station.line().as_bytes()));
        assert_eq!((&ours["tls"]["version"], &ours["esid"]), (&name.into(), &"00".into()));
        assert_eq!(ours["sent"][0]["name"], "ORDER-1.TXT");
        assert_eq!(ours["sent"][0]["receipt"]["kind"], "EERP");
        assert_eq!(ours["sent"][0]["sha256"], theirs["received"][0]["sha256"]);
        let path = theirs["received"][0]["path"].as_str().unwrap();
        assert_eq!(fs::read(folder.0.join(path)).unwrap(), vec![b'x'; 300_000]);
    }
    assert!(station.0.wait().unwrap().success());
}

#[test]
fn failures_end_with_status_1() {
    let folder = Folder::new("failures");
    fs::write(folder.0.join("file"), "x").unwrap();
    let failed = |address: &str, options: &str, words: &str| {
        let output = folder.run(&format!("send --connect {address} {IDENTITY} {options} file"));
        let (status, said) = status_and_words(&output);
        assert!(status == Some(1) && said.contains(words), "{status:?} {said}");
    };
    failed("127.0.0.1:0", "", "cannot be reached");
    let (_station, address) = Station::start(&folder, "--discard --refuse-file 6");
    failed(&address, "", "refused (SFNA 06, may be tried again)");
    failed(&address, "--peer-ssid O0013OTHER", "ESID 03");
    let (_station, address) = Station::start(&folder, "--discard --nerp 34");
    failed(&address, "", "answered with NERP 34");
    let (_station, address) = Station::start(&folder, "--discard --peer-password OTHER");
    failed(&address, "", "the other side ended the session with ESID 04");
    let (_station, address) = Station::start(&folder, "--discard --eerp none");
    failed(&address, "--wait-eerp 1", "no receipt came for FILE in time");
}

/// Runs the command with an output that nobody reads, as with `| head -1`.
fn unread(folder: &Folder, line: &str) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    folder.command(line).stdout(writer).output().unwrap()
}

#[test]
fn a_closed_output_is_no_fault() {
    let folder = Folder::new("unread");
    fs::write(folder.0.join("file"), "x").unwrap();
    let (_station, address) = Station::start(&folder, "--discard --refuse-file 6 --nerp 34");
    let send = format!("send --connect {address} {IDENTITY} file");
    for line in
        ["-h", "send -h", "ca init ca", "receive --listen 127.0.0.1:0 --ssid O0013X --password P --discard"]
    {
        assert_eq!(status_and_words(&unread(&folder, line)), (Some(0), String::new()), "{line}");
    }
    assert!(folder.0.join("ca/ca.pem").exists());
    // The exit status still shows the result for the file.
    let (status, said) = status_and_words(&unread(&folder, &send));
    assert!(status == Some(1) && said.contains("refused") && said.lines().count() == 1, "{status:?} {said}");
    let (_station, address) = Station::start(&folder, "--discard");
    let send = format!("send --connect {address} {IDENTITY} file");
    assert_eq!(status_and_words(&unread(&folder, &send)), (Some(0), String::new()));
}

#[test]
fn wrong_usage_ends_with_status_64() {
    let folder = Folder::new("usage");
    for line in [
        "",
        "nothing",
        "send",
        "send --connect h:1 --ssid A --password P",
        "send --connect h:1 --ssid A --password TOOLONGPW file",
        "send --connect h:1 --ssid A --password P --level 3 file",
        "send --connect h:1 --ssid A --password P --sdeb 127 file",
        "receive --listen 127.0.0.1:0 --ssid A --password P",
        "receive --listen 127.0.0.1:0 --ssid A --password P --discard --tls",
        "ca",
        "ca issue ca ../up",
        "send --colour",
    ] {
        let (status, said) = status_and_words(&folder.run(line));
        assert!(
            status == Some(64) && said.starts_with("oftp2peer: ") && said.lines().count() == 1,
            "{line}: {said}"
        );
    }
}

#[test]
fn help_names_every_option() {
    let folder = Folder::new("help");
    for (command, options) in [
        (
            "send",
            &["--connect", "--bind", "--proxy-connect", "--socks5", "--wait-eerp", "--restart", "--tls"][..],
        ),
        ("receive", &["--listen", "--into", "--sessions", "--eerp", "--nerp", "--refuse-file", "--cert"]),
        ("ca", &["init", "issue", "revoke", "crl", "--ssid", "--host"]),
    ] {
        let output = folder.run(&format!("{command} -h"));
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && options.iter().all(|option| text.contains(option)), "{text}");
    }
}

#[test]
fn a_revoked_certificate_is_on_the_crl() {
    let folder = Folder::new("crl");
    for line in ["ca init ca", "ca issue ca one", "ca issue ca two", "ca revoke ca one", "ca crl ca"] {
        assert!(folder.run(line).status.success(), "{line}");
    }
    let read = |name: &str| fs::read(Path::new(&folder.0).join("ca").join(name)).unwrap();
    let crl = openssl::x509::X509Crl::from_pem(&read("crl.pem")).unwrap();
    let certificate = |name: &str| openssl::x509::X509::from_pem(&read(name)).unwrap();
    assert!(matches!(crl.get_by_cert(&certificate("one.pem")), openssl::x509::CrlStatus::Revoked(_)));
    assert!(matches!(crl.get_by_cert(&certificate("two.pem")), openssl::x509::CrlStatus::NotRevoked));
    let (status, said) = status_and_words(&folder.run("ca issue ca two"));
    assert!(status == Some(1) && said.contains("exists and is not overwritten"), "{said}");
}
