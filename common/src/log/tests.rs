//! The log as a whole, in processes of their own: a logger is installed once for each process, so each case runs
//! this test binary again with one of the `actor_` tests, which do nothing unless they are asked for by name.

use super::*;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

/// An empty directory, removed with everything in it at the end.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("os4x-log-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The content of each file whose name begins with `prefix`, in the order of names.
    pub(super) fn files(&self, prefix: &str) -> Vec<(String, String)> {
        let mut files: Vec<_> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with(prefix))
            .map(|name| (name.clone(), std::fs::read_to_string(self.0.join(name)).unwrap()))
            .collect();
        files.sort();
        files
    }

    /// The one day file's lines, without time stamp: `INFO     os4x_proxyserver[4711] text`.
    fn lines(&self) -> Vec<String> {
        let files = self.files("os4x_proxyserver.log.");
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].1.lines().map(|line| line[22..].to_owned()).collect()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs the ignored test `actor` of this module as a process of its own, working in `scratch`.
fn act(actor: &str, scratch: &Scratch) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([
        "--ignored",
        "--exact",
        &format!("log::tests::{actor}"),
        "--nocapture",
        "--test-threads=1",
    ]);
    command.env("LOG_TEST_DIRECTORY", scratch.path());
    command
}

fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

/// The directory that `act` handed over.
fn stage() -> Init {
    let directory = std::env::var_os("LOG_TEST_DIRECTORY").expect("run by another test");
    Init { name: "os4x_proxyserver", directory: directory.into(), also_stderr: false, owner: None }
}

fn say_all() {
    crate::fatal!("one");
    crate::alert!("two");
    crate::crit!("three");
    crate::error!("four");
    crate::warn!("five");
    crate::notice!("six");
    crate::info!("seven");
    crate::debug!("eight");
    crate::trace!("nine");
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor_says_all_at_each_signal() {
    init(stage()).unwrap();
    say_all();
    for signal in 20..=24 {
        let priority = Priority::of_signal(signal).unwrap();
        set_level(priority);
        assert_eq!(level(), priority);
        Event::new(events::LEVEL).field("level", priority.name()).at(priority);
        say_all();
    }
    // A library's line, which is not ours to pass on.
    ::log::error!("Authorization: Basic c2VjcmV0");
}

#[test]
fn without_an_rc_file_info_goes_to_the_day_file_and_signals_change_that() {
    let scratch = Scratch::new();
    finish(act("actor_says_all_at_each_signal", &scratch));
    let lines = scratch.lines();
    let mut blocks = lines.split(|line| line.contains(" level level="));
    let counts: Vec<usize> = blocks.by_ref().map(<[String]>::len).collect();
    assert_eq!(counts, [7, 9, 8, 7, 4, 1]);
    assert!(lines.iter().any(|line| line.starts_with("TRACE    ") && line.ends_with("] level level=TRACE")));
    assert!(lines.iter().any(|line| line.starts_with("FATAL    ") && line.ends_with("] level level=FATAL")));
    assert!(!lines.iter().any(|line| line.contains("Authorization")));
}
