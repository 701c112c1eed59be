//! The command line of `oftp2peer`. Exit status: 0 done, 1 failed, 64 usage. Results go to standard output, progress
//! and errors to standard error.

mod ca;
mod print;
mod receive;
mod send;
mod tls;

use getopts::{Matches, Options};
use std::ffi::OsString;
use std::fmt;
use std::process::ExitCode;
use std::str::FromStr;

const HELP: &str = "\
oftp2peer: an OFTP2 (RFC 5024) partner or station for trials and tests

  oftp2peer send ...       open a session, send files, wait for receipts
  oftp2peer receive ...    serve sessions, store files, send receipts
  oftp2peer ca ...         make a test CA, certificates, CRLs

'oftp2peer COMMAND -h' lists the options of a command.
Exit status: 0 done, 1 failed, 64 wrong usage.
";

/// Why a command ends without success.
#[derive(Debug)]
enum Fault {
    /// The options are wrong: exit 64.
    Usage(String),
    /// It did not work: exit 1.
    Failed(String),
    /// The reader has closed the pipe, as `| head -1` does: exit 0, without a message.
    Unread,
}

impl Fault {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs the command in `args` (without the program's name).
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut args = args.map(|arg| arg.to_string_lossy().into_owned());
    let command = args.next();
    let args: Vec<String> = args.collect();
    let result = match command.as_deref() {
        Some("send") => send::run(&args),
        Some("receive") => receive::run(&args),
        Some("ca") => ca::run(&args),
        Some("-h" | "--help" | "help") => print::say(format_args!("{}", HELP.trim_end())),
        Some(other) => Err(Fault::Usage(format!("'{other}' is no command; try oftp2peer -h"))),
        None => Err(Fault::Usage("a command is missing; try oftp2peer -h".to_owned())),
    };
    match result {
        Ok(()) | Err(Fault::Unread) => ExitCode::SUCCESS,
        Err(Fault::Failed(words)) => {
            eprintln!("oftp2peer: {words}");
            ExitCode::FAILURE
        }
        Err(Fault::Usage(words)) => {
            eprintln!("oftp2peer: {words}");
            ExitCode::from(64)
        }
    }
}

/// Parses options; none if help was asked for and printed.
fn parse(options: &mut Options, args: &[String], help: &str) -> Result<Option<Matches>, Fault> {
    options.optflag("h", "help", "");
    let matches = options.parse(args).map_err(|error| Fault::Usage(error.to_string()))?;
    if matches.opt_present("help") {
        print::say(format_args!("{}", help.trim_end()))?;
        return Ok(None);
    }
    Ok(Some(matches))
}

/// The value of a required option.
fn required(matches: &Matches, name: &str) -> Result<String, Fault> {
    matches.opt_str(name).ok_or_else(|| Fault::Usage(format!("--{name} is missing; try -h")))
}

/// The value of an option within a range.
fn number<T>(matches: &Matches, name: &str, range: std::ops::RangeInclusive<T>, unset: T) -> Result<T, Fault>
where
    T: FromStr + PartialOrd + fmt::Display,
{
    let Some(text) = matches.opt_str(name) else { return Ok(unset) };
    text.parse().ok().filter(|value| range.contains(value)).ok_or_else(|| {
        Fault::Usage(format!(
            "--{name} takes a number from {} to {}, not '{text}'",
            range.start(),
            range.end()
        ))
    })
}
