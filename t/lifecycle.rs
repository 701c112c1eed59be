//! How the two daemons work together: the end of each and the reaction of the other, restarts, running sessions that
//! outlive their parents, and the sockets of an idle site.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::report::Outcome;
use oftp2peer::oftp::settings::{OutFile, Settings};
use serde_json::Value;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::{Duration, Instant};
use t::installation::name;
use t::loglines::Line;
use t::site::sockets::{self, Socket, is_open};
use t::site::{Builder, Flight, Role, Site};
use t::wait::{PATIENCE, wait_for, wait_slow};

/// Waits until nobody listens at this address.
fn wait_refused(address: SocketAddr) {
    wait_for(&format!("nobody to listen on {address}"), || (!is_open(address)).then_some(()));
    assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
}

/// Waits until somebody listens at this address.
fn wait_listening(address: SocketAddr) {
    wait_for(&format!("somebody to listen on {address}"), || is_open(address).then_some(()));
}

/// Starts the client again after its end, and waits until partners can connect again.
fn start_client(site: &mut Site) {
    let mark = site.mark(Role::Server);
    site.restart(Role::Client).unwrap();
    site.wait_log_after(Role::Server, mark, "client_joined*renewed=no");
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
}

#[test]
fn a_client_that_ends_closes_the_tls_port_and_a_new_one_brings_all_back() {
    let mut site = Site::start("client-ends").unwrap();
    let server = site.pid(Role::Server);
    for signal in [Signal::SIGKILL, Signal::SIGTERM, Signal::SIGHUP] {
        site.assert_works();
        let mark = site.mark(Role::Server);
        site.signal(Role::Client, signal);
        let status = site.wait_end(Role::Client).unwrap();
        assert_eq!(status.code(), (signal != Signal::SIGKILL).then_some(0));
        site.wait_log_after(Role::Server, mark, "client_gone");
        site.wait_log_after(Role::Server, mark, "listener_closed*tls");
        wait_refused(site.tls);
        wait_listening(site.internal);
        let pid_file = site.pid_file(Role::Client);
        assert_eq!(pid_file.exists(), signal == Signal::SIGKILL);
        if signal == Signal::SIGKILL {
            let output = site.command(Role::Client).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert!(
                output.status.code() == Some(1) && said.contains("which does not run: the file is stale"),
                "{said}"
            );
            fs::remove_file(pid_file).unwrap();
        }
        start_client(&mut site);
    }
    site.assert_works();
    assert_eq!(site.pid(Role::Server), server, "the server was never restarted");
    site.end();
}

#[test]
fn when_the_server_ends_the_client_ends_with_status_1() {
    let mut site = Site::start("server-ends").unwrap();
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        site.assert_works();
        let mark = site.mark(Role::Client);
        site.signal(Role::Server, signal);
        site.wait_end(Role::Server);
        assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
        let log = site.log(Role::Client)[mark..].to_owned();
        for event in ["server_lost", "daemon_stop"] {
            let lines: Vec<Line> = log.lines().filter_map(Line::read).collect();
            let logged: Vec<&Line> = lines.iter().filter(|line| line.event() == event).collect();
            assert_eq!(logged.len(), 1, "{event}: {log}");
            assert_eq!(logged[0].level, "ERROR");
            assert!(!logged[0].field("reason").unwrap().is_empty(), "{log}");
        }
        assert!(!site.pid_file(Role::Client).exists());
        if signal == Signal::SIGKILL {
            fs::remove_file(site.pid_file(Role::Server)).unwrap();
        }
        let mark = site.mark(Role::Server);
        site.restart(Role::Server).unwrap();
        site.wait_log_after(Role::Server, mark, "daemon_start");
        start_client(&mut site);
    }
    site.assert_works();
    site.end();
}

#[test]
fn a_client_that_does_not_reach_its_server_says_so_at_its_start() {
    let mut site = Builder::new("no-server").prepare().unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let internal = site.internal.to_string();
    let fails = |why: &str| {
        let begun = Instant::now();
        let output = site.detached(Role::Client).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        // If the folder belongs to root, a warning is printed before.
        let reason = said.lines().last().unwrap_or_default();
        assert!(reason.starts_with("os4x_proxyclient2: ") && reason.contains(&internal), "{said}");
        assert!(reason.contains(why), "{said}");
        // 10 s for the server; the rest is for a slow machine.
        assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
        wait_for("the PID file to go", || (!site.pid_file(Role::Client).exists()).then_some(()));
        let log = site.log(Role::Client);
        assert!(log.lines().any(|line| line.contains("server_lost") && line.contains(why)), "{log}");
    };
    fails("refused");
    // Somebody listens, and sends nothing.
    let silent = TcpListener::bind(site.internal).unwrap();
    fails("did not answer within 10 s");
    drop(silent);
    site.end();
}

