//! scripts/install as an administrator uses it: in a folder of the test, with text files as programs.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const INSTALL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/install");
const PAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../man");
const PROGRAMS: [&str; 4] = ["os4x_proxyserver2", "os4x_proxyclient2", "os4xapi", "oftp2check"];
const LICENCE: &str = "etc/os4x_proxy.lic";
const SERVER: &str = "opt/os4x/proxy/os4x_proxyserver2";
const UNIT: &str = "etc/systemd/system/os4x_proxyserver2.service";
/// Octets that no text editor would write: they must come back unchanged.
const LEGACY: &[u8] = b"\x7fELF legacy \0\xff\r\n";

/// A host in a folder, which is removed at the end.
struct Host(PathBuf);

impl Host {
    fn new(name: &str) -> Self {
        let root = std::env::temp_dir().join(format!("os4x-install-{}-{name}", std::process::id()));
        fs::create_dir(&root).unwrap();
        Self(root)
    }

    /// One on which the legacy server and client are installed.
    fn legacy(name: &str) -> Self {
        let host = Self::new(name);
        for path in [SERVER, "opt/os4x/proxy/os4x_proxyclient2", LICENCE] {
            host.write(path, LEGACY);
        }
        host
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.join(path)).unwrap_or_else(|why| panic!("{path}: {why}"))
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(INSTALL).arg("--root").arg(&self.0).args(arguments).output().unwrap()
    }

    /// Installs programs with the content `version`; returns the output of the script.
    fn install(&self, version: &str, arguments: &[&str]) -> Output {
        let bin = format!("built/{version}");
        for program in PROGRAMS {
            self.write(&format!("{bin}/{program}"), version.as_bytes());
        }
        let bin = self.0.join(bin);
        let units = ["--units", "/etc/systemd/system", "--bin", bin.to_str().unwrap()];
        self.run(&[&units, arguments].concat())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The user that runs this test; it may be root.
fn user() -> String {
    let output = Command::new("id").args(["-un"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The output of a successful run.
fn worked(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

#[test]
fn two_upgrades_lead_back_to_the_legacy_programs_and_their_licence() {
    let host = Host::legacy("upgrades");
    let user = ["--user", &user(), "server", "client", "api"];
    let said = worked(&host.install("one", &user));
    assert!(said.contains("scripts/install --back"), "{said}");
    assert!(said.contains("systemctl enable --now os4x_proxyserver2 os4x_proxyclient2 os4xapi"), "{said}");
    assert!(!host.0.join(LICENCE).exists(), "the new licence can take its place");
    host.write(LICENCE, b"-----BEGIN CERTIFICATE-----\nours\n");
    let mut unit = host.read(UNIT);
    unit.extend_from_slice(b"# the administrator's own line\n");
    host.write(UNIT, &unit);
    worked(&host.install("two", &user));
    assert_eq!(host.read(SERVER), b"two");
    assert_ne!(host.read(UNIT), unit);
    let said = worked(&host.install("two", &user));
    assert!(said.contains("nothing was replaced"), "{said}");

    worked(&host.run(&["--back"]));
    assert_eq!(host.read(SERVER), b"one");
    assert_eq!(host.read(UNIT), unit, "as the administrator had edited it");
    worked(&host.run(&["--back"]));
    for path in [SERVER, "opt/os4x/proxy/os4x_proxyclient2", LICENCE] {
        assert_eq!(host.read(path), LEGACY, "{path}");
    }
    assert!(!host.0.join(UNIT).exists() && !host.0.join("opt/os4x/proxy/os4xapi").exists());
    let undone = Command::new("find").arg(host.0.join("opt/os4x/proxy/replaced/undone")).output().unwrap();
    let undone = String::from_utf8(undone.stdout).unwrap();
    assert!(undone.lines().any(|path| path.ends_with(LICENCE)), "our licence is not lost: {undone}");

    let output = host.run(&["--back"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && said.contains("no installation to undo"), "{said}");
    assert_eq!(host.read(SERVER), LEGACY);
}

#[test]
fn an_installation_after_the_way_back_can_be_undone_too() {
    let host = Host::legacy("again");
    let user = ["--user", &user(), "server"];
    for version in ["one", "two", "three"] {
        worked(&host.install(version, &user));
        worked(&host.run(&["--back"]));
        assert_eq!(host.read(SERVER), LEGACY);
        assert_eq!(host.read(LICENCE), LEGACY);
    }
}

#[test]
fn the_licence_stays_for_a_legacy_server_that_runs() {
    let host = Host::legacy("running");
    host.write("opt/os4x/proxy/os4x_proxyserver.pid", std::process::id().to_string().as_bytes());
    let said = worked(&host.install("one", &["--user", &user(), "server"]));
    assert!(said.contains("A copy is kept"), "{said}");
    assert_eq!(host.read(LICENCE), LEGACY);
}

#[test]
fn units_run_as_root_only_if_that_is_asked_for() {
    let host = Host::legacy("root");
    let output = host.install("one", &["server"]);
    if fs::metadata(&host.0).unwrap().uid() == 0 {
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("--user os4x"), "{said}");
        assert_eq!(host.read(SERVER), LEGACY, "nothing was replaced");
        assert_eq!(host.read(LICENCE), LEGACY);
        worked(&host.install("one", &["--user", "nobody", "server"]));
        let owner = |path: &str| fs::metadata(host.0.join(path)).unwrap().uid();
        let nobody = owner("opt/os4x/proxy");
        assert!(nobody != 0 && owner(SERVER) == 0, "the directory is given, the program is not");
        assert!(String::from_utf8(host.read(UNIT)).unwrap().contains("\nUser=nobody\n"));
    } else {
        worked(&output);
        let line = format!("\nUser={}\n", user());
        assert!(String::from_utf8(host.read(UNIT)).unwrap().contains(&line));
    }
}

#[test]
fn every_manual_page_is_installed_but_the_one_of_the_trial_program() {
    let host = Host::new("pages");
    worked(&host.install("one", &["--user", &user(), "api"]));
    let pages = fs::read_dir(PAGES).unwrap().map(|entry| entry.unwrap().path());
    for page in pages.filter(|path| path.is_file()) {
        let name = page.file_name().unwrap().to_str().unwrap();
        let section = name.rsplit_once('.').unwrap().1;
        let there = Path::new("usr/local/share/man").join(format!("man{section}")).join(name);
        assert_eq!(host.0.join(there).exists(), name != "oftp2peer.1", "{name}");
    }
    // A page with two names is found by both.
    let other = host.read("usr/local/share/man/man5/os4x_proxyserver.logrc.5");
    assert_eq!(other, b".so man5/os4x_proxy.logrc.5\n");
}
