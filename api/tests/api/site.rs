//! The harness: a directory with a database in it, the program run on that database, and `serve` as a child that is
//! ended by its PID. Prints the log of a failed test; fails a test whose log has a panic.

use crate::https::Client;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The program under test.
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_os4xapi");
/// Longest time of anything that should happen at once, on a slow machine.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// The output of a command, and its status.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Of a finished process.
    pub(crate) fn of(output: &Output) -> Self {
        let said = Self {
            status: output.status.code().expect("ended by itself, not by a signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        };
        assert!(!said.err.contains("panicked"), "{}", said.err);
        said
    }
}

/// A directory that is removed with its owner; a failed test leaves it.
pub(crate) struct Dir(PathBuf);

impl Dir {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("os4xapi-{}-{number}", std::process::id()));
        // Its name has the ID of this process: an existing one was left by an earlier process.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file; gives its path as an argument.
    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("kept: {}", self.0.display());
        } else {
            std::fs::remove_dir_all(&self.0).unwrap();
        }
    }
}

/// An initialised database, and what a test needs around it.
pub(crate) struct Site {
    pub(crate) dir: Dir,
    /// The value of `--db`.
    pub(crate) db: String,
}

impl Site {
    /// On a SQLite file.
    pub(crate) fn new() -> Self {
        let dir = Dir::new();
        let db = dir.path("test.db").to_str().unwrap().to_owned();
        let site = Self { dir, db };
        site.ok(&["init"]);
        site
    }

    /// Runs a command on this database.
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        Said::of(&Command::new(PROGRAM).args(words).args(["--db", &self.db]).output().unwrap())
    }

    /// Runs a command that must succeed; what it printed.
    pub(crate) fn ok(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.status, 0, "{words:?}: {}", said.err);
        said.out
    }

    /// Runs a command that must be refused with status 1; its message.
    pub(crate) fn refused(&self, words: &[&str]) -> String {
        let said = self.run(words);
        assert_eq!(said.status, 1, "{words:?}: {}{}", said.out, said.err);
        assert!(said.err.starts_with("os4xapi: "), "{}", said.err);
        said.err
    }

    /// The output of a command with `--json`.
    pub(crate) fn json(&self, words: &[&str]) -> Value {
        let words: Vec<&str> = words.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.ok(&words)).unwrap()
    }

    /// Changes the database directly; the statement must change a row.
    pub(crate) fn sql(&self, statement: &'static str) {
        assert!(self.sql_done(statement) > 0, "{statement}");
    }

    /// The same; gives the number of changed rows.
    pub(crate) fn sql_done(&self, statement: &'static str) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = SqliteConnection::connect(&self.db).await.unwrap();
            let done = sqlx::query(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            done.rows_affected()
        })
    }

    pub(crate) fn token(&self) -> String {
        self.ok(&["token", "show"]).trim().to_owned()
    }

    /// Starts `serve` on a free port.
    pub(crate) fn serve(&self) -> Serve {
        self.serve_under(&[])
    }

    /// The same, run by another program, which is given with its arguments.
    pub(crate) fn serve_under(&self, runner: &[&str]) -> Serve {
        self.serve_at("127.0.0.1:0", runner)
    }

    /// The same, listening on this address.
    pub(crate) fn serve_at(&self, listen: &str, runner: &[&str]) -> Serve {
        self.serve_with(runner, &["--listen", listen])
    }

    /// Starts `serve` with the panel, both on free ports.
    pub(crate) fn serve_with_panel(&self) -> Serve {
        self.serve_with(&[], &["--listen", "127.0.0.1:0", "--panel", "127.0.0.1:0"])
    }

    fn serve_with(&self, runner: &[&str], options: &[&str]) -> Serve {
        let log = self.dir.path("serve.log");
        // A benchmark measures a release build.
        let program = std::env::var("OS4X_SERVED").unwrap_or_else(|_| PROGRAM.to_owned());
        let words: Vec<&str> = runner.iter().copied().chain([program.as_str()]).collect();
        let mut child = Command::new(words[0])
            .args(&words[1..])
            .arg("serve")
            .args(options)
            .args(["--db", &self.db])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let (tell, told) = mpsc::channel();
        let out = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let _ = tell.send(line.unwrap_or_default());
            }
        });
        let line = told.recv_timeout(PATIENCE).unwrap();
        let mut serve =
            Serve { child: Some(child), log, port: port_of(&line, "listening on https://"), panel_port: 0 };
        assert!(serve.port != 0, "{line}: {}", serve.log());
        if options.contains(&"--panel") {
            let line = told.recv_timeout(PATIENCE).unwrap();
            serve.panel_port = port_of(&line, "panel on https://");
            assert!(serve.panel_port != 0, "{line}: {}", serve.log());
        }
        serve
    }

    /// A caller of `serve` with this site's token.
    pub(crate) fn client(&self, serve: &Serve) -> Client {
        Client::new(serve.port, &self.ok(&["cert", "show", "ca"]), &self.token())
    }
}

/// The port in `listening on https://ADDRESS:PORT/`, of which `start` is the beginning; 0 for another line.
fn port_of(line: &str, start: &str) -> u16 {
    let place = line.trim_end().strip_prefix(start).and_then(|rest| rest.strip_suffix('/'));
    place.and_then(|place| place.rsplit_once(':')?.1.parse().ok()).unwrap_or(0)
}

/// A running `serve`.
pub(crate) struct Serve {
    child: Option<Child>,
    log: PathBuf,
    pub(crate) port: u16,
    /// Of the panel; 0 without one.
    pub(crate) panel_port: u16,
}

impl Serve {
    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// Its log on standard error so far.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for a line in its log.
    pub(crate) fn await_line(&self, part: &str) {
        await_text(&self.log, part);
    }

    /// Ends it by `signal`; it must end in time, with status 0 and without a panic.
    pub(crate) fn end(mut self, signal: nix::sys::signal::Signal) -> String {
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(self.pid()), signal).unwrap();
        let mut child = self.child.take().unwrap();
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            if Instant::now() > until {
                child.kill().unwrap();
                panic!("serve does not end: {}", self.log());
            }
            breathe();
        };
        let log = self.log();
        assert_eq!(status.code(), Some(0), "{log}");
        log
    }
}

impl Drop for Serve {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        let log = self.log();
        if std::thread::panicking() {
            eprintln!("serve's log:\n{log}");
        } else {
            assert!(!log.contains("panicked"), "{log}");
        }
    }
}

/// Waits until a file holds `part`.
pub(crate) fn await_text(file: &Path, part: &str) {
    await_that(&format!("'{part}' in {}", file.display()), || {
        std::fs::read_to_string(file).is_ok_and(|text| text.contains(part))
    });
}

/// Waits until `condition` is true.
pub(crate) fn await_that(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain for {what}");
        breathe();
    }
}

/// The pause between two checks of something that has no event.
fn breathe() {
    std::thread::park_timeout(Duration::from_millis(10));
}
