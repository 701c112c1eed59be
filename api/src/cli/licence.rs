//! `os4xapi licence issue`: writes the licence file of a server, which is its certificate on the control connection,
//! and adds the server to the list. Needs only the Proxy ID: the server's private key never leaves its host.

use super::args::{Invocation, Opt, wrong};
use super::error::CliError;
use super::proxy::proxy_id;
use super::{Command, output};
use crate::change::licences::{self, DAYS, HOLDER, VALIDITY, Wanted};

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "licence issue",
    changes: true,
    help: HELP,
    options: &[Opt::Value("holder"), Opt::Value("days"), Opt::Output, Opt::Flag("no-add")],
    arguments: (1, 1),
    run: |invocation| Box::pin(issue(invocation)),
}];

const HELP: &str = "\
usage: os4xapi licence issue PROXY-ID [--holder NAME] [--days N] [-o FILE] [--no-add] [--db DB]

Issues the licence for a server; 'os4x_proxyserver2 -L' prints its Proxy ID. The file goes to /etc/os4x_proxy.lic of
that host, or to the file that its option -l names. It has no secret. The server is also listed (see 'os4xapi proxy').

--holder NAME: holder of the licence (default: OS4X SmartProxy)
--days N: validity in days, 1 to 3650 (default 365)
-o FILE: write it to FILE (default: print it)
--no-add: do not list the server
";

async fn issue(invocation: Invocation) -> Result<(), CliError> {
    const WANTED: &str = "a number of days from 1 to 3650";
    let id = proxy_id(&invocation, 0)?;
    let holder = invocation.value("holder").unwrap_or_else(|| HOLDER.to_owned());
    let days = invocation.parsed("days", WANTED)?.unwrap_or(DAYS);
    if !VALIDITY.contains(&days) {
        return Err(wrong("days", &days.to_string(), WANTED));
    }
    let db = invocation.open().await?;
    let is_listed = !invocation.flag("no-add");
    let mut change = invocation.act(&db).await?;
    let wanted = Wanted { id: &id, holder: &holder, days, lists: is_listed };
    let licence = licences::issue(&mut change, &wanted).await?;
    change.commit().await?;
    output::write_to(&licence, invocation.value("o").as_deref())?;
    match invocation.value("o").filter(|file| file != "-") {
        Some(file) => output::say(&format!(
            "Licence in {file}, valid for {days} days.{}",
            if is_listed { " The server is listed." } else { "" }
        )),
        None => Ok(()),
    }
}
