//! A partner, both daemons, a station: what a site is for.

use std::time::Duration;
use t::oftp::codec::hex;
use t::oftp::report::Fate;
use t::oftp::settings::OutFile;
use t::site::{Role, Site};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_file_goes_in_and_its_receipt_comes_back() {
    let mut site = Site::start("transfer").unwrap();
    let octets: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let report = site.partner("O0013ACME").unwrap().send([OutFile::octets("BIG", &octets[..])]);
    assert!(report.is_good(), "{report:?}");
    assert!(report.receipt_for(&report.sent[0].id).is_some(), "{report:?}");
    let station = site.station.as_ref().unwrap().next_report(PATIENCE).unwrap();
    assert_eq!(station.received[0].fate, Fate::Accepted);
    assert_eq!(station.received[0].sha256, hex(&openssl::sha::sha256(&octets)));
    for role in [Role::Server, Role::Client] {
        site.wait_log(role, "session_end*ssid=O0013ACME*files=1");
    }
    site.end();
}
