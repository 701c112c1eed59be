//! What runs out: the licence, our certificate towards partners, a configuration that the backend does not confirm any
//! more. Looked at every minute; warned of 60, 30 and 7 days ahead, each once.

use super::Parent;
use crate::identity::Identity;
use crate::licence::Licence;
use common::link::tls;
use common::log::{Event, events};
use common::rpc::Level;
use openssl::error::ErrorStack;
use openssl::ssl::SslContext;
use std::path::PathBuf;
use std::time::SystemTime;

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
    /// The file's last change when it was read.
    read: Option<SystemTime>,
    /// Why what was read is not in force.
    refused: Option<String>,
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
            read,
            refused: None,
        }
    }

    /// The control connection's context, with this licence.
    pub(super) fn context(&self) -> Result<SslContext, ErrorStack> {
        tls::server_context(&self.licence.certificate, &self.identity.key, &self.licence.ca)
    }

    /// The licence that the file holds for us at `now`, unless it is the one in force; or why it holds none, if that is
    /// news. A file that was refused is judged again: its time may have come.
    fn reread(&mut self, now: SystemTime) -> Option<Result<Licence, String>> {
        let file = modified(&self.path);
        if file == self.read && self.refused.is_none() {
            return None;
        }
        self.read = file;
        let read = Licence::read(&self.path).and_then(|licence| {
            licence.check(&self.identity, now)?;
            Ok(licence)
        });
        let before = self.refused.take();
        match read {
            Ok(licence) => Some(Ok(licence)),
            Err(e) => {
                let reason = self.refused.insert(e.to_string());
                (before.as_ref() != Some(reason)).then(|| Err(reason.clone()))
            }
        }
    }
}

fn modified(path: &PathBuf) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|data| data.modified()).ok()
}

impl Parent {
    /// Looks at all that runs out.
    pub(super) fn check_expiry(&mut self) {
        match self.licensing.reread(SystemTime::now()) {
            Some(Ok(licence)) => self.take_licence(licence),
            Some(Err(reason)) => {
                let text = "the changed licence file is of no use, the licence in force stays";
                common::error!("{text}: {reason}");
                self.report(Level::Error, text, &reason);
            }
            None => {}
        }
        let days = self.licensing.licence.days_left(SystemTime::now());
        if self.licensing.countdown.is_news(days) {
            self.tell_licence(days);
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
    use super::{Countdown, Licence, Licensing};
    use crate::licence::tests::{Authority, identity, in_file, moment};
    use common::identity::Kind;
    use std::fs;

    #[test]
    fn a_licence_whose_time_has_not_come_is_taken_when_it_has() {
        let (authority, own) = (Authority::new(true), identity());
        let current = authority.issue(&own.key, Kind::Licence, (-10, 1));
        let next = authority.issue(&own.key, Kind::Licence, (1, 400));
        let path = in_file("next", &[&current, &authority.certificate]);
        let licence = Licence::read(&path).unwrap();
        let mut licensing = Licensing::new(own, licence, path.clone());
        assert!(licensing.reread(moment(0)).is_none());

        fs::remove_file(&path).unwrap();
        assert!(licensing.reread(moment(0)).unwrap().is_err());
        in_file("next", &[&next, &authority.certificate]);
        let reason = licensing.reread(moment(0)).unwrap().err().unwrap();
        assert!(reason.contains("is not valid before"), "{reason}");
        assert!(licensing.reread(moment(0)).is_none(), "told once");
        assert_eq!(licensing.reread(moment(2)).unwrap().ok().unwrap().days_left(moment(2)), 398);
        assert!(licensing.reread(moment(2)).is_none());
        fs::remove_file(&path).unwrap();
    }

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
