//! scripts/quickstart as people use it: on the binaries of this build, in folders of the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use t::binaries;

const QUICKSTART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/quickstart");

/// A folder for a site, which is stopped and removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        Self(std::env::temp_dir().join(format!("os4x-quickstart-{}-{name}", std::process::id())))
    }

    fn start(&self) -> Child {
        let binaries = binaries::path("os4xapi").parent().unwrap().to_owned();
        let mut command = Command::new(QUICKSTART);
        command.args(["--keep", "--size", "1", "--dir"]).arg(&self.0).arg("--bin").arg(binaries);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn stop(&self) -> Output {
        Command::new(QUICKSTART).arg("--stop").arg(&self.0).output().unwrap()
    }

    /// The value that a shell gets from site.env.
    fn variable(&self, name: &str) -> String {
        let script = format!(". '{}/site.env' && printf %s \"${name}\"", self.0.display());
        String::from_utf8(Command::new("sh").args(["-c", &script]).output().unwrap().stdout).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn runs(pid: &str) -> bool {
    assert!(pid.parse::<u32>().is_ok(), "{pid:?} is no process ID");
    // A process that has ended but was not collected (containers may have no init that does this) counts as gone.
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

const PIDS: [&str; 5] = ["SERVER_PID", "CLIENT_PID", "API_PID", "STATION_PID", "PARTNER_PID"];

#[test]
fn two_sites_side_by_side_carry_files_and_stop() {
    let sites = [Folder::new("one"), Folder::new("two")];
    let started = sites.each_ref().map(Folder::start);
    for child in started {
        let output = child.wait_with_output().unwrap();
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{stdout}\n{stderr}");
        for way in ["partner -> server -> client -> station", "station -> client -> server -> partner"] {
            assert!(stderr.contains(way), "{stderr}");
        }
        assert_eq!(stdout.matches("receipt EERP").count(), 2, "{stdout}");
        assert_eq!(stderr.matches("SHA-256 on both ends: ").count(), 2, "{stderr}");
        // The panel waits for its first user.
        let (_, link) = stdout.split_once("/setup/").unwrap();
        assert!(link.get(..64).is_some_and(|secret| secret.bytes().all(|octet| octet.is_ascii_hexdigit())));
    }
    let ports = ["TLS_PORT", "INTERNAL_PORT", "OUTGOING_PORT", "STATION_PORT", "PARTNER_PORT"];
    let mut taken: Vec<String> =
        sites.iter().flat_map(|site| ports.map(|port| site.variable(port))).collect();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!(taken.len(), 10, "no port is shared: {taken:?}");

    let site = &sites[0];
    send_another(site);
    let pids = PIDS.map(|name| site.variable(name));
    assert!(pids.iter().all(|pid| runs(pid)), "{pids:?}");
    let output = site.stop();
    assert!(output.status.success(), "{output:?}");
    assert!(!pids.iter().any(|pid| runs(pid)), "{pids:?}");
    for file in ["dmz/os4x_proxyserver.pid", "inside/os4x_proxyclient.pid"] {
        assert!(!site.0.join(file).exists(), "{file}");
    }
    assert!(PIDS.iter().all(|name| runs(&sites[1].variable(name))), "the other site goes on");
}

/// Sends a file with only the values of site.env.
fn send_another(site: &Folder) {
    let file = site.0.join("partner/another.txt");
    fs::write(&file, "a file of a person's own\n").unwrap();
    let value = |name| site.variable(name);
    let output = Command::new(Path::new(&value("BIN")).join("oftp2peer"))
        .args(["send", "--connect", &format!("127.0.0.1:{}", value("TLS_PORT"))])
        .args(["--cert", &value("PARTNER_CERT"), "--key", &value("PARTNER_KEY"), "--ca", &value("CA_CERT")])
        .args(["--ssid", &value("PARTNER_SSID"), "--password", &value("PARTNER_PASSWORD")])
        .args(["--wait-eerp", "30"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let received = fs::read_to_string(site.0.join("station/received/ANOTHER.TXT")).unwrap();
    assert_eq!(received, "a file of a person's own\n");
}

#[test]
fn a_folder_with_other_things_in_it_is_left_alone() {
    let folder = Folder::new("other");
    fs::create_dir(&folder.0).unwrap();
    fs::write(folder.0.join("letter"), "dear").unwrap();
    let output = folder.start().wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && stderr.contains("--dir"), "{stderr}");
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1);
}
