//! A whole site for black-box tests, in its own folder: backend, server and client as real processes in the foreground,
//! a test CA with its CRL, a station and partners in threads of the test. Each address is used by no other site of this
//! machine. Each test must call `end`, which finds processes and files that are left.

mod build;
mod daemon;
mod flight;
mod processes;
pub mod sockets;

pub use build::{Builder, PartnerEntry};
pub use daemon::Role;
pub use flight::Flight;

use crate::installation::{day_files, place};
use crate::loglines::{Documented, Line};
use crate::wait::{PATIENCE, wait_for};
use daemon::Daemon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::ca::{Authority, Issued, Request};
use oftp2peer::oftp::settings::{OutFile, Settings};
use oftp2peer::transport::dial::Dial;
use oftp2peer::{Partner, Running};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

/// An error while a site is set up.
pub type SiteError = Box<dyn Error>;

/// A running site.
pub struct Site {
    directory: PathBuf,
    /// The address that the whole site listens on.
    pub address: IpAddr,
    /// Address for partners.
    pub tls: SocketAddr,
    /// Address for the client.
    pub internal: SocketAddr,
    /// Address for the station's outgoing sessions, if the site was built for them.
    pub outgoing: SocketAddr,
    /// The backend's URL.
    pub api_url: String,
    /// The URL where the client looks for the backend: the same, unless a test puts a server in between.
    pub asked_url: String,
    /// The CA of partners and of the site's own certificate towards them.
    pub authority: Authority,
    /// The station behind the client; none: nobody listens.
    pub station: Option<Running>,
    /// The address where the client looks for the station.
    pub station_address: SocketAddr,
    daemons: BTreeMap<Role, Daemon>,
    is_over: bool,
}

impl Site {
    /// A site for the test `name` with the usual properties.
    pub fn start(name: &str) -> Result<Self, SiteError> {
        Builder::new(name).start()
    }

    /// Starts the three daemons of a prepared site, and waits until partners can connect.
    pub fn launch(&mut self) -> Result<(), SiteError> {
        Role::ALL.into_iter().try_for_each(|role| self.bring_up(role))
    }

    /// Starts a daemon that has ended or was not started yet, and waits until it works: after the start of the client,
    /// partners can connect.
    #[track_caller]
    pub fn bring_up(&mut self, role: Role) -> Result<(), SiteError> {
        self.bring_up_as(role, self.command(role))
    }

    /// The same with another command, which is made of `command`.
    #[track_caller]
    pub fn bring_up_as(&mut self, role: Role, command: Command) -> Result<(), SiteError> {
        let (own, server) = (self.mark(role), self.mark(Role::Server));
        self.start_as(role, command)?;
        match role {
            Role::Api => self.wait_log_after(role, own, "listening on"),
            Role::Server => self.wait_log_after(role, own, "daemon_start"),
            Role::Client => {
                self.wait_log_after(role, own, "server_joined");
                self.wait_log_after(Role::Server, server, "listener_open*tls")
            }
        };
        Ok(())
    }

    /// The site's folder.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A daemon's folder: `api`, `dmz`, `inside`.
    pub fn folder(&self, role: Role) -> PathBuf {
        self.directory.join(role.folder())
    }

    /// Runs `os4xapi` with `arguments` on the site's database; its standard output.
    pub fn api(&self, arguments: &[&str]) -> Result<String, SiteError> {
        build::run(&mut self.api_command(arguments))
    }

    /// The same as a command that the test starts.
    pub fn api_command(&self, arguments: &[&str]) -> Command {
        build::api_command(&self.directory, arguments)
    }

    /// The JSON list of a command of `os4xapi`.
    pub fn listed<T: DeserializeOwned>(&self, arguments: &[&str]) -> Result<T, SiteError> {
        Ok(serde_json::from_str(&self.api(&[arguments, &["--json"]].concat())?)?)
    }

    /// A certificate of the site's CA for a partner.
    pub fn certificate(&self, name: &str, ssid: &str) -> Result<Issued, SiteError> {
        Ok(self.authority.issue(&Request::new(name).ssid(ssid))?)
    }

