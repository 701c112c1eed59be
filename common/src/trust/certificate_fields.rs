//! The fields of a certificate that the server needs: names and numbers for log lines, the Odette ID, its validity, its
//! CRL URLs. A peer wrote them, so their length is limited. `trust` decides whether to accept the certificate.

use crate::rpc::MAX_CRL_URL;
use crate::text::{shortened, url};
use crate::x509::subject;
use openssl::nid::Nid;
use openssl::x509::{X509ExtendedKeyUsage, X509NameRef, X509Ref};
use std::net::IpAddr;

/// Longest serial number in a log line, hex digits; RFC 5280 allows 20 octets.
const SERIAL_LIMIT: usize = 64;
/// Longest subject in a log line, octets.
const NAME_LIMIT: usize = 256;
/// Most hosts of one certificate in a log line.
const NAMES_PER_CERTIFICATE: usize = 10;
/// Most CRL distribution URLs that are reported of one certificate.
const URLS_PER_CERTIFICATE: usize = 4;

/// The purposes of a certificate, as the end of a sentence: for log lines.
pub(super) fn usage_text(certificate: &X509Ref) -> String {
    use X509ExtendedKeyUsage as Usage;
    const NAMES: [(Usage, &str); 6] = [
        (Usage::SSL_SERVER, "serverAuth"),
        (Usage::SSL_CLIENT, "clientAuth"),
        (Usage::SMIME, "emailProtection"),
        (Usage::CODE_SIGN, "codeSigning"),
        (Usage::OCSP_SIGN, "OCSPSigning"),
        (Usage::TIMESTAMP, "timeStamping"),
    ];
    let Some(found) = certificate.extended_key_usage() else {
        return "its key usage does not allow it to sign".to_owned();
    };
    let named: Vec<&str> =
        NAMES.iter().filter(|(usage, _)| found.contains(*usage)).map(|(_, name)| *name).collect();
    let named = if named.is_empty() { "none of TLS".to_owned() } else { named.join(", ") };
    format!("its extended key usage is {named}")
}

/// The hosts of a certificate, as many as a log line may have.
pub(super) fn names_text(certificate: &X509Ref) -> String {
    let names = certificate.subject_alt_names();
    let hosts = names.iter().flatten().filter_map(|name| {
        let address = name.ipaddress().and_then(|octets| match octets.len() {
            4 => Some(IpAddr::from(<[u8; 4]>::try_from(octets).ok()?)),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(octets).ok()?)),
        });
        name.dnsname().map(str::to_owned).or_else(|| Some(address?.to_string()))
    });
    let mut hosts: Vec<String> = hosts.take(NAMES_PER_CERTIFICATE).collect();
    if hosts.is_empty() {
        hosts.extend(subject::attribute(certificate.subject_name(), Nid::COMMONNAME));
    }
    let text = if hosts.is_empty() { "no host".to_owned() } else { hosts.join(", ") };
    shortened(text, NAME_LIMIT)
}

/// The URLs of a certificate's CRLs (RFC 5280 §4.2.1.13). A peer chose them, so their number and length are limited.
/// Only http and https URLs; if there are none, the first of the others, so that it is reported to an operator.
pub(super) fn crl_urls(certificate: &X509Ref) -> Vec<String> {
    let Some(points) = certificate.crl_distribution_points() else { return Vec::new() };
    let names = points.iter().filter_map(|point| point.distpoint()?.fullname());
    reported(names.flatten().filter_map(|name| name.uri()))
}

fn reported<'a>(uris: impl Iterator<Item = &'a str>) -> Vec<String> {
    let is_short =
        |url: &String| url.len() <= MAX_CRL_URL && url.bytes().all(|octet| octet.is_ascii_graphic());
    let (mut web, mut others): (Vec<String>, Vec<String>) =
        uris.map(url::escaped).filter(is_short).partition(|url| url::is_web(url));
    web.truncate(URLS_PER_CERTIFICATE);
    others.truncate(1);
    if web.is_empty() { others } else { web }
}

/// The subject's serialNumber attribute: the Odette ID (Odette certificate policy 1.4).
pub(super) fn odette_id(certificate: &X509Ref) -> Option<String> {
    let id = subject::attribute(certificate.subject_name(), Nid::SERIALNUMBER)?;
    Some(id.trim_end_matches(' ').to_owned())
}

/// `CN=Acme, O=Acme AG`: for log lines, which escape it. Cut, because a peer chose it.
pub(super) fn name_text(name: &X509NameRef) -> String {
    subject::bounded_text(name, NAME_LIMIT)
}

/// The serial number in hex, for log lines. Cut, because a peer chose it.
pub(super) fn serial_text(certificate: &X509Ref) -> String {
    certificate
        .serial_number()
        .to_bn()
        .and_then(|number| number.to_hex_str().map(|hex| hex.to_string()))
        .map(|hex| hex.chars().take(SERIAL_LIMIT).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{URLS_PER_CERTIFICATE, reported};

    #[test]
    fn web_addresses_are_reported_and_another_only_where_there_is_none() {
        let (ldap, long) = ("ldap:///CN=My CA?list", format!("http://{}", "a".repeat(2000)));
        let other = ["ldap:///CN=My%20CA?list"];
        assert_eq!(reported([ldap, " http://a/b c"].into_iter()), ["http://a/b%20c"]);
        assert_eq!(reported([ldap, "file:///etc/passwd"].into_iter()), other);
        assert_eq!(reported([&long, ldap].into_iter()), other);
        assert_eq!(reported([long.as_str(), "http://\u{fc}/"].into_iter()), [""; 0]);
        assert_eq!(reported(["http://a/"; 9].into_iter()).len(), URLS_PER_CERTIFICATE);
    }
}
