//! HTTP proxies for requests to the outside: which one is used for a host, by the settings or else the environment, and
//! the credentials for it. Opens no connection. A proxy's password is never shown.

use axum::http::{HeaderValue, Request, header};
use common::net::Network;
use common::secret::Secret;
use common::text::host::{is_host, with_port};
use openssl::base64;
use std::env;
use std::fmt;
use std::net::IpAddr;

/// A proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// Value of the header Proxy-Authorization.
    pub(super) authorization: Option<HeaderValue>,
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_port(&self.host, self.port).fmt(f)
    }
}

/// The form of a proxy's URL.
pub(crate) const FORM: &str = "http://HOST:PORT or http://USER:PASSWORD@HOST:PORT";

/// Port of a proxy if its URL has none.
const PORT: u16 = 80;

impl Proxy {
    /// Parses `http://user:password@host:port`; scheme, user and port may be missing.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let rest = match url.split_once("://") {
            Some((scheme, rest)) => Some(rest).filter(|_| scheme.eq_ignore_ascii_case("http"))?,
            None => url,
        };
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, at) = rest.rsplit_once('@').map_or((None, rest), |(user, at)| (Some(user), at));
        let (host, port) = match at.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok().filter(|&port| port > 0)?),
            _ => (at, PORT),
        };
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let authorization = match user {
            Some(user) => Some(basic(user)?),
            None => None,
        };
        is_host(host).then(|| Self { host: host.to_owned(), port, authorization })
    }

    /// Puts user and password into a request to this proxy.
    pub(super) fn introduce<T>(&self, request: &mut Request<T>) {
        if let Some(authorization) = &self.authorization {
            request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
        }
    }
}

/// A proxy's URL for people: without the password.
pub(crate) fn without_password(url: &str) -> String {
    let Some((user, at)) = url.rsplit_once('@') else { return url.to_owned() };
    let (scheme, user) = user.split_once("://").map_or(("", user), |(scheme, user)| (scheme, user));
    let user = user.split(':').next().unwrap_or_default();
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    format!("{scheme}{user}:***@{at}")
}

/// Basic authentication (RFC 7617) of `user:password`, whose characters may be escaped as in URLs.
fn basic(user: &str) -> Option<HeaderValue> {
    let plain = Secret::new(unescaped(user)?);
    let plain =
        if plain.expose().contains(':') { plain } else { Secret::new(format!("{}:", plain.expose())) };
    let mut value =
        HeaderValue::try_from(format!("Basic {}", base64::encode_block(plain.expose().as_bytes()))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn unescaped(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        let digit = |octet: u8| char::from(octet).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        match octet {
            b'%' => octets.push(digit(rest.next()?)? << 4 | digit(rest.next()?)?),
            other => octets.push(other),
        }
    }
    String::from_utf8(octets).ok()
}

/// Hosts that are reached without a proxy: names with all below them, addresses, networks, `*` for all. A port may
/// follow a name or an address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Direct(Vec<String>);

impl Direct {
    fn parse(text: &str) -> Self {
        let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
        Self(parts.map(str::to_ascii_lowercase).collect())
    }

    fn holds(&self, host: &str, port: u16) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.0.iter().any(|entry| entry == "*" || is_named(entry, &host, port))
    }
}

fn is_named(entry: &str, host: &str, port: u16) -> bool {
    if let Ok(address) = host.parse::<IpAddr>() {
        let bare = entry.strip_prefix('[').map_or(entry, |entry| entry.split(']').next().unwrap_or_default());
        if let Ok(network) = bare.parse::<Network>() {
            return network.contains(address);
        }
    }
    let (name, of_port) = match entry.rsplit_once(':') {
        Some((name, of_port)) if !name.contains(':') => (name, of_port.parse().ok()),
        _ => (entry, None),
    };
    if of_port.is_some_and(|of_port: u16| of_port != port) {
        return false;
    }
    let name = name.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
    let is_below = || host.strip_suffix(name).is_some_and(|sub| sub.ends_with('.'));
    !name.is_empty() && (host == name || is_below())
}

/// The proxies, and their purposes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    http: Option<Proxy>,
    https: Option<Proxy>,
    direct: Direct,
}

/// A setting or variable that does not name a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoProxy(pub(super) &'static str);

impl Proxies {
    /// Reads the settings, by their names; the environment if a setting is empty.
    pub(crate) fn of<'a>(setting: impl Fn(&'static str) -> &'a str) -> Result<Self, NoProxy> {
        Self::from(setting, |name| env::var(name).ok())
    }

    fn from<'a>(
        value: impl Fn(&'static str) -> &'a str,
        env: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, NoProxy> {
        let text = |setting, names: [&'static str; 2]| {
            let set = Some(value(setting).to_owned()).filter(|text| !text.is_empty());
            let in_env = || {
                names.into_iter().find_map(|name| Some((name, env(name).filter(|text| !text.is_empty())?)))
            };
            set.map(|text| (setting, text)).or_else(in_env)
        };
        let proxy = |setting, names| match text(setting, names) {
            None => Ok(None),
            Some((name, url)) => Proxy::parse(&url).map(Some).ok_or(NoProxy(name)),
        };
        Ok(Self {
            http: proxy("http_proxy", ["http_proxy", "HTTP_PROXY"])?,
            https: proxy("https_proxy", ["https_proxy", "HTTPS_PROXY"])?,
            direct: text("no_proxy", ["no_proxy", "NO_PROXY"])
                .map(|(_, list)| Direct::parse(&list))
                .unwrap_or_default(),
        })
    }

    /// The proxy for this host, if any.
    pub(super) fn choose(&self, is_tls: bool, host: &str, port: u16) -> Option<&Proxy> {
        let proxy = if is_tls { &self.https } else { &self.http };
        proxy.as_ref().filter(|_| !self.direct.holds(host, port))
    }
}

