//! The log as a whole, in processes of their own: a logger is installed once for each process, so each case runs
//! this test binary again with one of the `actor_` tests, which do nothing unless they are asked for by name.

use super::*;
use crate::file::tests::Scratch;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Instant;

/// An rc file that sends the lines of the server from `priority` on to the day file.
fn rc(priority: &str) -> String {
    format!(
        "<log4c><category name=\"os4x_proxyserver\" priority=\"{priority}\" appender=\"os4x_appender\"/></log4c>"
    )
}

/// Runs the ignored test `actor` of `module` as a process of its own, working in `directory`.
pub(super) fn act(module: &str, actor: &str, directory: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--ignored", "--exact", &format!("{module}::{actor}"), "--nocapture"]);
    command.env("LOG_TEST_DIRECTORY", directory);
    command
}

/// The directory that `act` handed over.
pub(super) fn stage() -> PathBuf {
    std::env::var_os("LOG_TEST_DIRECTORY").expect("another test runs this one").into()
}

/// What `act` set up, run to its end.
fn finish(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    output
}

pub(super) fn settings(directory: &Path) -> Init {
    Init { name: "os4x_proxyserver", directory: directory.to_owned(), also_stderr: false }
}

/// The content of each file whose name begins with `prefix`, in the order of names.
pub(super) fn files(directory: &Path, prefix: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .map(|name| (name.clone(), fs::read_to_string(directory.join(name)).unwrap()))
        .collect();
    files.sort();
    files
}

/// The lines of the day file without their time stamp: `INFO     os4x_proxyserver[4711] text`. Midnight may have
/// passed meanwhile.
fn lines(directory: &Path) -> Vec<String> {
    let text: String = files(directory, "os4x_proxyserver.log.").into_iter().map(|(_, text)| text).collect();
    text.lines().map(|line| line[22..].to_owned()).collect()
}

fn say_all() {
    crate::fatal!("one");
    crate::log_line!(Alert, "two");
    crate::log_line!(Crit, "three");
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
    init(settings(&stage())).unwrap();
    assert_eq!(level(), Priority::Info);
    say_all();
    for signal in 20..=24 {
        let priority = Priority::of_signal(signal).unwrap();
        change_level(priority);
        assert_eq!(level(), priority);
        say_all();
    }
    // A library's line, which is not ours to pass on.
    ::log::error!("Authorization: Basic c2VjcmV0");
}

