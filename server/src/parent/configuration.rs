//! The configuration: taken over whole or refused whole, and given up when it is too old. Also what is checked every
//! minute, since it changes without an event: licence, certificate, outgoing address.

use super::Parent;
use super::outgoing_address;
use crate::active_config::ActiveConfig;
use crate::licence::Licence;
use common::log::{Event, Priority, events};
use common::process::startup::Finish;
use common::rpc::{ConfigAnswer, Level, without_values};
use std::net::SocketAddr;
use std::time::{Instant, SystemTime};

impl Parent {
    /// The backend's answer has come.
    pub(super) fn take_config(&mut self, text: &str) {
        match serde_json::from_str::<ConfigAnswer>(text) {
            Ok(ConfigAnswer::Unchanged { .. }) => {
                common::debug!("the configuration is unchanged");
                self.confirm_config();
            }
            Ok(ConfigAnswer::Changed { config }) => {
                let generation = config.generation;
                match ActiveConfig::build(*config) {
                    Ok((config, skipped)) => self.activate_config(config, &skipped),
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
        let Some(config) = &mut self.config else {
            return self
                .refuse_config(None, "the backend says that nothing has changed, but none is in force");
        };
        config.confirmed = Instant::now();
        if self.fetch.recover() {
            Event::new(&events::CONFIG_CONFIRMED).field_num("generation", config.generation).log();
        }
    }

    /// All or nothing: the new listener is bound before anything old is given up.
    fn activate_config(&mut self, mut config: ActiveConfig, skipped: &[String]) {
        let (generation, log_max_bytes) = (config.generation, config.limits.log_max_bytes);
        if !self.check_outgoing_address(&config) || !self.open_listener(&config) {
            return;
        }
        for what in skipped {
            common::warn!("skipped in generation {generation}: {}", common::log::escape(what));
            self.report(Level::Error, "a certificate or CRL of the configuration cannot be used", what);
        }
        if self.config.as_ref().is_none_or(|before| before.generation != generation) {
            self.report_partner_addresses(&config);
        }
        self.resolver.set_names(config.addresses.names(), Instant::now());
        config.addresses.set_resolved(self.resolver.addresses());
        self.config = Some(config);
        self.fetch.recover();
        Event::new(&events::CONFIG_TAKEN).field_num("generation", generation).log();
        common::log::set_max_bytes(log_max_bytes.into());
        self.renew_children("generation changed");
        self.update_title();
    }

    /// Opens or moves the listener. What was queued at the old one is served by the configuration in force so far.
    fn open_listener(&mut self, config: &ActiveConfig) -> bool {
        let mut accepted = Vec::new();
        let opened = self.listeners.open(config.listen, &mut accepted, self.poller.registry());
        self.admit_partners(accepted);
        match opened {
            Ok(()) => true,
            Err(e) => {
                self.refuse_listener(config.generation, config.listen, &e);
                false
            }
        }
    }

    fn refuse_listener(&mut self, generation: u64, address: SocketAddr, e: &std::io::Error) {
        let reason = format!("the TLS listener cannot be opened on {address}: {e}");
        if !self.fetch.has_fault(&reason) {
            Event::new(&events::LISTENER_ERROR)
                .field("listener", "tls")
                .field_display("address", address)
                .field_display("reason", e)
                .log();
        }
        self.refuse_config(Some(generation), &reason);
    }

    /// The old configuration stays in force to the last octet. Logged once, not each minute.
    pub(super) fn refuse_config(&mut self, generation: Option<u64>, reason: &str) {
        if !self.fetch.is_new_fault(reason) {
            return;
        }
        let event = Event::new(&events::CONFIG_REFUSED);
        let event = match generation {
            Some(generation) => event.field_num("generation", generation),
            None => event,
        };
        event.field("reason", reason).log();
        self.report(Level::Error, "a generation of the configuration was refused", reason);
    }

    /// Whether the global outgoing address is an address of this host, or none is wanted. If not, this server stops.
    fn check_outgoing_address(&mut self, config: &ActiveConfig) -> bool {
        let Some(reason) = outgoing_address::fault(config.outgoing_ip) else { return true };
        self.stop_without_address(reason);
        false
    }

    fn stop_without_address(&mut self, reason: String) {
        self.report(Level::Error, "the outgoing IP address is not available on this host", &reason);
        self.stop = Some(Finish::Failed(reason));
    }

    fn report_partner_addresses(&mut self, config: &ActiveConfig) {
        for fault in outgoing_address::partner_faults(config) {
            common::error!("{fault}");
            let text = "a partner's outgoing IP address is not available on this host";
            self.report(Level::Error, text, &fault);
        }
    }

    /// At the start, and every minute from then on: state that changes without an event.
    pub(super) fn check_every_minute(&mut self) {
        self.log_counts();
        self.checked = Instant::now();
        let wanted = self.config.as_ref().and_then(|config| config.outgoing_ip);
        if let Some(reason) = outgoing_address::fault(wanted) {
            self.stop_without_address(reason);
        }
        self.check_licence(SystemTime::now());
        self.check_certificate();
        self.drop_stale_config();
    }

    fn check_licence(&mut self, now: SystemTime) {
        match self.licensing.reread(now) {
            Some(Ok(licence)) => self.take_licence(licence),
            Some(Err(reason)) => {
                let text = "the changed licence file is of no use, the licence in force stays";
                common::error!("{text}: {reason}");
                self.report(Level::Error, text, &reason);
            }
            None => {}
        }
        if let Some(days) = self.licensing.count_down(now) {
            self.report_licence(days);
        }
    }

    fn take_licence(&mut self, licence: Licence) {
        match self.licensing.replace(licence) {
            Ok(context) => {
                self.internal_port.set_context(context);
                let licence = self.licensing.licence();
                Event::new(&events::LICENCE)
                    .field("holder", licence.holder())
                    .field_num("days", licence.days_left(SystemTime::now()))
                    .log();
            }
            Err(e) => {
                common::error!("the changed licence cannot be used, the licence in force stays: {e}");
            }
        }
    }

    fn report_licence(&mut self, days: i64) {
        let (text, reason) = if days < 0 {
            (
                "the licence has expired",
                "expired: new sessions are refused until a valid licence file appears",
            )
        } else {
            ("the licence expires soon", "it expires soon")
        };
        let event = Event::new(&events::LICENCE)
            .field("holder", self.licensing.licence().holder())
            .field_num("days", days)
            .field("reason", reason);
        let (level, reported) =
            if days < 0 { (Priority::Error, Level::Error) } else { (Priority::Warn, Level::Warn) };
        self.report(reported, text, event.text());
        event.log_at(level);
    }

    fn check_certificate(&mut self) {
        let Some(config) = &self.config else { return };
        let days = config.certificate_days();
        if self.certificate.is_news(days) {
            let text = if days < 0 { "our certificate has expired" } else { "our certificate expires soon" };
            let left = format!("{days} days left of the certificate towards partners");
            common::warn!("{text}: {left}");
            self.report(Level::Warn, text, &left);
        }
    }

    /// The backend has not confirmed the configuration for too long: nobody gets in by it any more.
    fn drop_stale_config(&mut self) {
        let Some(config) = self.config.as_ref().filter(|config| config.confirmed.elapsed() > config.max_age)
        else {
            return;
        };
        let seconds = config.max_age.as_secs();
        let event = Event::new(&events::CONFIG_EXPIRED)
            .field_num("generation", config.generation)
            .field_num("seconds", seconds);
        let reason = format!("the backend has not confirmed the configuration for {seconds} s");
        self.report(Level::Error, "the configuration is too old and not in force any more", event.text());
        event.log();
        self.listeners.close(&reason, self.poller.registry());
        self.config = None;
        self.renew_children("configuration too old");
        self.update_title();
    }
}
