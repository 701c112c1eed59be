//! Counts connections, and calls without the right token, for each address, and says which are too many. The tasks of
//! the accept loop and `api` ask it. Holds only numbers, in bounded memory, and never refuses a caller with the token.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Connections of one address at a time.
const CONNECTIONS: u32 = 64;
/// Bad calls of one address within `WINDOW` that are answered and logged one by one.
const BAD_CALLS: u32 = 10;
const WINDOW: Duration = Duration::from_mins(1);
/// Addresses remembered; when there are more, the counting starts anew.
const ADDRESSES: usize = 10_000;

/// The counters.
#[derive(Default)]
pub(super) struct Guard {
    connections: Mutex<HashMap<IpAddr, u32>>,
    bad_calls: Mutex<HashMap<IpAddr, (Instant, u32)>>,
}

/// A connection that was admitted; given back when dropped.
pub(super) struct Seat<'a> {
    guard: &'a Guard,
    address: IpAddr,
}

/// What a call without the right token leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Answer what is wrong, and log it.
    Log,
    /// The first beyond the bound: answer 429, and log that the rest will not be logged.
    LogLast,
    /// Answer 429.
    Quiet,
}

impl Guard {
    /// Takes a seat for a connection from `address`; none if it has too many.
    pub(super) fn admit(&self, address: IpAddr) -> Option<Seat<'_>> {
        let mut connections = self.connections.lock().ok()?;
        let count = connections.entry(address).or_default();
        if *count >= CONNECTIONS {
            return None;
        }
        *count += 1;
        Some(Seat { guard: self, address })
    }

    /// Counts a call without the right token from `address` (IPv6: from its /64, which is one customer's).
    pub(super) fn bad_call(&self, address: IpAddr, now: Instant) -> Verdict {
        let address = network(address);
        let Ok(mut bad) = self.bad_calls.lock() else { return Verdict::Log };
        if bad.len() >= ADDRESSES && !bad.contains_key(&address) {
            bad.clear();
        }
        let (since, count) = bad.entry(address).or_insert((now, 0));
        if now.duration_since(*since) >= WINDOW {
            (*since, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        match *count {
            ..=BAD_CALLS => Verdict::Log,
            count if count == BAD_CALLS + 1 => Verdict::LogLast,
            _ => Verdict::Quiet,
        }
    }

    /// Forgets what is over.
    pub(super) fn tidy(&self) {
        if let Ok(mut bad) = self.bad_calls.lock() {
            bad.retain(|_, (since, _)| since.elapsed() < WINDOW);
        }
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
        if let Some(count) = connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                connections.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BAD_CALLS, CONNECTIONS, Guard, Verdict, WINDOW};
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Instant;

    const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));

    #[test]
    fn one_address_cannot_take_the_seats_of_another() {
        let guard = Guard::default();
        let mut seats: Vec<_> = (0..CONNECTIONS).map(|_| guard.admit(ONE).unwrap()).collect();
        assert!(guard.admit(ONE).is_none());
        assert!(guard.admit(OTHER).is_some());
        seats.pop();
        assert!(guard.admit(ONE).is_some());
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
        assert_eq!(guard.bad_call(ONE, now), Verdict::LogLast);
        assert_eq!(guard.bad_call(ONE, now), Verdict::Quiet);
        assert_eq!(guard.bad_call(OTHER, now), Verdict::Log);
        assert_eq!(guard.bad_call(ONE, now + WINDOW), Verdict::Log);
    }
}
