//! What a user may change, and the order that a user's form places.

use super::fields::Fields;
use super::gate::SignedIn;
use super::page::Fault;
pub(super) use crate::change::Right;
use crate::change::{Author, Order};

/// The form field with the version of the data that the form shows.
pub(super) const VERSION: &str = "version";

impl SignedIn {
    /// Whether the user's role has this right.
    pub(super) fn may(&self, right: Right) -> bool {
        right.is_of(self.1.user.role)
    }

    /// Returns an error if the user does not have this right.
    pub(super) fn need(&self, right: Right) -> Result<(), Fault> {
        if self.may(right) { Ok(()) } else { Err(Fault::Role) }
    }

    /// The order for this act. It applies only to the version that the form has shown.
    pub(super) fn order(&self, act: &'static str, fields: &Fields) -> Order {
        let author = Author::of_user(&self.1.user, self.0.address);
        Order { if_version: fields.text(VERSION).parse().ok(), ..Order::of(author, act) }
    }
}
