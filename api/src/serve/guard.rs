//! Counts connections, and calls without the right token, for each address, and says which are too many. The tasks of
//! the accept loop and `api` ask it. Holds only numbers, in limited memory, and never refuses a caller with the token.

use common::quota::Quota;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// Most connections of one address. Beyond that, the oldest connection that has not shown the token is closed.
const CONNECTIONS: usize = 64;
/// Bad calls of one address within `WINDOW` that are answered and logged one by one. After more bad calls the address
/// is locked until it has made none for `WINDOW`.
const BAD_CALLS: u64 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// Locked addresses within `ALERTS_IN` that are reported to the operator.
const ALERTS: u64 = 20;
const ALERTS_IN: Duration = Duration::from_hours(1);
/// Most addresses that are remembered; if there are more, the counting starts again.
const ADDRESSES: usize = 10_000;

/// The counters.
pub(crate) struct Guard {
    /// The oldest first.
    connections: Mutex<HashMap<IpAddr, Vec<Arc<Place>>>>,
    bad_calls: Mutex<HashMap<IpAddr, BadCalls>>,
    alerts: Mutex<Quota>,
}

impl Default for Guard {
    fn default() -> Self {
        let (connections, bad_calls) = (Mutex::default(), Mutex::default());
        Self { connections, bad_calls, alerts: Mutex::new(Quota::new(ALERTS, ALERTS_IN)) }
    }
}

/// The bad calls of an address.
struct BadCalls {
    first: Instant,
    last: Instant,
    count: u64,
}

impl BadCalls {
    fn is_over(&self, now: Instant) -> bool {
        let since = if self.count > BAD_CALLS { self.last } else { self.first };
        now.duration_since(since) >= WINDOW
    }
}

/// The end of a lock: the address made no bad call for `WINDOW`, or the service ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quiet {
    pub(crate) address: IpAddr,
    /// Bad calls in all.
    pub(crate) count: u64,
    /// Time from the first to the last one.
    pub(crate) lasted: Duration,
}

/// The place of an admitted connection; it is free again when this is dropped.
pub(crate) struct Seat<'a> {
    guard: &'a Guard,
    address: IpAddr,
    place: Arc<Place>,
}

impl Seat<'_> {
    /// Its place, for the handlers of its calls.
    pub(crate) fn place(&self) -> Arc<Place> {
        Arc::clone(&self.place)
    }

    /// Waits until another connection of its address needs its place.
    pub(crate) async fn is_needed(&self) {
        self.place.needed.notified().await;
    }
}

/// The state of a connection.
#[derive(Default)]
pub(crate) struct Place {
    is_known: AtomicBool,
    needed: Notify,
}

impl Place {
    /// The caller has shown the token: this connection is not closed for another one.
    pub(crate) fn keep(&self) {
        self.is_known.store(true, Ordering::Relaxed);
    }
}

/// How a call without the right token is treated.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Answer with the reason, and log it.
    Log,
    /// The first call beyond the limit: answer 429, and log that further ones will not be logged. Whether to alert the
    /// operator.
    LogLast(bool),
    /// Answer 429.
    Quiet,
}

impl Guard {
    /// Takes a place for a connection from `address`. If the address has too many, the oldest one that has not shown
    /// the token is closed; none if all have shown it.
    pub(crate) fn admit(&self, address: IpAddr) -> Option<Seat<'_>> {
        let mut connections = self.connections.lock().ok()?;
        let places = connections.entry(address).or_default();
        if places.len() >= CONNECTIONS {
            let oldest = places.iter().position(|place| !place.is_known.load(Ordering::Relaxed))?;
            places.remove(oldest).needed.notify_one();
        }
        let place = Arc::new(Place::default());
        places.push(Arc::clone(&place));
        Some(Seat { guard: self, address, place })
    }

    /// Counts a call without the right token from `address` (IPv6: from its /64, which belongs to one customer).
    pub(crate) fn bad_call(&self, address: IpAddr, now: Instant) -> Verdict {
        let address = network(address);
        let Ok(mut bad) = self.bad_calls.lock() else { return Verdict::Log };
        if bad.len() >= ADDRESSES && !bad.contains_key(&address) {
            bad.clear();
        }
        let calls = bad.entry(address).or_insert(BadCalls { first: now, last: now, count: 0 });
        // A locked address is left for `tidy`, which reports the end of the lock.
        if calls.count <= BAD_CALLS && calls.is_over(now) {
            (calls.first, calls.count) = (now, 0);
        }
        (calls.last, calls.count) = (now, calls.count.saturating_add(1));
        match calls.count {
            ..=BAD_CALLS => Verdict::Log,
            count if count == BAD_CALLS + 1 => Verdict::LogLast(self.may_alert(now)),
            _ => Verdict::Quiet,
        }
    }

    /// Whether calls of this address are not answered one by one any more.
    pub(crate) fn is_locked(&self, address: IpAddr, now: Instant) -> bool {
        let bad = self.bad_calls.lock();
        bad.is_ok_and(|bad| {
            bad.get(&network(address)).is_some_and(|calls| calls.count > BAD_CALLS && !calls.is_over(now))
        })
    }

    /// Callers with many addresses cannot fill the system log.
    fn may_alert(&self, now: Instant) -> bool {
        self.alerts.lock().is_ok_and(|mut alerts| alerts.take(1, now))
    }

    /// Forgets expired entries; gives the locks that have ended.
    pub(crate) fn tidy(&self, now: Instant) -> Vec<Quiet> {
        self.end(|calls| calls.is_over(now))
    }

    /// The same for all of them, when the service ends.
    pub(crate) fn end_all(&self) -> Vec<Quiet> {
        self.end(|_| true)
    }

    fn end(&self, is_over: impl Fn(&BadCalls) -> bool) -> Vec<Quiet> {
        let Ok(mut bad) = self.bad_calls.lock() else { return Vec::new() };
        let over = bad.extract_if(|_, calls| is_over(calls));
        let quiet = over.filter(|(_, calls)| calls.count > BAD_CALLS).map(|(address, calls)| Quiet {
            address,
            count: calls.count,
            lasted: calls.last.duration_since(calls.first),
        });
        quiet.collect()
    }
}

