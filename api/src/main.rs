//! os4xapi: the backend of OS4X SmartProxy. It is the service that the daemons ask (`serve`), and the commands with
//! which an operator manages its database. Reading order: `cli` (all commands), `settings`, `db`, `store`, `pki`,
//! `serve`. It has one thread, besides those of SQLite and of name lookups. The only process that it starts is the
//! operator's event script.

#![forbid(unsafe_code)]

mod apilog;
mod causes;
mod change;
mod cli;
mod crl_fetch;
mod db;
mod expiry;
mod http;
#[cfg(test)]
mod man;
mod owner;
mod pki;
mod serve;
mod settings;
mod store;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().skip(1).collect())
}
