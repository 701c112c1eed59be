//! os4xapi: the backend of OS4X SmartProxy: the service that the daemons call (`serve`), and the commands with which an
//! operator manages its database. Reading order: `cli` (all commands), `settings`, `db`, `store`, `pki`, `serve`,
//! `panel`, `rest`. It has one thread, besides those of SQLite, of name lookups and of passwords. The only process that
//! it starts is the operator's event script.

#![forbid(unsafe_code)]

mod apilog;
mod change;
mod cli;
mod credentials;
mod crl_fetch;
mod date;
mod db;
mod documents;
mod error_text;
mod expiry;
mod http;
mod language;
#[cfg(test)]
mod man;
mod owner;
mod panel;
mod pki;
mod rest;
mod serve;
mod settings;
mod status;
mod store;
mod support;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main(std::env::args_os().skip(1).collect())
}
