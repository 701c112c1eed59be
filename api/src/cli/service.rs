//! `os4xapi serve`: the command around the service. Reads the addresses to listen on, opens the database, prints the
//! line with the real port, and hands over to `crate::serve`.

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::serve::{Addresses, Server};
use common::process::notify;
use std::net::SocketAddr;

/// The address on which it listens without an option.
const LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8443);

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "serve",
    changes: false,
    help: HELP,
    options: &[Opt::Value("listen"), Opt::Value("panel")],
    arguments: (0, 0),
    run: |invocation| Box::pin(serve(invocation)),
}];

const HELP: &str = "\
usage: os4xapi serve [--listen ADDRESS:PORT] [--panel ADDRESS:PORT] [--db DB]

Answers the SmartProxy daemons over https, in the foreground, until SIGTERM or SIGINT. When it listens, it prints
'listening on https://ADDRESS:PORT/', and tells systemd if the unit is of Type=notify. Logs to standard error, or to the
file that the setting api_log_file names.

--listen ADDRESS:PORT: address on which it listens (default 127.0.0.1:8443; [::]:8443 is every address; port 0 is a free
      one)
--panel ADDRESS:PORT: address of the administrative panel, such as 127.0.0.1:8444 (default: there is none). It then also
      prints 'panel on https://ADDRESS:PORT/'. 'os4xapi user add' adds its users, and the setting panel_networks says
      from which networks browsers may call
";

async fn serve(invocation: Invocation) -> Result<(), CliError> {
    let api = address(&invocation, "listen")?.unwrap_or(SocketAddr::from(LISTEN));
    let panel = address(&invocation, "panel")?;
    let location = invocation.location()?;
    if location.is_open_to_others() {
        output::warn(&format!("other users may read {location}, and the keys in it: chmod 600 it."));
    }
    let server = Server::start(invocation.open().await?, Addresses { api, panel }).await?;
    let Addresses { api, panel } = server.addresses();
    output::say(&format!("listening on https://{api}/"))?;
    if let Some(panel) = panel {
        output::say(&format!("panel on https://{panel}/"))?;
    }
    notify::ready();
    server.run().await?;
    Ok(())
}

fn address(invocation: &Invocation, option: &str) -> Result<Option<SocketAddr>, CliError> {
    invocation.parsed(option, "ADDRESS:PORT, such as 127.0.0.1:8443 or [::]:8443")
}
