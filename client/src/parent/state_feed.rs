//! Reports to the backend about the state of this client and its servers: when they are sent, and whether the backend
//! supports them. An older backend does not have the call: this is logged once, and tried again after a pause. Pure.

use super::place::Place;
use common::report_interval::ReportInterval;
use common::state::{DaemonState, JoinedServer, SiteState};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Pause before a backend without this call is tried again.
const OLDER: Duration = Duration::from_hours(1);

/// The last reports of the servers, and when they came.
#[derive(Default)]
pub(super) struct StateFeed {
    servers: BTreeMap<Place, (Box<DaemonState>, Instant)>,
    /// Number of the servers' reports.
    told: u64,
    interval: ReportInterval<(DaemonState, u64)>,
    /// Until when the backend counts as older.
    older_until: Option<Instant>,
    fault: Option<String>,
}

impl StateFeed {
    /// This server has reported its state.
    pub(super) fn on_server(&mut self, place: Place, state: Box<DaemonState>, now: Instant) {
        self.told += 1;
        self.servers.insert(place, (state, now));
    }

    /// This server is gone.
    pub(super) fn forget(&mut self, place: Place) {
        self.servers.remove(&place);
    }

    /// The server's version and build date, if it has reported them.
    pub(super) fn server_version(&self, place: Place) -> Option<(&str, &str)> {
        self.servers.get(&place).map(|(state, _)| (state.version.as_str(), state.build.as_str()))
    }

    /// Whether the backend supports such calls, as far as is known.
    pub(super) fn is_taken(&self, now: Instant) -> bool {
        self.older_until.is_none_or(|until| until <= now)
    }

    /// Something has happened: whether to check the state of this client now.
    pub(super) fn may_check(&mut self, now: Instant) -> bool {
        self.is_taken(now) && self.interval.may_check(now)
    }

