//! Sets the members of a partner to texts that an operator types in a command or in a form. Each text is checked and
//! converted to a uniform spelling.

use super::network::{self, NetworkFault};
use super::values::{LARGEST_FILE, MOST_NETWORKS, MOST_PATTERNS, is_pattern, is_ssid};
use crate::settings::yes_no;
use crate::store::partners::of_word;
use common::config::{CertificateRule, Partner, ProfileName};
use common::oftp::{Deviation, Deviations};
use common::text::host::is_host;
use serde::de::DeserializeOwned;
use std::net::IpAddr;

/// The error for a text that is not valid for a member.
#[derive(Debug)]
pub(crate) struct WrongMember {
    /// The name of the member, as the option of the command.
    pub(crate) member: &'static str,
    /// The text, or the part of it that is wrong.
    pub(crate) text: String,
    pub(crate) fault: MemberFault,
}

/// What is wrong with the text.
#[derive(Debug)]
pub(crate) enum MemberFault {
    /// It is none of the valid values, which are these.
    Value(String),
    /// It is not a network that can be used.
    Network(NetworkFault),
}

/// Sets the member with this name to the value in `text`.
pub(crate) fn set(partner: &mut Partner, member: &'static str, text: &str) -> Result<(), WrongMember> {
    let wrong = |wanted: &str| wrong(member, text, wanted);
    match member {
        "ssid" => partner.ssid = ssid(text)?,
        "enabled" => partner.enabled = yes_no(text).ok_or_else(|| wrong(YES_NO))?,
        "tls" => {
            let tls = yes_no(text).ok_or_else(|| wrong(YES_NO))?;
            if partner.port == Partner::default_port(partner.tls) {
                partner.port = Partner::default_port(tls);
            }
            partner.tls = tls;
        }
        "check-ssid" => partner.check_ssid = yes_no(text).ok_or_else(|| wrong(YES_NO))?,
        "legacy-suites" if text.is_empty() => partner.legacy_suites = None,
        "legacy-suites" => partner.legacy_suites = Some(yes_no(text).ok_or_else(|| wrong(YES_NO))?),
        "usage" if text.is_empty() => partner.usage = None,
        "usage" => partner.usage = Some(chosen(text).ok_or_else(|| wrong("client or any"))?),
        "certificate" => {
            partner.certificate = chosen(text).ok_or_else(|| wrong("pinned, odette-id or any"))?;
        }
        "profile" => partner.profile = chosen(text).ok_or_else(|| wrong("tolerant or strict"))?,
        "allow" => partner.allow = deviations(text)?,
        "port" => {
            let port = text.parse().ok().filter(|port| *port != 0);
            partner.port = port.ok_or_else(|| wrong("a port from 1 to 65535"))?;
        }
        "host" if text.is_empty() => partner.host = None,
        "host" if is_host(text) => partner.host = Some(text.to_owned()),
        "host" => return Err(wrong("a host name or an IP address")),
        "outgoing-ip" if text.is_empty() => partner.outgoing_ip = None,
        "outgoing-ip" => {
            let address: Option<IpAddr> = text.parse().ok();
            partner.outgoing_ip = Some(address.ok_or_else(|| wrong("an IP address"))?);
        }
        "max-file-size" if text.is_empty() => partner.files.max_size = None,
        "max-file-size" => partner.files.max_size = Some(blocks(text)?),
        _ => return Err(wrong("nothing: a partner has no such member")),
    }
    Ok(())
}

const YES_NO: &str = "yes or no";

fn wrong(member: &'static str, text: &str, wanted: &str) -> WrongMember {
    WrongMember { member, text: text.to_owned(), fault: MemberFault::Value(wanted.to_owned()) }
}

fn chosen<T: DeserializeOwned>(text: &str) -> Option<T> {
    of_word(text.to_owned())
}

/// Warnings about a partner whose members are valid but may be a mistake.
pub(crate) fn warnings(partner: &Partner) -> Vec<String> {
    let mut said = Vec::new();
    if partner.profile == ProfileName::Tolerant && !partner.allow.is_empty() {
        said.push(
            "the profile tolerant accepts every deviation: --allow is used only with --profile strict."
                .to_owned(),
        );
    }
    let code = &partner.ssid;
    let allowed = |b: u8| {
        b.is_ascii_uppercase()
            || b.is_ascii_digit()
            || matches!(b, b'/' | b'-' | b'.' | b'&' | b'(' | b')' | b' ')
    };
    if !code.bytes().all(allowed) {
        said.push(format!(
            "'{code}' has characters other than those of RFC 5024, A-Z 0-9 / - . & ( ) and space: it needs the profile \
             tolerant."
        ));
    } else if !code.starts_with('O') {
        said.push(format!("'{code}' does not begin with 'O', so it is not an Odette identification code."));
    }
    if partner.certificate == CertificateRule::Any {
        said.push(
            "with the rule 'any', every holder of a trusted certificate can act as this partner.".to_owned(),
        );
    }
    said
}

