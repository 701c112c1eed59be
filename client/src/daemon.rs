//! The client's parent process from its options to its end. It owns the PID file.

use crate::backend::Access;
use crate::options::Options;
use crate::parent::{Parent, Route};
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
    let Options { backend, token, server_host, server_port, outgoing, mode } = options;
    let access = Access { url: backend.url, credentials: backend.credentials, token };
    let route = Route { host: server_host, port: server_port, source: outgoing };
    let end_lines = EndLines::new(site.file("sessions"));
    let finish = match Parent::new(
        started.signals,
        access,
        route,
        site.program(),
        end_lines,
        patience.filter(|_| mode.attached()),
    ) {
        Ok(parent) => parent.run(started.ready),
        Err(e) => started.ready.give_up(site.program(), &e),
    };
    startup::stop(started.pid_file, &finish)
}
