//! Black-box tests on the real binaries. Each module has `#[cfg(test)]` only for clippy, which allows `unwrap` and
//! `panic` there and in `#[test]` functions, but not in other functions of a test target (clippy.toml).

#[cfg(test)]
mod acts;
#[cfg(test)]
mod backend;
#[cfg(test)]
mod balancer;
#[cfg(test)]
mod bans;
#[cfg(test)]
mod chains;
#[cfg(test)]
mod citations;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod config_test;
#[cfg(test)]
mod crl_scopes;
#[cfg(test)]
mod crls;
#[cfg(test)]
mod database;
#[cfg(test)]
mod deviations;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod dry_run;
#[cfg(test)]
mod end_lines;
#[cfg(test)]
mod endings;
#[cfg(test)]
mod expiry;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod file_rules;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod forker;
#[cfg(test)]
mod fuzz_corpus;
#[cfg(test)]
#[path = "fuzz/src/lib.rs"]
pub mod fuzz_targets;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod imports;
#[cfg(test)]
mod incoming;
#[cfg(test)]
mod install;
#[cfg(test)]
mod join;
#[cfg(test)]
mod kills;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod link;
#[cfg(test)]
mod listener;
#[cfg(test)]
mod load;
#[cfg(test)]
mod logging;
#[cfg(test)]
mod model;
#[cfg(test)]
mod negotiation;
#[cfg(test)]
mod odd_peers;
#[cfg(test)]
mod oftp2peer;
#[cfg(test)]
mod outgoing;
#[cfg(test)]
mod outgoing_faults;
#[cfg(test)]
mod outgoing_limits;
#[cfg(test)]
mod outward;
#[cfg(test)]
mod partner_debug;
#[cfg(test)]
mod partner_tests;
#[cfg(test)]
mod pid_files;
#[cfg(test)]
mod pool;
#[cfg(test)]
mod probes;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod readme;
#[cfg(test)]
mod refresh;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod replay;
#[cfg(test)]
#[cfg(target_arch = "x86_64")]
mod sandbox;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod signals;
#[cfg(test)]
mod startup;
#[cfg(test)]
mod states;
#[cfg(test)]
mod succession;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod usage;
