//! `os4xapi partner add|set|list|remove`: the partner table (`partner_show` has `show`). Checks what the daemons rely
//! on: short name, SSIDCODE, certificate rule and pins, deviations, host and port. A partner that fails a check is not
//! stored.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::versions::Versions;
use super::{Command, output, partner_networks, proxy};
use crate::change::rules;
use crate::change::values::{LARGEST_FILE, MOST_PATTERNS, is_pattern};
use crate::db::Change;
use crate::pki::ca::pem;
use crate::pki::facts::{Facts, check_validity, short_name};
use crate::pki::read::certificates;
use crate::store::partners::{self, of_word, word};
use common::config::{CertificateRule, NamedPem, Partner, ProfileName};
use common::oftp::{Deviation, Deviations, is_ssid_code_octet};
use common::secret::Secret;
use common::text::clock;
use common::text::host::{is_host, is_short_name};
use std::path::Path;

const OPTIONS: &[Opt] = &[
    Opt::Value("ssid"),
    Opt::Value("enabled"),
    Opt::Value("certificate"),
    Opt::Many("pin"),
    Opt::Flag("no-pins"),
    Opt::Value("password-file"),
    Opt::Value("profile"),
    Opt::Value("allow"),
    Opt::Value("host"),
    Opt::Value("port"),
    Opt::Value("tls"),
    Opt::Value("outgoing-ip"),
    Opt::Value("check-ssid"),
    Opt::Value("usage"),
    Opt::Value("legacy-suites"),
    Opt::Value("max-file-size"),
    Opt::Many("file-names"),
    Opt::Many("network"),
];

pub(super) static COMMANDS: &[Command] = &[
    Command {
        words: "partner add",
        changes: true,
        help: ADD,
        options: OPTIONS,
        arguments: (1, 1),
        run: |invocation| Box::pin(add(invocation)),
    },
    Command {
        words: "partner set",
        changes: true,
        help: SET,
        options: OPTIONS,
        arguments: (1, 1),
        run: |invocation| Box::pin(set(invocation)),
    },
    Command {
        words: "partner list",
        changes: false,
        help: LIST,
        options: &[Opt::Flag("json")],
        arguments: (0, 0),
        run: |invocation| Box::pin(list(invocation)),
    },
    Command {
        words: "partner remove",
        changes: true,
        help: REMOVE,
        options: &[Opt::Flag("yes")],
        arguments: (1, 1),
        run: |invocation| Box::pin(remove(invocation)),
    },
];

macro_rules! options_help {
    () => {
        "
--ssid CODE: SSIDCODE, at most 25 characters, unique
--enabled yes|no: a disabled partner is refused (default yes)
--certificate pinned|odette-id|any: which certificate is accepted for this partner: one of the pinned ones, one whose
      subject's serialNumber is the SSIDCODE, or any trusted one (default: pinned with --pin, else odette-id)
--pin FILE: pin the certificates in FILE: PEM, DER, PKCS#7 or PKCS#12 (repeatable; replaces all earlier pins)
--no-pins: remove all pins
--password-file FILE: a file whose first line is the password of PKCS#12 files; /dev/stdin to type it
--profile tolerant|strict: how its OFTP2 messages are judged (default tolerant)
--allow NUMBERS: deviations from RFC 5024 that the profile strict bears of it nevertheless, as 'C1,C2'; '' for none
      (default); 'os4xapi partner show' lists those that its sessions have shown
--host HOST: name or address for outgoing sessions; '' for none (default: none)
--port PORT: port for outgoing sessions (default 6619 with TLS, 3305 without)
--tls yes|no: outgoing sessions use TLS (default yes)
--outgoing-ip IP: source address of outgoing sessions; '' for the global one (default)
--check-ssid yes|no: the SSIDCODE that answers an outgoing session must be this one (default yes)
--usage client|any: the extended key usage that its certificate needs: the one of its role in TLS (clientAuth, in
      outgoing sessions serverAuth), or any; '' for the default: any if it is pinned, else client
--legacy-suites yes|no: it may use old TLS: suites of TLS 1.2 with ECDHE, CBC and SHA-2, and no RFC 5746; '' for the
      default: the setting tls_legacy_suites
--max-file-size SIZE: refuse larger files of this partner (SFNA 06): a number of KiB, or of M, G or T; '' for no limit
      (default)
--file-names PATTERN: refuse its files of other names (SFNA 01); '*' stands for any characters, '?' for one (repeatable;
      replaces all earlier patterns); '' for any name (default)
--network NET[,NET...]: accept its sessions from these networks only, as 203.0.113.0/24 or 2001:db8::7 (repeatable;
      replaces all earlier networks); '' for any address (default). Strangers cannot take the places of these networks
"
    };
}

