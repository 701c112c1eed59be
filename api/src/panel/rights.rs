//! What each role may change, and the order that a user's form places.

use super::fields::Fields;
use super::gate::SignedIn;
use super::page::Fault;
use crate::change::{Author, Order};
use crate::store::users::Role;

/// The right that a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// Daily work: enable and disable partners, change where they are called, ignore texts, end sessions.
    Operate,
    /// Everything else.
    Administer,
}

/// The form field with the version of the data that the form shows.
pub(super) const VERSION: &str = "version";

impl Right {
    fn is_of(self, role: Role) -> bool {
        match self {
            Self::Operate => role != Role::Auditor,
            Self::Administer => role == Role::Administrator,
        }
    }
}

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

#[cfg(test)]
mod tests {
    use super::{Right, Role};

    #[test]
    fn each_role_has_its_rights() {
        for (role, operate, administer) in
            [(Role::Administrator, true, true), (Role::Operator, true, false), (Role::Auditor, false, false)]
        {
            assert_eq!((Right::Operate.is_of(role), Right::Administer.is_of(role)), (operate, administer));
        }
    }
}
