//! Several backends of one database: the client calls another one when one fails.

use nix::sys::signal::Signal;
use serde_json::Value;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use t::installation::closed_port;
use t::site::sockets::is_open;
use t::site::{Builder, Flight, Role, Site};
use t::wait::wait_for;

/// A second backend of the site's database.
struct Second(Child);

impl Second {
    fn start(site: &Site, at: SocketAddr) -> Self {
        let folder = site.folder(Role::Api);
        let mut command = Command::new(folder.join(Role::Api.binary()));
        command.args(["serve", "--listen", &at.to_string(), "--db"]).arg(folder.join("os4xapi.db"));
        Self(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_client_with_two_backends_goes_on_when_one_is_killed() {
    let mut site = Builder::new("two-backends").prepare().unwrap();
    // The certificate is for the address.
    let ip = site.internal.ip();
    let at = SocketAddr::new(ip, closed_port(ip).unwrap());
    let second = Second::start(&site, at);
    site.asked_url = format!("{},https://{at}/os4xapi/index.php", site.asked_url);
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    wait_for("the second backend", || is_open(at).then_some(()));
    for role in [Role::Server, Role::Client] {
        site.restart(role).unwrap();
    }
    site.wait_open();
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let mark = site.mark(Role::Client);
    site.signal(Role::Api, Signal::SIGKILL);
    site.wait_end(Role::Api);
    site.assert_works();
    assert!(flight.land().unwrap().is_good());
    // The ends of both sessions are reported to the other one.
    site.wait_log_after(Role::Client, mark, &format!("the backend is called at https://{at}*from now on"));
    wait_for("the session list", || {
        let list: Value = site.listed(&["sessions"]).unwrap();
        let ends: Vec<&Value> = list.as_array()?.iter().map(|session| &session["ended"]).collect();
        (ends.len() == 2 && ends.iter().all(|end| !end.is_null())).then_some(())
    });
    assert!(!site.log(Role::Client)[mark..].contains("backend_error"));
    drop(second);
    site.end();
}
