//! Things that expire: the licence, our certificate towards partners, a configuration without confirmation by the
//! backend. Checked every minute; an operator is warned 60, 30 and 7 days before, once each.

use crate::identity::Identity;
use crate::licence::Licence;
use common::file::FileState;
use common::link::tls;
use common::log::{Event, Priority, catalogue};
use common::rpc::{Level, Origin, SystemLog};
use openssl::error::ErrorStack;
use openssl::ssl::SslContext;
use std::path::PathBuf;
use std::time::SystemTime;

/// Days before the end on which an operator is warned.
const AHEAD: [i64; 3] = [7, 30, 60];

/// Counts down to one end: each step of `AHEAD` is reported once, and so is the end.
#[derive(Default)]
pub(super) struct Countdown {
    reached: Option<i64>,
}

impl Countdown {
    /// Whether `days` left must be reported.
    pub(super) fn is_news(&mut self, days: i64) -> bool {
        let step = AHEAD.into_iter().find(|ahead| days <= *ahead);
        let reached = if days < 0 { Some(i64::MIN) } else { step };
        let news = match (reached, self.reached) {
            (Some(now), Some(before)) => now < before,
            (Some(_), None) => true,
            (None, _) => false,
        };
        // After a renewal the steps begin again.
        self.reached = reached;
        news
    }
}

/// The licence in force, and all that is needed to take a new one.
pub(super) struct Licensing {
    identity: Identity,
    licence: Licence,
    path: PathBuf,
    countdown: Countdown,
    /// The state of the file when it was read last.
    read: Option<FileState>,
    /// Why the last content of the file is not in force.
    refused: Option<String>,
}

impl Licensing {
    pub(super) fn new(identity: Identity, licence: Licence, path: PathBuf) -> Self {
        let read = FileState::of(&path);
        Self { identity, licence, path, countdown: Countdown::default(), read, refused: None }
    }

    /// The licence in force.
    pub(super) fn licence(&self) -> &Licence {
        &self.licence
    }

    /// Checks the licence file and the days that are left at `now`: logs what is new, and adds it to `entries` for the
    /// backend's system log. Returns the TLS context for a new licence.
    pub(super) fn check(&mut self, now: SystemTime, entries: &mut Vec<SystemLog>) -> Option<SslContext> {
        let context = match self.reread(now) {
            Some(Ok(licence)) => self.take(licence, now),
            Some(Err(reason)) => {
                let text = "the changed licence file cannot be used, the licence in force stays";
                common::error!("{text}: {reason}");
                entries.push(SystemLog::new(Origin::Server, Level::Error, text, &reason));
                None
            }
            None => None,
        };
        entries.extend(self.count_down(now).map(|days| self.log_expiry(days)));
        context
    }

    fn take(&mut self, licence: Licence, now: SystemTime) -> Option<SslContext> {
        let replaced = self.replace(licence);
        match &replaced {
            Ok(_) => Event::new(&catalogue::LICENCE)
                .field("holder", self.licence.holder())
                .field_num("days", self.licence.days_left(now))
                .log(),
            Err(e) => common::error!("the changed licence cannot be used, the licence in force stays: {e}"),
        }
        replaced.ok()
    }

    fn log_expiry(&self, days: i64) -> SystemLog {
        let (priority, level, text, reason) = if days < 0 {
            let reason = "expired: new sessions are refused until a valid licence file appears";
            (Priority::Error, Level::Error, "the licence has expired", reason)
        } else {
            (Priority::Warn, Level::Warn, "the licence expires soon", "it expires soon")
        };
        let event = Event::new(&catalogue::LICENCE)
            .field("holder", self.licence.holder())
            .field_num("days", days)
            .field("reason", reason);
        let entry = SystemLog::new(Origin::Server, level, text, event.text());
        event.log_at(priority);
        entry
    }

    /// Days left at `now`, if they must be reported.
    fn count_down(&mut self, now: SystemTime) -> Option<i64> {
        let days = self.licence.days_left(now);
        self.countdown.is_news(days).then_some(days)
    }

    /// Puts this licence in force, and returns the TLS context for it. On an error the old one stays in force.
    fn replace(&mut self, licence: Licence) -> Result<SslContext, ErrorStack> {
        let before = std::mem::replace(&mut self.licence, licence);
        self.context().inspect_err(|_| self.licence = before)
    }

    /// The control connection's context, with this licence.
    pub(super) fn context(&self) -> Result<SslContext, ErrorStack> {
        tls::server_context(&self.licence.certificate, &self.identity.key, &self.licence.ca)
    }

    /// Reads the licence file: a licence that is valid for this server at `now` and not in force yet, or a new reason
    /// why it has none. A file that was refused is checked again, because its validity may have begun.
    fn reread(&mut self, now: SystemTime) -> Option<Result<Licence, String>> {
        let file = FileState::of(&self.path);
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

#[cfg(test)]
mod tests {
    use super::{Countdown, Licence, Licensing};
    use crate::licence::tests::{Authority, identity, in_file, moment};
    use common::identity::CertificateKind;
    use std::fs;

    #[test]
    fn a_licence_whose_time_has_not_come_is_taken_when_it_has() {
        let (authority, own) = (Authority::new(true), identity());
        let current = authority.issue(&own.key, CertificateKind::Licence, (-10, 1));
        let next = authority.issue(&own.key, CertificateKind::Licence, (1, 400));
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
    fn each_step_is_news_once_and_a_renewal_starts_over() {
        let mut countdown = Countdown::default();
        let news: Vec<i64> = [100, 61, 60, 59, 30, 29, 8, 7, 1, 0, -1, -2, 365, 60]
            .into_iter()
            .filter(|days| countdown.is_news(*days))
            .collect();
        assert_eq!(news, [60, 30, 7, -1, 60]);
    }

    #[test]
    fn a_licence_that_was_copied_with_its_old_time_is_noticed() {
        let (authority, own) = (Authority::new(true), identity());
        let [current, next] =
            [30, 400].map(|days| authority.issue(&own.key, CertificateKind::Licence, (-10, days)));
        let path = in_file("copied", &[&current, &authority.certificate]);
        let times = fs::metadata(&path).unwrap().modified().unwrap();
        let licence = Licence::read(&path).unwrap();
        let mut licensing = Licensing::new(own, licence, path.clone());
        // As `cp -p` does: written to the same file, then its time of modification is set back.
        in_file("copied", &[&next, &authority.certificate]);
        fs::File::options().write(true).open(&path).unwrap().set_modified(times).unwrap();
        assert_eq!(licensing.reread(moment(0)).unwrap().ok().unwrap().days_left(moment(0)), 400);
        fs::remove_file(&path).unwrap();
    }
}
