//! `-U`: the backend's URLs, with user and password separated from them. Pure; never repeats the values, because both
//! may be secret.

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

/// The begin of every URL.
const SCHEME: &str = "https://";

impl BackendUrl {
    /// One URL, or several with commas between them. A comma separates only if another URL follows: path and password
    /// may have one.
    pub(crate) fn parse_list(text: &str) -> Option<Vec<Self>> {
        let begins = |at: &usize| {
            let after = text.get(at + 1..).and_then(|rest| rest.get(..SCHEME.len()));
            after.is_some_and(|scheme| scheme.eq_ignore_ascii_case(SCHEME))
        };
        let commas = text.match_indices(',').map(|(at, _)| at).filter(begins).map(Some).chain([None]);
        let mut from = 0;
        let urls = commas.map(|comma| {
            let url = text.get(from..comma.unwrap_or(text.len()))?;
            from = comma.map_or(text.len(), |comma| comma + 1);
            Self::parse(url)
        });
        urls.collect()
    }

    /// `https://[user[:password]@]host[:port][/path]`. The user information ends at the last `@` before the path, and
    /// its first `:` separates user and password, so that a password may contain both characters unescaped.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let scheme = url.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME))?;
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
    fn a_comma_before_a_url_separates_two() {
        let urls = |text: &str| {
            let list = BackendUrl::parse_list(text)?;
            Some(list.into_iter().map(|one| one.url).collect::<Vec<String>>().join(" "))
        };
        for (text, wanted) in [
            ("https://a/x", Some("https://a/x")),
            ("https://a/x,https://b/y,HTTPS://c", Some("https://a/x https://b/y https://c")),
            ("https://u:p,q@a/x,y", Some("https://a/x,y")),
            ("https://a/,http://b/", Some("https://a/,http://b/")),
            ("https://a/,https://", None),
            ("https://a/,https://b/,", Some("https://a/ https://b/,")),
            (",https://a/", None),
            ("", None),
        ] {
            assert_eq!(urls(text).as_deref(), wanted, "{text}");
        }
    }

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