/// The address of an IPv4 host, or of an IPv6 host's /64.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => IpAddr::from((u128::from(v6) & !u128::from(u64::MAX)).to_be_bytes()),
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let Ok(mut connections) = self.guard.connections.lock() else { return };
        if let Some(places) = connections.get_mut(&self.address) {
            places.retain(|place| !Arc::ptr_eq(place, &self.place));
            if places.is_empty() {
                connections.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ALERTS, BAD_CALLS, CONNECTIONS, Guard, Quiet, Verdict, WINDOW};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Instant;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn one_address_cannot_take_the_seats_of_another() {
        let guard = Guard::default();
        let mut seats: Vec<_> = (0..CONNECTIONS).map(|_| guard.admit(ONE).unwrap()).collect();
        for seat in &seats {
            seat.place().keep();
        }
        assert!(guard.admit(ONE).is_none());
        assert!(guard.admit(OTHER).is_some());
        seats.pop();
        assert!(guard.admit(ONE).is_some());
    }

    #[test]
    fn the_oldest_without_the_token_gives_way() {
        let guard = Guard::default();
        let seats: Vec<_> = (0..CONNECTIONS).map(|_| guard.admit(ONE).unwrap()).collect();
        seats[0].place().keep();
        let more = [guard.admit(ONE).unwrap(), guard.admit(ONE).unwrap()];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for oldest in &seats[1..=more.len()] {
            runtime.block_on(oldest.is_needed());
        }
        drop(seats);
        assert_eq!(guard.connections.lock().unwrap()[&ONE].len(), more.len());
    }

    #[test]
    fn all_addresses_of_one_ipv6_network_count_as_one() {
        let guard = Guard::default();
        let now = Instant::now();
        let host = |text: &str| text.parse::<IpAddr>().unwrap();
        for number in 0..=BAD_CALLS {
            guard.bad_call(host(&format!("2001:db8::{number}")), now);
        }
        assert_eq!(guard.bad_call(host("2001:db8::ffff"), now), Verdict::Quiet);
        assert_eq!(guard.bad_call(host("2001:db8:0:1::1"), now), Verdict::Log);
    }

    #[test]
    fn bad_calls_are_logged_until_there_are_too_many() {
        let guard = Guard::default();
        let now = Instant::now();
        for _ in 0..BAD_CALLS {
            assert_eq!(guard.bad_call(ONE, now), Verdict::Log);
        }
        assert!(!guard.is_locked(ONE, now));
        assert_eq!(guard.bad_call(ONE, now), Verdict::LogLast(true));
        assert!(guard.is_locked(ONE, now) && !guard.is_locked(ONE, now + WINDOW));
        assert_eq!(guard.bad_call(ONE, now), Verdict::Quiet);
        assert!(!guard.is_locked(OTHER, now));
        assert_eq!(guard.bad_call(OTHER, now), Verdict::Log);
        assert_eq!(guard.bad_call(OTHER, now + WINDOW), Verdict::Log);
    }

    #[test]
    fn the_count_comes_when_an_address_is_quiet_again() {
        let guard = Guard::default();
        let (now, later) = (Instant::now(), Instant::now() + WINDOW / 2);
        for _ in 0..=BAD_CALLS {
            guard.bad_call(ONE, now);
        }
        guard.bad_call(OTHER, now);
        assert_eq!(guard.bad_call(ONE, later), Verdict::Quiet);
        assert_eq!(guard.tidy(now + WINDOW), [], "it was not quiet for a whole window");
        let quiet = Quiet { address: ONE, count: BAD_CALLS + 2, lasted: later.duration_since(now) };
        assert_eq!(guard.tidy(later + WINDOW), [quiet]);
        assert_eq!(guard.bad_call(ONE, later + WINDOW), Verdict::Log);
        assert_eq!(guard.end_all(), []);
    }

    #[test]
    fn many_addresses_alert_so_often_only() {
        let guard = Guard::default();
        let now = Instant::now();
        let alerts = (0..=u32::try_from(ALERTS).unwrap()).filter(|number| {
            let address = IpAddr::from(Ipv4Addr::from(*number));
            let verdicts: Vec<Verdict> = (0..=BAD_CALLS).map(|_| guard.bad_call(address, now)).collect();
            verdicts.last() == Some(&Verdict::LogLast(true))
        });
        assert_eq!(alerts.count(), usize::try_from(ALERTS).unwrap());
    }
}
