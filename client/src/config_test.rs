//! `-t`: checks everything that a start needs, without a start. The options, with the file of `-T`, were read before.

use common::process::config_test::ConfigTest;
use common::process::end_reasons::Status;
use common::process::options::print;
use common::process::site::Site;

/// Prints the results, good and bad.
pub(crate) fn run(site: &Site) -> Status {
    let mut test = ConfigTest::begin(site);
    if test.daemon_runs() {
        print("the daemon runs\n");
    }
    test.status()
}
