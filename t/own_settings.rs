//! What one server has for itself of the settings, in force in the running server.

use oftp2peer::oftp::settings::OutFile;
use serde_json::Value;
use std::net::SocketAddr;
use t::installation::free_address;
use t::site::{Builder, Role, Site, sockets};
use t::wait::wait_for;

fn id(site: &Site) -> String {
    let servers: Value = site.listed(&["proxy", "list"]).unwrap();
    servers[0]["proxy_id"].as_str().unwrap().to_owned()
}

/// Waits until the server accepts partners here, and nowhere else.
#[track_caller]
fn wait_at(at: SocketAddr, before: SocketAddr) {
    wait_for("the listener to move", || (sockets::is_open(at) && !sockets::is_open(before)).then_some(()));
}

#[test]
fn two_servers_have_their_own_ports_and_addresses() {
    // The global outgoing address is one of the other server's host.
    let mut site = Builder::new("own-settings").setting("tcp_outgoing_ip", "192.0.2.77").prepare().unwrap();
    let (id, own) = (id(&site), free_address().unwrap());
    site.api(&["proxy", "set", &id, "tcp_outgoing_ip", &site.address.to_string()]).unwrap();
    site.launch().unwrap();
    site.assert_works();
    let global = site.tls;
    site.api(&["proxy", "set", &id, "tcp_port_tls", &own.port().to_string()]).unwrap();
    wait_at(SocketAddr::new(global.ip(), own.port()), global);
    site.api(&["proxy", "set", &id, "tcp_incoming_ip", &own.ip().to_string()]).unwrap();
    wait_at(own, SocketAddr::new(global.ip(), own.port()));
    site.tls = own;
    let sent = site.partner("O0013ACME").unwrap().send([OutFile::octets("FILE", *b"hello")]);
    assert!(sent.is_good(), "{sent:?}");
    for name in ["tcp_port_tls", "tcp_incoming_ip"] {
        site.api(&["proxy", "unset", &id, name]).unwrap();
    }
    wait_at(global, own);
    site.tls = global;
    site.assert_works();
    // Without an address of its own the global one holds, which this host does not have.
    site.api(&["proxy", "unset", &id, "tcp_outgoing_ip"]).unwrap();
    let line = site.wait_log(Role::Server, "daemon_stop*192.0.2.77");
    assert!(line.contains("is not an address of this host"), "{line}");
    for role in [Role::Server, Role::Client] {
        site.wait_end(role);
    }
    site.end();
}
