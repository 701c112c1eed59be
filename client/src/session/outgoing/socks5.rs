//! SOCKS5 (RFC 1928), only CONNECT. No authentication, or a user name and password (RFC 1929), which are read and
//! ignored: the networks that may use the listener are the access control.

use super::request_reader::{RequestError, RequestReader, is_destination};
use common::link::join::Target;
use std::net::{Ipv4Addr, Ipv6Addr};

const VERSION: u8 = 5;
const NO_AUTHENTICATION: u8 = 0;
const USER_NAME: u8 = 2;
const NO_METHOD: u8 = 0xff;
const CONNECT: u8 = 1;

/// The partner is connected.
pub(super) const READY: [u8; 10] = reply(0);

pub(super) const FAILURE: u8 = 1;
pub(super) const NOT_ALLOWED: u8 = 2;
pub(super) const HOST_UNREACHABLE: u8 = 4;
pub(super) const REFUSED: u8 = 5;
pub(super) const EXPIRED: u8 = 6;
const NO_SUCH_COMMAND: u8 = 7;
const NO_SUCH_ADDRESS: u8 = 8;

/// A reply; the address in it has no meaning.
pub(super) const fn reply(code: u8) -> [u8; 10] {
    [VERSION, code, 0, 1, 0, 0, 0, 0, 0, 0]
}

/// Reads greeting and request; the version of the greeting is read already.
pub(super) fn read(reader: &mut RequestReader<'_>) -> Result<Target, RequestError> {
    let count = reader.octet()?;
    let methods = reader.octets(count)?;
    if methods.contains(&NO_AUTHENTICATION) {
        reader.send(&[VERSION, NO_AUTHENTICATION])?;
    } else if methods.contains(&USER_NAME) {
        reader.send(&[VERSION, USER_NAME])?;
        read_user(reader)?;
    } else {
        let answer = vec![VERSION, NO_METHOD];
        return Err(RequestError::new("the station offers no SOCKS5 method that we take", answer));
    }
    request(reader)
}

/// Reads user name and password and accepts them (RFC 1929 §2).
fn read_user(reader: &mut RequestReader<'_>) -> Result<(), RequestError> {
    let _version = reader.octet()?;
    for _ in ["user name", "password"] {
        let length = reader.octet()?;
        reader.octets(length)?;
    }
    reader.send(&[1, 0])
}

/// RFC 1928 §4
fn request(reader: &mut RequestReader<'_>) -> Result<Target, RequestError> {
    let head = reader.octets(4)?;
    let refused = |code, detail: &str| Err(RequestError::new(detail, reply(code).to_vec()));
    let [VERSION, command, _, kind] = *head.as_slice() else {
        return refused(FAILURE, "the SOCKS5 request is of another version");
    };
    if command != CONNECT {
        return refused(NO_SUCH_COMMAND, "the station asks SOCKS5 for something else than CONNECT");
    }
    let host = match kind {
        1 => address::<4>(reader)?.map(|octets| Ipv4Addr::from(octets).to_string()),
        4 => address::<16>(reader)?.map(|octets| Ipv6Addr::from(octets).to_string()),
        3 => {
            let length = reader.octet()?;
            let name = reader.octets(length)?;
            String::from_utf8(name).ok().filter(|name| is_destination(name))
        }
        _ => return refused(NO_SUCH_ADDRESS, "the SOCKS5 request has an address of an unknown type"),
    };
    let port = reader.octets(2)?.iter().fold(0, |port, octet| port << 8 | u16::from(*octet));
    match host {
        // A station that uses a partner's short name need not know its port.
        Some(host) => Ok(Target::Host { host, port: Some(port).filter(|port| *port > 0) }),
        None => refused(FAILURE, "the SOCKS5 request names no host"),
    }
}

fn address<const N: usize>(reader: &mut RequestReader<'_>) -> Result<Option<[u8; N]>, RequestError> {
    let octets = reader.octets(u8::try_from(N).unwrap_or_default())?;
    Ok(octets.try_into().ok())
}