    /// When the next check is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.interval.due().map(|due| self.older_until.map_or(due, |until| due.max(until)))
    }

    /// The calls for this state, if they are due: one for each joined server, or one without a server.
    pub(super) fn take_due(
        &mut self,
        client: &DaemonState,
        servers: Vec<(Place, JoinedServer)>,
        now: Instant,
    ) -> Vec<SiteState> {
        if !self.interval.is_due((client.lasting(), self.told), now) {
            return Vec::new();
        }
        let call = |server| SiteState { client: Box::new(client.clone()), server, ended: None };
        if servers.is_empty() {
            return vec![call(None)];
        }
        servers.into_iter().map(|(place, server)| call(Some(self.with_state(place, server, now)))).collect()
    }

    /// The last call of a client that ends, if it has to make one.
    pub(super) fn take_last(
        &mut self,
        client: DaemonState,
        ended: String,
        now: Instant,
    ) -> Option<Box<SiteState>> {
        let call = SiteState { client: Box::new(client), server: None, ended: Some(ended) };
        self.is_taken(now).then(|| Box::new(call))
    }

    fn with_state(&self, place: Place, server: JoinedServer, now: Instant) -> JoinedServer {
        let (state, age) = match self.servers.get(&place) {
            Some((state, at)) => (Some(state.clone()), now.saturating_duration_since(*at).as_secs()),
            None => (None, 0),
        };
        JoinedServer { state, age, ..server }
    }

    /// A call has succeeded.
    pub(super) fn succeeded(&mut self) {
        (self.older_until, self.fault) = (None, None);
    }

    /// The backend does not have the call, because it is older. Logged once.
    pub(super) fn log_older(&mut self, now: Instant) {
        if self.is_unknown(now) {
            common::info!(
                "the backend is older: it gets neither the state of the daemons nor their refusals"
            );
        }
    }

    /// A call has failed for another reason. Each reason is logged once.
    pub(super) fn log_fault(&mut self, reason: &str) {
        if self.is_new_fault(reason) {
            common::warn!(
                "the backend does not accept the state of the daemons: {}",
                common::log::escape(reason)
            );
        }
    }

    fn is_unknown(&mut self, now: Instant) -> bool {
        self.older_until.replace(now + OLDER).is_none()
    }

    fn is_new_fault(&mut self, reason: &str) -> bool {
        self.fault.replace(reason.to_owned()).as_deref() != Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::{DaemonState, JoinedServer, OLDER, Place, SiteState, StateFeed};
    use common::report_interval::EVERY;
    use std::time::{Duration, Instant};

    fn client(generation: u64) -> DaemonState {
        DaemonState { generation: Some(generation), ..DaemonState::default() }
    }

    fn server() -> JoinedServer {
        let proxy_id = format!("{}px", "0".repeat(64)).parse().unwrap();
        let address = ([192, 0, 2, 1], 2878).into();
        JoinedServer { proxy_id, address, state: None, age: 0, is_silent: false }
    }

    /// The report of a client of this generation, about the server if it is joined.
    fn due(feed: &mut StateFeed, generation: u64, servers: usize, now: Instant) -> Vec<SiteState> {
        let joined = (0..servers).map(|at| (Place(at), server())).collect();
        feed.take_due(&client(generation), joined, now)
    }

    #[test]
    fn a_change_on_either_side_is_reported_at_once_and_an_unchanged_state_every_ten_seconds() {
        let (mut feed, start) = (StateFeed::default(), Instant::now());
        let told = due(&mut feed, 1, 1, start).remove(0);
        assert!(told.server.unwrap().state.is_none() && told.ended.is_none());
        assert!(due(&mut feed, 1, 1, start).is_empty());
        assert_eq!(due(&mut feed, 2, 1, start).len(), 1);
        feed.on_server(Place(0), Box::new(client(7)), start);
        let later = start + Duration::from_secs(4);
        let told = due(&mut feed, 2, 1, later).remove(0).server.unwrap();
        assert_eq!((told.state.unwrap().generation, told.age), (Some(7), 4));
        assert_eq!(feed.due(), Some(later + EVERY));
        assert_eq!(due(&mut feed, 2, 1, later + EVERY).len(), 1);
        let last = feed.take_last(client(2), "told to".to_owned(), later).unwrap();
        assert_eq!((last.ended.as_deref(), last.server), (Some("told to"), None));
    }

    #[test]
    fn each_server_has_a_report_of_its_own() {
        let (mut feed, start) = (StateFeed::default(), Instant::now());
        feed.on_server(Place(1), Box::new(client(7)), start);
        let told = due(&mut feed, 1, 2, start);
        let generations: Vec<Option<Option<u64>>> =
            told.into_iter().map(|told| told.server.unwrap().state.map(|state| state.generation)).collect();
        assert_eq!(generations, [None, Some(Some(7))]);
        feed.forget(Place(1));
        let told = due(&mut feed, 2, 2, start);
        assert!(told.into_iter().all(|told| told.server.unwrap().state.is_none()));
        assert!(due(&mut feed, 3, 0, start).remove(0).server.is_none(), "none is joined");
    }

    #[test]
    fn a_backend_without_the_call_is_not_tried_again_at_once() {
        let (mut feed, start) = (StateFeed::default(), Instant::now());
        assert_eq!(due(&mut feed, 1, 0, start).len(), 1);
        assert!(feed.is_unknown(start) && !feed.is_taken(start) && !feed.may_check(start + EVERY));
        assert!(feed.take_last(client(1), String::new(), start).is_none());
        assert_eq!(feed.due(), Some(start + OLDER), "the loop may sleep");
        let again = start + OLDER;
        assert!(feed.may_check(again) && !due(&mut feed, 1, 0, again).is_empty());
        assert!(!feed.is_unknown(again), "said once");
        feed.succeeded();
        assert!(feed.is_taken(again) && feed.is_unknown(again), "after a newer one that is news");
        assert!(feed.is_new_fault("a") && !feed.is_new_fault("a") && feed.is_new_fault("b"));
    }
}