const ADD: &str = concat!(
    "\
usage: os4xapi partner add NAME --ssid CODE [OPTIONS] [--db DB]

Adds a partner. NAME is its short name: 1 to 32 letters, digits, '.', '_' or '-'.
",
    options_help!()
);

const SET: &str = concat!(
    "\
usage: os4xapi partner set NAME [OPTIONS] [--db DB]

Changes what the options name and leaves the rest as it is.
",
    options_help!()
);

const LIST: &str = "\
usage: os4xapi partner list [--json] [--db DB]

Lists the partners.

--json: as JSON, with the pinned certificates
";

const REMOVE: &str = "\
usage: os4xapi partner remove NAME [--yes] [--db DB]

Removes a partner, and the listeners tied to it. Its sessions in progress run to their end.

--yes: do not ask; without a terminal nobody is asked
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    if !is_short_name(name) {
        return Err(CliError::Usage(format!(
            "'{name}' is no short name: it has 1 to 32 letters, digits, '.', '_' or '-', which is not the first"
        )));
    }
    let ssid = invocation.value("ssid").ok_or_else(|| CliError::Usage("--ssid is missing".into()))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let done = add_in(&mut change, &invocation, name, ssid).await?;
    change.commit().await?;
    output::say(&done)
}

/// Adds a partner as the command without further options does; gives what is to be said of it.
pub(super) async fn add_plain(
    change: &mut Change,
    name: &str,
    ssid: &str,
    pin: Option<&str>,
) -> Result<String, CliError> {
    let words: Vec<String> =
        pin.map(|file| ["--pin", file]).into_iter().flatten().chain([name]).map(str::to_owned).collect();
    match Invocation::parse("partner add", OPTIONS, (1, 1), &words).map_err(CliError::Usage)? {
        Some(invocation) => add_in(change, &invocation, name, ssid.to_owned()).await,
        None => Err(CliError::Usage(format!("'{name}' is no short name"))),
    }
}

/// Adds a partner with what the options say; gives what is to be said of it.
async fn add_in(
    change: &mut Change,
    invocation: &Invocation,
    name: &str,
    ssid: String,
) -> Result<String, CliError> {
    if partners::all(change).await?.iter().any(|partner| partner.short_name == name) {
        return Err(CliError::Refused(format!(
            "there is a partner '{name}' already: 'os4xapi partner set {name}' changes it"
        )));
    }
    let mut partner = Partner::new(name, ssid);
    if !invocation.values("pin").is_empty() {
        partner.certificate = CertificateRule::Pinned;
    }
    put(change, with_options(invocation, partner)?, "added").await
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let name = invocation.argument(0);
    let partner = rules::need_partner(&mut change, name).await?;
    let said = put(&mut change, with_options(&invocation, partner)?, "changed").await?;
    change.commit().await?;
    output::say(&said)
}

/// Checks `partner` against the others and keeps it; gives what is to be said when this is `done`.
async fn put(change: &mut Change, partner: Partner, done: &str) -> Result<String, CliError> {
    rules::check_partner(change, &partner).await?;
    if partner.certificate == CertificateRule::Any {
        output::warn(
            "with the rule 'any', every holder of a trusted certificate can speak for this partner.",
        );
    }
    partners::put(change, &partner).await?;
    if let Some(address) = partner.outgoing_ip {
        proxy::warn_of_foreign(change, address).await?;
    }
    partner_networks::warn_of_bans(change, &partner).await?;
    let comes_from = if partner.networks.is_empty() {
        String::new()
    } else {
        format!(", comes from {} alone", partner_networks::text(&partner))
    };
    Ok(format!(
        "Partner {} {done}: SSIDCODE '{}', certificate {}, {}{comes_from}.",
        partner.short_name,
        partner.ssid,
        rule(&partner),
        partner.host.as_ref().map_or_else(
            || "no host to call".to_owned(),
            |host| format!("called at {host} port {}", partner.port)
        )
    ))
}

