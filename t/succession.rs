//! A second client while one is joined: it replaces a client that does not answer, and stands by otherwise.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use t::link::{Control, Identity};
use t::site::sockets::is_open;
use t::site::{Builder, Flight, Role, Site};
use t::tamper::{Conduct, Tamper};
use t::wait::{wait_for, wait_slow};

/// The longest time until another client is let in or joined: a ping to the joined one, the time for its answer, and
/// the time of the other one.
const SUCCESSION: Duration = Duration::from_secs(10);

/// A client of the same site in another folder.
struct Second {
    child: Child,
    folder: PathBuf,
}

impl Second {
    fn start(site: &Site) -> Self {
        let folder = site.further_folder(Role::Client, "inside2", &["token"]).unwrap();
        let mut command = Command::new(folder.join(Role::Client.binary()));
        command.args(["--foreground", "-U", &site.asked_url, "-S", &site.internal.to_string(), "-T"]);
        command.arg(format!("@{}", folder.join("token").display())).current_dir("/");
        let printed = File::create(folder.join("output")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(printed).spawn().unwrap();
        Self { child, folder }
    }

    fn output(&self) -> String {
        fs::read_to_string(self.folder.join("output")).unwrap()
    }

    fn wait_end(&mut self, due: Duration) -> ExitStatus {
        wait_slow(due, "the end of the second client", || self.child.try_wait().unwrap())
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line of the server's log after `mark` that contains all of `words`.
fn wait_line(site: &Site, mark: usize, words: [&str; 2]) -> String {
    let is_it = |line: &&str| words.iter().all(|word| line.contains(word));
    wait_slow(SUCCESSION, &words.join(" "), || {
        site.log(Role::Server)[mark..].lines().find(is_it).map(str::to_owned)
    })
}

#[test]
fn a_client_that_hangs_makes_room_for_its_successor_and_its_sessions_go_on() {
    let mut site = Site::start("succession").unwrap();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGSTOP);
    let mut second = Second::start(&site);
    wait_line(&site, mark, ["client_gone", "no answer to a ping for 5 s, and another client has come"]);
    wait_line(&site, mark, ["client_joined", "renewed=no"]);
    wait_line(&site, mark, ["listener_open", "tls"]);
    site.assert_works();
    assert!(second.child.try_wait().unwrap().is_none(), "{}", second.output());
    assert!(flight.land().unwrap().is_good());

    // The first client continues, finds that its connection is gone, and ends as if the server were lost.
    let mark_first = site.mark(Role::Client);
    site.signal(Role::Client, Signal::SIGCONT);
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    let log = site.log(Role::Client)[mark_first..].to_owned();
    assert!(log.contains("server_lost"), "{log}");
    assert!(!site.pid_file(Role::Client).exists());
    site.assert_works();

    kill(Pid::from_raw(second.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(second.wait_end(Duration::ZERO).code(), Some(0), "{}", second.output());
    site.end();
}

/// Kills the client of the site, and removes its PID file as its unit does.
fn kill_first(site: &mut Site) {
    site.signal(Role::Client, Signal::SIGKILL);
    site.wait_end(Role::Client);
    fs::remove_file(site.pid_file(Role::Client)).unwrap();
}

/// Starts a second client of this site, which stands by.
fn with_standby(site: &Site) -> Second {
    site.wait_pool();
    let mark = site.mark(Role::Server);
    let second = Second::start(site);
    wait_line(site, mark, ["client_standby address=", "client="]);
    wait_for("the second client to stand by", || second.output().contains("server_standby").then_some(()));
    let log = &site.log(Role::Server)[mark..];
    assert!(!log.contains("WARN") && !log.contains("client_gone"), "{log}");
    second
}

#[test]
fn a_second_client_stands_by_and_takes_over_when_the_first_is_killed() {
    let mut site = Site::start("stands-by").unwrap();
    let mut second = with_standby(&site);
    site.assert_works();
    let listed = wait_for("the state of the second client", || {
        let listed = site.api(&["status"]).unwrap();
        listed.contains("standby").then_some(listed)
    });
    assert!(listed.contains("inside2"), "{listed}");

    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let mark = site.mark(Role::Server);
    kill_first(&mut site);
    wait_line(&site, mark, ["client_joined", "renewed=no"]);
    wait_line(&site, mark, ["listener_open", "tls"]);
    site.assert_works();
    assert!(flight.land().unwrap().is_good());
    assert!(second.child.try_wait().unwrap().is_none(), "{}", second.output());

    // The first one comes back: now it stands by, and takes over in its turn.
    let mark = site.mark(Role::Server);
    site.restart(Role::Client).unwrap();
    wait_line(&site, mark, ["client_standby address=", "client="]);
    kill(Pid::from_raw(second.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(second.wait_end(Duration::ZERO).code(), Some(0), "{}", second.output());
    wait_line(&site, mark, ["client_joined", "renewed=no"]);
    wait_line(&site, mark, ["listener_open", "tls"]);
    site.assert_works();
    site.end();
}

#[test]
fn a_client_that_stands_by_takes_the_place_of_one_that_hangs() {
    let mut site = Site::start("standby-hangs").unwrap();
    let mut second = with_standby(&site);
    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGSTOP);
    wait_line(&site, mark, ["client_gone", "no answer to a ping for 5 s, and another client stands by"]);
    wait_line(&site, mark, ["listener_open", "tls"]);
    site.assert_works();
    kill_first(&mut site);
    kill(Pid::from_raw(second.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(second.wait_end(Duration::ZERO).code(), Some(0), "{}", second.output());
    site.end();
}

/// Takes 30 s, the half of the certificate's life.
#[test]
fn a_client_that_stands_by_comes_again_with_its_next_certificate() {
    let mut site = Builder::new("standby-renews").prepare().unwrap();
    let tamper = Tamper::before(&mut site).unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    for role in [Role::Server, Role::Client] {
        site.restart(role).unwrap();
    }
    site.wait_log(Role::Server, "listener_open*tls");
    // The shortest validity that a client accepts: it renews after half of it.
    tamper.set("proxy_enrol", Conduct::edit(|answer| answer["valid_seconds"] = json!(60)));
    let mut second = with_standby(&site);
    let mark = site.mark(Role::Server);
    wait_slow(Duration::from_secs(45), "the client to come again", || {
        let log = &site.log(Role::Server)[mark..];
        (log.contains("client_standby_gone") && log.contains("client_standby address=")).then_some(())
    });
    assert!(second.child.try_wait().unwrap().is_none(), "{}", second.output());
    let mark = site.mark(Role::Server);
    kill_first(&mut site);
    wait_line(&site, mark, ["client_joined", "renewed=no"]);
    kill(Pid::from_raw(second.child.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(second.wait_end(Duration::ZERO).code(), Some(0), "{}", second.output());
    site.end();
}

#[test]
fn a_client_that_cannot_stand_by_is_kept_out_while_the_first_answers() {
    let site = Site::start("kept-out").unwrap();
    site.wait_pool();
    let identity = Identity::enrolled(&site).unwrap();
    // The port listens for a moment now and then.
    let mut older = wait_for("a control connection", || Control::open(&site, Some(&identity)).ok());
    older.hello().unwrap();
    let answer = older.receive().unwrap();
    let reason = answer["refused"]["reason"].as_str().unwrap();
    assert!(reason.contains("of an older version, which cannot stand by"), "{answer}");
    site.assert_works();
    assert!(!site.log(Role::Server).contains("client_gone"));
    site.end();
}

/// A client of the test, which only answers when it is told to, and a second one that has said Hello.
fn two_clients(site: &mut Site) -> (Control, Control) {
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
    let mut first = Control::join(site).unwrap();
    // It announces a renewal that does not come, so that the port listens at once.
    first.send(&json!({"renewing": {"secret": "00".repeat(32)}})).unwrap();
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
    let mut second = Control::open(site, Some(&Identity::enrolled(site).unwrap())).unwrap();
    second.hello().unwrap();
    (first, second)
}

#[test]
fn a_successor_that_has_authenticated_waits_for_the_answer_of_the_first() {
    let mut site = Site::start("waits").unwrap();
    let (mut first, mut second) = two_clients(&mut site);
    let mark = site.mark(Role::Server);
    // It is silent: the second client is welcome in time, and the first one is closed.
    assert_eq!(
        second.receive().unwrap(),
        json!({"welcome": {"version": 1, "changes": true, "states": true, "drains": true,
            "acts": ["end-session", "test-partner"]}})
    );
    while first.receive().is_ok() {}
    let gone = wait_line(&site, mark, ["client_gone", "another client has come"]);
    assert!(gone.contains(&first.address().unwrap().to_string()), "{gone}");
    let joined = wait_line(&site, mark, ["client_joined", "renewed=no"]);
    assert!(joined.contains(&second.address().unwrap().to_string()), "{joined}");

    // If a third client hangs up before the second one's time is over, the second one is not affected.
    second.send(&json!({"renewing": {"secret": "00".repeat(32)}})).unwrap();
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
    let mark = site.mark(Role::Server);
    let mut third = Control::open(&site, Some(&Identity::enrolled(&site).unwrap())).unwrap();
    third.hello().unwrap();
    drop(third);
    wait_line(&site, mark, ["client_refused", "control connection"]);
    second.send(&json!("ping")).unwrap();
    assert!(!site.log(Role::Server)[mark..].contains("client_gone"));

    let mark = site.mark(Role::Server);
    drop((first, second));
    wait_line(&site, mark, ["client_gone", "control connection"]);
    let mark = site.mark(Role::Server);
    site.restart(Role::Client).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    site.assert_works();
    site.end();
}
