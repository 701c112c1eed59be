//! The client's parent process from its options to its end. It owns the PID file and its signals.

use crate::options::Options;
use common::exit::Status;
use common::log::{Event, change_level, events};
use common::options::complain;
use common::pidfile::PidFile;
use common::signals::{self, Signal, Signals};
use common::site::Site;
use common::startup;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;

/// Becomes the daemon; returns when it was told to end, or could not start.
pub(crate) fn run(site: &Site, options: &Options) -> Status {
    if let Err(error) = PidFile::check(&site.file("pid")) {
        return complain(site.program(), &error, Status::Failed);
    }
    let mut daemon = match startup::become_daemon(site, options.mode) {
        Ok(daemon) => daemon,
        Err(status) => return status,
    };
    Event::new(events::DAEMON_START)
        .field("version", env!("CARGO_PKG_VERSION"))
        .field_display("user", daemon.user)
        .info();
    daemon.ready.tell();
    let end = match until_end(&mut daemon.signals) {
        Ok(end) => end,
        Err(error) => {
            common::fatal!("cannot wait for signals: {error}");
            return Status::Failed;
        }
    };
    startup::stop(daemon.pid_file, end);
    Status::Normal
}

fn until_end(signals: &mut Signals) -> io::Result<signals::End> {
    loop {
        poll(&mut [PollFd::new(signals.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)?;
        while let Some(signal) = signals.next_signal()? {
            match signal {
                Signal::Level(level) => change_level(level),
                Signal::End(end) => return Ok(end),
                Signal::Child => {}
            }
        }
    }
}
