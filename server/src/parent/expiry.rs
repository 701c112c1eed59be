//! What runs out: the licence, our certificate towards partners, a configuration that the backend does not confirm any
//! more. Looked at every minute; warned of 60, 30 and 7 days ahead, each once. The outgoing IP address is looked at too.

use super::{Parent, REFRESH};
use crate::identity::Identity;
use crate::licence::Licence;
use common::link::tls;
use common::log::{Event, events};
use common::rpc::Level;
use openssl::error::ErrorStack;
use openssl::ssl::SslContext;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

/// Days ahead at which an operator is told.
const AHEAD: [i64; 3] = [7, 30, 60];

/// The step of `AHEAD` that `days` left have reached; none while there is time.
fn step(days: i64) -> Option<i64> {
    AHEAD.into_iter().find(|ahead| days <= *ahead)
}

/// One thing that runs out: tells each step once.
#[derive(Default)]
pub(super) struct Countdown {
    told: Option<i64>,
}

impl Countdown {
    /// Whether `days` left is news.
    fn is_news(&mut self, days: i64) -> bool {
        let reached = if days < 0 { Some(i64::MIN) } else { step(days) };
        let news = match (reached, self.told) {
            (Some(now), Some(before)) => now < before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        // A renewed one starts over.
        self.told = reached;
        news
    }
}

/// The licence in force, and what is needed to take a new one.
pub(super) struct Licensing {
    pub(super) identity: Identity,
    pub(super) licence: Licence,
    pub(super) path: PathBuf,
    countdown: Countdown,
    certificate: Countdown,
    looked: Instant,
    read: Option<SystemTime>,
}

impl Licensing {
    pub(super) fn new(identity: Identity, licence: Licence, path: PathBuf) -> Self {
        let read = modified(&path);
        Self {
            identity,
            licence,
            path,
            countdown: Countdown::default(),
            certificate: Countdown::default(),
            looked: Instant::now(),
            read,
        }
    }

    /// The control connection's context, with this licence.
    pub(super) fn context(&self) -> Result<SslContext, ErrorStack> {
        tls::server_context(&self.licence.certificate, &self.identity.key, &self.licence.ca)
    }

    /// A file that has changed since it was read, if it holds a licence for us.
    fn reread(&mut self) -> Option<Licence> {
        let now = modified(&self.path);
        if now == self.read {
            return None;
        }
        self.read = now;
        let read = Licence::read(&self.path).and_then(|licence| {
            licence.check(&self.identity, SystemTime::now())?;
            Ok(licence)
        });
        match read {
            Ok(licence) => Some(licence),
            Err(e) => {
                common::error!("the changed licence file is of no use, the licence in force stays: {e}");
                None
            }
        }
    }
}

fn modified(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

impl Parent {
    /// At the start, and every minute from then on.
    pub(super) fn tend_expiry(&mut self) {
        if self.licensing.looked.elapsed() < REFRESH {
            return;
        }
        self.check_expiry();
    }

    /// Looks at all that runs out.
    pub(super) fn check_expiry(&mut self) {
        self.licensing.looked = Instant::now();
        if let Some(licence) = self.licensing.reread() {
            self.take_licence(licence);
        }
        let days = self.licensing.licence.days_left(SystemTime::now());
        if self.licensing.countdown.is_news(days) {
            self.tell_licence(days);
        }
        let outgoing_ip = self.active.as_ref().and_then(|active| active.outgoing_ip);
        if !self.has_outgoing_ip(outgoing_ip) {
            return;
        }
        let Some(active) = &self.active else { return };
        let days = active.certificate_days();
        if self.licensing.certificate.is_news(days) {
            let text = if days < 0 { "our certificate has expired" } else { "our certificate expires soon" };
            common::warn!("{text}: {days} days left of the certificate towards partners");
            self.report(Level::Warn, text, &format!("{days} days left of the certificate towards partners"));
        }
        self.drop_stale_config();
    }

    fn take_licence(&mut self, licence: Licence) {
        let before = std::mem::replace(&mut self.licensing.licence, licence);
        match self.licensing.context() {
            Ok(context) => {
                self.internal.set_context(context);
                let licence = &self.licensing.licence;
                Event::new(events::LICENCE)
                    .field("holder", licence.holder())
                    .field_num("days", licence.days_left(SystemTime::now()))
                    .info();
            }
            Err(e) => {
                common::error!("the changed licence cannot be used, the licence in force stays: {e}");
                self.licensing.licence = before;
            }
        }
    }

    fn tell_licence(&mut self, days: i64) {
        let (text, reason) = if days < 0 {
            (
                "the licence has expired",
                "expired: new sessions are refused until a valid licence file appears",
            )
        } else {
            ("the licence expires soon", "it expires soon")
        };
        let holder = self.licensing.licence.holder();
        let event = Event::new(events::LICENCE)
            .field("holder", &holder)
            .field_num("days", days)
            .field("reason", reason);
        self.report(if days < 0 { Level::Error } else { Level::Warn }, text, event.text());
        if days < 0 { event.error() } else { event.warn() }
    }

    /// The backend has not confirmed the configuration for too long: nobody gets in by it any more.
    fn drop_stale_config(&mut self) {
        let Some(active) = self.active.as_ref().filter(|active| active.confirmed.elapsed() > active.max_age)
        else {
            return;
        };
        let seconds = active.max_age.as_secs();
        let event = Event::new(events::CONFIG_EXPIRED)
            .field_num("generation", active.generation)
            .field_num("seconds", seconds);
        let reason = format!("the backend has not confirmed the configuration for {seconds} s");
        self.report(Level::Error, "the configuration is too old and not in force any more", event.text());
        event.error();
        self.close_public(&reason);
        self.active = None;
        self.retire_parked("configuration too old");
        self.show();
    }
}

#[cfg(test)]
mod tests {
    use super::Countdown;

    #[test]
    fn each_step_is_told_once_and_a_renewal_starts_over() {
        let mut countdown = Countdown::default();
        let told: Vec<i64> = [100, 61, 60, 59, 30, 29, 8, 7, 1, 0, -1, -2, 365, 60]
            .into_iter()
            .filter(|days| countdown.is_news(*days))
            .collect();
        assert_eq!(told, [60, 30, 7, -1, 60]);
    }
}
