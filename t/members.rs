//! One client of several servers: each serves partners, outgoing sessions go through either, and the client ends when
//! all are lost.

use crate::outward::{acme, certificate, connect, listening, prepare, station, tls};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::settings::OutFile;
use serde_json::Value;
use std::fs::{self, File};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use t::installation::{closed_port, free_address};
use t::site::sockets::is_open;
use t::site::{Flight, Role, Site};
use t::wait::{wait_for, wait_slow};

/// A second server of a site, in a folder of its own, with another Proxy ID and port for partners.
struct Second {
    folder: PathBuf,
    proxy_id: String,
    internal: SocketAddr,
    tls: SocketAddr,
    child: Option<Child>,
}

impl Second {
    fn new(site: &Site) -> Self {
        let folder = site.further_folder(Role::Server, "dmz2", &[]).unwrap();
        let shown = Command::new(folder.join(Role::Server.binary())).arg("-L").output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let proxy_id = shown.trim_end().rsplit(' ').next().unwrap().to_owned();
        let licence = folder.join("os4x_proxy.lic");
        site.api(&["licence", "issue", &proxy_id, "-o", &licence.to_string_lossy()]).unwrap();
        let tls = free_address().unwrap();
        site.api(&["proxy", "set", &proxy_id, "tcp_incoming_ip", &tls.ip().to_string()]).unwrap();
        site.api(&["proxy", "set", &proxy_id, "tcp_port_tls", &tls.port().to_string()]).unwrap();
        let ip = IpAddr::from([127, 0, 0, 1]);
        let internal = SocketAddr::new(ip, closed_port(ip).unwrap());
        Self { folder, proxy_id, internal, tls, child: None }
    }

    fn start(&mut self) {
        let printed = File::create(self.folder.join("output")).unwrap();
        let mut command = Command::new(self.folder.join(Role::Server.binary()));
        command.args(["--foreground", "-i", &self.internal.to_string(), "-l"]);
        command.arg(self.folder.join("os4x_proxy.lic")).current_dir("/");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(printed).spawn().unwrap();
        self.child = Some(child);
    }

