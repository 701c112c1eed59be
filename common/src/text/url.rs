//! URLs as people and CAs write them: with spaces around, and with characters that a URL has to escape. Converts them
//! to one spelling, in which they are compared, stored and requested (RFC 3986).

use std::fmt::Write;

/// `text` without spaces around, and with the characters escaped that no URL may contain. Only the part after the host
/// is escaped: a host with such characters stays as it is, and is not valid.
pub fn escaped(text: &str) -> String {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    let host_end = text.find("://").map_or(0, |at| {
        let after = at + 3;
        text.get(after..).and_then(|rest| rest.find(['/', '?'])).map_or(text.len(), |length| after + length)
    });
    let (host, rest) = text.split_at(host_end);
    rest.bytes().fold(host.to_owned(), |mut url, octet| {
        if octet.is_ascii_graphic() && !b"\"<>[\\]^`{|}".contains(&octet) {
            url.push(octet.into());
        } else {
            // Writing to a String does not fail.
            let _ = write!(url, "%{octet:02X}");
        }
        url
    })
}

/// Whether `url`, in the form of `escaped`, is http or https with a host and without a user.
pub fn is_web(url: &str) -> bool {
    let starts =
        |scheme: &&str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let Some(scheme) = ["http://", "https://"].iter().find(|scheme| starts(scheme)) else { return false };
    let rest = url.get(scheme.len()..).unwrap_or_default();
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    !host.is_empty() && !host.contains('@') && url.bytes().all(|octet| octet.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::{escaped, is_web};

    #[test]
    fn characters_that_no_url_has_are_escaped_or_trimmed() {
        for (text, url) in [
            ("http://crl.example/ca.crl", "http://crl.example/ca.crl"),
            (" \thttp://crl.example/ca.crl\r\n", "http://crl.example/ca.crl"),
            ("\u{a0}http://crl.example/ca.crl\0", "http://crl.example/ca.crl"),
            ("http://crl.example/My CA.crl", "http://crl.example/My%20CA.crl"),
            ("http://crl.example/My%20CA+1.crl?a=b c#d", "http://crl.example/My%20CA+1.crl?a=b%20c#d"),
            ("http://crl.example/M\u{fc}ller|[1].crl", "http://crl.example/M%C3%BCller%7C%5B1%5D.crl"),
            ("http://[2001:db8::1]:8080/a\\b", "http://[2001:db8::1]:8080/a%5Cb"),
            ("http://crl.example?a b", "http://crl.example?a%20b"),
            ("ldap:///CN=My CA,DC=x?list", "ldap:///CN=My%20CA,DC=x?list"),
            ("../My CA.crl", "../My%20CA.crl"),
            ("http://a b/c d", "http://a b/c%20d"),
            ("", ""),
        ] {
            assert_eq!(escaped(text), url);
            assert_eq!(escaped(url), url, "once more");
        }
    }

    #[test]
    fn web_addresses_name_a_host_and_no_user() {
        for url in ["http://crl.example/a.crl", "HTTPS://crl.example:8080/?x=1", "http://[2001:db8::1]/a"] {
            assert!(is_web(url), "{url}");
        }
        for url in [
            "",
            "crl.example",
            "http://",
            "http:///a",
            "http://?a",
            "ldap://crl.example/a",
            "file:///etc/passwd",
            "http://user:secret@crl.example/",
            "http://a b/c",
            "http://\u{fc}.example/",
        ] {
            assert!(!is_web(url), "{url}");
        }
    }
}
