//! What both SmartProxy daemons share.
//!
//! Reading order: `sys` (the only unsafe code), `site`, `signals`, `startup`, `file`, `pidfile`, `children`, `exit`, `log`,
//! `link`, `oftp`, `relay`, `config`. `sys` and `oftp` import none of their siblings.

pub mod config;
pub mod exit;
pub mod file;
pub mod identity;
pub mod log;
pub mod oftp;
pub mod options;
pub mod pidfile;
pub mod rpc;
pub mod secret;
pub mod signals;
pub mod site;
pub mod startup;
pub mod sys;
