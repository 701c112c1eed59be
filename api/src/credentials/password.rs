//! Passwords: the rules for them, and their hash (argon2id, 19 MiB, two rounds, as OWASP recommends). A hash is slow on
//! purpose: a thread that has to answer others must not compute it, and only one is computed at a time.

use super::random;
use crate::pki::PkiError;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Characters of a password.
const LENGTHS: std::ops::RangeInclusive<usize> = 12..=256;
/// Beginnings of passwords that attackers try first, in lower case.
const COMMON: [&str; 14] = [
    "password",
    "passwort",
    "123456",
    "qwerty",
    "qwertz",
    "letmein",
    "welcome",
    "willkommen",
    "administrator",
    "changeme",
    "iloveyou",
    "abcdef",
    "000000",
    "111111",
];
/// A hash of no password. For an unknown user the answer takes as long as for a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXRoaW5nZWxzZQ$\
                      C7VWxEUZtGqTVNtkHVI4PgFm0TW2IBW7GFXSr5DPPHY";

/// Why a password is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weakness {
    /// Fewer than 12 characters, or very many.
    Length,
    /// It contains a name that everybody knows.
    Name,
    /// It is one of the passwords that attackers try first.
    Common,
}

/// Whether `password` is allowed for the user `name`; `names`: other names that everybody knows.
pub(crate) fn check(password: &str, name: &str, names: &[&str]) -> Result<(), Weakness> {
    if !LENGTHS.contains(&password.chars().count()) {
        return Err(Weakness::Length);
    }
    let small = password.to_lowercase();
    let mut known = names.iter().chain([&name]).filter(|name| name.len() > 3);
    if known.any(|name| small.contains(&name.to_lowercase())) {
        return Err(Weakness::Name);
    }
    let mut octets = small.bytes();
    let first = octets.next();
    if COMMON.iter().any(|common| small.starts_with(common)) || octets.all(|octet| Some(octet) == first) {
        return Err(Weakness::Common);
    }
    Ok(())
}

/// The hash of a password with a salt of its own, in PHC's format.
pub(crate) fn hash(password: &str) -> Result<Option<String>, PkiError> {
    let salt = random::<16>()?;
    // It fails only for wrong parameters, which are constants.
    Ok(hasher().hash_password_with_salt(password.as_bytes(), &salt).ok().map(|hash| hash.to_string()))
}

/// Whether `password` belongs to this hash; without a hash it takes as long, and the answer is no.
pub(crate) fn is_right(password: &str, hash: Option<&str>) -> bool {
    let parsed = PasswordHash::new(hash.unwrap_or(NOBODY));
    let matches = |hash| hasher().verify_password(password.as_bytes(), &hash).is_ok();
    parsed.is_ok_and(matches) && hash.is_some()
}

fn hasher() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::{NOBODY, PasswordHash, Weakness, check, hash, is_right};

    #[test]
    fn a_password_is_long_and_not_what_everybody_tries() {
        let names = ["os4x", "proxy.example"];
        assert_eq!(check("correct horse battery", "anna", &names), Ok(()));
        for (bad, why) in [
            ("eleven char", Weakness::Length),
            ("anna is my name", Weakness::Name),
            ("here at PROXY.example", Weakness::Name),
            ("Password1234", Weakness::Common),
            ("zzzzzzzzzzzzzz", Weakness::Common),
        ] {
            assert_eq!(check(bad, "anna", &names), Err(why), "{bad}");
        }
        assert_eq!(check(&"x y".repeat(100), "anna", &names), Err(Weakness::Length));
    }

    #[test]
    fn the_right_password_alone_is_right_and_nobody_has_one() {
        let kept = hash("correct horse battery").unwrap().unwrap();
        assert!(kept.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{kept}");
        assert_ne!(kept, hash("correct horse battery").unwrap().unwrap(), "a salt of its own");
        assert!(is_right("correct horse battery", Some(&kept)));
        assert!(!is_right("correct horse batterz", Some(&kept)));
        assert!(!is_right("", None) && !is_right("", Some("no hash")));
        // This takes as long as for a user.
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert_eq!(nobody.params, PasswordHash::new(&kept).unwrap().params);
    }
}
