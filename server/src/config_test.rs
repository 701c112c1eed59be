//! `-t`: what a start would need, looked at without a start. `daemon` does it in earnest.

use crate::identity::Identity;
use crate::licence::Licence;
use crate::options::Options;
use common::net;
use common::process::config_test::ConfigTest;
use common::process::options::print;
use common::process::site::Site;
use common::process::status::Status;
use std::time::SystemTime;

/// Tells what is right and what is wrong.
pub(crate) fn run(site: &Site, options: &Options) -> Status {
    let mut test = ConfigTest::begin(site);
    let identity = match Identity::load(&site.file("key")) {
        Ok(Some(identity)) => Ok(identity),
        Ok(None) => Err("there is none yet; -L makes it and prints the OS4X Proxy ID".to_owned()),
        Err(fault) => Err(fault.to_string()),
    };
    test.tell("identity", identity.as_ref());
    let licence = Licence::read(&options.licence);
    match &identity {
        Ok(own) => test.tell("license", licence.and_then(|licence| licence.check(own, SystemTime::now()))),
        // It cannot be compared with the key.
        Err(_) => test.tell("license", licence),
    }
    if test.daemon_runs() {
        print("port for internal connections: not tried, the daemon runs\n");
    } else {
        let listener = net::listen_at(options.internal);
        let fault = |cause| format!("cannot listen on {} (-i): {cause}", options.internal);
        test.tell("port for internal connections", listener.map_err(fault));
    }
    test.status()
}
