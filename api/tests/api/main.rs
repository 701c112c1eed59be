//! Black-box tests of the real `os4xapi`: its commands, its https API, hostile callers, and the same life on
//! PostgreSQL. Each test has a directory, a database and, if it needs one, a `serve` on a free port of its own.
//! `site` is the harness, `https` the TLS client, `pki` makes the files of operators. Nothing here reads the internals
//! of the program.

// Only for clippy, which allows `unwrap` and `panic` below it (clippy.toml).
#![cfg(test)]

mod abuse;
mod audited_commands;
mod audits;
mod backup;
mod banned;
mod browser;
mod check;
mod chromium;
mod commands;
mod daemons;
mod database_faults;
mod downloads;
mod events;
mod expiry;
mod files;
mod functions;
mod https;
mod keys;
mod life;
mod metrics;
mod next_certificate;
mod operation;
mod owners;
mod panel;
mod panel_about;
mod panel_assistant;
mod panel_browser;
mod panel_certificates;
mod panel_configuration;
mod panel_operation;
mod panel_pages;
mod panel_partners;
mod panel_transfer;
mod panel_trust;
mod panel_users;
mod partner_debug;
mod partner_tests;
mod pictures;
mod pki;
mod poll_times;
mod postgres;
mod proxies;
mod proxyclients;
mod rest;
mod rest_partners;
mod said;
mod servers;
mod setup;
mod several_serve;
mod site;
mod states;
mod support;
mod tokens;
mod transfers;
mod trusted;
mod upgrades;
mod users;
mod web;
