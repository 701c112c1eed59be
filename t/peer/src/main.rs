//! `oftp2peer`: an OFTP2 partner or station on the command line. All code is in `oftp2peer::cli`.

use std::process::ExitCode;

fn main() -> ExitCode {
    oftp2peer::cli::run(std::env::args_os().skip(1))
}