/// `partner` with what the options say.
fn with_options(invocation: &Invocation, mut partner: Partner) -> Result<Partner, CliError> {
    partner.ssid = checked_ssid(&invocation.value("ssid").unwrap_or(partner.ssid))?;
    partner.enabled = invocation.yes_no("enabled")?.unwrap_or(partner.enabled);
    let tls = invocation.yes_no("tls")?.unwrap_or(partner.tls);
    if partner.port == Partner::default_port(partner.tls) {
        partner.port = Partner::default_port(tls);
    }
    partner.tls = tls;
    partner.check_ssid = invocation.yes_no("check-ssid")?.unwrap_or(partner.check_ssid);
    partner.legacy_suites = match invocation.value("legacy-suites").as_deref() {
        Some("") => None,
        _ => invocation.yes_no("legacy-suites")?.or(partner.legacy_suites),
    };
    partner.usage = match invocation.value("usage").as_deref() {
        Some("") => None,
        _ => chosen(invocation, "usage", "client or any")?.or(partner.usage),
    };
    partner.certificate =
        chosen(invocation, "certificate", "pinned, odette-id or any")?.unwrap_or(partner.certificate);
    partner.profile = chosen(invocation, "profile", "tolerant or strict")?.unwrap_or(partner.profile);
    if let Some(numbers) = invocation.value("allow") {
        partner.allow = deviations(&numbers)?;
    }
    if partner.profile == ProfileName::Tolerant && !partner.allow.is_empty() {
        output::warn("the profile tolerant bears every deviation: --allow counts with --profile strict.");
    }
    partner.port = match invocation.parsed("port", "a port from 1 to 65535")? {
        Some(0) => return Err(wrong("port", "0", "a port from 1 to 65535")),
        other => other.unwrap_or(partner.port),
    };
    match invocation.value("host") {
        Some(host) if host.is_empty() => partner.host = None,
        Some(host) if is_host(&host) => partner.host = Some(host),
        Some(host) => return Err(wrong("host", &host, "a host name or an IP address")),
        None => {}
    }
    match invocation.value("outgoing-ip").as_deref() {
        Some("") => partner.outgoing_ip = None,
        Some(_) => partner.outgoing_ip = invocation.parsed("outgoing-ip", "an IP address")?,
        None => {}
    }
    match invocation.value("max-file-size").as_deref() {
        Some("") => partner.files.max_size = None,
        Some(text) => partner.files.max_size = Some(blocks(text)?),
        None => {}
    }
    match invocation.values("file-names").as_slice() {
        [] => {}
        [none] if none.is_empty() => partner.files.names.clear(),
        patterns => partner.files.names = checked_patterns(patterns)?,
    }
    partner.networks = partner_networks::given(invocation)?.unwrap_or(partner.networks);
    let files = invocation.values("pin");
    if invocation.flag("no-pins") || !files.is_empty() {
        partner.pins = pins(&files, invocation.password()?.as_ref())?;
    }
    Ok(partner)
}

