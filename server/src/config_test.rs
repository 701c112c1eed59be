//! `-t`: checks everything that a start needs, without a start. `daemon` does the real start.

use crate::identity::Identity;
use crate::licence::Licence;
use crate::options::Options;
use common::net;
use common::process::config_test::ConfigTest;
use common::process::end_reasons::Status;
use common::process::options::print;
use common::process::site::Site;
use std::time::SystemTime;

/// Prints the results, good and bad.
pub(crate) fn run(site: &Site, options: &Options) -> Status {
    let mut test = ConfigTest::begin(site);
    let identity = match Identity::load(&site.file("key")) {
        Ok(Some(identity)) => Ok(identity),
        Ok(None) => Err("there is none yet; -L makes it and prints the OS4X Proxy ID".to_owned()),
        Err(fault) => Err(fault.to_string()),
    };
    test.print_result("identity", identity.as_ref());
    let licence = Licence::read(&options.licence);
    match &identity {
        Ok(own) => {
            test.print_result("license", licence.and_then(|licence| licence.check(own, SystemTime::now())));
        }
        // Without a readable licence it cannot be compared with the key.
        Err(_) => test.print_result("license", licence),
    }
    if test.daemon_runs() {
        print("port for internal connections: not tried, the daemon runs\n");
    } else {
        let listener = net::listen_at(options.internal);
        let fault = |cause| format!("cannot listen on {} (-i): {cause}", options.internal);
        test.print_result("port for internal connections", listener.map_err(fault));
    }
    test.status()
}
