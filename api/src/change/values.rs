//! The allowed values, whoever sets them: each member of a partner, a network, a text to ignore. The error messages of
//! the commands say more, because they know the option.

use super::put::refused;
use super::{ChangeError, Obstacle, network};
use crate::language::Language;
use crate::pki::facts::Facts;
use crate::store::ignores::Ignore;
use common::config::Partner;
use common::oftp::is_ssid_code_octet;
use common::text::host::{is_host, is_short_name};

/// SFIDFSIZ has 13 digits.
pub(crate) const LARGEST_FILE: u64 = 9_999_999_999_999;
/// Each of the 26 characters of a name, and a `*` beside it.
pub(crate) const LONGEST_PATTERN: usize = 52;
/// Most patterns: they are part of each configuration.
pub(crate) const MOST_PATTERNS: usize = 64;
/// Most networks of a partner; they are part of each configuration.
pub(crate) const MOST_NETWORKS: usize = 64;
/// Characters of a text to ignore: fewer would ignore nearly everything.
const IGNORED: std::ops::RangeInclusive<usize> = 3..=200;

/// Whether the daemons accept `text` as an SSIDCODE: 1 to 25 characters, without a blank at its end.
pub(crate) fn is_ssid(text: &str) -> bool {
    let is_short = (1..=25).contains(&text.len()) && !text.ends_with(' ');
    is_short && text.bytes().all(is_ssid_code_octet)
}

/// Whether `pattern` can match a file's name.
pub(crate) fn is_pattern(pattern: &str) -> bool {
    (1..=LONGEST_PATTERN).contains(&pattern.len()) && pattern.bytes().all(|b| (b' '..=b'~').contains(&b))
}

/// Refuses a partner with a member that the daemons do not accept.
pub(super) fn check_partner(partner: &Partner) -> Result<(), ChangeError> {
    let object = format!("partner {}", partner.short_name);
    let files = &partner.files;
    for (is_good, why) in [
        (is_short_name(&partner.short_name), "short_name has 1 to 32 letters, digits, '.', '_' or '-'"),
        (
            is_ssid(&partner.ssid),
            "ssid has 1 to 25 printable characters, none of them a quote or a backslash",
        ),
        (partner.port != 0, "port is one from 1 to 65535"),
        (partner.host.as_deref().is_none_or(is_host), "host is a host name or an IP address"),
        (files.max_size.is_none_or(|size| size <= LARGEST_FILE), "files of that size cannot be announced"),
        (
            files.names.len() <= MOST_PATTERNS && files.names.iter().all(|name| is_pattern(name)),
            "names of files have at most 64 patterns of 1 to 52 printable ASCII characters",
        ),
        (partner.networks.len() <= MOST_NETWORKS, "it has at most 64 networks"),
        (partner.pins.iter().all(|pin| Facts::of_pem(&pin.pem).is_ok()), "a pin is not a certificate in PEM"),
    ] {
        if !is_good {
            return Err(refused(&object, why));
        }
    }
    partner.networks.iter().try_for_each(|network| check_network(&object, network))
}

/// Refuses a text that is not a network in its normal spelling, or that is every address.
pub(super) fn check_network(object: &str, text: &str) -> Result<(), ChangeError> {
    match network::parse(text) {
        Ok(network) if network.to_string() == text => Ok(()),
        _ => Err(refused(
            object,
            &format!("'{text}' is not a network in the form 203.0.113.0/24 or 2001:db8::7/128"),
        )),
    }
}

/// Whether an entry of the ignore list would ignore nearly everything.
pub(crate) fn is_too_wide(ignore: &Ignore) -> bool {
    let is_narrowed = ignore.partner.is_some() || ignore.address.is_some() || ignore.reason.is_some();
    let is_left_out = ignore.text.is_empty() && is_narrowed;
    let is_good = is_left_out || IGNORED.contains(&ignore.text.chars().count());
    !is_good || ignore.text.chars().any(char::is_control)
}

/// Refuses such an entry.
pub(super) fn check_ignore(ignore: &Ignore) -> Result<(), ChangeError> {
    if is_too_wide(ignore) {
        let why = Obstacle::IgnoredText.text(Language::English);
        return Err(refused(&format!("ignore {}", ignore.id), &why));
    }
    Ok(())
}
