//! `oftp2peer`: an OFTP2 partner or station on the command line. All of it is in `t::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    t::cli::run(std::env::args_os().skip(1))
}
