//! The last word of a process: its exit status, as a number for the parent and as one word for log lines.
//!
//! A session child ends with the status that its own end line names, so that parent and child say the same. Numbers
//! stay what they are once released; `os4x_proxy-log.5` lists the words.

use std::fmt;
use std::process::{ExitCode, Termination};

macro_rules! statuses {
    ($($(#[$doc:meta])* $name:ident = $number:literal $word:literal,)*) => {
        /// How a process ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Status {
            $($(#[$doc])* $name = $number,)*
        }

        impl Status {
            /// Every status, in the order of its numbers.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Its word: lower case, digits and `-`.
            pub fn word(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)*
                }
            }

            /// The status with this number; none if no process of ours ends with it.
            pub fn from_number(number: u8) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.number() == number)
            }
        }
    };
}

statuses! {
    /// All is well: the session ended by a normal ESID, the daemon because it was told to.
    Normal = 0 "normal",
    /// The daemon could not start or had to stop; its last line says why.
    Failed = 1 "failed",
    /// Told to end by a signal.
    Terminated = 2 "terminated",
    /// A parked child was not needed any more: too old, or its generation is.
    Retired = 3 "retired",
    /// The partner broke the connection.
    PartnerBroke = 10 "partner-broke",
    /// The station broke the connection.
    StationBroke = 11 "station-broke",
    /// The data connection between the daemons broke.
    LinkBroke = 12 "link-broke",
    /// A deadline passed.
    Timeout = 13 "timeout",
    /// The partner sent what OFTP2 does not allow.
    PartnerViolation = 14 "partner-violation",
    /// The station sent what OFTP2 does not allow.
    StationViolation = 15 "station-violation",
    /// An ESID with an error reason ended the session.
    ErrorEsid = 16 "error-esid",
    /// The station does not answer.
    StationDown = 17 "station-down",
    /// No client is joined, or it gave no child.
    ClientDown = 18 "client-down",
    /// The partner cannot be reached (outgoing).
    PartnerDown = 19 "partner-down",
    /// The SSIDCODE is not in the partner table.
    UnknownPartner = 20 "refused-unknown-partner",
    /// The certificate does not belong to the SSIDCODE.
    NotThisPartner = 21 "refused-not-this-partner",
    /// The partner is disabled.
    Disabled = 22 "refused-disabled",
    /// A limit is reached.
    Capacity = 23 "refused-capacity",
    /// The destination is not in the partner table (outgoing).
    Destination = 24 "refused-destination",
    /// The licence has expired.
    Licence = 25 "refused-licence",
    /// The partner showed no certificate.
    NoCertificate = 30 "refused-no-certificate",
    /// No trusted certificate leads to the partner's.
    UnknownCa = 31 "refused-unknown-ca",
    /// A certificate has expired.
    Expired = 32 "refused-expired",
    /// A certificate is not valid yet.
    NotYetValid = 33 "refused-not-yet-valid",
    /// A certificate was revoked.
    Revoked = 34 "refused-revoked",
    /// There is no CRL of an issuer.
    CrlMissing = 35 "refused-crl-missing",
    /// A CRL has expired.
    CrlExpired = 36 "refused-crl-expired",
    /// A CRL is not signed by its issuer.
    CrlBadSignature = 37 "refused-crl-bad-signature",
    /// A certificate is for another purpose.
    WrongUsage = 38 "refused-wrong-usage",
    /// A key or a signature is too weak.
    WeakKey = 39 "refused-weak-key",
    /// The certificate is for another host name (outgoing).
    WrongName = 40 "refused-wrong-name",
    /// The TLS handshake failed otherwise.
    Tls = 41 "refused-tls",
    /// A bad option, address or port (sysexits EX_USAGE).
    Usage = 64 "usage",
    /// A fault of ours: the process panicked (sysexits EX_SOFTWARE).
    Internal = 70 "internal-error",
}

impl Status {
    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Termination for Status {
    fn report(self) -> ExitCode {
        ExitCode::from(self.number())
    }
}

#[cfg(test)]
mod tests {
    use super::Status;
    use std::collections::HashSet;

    #[test]
    fn numbers_and_words_tell_statuses_apart() {
        let words: HashSet<&str> = Status::ALL.iter().map(|status| status.word()).collect();
        assert_eq!(words.len(), Status::ALL.len());
        for status in Status::ALL {
            assert_eq!(Status::from_number(status.number()), Some(*status));
            assert!(status.word().bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-')), "{status}");
        }
        assert_eq!(Status::from_number(99), None);
    }
}
