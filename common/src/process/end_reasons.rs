//! Why a process ended, or refused a partner or a station: its exit status, as a number for the parent and as one word
//! for log lines. This is the list of all reasons.
//!
//! A session child ends with the status that its end line names, so that parent and child give the same reason. A
//! number never changes once it is released; `os4x_proxy-log.5` lists the words.

use crate::sys;
use nix::sys::signal::Signal;
use nix::sys::wait::WaitStatus;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{ExitCode, Termination};

macro_rules! statuses {
    ($($(#[doc = $doc:literal])* $name:ident = $number:literal $word:literal,)*) => {
        /// How a process ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Status {
            $($(#[doc = $doc])* $name = $number,)*
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

            /// What it means, in a sentence.
            pub fn meaning(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),*).trim_start(),)*
                }
            }

            /// The status with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|status| status.word() == word)
            }

            /// The status with this number; none if there is no such status.
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
    /// A signal told the process to end.
    Terminated = 2 "terminated",
    /// A parked session process was no longer needed: it, or its configuration, was too old.
    Retired = 3 "retired",
    /// The partner broke the connection.
    PartnerBroke = 10 "partner-broke",
    /// The station broke the connection.
    StationBroke = 11 "station-broke",
    /// The data connection between the daemons broke.
    LinkBroke = 12 "link-broke",
    /// A deadline passed.
    Timeout = 13 "timeout",
    /// The partner sent something that OFTP2 does not allow.
    PartnerViolation = 14 "partner-violation",
    /// The station sent something that OFTP2 does not allow.
    StationViolation = 15 "station-violation",
    /// An ESID with an error reason ended the session.
    ErrorEsid = 16 "error-esid",
    /// The station does not answer: is its receive daemon up, and are proxy_station_host and tcp_port right?
    StationDown = 17 "station-down",
    /// No client is joined, or it started no session process: look into the log of os4x_proxyclient2.
    ClientDown = 18 "client-down",
    /// The partner cannot be reached (outgoing).
    PartnerDown = 19 "partner-down",
    /// The SSIDCODE is not in the partner table: 'os4xapi partner add' lists it.
    UnknownPartner = 20 "unknown-partner",
    /// The certificate does not belong to the SSIDCODE: pin it, or correct the rule (os4xapi partner set).
    NotThisPartner = 21 "not-this-partner",
    /// The partner is disabled: 'os4xapi partner set NAME --enabled yes' lets it in.
    Disabled = 22 "disabled",
    /// A limit is reached: see the settings that begin with proxy_, 'os4xapi config list' shows them.
    Capacity = 23 "capacity",
    /// The destination is not in the partner table (outgoing): list its host with 'os4xapi partner set NAME --host'.
    Destination = 24 "destination",
    /// The licence has expired: 'os4xapi licence issue' makes a new one.
    Licence = 25 "licence",
    /// The station's address is not in the networks that may use the listener (outgoing).
    NotAllowed = 26 "not-allowed",
    /// The station did not name a partner by CONNECT or SOCKS5 (outgoing).
    BadRequest = 27 "bad-request",
    /// The server does not have the outgoing IP address (outgoing): correct tcp_outgoing_ip or --outgoing-ip.
    OutgoingIp = 28 "outgoing-ip",
    /// Too many connections from this source have failed recently: it may connect again after some minutes; see
    /// proxy_penalty_exempt.
    Penalty = 29 "penalty",
    /// The partner showed no certificate: its station has to be set up to show its own (mutual TLS).
    NoCertificate = 30 "no-certificate",
    /// No trusted certificate leads to the partner's certificate: trust its CA ('os4xapi trust add'), or pin it
    /// ('partner set --pin').
    UnknownCa = 31 "unknown-ca",
    /// A certificate has expired: its owner needs a new one.
    Expired = 32 "expired",
    /// A certificate is not valid yet: compare the clocks of this host and of its CA.
    NotYetValid = 33 "not-yet-valid",
    /// A certificate was revoked: its owner needs a new one.
    Revoked = 34 "revoked",
    /// The server has no CRL for a certificate: 'os4xapi crl list' says why, 'os4xapi crl add' adds one.
    CrlMissing = 35 "crl-missing",
    /// A CRL has expired: 'os4xapi crl list' says why there is no newer one.
    CrlExpired = 36 "crl-expired",
    /// A CRL is not signed by its issuer: add the list of the CA itself with 'os4xapi crl add'.
    CrlBadSignature = 37 "crl-bad-signature",
    /// A certificate is for another purpose: 'os4xapi partner set NAME --usage any' allows it.
    WrongUsage = 38 "wrong-usage",
    /// A key or a signature is too weak: RSA and DH need 2048 bits, signatures SHA-256; its owner needs a new one.
    WeakKey = 39 "weak-key",
    /// The certificate is for another host name (outgoing): set --host to that name, or pin the certificate.
    WrongName = 40 "wrong-name",
    /// The TLS handshake failed in another way; the detail has the message of the TLS library.
    Tls = 41 "tls",
    /// The partner speaks a protocol, a version or suites that are refused, or no TLS at all; see the detail, and
    /// 'os4xapi partner set NAME --legacy-suites yes' for older suites.
    Protocol = 42 "protocol",
    /// A certificate is faulty in another way: its owner needs a new one.
    BadCertificate = 43 "bad-certificate",
    /// The partner ended before it sent its SSID.
    NoSsid = 44 "no-ssid",
    /// The connection was closed before its first octet: a health check, or a port scan.
    Probe = 45 "probe",
    /// The operator refuses this source: 'os4xapi ban list' shows the bans, 'os4xapi ban remove' ends one.
    Banned = 46 "banned",
    /// The partner connected from an address outside its networks: if this is right, name that address as well with
    /// 'os4xapi partner set NAME --network'.
    WrongNetwork = 47 "wrong-network",
    /// An administrator ended the session; the detail says who, and 'os4xapi audit list' says when.
    Administrator = 48 "administrator",
    /// A balancer sent no valid PROXY header: make it send one ('send-proxy-v2' in HAProxy), or take its address out of
    /// tcp_proxy_protocol_from.
    ProxyHeader = 49 "proxy-header",
    /// The server takes no new sessions (outgoing): another server takes them, or 'os4xapi proxy undrain' lets this one
    /// take them again.
    Draining = 50 "draining",
    /// A bad option, address or port (sysexits EX_USAGE).
    Usage = 64 "usage",
    /// A fault of this program: the process panicked (sysexits EX_SOFTWARE).
    Internal = 70 "internal-error",
    /// The kernel ended a session process (SIGSYS) because it did something that its sandbox forbids: an attacker
    /// controls it, or the system's libraries are newer than the sandbox; see 'proxy_sandbox' in
    /// os4x_smartproxy-trouble(7).
    Sandbox = 71 "sandbox",
}

impl Status {
    /// Its number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// The status with which a child ended; none if a signal killed it.
pub fn of(ended: WaitStatus) -> Option<Status> {
    match ended {
        WaitStatus::Exited(_, code) => u8::try_from(code).ok().and_then(Status::from_number),
        _ => None,
    }
}

/// Ends a forked process with the status that `run` returns. A panic becomes an internal error and goes no further,
/// because the frames below belong to the parent.
pub fn end_with(run: impl FnOnce() -> Status) -> ! {
    let status = catch_unwind(AssertUnwindSafe(run)).unwrap_or(Status::Internal);
    sys::exit_now(status.number())
}

/// How a child ended, in one word: its own status, or the signal that killed it.
pub fn word_of(ended: WaitStatus) -> String {
    match (of(ended), ended) {
        (Some(status), _) => status.word().to_owned(),
        (None, WaitStatus::Exited(_, code)) => format!("exit-{code}"),
        (None, WaitStatus::Signaled(_, Signal::SIGSYS, _)) => Status::Sandbox.word().to_owned(),
        (None, WaitStatus::Signaled(_, signal, _)) => format!("killed-by-{signal}"),
        (None, other) => format!("{other:?}"),
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
