//! A daemon as a Unix process: its place, its options, its start, its signals, its end.
//!
//! * `site`: the directory of the binary, the files in it, the user
//! * `options`: what the command lines of both daemons share
//! * `startup`: from `main` to the detached daemon
//! * `config_test`: what a start needs, looked at without a start
//! * `pidfile`: the file beside the binary
//! * `nursery`: the process that session children are forked from
//! * `signals`: by number, as documented
//! * `stat`: what the system says of a process
//! * `status`: exit statuses and their words

pub mod config_test;
pub mod nursery;
pub mod options;
pub mod pidfile;
pub mod signals;
pub mod site;
pub mod startup;
pub mod stat;
pub mod status;
