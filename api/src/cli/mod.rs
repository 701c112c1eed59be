//! The command line: a table of commands, one file for each group. Finds the command, reads its options and runs it on
//! a current-thread runtime. A failure becomes one message and an exit status: 64 for the command line itself, 1 for
//! everything else; `check` has its own. Knows nothing of the work of a command.

mod acts;
mod args;
mod audit;
mod backup;
mod ban;
mod cert;
mod cert_next;
mod check;
mod config;
mod copy;
mod crl;
mod date;
mod error;
mod expiry;
mod ignore;
mod init;
mod key;
mod licence;
mod network;
mod output;
mod partner;
mod partner_debug;
mod partner_networks;
mod partner_show;
mod partner_test;
mod proxy;
mod proxyclient;
mod reports;
mod service;
mod session;
mod setup;
mod status;
mod support;
mod token;
mod transfer;
mod trust;
mod user;

use crate::change::ChangeError;
use crate::db::{Db, DbError, Location};
use crate::error_text::{causes, sentence};
use args::{Invocation, Opt};
use common::sys;
use error::CliError;
use std::ffi::OsString;
use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

/// The options of every command that changes something.
const CHANGE_OPTIONS: [Opt; 2] = [Opt::Flag("dry-run"), Opt::Value("if-version")];
const CHANGE_HELP: &str = "
--dry-run: change nothing, and tell what would be changed
--if-version N: change nothing if somebody has changed it since: it has a newer version than N. Its version is shown
      with --json; it is the number of the row in the audit that changed it last
";

/// Exit status of a wrong command line (EX_USAGE).
const EXIT_USAGE: u8 = 64;
/// Exit status of a plugin that knows nothing.
const EXIT_UNKNOWN: u8 = 3;

type Running = Pin<Box<dyn Future<Output = Result<(), CliError>>>>;

/// One command.
struct Command {
    /// One or two words.
    words: &'static str,
    /// It changes the database: an act with a row in the audit, and with the options of one.
    changes: bool,
    /// The whole help text.
    help: &'static str,
    /// Its options beside `--db` and `-h`.
    options: &'static [Opt],
    /// Least and most number of arguments.
    arguments: (usize, usize),
    run: fn(Invocation) -> Running,
}

/// All commands, in the order of the help.
static COMMANDS: &[&[Command]] = &[
    setup::COMMANDS,
    init::COMMANDS,
    service::COMMANDS,
    backup::COMMANDS,
    copy::COMMANDS,
    transfer::COMMANDS,
    config::COMMANDS,
    partner::COMMANDS,
    partner_show::COMMANDS,
    partner_debug::COMMANDS,
    partner_test::COMMANDS,
    proxy::COMMANDS,
    proxyclient::COMMANDS,
    cert::COMMANDS,
    cert_next::COMMANDS,
    trust::COMMANDS,
    crl::COMMANDS,
    token::COMMANDS,
    licence::COMMANDS,
    ban::COMMANDS,
    ignore::COMMANDS,
    expiry::COMMANDS,
    audit::COMMANDS,
    status::COMMANDS,
    check::COMMANDS,
    reports::COMMANDS,
    session::COMMANDS,
    user::COMMANDS,
    key::COMMANDS,
    support::COMMANDS,
];

const HELP: &str = "\
OS4Xapi, the backend of OS4X SmartProxy

