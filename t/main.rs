//! Black-box tests on the real binaries. `cfg(test)` is only for clippy, which allows `unwrap` and `panic` below it and
//! in `#[test]` functions, but not in other functions of a test target (clippy.toml).

#![cfg(test)]

mod acts;
mod backend;
mod balancer;
mod bans;
mod chains;
mod citations;
mod clock;
mod completion;
mod config_test;
mod consumers;
mod crl_scopes;
mod crls;
mod database;
mod deviations;
mod documents;
mod dry_run;
mod end_lines;
mod endings;
mod expiry;
mod faults;
mod file_rules;
mod floods;
mod forker;
mod fuzz_corpus;
#[path = "fuzz/src/lib.rs"]
pub mod fuzz_targets;
mod hostile;
mod imports;
mod incoming;
mod install;
mod join;
mod kills;
mod lifecycle;
mod limits;
mod link;
mod listener;
mod load;
mod logging;
mod model;
mod negotiation;
mod odd_peers;
mod oftp2peer;
mod outgoing;
mod outgoing_faults;
mod outgoing_limits;
mod outward;
mod packages;
mod partner_debug;
mod partner_tests;
mod pid_files;
mod pool;
mod probes;
mod programs;
mod quickstart;
mod readme;
mod refresh;
mod refusals;
mod replay;
#[cfg(target_arch = "x86_64")]
mod sandbox;
mod secrets;
mod sessions;
mod signals;
mod startup;
mod states;
mod succession;
mod tls;
mod transfer;
mod units;
mod usage;