#[test]
fn a_client_that_does_not_reach_the_backend_says_so_at_its_start() {
    let site = Builder::new("no-backend").prepare().unwrap();
    let output = site.detached(Role::Client).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let reason = said.lines().last().unwrap_or_default();
    assert!(reason.contains("proxy_enrol failed") && reason.contains(&site.api_url), "{said}");
    wait_for("the PID file to go", || (!site.pid_file(Role::Client).exists()).then_some(()));
    site.end();
}

#[test]
fn a_file_in_flight_arrives_though_both_parents_end() {
    let mut site = Site::start("in-flight").unwrap();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    for role in [Role::Client, Role::Server] {
        site.signal(role, Signal::SIGTTIN);
        site.wait_log(role, "level level=DEBUG");
        site.signal(role, Signal::SIGHUP);
        assert_eq!(site.wait_end(role).unwrap().code(), Some(0));
        assert!(!site.pid_file(role).exists());
        let log = site.log(role);
        let end = log.lines().filter_map(Line::read).find(|line| line.event() == "daemon_stop").unwrap();
        assert_eq!((end.level, end.field("signal").as_deref()), ("DEBUG", Some("SIGHUP")));
    }
    wait_refused(site.tls);
    wait_refused(site.internal);
    let sha256 = flight.sha256.clone();
    let report = flight.land().unwrap();
    assert!(report.is_good() && report.receipts.len() == 1, "{report:?}");
    let station = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
    assert_eq!((&station.received[0].outcome, &station.received[0].sha256), (&Outcome::Accepted, &sha256));
    for role in [Role::Server, Role::Client] {
        wait_for("the end of the session", || site.log(role).contains("session_end ").then_some(()));
        let log = site.log(role);
        let line = log.lines().filter_map(Line::read).find(|line| line.event() == "session_end").unwrap();
        assert_eq!(line.field("reason").unwrap(), "normal");
    }
    site.end();
}

/// Slow: 30 s, after which a silent end counts as gone.
#[test]
fn slow_an_end_that_is_silent_for_30_s_is_gone() {
    let (mut one, mut other) = (Site::start("silent-client").unwrap(), Site::start("silent-server").unwrap());
    one.signal(Role::Client, Signal::SIGSTOP);
    other.signal(Role::Server, Signal::SIGSTOP);
    for (site, role, line) in
        [(&one, Role::Server, "client_gone address="), (&other, Role::Client, "server_lost address=")]
    {
        let log = wait_slow(Duration::from_secs(30), line, || {
            Some(site.log(role)).filter(|log| log.contains(line))
        });
        let line = log.lines().find(|text| text.contains(line)).unwrap();
        assert!(line.contains("no sign of life for 30 s"), "{line}");
    }
    wait_refused(one.tls);
    one.signal(Role::Client, Signal::SIGCONT);
    assert_eq!(one.wait_end(Role::Client).unwrap().code(), Some(1));
    start_client(&mut one);
    one.assert_works();
    assert_eq!(other.wait_end(Role::Client).unwrap().code(), Some(1));
    other.signal(Role::Server, Signal::SIGCONT);
    other.wait_log(Role::Server, "client_gone");
    start_client(&mut other);
    other.assert_works();
    one.end();
    other.end();
}

#[test]
fn a_second_start_names_the_first() {
    let site = Site::start("second-start").unwrap();
    for role in [Role::Server, Role::Client] {
        let output = site.command(role).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(&format!("process {}, which runs", site.pid(role))), "{said}");
        assert_eq!(fs::read_to_string(site.pid_file(role)).unwrap(), format!("{}\n", site.pid(role)));
    }
    site.assert_works();
    site.end();
}

#[test]
fn an_idle_site_shows_the_sockets_that_are_documented() {
    let site = Site::start("idle").unwrap();
    // No connection is expected, so the port is bound and refuses connections.
    site.wait_pool();
    wait_refused(site.internal);
    assert_eq!(TcpListener::bind(site.internal).unwrap_err().kind(), ErrorKind::AddrInUse);
    let of = |role| sockets::of(site.pid(role)).unwrap();
    let server =
        wait_for("two sockets of the server", || Some(of(Role::Server)).filter(|all| all.len() == 2));
    let [Socket::Listening(listening), Socket::Established(ours, theirs)] = server[..] else {
        panic!("{server:?}");
    };
    assert_eq!((listening, ours), (site.tls, site.internal));
    assert_eq!(of(Role::Client), [Socket::Established(theirs, ours)]);
    for role in [Role::Server, Role::Client] {
        assert_eq!(fs::read_to_string(site.pid_file(role)).unwrap(), format!("{}\n", site.pid(role)));
        // As much of the binary's name as the kernel keeps.
        assert_eq!(name(site.pid(role)).unwrap(), role.binary()[..15]);
    }
    // A parked child listens nowhere.
    for role in [Role::Server, Role::Client] {
        for child in site.children(role) {
            let all = sockets::of(child).unwrap_or_default();
            assert!(!all.iter().any(|socket| matches!(socket, Socket::Listening(_))), "{child}: {all:?}");
        }
    }
    site.assert_works();
    site.end();
}

