//! The log of a running daemon: what its rc file chooses, and what a change of that file does.

use nix::sys::signal::{Signal, kill};
use std::fs;
use std::net::TcpStream;
use t::installation::Installation;
use t::loglines::Line;
use t::wait::wait_for;

const STEM: &str = "os4x_proxyserver";

/// An rc file by which the server's lines from `priority` on go to `appender`, which `definition` defines.
fn rc(priority: &str, appender: &str, definition: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\n<!DOCTYPE log4c SYSTEM \"\">\n<log4c version=\"1.2.4\">\n\
         <category name=\"{STEM}\" priority=\"{priority}\" appender=\"{appender}\"/>\n{definition}\n</log4c>\n"
    )
}

fn write_rc(installation: &Installation, text: &str) {
    fs::write(installation.file("os4x_proxyserver.logrc"), text).unwrap();
}

fn start(installation: &Installation) {
    let output = installation.server().unwrap().output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

/// An idle server looks at its rc file when something happens: a connection that ends at once.
fn wake(installation: &Installation) {
    drop(TcpStream::connect(installation.internal).unwrap());
}

#[test]
fn the_rc_file_beside_the_binary_chooses_level_file_and_layout() {
    let installation = Installation::new("logrc").unwrap();
    let definition = "<appender name=\"window\" type=\"rollingfile\" prefix=\"window\" layout=\"dated\"/>";
    write_rc(&installation, &rc("debug", "window", definition));
    start(&installation);
    kill(installation.pid(STEM).unwrap(), Signal::SIGHUP).unwrap();
    // DEBUG, so the end is there too.
    let text = wait_for("daemon_stop in the rolling file", || {
        fs::read_to_string(installation.file("window.0")).ok().filter(|text| text.contains("daemon_stop "))
    });
    assert!(
        text.lines().any(|line| line.contains(" INFO     os4x_proxyserver.daemon- daemon_start ")),
        "{text}"
    );
    assert!(
        text.lines().any(|line| line.contains(" DEBUG    os4x_proxyserver.daemon- daemon_stop ")),
        "{text}"
    );
    assert_eq!(installation.log(STEM), "");
}

#[test]
fn a_changed_rc_file_takes_effect_in_the_running_daemon_and_a_broken_one_does_not() {
    let installation = Installation::new("reread").unwrap();
    start(&installation);
    write_rc(&installation, &rc("info", "no-such-appender", ""));
    wake(&installation);
    let refused = installation.wait_for_log(STEM, "logrc_refused");
    let reason = Line::read(&refused).unwrap().field("reason").unwrap();
    assert!(reason.contains("os4x_proxyserver.logrc:4: <category name=\"os4x_proxyserver\">: "), "{reason}");
    write_rc(&installation, &rc("debug", "os4x_appender", "<!-- changed -->"));
    wake(&installation);
    installation.wait_for_log(STEM, "logrc_taken");
    kill(installation.pid(STEM).unwrap(), Signal::SIGHUP).unwrap();
    installation.wait_for_log(STEM, "daemon_stop");
}