/// Deviations by their numbers, with commas or blanks between them.
fn deviations(text: &str) -> Result<Deviations, CliError> {
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

/// The value of an option that takes one of a few words.
fn chosen<T: serde::de::DeserializeOwned>(
    invocation: &Invocation,
    name: &str,
    wanted: &str,
) -> Result<Option<T>, CliError> {
    invocation
        .value(name)
        .map(|text| of_word(text.clone()).ok_or_else(|| wrong(name, &text, wanted)))
        .transpose()
}

/// A size in KiB, or with M, G or T in its multiples; at most what SFIDFSIZ can announce (RFC 5024 section 5.3.3).
fn blocks(text: &str) -> Result<u64, CliError> {
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

/// Patterns of SFIDDSN that can fit one.
fn checked_patterns(patterns: &[String]) -> Result<Vec<String>, CliError> {
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

/// The certificates of `files`; one that is not valid now is taken with a warning (the next one is pinned ahead).
fn pins(files: &[String], password: Option<&Secret>) -> Result<Vec<NamedPem>, CliError> {
    let mut pins = Vec::new();
    for file in files {
        for certificate in certificates(Path::new(file), password)? {
            if let Err(why) = check_validity(&certificate) {
                output::warn(&why.to_string());
            }
            pins.push(NamedPem { name: short_name(&certificate), pem: pem(&certificate)? });
        }
    }
    Ok(pins)
}

/// An SSIDCODE without its trailing spaces (RFC 5024 section 5.3.2); warns of what the RFC does not allow but is met.
fn checked_ssid(text: &str) -> Result<String, CliError> {
    let code = text.trim_end_matches(' ');
    if code.is_empty() || code.len() > 25 {
        return Err(wrong("ssid", text, "1 to 25 characters"));
    }
    if !code.bytes().all(is_ssid_code_octet) {
        let wanted = "printable ASCII characters without quotes and backslashes: the daemons take no others";
        return Err(wrong("ssid", &code.escape_debug().to_string(), wanted));
    }
    let allowed = |b: u8| {
        b.is_ascii_uppercase()
            || b.is_ascii_digit()
            || matches!(b, b'/' | b'-' | b'.' | b'&' | b'(' | b')' | b' ')
    };
    if !code.bytes().all(allowed) {
        output::warn(&format!(
            "'{code}' has characters beside those of RFC 5024, A-Z 0-9 / - . & ( ) and space: it needs the profile \
             tolerant."
        ));
    } else if !code.starts_with('O') {
        output::warn(&format!("'{code}' does not begin with 'O', so it is no Odette identification code."));
    }
    Ok(code.to_owned())
}

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    let all = partners::all(&mut snapshot).await?;
    if invocation.flag("json") {
        let versions = Versions::of(&mut snapshot, "partner").await?;
        let all: Vec<_> = all.into_iter().map(|one| versions.with(one.short_name.clone(), one)).collect();
        return output::json(&all);
    }
    drop(snapshot);
    let mut table = output::Table::new(&[
        "NAME",
        "SSIDCODE",
        "ENABLED",
        "CERTIFICATE",
        "PROFILE",
        "HOST",
        "PORT",
        "TLS",
        "FROM",
        "CHECK SSID",
        "USAGE",
        "LEGACY SUITES",
        "MAX FILE",
        "FILE NAMES",
        "NETWORKS",
    ]);
    for partner in all {
        let usage = word(&partner.usage_rule());
        let networks = partner_networks::text(&partner);
        table.row(&[
            partner.short_name.clone(),
            partner.ssid.clone(),
            output::yes(partner.enabled),
            rule(&partner),
            profile(&partner),
            output::or_dash(partner.host),
            partner.port.to_string(),
            output::yes(partner.tls),
            output::or_dash(partner.outgoing_ip),
            output::yes(partner.check_ssid),
            usage,
            partner.legacy_suites.map_or_else(|| "-".to_owned(), output::yes),
            partner.files.max_size.map_or_else(|| "-".to_owned(), |blocks| format!("{blocks} KiB")),
            output::or_dash((!partner.files.names.is_empty()).then(|| partner.files.names.join(", "))),
            networks,
        ]);
    }
    table.print("There is no partner.")
}

/// The profile, and what is allowed besides.
pub(super) fn profile(partner: &Partner) -> String {
    let word = word(&partner.profile);
    let is_any = partner.profile == ProfileName::Strict && !partner.allow.is_empty();
    if is_any { format!("{word} but for {}", partner.allow) } else { word }
}

/// The certificate rule; with pins, how many there are and until when the last of them is valid.
pub(super) fn rule(partner: &Partner) -> String {
    let word = word(&partner.certificate);
    let until = partner.pins.iter().filter_map(|pin| Some(Facts::of_pem(&pin.pem).ok()?.until)).max();
    match until {
        Some(until) => {
            let day: String = clock::rfc3339(until).chars().take(10).collect();
            format!("{word} ({} until {day})", partner.pins.len())
        }
        None => word,
    }
}

async fn remove(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    invocation.confirm(&format!("remove the partner '{name}' and the listeners tied to it?"))?;
    let mut change = invocation.act(&db).await?;
    if !partners::remove(&mut change, name).await? {
        return Err(rules::no_partner(name).into());
    }
    change.commit().await?;
    output::say(&format!("Partner {name} removed."))
}

#[cfg(test)]
mod tests {
    use super::{blocks, checked_patterns, checked_ssid, deviations};

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
        let one = |pattern: &str| checked_patterns(&[pattern.to_owned()]);
        assert_eq!(one("ORDER*.?XT").unwrap(), ["ORDER*.?XT"]);
        for bad in ["", "A\nB", "PRÜFUNG", &"*".repeat(53)] {
            assert!(one(bad).is_err(), "{bad}");
        }
        assert!(checked_patterns(&vec!["*".to_owned(); 65]).is_err());
    }

    #[test]
    fn deviations_are_numbers_that_exist() {
        for text in ["C1,C17", "c17 C1", "C1, C17,"] {
            assert_eq!(deviations(text).unwrap().to_string(), "C1, C17", "{text}");
        }
        assert!(deviations("").unwrap().is_empty());
        for bad in ["C0", "C99", "1", "C1;C2", "all"] {
            let refusal = deviations(bad).unwrap_err().to_string();
            assert!(refusal.contains("C1 (EFID while the credit is 0), C2 ("), "{refusal}");
        }
    }

    #[test]
    fn an_ssid_has_one_spelling() {
        assert_eq!(checked_ssid("O0013ACME          SUB001   ").unwrap(), "O0013ACME          SUB001");
        for bad in ["", "   ", "O0013ACME\n", "Ö0013", "O'13", "O\\13", &"X".repeat(26)] {
            assert!(checked_ssid(bad).is_err(), "{bad}");
        }
        assert_eq!(checked_ssid("o0013lower").unwrap(), "o0013lower");
    }
}
