//! os4x_proxyserver2, the daemon in the DMZ: reads the command line and does what it asks for. Longer work is in the
//! modules.
#![forbid(unsafe_code)]

mod active_config;
mod addresses;
mod config_test;
mod credentials;
mod daemon;
mod identity;
mod licence;
mod messages;
mod options;
mod parent;
mod report_notes;
mod session;
mod tls;
mod unreported;

use common::process::end_reasons::Status;
use common::process::options::{complain, print};
use common::process::site::Site;
use common::process::startup;
use common::sys;
use identity::Identity;
use licence::Licence;
use options::Action;
use std::fmt;
use std::path::Path;
use std::time::SystemTime;

/// Wipes freed heap memory.
#[global_allocator]
static HEAP: sys::WipedHeap = sys::WipedHeap;

fn main() -> Status {
    let (site, arguments) = match startup::begin("os4x_proxyserver") {
        Ok(begun) => begun,
        Err(error) => return complain("os4x_proxyserver2", &error, Status::Failed),
    };
    match options::parse(&arguments) {
        Ok(Action::Help) => print(options::HELP),
        Ok(Action::Version) => print(options::VERSION),
        Ok(Action::ProxyId) => proxy_id(&site),
        Ok(Action::Validity(licence)) => validity(&site, &licence),
        Ok(Action::Test(options)) => config_test::run(&site, &options),
        Ok(Action::Run(options)) => daemon::run(&site, &options),
        Err(error) => complain(site.program(), &error, Status::Usage),
    }
}

fn proxy_id(site: &Site) -> Status {
    match Identity::load_or_create(&site.file("key")) {
        Ok(identity) => print(&format!("OS4X Proxy ID: {}\n", identity.proxy_id)),
        Err(error) => complain(site.program(), &error, Status::Failed),
    }
}

fn validity(site: &Site, path: &Path) -> Status {
    let fail = |reason: &dyn fmt::Display| complain(site.program(), reason, Status::Failed);
    let identity = match Identity::load(&site.file("key")) {
        Ok(identity) => identity,
        Err(error) => return fail(&error),
    };
    let licence = Licence::read(path);
    if let Ok(licence) = &licence {
        print(&licence.to_string());
    }
    let Some(identity) = identity else {
        print("This server's OS4X Proxy ID: none yet, -L makes it\n");
        return match licence {
            Ok(_) => fail(&"the licence is for another server: this one has no OS4X Proxy ID yet"),
            Err(error) => fail(&error),
        };
    };
    match licence.and_then(|licence| licence.check(&identity, SystemTime::now())) {
        Ok(()) => print("The licence is valid.\n"),
        Err(error) => {
            print(&format!("This server's OS4X Proxy ID: {}\n", identity.proxy_id));
            fail(&error)
        }
    }
}
