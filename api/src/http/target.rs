//! The URL of a request to the outside: its host and port, the target of a redirect from it, and the request itself, as
//! a host or a proxy takes it. Resolves no name and opens no connection.

use super::error::HttpError;
use super::proxy::Proxy;
use axum::body::Body;
use axum::http::{Method, Request, Uri, header};
use common::net::is_public;
use common::text::url::escaped;
use std::net::{IpAddr, Ipv4Addr};

/// An http or https URL that can be requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target(Uri);

impl Target {
    /// Parses a URL.
    pub(crate) fn parse(url: &str) -> Result<Self, HttpError> {
        let uri: Uri = url.parse().map_err(|_| HttpError::Url)?;
        let web = matches!(uri.scheme_str(), Some("http" | "https"));
        let host = uri.authority().is_some_and(|authority| {
            let port_is_good = match authority.as_str().rsplit_once(':') {
                Some((_, port)) if !port.ends_with(']') => authority.port_u16().is_some_and(|port| port > 0),
                _ => true,
            };
            !authority.host().is_empty() && !authority.as_str().contains('@') && port_is_good
        });
        if web && host { Ok(Self(uri)) } else { Err(HttpError::Url) }
    }

    /// The target of a redirect (RFC 9110 section 10.2.2).
    pub(super) fn follow(&self, location: &str) -> Result<Self, HttpError> {
        let location = &*escaped(location);
        let scheme = self.0.scheme_str().unwrap_or_default();
        let authority = self.authority();
        if location.starts_with("//") {
            return Self::parse(&format!("{scheme}:{location}"));
        }
        if location.starts_with('/') {
            return Self::parse(&format!("{scheme}://{authority}{location}"));
        }
        if location.contains("://") {
            return Self::parse(location);
        }
        let folder = self.0.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        Self::parse(&format!("{scheme}://{authority}{folder}/{location}"))
    }

    pub(super) fn is_tls(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    fn authority(&self) -> &str {
        self.0.authority().map_or("", |authority| authority.as_str())
    }

    pub(super) fn host(&self) -> &str {
        self.0.host().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub(super) fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_tls() { 443 } else { 80 })
    }

    /// Host and port, as CONNECT names them (RFC 9110 section 9.3.6).
    pub(super) fn host_and_port(&self) -> String {
        format!("{}:{}", self.0.host().unwrap_or_default(), self.port())
    }

    /// Whether the URL itself shows that the host is not public, without a resolver.
    pub(super) fn private_address(&self) -> Option<IpAddr> {
        let host = self.host().trim_end_matches('.').to_ascii_lowercase();
        if let Ok(address) = host.parse::<IpAddr>() {
            return Some(address).filter(|address| !is_public(*address));
        }
        let last = host.rsplit('.').next().unwrap_or_default();
        // inet_aton(3) reads these as addresses in another spelling; all of them are refused.
        let is_number = last.starts_with("0x") || last.bytes().all(|octet| octet.is_ascii_digit());
        (is_number || last == "localhost").then_some(IpAddr::V4(Ipv4Addr::LOCALHOST))
    }

    /// The same request in the form that a proxy takes (RFC 9112 section 3.2.2).
    pub(super) fn through(&self, mut request: Request<Body>, proxy: &Proxy) -> Request<Body> {
        *request.uri_mut() = self.0.clone();
        proxy.introduce(&mut request);
        request
    }

    pub(super) fn request(&self, method: Method, body: Body) -> Result<Request<Body>, HttpError> {
        let path = self.0.path_and_query().map_or("/", |path| path.as_str());
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.authority())
            .header(header::USER_AGENT, "os4xapi")
            .header(header::ACCEPT, "*/*")
            .header(header::CONNECTION, "close")
            .body(body)
            .map_err(|_| HttpError::Url)
    }
}

#[cfg(test)]
mod tests {
    use super::Target;

    #[test]
    fn a_target_has_host_and_port() {
        for (url, host, port) in [
            ("http://crl.example", "crl.example", 80),
            ("HTTPS://crl.example/a?b", "crl.example", 443),
            ("http://[2001:db8::1]/", "2001:db8::1", 80),
            ("http://[2001:db8::1]:8080/", "2001:db8::1", 8080),
        ] {
            let target = Target::parse(url).unwrap();
            assert_eq!((target.host(), target.port()), (host, port), "{url}");
        }
        for url in ["", "/a", "ftp://a/", "http://a@b/", "http://:80/", "http://a:0/", "http://a:99999/"] {
            assert!(Target::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_url_that_says_itself_that_its_host_is_private_is_known_without_a_resolver() {
        for host in [
            "127.0.0.1",
            "10.0.0.1",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "2130706433",
            "127.1",
            "0x7f.1",
            "10.0x1",
            "localhost",
            "a.LOCALHOST.",
        ] {
            let target = Target::parse(&format!("http://{host}/")).unwrap();
            assert!(target.private_address().is_some(), "{host}");
        }
        for host in ["crl.example", "93.184.215.14", "[2606:4700::1]", "1.crl.example", "0x.example"] {
            let target = Target::parse(&format!("http://{host}/")).unwrap();
            assert_eq!(target.private_address(), None, "{host}");
        }
    }

    #[test]
    fn redirects_are_resolved_against_where_they_came_from() {
        let base = Target::parse("http://a.example:81/x/y?z").unwrap();
        for (location, url) in [
            ("https://b.example/c", "https://b.example/c"),
            ("//b.example/c", "http://b.example/c"),
            ("/c?d", "http://a.example:81/c?d"),
            ("c", "http://a.example:81/x/c"),
            (" c d ", "http://a.example:81/x/c%20d"),
        ] {
            assert_eq!(base.follow(location).unwrap(), Target::parse(url).unwrap(), "{location}");
        }
        for location in ["file:///etc/passwd", "ldap://b.example/", "http://u@b.example/", "//"] {
            assert!(base.follow(location).is_err(), "{location}");
        }
    }
}
