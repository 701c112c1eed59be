//! What both SmartProxy daemons share.
//!
//! Reading order: `sys` (the only unsafe code), `site`, `signals`, `startup`, `file`, `pidfile`, `children`, `exit`, `log`,
//! `link`, `oftp`, `relay`, `config`. `sys` and `oftp` import none of their siblings.

pub mod config;
pub mod identity;
pub mod oftp;
pub mod rpc;
pub mod secret;
pub mod sys;