    /// Writes a CRL with all certificates that the CA has revoked, and gives it to the backend.
    pub fn publish_crl(&mut self) -> Result<(), SiteError> {
        let crl = self.authority.crl(30)?;
        self.api(&["crl", "add", &self.file("crl.pem", &crl)?]).map(|_| ())
    }

    /// Stores `octets` as a file of the site, such as a certificate for the backend; returns its path.
    pub fn file(&self, name: &str, octets: &[u8]) -> Result<String, SiteError> {
        let path = self.directory.join("ca").join(name);
        fs::write(&path, octets)?;
        Ok(path.to_string_lossy().into_owned())
    }

    /// A partner with its own good certificate that connects to the TLS port.
    pub fn partner(&self, ssid: &str) -> Result<Partner, SiteError> {
        let identity = self.certificate("partner", ssid)?;
        self.partner_with(ssid, Some(&identity))
    }

    /// A partner that presents this certificate, or none.
    pub fn partner_with(&self, ssid: &str, identity: Option<&Issued>) -> Result<Partner, SiteError> {
        let identity = match identity {
            Some(issued) => Some((issued.certificate_pem()?, issued.key_pem()?)),
            None => None,
        };
        let trust = Some(self.authority.certificate_pem()?);
        let context = oftp2peer::transport::tls::Tls { identity, trust, ..Default::default() }.context()?;
        let mut dial = Dial::to(&self.tls);
        dial.tls = Some((context, Some(self.address.to_string())));
        Ok(Partner::new(dial, Settings::new(ssid, "PARTNER")))
    }

    /// A whole session of partner `acme` with a file.
    ///
    /// # Panics
    /// If the file does not get through.
    #[track_caller]
    pub fn assert_works(&self) {
        let report =
            self.partner("O0013ACME").map(|partner| partner.send([OutFile::octets("FILE", *b"hello")]));
        assert!(matches!(&report, Ok(report) if report.is_good()), "{report:?}");
    }

    /// PID of a daemon's parent process.
    ///
    /// # Panics
    /// If it was not started.
    #[track_caller]
    pub fn pid(&self, role: Role) -> Pid {
        let pid = self.daemons.get(&role).map(Daemon::pid);
        assert!(pid.is_some(), "{} was not started", role.binary());
        pid.unwrap_or(Pid::this())
    }

    /// Current children of a daemon's parent process, except its forker, the attendant and the API watcher: session
    /// processes and the API worker.
    pub fn children(&self, role: Role) -> BTreeSet<Pid> {
        let mut all = self.family(role);
        all.retain(|pid| !is_forker(*pid) && !is_attendant(*pid) && !is_watcher(*pid));
        all
    }

    /// The forkers of a daemon: one; more while one replaces another.
    pub fn forkers(&self, role: Role) -> BTreeSet<Pid> {
        let mut all = self.family(role);
        all.retain(|pid| is_forker(*pid));
        all
    }

    /// The attendants of a daemon: one for each forker whose processes still run.
    pub fn attendants(&self, role: Role) -> BTreeSet<Pid> {
        let mut all = self.family(role);
        all.retain(|pid| is_attendant(*pid));
        all
    }

    /// The API watcher of the client.
    pub fn watcher(&self) -> Option<Pid> {
        self.family(Role::Client).into_iter().find(|pid| is_watcher(*pid))
    }

    fn family(&self, role: Role) -> BTreeSet<Pid> {
        let own = BTreeSet::from([self.pid(role)]);
        processes::of(Path::new("/nonexistent"), &own).into_iter().filter(|pid| !own.contains(pid)).collect()
    }

    /// Waits until four pairs are parked, the default number, and no connection is expected.
    ///
    /// # Panics
    /// If that takes too long.
    #[track_caller]
    pub fn wait_pool(&self) {
        let is_full = || {
            let all = sockets::at(self.internal).unwrap_or_default();
            // The control connection is one more.
            all.len() == 5 && all.iter().all(|socket| matches!(socket, sockets::Socket::Established(..)))
        };
        wait_for("four parked pairs", || is_full().then_some(()));
    }

    /// All processes of the site's daemons, now.
    pub fn processes(&self) -> BTreeSet<Pid> {
        processes::of(&self.directory, &self.daemons.values().map(Daemon::pid).collect())
    }

