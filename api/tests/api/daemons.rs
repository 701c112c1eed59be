//! The other programs of the site for tests of the whole way: server and client, which are started by the commands that
//! the panel shows, and a partner and a station. Each process is ended by its PID.

use crate::site::{Dir, PATIENCE, PROGRAM, Said, await_that};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// The folder of the programs in the commands of the panel.
const DOCUMENTED: &str = "/opt/os4x/proxy";
/// The licence file in these commands.
const LICENCE: &str = "/etc/os4x_proxy.lic";

/// A built program of the workspace.
fn binary(name: &str) -> PathBuf {
    let path = Path::new(PROGRAM).with_file_name(name);
    assert!(path.is_file(), "{} is missing: run cargo build --workspace --bins first", path.display());
    path
}

/// Runs `oftp2peer`, which must succeed; what it printed.
pub(crate) fn peer(words: &[&str]) -> String {
    let said = Said::of(&Command::new(binary("oftp2peer")).args(words).output().unwrap());
    assert_eq!(said.status, 0, "{words:?}: {}{}", said.out, said.err);
    said.out
}

/// A port that nobody uses now.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A station that receives files, and its port.
pub(crate) struct Station {
    child: Child,
    pub(crate) port: u16,
}

impl Station {
    pub(crate) fn start(ssid: &str, password: &str) -> Self {
        let mut child = Command::new(binary("oftp2peer"))
            .args(["receive", "--listen", "127.0.0.1:0", "--ssid", ssid, "--password", password, "--discard"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = child.stdout.take().unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let _ = tell.send(line);
            }
        });
        let line = told.recv_timeout(PATIENCE).unwrap();
        let port = line.rsplit_once(':').unwrap().1.parse().unwrap();
        Self { child, port }
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Both hosts of the daemons: two folders that stand for the documented one.
pub(crate) struct Hosts {
    dmz: PathBuf,
    inside: PathBuf,
}

impl Hosts {
    pub(crate) fn new(dir: &Dir) -> Self {
        let host = |name: &str, program: &str| {
            let folder = dir.path(name);
            std::fs::create_dir(&folder).unwrap();
            std::fs::copy(binary(program), folder.join(program)).unwrap();
            folder
        };
        Self { dmz: host("dmz", "os4x_proxyserver2"), inside: host("inside", "os4x_proxyclient2") }
    }

    /// Runs lines that the panel shows for the DMZ host; what they print.
    pub(crate) fn on_dmz(&self, lines: &str) -> String {
        run(&lines.replace(LICENCE, self.dmz.join("os4x_proxy.lic").to_str().unwrap()), &self.dmz)
    }

    /// Runs lines that the panel shows for the inside host.
    pub(crate) fn on_inside(&self, lines: &str) -> String {
        run(&lines.replace(&format!("{DOCUMENTED}/os4xapi"), PROGRAM), &self.inside)
    }
}

fn run(lines: &str, folder: &Path) -> String {
    let lines = lines.replace(DOCUMENTED, folder.to_str().unwrap());
    // A daemon keeps no pipe: its output goes to a file.
    let shown = folder.join("shown");
    let out = std::fs::File::create(&shown).unwrap();
    let status = Command::new("bash")
        .args(["-ec", &lines])
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .status()
        .unwrap();
    let text = std::fs::read_to_string(shown).unwrap();
    assert!(status.success(), "{lines}: {text}");
    text
}

impl Drop for Hosts {
    fn drop(&mut self) {
        let pids = [self.inside.join("os4x_proxyclient.pid"), self.dmz.join("os4x_proxyserver.pid")];
        let pids = pids.iter().filter_map(|file| std::fs::read_to_string(file).ok()?.trim().parse().ok());
        let pids: Vec<Pid> = pids.map(Pid::from_raw).collect();
        for pid in &pids {
            let _ = kill(*pid, Signal::SIGTERM);
        }
        if !std::thread::panicking() {
            await_that("the end of the daemons", || pids.iter().all(|pid| kill(*pid, None).is_err()));
        }
    }
}