usage: os4xapi COMMAND [OPTIONS] [ARGUMENTS]

  setup                             set up this host: database, settings, first partner, files of the units
  init                              create the database, the CA, the https certificate and the token
  serve                             answer the SmartProxy daemons, in the foreground
  backup                            write the database to one file, also while it is in use
  restore                           replace the database with a backup
  export                            write settings and tables as one JSON document
  import                            read such a document, or partners from a table (CSV)
  copy                              copy the database from SQLite to PostgreSQL

  config get|set|list               settings
  partner add|set|list|show|debug|remove|test  partners: SSIDCODE, certificates, where to reach them; a test call
  proxy add|list|show|set|unset|drain|undrain|remove  servers (os4x_proxyserver2) that clients may join, by Proxy ID
  proxyclient add|list|remove       clients (os4x_proxyclient2): their listeners for the station
  cert set|unset|list|show|https|csr|next  our certificates: towards partners, the next one, the CA, https, the panel
  trust add|set|list|remove         trusted CA and self-signed certificates
  crl add|list|fetch|remove         certificate revocation lists
  token show|rotate                 the clients' security token
  licence issue                     a licence file for a server

  ban add|list|remove               networks that the server refuses
  ignore add|list|remove            entries that the system log and the event script leave out
  expiry                            everything that expires, and what to do about it
  audit list|show|verify|revert     who has changed what, and how to revert it
  status                            state of the installation, faults, and what to do about them
  check                             the same for Nagios, Icinga, Checkmk: one line and an exit status
  refused                           partners and addresses that the servers have refused, and why
  log                               reports of the daemons
  session end                       ends a running session
  sessions                          the daemons' sessions
  user add|list|set|reset|unlock|remove  who may use the panel
  key add|list|remove               keys of programs: metrics, /api/v1, the calendar of what ends
  support                           one file with information to find a fault, without secrets

Every command has -h, and --db FILE|postgres://URL|@FILE (default: os4xapi.db beside the binary). A command that changes
something has --dry-run and --if-version N, and leaves a row in the audit.
-h: this help text
-v: display version
";

/// Runs the command of the command line.
pub(crate) fn main(arguments: Vec<OsString>) -> ExitCode {
    let is_check = arguments.first().is_some_and(|word| word == "check");
    match start(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(CliError::Verdict(status)) => ExitCode::from(status),
        Err(error) => {
            eprintln!("os4xapi: {}", sentence(&error.to_string()));
            for cause in causes(&error) {
                eprintln!("  cause: {cause}");
            }
            if let Some(usage) = error.usage() {
                eprintln!("\n{}", usage.trim_end());
            }
            // A monitoring system knows no other status for a wrong command line.
            let usage = if is_check { EXIT_UNKNOWN } else { EXIT_USAGE };
            ExitCode::from(if error.is_usage() { usage } else { 1 })
        }
    }
}

fn start(arguments: Vec<OsString>) -> Result<(), CliError> {
    let words: Vec<String> = arguments
        .into_iter()
        .map(OsString::into_string)
        .collect::<Result<_, _>>()
        .map_err(|word| CliError::Usage(format!("the argument '{}' is not UTF-8", word.display())))?;
    match words.first().map(String::as_str) {
        None => Err(CliError::Command("a command is missing".into(), HELP.to_owned())),
        Some("-h" | "--help" | "help") => output::print(HELP),
        Some("-v" | "--version") => {
            output::print(&format!("OS4Xapi {} (OS4X SmartProxy)\n", env!("CARGO_PKG_VERSION")))
        }
        Some(_) => run(&words),
    }
}

fn run(words: &[String]) -> Result<(), CliError> {
    let Some((command, rest)) = find(words) else { return group_or_unknown(words) };
    let Some(invocation) = parse(command, rest)? else {
        return output::print(&command.help());
    };
    if command.words == "serve" {
        // An event script would inherit descriptors that the caller left open. Other commands may read from them.
        sys::close_inherited();
    }
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(async {
        let opened = invocation.opened();
        let done = (command.run)(invocation).await;
        if let Some(db) = opened.get() {
            db.clone().close().await;
        }
        match done {
            Err(CliError::Change(report @ ChangeError::DryRun(_))) => output::say_lines(&report.to_string()),
            done => done,
        }
    })
}

/// The command line of a command; none if its help is asked for.
fn parse(command: &Command, rest: &[String]) -> Result<Option<Invocation>, CliError> {
    Invocation::parse(command.words, &command.options(), command.arguments, rest)
        .map_err(|why| CliError::Command(why, usage_of(command)))
}

impl Command {
    /// All its options.
    fn options(&self) -> Vec<Opt> {
        let of_changes = CHANGE_OPTIONS.iter().filter(|_| self.changes);
        self.options.iter().chain(of_changes).copied().collect()
    }

    /// Its whole help.
    fn help(&self) -> String {
        format!("{}{}", self.help, if self.changes { CHANGE_HELP } else { "" })
    }
}