    /// Waits until a daemon's pool is full, with the default number of children; returns them.
    #[track_caller]
    pub fn wait_parked(&self, role: Role) -> BTreeSet<Pid> {
        let full = || Some(self.titled(role, "parked")).filter(|parked| parked.len() == 4);
        wait_for("four parked children", full)
    }

    /// Waits until no session is served, and all ended processes were collected: three daemons, the client's API worker
    /// and watcher, two forkers, two attendants, and full pools.
    #[track_caller]
    pub fn wait_idle(&self) {
        let daemons = self.daemons.values().map(Daemon::pid).collect();
        wait_for(
            "three daemons, the API worker, watcher, two forkers and attendants, four pairs, and no other process",
            || {
                let pools = [Role::Server, Role::Client].map(|role| self.titled(role, "parked").len());
                let is_idle = pools == [4, 4]
                    && self.titled(Role::Client, "API worker").len() == 1
                    && self.processes().len() == 17
                    && processes::zombies(&daemons).is_empty();
                is_idle.then_some(())
            },
        );
    }

    /// All processes of a daemon, the parent last: stopped children that lose their parent get SIGHUP.
    pub fn all_of(&self, role: Role) -> Vec<Pid> {
        self.family(role).into_iter().chain([self.pid(role)]).collect()
    }

    /// Stops processes, and waits until all are stopped, so that none sees the end of another.
    #[track_caller]
    pub fn stop(pids: &[Pid]) {
        for pid in pids {
            // A process may have ended meanwhile.
            let _ = kill(*pid, Signal::SIGSTOP);
        }
        wait_for("all processes to stop", || {
            pids.iter().all(|pid| matches!(processes::state(*pid), Some('T' | 'Z') | None)).then_some(())
        });
    }

