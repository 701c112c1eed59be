//! The server's parent process from its options to its end. It owns the PID file, the internal listener and its signals.

use crate::identity::Identity;
use crate::licence::{Licence, LicenceError};
use crate::options::Options;
use common::exit::Status;
use common::log::{Event, change_level, events};
use common::options::complain;
use common::pidfile::PidFile;
use common::signals::{self, Signal, Signals};
use common::site::Site;
use common::startup;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::error::Error;
use std::io;
use std::net::TcpListener;
use std::os::fd::AsFd;
use std::time::SystemTime;

/// Becomes the daemon; returns when it was told to end, or could not start.
pub(crate) fn run(site: &Site, options: &Options) -> Status {
    let internal = match prepare(site, options) {
        Ok(internal) => internal,
        Err(reason) => return complain(site.program(), &reason, Status::Failed),
    };
    let mut daemon = match startup::become_daemon(site, options.mode) {
        Ok(daemon) => daemon,
        Err(status) => return status,
    };
    Event::new(events::DAEMON_START)
        .field("version", env!("CARGO_PKG_VERSION"))
        .field_display("user", daemon.user)
        .field_display("listen", options.internal)
        .info();
    daemon.ready.tell();
    let end = match until_end(&mut daemon.signals) {
        Ok(end) => end,
        Err(error) => {
            common::fatal!("cannot wait for signals: {error}");
            return Status::Failed;
        }
    };
    drop(internal);
    startup::stop(daemon.pid_file, end);
    Status::Normal
}

/// What can go wrong before anything is begun: the licence, another daemon, the port.
fn prepare(site: &Site, options: &Options) -> Result<TcpListener, Box<dyn Error>> {
    let identity = Identity::load_or_create(&site.file("key"))?;
    licence(&identity, options).map_err(|error| format!("{error}\nOS4X Proxy ID: {}", identity.proxy_id))?;
    PidFile::check(&site.file("pid"))?;
    TcpListener::bind(options.internal)
        .map_err(|cause| format!("cannot listen for the client on {} (-i): {cause}", options.internal).into())
}

fn licence(identity: &Identity, options: &Options) -> Result<Licence, LicenceError> {
    let licence = Licence::read(&options.licence)?;
    licence.check(identity, SystemTime::now())?;
    Ok(licence)
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