/// Opens the database; prints a note if this has upgraded it.
async fn open(at: &Location) -> Result<Db, DbError> {
    let db = Db::open(at).await?;
    if let Some(upgrade) = db.upgraded() {
        output::note(&format!("{at}: {upgrade}"));
    }
    Ok(db)
}

/// The command that the first words name, and the words after them.
fn find(words: &[String]) -> Option<(&'static Command, &[String])> {
    COMMANDS.iter().flat_map(|group| group.iter()).find_map(|command| {
        let name: Vec<&str> = command.words.split(' ').collect();
        let given = words.get(..name.len())?;
        (given == name.as_slice()).then(|| (command, words.get(name.len()..).unwrap_or_default()))
    })
}

/// The first word alone: help for its group, or an error.
fn group_or_unknown(words: &[String]) -> Result<(), CliError> {
    let first = words.first().map_or("", String::as_str);
    let group: Vec<&Command> = COMMANDS
        .iter()
        .flat_map(|group| group.iter())
        .filter(|command| command.words.split(' ').next() == Some(first))
        .collect();
    if group.is_empty() {
        return Err(CliError::Usage(format!("there is no command '{first}': 'os4xapi -h' lists all")));
    }
    let usages: String = group.iter().map(|command| usage_of(command)).collect();
    match words.get(1).map(String::as_str) {
        Some("-h" | "--help") => output::print(&usages),
        Some(other) => Err(CliError::Command(format!("'{first}' has no command '{other}'"), usages)),
        None => Err(CliError::Command(format!("'{first}' needs a command"), usages)),
    }
}

/// The first line of a command's help.
fn usage_of(command: &Command) -> String {
    let (usage, _) = command.help.split_once("\n\n").unwrap_or((command.help, ""));
    format!("{usage}\n")
}

#[cfg(test)]
mod tests {
    use super::{COMMANDS, HELP};

    #[test]
    fn every_command_stands_in_the_help_and_its_own_help_names_its_options() {
        for command in COMMANDS.iter().flat_map(|group| group.iter()) {
            let mut words = command.words.split(' ');
            let group = words.next().unwrap();
            let line = HELP.lines().find(|line| line.trim_start().starts_with(group)).unwrap();
            assert!(words.all(|verb| line.contains(verb)), "{}", command.words);
            assert!(
                command.help.starts_with(&format!("usage: os4xapi {}", command.words)),
                "{}",
                command.words
            );
            for option in command.options() {
                assert!(command.help().contains(&option.flag()), "{}: {}", command.words, option.flag());
            }
        }
    }

    #[test]
    fn the_man_page_has_every_command_and_option_and_no_other() {
        let page = crate::man::read("os4xapi.8");
        let items: Vec<&str> = page.lines().filter(|line| line.starts_with(".It ")).collect();
        for command in COMMANDS.iter().flat_map(|group| group.iter()) {
            let item = format!(".It Cm {}", command.words);
            assert!(
                items.iter().any(|line| *line == item || line.starts_with(&format!("{item} "))),
                "{item}"
            );
            for option in command.options() {
                // mdoc's Fl puts the first dash there itself.
                let flag = option.flag().replacen('-', "Fl ", 1);
                assert!(items.iter().any(|line| line.contains(&flag)), "{}: {flag}", command.words);
            }
        }
        let (_, examples) = page.split_once(".Ss Options of a partner\n").unwrap();
        for command in COMMANDS.iter().flat_map(|group| group.iter()).filter(|c| c.words == "partner set") {
            for flag in command.options.iter().map(|option| option.flag()) {
                assert!(examples.contains(&format!("{flag} ")), "no example has {flag}");
            }
        }
        let known = |name: &str| {
            let flag = format!("-{name}");
            let all = || COMMANDS.iter().flat_map(|group| group.iter());
            ["-h", "-v", "--db"].contains(&flag.as_str())
                || all().any(|command| command.options().iter().any(|option| option.flag() == flag))
        };
        for line in items {
            let words: Vec<&str> = line.split(' ').collect();
            for pair in words.windows(2).filter(|pair| pair[0] == "Fl") {
                assert!(known(pair[1]), "{line}");
            }
        }
    }
}
