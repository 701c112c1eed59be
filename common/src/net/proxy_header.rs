//! The header of the PROXY protocol, versions 1 and 2 (as HAProxy specifies it): a load balancer sends it
//! before the first octet of a connection that it passes on, and names the addresses of that connection.
//!
//! The crate `proxy-header` parses and writes it. This adds the limits, the checksum, and reasons with a remedy.

use crc::{CRC_32_ISCSI, Crc};
use proxy_header::{Error, ParseConfig, Protocol, ProxiedAddress, ProxyHeader};
use std::fmt;
use std::net::SocketAddr;

/// Most octets of a header: version 1 has at most 107, version 2 has 16 and a part of its own length.
pub const MOST: usize = 16 + 2048;

/// Octets of version 2 before the part that the header's length counts.
const FIXED: usize = 16;
/// Type of the field with the checksum, version 2 (`PP2_TYPE_CRC32C`).
const CHECKSUM: u8 = 0x03;

/// What the balancer says about a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Announced {
    /// It passes a connection on.
    Passed {
        /// The address that has connected to the balancer.
        source: SocketAddr,
        /// The balancer's address to which it has connected.
        destination: SocketAddr,
    },
    /// It names no addresses (`LOCAL`, `UNKNOWN`): the balancer's own connection, such as a health check.
    Own,
}

/// Why octets are no header that is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// They begin otherwise; this is their first octet.
    Missing(u8),
    /// The header is malformed, too long, or not about TCP.
    Invalid,
    /// The header's checksum is wrong.
    Checksum,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(first) => write!(
                f,
                "no PROXY header, but {} (octet {first:#04x}): make this balancer send one ('send-proxy-v2' in \
                 HAProxy), or remove its address from tcp_proxy_protocol_from",
                if *first == 0x16 { "a TLS handshake" } else { "something else" }
            ),
            Self::Invalid => f.write_str(
                "the PROXY header is malformed or not about TCP: set the balancer to version 1 or 2 of the protocol",
            ),
            Self::Checksum => f.write_str("the checksum of the PROXY header is wrong (CRC32c)"),
        }
    }
}

impl std::error::Error for HeaderError {}

/// Reads the header at the begin of `octets`: what it says, and its length in octets; none: more octets are needed.
///
/// # Errors
/// `Missing`, `Invalid` or `Checksum`: these octets will never be a header.
pub fn parse(octets: &[u8]) -> Result<Option<(Announced, usize)>, HeaderError> {
    let (header, length) = match ProxyHeader::parse(octets, ParseConfig::default()) {
        Ok(parsed) => parsed,
        Err(Error::BufferTooShort) if is_possible(octets) => return Ok(None),
        Err(_) => {
            let first = octets.first().copied().filter(|first| !matches!(first, b'P' | b'\r'));
            return Err(first.map_or(HeaderError::Invalid, HeaderError::Missing));
        }
    };
    if header.crc32c().is_some_and(|sum| Some(sum) != octets.get(..length).and_then(checksum)) {
        return Err(HeaderError::Checksum);
    }
    match header.proxied_address() {
        None => Ok(Some((Announced::Own, length))),
        Some(ProxiedAddress { protocol: Protocol::Stream, source, destination }) => {
            Ok(Some((Announced::Passed { source: *source, destination: *destination }, length)))
        }
        Some(_) => Err(HeaderError::Invalid),
    }
}

/// Whether these octets can become a header with more of them: the crate compares no signature before it is complete,
/// and has no limit for version 2.
fn is_possible(octets: &[u8]) -> bool {
    const SIGNATURES: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];
    let begins = |signature: &[u8]| octets.iter().zip(signature).all(|(one, other)| one == other);
    let length = match octets {
        [b'\r', rest @ ..] => match rest.get(13..15) {
            Some(&[high, low]) => FIXED + usize::from(u16::from_be_bytes([high, low])),
            _ => FIXED,
        },
        // The crate knows the limit of version 1.
        _ => octets.len() + 1,
    };
    SIGNATURES.into_iter().any(begins) && octets.len() < length && length <= MOST
}

/// The CRC32c of a header of version 2, with zeros in the place of its checksum; none: it has no such place.
fn checksum(header: &[u8]) -> Option<u32> {
    // Behind the fixed part: two addresses with their ports, IPv4 or IPv6 or of UNIX, then fields of type and length.
    let addresses = match header.get(13)? >> 4 {
        0 => 0,
        1 => 12,
        2 => 36,
        _ => 216,
    };
    let mut at = FIXED + addresses;
    while *header.get(at)? != CHECKSUM {
        at += 3 + usize::from(u16::from_be_bytes([*header.get(at + 1)?, *header.get(at + 2)?]));
    }
    let mut zeroed = header.to_vec();
    zeroed.get_mut(at + 3..at + 7)?.fill(0);
    Some(Crc::<u32>::new(&CRC_32_ISCSI).checksum(&zeroed))
}