    /// The title of a process in `ps`; empty once the process is gone.
    pub fn title(pid: Pid) -> String {
        let octets = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&octets).trim_end_matches('\0').to_owned()
    }

    /// Children of a daemon's parent process whose title ends with `title`.
    pub fn titled(&self, role: Role, title: &str) -> BTreeSet<Pid> {
        let mut found = self.children(role);
        found.retain(|pid| Self::title(*pid).ends_with(&format!(": {title}")));
        found
    }

    /// The log of a daemon so far.
    pub fn log(&self, role: Role) -> String {
        daemon::log(role, &self.folder(role))
    }

    /// Makes a daemon's log of today longer by at least this many octets, with valid lines.
    pub fn fill_log(&self, role: Role, octets: usize) -> io::Result<()> {
        let day = day_files(&self.folder(role), role.stem()).pop().ok_or(io::ErrorKind::NotFound)?;
        let log = self.log(role);
        let line = format!("{}] a line of the day\n", log.split(']').next().unwrap_or_default());
        let mut file = fs::OpenOptions::new().append(true).open(day)?;
        file.write_all(line.repeat(octets / line.len() + 1).as_bytes())
    }

    /// The output of a daemon so far.
    pub fn output(&self, role: Role) -> String {
        daemon::output(&self.folder(role))
    }

    /// The current end of a daemon's log, for `wait_log_after`.
    pub fn mark(&self, role: Role) -> usize {
        self.log(role).len()
    }

    /// Waits for a line with `pattern` (`*` separates words in their order) anywhere in a daemon's log.
    ///
    /// # Panics
    /// If none comes in time, or if the daemon ends without it.
    #[track_caller]
    pub fn wait_log(&mut self, role: Role, pattern: &str) -> String {
        self.wait_log_after(role, 0, pattern)
    }

    /// The same, after a `mark`.
    ///
    /// # Panics
    /// If none comes in time, or if the daemon ends without it.
    #[track_caller]
    pub fn wait_log_after(&mut self, role: Role, mark: usize, pattern: &str) -> String {
        let folder = self.folder(role);
        let mut daemon = self.daemons.get_mut(&role);
        wait_for(&format!("'{pattern}' in the log of {}", role.binary()), || {
            // The end is checked first: lines before the end count.
            let end = daemon.as_mut().and_then(|daemon| daemon.ended());
            let log = daemon::log(role, &folder);
            // A line without its end is still being written.
            let (whole, _) = log.get(mark..).unwrap_or_default().rsplit_once('\n').unwrap_or_default();
            let line = daemon::matching(whole, pattern).map(str::to_owned);
            assert!(line.is_some() || end.is_none(), "{} ended ({end:?}) without '{pattern}'", role.binary());
            line
        })
    }

    /// Sends a signal to a daemon's parent process.
    pub fn signal(&self, role: Role, signal: Signal) {
        if let Some(daemon) = self.daemons.get(&role) {
            daemon.signal(signal);
        }
    }

    /// Sets the number of descriptors of a daemon's parent process (the hard limit stays).
    ///
    /// # Panics
    /// If prlimit(1) cannot do it.
    #[track_caller]
    pub fn limit_descriptors(&self, role: Role, most: u32) {
        let (pid, limit) = (self.pid(role).to_string(), format!("--nofile={most}:"));
        let done = Command::new("prlimit").args(["--pid", &pid, &limit]).status();
        assert!(done.is_ok_and(|status| status.success()), "prlimit --pid {pid} {limit}");
    }

    /// Sets the largest file size for all processes of a daemon, octets; none: no limit.
    ///
    /// # Panics
    /// If it cannot be set.
    #[track_caller]
    pub fn limit_file_size(&self, role: Role, most: Option<u64>) {
        let limit = most.map_or_else(|| "unlimited".to_owned(), |most| most.to_string());
        let limit = format!("--fsize={limit}:");
        for pid in self.all_of(role) {
            let done = Command::new("prlimit").args(["--pid", &pid.to_string(), &limit]).status();
            // A session process may have ended meanwhile.
            let is_gone = || !crate::installation::runs(pid);
            assert!(done.is_ok_and(|status| status.success()) || is_gone(), "prlimit --pid {pid} {limit}");
        }
    }

    /// Waits until a daemon's parent process has slept and was woken again this many times.
    ///
    /// # Panics
    /// If that takes too long: it never rests.
    #[track_caller]
    pub fn wait_rests(&self, role: Role, times: u64) {
        let rests = || processes::rests(self.pid(role));
        let before = rests().unwrap_or_default();
        wait_for(&format!("{} to rest", role.binary()), || {
            rests().is_some_and(|now| now >= before + times).then_some(())
        });
    }

    /// Waits until a daemon's parent process has ended.
    ///
    /// # Panics
    /// If it does not end in time.
    #[track_caller]
    pub fn wait_end(&mut self, role: Role) -> Option<ExitStatus> {
        let mut daemon = self.daemons.remove(&role)?;
        Some(wait_for(&format!("the end of {}", role.binary()), || daemon.ended()))
    }

    /// A daemon's PID file.
    pub fn pid_file(&self, role: Role) -> PathBuf {
        self.folder(role).join(format!("{}.pid", role.stem()))
    }

    /// Starts a daemon that has ended, or was not started yet.
    pub fn restart(&mut self, role: Role) -> Result<(), SiteError> {
        self.start_as(role, self.command(role))
    }

    /// The same with another command, which is made of `command`.
    pub fn start_as(&mut self, role: Role, command: Command) -> Result<(), SiteError> {
        let daemon = Daemon::start(role, command, &self.folder(role))?;
        self.daemons.insert(role, daemon);
        Ok(())
    }

    /// The command that starts a daemon in the background, as an administrator does it.
    pub fn detached(&self, role: Role) -> Command {
        let attached = self.command(role);
        let mut command = Command::new(attached.get_program());
        command.args(attached.get_args().filter(|argument| *argument != "--foreground"));
        command
    }

    /// A further folder of the site for a daemon, with its binary and these files of its folder.
    pub fn further_folder(&self, role: Role, name: &str, files: &[&str]) -> io::Result<PathBuf> {
        let folder = self.directory.join(name);
        fs::create_dir(&folder)?;
        for file in [role.binary()].iter().chain(files) {
            place(&self.folder(role).join(file), &folder.join(file))?;
        }
        Ok(folder)
    }

    /// The command that starts a daemon, in the foreground.
    pub fn command(&self, role: Role) -> Command {
        let folder = self.folder(role);
        let mut command = Command::new(folder.join(role.binary()));
        match role {
            Role::Api => {
                let at = self.api_url.trim_start_matches("https://").split('/').next().unwrap_or_default();
                command.args(["serve", "--listen", at, "--db"]).arg(build::database(&folder));
            }
            Role::Server => {
                command.args(["--foreground", "-i", &self.internal.to_string(), "-l"]);
                command.arg(folder.join("os4x_proxy.lic"));
            }
            Role::Client => {
                command.args(["--foreground", "-U", &self.asked_url, "-S", &self.internal.to_string(), "-T"]);
                command.arg(format!("@{}", folder.join("token").display()));
            }
        }
        command
    }

    /// Waits until partners can connect.
    ///
    /// # Panics
    /// If the TLS listener does not open in time.
    #[track_caller]
    pub fn wait_open(&mut self) {
        self.wait_log(Role::Server, "listener_open*tls");
    }

    /// Ends all daemons and checks what is left.
    ///
    /// # Panics
    /// If a daemon does not end on SIGTERM, has panicked, has logged at FATAL or what os4x_proxy-log(5) does not cover,
    /// or has left a process or a PID file.
    #[track_caller]
    pub fn end(mut self) {
        self.is_over = true;
        let roots: BTreeSet<Pid> = self.daemons.values().map(Daemon::pid).collect();
        let all = processes::of(&self.directory, &roots);
        self.station = None;
        for role in Role::ALL.into_iter().rev() {
            // The client ends by itself when the server does, so it is ended first.
            self.signal(role, Signal::SIGTERM);
            let _ = self.wait_end_and_keep(role);
        }
        let left =
            || processes::of(&self.directory, &BTreeSet::new()).union(&all).copied().collect::<BTreeSet<_>>();
        let still_running =
            || left().into_iter().filter(|pid| crate::installation::runs(*pid)).collect::<Vec<_>>();
        wait_for("the end of all processes of the site", || still_running().is_empty().then_some(()));
        for role in Role::ALL {
            let (log, output) = (self.log(role), self.output(role));
            let panic = daemon::matching(&output, "panicked at");
            let is_fatal = |line: &Line| line.level == "FATAL" && line.event() != "level";
            let fatal = log.lines().filter_map(Line::read).find(is_fatal);
            assert!(panic.is_none() && fatal.is_none(), "{}: {panic:?} {fatal:?}", role.binary());
            if role != Role::Api {
                let faults = Documented::read().map(|documented| documented.faults(&log));
                assert!(matches!(&faults, Ok(none) if none.is_empty()), "{}: {faults:?}", role.binary());
            }
            if let Some(daemon) = self.daemons.get(&role) {
                assert!(!daemon.pid_file().exists(), "{} is left", daemon.pid_file().display());
            }
        }
    }

    #[track_caller]
    fn wait_end_and_keep(&mut self, role: Role) -> Option<ExitStatus> {
        let daemon = self.daemons.get_mut(&role)?;
        Some(wait_for(&format!("the end of {} ({PATIENCE:?})", role.binary()), || daemon.ended()))
    }

    fn show(&self) {
        for role in Role::ALL {
            eprintln!("--- {} printed:\n{}", role.binary(), self.output(role));
            if role != Role::Api {
                eprintln!("--- {} logged:\n{}", role.binary(), self.log(role));
            }
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        let roots = self.daemons.values().map(Daemon::pid).collect();
        for pid in processes::of(&self.directory, &roots) {
            processes::kill_now(pid);
        }
        for daemon in self.daemons.values_mut() {
            // Collects it, so that its PID is free.
            daemon.signal(Signal::SIGKILL);
            let _ = daemon.wait();
        }
        let _ = fs::remove_dir_all(&self.directory);
        if !std::thread::panicking() {
            assert!(self.is_over, "a test that uses a site ends with Site::end");
        }
    }
}

fn is_watcher(pid: Pid) -> bool {
    Site::title(pid).ends_with(": API watcher")
}

fn is_attendant(pid: Pid) -> bool {
    Site::title(pid).ends_with(": attendant")
}

fn is_forker(pid: Pid) -> bool {
    Site::title(pid).ends_with(": forker")
}
