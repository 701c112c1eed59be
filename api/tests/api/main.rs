//! Black-box tests of the real `os4xapi`: its commands, its https API, hostile callers, and the same life on
//! PostgreSQL. Each test has a directory, a database and, where it needs one, a `serve` on a free port of its own.
//! `site` is the harness, `https` the TLS client, `pki` makes what operators bring. Nothing here looks inside the
//! program.

#[cfg(test)]
mod abuse;
#[cfg(test)]
mod audits;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod banned;
#[cfg(test)]
mod commands;
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
mod life;
#[cfg(test)]
mod next_certificate;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod proxyclients;
#[cfg(test)]
mod said;
#[cfg(test)]
mod setup;
#[cfg(test)]
mod site;
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
mod web;
