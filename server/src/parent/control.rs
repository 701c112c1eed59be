//! The client, once it is joined: its control connection, what it answers, what happens when it is gone.

use super::config_chunks::{Answer, Progress};
use super::{CONTROL, Parent, REFRESH};
use crate::active_config::ActiveConfig;
use common::link::control::{Control, ControlError, MAX_ANSWER, ToClient, ToServer, VERSION};
use common::link::session_id::Ticket;
use common::log::{Event, events};
use common::rpc::{ConfigAnswer, Level, without_values};
use mio::Interest;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Reports are queued for the client while less than this is unsent, octets.
const REPORT_BACKLOG: usize = 256 * 1024;
/// How long our end may wait for what is queued.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// An answer in parts may take so long before it is given up.
const ANSWER: Duration = Duration::from_secs(600);
/// How long an announced renewal may take.
const RENEWAL: Duration = Duration::from_secs(10);

/// The control connection of the client that is joined.
pub(super) struct Joined {
    control: Control<ToServer, ToClient>,
    name: String,
    address: SocketAddr,
    renews: bool,
    /// The configuration's text as it comes in.
    answer: Answer,
    renewal: Option<(Ticket, Instant)>,
}

impl Joined {
    pub(super) fn new(
        control: Control<ToServer, ToClient>,
        name: String,
        address: SocketAddr,
        renews: bool,
    ) -> Self {
        Self { control, name, address, renews, answer: Answer::default(), renewal: None }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn due(&self) -> Instant {
        let due = self.control.due();
        self.renewal.as_ref().map_or(due, |(_, until)| due.min(*until))
    }
}

impl Parent {
    /// A client has proven itself; it takes the place of the one that announced it, if any did.
    pub(super) fn join(&mut self, mut joined: Joined) {
        if let Some(mut old) = self.joined.take() {
            // What was said to it before goes to the client still: it reads to the end.
            old.control.close(LAST_WORDS);
            let _ = self.poller.registry().deregister(old.control.conn().wire().socket());
        }
        let socket = joined.control.conn().wire().socket();
        let both = Interest::READABLE | Interest::WRITABLE;
        if let Err(e) = self.poller.registry().reregister(socket, CONTROL, both) {
            common::error!("the control connection cannot be watched: {e}");
            return;
        }
        Event::new(events::CLIENT_JOINED)
            .field_display("address", joined.address)
            .field("client", &joined.name)
            .field("renewed", if joined.renews { "yes" } else { "no" })
            .info();
        let renews = joined.renews;
        self.joined = Some(joined);
        self.tell_client(&ToClient::Welcome { version: VERSION });
        if !renews {
            self.ask_for_config();
        }
        self.hear_client();
        self.show();
    }

    /// The secret of an announced renewal.
    pub(super) fn renewal(&self) -> Option<Ticket> {
        self.joined.as_ref().and_then(|joined| joined.renewal.as_ref()).map(|(secret, _)| secret.clone())
    }

    pub(super) fn is_renewing(&self) -> bool {
        self.joined.as_ref().is_some_and(|joined| joined.renewal.is_some())
    }

    /// Reads all that the client has sent.
    pub(super) fn hear_client(&mut self) {
        while let Some(joined) = &mut self.joined {
            match joined.control.receive() {
                Ok(Some(message)) => self.take(message),
                Ok(None) => return,
                Err(e) => return self.lose_client(&e),
            }
        }
    }

    fn take(&mut self, message: ToServer) {
        match message {
            ToServer::Ping | ToServer::Hello { .. } => {}
            ToServer::ConfigPart { text, last } => self.take_config_part(text.expose(), last),
            ToServer::ConfigFailed { reason } => {
                if self.is_new_fault(&reason) {
                    Event::new(events::BACKEND_ERROR)
                        .field("function", "proxy_config")
                        .field("reason", &reason)
                        .error();
                }
            }
            ToServer::PairFailed { pair, reason } => self.fail_pair(pair, &reason),
            ToServer::WantOutgoing => self.want_outgoing(),
            ToServer::Renewing { secret } => {
                if let Some(joined) = &mut self.joined {
                    joined.renewal = Some((secret, Instant::now() + RENEWAL));
                }
            }
        }
    }

    /// Queues the reports that are due, asks for a newer generation when it is time.
    pub(super) fn tend_client(&mut self) {
        if self.joined.is_none() {
            return;
        }
        self.send_reports();
        let wait = if self.joined.as_ref().is_some_and(|joined| joined.answer.is_empty()) {
            REFRESH
        } else {
            ANSWER
        };
        if self.asked.is_none_or(|asked| asked.elapsed() >= wait) {
            self.ask_for_config();
        }
        let Some(joined) = &mut self.joined else { return };
        if joined.renewal.as_ref().is_some_and(|(_, until)| *until <= Instant::now()) {
            joined.renewal = None;
        }
    }

    /// Pings, and sends what is queued.
    pub(super) fn send_to_client(&mut self) {
        if let Some(joined) = &mut self.joined
            && let Err(e) = joined.control.advance()
        {
            self.lose_client(&e);
        }
    }

    /// More of the client's messages may be there than one turn takes.
    pub(super) fn client_has_more(&self) -> bool {
        self.joined.as_ref().is_some_and(|joined| joined.control.has_more())
    }