#[cfg(test)]
mod tests {
    use super::{Direct, NoProxy, Proxies, Proxy, without_password};

    #[test]
    fn a_proxy_is_a_url_of_http() {
        for (url, host, port, word) in [
            ("http://proxy.example:3128", "proxy.example", 3128, None),
            ("HTTP://proxy.example/", "proxy.example", 80, None),
            ("proxy.example:8080", "proxy.example", 8080, None),
            ("http://192.0.2.1:8080", "192.0.2.1", 8080, None),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", 8080, None),
            ("http://me:se%40c:ret@proxy.example:3128", "proxy.example", 3128, Some("bWU6c2VAYzpyZXQ=")),
            ("http://me@proxy.example", "proxy.example", 80, Some("bWU6")),
        ] {
            let proxy = Proxy::parse(url).unwrap();
            let expected = word.map(|word| format!("Basic {word}"));
            let found = proxy.authorization.as_ref().map(|value| value.to_str().unwrap().to_owned());
            assert_eq!((proxy.host.as_str(), proxy.port, found), (host, port, expected), "{url}");
        }
        for url in [
            "",
            "http://",
            "https://proxy.example",
            "socks5://proxy.example",
            "http://a:0",
            "http://a:99999",
            "http://a b",
            "http://a/b",
            "http://%zz@a",
        ] {
            assert_eq!(Proxy::parse(url), None, "{url}");
        }
    }

    #[test]
    fn a_password_is_shown_to_nobody() {
        for (url, shown) in [
            ("http://me:secret@proxy:3128", "http://me:***@proxy:3128"),
            ("me:se@cret@proxy", "me:***@proxy"),
            ("http://proxy:3128", "http://proxy:3128"),
            ("", ""),
        ] {
            assert_eq!(without_password(url), shown);
        }
        assert!(!format!("{:?}", Proxy::parse("http://me:secret@proxy").unwrap()).contains("secret"));
    }

    #[test]
    fn hosts_without_a_proxy_are_names_addresses_and_networks() {
        let direct =
            Direct::parse("intra.example, .lan *.dev,10.0.0.0/8 192.0.2.7,2001:db8::/32,web.example:8080");
        for (host, port) in [
            ("intra.example", 80),
            ("A.Intra.Example.", 443),
            ("host.lan", 80),
            ("x.dev", 80),
            ("10.1.2.3", 80),
            ("192.0.2.7", 80),
            ("2001:db8::1", 80),
            ("web.example", 8080),
        ] {
            assert!(direct.holds(host, port), "{host}");
        }
        for (host, port) in [
            ("example", 80),
            ("xintra.example", 80),
            ("192.0.2.8", 80),
            ("web.example", 80),
            ("11.0.0.1", 80),
        ] {
            assert!(!direct.holds(host, port), "{host}");
        }
        assert!(Direct::parse("*").holds("any.example", 1));
        assert!(!Direct::parse("").holds("any.example", 1));
    }

    #[test]
    fn the_environment_counts_where_a_setting_is_empty() {
        let env = |name: &str| match name {
            "http_proxy" => Some("http://small:1".to_owned()),
            "HTTP_PROXY" => Some("http://large:2".to_owned()),
            "HTTPS_PROXY" => Some("large:3".to_owned()),
            "no_proxy" => Some("b".to_owned()),
            _ => None,
        };
        let empty = |_: &'static str| "";
        let set = |name: &'static str| match name {
            "http_proxy" => "http://set:4",
            "no_proxy" => "c",
            _ => "",
        };
        let port = |proxies: &Proxies, is_tls, host| proxies.choose(is_tls, host, 80).map(|proxy| proxy.port);
        let found = Proxies::from(empty, env).unwrap();
        assert_eq!((port(&found, false, "a"), port(&found, true, "a")), (Some(1), Some(3)));
        assert_eq!((port(&found, false, "b"), port(&found, true, "b")), (None, None));
        let found = Proxies::from(set, env).unwrap();
        assert_eq!((port(&found, false, "b"), port(&found, false, "c")), (Some(4), None));
        let found = Proxies::from(empty, |_| None).unwrap();
        assert_eq!((port(&found, false, "a"), port(&found, true, "a")), (None, None));
        let wrong = Proxies::from(empty, |name| (name == "HTTPS_PROXY").then(|| "socks5://x".to_owned()));
        assert_eq!(wrong.err(), Some(NoProxy("HTTPS_PROXY")));
    }
}
