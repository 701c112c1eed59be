//! The OFTP2 checker: RFC 5024 (level 5) and RFC 2204 with its successors (levels 1, 2 and 4) on TCP or TLS.
//!
//! Owns the rules of one session: framing, fields, the order of commands, credit, counts. Every session child of
//! both daemons runs one `Checker` beside its relay; `oftp2check` runs it on traces. It knows no sockets, no clock
//! and no configuration, changes no octet, and allocates nothing for a buffer that it finds in order.
//!
//! Reading order: `level`, `side`, `deviation`, `profile`, `buffer`, `command`, `reason_codes`, `layout` (the form of
//! the messages), `charset`, `field`, `message` (one message), `order` (RFC 5024's state tables), `ssid`, `data`,
//! `transfer`, `checker`, `effects`; then `violation`, `note`, `describe`.

#![deny(clippy::indexing_slicing)]
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod buffer;
mod charset;
mod checker;
mod command;
mod data;
mod describe;
mod deviation;
mod effects;
mod escape;
mod field;
mod layout;
mod level;
mod message;
mod note;
mod order;
mod profile;
mod reason_codes;
#[cfg(test)]
mod session_tests;
mod side;
mod ssid;
#[cfg(test)]
mod tests;
mod transfer;
mod violation;

pub use buffer::{MAX_OEB, MAX_STB, SSRM, STH};
pub use charset::is_ssid_code_octet;
pub use checker::{Checker, Command};
pub use command::CommandCode;
pub use describe::{describe, describe_fields, masked};
pub use deviation::{Deviation, Deviations};
pub use level::Level;
pub use message::check_message;
pub use note::{Label, Note};
pub use order::{State, order_table};
pub use profile::Profile;
pub use reason_codes::EsidReason;
pub use side::Side;
pub use ssid::Ssid;
pub use violation::Violation;
