//! The limits of sessions, connections and time. One row gives the field of the configuration, the setting of the
//! backend, its default, the allowed values, and its sentence in the man page.

use super::fault::{ConfigFault, check};
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// One limit as people see it: a row of `LIMITS`.
#[derive(Debug)]
pub struct Limit {
    /// Name of the field in `Limits`.
    pub field: &'static str,
    /// Name of the backend's setting: `proxy_` and the field.
    pub setting: &'static str,
    /// The value if there is no setting.
    pub default: u32,
    /// The values that the backend and the daemons accept.
    pub allowed: RangeInclusive<u32>,
    /// One sentence for the man page and the command line.
    pub meaning: &'static str,
}

/// Makes the struct `Limits`, its defaults, its check and the table `LIMITS` from the same rows. A row:
/// `FIELD: DEFAULT, VALUES ALLOWED, "MEANING";`
macro_rules! limits {
    ($($(#[$more:meta])* $field:ident: $default:literal, $allowed:expr, $meaning:literal;)+) => {
        /// The limits of the daemons. `LIMITS` has their defaults and the values allowed.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Limits {
            $(#[doc = $meaning] $(#[$more])* pub $field: u32,)+
        }

        /// All limits, in the order of the fields of `Limits`.
        pub static LIMITS: [Limit; [$(stringify!($field)),+].len()] = [$(Limit {
            field: stringify!($field),
            setting: concat!("proxy_", stringify!($field)),
            default: $default,
            allowed: $allowed,
            meaning: $meaning,
        }),+];

        impl Limits {
            /// The limits, each with the value that `read` gives for its row.
            pub fn from_rows(read: impl Fn(&'static Limit) -> u32) -> Self {
                let [$($field),+] = &LIMITS;
                Self { $($field: read($field)),+ }
            }

            /// The backend checks the same ranges. The server checks them again because the answer may be damaged, and
            /// the server must not start a thousand processes or refuse everybody.
            pub(super) fn check(&self) -> Result<(), ConfigFault> {
                let [$($field),+] = &LIMITS;
                $(check($field.field, self.$field, &$field.allowed)?;)+
                Ok(())
            }
        }
    };
}

/// Allowed range of a number of sessions or connections.
const COUNT: RangeInclusive<u32> = 1..=100_000;
/// Allowed range of a deadline, seconds: one day at most.
const SECONDS: RangeInclusive<u32> = 1..=86_400;

limits! {
    sessions: 500, COUNT, "Incoming sessions of each server.";
    sessions_per_partner: 50, COUNT, "Incoming sessions of one partner on each server.";
    outgoing_sessions: 100, COUNT, "Outgoing sessions of each server.";
    parked_pairs: 4, 0..=1_000, "Pairs of processes parked ahead of need, in each direction.";
    max_parked_pairs: 32, 0..=1_000,
        "Most parked pairs while many sessions begin: as many are parked as sessions began in the busiest second of \
         the last half minute, never fewer than proxy_parked_pairs.";
    parked_age: 300, 10..=86_400, "Maximum age of a parked pair, seconds.";
    unverified_per_address: 20, COUNT, "Unverified connections from one address (IPv6: from one /64).";
    unverified_soft: 100, COUNT,
        "Number of unverified connections above which those older than 5 s are closed to make room for others.";
    unverified_hard: 200, COUNT,
        "Unverified connections of each server; a quarter of them is kept for addresses from which partners connected \
         recently, or that the partner table lists.";
    handshake_seconds: 30, SECONDS, "Deadline of a partner's TLS handshake, seconds.";
    ssid_seconds: 60, SECONDS, "Deadline of a partner's SSID, seconds.";
    buffer_seconds: 60, SECONDS, "Deadline of one Exchange Buffer once begun, seconds.";
    silence_seconds: 900, SECONDS, "Longest silence in a session, seconds.";
    station_seconds: 15, SECONDS, "Deadline of the connection to the station, seconds.";
    log_max_bytes: 1_073_741_824, 1_048_576..=u32::MAX,
        "Size of a daemon's log file of one day, octets; from this size on it gets only lines of ERROR and above.";
    /// Counted since the last accepted file or receipt; DATA and CDT do not count.
    idle_commands: 1000, 10..=1_000_000, "Commands in a row that move neither a file nor a receipt.";
}

impl Limits {
    /// The most pairs that are parked in one direction.
    pub fn most_parked_pairs(&self) -> usize {
        self.parked_pairs.max(self.max_parked_pairs) as usize
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::from_rows(|limit| limit.default)
    }
}
