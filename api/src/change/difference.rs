//! The effect of a change on the objects: which are new, which are removed, and which members have another value.
//! Prints it for people in lines; long values are replaced by their hash.

use super::state::State;
use crate::db::DbError;
use crate::store::audit::Recorded;
use common::text::hex;
use serde_json::{Map, Value, json};

/// Characters of a value that are shown.
const LONGEST: usize = 100;

/// The objects that differ: old and new values. A missing object is null.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub(crate) old: State,
    pub(crate) new: State,
}

impl Difference {
    /// Between two states.
    pub(crate) fn between(before: &State, after: &State) -> Self {
        let mut found = Self::default();
        for name in before.keys().chain(after.keys()) {
            let (old, new) = (before.get(name), after.get(name));
            if old != new {
                found.old.insert(name.clone(), old.cloned().unwrap_or(Value::Null));
                found.new.insert(name.clone(), new.cloned().unwrap_or(Value::Null));
            }
        }
        found
    }

    /// The difference that a row of the audit has.
    pub(crate) fn of(row: &Recorded) -> Result<Self, DbError> {
        let corrupt = |_| DbError::Corrupt(format!("row {} of the audit", row.number));
        let parsed = |text: &str| serde_json::from_str::<State>(text).map_err(corrupt);
        Ok(Self { old: parsed(&row.entry.old)?, new: parsed(&row.entry.new)? })
    }

    /// Whether nothing differs.
    pub(crate) fn is_empty(&self) -> bool {
        self.new.is_empty()
    }

    /// The names of the objects.
    pub(crate) fn names(&self) -> impl Iterator<Item = &String> {
        self.new.keys()
    }

    /// A line for each object that is new or removed, and for each member that has another value.
    pub(crate) fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (name, new) in &self.new {
            let old = self.old.get(name).unwrap_or(&Value::Null);
            match (old, new) {
                (Value::Null, new) => lines.push(format!("+ {name}: {}", shown(new))),
                (old, Value::Null) => lines.push(format!("- {name}: {}", shown(old))),
                (Value::Object(old), Value::Object(new)) => {
                    let gone = old.keys().filter(|member| !new.contains_key(*member));
                    for member in new.keys().chain(gone) {
                        let value = |of: &Map<String, Value>| of.get(member).cloned().unwrap_or(Value::Null);
                        let (old, new) = (value(old), value(new));
                        if old != new {
                            lines.push(format!("~ {name}: {member}: {} -> {}", shown(&old), shown(&new)));
                        }
                    }
                }
                (old, new) => lines.push(format!("~ {name}: {} -> {}", shown(old), shown(new))),
            }
        }
        lines
    }
}

/// A value for people.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > LONGEST => {
            let hash = hex::encode(&openssl::sha::sha256(text.as_bytes()));
            format!("{} characters, sha256:{hash}", text.chars().count())
        }
        Value::Object(members) => {
            let members = members.iter().filter(|(_, value)| !value.is_null());
            members.map(|(name, value)| format!("{name}={}", shown(value))).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) => format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A row of the audit with its values, for programs.
pub(crate) fn recorded_as_json(row: &Recorded) -> Result<Value, DbError> {
    let Difference { old, new } = Difference::of(row)?;
    let Recorded { number, entry, previous, hash } = row;
    Ok(json!({
        "number": number,
        "time": entry.time,
        "actor": entry.actor,
        "role": entry.role,
        "way": entry.way,
        "address": entry.address,
        "act": entry.act,
        "object": entry.object,
        "old": old,
        "new": new,
        "generation": entry.generation,
        "previous": previous,
        "hash": hash,
    }))
}

#[cfg(test)]
mod tests {
    use super::{Difference, State};
    use serde_json::json;

    fn state(pairs: &[(&str, serde_json::Value)]) -> State {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    #[test]
    fn only_what_differs_is_told() {
        let before = state(&[
            ("ban 192.0.2.0/24", json!({"until": 5})),
            ("partner A", json!({"host": "a", "port": 1, "pem": "x".repeat(200)})),
            ("partner B", json!({"host": "b"})),
        ]);
        let after = state(&[
            ("config x", json!("7")),
            ("partner A", json!({"host": "c", "port": 1, "pem": "y".repeat(200), "tls": true})),
            ("partner B", json!({"host": "b"})),
        ]);
        let lines = Difference::between(&before, &after).lines();
        assert_eq!(lines[0], "- ban 192.0.2.0/24: until=5");
        assert_eq!(lines[1], "+ config x: \"7\"");
        assert_eq!(lines[2], "~ partner A: host: \"a\" -> \"c\"");
        assert!(lines[3].contains("pem: 200 characters, sha256:"), "{}", lines[3]);
        assert_eq!(lines[4], "~ partner A: tls: null -> true");
        assert_eq!(lines.len(), 5);
        assert!(Difference::between(&before, &before).is_empty());
    }
}
