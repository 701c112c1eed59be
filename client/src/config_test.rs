//! `-t`: what a start would need, looked at without a start. The options were read by then, with the file of `-T`.

use common::process::config_test::ConfigTest;
use common::process::options::print;
use common::process::site::Site;
use common::process::status::Status;

/// Tells what is right and what is wrong.
pub(crate) fn run(site: &Site) -> Status {
    let mut test = ConfigTest::begin(site);
    if test.daemon_runs() {
        print("the daemon runs\n");
    }
    test.status()
}
