//! Times in certificates, in seconds since 1970-01-01 UTC.

use crate::text::clock::DAY;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509Ref;

/// The clock of a CA may be ahead of ours by so much, seconds.
pub const CLOCK_SKEW: i64 = 300;

/// The time of a certificate or CRL in seconds since 1970-01-01 UTC.
///
/// # Errors
/// OpenSSL cannot read the time, or has no memory.
pub fn unix_time_of(time: &Asn1TimeRef) -> Result<i64, ErrorStack> {
    let since = Asn1Time::from_unix(0)?.diff(time)?;
    Ok(i64::from(since.days) * DAY + i64::from(since.secs))
}

/// First and last second of a certificate, since 1970-01-01 UTC.
///
/// # Errors
/// As [`unix_time_of`].
pub fn validity(certificate: &X509Ref) -> Result<(i64, i64), ErrorStack> {
    Ok((unix_time_of(certificate.not_before())?, unix_time_of(certificate.not_after())?))
}

#[cfg(test)]
mod tests {
    use super::unix_time_of;
    use openssl::asn1::Asn1Time;

    #[test]
    fn a_certificates_time_comes_back() {
        for seconds in [-86_401, 0, 1_795_339_270, 4_107_542_399] {
            assert_eq!(unix_time_of(&Asn1Time::from_unix(seconds).unwrap()).unwrap(), seconds);
        }
    }
}