    /// A report that cannot be sent is dropped and counted; it never costs the connection.
    fn send_reports(&mut self) {
        let Some(joined) = &mut self.joined else { return };
        while joined.control.backlog() < REPORT_BACKLOG {
            let Some(report) = self.outbox.next_due() else { return };
            if joined.control.send(&report).is_err() {
                self.outbox.lost();
            }
        }
    }

    pub(super) fn tell_client(&mut self, message: &ToClient) {
        let Some(joined) = &mut self.joined else { return };
        if let Err(e) = joined.control.send(message) {
            self.lose_client(&e);
        }
    }

    /// This parent ends: the client hears of it at once, and of what waits to be reported.
    pub(super) fn leave_client(&mut self) {
        let Some(joined) = &mut self.joined else { return };
        while let Some(report) = self.outbox.next() {
            if joined.control.send(&report).is_err() {
                break;
            }
        }
        joined.control.close(LAST_WORDS);
    }

    fn ask_for_config(&mut self) {
        self.asked = Some(Instant::now());
        if let Some(joined) = &mut self.joined {
            joined.answer.give_up();
        }
        let held = self.active.as_ref().filter(|active| !active.is_outdated());
        let generation = held.map(|active| active.generation);
        self.tell_client(&ToClient::GetConfig { generation });
    }

    /// Back to listening on the internal port; sessions that are through run on.
    fn lose_client(&mut self, reason: &ControlError) {
        let Some(mut joined) = self.joined.take() else { return };
        let _ = self.poller.registry().deregister(joined.control.conn().wire().socket());
        Event::new(events::CLIENT_GONE)
            .field_display("address", joined.address)
            .field_display("reason", reason)
            .warn();
        self.close_public("the client is gone");
        // The partner-facing private key goes with the configuration.
        self.active = None;
        self.asked = None;
        self.drop_pairs();
        self.drop_needs("the client is gone");
        self.show();
    }

    fn take_config_part(&mut self, text: &str, last: bool) {
        let Some(joined) = &mut self.joined else { return };
        match joined.answer.take(text, last, MAX_ANSWER) {
            Progress::Nothing => {}
            Progress::Whole(text) => self.take_config(&text),
            Progress::TooLong => {
                self.refuse_config(None, &format!("it is larger than {} MiB", MAX_ANSWER >> 20));
            }
        }
    }

    fn take_config(&mut self, text: &str) {
        match serde_json::from_str::<ConfigAnswer>(text) {
            Ok(ConfigAnswer::Unchanged { .. }) => {
                common::debug!("the configuration is unchanged");
                self.confirm_config();
            }
            Ok(ConfigAnswer::Changed { config }) => {
                let generation = config.generation;
                match ActiveConfig::build(*config) {
                    Ok((active, skipped)) => self.take_over(active, &skipped),
                    Err(e) => self.refuse_config(Some(generation), &e.to_string()),
                }
            }
            Err(e) => {
                let reason = format!("it is not what the protocol says: {}", without_values(&e));
                self.refuse_config(None, &reason);
            }
        }
    }

    /// The generation in force is the backend's newest.
    fn confirm_config(&mut self) {
        let Some(active) = &mut self.active else {
            return self
                .refuse_config(None, "the backend says that nothing has changed, but none is in force");
        };
        active.confirmed = Instant::now();
        if self.config_fault.take().is_some() {
            Event::new(events::CONFIG_CONFIRMED).field_num("generation", active.generation).info();
        }
    }

    /// All or nothing: the new listener is bound before anything old is given up.
    fn take_over(&mut self, active: ActiveConfig, skipped: &[String]) {
        let generation = active.generation;
        if !self.has_outgoing_ip(active.outgoing_ip) {
            return;
        }
        if let Err(e) = self.open_public(active.listen) {
            return self.refuse_listener(generation, active.listen, &e);
        }
        for what in skipped {
            common::warn!("skipped in generation {generation}: {}", common::log::escape(what));
            self.report(Level::Error, "a certificate or CRL of the configuration cannot be used", what);
        }
        self.tell_missing_sources(&active);
        self.active = Some(active);
        self.config_fault = None;
        Event::new(events::CONFIG_TAKEN).field_num("generation", generation).info();
        // Parked children were born with the generation before.
        self.retire_parked("generation changed");
        self.show();
    }

    /// The new listener cannot be had.
    fn refuse_listener(&mut self, generation: u64, address: SocketAddr, e: &std::io::Error) {
        let reason = format!("the TLS listener cannot be opened on {address}: {e}");
        if self.config_fault.as_deref() != Some(&reason) {
            Event::new(events::LISTENER_ERROR)
                .field("listener", "tls")
                .field_display("address", address)
                .field_display("reason", e)
                .error();
        }
        self.refuse_config(Some(generation), &reason);
    }

    fn is_new_fault(&mut self, reason: &str) -> bool {
        let new = self.config_fault.as_deref() != Some(reason);
        self.config_fault = Some(reason.to_owned());
        new
    }

    /// The old configuration stays in force to the last octet. Said once, not each minute.
    fn refuse_config(&mut self, generation: Option<u64>, reason: &str) {
        if !self.is_new_fault(reason) {
            return;
        }
        let event = Event::new(events::CONFIG_REFUSED);
        let event = match generation {
            Some(generation) => event.field_num("generation", generation),
            None => event,
        };
        event.field("reason", reason).error();
        self.report(Level::Error, "a generation of the configuration was refused", reason);
    }
}
