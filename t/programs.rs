//! Other programs that use the client's listener, as an administrator uses them to check whether a partner can be
//! reached: the commands of os4x_proxyclient2(8). scripts/check installs them.

use crate::outward::{acme, certificate, launch, listening, prepare, tls};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use t::site::Role;

const PATIENCE: Duration = Duration::from_mins(1);
/// A partner's first words.
const READY: &str = "IODETTE FTP READY \r";

/// A program of Debian's package.
struct Program(&'static str, &'static str);

const CURL: Program = Program("curl", "curl");
const SOCAT: Program = Program("socat", "socat");
const NC: Program = Program("nc", "netcat-openbsd");

/// A process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads until `READY` or the end.
fn listen(mut from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, words) = channel();
    std::thread::spawn(move || {
        let mut heard = Vec::new();
        let mut octets = [0; 1024];
        while !String::from_utf8_lossy(&heard).contains(READY) {
            match from.read(&mut octets) {
                Ok(count) if count > 0 => heard.extend(octets.get(..count).unwrap_or_default()),
                _ => break,
            }
        }
        let _ = sender.send(String::from_utf8_lossy(&heard).into_owned());
    });
    words
}

impl Program {
    /// Runs it until the partner has answered or it ends by itself; returns what it read, and its error message if it
    /// ended.
    fn run(&self, line: &str) -> (String, String) {
        let Self(name, package) = self;
        let mut command = Command::new(name);
        command.args(line.split_whitespace());
        // Its input stays open, otherwise it would end.
        let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut running = match spawned {
            Ok(child) => Running(child),
            Err(e) if e.kind() == ErrorKind::NotFound => {
                panic!("{name} is missing: scripts/check installs it (Debian's {package})")
            }
            Err(e) => panic!("{name}: {e}"),
        };
        let (heard, complaint) =
            (listen(running.0.stdout.take().unwrap()), listen(running.0.stderr.take().unwrap()));
        let heard = heard.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{name} {line}: nothing came"));
        drop(running);
        (heard, complaint.recv_timeout(PATIENCE).unwrap())
    }
}

/// Each way of each program, and its message if the destination is no partner; `proxy` is the listener for requests.
fn ways(proxy: SocketAddr, to: &str) -> Vec<(Program, String, &'static str)> {
    let (ip, port) = (proxy.ip(), proxy.port());
    let (host, at) = to.split_once(':').unwrap();
    let mut ways = vec![
        (CURL, format!("-sSN --proxytunnel -x {proxy} --output - telnet://{to}"), "403"),
        (CURL, format!("-sSN -x socks5h://{proxy} --output - telnet://{to}"), "(2)"),
        (CURL, format!("-sSN -x socks5h://user:pw@{proxy} --output - telnet://{to}"), "(2)"),
        (SOCAT, format!("- PROXY:{ip}:{to},proxyport={port}"), "it is not in the partner table"),
        (NC, format!("-X connect -x {proxy} {host} {at}"), "403 destination"),
        (NC, format!("-X 5 -x {proxy} {host} {at}"), "not allowed by ruleset"),
    ];
    // Debian 12 has a socat before 1.8, which does not support SOCKS5.
    let help = Command::new("socat").arg("-h").output();
    if help.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("SOCKS5")) {
        ways.push((SOCAT, format!("- SOCKS5-CONNECT:{ip}:{port}:{to}"), "not allowed by ruleset"));
    }
    ways
}

#[test]
fn curl_socat_and_netcat_reach_a_partner_or_show_the_reason() {
    let site = prepare("programs");
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    let mut site = launch(site, &partner, &[]);
    let target = format!("acme:{}", partner.address().port());
    for (program, line, _) in ways(site.outgoing, &target) {
        let (heard, complaint) = program.run(&line);
        assert!(heard.ends_with(READY), "{} {line}: {heard:?} {complaint}", program.0);
    }
    for (program, line, refusal) in ways(site.outgoing, "nobody:6619") {
        let (heard, complaint) = program.run(&line);
        assert!(
            heard.is_empty() && complaint.contains(refusal),
            "{} {line}: {heard:?} {complaint}",
            program.0
        );
    }
    site.wait_log(Role::Server, "session_refused direction=outgoing reason=destination address=nobody");
    site.end();
}
