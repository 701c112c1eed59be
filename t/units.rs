//! The systemd units of `scripts/units`: how much systemd's own rating says that they leave open, and that the programs
//! tell the service manager when they are ready, and not before. `scripts/release --check` runs them under systemd.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use t::site::{Builder, Role};
use t::wait::PATIENCE;

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/units");

#[test]
fn the_units_leave_hardly_anything_open() {
    let folder = std::env::temp_dir().join(format!("os4x-units-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for role in Role::ALL {
        let name = format!("{}.service", role.binary());
        let unit = fs::read_to_string(format!("{UNITS}/{name}")).unwrap();
        let path = folder.join(name);
        fs::write(&path, unit.replace("@DIR@", "/opt/os4x/proxy").replace("@USER@", "os4x")).unwrap();
        // 20 is 2.0. It ends with a failure above that, but not for a directive that it does not know.
        let mut rating = Command::new("systemd-analyze");
        let output =
            rating.args(["security", "--offline=yes", "--threshold=20"]).arg(&path).output().unwrap();
        let (said, faults) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{said}");
        assert!(said.contains("Overall exposure level"), "{said}");
        for fault in ["Unknown key", "Unknown section", "Failed to parse"] {
            assert!(!faults.contains(fault), "{faults}");
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// A service manager's socket, in a site's folder.
fn manager(site: &t::site::Site, role: Role) -> (PathBuf, UnixDatagram) {
    let path = site.directory().join(format!("{}.notify", role.folder()));
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    (path, socket)
}

#[test]
fn the_service_manager_is_told_when_a_program_is_ready() {
    let mut site = Builder::new("notify").prepare().unwrap();
    let mut managers = Vec::new();
    for role in Role::ALL {
        let (path, socket) = manager(&site, role);
        let mut command = site.command(role);
        command.env("NOTIFY_SOCKET", &path);
        site.start_as(role, command).unwrap();
        let mut octets = [0; 100];
        let length = socket.recv(&mut octets).unwrap();
        assert_eq!(&octets[..length], b"READY=1", "{}", role.binary());
        match role {
            Role::Api => {
                assert!(t::site::sockets::is_open(site.api_url.split('/').nth(2).unwrap().parse().unwrap()));
            }
            Role::Server => assert!(t::site::sockets::is_open(site.internal)),
            Role::Client => assert!(site.log(Role::Client).contains(" server_joined ")),
        }
        managers.push(socket);
    }
    site.wait_open();
    site.assert_works();
    // No session process has sent another message.
    for manager in managers {
        manager.set_nonblocking(true).unwrap();
        assert!(manager.recv(&mut [0; 100]).is_err());
    }
    site.end();
}

#[test]
fn the_units_wait_for_that_and_a_client_comes_back_at_once() {
    for role in Role::ALL {
        let unit = fs::read_to_string(format!("{UNITS}/{}.service", role.binary())).unwrap();
        assert!(unit.contains("\nType=notify\n"), "{}", role.binary());
        if role != Role::Api {
            assert!(unit.contains(&format!("{} --foreground ", role.binary())), "{}", role.binary());
        }
    }
    let client = fs::read_to_string(format!("{UNITS}/os4x_proxyclient2.service")).unwrap();
    assert!(client.contains("\nRestartSec=1\n"));
}
