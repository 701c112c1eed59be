//! Why a daemon refuses a configuration, and the checks of single values.

use crate::net::Network;
use crate::text::shortened;
use std::fmt;
use std::ops::RangeInclusive;

/// Why a daemon refuses a configuration.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigFault {
    /// A number is out of its range: the name, the number, the least and the most.
    Range(&'static str, u32, u32, u32),
    /// A network is not in CIDR notation (RFC 4632): the name of the list, and its text, at most 60 octets.
    Network(&'static str, String),
    /// The host of the station is empty.
    NoStation,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(name, value, least, most) => {
                write!(f, "{name} is {value}; it must be {least} to {most}")
            }
            Self::Network(list, text) => {
                write!(f, "{list} holds '{text}', which is no network in CIDR notation")
            }
            Self::NoStation => f.write_str("station_host is empty; it must be a name or an address"),
        }
    }
}

impl std::error::Error for ConfigFault {}

pub(super) fn check(
    name: &'static str,
    value: u32,
    allowed: &RangeInclusive<u32>,
) -> Result<(), ConfigFault> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(ConfigFault::Range(name, value, *allowed.start(), *allowed.end()))
}

pub(super) fn check_port(name: &'static str, port: u16) -> Result<(), ConfigFault> {
    check(name, port.into(), &(1..=u16::MAX.into()))
}

pub(super) fn check_networks<'a>(
    list: &'static str,
    mut networks: impl Iterator<Item = &'a String>,
) -> Result<(), ConfigFault> {
    match networks.find(|text| text.parse::<Network>().is_err()) {
        Some(text) => Err(ConfigFault::Network(list, shortened(text.clone(), 60))),
        None => Ok(()),
    }
}
