//! The rows: one file for each thing the database keeps. Reading takes a connection; writing
//! what the daemons see takes a `Change`, which counts the generation up. Values are checked
//! before they come here; a row that no check would have passed is an error, not a guess.

pub(crate) mod certificates;
pub(crate) mod configuration;
pub(crate) mod crl_urls;
pub(crate) mod crls;
pub(crate) mod ignores;
pub(crate) mod journal;
pub(crate) mod partners;
pub(crate) mod proxies;
pub(crate) mod sessions;
