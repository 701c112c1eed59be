//! `os4xapi partner add|set|list|remove`: the partner table (`partner_show` has `show`). Checks the values on which the
//! daemons rely: short name, SSIDCODE, certificate rule and pins, deviations, host and port. A partner that fails a
//! check is not stored.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, network, output, partner_networks};
use crate::change::partner_members::{self, MemberFault, WrongMember};
use crate::change::{partners, rules};
use crate::db::Change;
use crate::documents;
use crate::pki::ca::pem;
use crate::pki::facts::{Facts, check_validity, short_name};
use crate::pki::read::certificates;
use crate::store;
use crate::store::partners::word;
use common::config::{CertificateRule, NamedPem, Partner, ProfileName};
use common::secret::Secret;
use common::text::clock;
use common::text::host::is_short_name;
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
--allow NUMBERS: deviations from RFC 5024 that the profile strict tolerates for it, such as 'C1,C2'; '' for none
      (default); 'os4xapi partner show' lists the deviations of its sessions
--host HOST: name or address for outgoing sessions; '' for none (default: none)
--port PORT: port for outgoing sessions (default 6619 with TLS, 3305 without)
--tls yes|no: outgoing sessions use TLS (default yes)
--outgoing-ip IP: source address of outgoing sessions; '' for the global one (default)
--check-ssid yes|no: the partner must answer an outgoing session with its own SSIDCODE (default yes)
--usage client|any: the extended key usage that its certificate needs: the one of its role in TLS (clientAuth, in
      outgoing sessions serverAuth), or any; '' for the default: any if it is pinned, else client
--legacy-suites yes|no: it may use old TLS: suites of TLS 1.2 with ECDHE, CBC and SHA-2, and no RFC 5746; '' for the
      default: the setting tls_legacy_suites
--max-file-size SIZE: refuse larger files of this partner (SFNA 06): a number of KiB, or of M, G or T; '' for no limit
      (default)
--file-names PATTERN: refuse its files of other names (SFNA 01); '*' stands for any characters, '?' for one (repeatable;
      replaces all earlier patterns); '' for any name (default)
--network NET[,NET...]: accept its sessions only from these networks, such as 203.0.113.0/24 or 2001:db8::7
      (repeatable; replaces all earlier networks); '' for any address (default). Strangers cannot take the places of
      these networks
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

Changes only the values that the options name.
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

--yes: do not ask; without a terminal the command never asks
";

async fn add(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    if !is_short_name(name) {
        return Err(CliError::Usage(format!(
            "'{name}' is not a short name: it has 1 to 32 letters, digits, '.', '_' or '-', which is not the first"
        )));
    }
    let ssid = invocation.value("ssid").ok_or_else(|| CliError::Usage("--ssid is missing".into()))?;
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let done = add_in(&mut change, &invocation, name, ssid).await?;
    change.commit().await?;
    output::say(&done)
}

/// Adds a partner like the command without further options; gives the messages for the user.
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
        None => Err(CliError::Usage(format!("'{name}' is not a short name"))),
    }
}

/// Adds a partner with the values of the options; gives the messages for the user.
async fn add_in(
    change: &mut Change,
    invocation: &Invocation,
    name: &str,
    ssid: String,
) -> Result<String, CliError> {
    let mut partner = Partner::new(name, partner_members::ssid(&ssid).map_err(usage)?);
    if !invocation.values("pin").is_empty() {
        partner.certificate = CertificateRule::Pinned;
    }
    let partner = with_options(invocation, partner)?;
    partners::add(change, &partner).await?;
    warn_of_rows(change, &partner).await?;
    Ok(said(&partner, "added"))
}

async fn set(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut change = invocation.act(&db).await?;
    let name = invocation.argument(0);
    let partner = rules::need_partner(&mut change, name).await?;
    let partner = with_options(&invocation, partner)?;
    partners::put(&mut change, &partner).await?;
    warn_of_rows(&mut change, &partner).await?;
    change.commit().await?;
    output::say(&said(&partner, "changed"))
}

/// Warns of other rows because of which the partner cannot be served.
async fn warn_of_rows(change: &mut Change, partner: &Partner) -> Result<(), CliError> {
    for what in partners::warnings(change, partner).await? {
        output::warn(&what);
    }
    Ok(())
}

/// The message for the user when the partner is stored.
fn said(partner: &Partner, done: &str) -> String {
    let comes_from = if partner.networks.is_empty() {
        String::new()
    } else {
        format!(", comes only from {}", partner_networks::text(partner))
    };
    format!(
        "Partner {} {done}: SSIDCODE '{}', certificate {}, {}{comes_from}.",
        partner.short_name,
        partner.ssid,
        rule(partner),
        partner.host.as_ref().map_or_else(
            || "no host to call".to_owned(),
            |host| format!("called at {host} port {}", partner.port)
        )
    )
}

/// The options that take one text, in the order in which they count.
const MEMBERS: [&str; 13] = [
    "ssid",
    "enabled",
    "tls",
    "check-ssid",
    "legacy-suites",
    "usage",
    "certificate",
    "profile",
    "allow",
    "port",
    "host",
    "outgoing-ip",
    "max-file-size",
];

/// `partner` with what the options say.
fn with_options(invocation: &Invocation, mut partner: Partner) -> Result<Partner, CliError> {
    for member in MEMBERS {
        if let Some(text) = invocation.value(member) {
            partner_members::set(&mut partner, member, &text).map_err(usage)?;
        }
    }
    match invocation.values("file-names").as_slice() {
        [] => {}
        [none] if none.is_empty() => partner.files.names.clear(),
        patterns => partner.files.names = partner_members::patterns(patterns).map_err(usage)?,
    }
    partner.networks = partner_networks::given(invocation).map_err(usage)?.unwrap_or(partner.networks);
    let files = invocation.values("pin");
    if invocation.flag("no-pins") || !files.is_empty() {
        partner.pins = pins(&files, invocation.password()?.as_ref())?;
    }
    for what in partner_members::warnings(&partner) {
        output::warn(&what);
    }
    Ok(partner)
}

fn usage(WrongMember { member, text, fault }: WrongMember) -> CliError {
    match fault {
        MemberFault::Value(wanted) => wrong(member, &text, &wanted),
        MemberFault::Network(fault) => {
            let instead = "'' lets the partner connect from any address";
            network::wrong(&format!("--{member}"), &text, fault, instead)
        }
    }
}

/// The certificates of `files`; a certificate that is not valid now is accepted with a warning (the next certificate is
/// pinned in advance).
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

async fn list(invocation: Invocation) -> Result<(), CliError> {
    let db = invocation.open().await?;
    let mut snapshot = db.snapshot().await?;
    if invocation.flag("json") {
        return output::json(&documents::partners::all(&mut snapshot).await?);
    }
    let all = store::partners::all(&mut snapshot).await?;
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

/// The profile, and the allowed deviations.
pub(super) fn profile(partner: &Partner) -> String {
    let word = word(&partner.profile);
    let is_any = partner.profile == ProfileName::Strict && !partner.allow.is_empty();
    if is_any { format!("{word} except {}", partner.allow) } else { word }
}

/// The certificate rule; with pins, their number and the end of the one that is valid longest.
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
    partners::remove(&mut change, name).await?;
    change.commit().await?;
    output::say(&format!("Partner {name} removed."))
}
