//! `oftp2check`: the operators' decoder. Reads traces and TRACE logs, prints what each buffer is and what the checker
//! of the daemons says of it.
//!
//! An operator runs it by hand. It needs no daemon, no network and no privilege, and writes nothing but its output.
//! `options` reads the command line, `input` finds the traces in a file, `judge` runs the checker, `show` prints.

mod input;
mod json;
mod judge;
mod options;
mod show;
mod trace_log;

use options::{Options, Wish};
use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

/// Exit statuses beside 0 (all traces are legal).
const ILLEGAL: u8 = 1;
const UNREADABLE: u8 = 2;
const USAGE: u8 = 64;

fn main() -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    let status = match options::parse(std::env::args_os().skip(1)) {
        Ok(Wish::Help) => print_help(&mut out),
        Ok(Wish::Check(options)) => check(&options, &mut out),
        Err(problem) => {
            eprintln!("oftp2check: {problem}");
            Ok(USAGE)
        }
    };
    let written = status.and_then(|status| out.flush().map(|()| status));
    match written {
        Ok(status) => ExitCode::from(status),
        // The reader has closed the pipe (`| head`).
        Err(error) if error.kind() == ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("oftp2check: The output cannot be written: {error}.");
            ExitCode::from(UNREADABLE)
        }
    }
}

fn print_help(out: &mut impl Write) -> io::Result<u8> {
    out.write_all(options::HELP.as_bytes()).map(|()| 0)
}

/// Checks one file after the other. A file that cannot be read does not stop the check of the others, but it decides
/// the exit status.
fn check(options: &Options, out: &mut impl Write) -> io::Result<u8> {
    let mut status = 0;
    for file in &options.files {
        match input::read(file, options.format) {
            Ok(traces) => {
                for trace in &traces {
                    let legal = show::trace(trace, options, out)?;
                    status = status.max(if legal { 0 } else { ILLEGAL });
                }
            }
            Err(problem) => {
                eprintln!("oftp2check: {problem}");
                status = UNREADABLE;
            }
        }
    }
    Ok(status)
}
