//! What `-t` of both daemons does: looks at everything that a start needs, tells each part with its result, and begins
//! nothing. Creates no file, so it may be run as root beside a running daemon.

use super::pidfile::{Holder, PidFile, PidFileError};
use super::site::Site;
use super::status::Status;
use crate::log;
use std::fmt;
use std::io::{self, Write};

/// One run of `-t`.
#[derive(Debug)]
pub struct ConfigTest<'a> {
    site: &'a Site,
    has_failed: bool,
}

impl<'a> ConfigTest<'a> {
    /// Begins with what both daemons have: the log configuration.
    pub fn begin(site: &'a Site) -> Self {
        let mut test = Self { site, has_failed: false };
        let settings =
            log::Init { name: site.stem(), directory: site.directory().to_owned(), also_stderr: false };
        let checked = log::check(&settings);
        for warning in checked.as_ref().into_iter().flatten() {
            let _ = writeln!(io::stderr(), "{}: {warning}", site.program());
        }
        test.tell("log configuration", checked);
        test
    }

    /// Whether a daemon of this directory runs: then its port is taken. A PID file that would keep a start from
    /// succeeding is a fault.
    pub fn daemon_runs(&mut self) -> bool {
        match PidFile::check(&self.site.file("pid")) {
            Err(PidFileError::Exists { holder: Holder::Daemon(_), .. }) => true,
            checked => {
                self.tell("PID file", checked);
                false
            }
        }
    }

    /// Tells the result of one part: on standard output if all is well, else on standard error.
    pub fn tell<T>(&mut self, part: &str, result: Result<T, impl fmt::Display>) {
        // Nobody to tell it to is no fault: the exit status says it too.
        let _ = match result {
            Ok(_) => writeln!(io::stdout(), "{part}: ok"),
            Err(fault) => {
                self.has_failed = true;
                writeln!(io::stderr(), "{}: {part}: {fault}", self.site.program())
            }
        };
    }

    /// How the test went.
    pub fn status(&self) -> Status {
        if self.has_failed { Status::Failed } else { Status::Normal }
    }
}
