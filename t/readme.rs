//! The instructions of the README, exactly as written: their commands run in order on a host of their own
//! (scripts/lib/host-for-tests), which has legacy daemons and no systemd, up to the first session of a partner.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use t::binaries;

const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const HOST: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/host-for-tests");
const README: &str = include_str!("../README.md");

/// A folder of the test, removed at the end, when nothing is mounted any more.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The commands of the section, block by block: each block is typed in one shell of one host.
fn blocks() -> Vec<Vec<&'static str>> {
    let (_, rest) = README.split_once("\n## Replace the legacy daemons\n").unwrap();
    let (section, _) = rest.split_once("\n## ").unwrap();
    let mut blocks: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut host_before = "";
    for line in section.lines() {
        let command = line.strip_prefix("       ").and_then(|line| line.split_once("# "));
        let Some((host, command)) = command else {
            host_before = "";
            continue;
        };
        assert!(["inside", "dmz"].contains(&host), "{line}");
        if host != host_before {
            blocks.push((host, Vec::new()));
        }
        blocks.last_mut().unwrap().1.push(command);
        host_before = host;
    }
    blocks.into_iter().map(|(_, commands)| commands).collect()
}

/// The commands as a script. Two things differ from the README: the Proxy ID, which it cannot know, and the programs,
/// which are built already.
fn script(bin: &str) -> String {
    let mut script = String::new();
    for block in blocks() {
        writeln!(script, "(\ncd '{WORKSPACE}'").unwrap();
        for command in block {
            let built = command.replace("scripts/install ", &format!("scripts/install --bin '{bin}' "));
            let id = "\"$(/opt/os4x/proxy/os4x_proxyserver2 -L | cut -d ' ' -f 4)\"";
            writeln!(script, "echo {command:?}\n{}", built.replace("PROXY-ID", id)).unwrap();
        }
        writeln!(script, ")").unwrap();
    }
    script
}

/// Whether this process may create a separate host.
fn may_make_hosts() -> bool {
    let mut probe = Command::new("unshare");
    probe.args(["--mount", "--net", "--pid", "--fork", "--mount-proc", "sh", "-c"]);
    probe.arg("mount --make-rprivate / && mount -t tmpfs tmpfs /opt && ip link set lo up");
    probe.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn the_readme_has_the_commands_of_the_whole_way() {
    let all = blocks().concat();
    for wanted in ["scripts/install", "os4xapi setup", "os4x_proxyserver2 -L", "licence issue PROXY-ID"] {
        assert!(all.iter().any(|command| command.contains(wanted)), "{wanted}: {all:?}");
    }
    let started = ["os4xapi", "os4x_proxyserver2", "os4x_proxyclient2"];
    let starts: Vec<_> =
        all.iter().filter_map(|command| command.strip_prefix("systemctl enable --now ")).collect();
    assert_eq!(starts, started);
}

#[test]
fn slow_the_way_of_the_readme_leads_to_the_first_session() {
    if !may_make_hosts() {
        eprintln!("SKIPPED: this needs root, unshare(1) and ip(8), and the right to make namespaces");
        return;
    }
    let folder = Folder(std::env::temp_dir().join(format!("os4x-readme-{}", std::process::id())));
    fs::create_dir(&folder.0).unwrap();
    let bin = binaries::path("os4xapi").parent().unwrap().to_str().unwrap().to_owned();
    let commands = folder.0.join("commands");
    fs::write(&commands, script(&bin)).unwrap();
    let mut host = Command::new(HOST);
    let output = host.arg(&folder.0).arg(&bin).arg(&commands).stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}\n{err}");
    assert!(out.contains("receipt EERP"), "{out}\n{err}");
    assert!(out.contains(" session_begin "), "{out}");
    assert_eq!(fs::read(folder.0.join("received/ORDER.TXT")).unwrap(), b"the first order\n");
    assert!(!err.contains("warning"), "{err}");
    // The list in the README: the files of the daemons belong to their user, although root typed the commands.
    for name in ["os4xapi.db", "token", "client.env", "os4x_proxyserver.key"] {
        let line = out.lines().find(|line| line.ends_with(&format!(" {name}"))).unwrap();
        assert_ne!(line.split_whitespace().nth(2), Some("0"), "{line}");
    }
}
