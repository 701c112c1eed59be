//! The option `-t` of both daemons: checks everything that a start needs, prints the result of each part, and starts
//! nothing. Creates no file, so root may run it while the daemon runs.

use super::end_reasons::Status;
use super::pidfile::{Holder, PidFile, PidFileError};
use super::site::Site;
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
    /// Begins with the part that both daemons have: the log configuration.
    pub fn begin(site: &'a Site) -> Self {
        let mut test = Self { site, has_failed: false };
        let settings =
            log::Init { name: site.stem(), directory: site.directory().to_owned(), also_stderr: false };
        let checked = log::check(&settings);
        for warning in checked.as_ref().into_iter().flatten() {
            let _ = writeln!(io::stderr(), "{}: {warning}", site.program());
        }
        test.print_result("log configuration", checked);
        test
    }

    /// Whether a daemon of this directory runs: then its port is in use. A PID file that would prevent a start is a
    /// fault.
    pub fn daemon_runs(&mut self) -> bool {
        match PidFile::check(&self.site.file("pid")) {
            Err(PidFileError::Exists { holder: Holder::Daemon(_), .. }) => true,
            checked => {
                self.print_result("PID file", checked);
                false
            }
        }
    }

    /// Prints the result of one part: on standard output if it is good, otherwise on standard error.
    pub fn print_result<T>(&mut self, part: &str, result: Result<T, impl fmt::Display>) {
        // A failed write is no fault of the test: the exit status gives the result, too.
        let _ = match result {
            Ok(_) => writeln!(io::stdout(), "{part}: ok"),
            Err(fault) => {
                self.has_failed = true;
                writeln!(io::stderr(), "{}: {part}: {fault}", self.site.program())
            }
        };
    }

    /// The result of the test.
    pub fn status(&self) -> Status {
        if self.has_failed { Status::Failed } else { Status::Normal }
    }
}
