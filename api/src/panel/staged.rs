//! Holds uploads between the page that shows them and the one that stores them: certificates with their keys, and
//! imports. They are kept only in memory, only a few of them, for a few minutes, and keys are wiped afterwards. So no
//! page ever contains a key.

use crate::change::certificates::{Given, Slot};
use crate::credentials::random_text;
use crate::pki::PkiError;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an upload is held.
const LIFE: Duration = Duration::from_mins(10);

/// An uploaded certificate, and its purpose.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) slot: Slot,
    pub(super) given: Given,
}

struct Entry<T> {
    id: String,
    user: String,
    until: Instant,
    held: T,
}

/// All uploads of a kind that are held.
pub(super) struct Staged<T> {
    all: Mutex<Vec<Entry<T>>>,
    /// Most uploads that are held at a time. A further one replaces the oldest.
    most: usize,
}

impl<T: Clone> Staged<T> {
    /// Holds at most so many uploads.
    pub(super) fn new(most: usize) -> Self {
        Self { all: Mutex::default(), most }
    }

    /// Holds an upload of this user. Returns the identifier to get it with.
    pub(super) fn put(&self, user: &str, held: T) -> Result<String, PkiError> {
        let id = random_text()?;
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        all.retain(|entry| entry.until > now);
        if all.len() >= self.most {
            all.remove(0);
        }
        all.push(Entry { id: id.clone(), user: user.to_owned(), until: now + LIFE, held });
        Ok(id)
    }

    /// The upload of this user with this identifier, if it is still held.
    pub(super) fn get(&self, user: &str, id: &str) -> Option<T> {
        let all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let found = all.iter().find(|entry| entry.id == id && entry.user == user && entry.until > now);
        found.map(|entry| entry.held.clone())
    }

    /// Removes an upload.
    pub(super) fn remove(&self, id: &str) {
        self.all.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.id != id);
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, Held, Slot, Staged};

    const MOST: usize = 8;

    #[test]
    fn it_is_held_for_its_user_until_others_push_it_out() {
        let staged = Staged::new(MOST);
        let held = || {
            let given = Given { file: String::new(), certificates: Vec::new(), key: None };
            Held { slot: Slot::Own, given }
        };
        let first = staged.put("anna", held()).unwrap();
        assert!(staged.get("anna", &first).is_some() && staged.get("ben", &first).is_none());
        let second = staged.put("anna", held()).unwrap();
        staged.remove(&second);
        assert!(staged.get("anna", &second).is_none());
        for _ in 0..MOST {
            staged.put("ben", held()).unwrap();
        }
        assert!(staged.get("anna", &first).is_none());
    }
}
