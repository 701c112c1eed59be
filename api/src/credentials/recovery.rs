//! The recovery codes: ten, shown once, each valid for one login without the app. They have 80 random bits, so a plain
//! hash of each is stored.

use super::{hash_of, random};
use crate::pki::PkiError;

/// Codes of a user.
const CODES: usize = 10;
/// Letters without those that people confuse.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Letters of a code, of five bits each.
const LENGTH: usize = 16;

/// New codes, and their hashes.
pub(crate) fn new_codes() -> Result<(Vec<String>, String), PkiError> {
    let mut codes = Vec::with_capacity(CODES);
    for _ in 0..CODES {
        codes.push(shown(random::<LENGTH>()?));
    }
    let hashes: Vec<String> = codes.iter().map(|code| hash_of(&plain(code))).collect();
    Ok((codes, hashes.join(" ")))
}

/// The remaining hashes after `code` was used; none: it is not one of them.
pub(crate) fn use_up(kept: &str, code: &str) -> Option<String> {
    let used = hash_of(&plain(code));
    let left: Vec<&str> = kept.split_whitespace().filter(|hash| *hash != used).collect();
    (left.len() < kept.split_whitespace().count()).then(|| left.join(" "))
}

/// The number of remaining codes.
pub(crate) fn left(kept: &str) -> usize {
    kept.split_whitespace().count()
}

/// The code in groups of four letters.
fn shown(octets: [u8; LENGTH]) -> String {
    let letter = |octet: &u8| LETTERS.get(usize::from(octet & 31)).copied().map_or('?', char::from);
    let letters: Vec<char> = octets.iter().map(letter).collect();
    letters.chunks(4).map(|group| group.iter().collect()).collect::<Vec<String>>().join("-")
}

/// The code in a spelling that people may type.
fn plain(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::{CODES, left, new_codes, use_up};
    use std::collections::BTreeSet;

    #[test]
    fn each_code_works_once_however_it_is_typed() {
        let (codes, kept) = new_codes().unwrap();
        assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), CODES);
        assert!(codes.iter().all(|code| code.len() == 19 && !kept.contains(code)), "{codes:?}");
        let rest = use_up(&kept, &codes[3].to_uppercase().replace('-', " ")).unwrap();
        assert_eq!(left(&rest), CODES - 1);
        assert_eq!(use_up(&rest, &codes[3]), None);
        assert_eq!(use_up(&rest, ""), None);
        assert!(use_up(&rest, &codes[4]).is_some());
    }
}
