//! How a page changes something: within an act of the change layer, which records it in the audit. Before a dangerous
//! action the panel makes the change without storing it, to show its effect, and asks the user to confirm it.

use super::Panel;
use super::fields::Fields;
use super::gate::SignedIn;
use super::page::{self, Fault};
use super::parts;
use super::second_look::{self, Look};
use super::words::Words;
pub(super) use crate::change::Reach;
use crate::change::{self, Act, ChangeError, Need, Order};
use crate::error_text::sentence;
use axum::response::Response;

/// The result of an action.
pub(super) enum Outcome<T> {
    Done(T),
    /// Nothing is done yet: the user has to confirm it on this page.
    Confirm(Response),
    /// Nothing is done, for this reason, which is not a fault of the database.
    Refused(ChangeError),
}

impl<T> Outcome<T> {
    /// The response to a button: the page `path` with the notice `done`, the page to confirm, or the reason.
    pub(super) fn respond(self, who: &SignedIn, path: &str, done: &str) -> Result<Response, Fault> {
        match self {
            Self::Done(_) => Ok(page::saved(path, done)),
            Self::Confirm(page) => Ok(page),
            Self::Refused(why) => parts::refused(who, &refusal(who.0.words, &why), path),
        }
    }
}

impl<T> From<Result<T, ChangeError>> for Outcome<T> {
    fn from(made: Result<T, ChangeError>) -> Self {
        made.map_or_else(Self::Refused, Self::Done)
    }
}

impl Panel {
    /// Makes a change. Returns the result of `work`, or the reason for which the change was refused.
    pub(super) async fn act<T>(
        &self,
        reach: Reach,
        order: Order,
        work: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError>,
    ) -> Result<Result<T, ChangeError>, Fault> {
        match change::carry_out(&self.app.db, reach, order, work).await {
            Err(ChangeError::Db(fault)) => Err(fault.into()),
            made => Ok(made),
        }
    }

    /// Makes a change as soon as the user has confirmed it.
    pub(super) async fn act_confirmed<T>(
        &self,
        who: &SignedIn,
        fields: &Fields,
        (reach, order): (Reach, Order),
        mut look: Look<'_>,
        work: impl AsyncFnOnce(&mut Act) -> Result<T, ChangeError> + Copy,
    ) -> Result<Outcome<T>, Fault> {
        if look.shows_effect {
            match self.act(reach, Order { dry_run: true, ..order.clone() }, work).await? {
                Ok(_) => {}
                Err(ChangeError::DryRun(lines)) => look.lines = lines,
                Err(why) => return Ok(Outcome::Refused(why)),
            }
        }
        if let Some(page) = second_look::pass(self, who, fields, &look).await? {
            return Ok(Outcome::Confirm(page));
        }
        Ok(self.act(reach, order, work).await?.into())
    }
}

/// The reason of a refused change as a text for users.
pub(super) fn refusal(w: &'static Words, why: &ChangeError) -> String {
    match why {
        ChangeError::Stale { .. } => w.stale_form.to_owned(),
        ChangeError::PartnerExists(_) => w.partner_is_there.to_owned(),
        ChangeError::Needs(need) => needed(w, need),
        ChangeError::Obstacle(obstacle) => sentence(&obstacle.text(w.language())),
        ChangeError::Pki(why) => w.of_file(why),
        why => why.to_string(),
    }
}

/// What the user has to give, in the words of the forms.
fn needed(w: &'static Words, need: &Need) -> String {
    match need {
        Need::Key { .. } => w.needs_key.to_owned(),
        Need::KeyOfOther { .. } => w.needs_key_of_other.to_owned(),
        Need::Subject => w.needs_subject.to_owned(),
        Need::Replacement { subject } => {
            format!("{} {subject}. {}", w.request_is_there, w.needs_replacement)
        }
        Need::Pin { .. } => w.needs_pin.to_owned(),
        Need::Passphrase { .. } => w.needs_passphrase.to_owned(),
        Need::Place { partner: Some(name), .. } => {
            format!("{} {name}. {}", w.port_of_partner, w.needs_place)
        }
        Need::Place { partner: None, .. } => format!("{} {}", w.port_of_proxy, w.needs_place),
    }
}
