//! A daemon before and besides its work: options, identity, licence, PID file, signals, the exit status of the starting
//! command, and what other users can see.

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Uid, User, chown};
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::process::{Output, Stdio};
use t::installation::{CLIENT, Installation, SERVER, name, runs};
use t::wait::wait_for;

const STEM: &str = "os4x_proxyserver";

fn text(octets: &[u8]) -> &str {
    std::str::from_utf8(octets).unwrap()
}

/// The one line on standard error of a command that failed with `status`.
fn complaint(output: &Output, status: i32) -> &str {
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{said}");
    assert_eq!(text(&output.stdout), "");
    assert_eq!(said.lines().count(), 1, "{said}");
    said
}

/// Starts the server in the background, which must succeed, and gives its PID.
fn start(installation: &Installation) -> nix::unistd::Pid {
    let output = installation.server().unwrap().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    installation.pid(STEM).expect("the PID file is there when the starting command ends")
}

fn wait_for_end(pid: nix::unistd::Pid) {
    wait_for("the daemon's end", || (!runs(pid)).then_some(()));
}

#[test]
fn help_is_the_documented_text_but_for_the_build_date_and_what_came_later() {
    let installation = Installation::new("help").unwrap();
    let build =
        text(&installation.run(SERVER, ["-v"]).unwrap().stdout).split([' ', ',']).nth(4).unwrap().to_owned();
    assert!(build.len() == 8 && build.bytes().all(|b| b.is_ascii_digit()), "{build}");
    for (program, arguments, documented) in [
        (
            SERVER,
            &["-h"][..],
            include_str!("documented/os4x_proxyserver2-h.txt").replacen("20111115", &build, 1),
        ),
        (
            CLIENT,
            &["-h"][..],
            include_str!("documented/os4x_proxyclient2-h.txt").replacen("20160602", &build, 1),
        ),
        (CLIENT, &[][..], include_str!("documented/os4x_proxyclient2-h.txt").replacen("20160602", &build, 1)),
    ] {
        let output = installation.command(program).args(arguments).output().unwrap();
        let later = text(&output.stdout).strip_prefix(&documented).unwrap_or_default();
        assert!(later.starts_with("\nnot in the documentation of the legacy daemon:\n"), "{output:?}");
        assert!(later.contains("--foreground: "), "{later}");
        assert_eq!(later.contains("\n-T @<file>: "), program == CLIENT, "{later}");
        assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
    }
}

#[test]
fn version_names_program_and_build() {
    let installation = Installation::new("version").unwrap();
    for (program, words) in [(SERVER, "OS4X Proxy daemon build "), (CLIENT, "OS4X Proxy client build ")] {
        let output = installation.run(program, ["-v"]).unwrap();
        assert!(text(&output.stdout).starts_with(words), "{output:?}");
        assert_eq!((text(&output.stdout).lines().count(), output.status.code()), (1, Some(0)));
    }
}