#[test]
fn a_session_that_has_its_way_in_begins_though_the_clients_parent_ends() {
    let mut site = Site::start("way-in").unwrap();
    let partner = site.partner("O0013ACME").unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        site.wait_pool();
        let mut conn = partner.dial.open().unwrap();
        conn.set_timeout(Some(PATIENCE)).unwrap();
        let mut ssrm = [0; 23];
        conn.read_exact(&mut ssrm).unwrap();
        assert!(ssrm.ends_with(b"ODETTE FTP READY \r"), "{ssrm:?}");
        // The partner's certificate is verified, so the pair joins; its SSID has not arrived yet.
        wait_for("the join", || site.titled(Role::Client, "joining").pop_first());
        let mark = site.mark(Role::Server);
        site.signal(Role::Client, signal);
        site.wait_end(Role::Client);
        site.wait_log_after(Role::Server, mark, "client_gone");
        let ssid = format!("X5{:<25}{:<8}99999BNNN999N{:12}\r", "O0013ACME", "PARTNER", "");
        conn.write(&[b"\x10\0\0\x41", ssid.as_bytes()].concat()).and_then(|()| conn.flush()).unwrap();
        let mut answer = [0; 65];
        conn.read_exact(&mut answer).unwrap();
        assert!(answer[4..].starts_with(b"X5O0013STATION "), "{answer:?}");
        drop(conn);
        site.wait_log_after(Role::Server, mark, "session_end*reason=partner-broke");
        if signal == Signal::SIGKILL {
            fs::remove_file(site.pid_file(Role::Client)).unwrap();
        }
        start_client(&mut site);
        site.assert_works();
    }
    site.end();
}

#[test]
fn pairs_are_parked_in_the_quiet_before_anybody_comes() {
    let site = Site::start("quiet").unwrap();
    site.wait_pool();
    // No pair was given up before, as would happen after 10 s.
    for role in [Role::Server, Role::Client] {
        let log = site.log(role);
        assert!(!log.contains(" failed: "), "{log}");
    }
    site.end();
}

#[test]
fn the_client_comes_from_the_address_chosen_and_ctrl_c_ends_it_in_the_foreground() {
    let mut site = Builder::new("options").prepare().unwrap();
    for (role, up) in [(Role::Api, "listening on"), (Role::Server, "daemon_start")] {
        site.restart(role).unwrap();
        site.wait_log(role, up);
    }
    let mut command = site.detached(Role::Client);
    command.args(["-d", "-o", &site.address.to_string()]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let client = command.spawn().unwrap();
    let pid = Pid::from_raw(client.id().cast_signed());
    site.wait_open();
    assert_eq!(fs::read_to_string(site.pid_file(Role::Client)).unwrap(), format!("{pid}\n"));
    site.assert_works();
    // The control connection and the data connections of all pairs.
    site.wait_pool();
    let parked = site.titled(Role::Server, "parked");
    assert_eq!(parked.len(), 4);
    let connected = |pid: Pid| match sockets::of(pid).unwrap()[..] {
        [Socket::Established(_, from)] | [Socket::Listening(_), Socket::Established(_, from)] => {
            Some(from.ip())
        }
        _ => None,
    };
    for process in parked.into_iter().chain([site.pid(Role::Server)]) {
        wait_for("one connection", || connected(process).filter(|from| *from == site.address));
    }
    kill(pid, Signal::SIGINT).unwrap();
    let output = client.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!site.pid_file(Role::Client).exists());
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(said.lines().all(|line| line.contains("runs as root")), "{said}");
    site.end();
}

/// How long a change may take, as documented: 60 s between two requests, and a little more.
const REFRESH: Duration = Duration::from_secs(65);

/// Waits for this line, one interval of the configuration's refresh at most.
fn wait_refresh(site: &Site, mark: usize, line: &str) {
    wait_slow(REFRESH, line, || site.log(Role::Server)[mark..].contains(line).then_some(()));
}