/// An SSIDCODE without its trailing spaces (RFC 5024 section 5.3.2).
pub(crate) fn ssid(text: &str) -> Result<String, WrongMember> {
    let code = text.trim_end_matches(' ');
    if is_ssid(code) {
        return Ok(code.to_owned());
    }
    if code.is_empty() || code.len() > 25 {
        return Err(wrong("ssid", text, "1 to 25 characters"));
    }
    let wanted = "printable ASCII characters without quotes and backslashes: the daemons accept no others";
    Err(wrong("ssid", &code.escape_debug().to_string(), wanted))
}

/// Deviations by their numbers, separated by commas or blanks.
fn deviations(text: &str) -> Result<Deviations, WrongMember> {
    let numbers = text.split([',', ' ']).filter(|number| !number.is_empty());
    numbers
        .map(|number| {
            Deviation::numbered(number).ok_or_else(|| {
                let known: Vec<_> =
                    Deviation::ALL.iter().map(|known| format!("{known} ({})", known.text())).collect();
                wrong("allow", number, &format!("numbers of deviations: {}", known.join(", ")))
            })
        })
        .collect()
}

/// A size in KiB, or with the unit M, G or T; gives KiB. SFIDFSIZ cannot announce a larger size than the limit
/// (RFC 5024 section 5.3.3).
fn blocks(text: &str) -> Result<u64, WrongMember> {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (text.trim_end_matches(['K', 'k']), 1),
        Some(b'M' | b'm') => (text.trim_end_matches(['M', 'm']), 1 << 10),
        Some(b'G' | b'g') => (text.trim_end_matches(['G', 'g']), 1 << 20),
        Some(b'T' | b't') => (text.trim_end_matches(['T', 't']), 1 << 30),
        _ => (text, 1),
    };
    let number = digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()));
    number
        .and_then(|number: u64| number.checked_mul(unit))
        .filter(|blocks| *blocks <= LARGEST_FILE)
        .ok_or_else(|| {
            wrong(
                "max-file-size",
                text,
                "a number of KiB, or a number with M, G or T, up to 9999999999999 KiB",
            )
        })
}

/// Checks that each of the patterns can match an SFIDDSN, and that there are not too many.
pub(crate) fn patterns(patterns: &[String]) -> Result<Vec<String>, WrongMember> {
    match patterns.iter().find(|pattern| !is_pattern(pattern)) {
        None if patterns.len() <= MOST_PATTERNS => Ok(patterns.to_vec()),
        None => Err(wrong("file-names", &patterns.len().to_string(), "at most 64 patterns")),
        Some(pattern) => Err(wrong(
            "file-names",
            &pattern.escape_debug().to_string(),
            "1 to 52 printable ASCII characters, with '*' or '?' for others",
        )),
    }
}

/// Checks networks, and that there are not too many; gives each once, in a uniform spelling.
pub(crate) fn networks<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Vec<String>, WrongMember> {
    const MEMBER: &str = "network";
    let mut found: Vec<String> = Vec::new();
    for text in texts {
        let network = network::parse(text).map_err(|fault| WrongMember {
            member: MEMBER,
            text: text.to_owned(),
            fault: MemberFault::Network(fault),
        })?;
        let network = network.to_string();
        if !found.contains(&network) {
            found.push(network);
        }
    }
    if found.len() > MOST_NETWORKS {
        return Err(wrong(MEMBER, &found.len().to_string(), "at most 64 networks"));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::{MemberFault, blocks, deviations, patterns, ssid};

    #[test]
    fn sizes_are_kib_or_multiples() {
        for (text, expected) in
            [("0", 0), ("500", 500), ("500k", 500), ("2M", 2048), ("1G", 1 << 20), ("9T", 9 << 30)]
        {
            assert_eq!(blocks(text).unwrap(), expected);
        }
        for bad in ["M", "-1", "+1", "1.5G", "1MM1", "10000000000000", "99999999999999999999T", "1 M", "ten"]
        {
            assert!(blocks(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_can_fit_a_name() {
        let one = |pattern: &str| patterns(&[pattern.to_owned()]);
        assert_eq!(one("ORDER*.?XT").unwrap(), ["ORDER*.?XT"]);
        for bad in ["", "A\nB", "PRÜFUNG", &"*".repeat(53)] {
            assert!(one(bad).is_err(), "{bad}");
        }
        assert!(patterns(&vec!["*".to_owned(); 65]).is_err());
    }

    #[test]
    fn deviations_are_numbers_that_exist() {
        for text in ["C1,C17", "c17 C1", "C1, C17,"] {
            assert_eq!(deviations(text).unwrap().to_string(), "C1, C17", "{text}");
        }
        assert!(deviations("").unwrap().is_empty());
        for bad in ["C0", "C99", "1", "C1;C2", "all"] {
            let MemberFault::Value(wanted) = deviations(bad).unwrap_err().fault else { panic!("{bad}") };
            assert!(wanted.contains("C1 (EFID while the credit is 0), C2 ("), "{wanted}");
        }
    }

    #[test]
    fn an_ssid_has_one_spelling() {
        assert_eq!(ssid("O0013ACME          SUB001   ").unwrap(), "O0013ACME          SUB001");
        for bad in ["", "   ", "O0013ACME\n", "Ö0013", "O'13", "O\\13", &"X".repeat(26)] {
            assert!(ssid(bad).is_err(), "{bad}");
        }
        assert_eq!(ssid("o0013lower").unwrap(), "o0013lower");
    }
}
