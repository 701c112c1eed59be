//! What each role may change.

use crate::store::users::Role;

/// The right that a change needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Daily work: enable and disable partners, change where they are called, ignore texts, end sessions.
    Operate,
    /// Everything else.
    Administer,
}

impl Right {
    /// Whether a role has it.
    pub(crate) fn is_of(self, role: Role) -> bool {
        match self {
            Self::Operate => role != Role::Auditor,
            Self::Administer => role == Role::Administrator,
        }
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