#[test]
fn without_an_rc_file_info_goes_to_the_day_file_and_signals_change_that() {
    let scratch = Scratch::new("log-signals");
    finish(act("log::tests", "actor_says_all_at_each_signal", scratch.path()));
    let lines = lines(scratch.path());
    let counts: Vec<usize> =
        lines.split(|line| line.contains(" level level=")).map(<[String]>::len).collect();
    assert_eq!(counts, [7, 9, 8, 7, 4, 1]);
    assert!(lines.iter().any(|line| line.starts_with("TRACE    ") && line.ends_with("] level level=TRACE")));
    assert!(lines.iter().any(|line| line.starts_with("FATAL    ") && line.ends_with("] level level=FATAL")));
    assert!(!lines.iter().any(|line| line.contains("Authorization")));
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor_rereads() {
    let settings = settings(&stage());
    let file = settings.directory.join("os4x_proxyserver.logrc");
    // Each content has its own length, so that no clock tick can hide a change.
    let write = |text: &str| fs::write(&file, text).unwrap();
    write(&rc("warn"));
    init(settings).unwrap();
    crate::info!("below the level");
    reread_if_changed();
    write(&rc("debug"));
    crate::info!("not reread yet");
    reread_if_changed();
    crate::debug!("after the change");
    write("<log4c><category name=\"root\" priority=\"loud\"/></log4c>");
    reread_if_changed();
    reread_if_changed();
    crate::debug!("the old one stays");
    fs::remove_file(&file).unwrap();
    reread_if_changed();
    crate::debug!("and without a file too");
    set_level(Priority::Error);
    write(&rc("trace").replace("<log4c>", "<log4c><config><reread>0</reread></config>"));
    reread_if_changed();
    crate::debug!("a signal outlasts a reread");
    write(&rc("fatal"));
    reread_if_changed();
    crate::error!("no longer watched");
}

#[test]
fn a_changed_rc_file_takes_effect_and_a_broken_one_does_not() {
    let scratch = Scratch::new("log-reread");
    finish(act("log::tests", "actor_rereads", scratch.path()));
    let lines = lines(scratch.path());
    let texts: Vec<&str> = lines.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    let file = scratch.path().join("os4x_proxyserver.logrc");
    let file = file.display();
    let names = "fatal, alert, crit, error, warn, notice, info, debug, trace or notset";
    let taken = format!("logrc_taken file={file}");
    let reason = format!("{file}:1: <category name=\"root\">: priority=loud is not known; use {names}.");
    let refused = format!("logrc_refused reason={}", escape(&reason));
    let expected = [
        taken.as_str(),
        "after the change",
        &refused,
        "the old one stays",
        "and without a file too",
        "no longer watched",
    ];
    assert_eq!(texts, expected);
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor_stays_in_the_foreground() {
    init(Init { also_stderr: true, ..settings(&stage()) }).unwrap();
    crate::info!("to both");
    crate::debug!("to neither");
}

#[test]
fn in_the_foreground_lines_go_to_standard_error_too() {
    let scratch = Scratch::new("log-foreground");
    let output = finish(act("log::tests", "actor_stays_in_the_foreground", scratch.path()));
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.ends_with("] to both\n"), "{shown}");
    assert_eq!(shown.lines().count(), 1);
    assert_eq!(lines(scratch.path()).len(), 1);
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor_refuses_a_broken_file() {
    let settings = settings(&stage());
    fs::write(settings.directory.join("os4x_proxyserver.logrc"), "<log4c>\n<category>\n</log4c>").unwrap();
    let error = init(settings).unwrap_err();
    assert!(matches!(error, LogError::Xml { .. }));
    assert!(error.to_string().contains("os4x_proxyserver.logrc:3: "), "{error}");
    crate::fatal!("nobody listens, nobody minds");
}

#[test]
fn a_broken_rc_file_is_refused_at_start_and_nothing_is_written() {
    let scratch = Scratch::new("log-broken");
    finish(act("log::tests", "actor_refuses_a_broken_file", scratch.path()));
    assert_eq!(files(scratch.path(), "os4x_proxyserver.log.").len(), 0);
}

#[test]
#[ignore = "an actor of the other tests"]
fn actor_is_debugged_for_a_time() {
    init(settings(&stage())).unwrap();
    let now = Instant::now();
    let told = |seconds: Option<u64>, at: u64| {
        let left = seconds.map(Duration::from_secs);
        DebugTime { partner: "acme".to_owned(), left }.apply(now + Duration::from_secs(at));
    };
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    crate::debug!("not yet");
    assert_eq!(debug_until(now), None);
    told(Some(60), 0);
    crate::debug!("one");
    crate::trace!("too fine");
    // The same, from somebody else.
    told(Some(59), 1);
    assert_eq!(debug_until(at(59)), Some(at(60)));
    crate::debug!("two");
    assert_eq!(debug_until(at(60)), None);
    crate::debug!("over");
    // An administrator ends it, and what was not there needs no end.
    told(Some(60), 70);
    told(None, 71);
    told(None, 72);
    crate::debug!("over again");
    // A level that a signal has chosen stays, and a signal ends a raised level.
    set_level(Priority::Trace);
    told(Some(60), 80);
    crate::trace!("three");
    assert_eq!(debug_until(at(140)), None);
    crate::trace!("four");
    set_level(Priority::Error);
    told(Some(60), 150);
    crate::debug!("five");
    set_level(Priority::Error);
    assert_eq!(debug_until(at(151)), None);
    crate::info!("below what the signal chose");
    told(Some(60), 160);
    crate::debug!("six");
}

#[test]
fn debug_for_a_partner_adds_and_ends_by_itself() {
    let scratch = Scratch::new("log-debug");
    finish(act("log::tests", "actor_is_debugged_for_a_time", scratch.path()));
    let lines = lines(scratch.path());
    let texts: Vec<&str> = lines.iter().map(|line| line.split_once("] ").unwrap().1).collect();
    let begin = "debug_begin partner=acme seconds=60";
    let end = "debug_end partner=acme reason=\"its time is over\"";
    let ended = "debug_end partner=acme reason=\"an administrator has ended it\"";
    assert_eq!(
        texts,
        [begin, "one", "two", end, begin, ended, begin, "three", end, "four", begin, "five", begin, "six"]
    );
}
