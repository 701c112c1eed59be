//! `-t` of the daemons: it reports everything that a start would report, and neither starts nor leaves anything.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};
use t::installation::{CLIENT, Installation};

fn test(mut command: Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.arg("-t").output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn files(installation: &Installation) -> BTreeSet<String> {
    let entries = fs::read_dir(installation.directory()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn everything_that_keeps_the_server_from_starting_is_told_at_once() {
    let installation = Installation::new("config-test").unwrap();
    let without_key = {
        let mut command = installation.command(t::installation::SERVER);
        command.args(["-l", "/nonexistent"]).arg("-i").arg(installation.internal.to_string());
        test(command)
    };
    assert_eq!((without_key.0, files(&installation).len()), (Some(1), 2), "{without_key:?}");
    assert!(without_key.2.contains("identity: there is none yet; -L makes it"), "{without_key:?}");

    let good = installation.server().unwrap();
    let before = files(&installation);
    let (status, shown, said) = test(good);
    assert_eq!((status, said.as_str()), (Some(0), ""), "{shown}");
    for part in ["log configuration", "identity", "license", "PID file", "port for internal connections"] {
        assert!(shown.contains(&format!("{part}: ok\n")), "{shown}");
    }
    assert_eq!(files(&installation), before);

    // While the daemon runs.
    assert_eq!(installation.server().unwrap().status().unwrap().code(), Some(0));
    let (status, shown, said) = test(installation.server().unwrap());
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(shown.contains("port for internal connections: not tried, the daemon runs\n"), "{shown}");
    let pid = installation.pid("os4x_proxyserver").unwrap();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    t::wait::wait_for("the daemon's end", || (!t::installation::runs(pid)).then_some(()));

    // All faults at once.
    let _taken = TcpListener::bind(installation.internal).unwrap();
    let server = installation.server().unwrap();
    fs::write(installation.file("os4x_proxy.lic"), "garbage").unwrap();
    fs::write(installation.file("os4x_proxyserver.pid"), "").unwrap();
    let appender =
        "<category name='root' appender='a'/><appender name='a' type='rollingfile' logdir='none'/>";
    fs::write(installation.file("os4x_proxyserver.logrc"), format!("<log4c>{appender}</log4c>")).unwrap();
    let before = files(&installation);
    let (status, _, said) = test(server);
    assert_eq!(status, Some(1));
    for fault in [
        "log configuration: The appender a cannot open ",
        "license: licence file ",
        "PID file: PID file ",
        &format!("port for internal connections: cannot listen on {} (-i): ", installation.internal),
    ] {
        assert!(said.contains(fault), "{fault}: {said}");
    }
    assert_eq!(said.lines().count(), 4, "{said}");
    assert_eq!(files(&installation), before);
}

#[test]
fn the_client_tests_its_options_and_its_log_configuration() {
    let installation = Installation::new("config-test-client").unwrap();
    let client = |token: &str| {
        let mut command = installation.command(CLIENT);
        command.args(["-U", "https://localhost/os4xapi/index.php", "-S", "localhost", "-T", token]);
        command
    };
    let (status, shown, said) = test(client("c4nary"));
    assert_eq!((status, said.as_str()), (Some(0), ""));
    assert!(shown.contains("log configuration: ok\nPID file: ok\n"), "{shown}");
    let (status, _, said) = test(client("@/nonexistent"));
    assert_eq!(status, Some(64));
    assert!(said.contains("The file of -T cannot be read"), "{said}");
    let rc = installation.file("os4x_proxyclient.logrc");
    fs::write(&rc, "<log4c><category name='other'/></log4c>").unwrap();
    let (status, _, said) = test(client("c4nary"));
    assert_eq!(status, Some(0));
    assert!(said.contains("name it os4x_proxyclient, or"), "{said}");
    fs::write(&rc, "<log4c>\n<kategorie/></log4c>").unwrap();
    let (status, _, said) = test(client("c4nary"));
    assert_eq!(status, Some(1));
    assert!(said.contains("os4x_proxyclient.logrc:2: <kategorie>: unknown element"), "{said}");
    assert_eq!(files(&installation).len(), 3);
}
