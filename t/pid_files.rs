//! A PID file prevents the start of its daemon, and the message says what to do about it: whether it belongs to a
//! running daemon or is stale, whatever process has its number now.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Output};
use t::installation::{CLIENT, Installation, SERVER, name, runs};
use t::wait::wait_for;

const STEM: &str = "os4x_proxyserver";

fn pid_file(installation: &Installation) -> PathBuf {
    installation.file("os4x_proxyserver.pid")
}

/// Starts the server in the background, which must succeed, and gives its PID.
fn start(installation: &Installation) -> Pid {
    let output = installation.server().unwrap().output().unwrap();
    assert!(output.status.success(), "{output:?}");
    installation.pid(STEM).expect("the PID file is there when the starting command ends")
}

/// The one line in which a start is refused.
fn refusal(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    said
}

/// Why the server of `installation` does not start again.
fn refused(installation: &Installation) -> String {
    refusal(&installation.server().unwrap().output().unwrap())
}

/// The start is refused, the file stays, and the remedy in the message works.
#[track_caller]
fn assert_stale(installation: &Installation, said: &str) {
    let remedy = format!("the file is stale, delete it with 'rm {}'", pid_file(installation).display());
    assert!(said.contains(&remedy) && !said.contains("kill"), "{said}");
    assert!(pid_file(installation).exists(), "{said}");
    fs::remove_file(pid_file(installation)).unwrap();
    kill(start(installation), Signal::SIGHUP).unwrap();
    wait_for("the end of the daemon", || (!pid_file(installation).exists()).then_some(()));
}

/// A program of another kind.
struct Sleep(Child);

impl Sleep {
    fn start() -> Self {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        // Until exec it has the name of this test.
        wait_for("sleep", || name(pid).filter(|name| name == "sleep"));
        Self(child)
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_pid_file_forbids_the_start_and_is_explained() {
    let installation = Installation::new("pid-file").unwrap();
    let pid = start(&installation);
    let said = refused(&installation);
    assert!(said.contains(&format!("process {pid}, which runs")), "{said}");
    assert!(said.contains(&format!("'kill -1 {pid}'")) && !said.contains("stale"), "{said}");
    assert!(runs(pid));

    kill(pid, Signal::SIGKILL).unwrap();
    wait_for("the daemon's end", || (!runs(pid)).then_some(()));
    let said = refused(&installation);
    assert!(said.contains(&format!("process {pid}, which does not run")), "{said}");
    fs::copy(pid_file(&installation), installation.file("os4x_proxyclient.pid")).unwrap();
    assert_stale(&installation, &said);

    let options = ["-U", "https://127.0.0.1:9/", "-S", "127.0.0.1:9", "-T", "token"];
    let said = refusal(&installation.command(CLIENT).args(options).output().unwrap());
    assert!(said.contains(&format!("process {pid}, which does not run")), "{said}");
}

#[test]
fn a_number_that_the_start_itself_or_its_parent_has_now_is_stale() {
    let installation = Installation::new("pid-own").unwrap();
    let server = installation.server().unwrap();
    for (how, who) in
        [("exec \"$@\"", "is this start itself"), ("\"$@\"; exit $?", "is the parent of this start")]
    {
        for foreground in [None, Some("--foreground")] {
            let mut shell = Command::new("sh");
            shell.args(["-c", &format!("echo $$ > '{}'; {how}", pid_file(&installation).display()), "sh"]);
            shell.arg(server.get_program()).args(server.get_args()).args(foreground);
            let said = refusal(&shell.output().unwrap());
            assert!(said.contains(who), "{said}");
            assert_stale(&installation, &said);
        }
    }
}

#[test]
fn a_number_of_another_program_is_stale() {
    let (installation, other) =
        (Installation::new("pid-other").unwrap(), Installation::new("pid-namesake").unwrap());
    let sleep = Sleep::start();
    fs::write(pid_file(&installation), format!("{}\n", sleep.0.id())).unwrap();
    let said = refused(&installation);
    assert!(
        said.contains(&format!("process {}, which runs but is another program (sleep)", sleep.0.id())),
        "{said}"
    );
    assert_stale(&installation, &said);

    // Process 1 is the first process of the system or of the container.
    fs::write(pid_file(&installation), "1\n").unwrap();
    assert_stale(&installation, &refused(&installation));

    // The same program in another directory.
    let namesake = start(&other);
    fs::write(pid_file(&installation), format!("{namesake}\n")).unwrap();
    let said = refused(&installation);
    assert!(said.contains(&format!("process {namesake}, which runs")), "{said}");
    assert_stale(&installation, &said);
    assert!(runs(namesake));
}

#[test]
fn a_number_of_no_process_and_an_empty_file_are_stale() {
    let installation = Installation::new("pid-dead").unwrap();
    for (content, said_of_it) in
        [("2147483647\n", "process 2147483647, which does not run"), ("", "is empty, as after a power cut")]
    {
        fs::write(pid_file(&installation), content).unwrap();
        let said = refused(&installation);
        assert!(said.contains(said_of_it), "{said}");
        assert_stale(&installation, &said);
    }
    for garbage in ["garbage\n", "12x", "-1\n", "0\n", "1 2\n"] {
        fs::write(pid_file(&installation), garbage).unwrap();
        let said = refused(&installation);
        assert!(
            said.contains("holds no process ID: find out who wrote it") && !said.contains("kill"),
            "{said}"
        );
        assert_eq!(fs::read_to_string(pid_file(&installation)).unwrap(), garbage);
    }
    fs::write(pid_file(&installation), b"\xff\xfe\n").unwrap();
    assert!(refused(&installation).contains("holds no process ID"));
}

#[test]
fn a_running_daemon_is_recognised_by_its_lock_even_if_its_binary_or_the_number_has_changed() {
    let installation = Installation::new("pid-lock").unwrap();
    let pid = start(&installation);
    let own = format!("belongs to process {pid}, which runs: end it with 'kill -1 {pid}'");
    // An upgrade replaces the binary while the daemon runs.
    let binary = installation.file(SERVER);
    fs::rename(&binary, installation.file("old")).unwrap();
    fs::copy(installation.file("old"), installation.file("new")).unwrap();
    fs::rename(installation.file("new"), &binary).unwrap();
    let said = refused(&installation);
    assert!(said.contains(&own), "{said}");
    fs::remove_file(installation.file("old")).unwrap();
    let said = refused(&installation);
    assert!(said.contains(&own), "{said}");
    // Somebody wrote into the file.
    fs::File::options().write(true).open(pid_file(&installation)).unwrap().write_all(b"1\n").unwrap();
    let said = refused(&installation);
    assert!(said.contains(&own), "{said}");
    kill(pid, Signal::SIGHUP).unwrap();
    wait_for("the daemon's end", || (!runs(pid)).then_some(()));
}
