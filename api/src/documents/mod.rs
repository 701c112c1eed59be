//! The documents in JSON of what an operator has set: `--json` of the commands and `/api/v1` give the same ones. Each
//! object has its version, with which it is changed only if nobody has changed it since.

pub(crate) mod crls;
pub(crate) mod partners;
pub(crate) mod proxies;
pub(crate) mod settings;
pub(crate) mod trusted;
mod versions;

pub(crate) use versions::Versions;
