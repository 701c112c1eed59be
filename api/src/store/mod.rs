//! The rows: one file for each kind of thing in the database. Reading takes a connection. Writing something that the
//! daemons see takes a `Change`, which counts the generation up. Values are checked before they come here; a row that
//! fails its check is an error.

pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod certificates;
pub(crate) mod configuration;
pub(crate) mod crl_urls;
pub(crate) mod crls;
pub(crate) mod deviations;
pub(crate) mod ignores;
pub(crate) mod intermediates;
pub(crate) mod journal;
pub(crate) mod old_tokens;
pub(crate) mod partners;
pub(crate) mod proxies;
pub(crate) mod sessions;
pub(crate) mod versions;
