//! Many sessions, at the same time and one after the other: all files arrive completely, and nothing is left over.

use crate::outward;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use oftp2peer::oftp::codec::hex;
use oftp2peer::oftp::report::Report;
use oftp2peer::oftp::settings::{OutFile, Settings};
use oftp2peer::{Partner, Running};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{JoinHandle, spawn};
use std::time::Duration;
use t::site::{Builder, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// Time limit until all sessions run at the same time.
const GATHERING: Duration = Duration::from_secs(90);

/// The number of callers that may connect at the same time: a join has its own time limit, even on a slow machine.
const AT_THE_DOOR: u32 = 24;
/// Time limits of the peers in many sessions.
const LONG: Duration = Duration::from_mins(3);

/// A site that accepts this many sessions of one partner at the same time, from few addresses and all unverified at
/// first.
fn busy(name: &str, sessions: u32) -> Builder {
    let most = sessions.to_string();
    ["sessions", "sessions_per_partner", "unverified_hard", "unverified_soft", "unverified_per_address"]
        .into_iter()
        .fold(Builder::new(name), |site, setting| site.setting(&format!("proxy_{setting}"), &most))
}

/// The number of children and of open descriptors of each parent.
#[derive(Debug, PartialEq, Eq)]
struct Holdings([(usize, usize); 2]);

impl Holdings {
    /// Of both daemons, once the pool is full with this number of pairs, and the client has its API worker.
    fn at_rest(site: &Site, pairs: usize) -> Self {
        let descriptors = |pid: Pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        wait_for("the pool to be full and nothing else to run", || {
            let of = |role| (site.children(role).len(), descriptors(site.pid(role)));
            let now = [of(Role::Server), of(Role::Client)];
            let is_parked = |role| site.titled(role, "parked").len() == pairs;
            let is_full = is_parked(Role::Server) && is_parked(Role::Client);
            (is_full && now.map(|(children, _)| children) == [pairs, pairs + 1]).then_some(Self(now))
        })
    }
}

/// Compares the files that a Responder got, one in each session, with the sent ones.
fn assert_all_arrived(responder: &Running, sent: &BTreeMap<String, String>) {
    let received: BTreeMap<String, String> = sent
        .iter()
        .map(|_| {
            let report = responder.next_report(PATIENCE).unwrap();
            assert!(report.is_good() && report.received.len() == 1, "{report:?}");
            (report.received[0].id.name.clone(), report.received[0].sha256.clone())
        })
        .collect();
    assert_eq!(received, *sent);
}

/// Waits until the daemons have an end line for each session, and no more children and descriptors than before.
fn assert_nothing_is_left(site: &Site, sessions: usize, before: &Holdings, pairs: usize) {
    for role in [Role::Server, Role::Client] {
        wait_for("an end line of each session", || {
            let log = site.log(role);
            (log.matches(" session_end ").count() == sessions).then_some(())
        });
        let log = site.log(role);
        assert_eq!(log.matches(" session_begin ").count(), sessions);
        assert_eq!(log.matches(" reason=normal ").count(), sessions);
        for bad in [" session_refused ", " session_crashed ", " ERROR ", " FATAL "] {
            assert!(!log.contains(bad), "{bad}");
        }
    }
    wait_for("what was held before, and no more", || {
        (Holdings::at_rest(site, pairs) == *before).then_some(())
    });
}

fn file(number: u32) -> OutFile {
    OutFile::octets(&format!("FILE{number}"), number.to_le_bytes().repeat(1_000))
}

/// The name and SHA-256 of each file.
fn files(numbers: Range<u32>) -> BTreeMap<String, String> {
    let sha = |number: u32| hex(&openssl::sha::sha256(&number.to_le_bytes().repeat(1_000)));
    numbers.map(|number| (format!("FILE{number}"), sha(number))).collect()
}

/// The same partner at another address.
fn from(partner: &Partner, last: u8) -> Partner {
    let mut partner = Partner::new(partner.dial.clone(), partner.settings.clone());
    partner.dial.from = Some(IpAddr::from([127, 0, 11, last]));
    partner
}

/// Waits until the backend lists each session with its file and a regular end.
fn assert_listed(site: &Site, sessions: usize) {
    let good = |one: &&Value| {
        (&one["state"], &one["reason"], &one["files"]) == (&"ended".into(), &"normal".into(), &1.into())
    };
    wait_for("all sessions in the list", || {
        let listed = site.api(&["sessions", "--limit", "1000", "--json"]).unwrap();
        let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
        (listed.len() == sessions && listed.iter().filter(good).count() == sessions).then_some(())
    });
}

/// Callers that connect a few at a time; none ends before all are connected.
struct Crowd {
    size: u32,
    /// Number of callers that were started, and of callers whose file has begun.
    counts: Mutex<(u32, u32)>,
    changed: Condvar,
}

impl Crowd {
    fn new(size: u32) -> Arc<Self> {
        Arc::new(Self { size, counts: Mutex::default(), changed: Condvar::new() })
    }

    fn come_in(&self) {
        let few = |(gone, here): &mut (u32, u32)| *gone - *here >= AT_THE_DOOR;
        let counts = self.counts.lock().unwrap();
        let (mut counts, _) = self.changed.wait_timeout_while(counts, GATHERING, few).unwrap();
        counts.0 += 1;
    }

    fn gather(&self) {
        let mut counts = self.counts.lock().unwrap();
        counts.1 += 1;
        self.changed.notify_all();
        let _ = self.changed.wait_timeout_while(counts, GATHERING, |(_, here)| *here < self.size).unwrap();
    }

    fn is_complete(&self) -> bool {
        self.counts.lock().unwrap().1 >= self.size
    }
}

/// A call with this file that ends when all callers are there.
fn join(crowd: &Arc<Crowd>, mut caller: Partner, number: u32) -> JoinHandle<Report> {
    caller.dial.timeout = LONG;
    caller.settings.timeout = LONG;
    let (own, at_file) = (Arc::clone(crowd), Arc::clone(crowd));
    caller.settings.watch = Some(Arc::new(move |progress| {
        if progress.sending {
            at_file.gather();
        }
    }));
    spawn(move || {
        own.come_in();
        caller.send([file(number)])
    })
}

#[test]
fn two_hundred_sessions_inward_and_a_hundred_outward_at_a_time() {
    const INWARD: u32 = 200;
    const OUTWARD: u32 = 100;
    // Each session needs three descriptors of this process.
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most.min(16_384), most).unwrap();
    let station = Settings { timeout: LONG, ..Settings::new("O0013STATION", "STATION") };
    let seconds = ["handshake", "ssid", "station"].map(|limit| format!("proxy_{limit}_seconds"));
    let site =
        seconds.iter().fold(busy("crowd", INWARD).outgoing(), |site, limit| site.setting(limit, "120"));
    let site = site.station(Some(station)).setting("proxy_outgoing_sessions", &OUTWARD.to_string());
    let site = site.prepare().unwrap();
    let acme = Settings { timeout: LONG, ..outward::acme() };
    let partner = outward::listening(acme, Some(outward::tls(&site, &outward::certificate(&site))));
    let site = outward::launch(site, &partner, &[]);
    let before = Holdings::at_rest(&site, 8);
    let crowd = Crowd::new(INWARD + OUTWARD);
    let inward = site.partner("O0013ACME").unwrap();
    let calls: Vec<JoinHandle<Report>> = (0..INWARD + OUTWARD)
        .map(|number| {
            // Both kinds alternate.
            let caller = if number % 3 == 0 {
                outward::station(&"acme", outward::connect(&site))
            } else {
                from(&inward, 1 + u8::try_from(number % 10).unwrap())
            };
            join(&crowd, caller, number)
        })
        .collect();
    let mut receipts = [0, 0];
    for (number, call) in calls.into_iter().enumerate() {
        let report = call.join().unwrap();
        assert!(report.is_good(), "{report:?}");
        // All sessions belong to one peer, which sends its receipts in any of them.
        receipts[usize::from(number % 3 == 0)] += report.receipts.len();
    }
    assert!(crowd.is_complete());
    assert_eq!(receipts, [INWARD as usize, OUTWARD as usize]);
    let (out, into): (BTreeMap<_, _>, BTreeMap<_, _>) = files(0..INWARD + OUTWARD)
        .into_iter()
        .partition(|(name, _)| name.trim_start_matches("FILE").parse::<u32>().unwrap() % 3 == 0);
    assert_all_arrived(site.station.as_ref().unwrap(), &into);
    assert_all_arrived(&partner, &out);
    assert_nothing_is_left(&site, (INWARD + OUTWARD) as usize, &before, 8);
    assert_listed(&site, (INWARD + OUTWARD) as usize);
    site.end();
}

#[test]
fn two_thousand_sessions_in_a_row() {
    const SESSIONS: u32 = 2_000;
    let site = busy("row-2000", 200).start().unwrap();
    let before = Holdings::at_rest(&site, 4);
    let partner = site.partner("O0013ACME").unwrap();
    for number in 0..SESSIONS {
        let report = from(&partner, 1 + u8::try_from(number % 4).unwrap()).send([file(number)]);
        assert!(report.is_good() && report.receipts.len() == 1, "{report:?}");
    }
    assert_all_arrived(site.station.as_ref().unwrap(), &files(0..SESSIONS));
    assert_nothing_is_left(&site, SESSIONS as usize, &before, 4);
    site.end();
}