#[test]
fn the_proxy_id_is_stable_and_each_folder_has_its_own() {
    let (here, there) = (Installation::new("id-here").unwrap(), Installation::new("id-there").unwrap());
    let id = here.proxy_id().unwrap();
    let digits = id.strip_suffix("px").unwrap();
    assert!(digits.len() == 64 && digits.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
    assert_eq!(here.proxy_id().unwrap(), id);
    assert_ne!(there.proxy_id().unwrap(), id);
    let key = fs::metadata(here.file("os4x_proxyserver.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
}

#[test]
fn bad_options_end_with_64_and_one_line() {
    let installation = Installation::new("usage").unwrap();
    for arguments in [&["-x"][..], &["extra"], &["-i", "nowhere:2878"], &["-i", ":65536"], &["-l"]] {
        let output = installation.command(SERVER).args(arguments).output().unwrap();
        assert!(complaint(&output, 64).starts_with("os4x_proxyserver2: "), "{output:?}");
    }
    let good = ["-U", "https://u:c4nary@localhost/", "-S", "localhost", "-T", "c4nary"];
    for arguments in [&["-o", "192.0.2.1"][..], &["-o", "c4nary"], &["-S", "other"], &["-z"], &["c4nary"]] {
        let output = installation.command(CLIENT).args(good).args(arguments).output().unwrap();
        let said = complaint(&output, 64);
        assert!(said.starts_with("os4x_proxyclient2: "), "{said}");
        assert!(arguments == ["c4nary"] || !said.contains("c4nary"), "{said}");
    }
    for (arguments, missing) in [
        (["-U", "http://localhost/"], "-S <proxyserver> and -T <security token> are missing"),
        (["-S", "localhost"], "-U <URL> and -T <security token> are missing"),
        (["-T", "c4nary"], "-U <URL> and -S <proxyserver> are missing"),
    ] {
        let output = installation.command(CLIENT).args(arguments).output().unwrap();
        assert!(complaint(&output, 64).contains(missing), "{output:?}");
    }
    assert_eq!(fs::read_dir(installation.directory()).unwrap().count(), 2, "a bad option leaves no file");
}

#[test]
fn showing_a_licence_makes_no_identity_key() {
    let (installation, other) =
        (Installation::new("no-key").unwrap(), Installation::new("other-key").unwrap());
    let path = other.licence((-1, 30)).unwrap();
    let output = installation.run(SERVER, ["-V", "-l", path.to_str().unwrap()]).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("Days left:     30\n"), "{output:?}");
    assert!(text(&output.stdout).contains("This server's OS4X Proxy ID: none yet"), "{output:?}");
    assert!(text(&output.stderr).contains("this one has no OS4X Proxy ID yet"), "{output:?}");
    let output = installation.run(SERVER, ["-V", "-l", "/nonexistent"]).unwrap();
    assert!(text(&output.stderr).contains("cannot be read"), "{output:?}");
    assert_eq!(fs::read_dir(installation.directory()).unwrap().count(), 2, "-V leaves no file");
}

#[test]
fn the_licence_is_shown_and_judged() {
    let installation = Installation::new("licence").unwrap();
    let id = installation.proxy_id().unwrap();
    let show = |path: &str| installation.run(SERVER, ["-V", "-l", path]).unwrap();
    let start = |path: &str| installation.run(SERVER, ["--foreground", "-l", path]).unwrap();

    let path = installation.licence((-1, 30)).unwrap();
    let path = path.to_str().unwrap();
    let output = show(path);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    for shown in [path, "O=Example GmbH", &id, "Valid from:", "Valid until:", "Days left:     30\n"] {
        assert!(text(&output.stdout).contains(shown), "{shown}: {output:?}");
    }

    let refused = |path: &str, why: &str| {
        let (shown, started) = (show(path), start(path));
        assert!(text(&shown.stdout).contains(&id), "{shown:?}");
        assert!(text(&started.stderr).contains(&format!("OS4X Proxy ID: {id}\n")), "{started:?}");
        for output in [shown, started] {
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(path) && said.contains(why), "{said}");
        }
    };
    installation.licence((-30, -1)).unwrap();
    refused(path, "expired on");
    fs::write(path, t::licence::licence(&"ab".repeat(32), (-1, 30)).unwrap()).unwrap();
    refused(path, "is for another server");
    fs::write(path, "garbage").unwrap();
    refused(path, "does not hold two certificates");
    fs::remove_file(path).unwrap();
    refused(path, "cannot be read");
    assert_eq!(installation.log(STEM), "", "a server without a licence begins nothing");
}

#[test]
fn signals_choose_the_level_and_hup_ends_the_daemon() {
    let installation = Installation::new("signals").unwrap();
    let pid = start(&installation);
    assert_eq!(name(pid).unwrap(), SERVER[..15]);
    for (number, level) in [
        (Signal::SIGXCPU, "FATAL"),
        (Signal::SIGURG, "ERROR"),
        (Signal::SIGTTOU, "INFO"),
        (Signal::SIGTSTP, "TRACE"),
        (Signal::SIGTTIN, "DEBUG"),
    ] {
        kill(pid, number).unwrap();
        let line = installation.wait_for_log(STEM, &format!("level level={level}"));
        assert!(line.contains(&format!(" {level} ")), "{line}");
    }
    // Ctrl-C is only for the foreground: if the daemon reacted to it, it could not log the next level.
    kill(pid, Signal::SIGINT).unwrap();
    kill(pid, Signal::SIGTSTP).unwrap();
    wait_for("two changes to TRACE", || {
        (installation.log(STEM).matches("level=TRACE").count() == 2).then_some(())
    });
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for_end(pid);
    assert!(!installation.file("os4x_proxyserver.pid").exists());
    let line = installation.wait_for_log(STEM, "daemon_stop");
    assert!(line.contains(" DEBUG ") && line.contains("SIGHUP"), "{line}");
}

#[test]
fn term_and_quit_end_the_daemon_and_it_can_be_started_again() {
    let installation = Installation::new("term").unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGTERM] {
        let pid = start(&installation);
        kill(pid, signal).unwrap();
        wait_for_end(pid);
        assert!(!installation.file("os4x_proxyserver.pid").exists());
    }
}

