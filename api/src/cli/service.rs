//! `os4xapi serve`: the command around the service. Reads the address to listen on, opens the database, prints the line
//! with the real port, and hands over to `crate::serve`.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::{Command, output};
use crate::serve::Server;
use std::net::SocketAddr;

/// The address to listen on without an option.
const LISTEN: &str = "127.0.0.1:8443";

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "serve",
    changes: false,
    help: HELP,
    options: &[Opt::Value("listen")],
    arguments: (0, 0),
    run: |invocation| Box::pin(serve(invocation)),
}];

const HELP: &str = "\
usage: os4xapi serve [--listen ADDRESS:PORT] [--db DB]

Answers the SmartProxy daemons over https, in the foreground, until SIGTERM or SIGINT. Once it listens it prints
'listening on https://ADDRESS:PORT/'. Logs to standard error, or to the file that the setting api_log_file names.

--listen ADDRESS:PORT: where it listens (default 127.0.0.1:8443; [::]:8443 is every address; port 0 is a free one)
";

async fn serve(invocation: Invocation) -> Result<(), CliError> {
    let text = invocation.value("listen").unwrap_or_else(|| LISTEN.to_owned());
    let listen: SocketAddr =
        text.parse().map_err(|_| wrong("listen", &text, "ADDRESS:PORT, as 127.0.0.1:8443 or [::]:8443"))?;
    let location = invocation.location()?;
    if location.is_open_to_others() {
        output::warn(&format!("other users may read {location}, and the keys in it: chmod 600 it."));
    }
    let server = Server::start(invocation.open().await?, listen).await?;
    output::say(&format!("listening on https://{}/", server.address()))?;
    server.run().await?;
    Ok(())
}
