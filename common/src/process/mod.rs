//! A daemon as a Unix process: its directory, options, start, signals and end.
//!
//! * `site`: the directory of the binary, the files in it, the user
//! * `options`: what the command lines of both daemons share
//! * `startup`: from `main` to the detached daemon
//! * `config_test`: checks everything that a start needs, without a start
//! * `pidfile`: the file beside the binary
//! * `forker`: the process that forks session children; `attendant`: the process that opens files and looks up names
//!   for them
//! * `notify`: tells systemd that a daemon is ready
//! * `running`: what a daemon reports about itself
//! * `signals`: the signals, by number, as documented
//! * `stat`: the system's data about a process
//! * `end_reasons`: exit statuses and their words

pub mod attendant;
pub mod config_test;
pub mod end_reasons;
pub mod forker;
pub mod notify;
pub mod options;
pub mod pidfile;
pub mod running;
pub mod signals;
pub mod site;
pub mod startup;
pub mod stat;
