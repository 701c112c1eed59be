//! `os4xapi partner show`: everything that is known about one partner, with the deviations of its sessions from
//! RFC 5024.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::partner::{profile, rule};
use super::{Command, output};
use crate::change::rules;
use crate::documents::partners::Known;
use crate::pki::facts::Facts;
use crate::store::deviations::Shown;
use crate::store::partners::word;
use common::config::Partner;
use common::text::clock;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "partner show",
    changes: false,
    help: SHOW,
    options: &[Opt::Flag("json")],
    arguments: (1, 1),
    run: |invocation| Box::pin(show(invocation)),
}];

const SHOW: &str = "\
usage: os4xapi partner show NAME [--json] [--db DB]

Shows everything that is known about a partner: its settings, its pinned certificates, and the deviations from RFC 5024
in its sessions: for each deviation the side that showed it, in how many sessions, and when last. For '--profile strict'
name them in '--allow', also those of the station, because both sides are judged.

--json: as JSON
";

async fn show(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    let mut connection = db.snapshot().await?;
    let partner = rules::need_partner(&mut connection, name).await?;
    let known = Known::of(&mut connection, partner).await?;
    if invocation.flag("json") {
        return output::json(&known);
    }
    print_settings(&known.partner)?;
    output::say("")?;
    print_deviations(known.deviations)
}

fn print_settings(partner: &Partner) -> Result<(), CliError> {
    let mut table = output::Table::new(&["NAME", &partner.short_name]);
    let mut row = |name: &str, value: String| table.row(&[name.to_owned(), value]);
    row("SSIDCODE", partner.ssid.clone());
    row("ENABLED", output::yes(partner.enabled));
    row("CERTIFICATE", rule(partner));
    for pin in &partner.pins {
        let until = Facts::of_pem(&pin.pem).ok().map(|facts| clock::rfc3339(facts.until));
        row("PIN", format!("{} until {}", pin.name, output::or_dash(until)));
    }
    row("USAGE", word(&partner.usage_rule()));
    row("PROFILE", profile(partner));
    row("ALLOW", output::or_dash((!partner.allow.is_empty()).then_some(partner.allow)));
    row("HOST", output::or_dash(partner.host.as_ref()));
    row("PORT", partner.port.to_string());
    row("TLS", output::yes(partner.tls));
    row("FROM", output::or_dash(partner.outgoing_ip));
    row("CHECK SSID", output::yes(partner.check_ssid));
    row("LEGACY SUITES", output::or_dash(partner.legacy_suites.map(output::yes)));
    row("MAX FILE", output::or_dash(partner.files.max_size.map(|blocks| format!("{blocks} KiB"))));
    for pattern in &partner.files.names {
        row("FILE NAMES", pattern.clone());
    }
    for network in &partner.networks {
        row("NETWORK", network.clone());
    }
    table.print("")
}

fn print_deviations(deviations: Vec<Shown>) -> Result<(), CliError> {
    let mut table = output::Table::new(&["DEVIATION", "BY", "SESSIONS", "LAST", "WHAT"]);
    for shown in deviations {
        table.row(&[
            shown.number,
            shown.sender,
            shown.sessions.to_string(),
            clock::rfc3339(shown.last),
            shown.text.to_owned(),
        ]);
    }
    table.print("Its sessions have shown no deviation from RFC 5024.")
}
