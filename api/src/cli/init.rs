//! `os4xapi init`: a new database with everything that a fresh installation needs: CA, https certificate, token. It is
//! one transaction; a failure leaves nothing behind. Never touches an existing database.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::token;
use crate::change::{self, State};
use crate::db::{Change, Creation};
use crate::pki::ca::{Ca, HTTPS_DAYS};
use crate::store::certificates::{self, Usage};
use crate::store::configuration;
use common::text::host::is_host;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "init",
    changes: true,
    help: HELP,
    options: &[Opt::Many("host")],
    arguments: (0, 0),
    run: |invocation| Box::pin(run(invocation)),
}];

const HELP: &str = "\
usage: os4xapi init [--host NAME|IP]... [--db DB]

Creates the database, a CA of its own, the certificate for https and the clients' token.
An existing database is not changed.

--host NAME|IP: name or address by which the clients reach this API (repeatable);
                default: localhost, 127.0.0.1, ::1 and the name of this host
--db DB: file, postgres://URL, or @FILE that has a path or a URL (default: os4xapi.db beside the binary)
";

async fn run(invocation: Invocation) -> Result<(), CliError> {
    let hosts = or_usual(invocation.hosts()?);
    let location = invocation.location()?;
    let mut creation = Creation::begin(&location).await?;
    fill(creation.change(), &hosts).await?;
    change::record(creation.change(), &State::new(), State::new(), &invocation.order()?).await?;
    creation.finish().await?;
    output::print(&format!(
        "Database: {location}\n\
         https certificate for: {}\n\
         \n\
         What to do next:\n\
         \x20 os4xapi serve                        start the API (it prints its URL)\n\
         \x20 os4xapi cert set --chain F --key F   our certificate towards partners\n\
         \x20 os4xapi trust add FILE               the CAs that issue the partners' certificates, and crl add FILE\n\
         \x20 os4xapi partner add NAME --ssid ID   each partner\n\
         \x20 os4xapi licence issue PROXY-ID -o F  a licence for the server (os4x_proxyserver2 -L \
          prints its Proxy ID)\n\
         \x20 os4xapi proxyclient add IP           a listener for the station's outgoing sessions\n\
         \x20 os4xapi token show                   the token for os4x_proxyclient2 -T\n",
        hosts.join(", ")
    ))
}

/// Writes the contents of every new database: a CA, an https certificate for `hosts`, a token.
pub(super) async fn fill(change: &mut Change, hosts: &[String]) -> Result<(), CliError> {
    let ca = Ca::create()?;
    let https = ca.https(hosts, HTTPS_DAYS)?;
    certificates::put(change, Usage::Ca, &ca.to_issued()?).await?;
    certificates::put(change, Usage::Https, &https).await?;
    configuration::set_token(change, &token::new_secret()?).await?;
    Ok(())
}

/// The given hosts, or the default ones.
fn or_usual(given: Vec<String>) -> Vec<String> {
    if !given.is_empty() {
        return given;
    }
    let mut hosts: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    let own = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    hosts.extend(own.filter(|name| is_host(name) && name != "localhost"));
    hosts
}