    fn wait_open(&self) {
        wait_for("the second server's port", || is_open(self.tls).then_some(()));
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut child) = self.child.take() else { return };
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        child.wait().unwrap();
        // Its unit does this, too.
        let _ = fs::remove_file(self.folder.join("os4x_proxyserver.pid"));
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The command of a client of both servers.
fn client_of_both(site: &Site, second: &Second) -> Command {
    let one = site.command(Role::Client);
    let mut command = Command::new(one.get_program());
    let both = format!("{},{}", site.internal, second.internal);
    let own = site.internal.to_string();
    command.args(one.get_args().map(|argument| if *argument == *own { both.as_ref() } else { argument }));
    command
}

/// A file of partner `acme` through the server whose port for partners is at `tls`.
fn assert_works_at(site: &mut Site, tls: SocketAddr) {
    let first = std::mem::replace(&mut site.tls, tls);
    let sent = site.partner("O0013ACME").unwrap().send([OutFile::octets("FILE", *b"hello")]);
    site.tls = first;
    assert!(sent.is_good(), "{sent:?}");
}

/// The site runs with both servers and one client.
fn launch(site: &mut Site, second: &mut Second) {
    second.start();
    for role in [Role::Api, Role::Server] {
        site.restart(role).unwrap();
    }
    site.wait_log(Role::Api, "listening on");
    site.start_as(Role::Client, client_of_both(site, second)).unwrap();
    site.wait_open();
    second.wait_open();
    site.wait_log(Role::Client, "listener_open*local");
}

#[test]
fn partners_come_by_either_server_and_a_lost_one_is_joined_again() {
    let mut site = prepare("both");
    let mut second = Second::new(&site);
    launch(&mut site, &mut second);
    let tls = second.tls;
    site.assert_works();
    assert_works_at(&mut site, tls);
    // Each session names its server.
    let servers = wait_for("both sessions in the list", || {
        let sessions: Value = site.listed(&["sessions"]).unwrap();
        let named = sessions.as_array()?.iter().filter_map(|one| Some(one["server"].as_str()?.to_owned()));
        let servers: Vec<String> = named.collect();
        (servers.len() == 2).then_some(servers)
    });
    assert!(servers[0] != servers[1] && servers.contains(&second.proxy_id), "{servers:?}");

    // One is killed: a session through the other goes on, and so do new ones.
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let mark = site.mark(Role::Client);
    second.end(Signal::SIGKILL);
    site.wait_log_after(Role::Client, mark, &format!("server_lost address={}", second.internal));
    site.assert_works();
    assert!(flight.land().unwrap().is_good());
    assert!(!site.log(Role::Client)[mark..].contains("listener_closed"));
    second.start();
    site.wait_log_after(Role::Client, mark, &format!("server_joined address={}", second.internal));
    second.wait_open();
    assert_works_at(&mut site, tls);
    let listed = site.api(&["status"]).unwrap();
    assert_eq!(listed.matches("joined").count(), 2, "{listed}");

    // The client ends when both are lost.
    second.end(Signal::SIGTERM);
    site.wait_log_after(Role::Client, mark, "server_lost");
    site.signal(Role::Server, Signal::SIGTERM);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    site.end();
}

#[test]
fn outgoing_sessions_go_by_the_servers_in_turn_and_by_the_one_that_is_left_or_not_drained() {
    let mut site = prepare("both-ways");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let port = partner.address().port().to_string();
    site.api(&["partner", "set", "acme", "--host", crate::outward::HOST, "--port", &port]).unwrap();
    let mut second = Second::new(&site);
    launch(&mut site, &mut second);
    let send = |site: &Site| {
        let report = station(&partner.address(), connect(site)).send([OutFile::octets("OUT", vec![7; 5000])]);
        assert!(report.is_good(), "{report:?}");
    };
    let begun = |site: &Site| {
        let first = site.log(Role::Server).matches("session_begin direction=outgoing").count();
        let output = fs::read_to_string(second.folder.join("output")).unwrap();
        (first, output.matches("session_begin direction=outgoing").count())
    };
    // Two at a time, once both have pairs ready: each goes through a server of its own.
    wait_for("a session through each", || {
        let before = begun(&site);
        let fly = || Flight::take_off(station(&partner.address(), connect(&site))).unwrap();
        let both = [fly(), fly()];
        let flown = both.into_iter().all(|flight| flight.land().unwrap().is_good());
        assert!(flown && begun(&site).0 + begun(&site).1 == before.0 + before.1 + 2);
        (begun(&site) == (before.0 + 1, before.1 + 1)).then_some(())
    });

    // A drained server refuses: the other one is asked.
    site.api(&["proxy", "drain", &second.proxy_id]).unwrap();
    wait_for("the second server to be drained", || (!is_open(second.tls)).then_some(()));
    let before = begun(&site);
    for _ in 0..3 {
        send(&site);
    }
    assert_eq!(begun(&site), (before.0 + 3, before.1));
    site.api(&["proxy", "undrain", &second.proxy_id]).unwrap();
    second.wait_open();

    // The first one is gone.
    let mark = site.mark(Role::Client);
    site.signal(Role::Server, Signal::SIGTERM);
    site.wait_end(Role::Server);
    site.wait_log_after(Role::Client, mark, &format!("server_lost address={}", site.internal));
    wait_slow(Duration::from_secs(20), "a session through the second server", || {
        let report =
            station(&partner.address(), connect(&site)).send([OutFile::octets("OUT", vec![7; 5000])]);
        report.is_good().then_some(())
    });
    second.end(Signal::SIGTERM);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    site.end();
}

#[test]
fn two_clients_of_both_servers_survive_the_loss_of_one() {
    let mut site = prepare("both-twice");
    let mut second = Second::new(&site);
    launch(&mut site, &mut second);
    let tls = second.tls;
    let folder = site.further_folder(Role::Client, "inside2", &["token"]).unwrap();
    let first = client_of_both(&site, &second);
    let mut command = Command::new(folder.join(Role::Client.binary()));
    command.args(first.get_args()).current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    let mut other = command.stderr(File::create(folder.join("output")).unwrap()).spawn().unwrap();
    let said = |words: &str| {
        fs::read_to_string(folder.join("output")).unwrap().lines().filter(|line| line.contains(words)).count()
    };
    wait_slow(Duration::from_secs(20), "the other client to stand by at both", || {
        (said("server_standby") == 2).then_some(())
    });

    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGKILL);
    site.wait_end(Role::Client);
    fs::remove_file(site.pid_file(Role::Client)).unwrap();
    wait_for("the other client to be joined to both", || (said("server_joined") == 2).then_some(()));
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    second.wait_open();
    site.assert_works();
    assert_works_at(&mut site, tls);
    // Its listener for stations is open, too.
    wait_for("the listener for stations", || is_open(site.outgoing).then_some(()));
    kill(Pid::from_raw(other.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(other.wait().unwrap().code(), Some(0));
    second.end(Signal::SIGTERM);
    site.end();
}