/// Slow: about 125 s, two rounds of the 60 s refresh, which is no setting.
#[test]
fn slow_a_generation_is_taken_whole_or_not_at_all_and_sessions_run_on() {
    let patient = Duration::from_mins(5);
    let station = Settings { timeout: patient, ..Settings::new("O0013STATION", "STATION") };
    // The flight stops in the middle of an Exchange Buffer.
    let builder = Builder::new("refresh").station(Some(station)).setting("proxy_buffer_seconds", "300");
    let site = builder.start().unwrap();
    let mut partner = site.partner("O0013ACME").unwrap();
    partner.settings.timeout = patient;
    let flight = Flight::take_off(partner).unwrap();
    // One of the two changes cannot be made, so neither is.
    let taken = TcpListener::bind((site.address, 0)).unwrap();
    let new_port = taken.local_addr().unwrap();
    let mark = site.mark(Role::Server);
    site.api(&["config", "set", "tcp_port_tls", &new_port.port().to_string()]).unwrap();
    site.api(&["partner", "add", "newco", "--ssid", "O0013NEWCO"]).unwrap();
    wait_refresh(&site, mark, "config_refused generation=");
    assert!(site.log(Role::Server)[mark..].contains("listener_error listener=tls"));
    site.assert_works();
    let newco = site.partner("O0013NEWCO").unwrap();
    assert_eq!(newco.call().ending.reason(), Some(3), "the old partner table is in force");
    // Nothing prevents the change any more.
    drop(taken);
    let mark = site.mark(Role::Server);
    wait_refresh(&site, mark, "config_taken generation=");
    assert!(
        site.log(Role::Server)[mark..].contains(&format!("listener_open listener=tls address={new_port}"))
    );
    wait_refused(site.tls);
    let mut newco = newco;
    newco.dial.to = new_port.to_string();
    let report = newco.send([OutFile::octets("FILE", *b"hello")]);
    assert!(report.is_good(), "{report:?}");
    // This session came by the old port, with the earlier generation.
    let report = flight.land().unwrap();
    assert!(report.is_good(), "{report:?}");
    site.end();
}

#[test]
fn the_units_stop_after_a_few_tries_or_go_on_as_they_must() {
    let server = include_str!("../scripts/units/os4x_proxyserver2.service");
    let number = |name: &str| {
        let value = server.lines().find_map(|line| line.strip_prefix(&format!("{name}=")));
        value.unwrap().parse::<u32>().unwrap()
    };
    // Five starts that fail at once, and five that fail a minute after the client has joined, are within the interval.
    assert!(number("StartLimitBurst") * (number("RestartSec") + 60) < number("StartLimitIntervalSec"));
    // A client waits for its server as long as that is down.
    let client = include_str!("../scripts/units/os4x_proxyclient2.service");
    assert!(client.contains("Restart=always\n") && client.contains("StartLimitIntervalSec=0\n"));
    // If the kernel ends one session for its memory, that is one session: systemd must not end the others and the
    // parent.
    assert!([server, client].iter().all(|unit| unit.contains("OOMPolicy=continue\n")));
}

#[test]
fn an_outgoing_address_that_the_host_does_not_have_stops_the_server() {
    // TEST-NET-1 (RFC 5737): no host has it.
    let builder = Builder::new("outgoing-ip").setting("tcp_outgoing_ip", "192.0.2.1");
    let mut site = builder.prepare().unwrap();
    for (role, up) in [(Role::Api, "listening on"), (Role::Server, "daemon_start")] {
        site.restart(role).unwrap();
        site.wait_log(role, up);
    }
    site.restart(Role::Client).unwrap();
    for role in [Role::Server, Role::Client] {
        assert_eq!(site.wait_end(role).unwrap().code(), Some(1));
        assert!(!site.pid_file(role).exists());
    }
    let log = site.log(Role::Server);
    let line = log.lines().find(|line| line.contains("daemon_stop")).unwrap();
    assert!(line.contains("192.0.2.1"), "{line}");
    // The unit runs it like that, so `systemctl status` shows the line.
    assert!(site.output(Role::Server).contains(line), "{}", site.output(Role::Server));
    wait_for("the entry in the system log", || {
        site.api(&["log", "--json"]).unwrap().contains("192.0.2.1").then_some(())
    });
    site.end();
}

#[test]
fn the_addresses_of_the_servers_host_are_listed() {
    let site = Site::start("addresses").unwrap();
    let listed: Value = site.listed(&["proxy", "list"]).unwrap();
    let addresses = listed[0]["addresses"].as_array().unwrap();
    assert!(addresses.contains(&"127.0.0.1".into()), "{listed}");
    site.end();
}
