//! The server's parent process from its options to its end. It owns the PID file.

use crate::identity::Identity;
use crate::licence::{Licence, LicenceError};
use crate::options::Options;
use crate::parent::Parent;
use crate::unreported::Unreported;
use common::log::{Event, catalogue};
use common::net;
use common::process::drain::{self, Patience};
use common::process::end_reasons::Status;
use common::process::options::complain;
use common::process::pidfile::PidFile;
use common::process::site::Site;
use common::process::startup;
use common::sandbox::Support;
use common::session::end_lines::EndLines;
use std::error::Error;
use std::net::TcpListener;
use std::time::SystemTime;

/// Becomes the daemon; returns when it was told to end, or could not start.
pub(crate) fn run(site: &Site, options: &Options) -> Status {
    let Prepared { listener, identity, licence, patience } = match prepare(site, options) {
        Ok(prepared) => prepared,
        Err(reason) => return complain(site.program(), &reason, Status::Failed),
    };
    let started = match startup::become_daemon(site, options.mode) {
        Ok(started) => started,
        Err(status) => return status,
    };
    Event::new(&catalogue::DAEMON_START)
        .field("version", env!("CARGO_PKG_VERSION"))
        .field("user", &started.user)
        .field_display("sandbox", Support::of_kernel())
        .field_display("listen", options.internal)
        .log();
    let licence_file = options.licence.clone();
    let unreported = Unreported::at(site.file("untold"));
    let end_lines = EndLines::new(site.file("sessions"));
    let finish = match Parent::new(
        started.signals,
        listener,
        identity,
        (licence, licence_file),
        unreported,
        end_lines,
        patience.filter(|_| options.mode.attached()),
    ) {
        Ok(parent) => parent.run(started.ready),
        Err(e) => started.ready.give_up(site.program(), &e),
    };
    startup::stop(started.pid_file, &finish)
}

/// What a start needs before anything is changed.
struct Prepared {
    listener: TcpListener,
    identity: Identity,
    licence: Licence,
    patience: Patience,
}

/// Checks everything that can be wrong before anything is changed: the licence, another daemon, the port.
fn prepare(site: &Site, options: &Options) -> Result<Prepared, Box<dyn Error>> {
    let patience = drain::patience()?;
    let identity = Identity::load_or_create(&site.file("key"))?;
    let licence =
        licence(&identity, options).map_err(|e| format!("{e}\nOS4X Proxy ID: {}", identity.proxy_id))?;
    PidFile::check(&site.file("pid"))?;
    let listener = net::listen_at(options.internal)
        .map_err(|cause| format!("cannot listen for the client on {} (-i): {cause}", options.internal))?;
    Ok(Prepared { listener, identity, licence, patience })
}

fn licence(identity: &Identity, options: &Options) -> Result<Licence, LicenceError> {
    let licence = Licence::read(&options.licence)?;
    licence.check(identity, SystemTime::now())?;
    Ok(licence)
}
