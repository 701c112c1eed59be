//! The codes of an app on a telephone (RFC 6238: SHA-1, six digits, 30 seconds, which all apps know). A code is
//! accepted once: the caller stores its step.

use super::random;
use crate::pki::PkiError;
use totp_rs::{Builder, Secret};

/// Steps of 30 seconds by which a clock may be wrong, to either side.
const SKEW: u16 = 1;

/// A new secret in base32, as apps take it.
pub(crate) fn new_secret() -> Result<String, PkiError> {
    Ok(Secret::new_stack(random::<20>()?).to_base32())
}

/// The step of `code`, if it is one of this secret at this time, seconds since 1970-01-01 UTC.
pub(crate) fn step_of(secret: &str, code: &str, time: u64) -> Option<i64> {
    let secret = Secret::try_from_base32(secret).ok()?;
    let totp = Builder::new().with_secret(secret).with_skew(SKEW).build().ok()?;
    let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    totp.check(&digits, time)?.try_into().ok()
}

/// The text in the picture that an app scans.
pub(crate) fn uri(secret: &str, site: &str, name: &str) -> String {
    // Both names are of letters, digits, '.', '_' and '-'.
    format!(
        "otpauth://totp/OS4X%20SmartProxy%20{site}:{name}?secret={secret}&issuer=OS4X%20SmartProxy%20{site}"
    )
}

#[cfg(test)]
mod tests {
    use super::{new_secret, step_of, uri};

    /// The secret of RFC 6238's examples.
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn the_codes_are_those_of_the_rfc_and_of_the_steps_beside() {
        // The last six digits of its appendix B.
        for (time, code) in [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924")] {
            let step = i64::try_from(time).unwrap() / 30;
            assert_eq!(step_of(SECRET, code, time), Some(step));
            assert_eq!(step_of(SECRET, code, time + 30), Some(step));
            assert_eq!(step_of(SECRET, code, time + 61), None);
        }
        assert_eq!(step_of(SECRET, "287 082", 59), Some(1));
        for bad in ["", "28708", "2870822", "28708x", "287083"] {
            assert_eq!(step_of(SECRET, bad, 59), None, "{bad}");
        }
    }

    #[test]
    fn a_secret_has_160_bits_and_stands_in_the_uri() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.len(), 32);
        assert_ne!(secret, new_secret().unwrap());
        assert!(uri(&secret, "h", "anna").contains(&format!("SmartProxy%20h:anna?secret={secret}&")));
    }
}
