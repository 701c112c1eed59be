//! The backend's database hangs: sessions continue, and the reports about them are stored later.

use nix::sys::signal::Signal;
use oftp2peer::oftp::settings::OutFile;
use std::path::{Path, PathBuf};
use std::process::Command;
use t::site::{Builder, Flight, Role};
use t::wait::wait_for;

/// A PostgreSQL server of the test.
struct Cluster {
    directory: PathBuf,
    url: String,
}

impl Cluster {
    fn start() -> Self {
        // A short name, because the path of a Unix socket is limited.
        let directory = std::env::temp_dir().join(format!("os4x-pg-{}", std::process::id()));
        let url = Self::helper("start", &directory);
        Self { directory, url }
    }

    fn helper(verb: &str, directory: &Path) -> String {
        let helper = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/lib/postgres-for-tests");
        let output = Command::new(helper).arg(verb).arg(directory).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        Self::helper("resume", &self.directory);
        Self::helper("stop", &self.directory);
        std::fs::remove_dir_all(&self.directory).unwrap();
    }
}

#[test]
fn sessions_go_on_while_the_database_hangs_and_are_told_of_later() {
    let cluster = Cluster::start();
    let mut site = Builder::new("database").database(&cluster.url).prepare().unwrap();
    site.launch().unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    assert!(partner.send([OutFile::octets("FILE", *b"before")]).is_good());
    // One session is in the middle of a file when the database begins to hang.
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    Cluster::helper("pause", &cluster.directory);
    for _ in 0..3 {
        assert!(partner.send([OutFile::octets("FILE", *b"meanwhile")]).is_good());
    }
    // The call ends with an answer, not with the client's time limit.
    let line = site.wait_log(Role::Client, "backend_error function=proxy_session ");
    assert!(line.contains("HTTP 500") || line.contains("internal"), "{line}");
    let landed = flight.land().unwrap();
    assert!(landed.is_good(), "{landed:?}");
    Cluster::helper("resume", &cluster.directory);
    wait_for("all sessions in the list", || {
        let list: serde_json::Value = site.listed(&["sessions"]).unwrap();
        let whole = list.as_array().unwrap().iter().filter(|session| session["reason"] == "normal").count();
        (whole == 5).then_some(())
    });
    // The backend also ends in time while the database hangs again.
    Cluster::helper("pause", &cluster.directory);
    site.signal(Role::Api, Signal::SIGTERM);
    site.wait_end(Role::Api);
    Cluster::helper("resume", &cluster.directory);
    site.restart(Role::Api).unwrap();
    site.assert_works();
    site.end();
}
