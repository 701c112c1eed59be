//! os4xapi: the backend of OS4X SmartProxy. The service that the daemons ask (`serve`), and the
//! commands with which an operator tends its database. Reading order: `cli` (what can be asked
//! for), `settings`, `db`, `store`, `pki`, `serve`. One thread but for SQLite's own
//! and name lookups; starts no process but the operator's event script.

mod apilog;
mod causes;
mod cli;
mod clock;
mod crl_fetch;
mod db;
mod http;
#[cfg(test)]
mod man;
mod pki;
mod serve;
mod settings;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().skip(1).collect())
}
