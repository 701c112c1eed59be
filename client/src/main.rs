//! os4x_proxyclient2, the daemon inside: reads the command line and does what it asks for. The rest is in the modules.
#![forbid(unsafe_code)]

mod backend;
mod backend_url;
mod config_test;
mod daemon;
mod messages;
mod options;
mod parent;
mod session;

use common::process::end_reasons::Status;
use common::process::options::{complain, print};
use common::process::startup;
use common::sys;
use options::Action;

/// Wipes freed heap memory.
#[global_allocator]
static HEAP: sys::WipedHeap = sys::WipedHeap;

fn main() -> Status {
    let (site, arguments) = match startup::begin("os4x_proxyclient") {
        Ok(begun) => begun,
        Err(error) => return complain("os4x_proxyclient2", &error, Status::Failed),
    };
    match options::parse(&arguments) {
        Ok(Action::Help) => print(options::HELP),
        Ok(Action::Version) => print(options::VERSION),
        Ok(Action::Test) => config_test::run(&site),
        Ok(Action::Run(options)) => daemon::run(&site, options),
        Err(error) => complain(site.program(), &error, Status::Usage),
    }
}
