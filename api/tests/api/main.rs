//! Black-box tests of the real `os4xapi`: its commands, its https API, hostile callers, and the same life on
//! PostgreSQL. Each test has a directory, a database and, if it needs one, a `serve` on a free port of its own.
//! `site` is the harness, `https` the TLS client, `pki` makes the files of operators. Nothing here reads the internals
//! of the program.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod audited_commands;
#[cfg(test)]
mod audits;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod banned;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod check;
#[cfg(test)]
mod chromium;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod daemons;
#[cfg(test)]
mod database_faults;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod events;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod files;
#[cfg(test)]
mod functions;
#[cfg(test)]
mod https;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod life;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod next_certificate;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod panel;
#[cfg(test)]
mod panel_about;
#[cfg(test)]
mod panel_assistant;
#[cfg(test)]
mod panel_browser;
#[cfg(test)]
mod panel_certificates;
#[cfg(test)]
mod panel_configuration;
#[cfg(test)]
mod panel_operation;
#[cfg(test)]
mod panel_pages;
#[cfg(test)]
mod panel_partners;
#[cfg(test)]
mod panel_transfer;
#[cfg(test)]
mod panel_trust;
#[cfg(test)]
mod panel_users;
#[cfg(test)]
mod partner_debug;
#[cfg(test)]
mod partner_tests;
#[cfg(test)]
mod pictures;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod proxyclients;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod rest_partners;
#[cfg(test)]
mod said;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod several_serve;
#[cfg(test)]
mod site;
#[cfg(test)]
mod states;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod transfers;
#[cfg(test)]
mod trusted;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod users;
#[cfg(test)]
mod web;
