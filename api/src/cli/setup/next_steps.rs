//! The end of `os4xapi setup`: which connections the firewalls must allow, and which commands to run next, here and on
//! the DMZ host, in their order. Changes nothing.

use super::answers::{Answers, is_local};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::db::{Db, DbError};
use crate::store::certificates::{self, Usage};
use crate::store::configuration;
use std::path::Path;

/// The state of the database.
pub(super) struct State {
    /// The server's port for partners.
    tls_port: String,
    /// There is a certificate of our own.
    certificate: bool,
    /// There are trusted certificates.
    trusted: bool,
}

impl State {
    pub(super) async fn of(db: &Db) -> Result<Self, DbError> {
        let mut connection = db.snapshot().await?;
        Ok(Self {
            tls_port: configuration::values(&mut connection).await?.text("tcp_port_tls").to_owned(),
            certificate: certificates::get(&mut connection, Usage::Own).await?.is_some(),
            trusted: !certificates::trusted(&mut connection).await?.is_empty(),
        })
    }
}

pub(super) fn print(answers: &Answers, state: &State, folder: &Path) -> Result<(), CliError> {
    output::print(
        "\nConnections that the firewalls must allow (TCP); the DMZ host opens no connection to the inside:\n\n",
    )?;
    firewall(answers, state).print("nothing")?;
    output::print("\nCommands to run next:\n\n")?;
    steps(answers, state, folder).print("nothing")
}

fn firewall(answers: &Answers, state: &State) -> Table {
    let mut table = Table::new(&["FROM", "TO", "PORT", "FOR"]);
    let dmz = format!("DMZ host {}", answers.server.host);
    let mut row = |from: &str, to: &str, port: &str, purpose: &str| {
        table.row(&[from.to_owned(), to.to_owned(), port.to_owned(), purpose.to_owned()]);
    };
    row("partners", &dmz, &state.tls_port, "sessions of partners");
    row("client", &dmz, &answers.server.port.to_string(), "client and server");
    if !is_local(&answers.host) {
        row("client", &answers.host, &answers.listen.port().to_string(), "client and backend");
    }
    if !is_local(&answers.station.host) {
        row("client", &answers.station.host, &answers.station.port.to_string(), "client and station");
    }
    row(&dmz, "partners", "6619", "sessions to partners, if there are any");
    row("this host", "CAs", "80, 443", "downloads of CRLs");
    table
}

fn steps(answers: &Answers, state: &State, folder: &Path) -> Table {
    let mut table = Table::new(&["WHERE", "COMMAND", "WHY"]);
    let folder = folder.display();
    let mut row = |place: &str, command: String, why: &str| {
        table.row(&[place.to_owned(), command, why.to_owned()]);
    };
    if !state.certificate {
        row("here", "os4xapi cert set --chain FILE --key FILE".into(), "our certificate towards partners");
    }
    let pinned = answers.partner.as_ref().is_some_and(|partner| partner.pin.is_some());
    if !state.trusted && !pinned {
        row("here", "os4xapi trust add FILE".into(), "the CAs of the partners' certificates");
        row("here", "os4xapi crl add FILE".into(), "their CRLs");
    }
    row("here", "systemctl enable --now os4xapi".into(), "start the backend");
    row("DMZ host", format!("{folder}/os4x_proxyserver2 -L"), "shows the Proxy ID");
    row("here", "os4xapi licence issue PROXY-ID -o os4x_proxy.lic".into(), "copy it to /etc on the DMZ host");
    row("DMZ host", "systemctl enable --now os4x_proxyserver2".into(), "start the server");
    row("here", "systemctl enable --now os4x_proxyclient2".into(), "start the client");
    table
}
