//! Many sessions, at a time and in a row: all files whole, and nothing left over of any of them.

use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use t::oftp::codec::hex;
use t::oftp::settings::OutFile;
use t::peer::Partner;
use t::site::{Builder, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// How long all sessions together may take to be there at a time.
const GATHERING: Duration = Duration::from_secs(90);

/// A site that takes this many sessions of one partner at a time, from few addresses and all unverified at first.
fn site(name: &str, sessions: u32) -> Site {
    let most = sessions.to_string();
    ["sessions", "sessions_per_partner", "unverified_hard", "unverified_soft", "unverified_per_address"]
        .into_iter()
        .fold(Builder::new(name), |site, setting| site.setting(&format!("proxy_{setting}"), &most))
        .start()
        .unwrap()
}

/// What a parent has: its children and its open descriptors.
#[derive(Debug, PartialEq, Eq)]
struct Holdings([(usize, usize); 2]);

impl Holdings {
    /// Of both daemons, once the pool is full: four pairs, and the client's API worker.
    fn at_rest(site: &Site) -> Self {
        let descriptors = |pid: Pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        wait_for("the pool to be full and nothing else to run", || {
            let of = |role| (site.children(role).len(), descriptors(site.pid(role)));
            let now = [of(Role::Server), of(Role::Client)];
            let is_parked = |role| site.titled(role, "parked").len() == 4;
            let is_full = is_parked(Role::Server) && is_parked(Role::Client);
            (is_full && now.map(|(children, _)| children) == [4, 5]).then_some(Self(now))
        })
    }
}

/// Waits until the daemons hold what they held before, and have an end line for each session; holds the station's files
/// against the ones sent.
fn assert_all_arrived(site: &Site, before: &Holdings, sent: &BTreeMap<String, String>) {
    let station = site.station.as_ref().unwrap();
    let received: BTreeMap<String, String> = sent
        .iter()
        .map(|_| {
            let report = station.next_report(PATIENCE).unwrap();
            assert!(report.is_good() && report.received.len() == 1, "{report:?}");
            (report.received[0].id.name.clone(), report.received[0].sha256.clone())
        })
        .collect();
    assert_eq!(received, *sent);
    for role in [Role::Server, Role::Client] {
        wait_for("an end line of each session", || {
            let log = site.log(role);
            (log.matches(" session_end ").count() == sent.len()).then_some(())
        });
        let log = site.log(role);
        assert_eq!(log.matches(" session_begin ").count(), sent.len());
        assert_eq!(log.matches(" reason=normal ").count(), sent.len());
        for bad in [" session_refused ", " session_crashed ", " ERROR "] {
            assert!(!log.contains(bad), "{bad}");
        }
    }
    wait_for("what was held before, and no more", || (Holdings::at_rest(site) == *before).then_some(()));
}

fn file(number: u32) -> OutFile {
    OutFile::octets(&format!("FILE{number}"), number.to_le_bytes().repeat(1_000))
}

/// The name and SHA-256 of each file.
fn files(count: u32) -> BTreeMap<String, String> {
    let sha = |number: u32| hex(&openssl::sha::sha256(&number.to_le_bytes().repeat(1_000)));
    (0..count).map(|number| (format!("FILE{number}"), sha(number))).collect()
}

/// The same partner at another address.
fn from(partner: &Partner, last: u8) -> Partner {
    let mut partner = Partner::new(partner.dial.clone(), partner.settings.clone());
    partner.dial.from = Some(IpAddr::from([127, 0, 11, last]));
    partner
}

#[test]
fn two_hundred_sessions_at_a_time() {
    const SESSIONS: u32 = 200;
    let site = site("parallel-200", SESSIONS);
    let before = Holdings::at_rest(&site);
    let partner = site.partner("O0013ACME").unwrap();
    let gathered = Arc::new((Mutex::new(0), Condvar::new()));
    let calls: Vec<JoinHandle<_>> = (0..SESSIONS)
        .map(|number| {
            let mut own = from(&partner, 1 + u8::try_from(number % 10).unwrap());
            let gathered = Arc::clone(&gathered);
            own.settings.watch = Some(Arc::new(move |_| {
                // No file ends before each session has begun one.
                let (count, changed) = &*gathered;
                let mut here = count.lock().unwrap();
                *here += 1;
                changed.notify_all();
                let _ = changed.wait_timeout_while(here, GATHERING, |here| *here < SESSIONS).unwrap();
            }));
            spawn(move || own.send([file(number)]))
        })
        .collect();
    let mut receipts = 0;
    for call in calls {
        let report = call.join().unwrap();
        assert!(report.is_good(), "{report:?}");
        // It is one partner in many sessions: the station sends its receipts in any of them.
        receipts += report.receipts.len();
    }
    assert_eq!(receipts, SESSIONS as usize);
    assert!(*gathered.0.lock().unwrap() >= SESSIONS);
    assert_all_arrived(&site, &before, &files(SESSIONS));
    site.end();
}

#[test]
fn two_thousand_sessions_in_a_row() {
    const SESSIONS: u32 = 2_000;
    let site = site("row-2000", 200);
    let before = Holdings::at_rest(&site);
    let partner = site.partner("O0013ACME").unwrap();
    for number in 0..SESSIONS {
        let report = from(&partner, 1 + u8::try_from(number % 4).unwrap()).send([file(number)]);
        assert!(report.is_good() && report.receipts.len() == 1, "{report:?}");
    }
    assert_all_arrived(&site, &before, &files(SESSIONS));
    site.end();
}
