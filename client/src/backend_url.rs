//! `-U`: the backend's URL, with user and password separated from it. Pure; never repeats the values, because both may
//! be secret.

use common::process::options::{host_and_port, port};
use common::secret::Secret;
use common::text::hex;
use common::text::host::is_host;

/// `-U`, with user and password separated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BackendUrl {
    /// The URL to POST to. It has no secret.
    pub(crate) url: String,
    /// `user:password` for Basic authentication, percent-decoded.
    pub(crate) credentials: Option<Secret>,
}

impl BackendUrl {
    /// `https://[user[:password]@]host[:port][/path]`. The user information ends at the last `@` before the path, and
    /// its first `:` separates user and password, so that a password may contain both characters unescaped.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let scheme = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://"))?;
        let rest = url.get(scheme.len()..)?;
        let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(self::credentials(credentials)?), place),
            None => (None, authority),
        };
        let (host, number) =
            if place.starts_with('[') { host_and_port(place)? } else { name_and_port(place)? };
        let clean = path.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
        (is_host(host) && number != Some(0) && clean)
            .then(|| Self { url: format!("https://{place}{path}"), credentials })
    }
}

/// An IPv6 address without brackets is not allowed in a URL.
fn name_and_port(place: &str) -> Option<(&str, Option<u16>)> {
    match place.split_once(':') {
        Some((host, number)) => Some((host, Some(port(number)?))),
        None => Some((place, None)),
    }
}

fn credentials(text: &str) -> Option<Secret> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (percent_decoded(user)?, percent_decoded(password)?);
    // Basic authentication (RFC 7617) cannot send such a user.
    let writable = !user.is_empty() && !user.contains(':');
    writable.then(|| Secret::new([user.as_str(), password.as_str()].join(":")))
}

/// Decodes `%` with two hex digits; any other `%` stays as it is.
fn percent_decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match (first, tail) {
            (b'%', [high, low, after @ ..]) => {
                hex::decode_array([*high, *low]).map(|[octet]: [u8; 1]| (octet, after))
            }
            _ => None,
        };
        let (octet, after) = escaped.unwrap_or((*first, tail));
        octets.push(octet);
        rest = after;
    }
    let decoded = String::from_utf8(octets).ok()?;
    (!decoded.chars().any(char::is_control)).then_some(decoded)
}

#[cfg(test)]
mod tests {
    use super::BackendUrl;

    #[test]
    fn user_and_password_leave_the_url() {
        for (text, url, credentials) in [
            ("https://localhost/os4xapi/index.php", "https://localhost/os4xapi/index.php", None),
            ("HTTPS://u:p@api:8443", "https://api:8443", Some("u:p")),
            ("https://u:p%40ss%3a@[::1]:1/x?y=@", "https://[::1]:1/x?y=@", Some("u:p@ss:")),
            ("https://u:p@:%ss@api/", "https://api/", Some("u:p@:%ss")),
            ("https://u@api/", "https://api/", Some("u:")),
        ] {
            let parsed = BackendUrl::parse(text).unwrap();
            assert_eq!(parsed.url, url);
            assert_eq!(parsed.credentials.as_ref().map(common::secret::Secret::expose), credentials);
        }
        for text in [
            "",
            "https://",
            "http://api/",
            "https:///x",
            "https://api:0/",
            "https://api:x/",
            "https://::1/",
            "https://a b/",
            "https://api/a b",
            "https://:p@api/",
            "https://u%3A:p@api/",
            "https://u:%ff@api/",
            "https://u:%0a@api/",
        ] {
            assert_eq!(BackendUrl::parse(text), None, "{text}");
        }
    }
}
