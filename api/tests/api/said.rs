//! The messages of changing commands: what they did, what they could not check, and the question before a removal on a
//! terminal.

use crate::pki::{self, Identity};
use crate::site::{PROGRAM, Said, Site};
use nix::pty::openpty;
use serde_json::json;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// Runs a command with a terminal as its standard input, on which `answer` is typed.
fn on_a_terminal(site: &Site, words: &[&str], answer: &str) -> Said {
    let terminal = openpty(None, None).unwrap();
    let mut keyboard = File::from(terminal.master);
    keyboard.write_all(answer.as_bytes()).unwrap();
    let mut command = Command::new(PROGRAM);
    command.args(words).args(["--db", &site.db]).stdin(Stdio::from(terminal.slave));
    Said::of(&command.output().unwrap())
}

#[test]
fn changes_are_told_in_one_line() {
    let site = Site::new();
    let ca = Identity::ca("Told CA");
    let own = ca.issue("we.example");
    let chain = site.dir.write("chain.pem", &(own.pem() + &ca.pem()));
    let key = site.dir.write("own.key", &own.key_pem());
    let (ca_file, crl) = (site.dir.write("ca.pem", &ca.pem()), site.dir.write("ca.crl", &ca.crl(60)));
    let (id, licence) = (pki::proxy_id(), site.dir.path("licence").to_str().unwrap().to_owned());
    for (words, part) in [
        (&["config", "set", "tcp_port", "3306"][..], "tcp_port is now 3306 (before: 3305)"),
        (&["config", "set", "tcp_outgoing_ip", "192.0.2.1"], "tcp_outgoing_ip is now 192.0.2.1 (before: '')"),
        (&["cert", "set", "--chain", &chain, "--key", &key], "we.example, valid until 20"),
        (&["trust", "add", &ca_file, "--name", "told"], "Trusted as 'told'"),
        (&["trust", "set", "told", "--no-crl", "yes"], "'told' issued need no CRL now"),
        (&["crl", "add", &crl], "taken"),
        (&["partner", "add", "A", "--ssid", "O1"], "Partner A added: SSIDCODE 'O1'"),
        (
            &["partner", "set", "A", "--host", "a.example"],
            "Partner A changed: SSIDCODE 'O1', certificate odette-id, called at",
        ),
        (&["proxy", "add", &id], "listed now"),
        (&["licence", "issue", &id, "-o", &licence], "The server is listed."),
        (&["proxyclient", "add", "192.0.2.1", "--partner", "A", "--port", "99"], "port 99, tied to A"),
        (&["proxyclient", "remove", "192.0.2.1", "--partner", "A"], "tied to A is removed"),
        (&["ignore", "add", "words"], "number 1"),
        (&["ignore", "remove", "1"], "Number 1 is not ignored any more"),
        (&["partner", "remove", "A"], "Partner A removed"),
        (&["crl", "remove", "CN=Told CA"], "removed"),
        (&["trust", "remove", "told"], "'told' is not trusted any more"),
        (&["proxy", "remove", &id], "not listed any more"),
    ] {
        let said = site.ok(words);
        assert!(said.contains(part) && said.lines().count() == 1, "{words:?}: {said}");
    }
}

#[test]
fn a_script_or_folder_that_is_not_there_is_warned_of() {
    let site = Site::new();
    let script = site.dir.path("script").to_str().unwrap().to_owned();
    let set = |name: &str, value: &str| site.run(&["config", "set", name, value]);
    assert!(set("proxy_event_script", &script).err.contains("cannot be inspected"));
    std::fs::write(&script, "#!/bin/sh\n").unwrap();
    assert!(set("proxy_event_script", &script).err.contains("chmod +x"));
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(set("proxy_event_script", &script).err, "");
    let log = site.dir.path("none/api.log").to_str().unwrap().to_owned();
    let said = set("api_log_file", &log);
    assert!(said.status == 0 && said.err.contains("there is no folder"), "{}", said.err);
}

#[test]
fn a_removal_asks_on_a_terminal_and_nowhere_else() {
    let site = Site::new();
    for name in ["A", "B", "C"] {
        site.ok(&["partner", "add", name, "--ssid", &format!("O0013{name}")]);
    }
    let left = || site.json(&["partner", "list"]).as_array().unwrap().len();
    for answer in ["n\n", "\n", "\u{4}"] {
        let said = on_a_terminal(&site, &["partner", "remove", "A"], answer);
        assert!(said.status == 1 && said.err.contains("remove the partner 'A'"), "{}", said.err);
        assert!(said.err.contains("Nothing was changed") && left() == 3, "{}", said.err);
    }
    assert_eq!(on_a_terminal(&site, &["partner", "remove", "A"], "y\n").status, 0);
    let said = on_a_terminal(&site, &["partner", "remove", "B", "--yes"], "");
    assert_eq!((said.status, said.err.as_str(), left()), (0, "", 1));
    site.ok(&["partner", "remove", "C"]);
    assert_eq!(left(), 0);
}

#[test]
fn an_address_that_no_server_has_is_warned_of() {
    let site = Site::new();
    let id = pki::proxy_id();
    site.ok(&["proxy", "add", &id, "--name", "dmz"]);
    site.ok(&["partner", "add", "A", "--ssid", "O0013A"]);
    let set = |name: &str, value: &str| site.run(&["config", "set", name, value]).err;
    assert!(set("tcp_outgoing_ip", "192.0.2.1").contains("none has been joined yet"));
    let serve = site.serve();
    let addresses = ["127.0.0.1", "192.0.2.1", "2001:db8::1"];
    let call = json!({"function": "proxy_config", "proxy_id": id, "server_addresses": addresses});
    // There is no certificate yet; the server's addresses are stored nevertheless.
    assert_eq!(site.client(&serve).call(&call).status, 503);
    assert_eq!(site.json(&["proxy", "list"])[0]["addresses"], json!(addresses));
    for (name, value, warned) in [
        ("tcp_outgoing_ip", "192.0.2.1", false),
        ("tcp_outgoing_ip", "2001:DB8:0::1", false),
        ("tcp_outgoing_ip", "127.0.0.9", false),
        ("tcp_outgoing_ip", "", false),
        ("tcp_outgoing_ip", "192.0.2.2", true),
        ("tcp_incoming_ip", "192.0.2.2", true),
        ("tcp_incoming_ip", "0.0.0.0", false),
    ] {
        let said = set(name, value);
        let words =
            format!("no server has the address {value}. Their own are 127.0.0.1, 192.0.2.1, 2001:db8::1");
        assert_eq!((said.contains(&words), said.is_empty()), (warned, !warned), "{name} {value}: {said}");
    }
    let said = site.run(&["partner", "set", "A", "--outgoing-ip", "192.0.2.3"]);
    assert!(said.status == 0 && said.err.contains("no server has the address 192.0.2.3"), "{}", said.err);
}
