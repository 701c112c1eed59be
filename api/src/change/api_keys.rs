//! Acts on the keys of programs: a key is made with limits and an end, shown once, and removed.

use super::{Act, ChangeError};
use crate::credentials::{hash_of, new_api_key};
use crate::store::api_keys::{self, ApiKey, Scope};
use crate::store::users::Role;
use common::net::Network;
use common::text::clock::{self, DAY};
use common::text::host::is_short_name;

/// A key works for at most so many days.
pub(crate) const LONGEST_DAYS: i64 = 365;
/// Most networks of a key.
const MOST_NETWORKS: usize = 64;

/// The key that is to be made.
pub(crate) struct NewKey<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: Role,
    pub(crate) scopes: Vec<Scope>,
    pub(crate) networks: Vec<Network>,
    /// Its last second; none: as late as possible.
    pub(crate) until: Option<i64>,
}

/// The one spelling of a key's name.
pub(crate) fn name_of(text: &str) -> Result<String, ChangeError> {
    let name = text.to_ascii_lowercase();
    if is_short_name(&name) {
        return Ok(name);
    }
    Err(ChangeError::Refused(format!(
        "'{text}' is not a name of a key: it has 1 to 32 letters, digits, '.', '_' or '-'"
    )))
}

/// The scopes that a text lists, each once; commas or blanks between.
pub(crate) fn scopes_of(text: &str) -> Result<Vec<Scope>, ChangeError> {
    let mut found = Vec::new();
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        found.push(Scope::of_word(word).ok_or_else(|| {
            let known = Scope::ALL.map(Scope::word).join(", ");
            ChangeError::Refused(format!("'{word}' is not a scope: the scopes are {known}"))
        })?);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The networks that a text lists; commas or blanks between.
pub(crate) fn networks_of(text: &str) -> Result<Vec<Network>, ChangeError> {
    let mut found: Vec<Network> = Vec::new();
    for one in text.split([',', ' ']).filter(|one| !one.is_empty()) {
        let network: Network = one.parse().map_err(|_| {
            ChangeError::Refused(format!(
                "'{one}' is not a network in the form 203.0.113.0/24 or 2001:db8::7/128"
            ))
        })?;
        if !found.contains(&network) {
            found.push(network);
        }
    }
    Ok(found)
}

/// Makes a key; gives it, and its row.
pub(crate) async fn add(act: &mut Act, new: NewKey<'_>) -> Result<(String, ApiKey), ChangeError> {
    let NewKey { name, role, mut scopes, networks, until } = new;
    let name = name_of(name)?;
    let refused = |why: String| Err(ChangeError::Refused(why));
    if api_keys::all(act).await?.iter().any(|key| key.name == name) {
        return refused(format!("there is a key '{name}' already: 'os4xapi key remove {name}' ends it"));
    }
    if !act.author().has_role(role) {
        let own = act.author().role;
        return refused(format!("a key of the role {} has more rights than you: you are {own}", role.word()));
    }
    scopes.sort();
    scopes.dedup();
    if scopes.is_empty() {
        let known = Scope::ALL.map(Scope::word).join(", ");
        return refused(format!("a key without a scope can do nothing: the scopes are {known}"));
    }
    if networks.len() > MOST_NETWORKS {
        return refused(format!("a key has at most {MOST_NETWORKS} networks"));
    }
    let (now, longest) = (clock::now(), clock::now() + LONGEST_DAYS * DAY);
    let until = until.unwrap_or(longest);
    // The day on which the longest one ends may be named as a whole.
    if until <= now || until > longest + DAY {
        return refused(format!(
            "a key ends within a year, at {} at the latest: choose an earlier time, and make a new key before it",
            clock::rfc3339(longest)
        ));
    }
    let text = new_api_key()?;
    let created_by = act.author().actor.clone();
    let hash = hash_of(&text);
    let key = ApiKey { name, hash, role, scopes, networks, until, created: now, created_by, used: None };
    api_keys::add(act, &key).await?;
    Ok((text, key))
}

/// Removes a key: it does not work any more.
pub(crate) async fn remove(act: &mut Act, text: &str) -> Result<(), ChangeError> {
    if api_keys::remove(act, &text.to_ascii_lowercase()).await? {
        return Ok(());
    }
    Err(ChangeError::Refused(format!("there is no key '{text}': 'os4xapi key list' shows all")))
}

#[cfg(test)]
mod tests {
    use super::{Scope, networks_of, scopes_of};

    #[test]
    fn scopes_and_networks_are_lists_of_known_things() {
        assert_eq!(scopes_of("metrics, read read").unwrap(), [Scope::Read, Scope::Metrics]);
        let why = scopes_of("read,all").unwrap_err().to_string();
        assert!(why.contains("'all' is not a scope: the scopes are read, partners,"), "{why}");
        assert_eq!(networks_of("10.0.0.0/8 10.0.0.0/8,::1/128").unwrap().len(), 2);
        assert!(networks_of("10.0.0.1/8").unwrap_err().to_string().contains("203.0.113.0/24"));
    }
}
