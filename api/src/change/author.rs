//! Who changes something, and in which way: a person with a command or in the panel, a program with its key, or `serve`
//! by itself. A person who can write the database can do everything; the audit has the name that this person has given.

use crate::owner;
use crate::store::api_keys::ApiKey;
use crate::store::users::{Role, User};
use nix::unistd::getuid;
use std::net::IpAddr;

/// Who changes something.
#[derive(Debug, Clone)]
pub(crate) struct Author {
    /// Name and number of a user, or `serve`.
    pub(crate) actor: String,
    /// The role.
    pub(crate) role: &'static str,
    /// The way it came: `cli`, `panel`, `api` or `system`.
    pub(crate) way: &'static str,
    /// The address from which the person is logged in.
    pub(crate) address: Option<String>,
}

impl Author {
    /// The user who runs this command: the user of this process; with sudo the user who called it.
    pub(crate) fn of_command() -> Self {
        let uid = getuid();
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let caller = variable("SUDO_USER").filter(|_| uid.is_root()).map(|name| {
            let number = variable("SUDO_UID").and_then(|text| text.parse().ok());
            format!("{} as ", user(&name, number))
        });
        let own = user(&owner::name(uid.as_raw()), Some(uid.as_raw()));
        // sshd sets it: address and port of the caller, and of this host.
        let from = variable("SSH_CONNECTION").and_then(|text| text.split(' ').next()?.parse().ok());
        Self {
            actor: format!("{}{own}", caller.unwrap_or_default()),
            role: "administrator",
            way: "cli",
            address: from.map(|address: IpAddr| address.to_string()),
        }
    }

    /// A user of the panel.
    pub(crate) fn of_user(user: &User, address: IpAddr) -> Self {
        let (actor, role) = (user.name.clone(), user.role.word());
        Self { actor, role, way: "panel", address: Some(address.to_string()) }
    }

    /// A program with a key.
    pub(crate) fn of_key(key: &ApiKey, address: IpAddr) -> Self {
        let (actor, role) = (key.name.clone(), key.role.word());
        Self { actor, role, way: "api", address: Some(address.to_string()) }
    }

    /// Whether its role has all rights of this one.
    pub(crate) fn has_role(&self, role: Role) -> bool {
        Role::of_word(self.role).is_some_and(|own| own <= role)
    }

    /// This program, by itself.
    pub(crate) fn system() -> Self {
        Self { actor: "serve".to_owned(), role: "system", way: "system", address: None }
    }
}

fn user(name: &str, uid: Option<u32>) -> String {
    // It may come from the environment.
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    uid.map_or_else(|| name.clone(), |uid| format!("{name}({uid})"))
}
