//! CONNECT (RFC 9110 §9.3.6, RFC 9112): reads the head of the request, and answers with a status line. Headers are read
//! and ignored, because there is nothing to negotiate.

use super::request_reader::{RequestError, RequestReader, is_destination};
use common::link::join::Target;
use common::process::end_reasons::Status;
use std::net::Ipv6Addr;

/// Largest head of a request, octets.
const MAX_HEAD: usize = 8 * 1024;
/// Longest reason phrase, octets.
const MAX_REASON: usize = 300;

/// The partner is connected.
pub(super) const READY: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";

/// Reads the rest of the head, whose first octet is `first`.
pub(super) fn read(reader: &mut RequestReader<'_>, first: u8) -> Result<Target, RequestError> {
    let mut head = vec![first];
    while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"\n\n") {
        if head.len() == MAX_HEAD {
            return Err(refused(431, format!("the head of the request is larger than {MAX_HEAD} octets")));
        }
        head.push(reader.octet()?);
    }
    parse(&head)
}

fn refused(code: u16, detail: String) -> RequestError {
    let answer = answer(code, Status::BadRequest, &detail);
    RequestError::new(detail, answer)
}

/// The target of a request's head (RFC 9112 §3.2.3).
fn parse(head: &[u8]) -> Result<Target, RequestError> {
    let line = head.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map(|line| line.trim_end_matches('\r')).unwrap_or_default();
    let words: Vec<&str> = line.split(' ').collect();
    let [method, authority, version] = words.as_slice() else {
        return Err(refused(400, "the request line is not METHOD HOST:PORT VERSION".to_owned()));
    };
    if *method != "CONNECT" {
        return Err(refused(405, "only CONNECT leads to a partner".to_owned()));
    }
    if !version.starts_with("HTTP/1.") {
        return Err(refused(505, "the request is not of HTTP/1.1".to_owned()));
    }
    let (host, port) = parse_authority(authority)
        .ok_or_else(|| refused(400, "the request names no HOST:PORT".to_owned()))?;
    Ok(Target::Host { host, port })
}

/// `host`, `host:port`, `[ipv6]` or `[ipv6]:port`.
fn parse_authority(text: &str) -> Option<(String, Option<u16>)> {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, after) = rest.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        (host, if after.is_empty() { None } else { Some(after.strip_prefix(':')?) })
    } else {
        match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    let port = match port {
        Some(port) if port.bytes().all(|digit| digit.is_ascii_digit()) => {
            Some(port.parse().ok().filter(|port| *port > 0)?)
        }
        Some(_) => return None,
        None => None,
    };
    is_destination(host).then(|| (host.to_owned(), port))
}

/// A complete answer that refuses, with the word of the reason and the sentence in the status line.
pub(super) fn answer(code: u16, status: Status, detail: &str) -> Vec<u8> {
    let phrase: String = format!("{status}: {detail}")
        .chars()
        .map(|c| if matches!(c, ' '..='~') { c } else { '?' })
        .take(MAX_REASON)
        .collect();
    let allow = if code == 405 { "Allow: CONNECT\r\n" } else { "" };
    format!("HTTP/1.1 {code} {phrase}\r\n{allow}Content-Length: 0\r\nConnection: close\r\n\r\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::{answer, parse};
    use common::link::join::Target;
    use common::process::end_reasons::Status;

    fn target(authority: &str) -> Option<(String, Option<u16>)> {
        let head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n");
        match parse(head.as_bytes()) {
            Ok(Target::Host { host, port }) => Some((host, port)),
            _ => None,
        }
    }

    #[test]
    fn hosts_come_in_four_forms() {
        for (authority, host, port) in [
            ("oftp.example:6619", "oftp.example", Some(6619)),
            ("acme", "acme", None),
            ("192.0.2.1:3305", "192.0.2.1", Some(3305)),
            ("[2001:db8::1]:6619", "2001:db8::1", Some(6619)),
            ("[::1]", "::1", None),
        ] {
            assert_eq!(target(authority), Some((host.to_owned(), port)), "{authority}");
        }
        for bad in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "2001:db8::1",
            "[::1",
            "[a]:1",
            "[::1]1",
            "u@a:1",
            "a b",
            "a/b:1",
            "ä:1",
        ] {
            assert_eq!(target(bad), None, "{bad}");
        }
        assert_eq!(target(&"a".repeat(254)), None);
    }

    #[test]
    fn other_requests_are_refused_with_the_reason() {
        for (head, code) in [
            ("GET http://a/ HTTP/1.1\r\n\r\n", "405"),
            ("CONNECT a:1 HTTP/2\r\n\r\n", "505"),
            ("CONNECT a:1\r\n\r\n", "400"),
            ("CONNECT  a:1 HTTP/1.1\r\n\r\n", "400"),
        ] {
            let answer = String::from_utf8(parse(head.as_bytes()).unwrap_err().answer).unwrap();
            assert_eq!(answer.split(' ').nth(1), Some(code), "{head}");
        }
        let answer = String::from_utf8(answer(502, Status::WrongName, "a\r\nX-Evil: 1 ä")).unwrap();
        assert!(answer.starts_with("HTTP/1.1 502 wrong-name: a??X-Evil: 1 ?\r\n"), "{answer}");
    }
}
