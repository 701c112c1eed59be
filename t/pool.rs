//! Pairs ahead of need: more of them while many sessions begin, and as few as before when that is over.

use std::thread;
use std::time::Duration;
use t::site::{Builder, Role, Site};
use t::wait::{wait_for, wait_slow};

/// Partners that connect at the same time.
const AT_ONCE: usize = 12;
/// How long a busy second is remembered.
const REMEMBERED: Duration = Duration::from_secs(30);

/// Parked children of both daemons.
fn parked(site: &Site) -> [usize; 2] {
    [Role::Server, Role::Client].map(|role| site.titled(role, "parked").len())
}

fn call_at_once(site: &Site) {
    let partners: Vec<_> = (0..AT_ONCE).map(|_| site.partner("O0013ACME").unwrap()).collect();
    let calls: Vec<_> = partners.into_iter().map(|partner| thread::spawn(move || partner.call())).collect();
    for call in calls {
        let report = call.join().unwrap();
        assert!(report.ending.is_normal(), "{report:?}");
    }
}

#[test]
fn the_pool_grows_while_partners_come_fast_and_shrinks_again() {
    let site = Builder::new("pool-grows").setting("proxy_max_parked_pairs", "8").start().unwrap();
    site.wait_idle();
    wait_for("more than four parked pairs", || {
        call_at_once(&site);
        parked(&site).iter().all(|count| *count > 4).then_some(())
    });
    assert!(parked(&site).iter().all(|count| *count <= 8), "{:?}", parked(&site));
    wait_slow(REMEMBERED, "four parked pairs", || (parked(&site) == [4, 4]).then_some(()));
    // Retired pairs are no failures.
    for role in [Role::Server, Role::Client] {
        assert!(!site.log(role).contains(" failed: "), "{}", site.log(role));
    }
    site.wait_idle();
    site.assert_works();
    site.end();
}