/// A header of version 2 about the connection from `source` to `destination`; without both of them one that names no
/// addresses. If one address is IPv4 and the other IPv6, both are written as IPv6.
pub fn version_2(source: Option<SocketAddr>, destination: Option<SocketAddr>) -> Vec<u8> {
    let header = match (source, destination) {
        (Some(source), Some(destination)) => {
            let (source, destination) = of_one_family(source, destination);
            ProxyHeader::with_address(ProxiedAddress::stream(source, destination))
        }
        _ => ProxyHeader::with_local(),
    };
    let mut octets = Vec::new();
    // It fails only for fields that are too long, or for addresses of two families.
    let written = header.encode_v2(&mut octets);
    debug_assert!(written.is_ok(), "{written:?}");
    octets
}

fn of_one_family(one: SocketAddr, other: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |at: SocketAddr| SocketAddr::new(at.ip().to_canonical(), at.port());
    let mapped = |at: SocketAddr| match at {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        v6 @ SocketAddr::V6(_) => v6,
    };
    let (one, other) = (canonical(one), canonical(other));
    if one.is_ipv4() == other.is_ipv4() { (one, other) } else { (mapped(one), mapped(other)) }
}

#[cfg(test)]
mod tests {
    use super::{Announced, HeaderError, MOST, parse, version_2};
    use std::net::SocketAddr;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn at(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn passed(source: &str, destination: &str) -> Announced {
        Announced::Passed { source: at(source), destination: at(destination) }
    }

    /// A header of version 2: command, family and protocol, then this part.
    fn second(command: u8, family: u8, part: &[u8]) -> Vec<u8> {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [SIGNATURE, &[command, family], &length, part].concat()
    }

    #[test]
    fn both_versions_are_read_octet_by_octet() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0x9c, 0x40, 0x19, 0xdb];
        for (octets, announced) in [
            (
                b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 6619\r\n".to_vec(),
                passed("192.0.2.7:40000", "198.51.100.1:6619"),
            ),
            (
                b"PROXY TCP6 2001:db8::7 ::1 40000 6619\r\n".to_vec(),
                passed("[2001:db8::7]:40000", "[::1]:6619"),
            ),
            (b"PROXY UNKNOWN\r\n".to_vec(), Announced::Own),
            (second(0x21, 0x11, &v4), passed("192.0.2.7:40000", "198.51.100.1:6619")),
            (second(0x20, 0x00, &[]), Announced::Own),
            (second(0x20, 0x11, &v4), Announced::Own),
        ] {
            for end in 0..octets.len() {
                assert_eq!(parse(&octets[..end]), Ok(None), "{end} octets of {octets:?}");
            }
            let with_more = [octets.as_slice(), b"\x16\x03\x01"].concat();
            assert_eq!(parse(&with_more), Ok(Some((announced, octets.len()))));
        }
    }

    #[test]
    fn what_can_never_be_a_header_is_refused_at_its_first_octets() {
        assert_eq!(parse(b"\x16\x03\x01"), Err(HeaderError::Missing(0x16)));
        assert_eq!(parse(b"GET"), Err(HeaderError::Missing(b'G')));
        for octets in [
            b"PRI * HTTP/2".to_vec(),
            b"\r\n\r\n\0\r\nQUAT".to_vec(),
            b"PROXY TCP4 ::1 ::1 1 2\r\n".to_vec(),
            [b"PROXY TCP4 ".as_slice(), &[b'1'; 100]].concat(),
            // UDP.
            second(0x21, 0x12, &[0; 12]),
            // A command that does not exist.
            second(0x22, 0x11, &[0; 12]),
            second(0x21, 0x11, &[0; 11]),
        ] {
            assert_eq!(parse(&octets), Err(HeaderError::Invalid), "{octets:?}");
        }
        let too_long = [SIGNATURE, &[0x21, 0x11, 0xff, 0xff]].concat();
        assert!(parse(&too_long).is_err());
        let longest = second(0x21, 0x11, &vec![0; MOST - 16]);
        assert_eq!(parse(&longest[..longest.len() - 1]), Ok(None));
    }

    #[test]
    fn a_checksum_is_compared_if_there_is_one() {
        // The example of the crate's own tests: its sum was computed by another program.
        let local = b"\r\n\r\n\0\r\nQUIT\n \0\0\x0f\x03\0\x04\x88\x9d\xa1\xdf \0\x05\0\0\0\0\0";
        assert_eq!(parse(local), Ok(Some((Announced::Own, local.len()))));
        let mut wrong = local.to_vec();
        wrong[19] ^= 1;
        assert_eq!(parse(&wrong), Err(HeaderError::Checksum));
    }

    #[test]
    fn a_written_header_is_read_again() {
        for (source, destination, read) in [
            ("192.0.2.7:1", "198.51.100.1:2", passed("192.0.2.7:1", "198.51.100.1:2")),
            ("[2001:db8::7]:1", "[::1]:2", passed("[2001:db8::7]:1", "[::1]:2")),
            ("[::ffff:192.0.2.7]:1", "198.51.100.1:2", passed("192.0.2.7:1", "198.51.100.1:2")),
            ("192.0.2.7:1", "[::1]:2", passed("[::ffff:192.0.2.7]:1", "[::1]:2")),
        ] {
            let octets = version_2(Some(at(source)), Some(at(destination)));
            assert_eq!(parse(&octets), Ok(Some((read, octets.len()))));
        }
        let local = version_2(None, Some(at("192.0.2.7:1")));
        assert_eq!(parse(&local), Ok(Some((Announced::Own, local.len()))));
    }
}
