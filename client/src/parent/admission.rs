//! The limits: which stations may use a local listener, and how many session processes the server may request. Pure.

use common::config::Limits;
use common::net::Network;
use common::process::end_reasons::Status;
use std::net::IpAddr;
use std::time::Instant;

/// When the limit of sessions is reached, so many stations get an answer with the reason; further ones are cut off.
const TOLD: usize = 20;
/// Session processes that the server may request at once, and in a second. A machine with many processors makes fewer
/// sessions, so this limit only affects a server that an attacker controls, and no partner.
const PAIRS_AT_ONCE: u32 = 2_000;
const PAIRS_PER_SECOND: u32 = 1_000;

/// Why a station is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct EntryRefusal {
    pub(super) status: Status,
    /// A sentence for the log.
    pub(super) reason: &'static str,
}

/// Whether an address is in one of the networks that may use a listener.
pub(super) fn is_allowed(from: IpAddr, networks: &[Network]) -> bool {
    networks.iter().any(|network| network.contains(from))
}

/// Whether one more station is accepted while `stations` are served or about to be. Some stations above the limit still
/// get a session process, which answers that there are too many sessions; see [`is_full`].
pub(super) fn admit_station(is_allowed: bool, stations: usize, limits: &Limits) -> Result<(), EntryRefusal> {
    if !is_allowed {
        let reason = "its address is not in the networks that may use this listener";
        return Err(EntryRefusal { status: Status::NotAllowed, reason });
    }
    if stations >= limits.outgoing_sessions as usize + TOLD {
        let reason = "the limit of outgoing sessions is reached";
        return Err(EntryRefusal { status: Status::Capacity, reason });
    }
    Ok(())
}

/// Whether the limit of outgoing sessions is reached.
pub(super) fn is_full(stations: usize, limits: &Limits) -> bool {
    stations >= limits.outgoing_sessions as usize
}

/// Limits the session processes that the server requests. The client decides how many there may be, not the DMZ.
pub(super) struct PairAdmission {
    rate: Rate,
}

impl Default for PairAdmission {
    fn default() -> Self {
        Self { rate: Rate::new(PAIRS_AT_ONCE, PAIRS_PER_SECOND) }
    }
}

impl PairAdmission {
    /// Whether there may be one more process for incoming sessions while there are `incoming`, including parked ones.
    pub(super) fn admit(
        &mut self,
        incoming: usize,
        limits: &Limits,
        now: Instant,
    ) -> Result<(), &'static str> {
        if !self.rate.take(now) {
            return Err("the server requests session processes faster than this client makes them");
        }
        if incoming >= limits.sessions as usize + 2 * limits.most_parked_pairs() {
            return Err("this client has reached its limit of session processes");
        }
        Ok(())
    }
}

/// A rate limit: so many at once, and so many in a second.
struct Rate {
    most: f64,
    per_second: f64,
    left: f64,
    at: Option<Instant>,
}

impl Rate {
    fn new(at_once: u32, per_second: u32) -> Self {
        Self { most: at_once.into(), per_second: per_second.into(), left: at_once.into(), at: None }
    }

    /// Whether one more is allowed now.
    fn take(&mut self, now: Instant) -> bool {
        let since = self.at.replace(now).map_or(0.0, |at| now.duration_since(at).as_secs_f64());
        self.left = self.per_second.mul_add(since, self.left).min(self.most);
        if self.left < 1.0 {
            return false;
        }
        self.left -= 1.0;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{PAIRS_AT_ONCE, PairAdmission, Rate, TOLD, admit_station, is_allowed, is_full};
    use common::config::Limits;
    use common::process::end_reasons::Status;
    use std::time::{Duration, Instant};

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(3, 2);
        let taken = |rate: &mut Rate, at| (0..10).filter(|_| rate.take(at)).count();
        assert_eq!(taken(&mut rate, start), 3);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(1)), 2);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(100)), 3);
    }

    #[test]
    fn stations_come_in_up_to_the_limit_and_some_more_are_told_why_not() {
        let limits = Limits { outgoing_sessions: 2, ..Limits::default() };
        let status = |stations| admit_station(true, stations, &limits).err().map(|refusal| refusal.status);
        assert_eq!([0, 1].map(|stations| (status(stations), is_full(stations, &limits))), [(None, false); 2]);
        assert_eq!(
            [2, 1 + TOLD].map(|stations| (status(stations), is_full(stations, &limits))),
            [(None, true); 2]
        );
        assert_eq!(status(2 + TOLD), Some(Status::Capacity));
        // The address counts first.
        let refusal = admit_station(false, 2 + TOLD, &limits).unwrap_err();
        assert_eq!(refusal.status, Status::NotAllowed);
    }

    #[test]
    fn an_address_must_be_in_a_network() {
        let networks = ["192.0.2.0/24", "2001:db8::/32"].map(|text| text.parse().unwrap());
        for (from, may) in
            [("192.0.2.255", true), ("192.0.3.0", false), ("2001:db8::7", true), ("::1", false)]
        {
            assert_eq!(is_allowed(from.parse().unwrap(), &networks), may, "{from}");
        }
        assert!(!is_allowed("127.0.0.1".parse().unwrap(), &[]));
    }

    #[test]
    fn the_server_cannot_have_more_processes_than_sessions_and_two_pools() {
        let now = Instant::now();
        let limits = Limits { sessions: 5, parked_pairs: 1, max_parked_pairs: 2, ..Limits::default() };
        let mut admission = PairAdmission::default();
        assert_eq!(admission.admit(8, &limits, now), Ok(()));
        assert!(admission.admit(9, &limits, now).unwrap_err().contains("its limit of session processes"));
        let rest = PAIRS_AT_ONCE - 2;
        assert!((0..rest).all(|_| admission.admit(0, &limits, now).is_ok()));
        assert!(admission.admit(0, &limits, now).unwrap_err().contains("faster"));
    }
}
