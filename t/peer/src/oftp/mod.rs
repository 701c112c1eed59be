//! ODETTE-FTP (RFC 5024, RFC 2204) as an endpoint speaks it: `Session::run` carries one session from SSRM to the close.
//! Reading order: `settings`, `report`, `session`, `start`, `send`, `receive`; beneath them `command`, `data`, `codec`.

pub mod codec;
pub mod command;
pub mod data;
mod decode;
mod encode;
pub mod queue;
mod receive;
pub mod report;
mod send;
pub mod session;
pub mod settings;
pub mod source;
pub mod stamp;
mod start;
pub mod store;