#[test]
fn in_the_foreground_ctrl_c_ends_it_and_the_log_is_shown() {
    let installation = Installation::new("foreground").unwrap();
    let mut command = installation.server().unwrap();
    let mut server = command.arg("--foreground").stderr(Stdio::piped()).spawn().unwrap();
    let pid = wait_for("the PID file", || installation.pid(STEM));
    assert_eq!(pid.as_raw(), i32::try_from(server.id()).unwrap());
    let started = installation.wait_for_log(STEM, "daemon_start");
    let user = User::from_uid(Uid::effective()).unwrap().map_or("0".to_owned(), |user| user.name);
    assert!(started.contains(&format!(" user={user} ")), "{started}");
    kill(pid, Signal::SIGINT).unwrap();
    assert_eq!(server.wait().unwrap().code(), Some(0));
    let mut shown = String::new();
    server.stderr.take().unwrap().read_to_string(&mut shown).unwrap();
    assert!(shown.contains("daemon_start"), "{shown}");
    assert!(!installation.file("os4x_proxyserver.pid").exists());
}

#[test]
fn a_start_that_fails_says_so() {
    let installation = Installation::new("honest").unwrap();
    // Before the fork: the port is in use.
    let taken = TcpListener::bind(installation.internal).unwrap();
    let output = installation.server().unwrap().output().unwrap();
    assert!(complaint(&output, 1).contains(&installation.internal.to_string()), "{output:?}");
    drop(taken);
    // After the fork: the log configuration is faulty.
    fs::write(installation.file("os4x_proxyserver.logrc"), "<log4c>\n<category>").unwrap();
    let output = installation.server().unwrap().output().unwrap();
    assert!(text(&output.stderr).contains("os4x_proxyserver.logrc"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(installation.pid(STEM), None);
    // The daemon gives the reason before it ends.
    wait_for("the port to be free again", || TcpListener::bind(installation.internal).ok());
}

#[test]
fn token_and_password_are_hidden_from_other_users() {
    let installation = Installation::new("hidden").unwrap();
    // Backend and server that answer nothing: the client waits while the test reads its data.
    let silent = TcpListener::bind(installation.internal).unwrap();
    let address = silent.local_addr().unwrap();
    let mut command = installation.command(CLIENT);
    command.args([
        "-U",
        &format!("https://user:c4nary@{address}/"),
        "-S",
        &address.to_string(),
        "-T",
        "c4nary2",
    ]);
    let mut client =
        command.arg("--foreground").env("C4NARY", "c4nary").stderr(Stdio::null()).spawn().unwrap();
    let seen = |what: &str| fs::read(format!("/proc/{}/{what}", client.id())).unwrap();
    let shows =
        |octets: &[u8], word: &str| octets.windows(word.len()).any(|window| window == word.as_bytes());
    wait_for("a title", || shows(&seen("cmdline"), "os4x_proxyclient2: ").then_some(()));
    for what in ["cmdline", "environ"] {
        // Another user cannot read environ anyway; root can, so it must have no secrets.
        let octets = fs::read(format!("/proc/{}/{what}", client.id())).unwrap_or_default();
        assert!(!shows(&octets, "c4nary"), "{what}");
    }
    assert!(client.try_wait().unwrap().is_none(), "it was looked at while it ran");
    client.kill().unwrap();
    client.wait().unwrap();
}

#[test]
fn root_is_dropped_to_the_owner_of_the_directory() {
    let installation = Installation::new("owner").unwrap();
    let nobody = Uid::from_raw(65534);
    let owner = if Uid::effective().is_root() { nobody } else { Uid::effective() };
    chown(installation.directory(), Some(owner), None).unwrap();
    let pid = start(&installation);
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let uids = format!("Uid:\t{owner}\t{owner}\t{owner}\t{owner}\n");
    assert!(status.contains(&uids), "{status}");
    // All but a few files in /proc of a process without core dumps belong to root.
    assert_eq!(fs::metadata(format!("/proc/{pid}/environ")).unwrap().uid(), 0);
    let name = User::from_uid(owner).unwrap().map_or_else(|| owner.to_string(), |user| user.name);
    installation.wait_for_log(STEM, &format!(" user={name} "));
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    for file in fs::read_dir(installation.directory()).unwrap() {
        let file = file.unwrap();
        let made_by_the_daemon = ["pid", "key", "log"]
            .iter()
            .any(|part| file.file_name().to_string_lossy().starts_with(&format!("{STEM}.{part}")));
        assert!(!made_by_the_daemon || file.metadata().unwrap().uid() == owner.as_raw(), "{file:?}");
    }
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for_end(pid);
    assert!(!installation.file("os4x_proxyserver.pid").exists());
}
