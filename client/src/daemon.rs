//! The client's parent process from its options to its end. It owns the PID file.

use crate::backend::Access;
use crate::options::Options;
use crate::parent::{Parent, Setup};
use common::log::{Event, catalogue};
use common::process::drain;
use common::process::end_reasons::Status;
use common::process::options::complain;
use common::process::pidfile::PidFile;
use common::process::site::Site;
use common::process::startup;
use common::sandbox::Support;
use common::session::end_lines::EndLines;

/// Becomes the daemon; returns when it was told to end, could not start, or lost the server.
pub(crate) fn run(site: &Site, options: Options) -> Status {
    if let Err(error) = PidFile::check(&site.file("pid")) {
        return complain(site.program(), &error, Status::Failed);
    }
    let patience = match drain::patience() {
        Ok(patience) => patience,
        Err(error) => return complain(site.program(), &error, Status::Failed),
    };
    let started = match startup::become_daemon(site, options.mode) {
        Ok(started) => started,
        Err(status) => return status,
    };
    Event::new(&catalogue::DAEMON_START)
        .field("version", env!("CARGO_PKG_VERSION"))
        .field("user", &started.user)
        .field_display("sandbox", Support::of_kernel())
        .log();
    let Options { backends, token, name, servers, outgoing, mode } = options;
    let access = Access { backends, name, token };
    let setup = Setup { access, source: outgoing, program: site.program().to_owned() };
    let end_lines = EndLines::new(site.file("sessions"));
    let patience = patience.filter(|_| mode.attached());
    let finish = match Parent::new(started.signals, setup, servers, end_lines, patience) {
        Ok(parent) => parent.run(started.ready),
        Err(e) => started.ready.give_up(site.program(), &e),
    };
    startup::stop(started.pid_file, &finish)
}
