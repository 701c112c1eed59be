//! The rows: one file for each kind of object in the database. Reading takes a connection. Writing rows that the
//! daemons see takes a `Change`, which increases the generation. Values are checked before they come here; a row that
//! fails its check is an error.

pub(crate) mod acts;
pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod bans;
pub(crate) mod certificates;
pub(crate) mod claims;
pub(crate) mod client_address;
pub(crate) mod configuration;
pub(crate) mod crl_urls;
pub(crate) mod crls;
pub(crate) mod deviations;
pub(crate) mod hours;
pub(crate) mod ignores;
pub(crate) mod intermediates;
pub(crate) mod journal;
pub(crate) mod journal_search;
pub(crate) mod licences;
pub(crate) mod old_tokens;
pub(crate) mod panel_sessions;
pub(crate) mod partner_debug;
pub(crate) mod partner_tests;
pub(crate) mod partners;
pub(crate) mod proxies;
pub(crate) mod refusals;
pub(crate) mod rollbacks;
pub(crate) mod session_search;
pub(crate) mod sessions;
pub(crate) mod setup_links;
pub(crate) mod shown_certificates;
pub(crate) mod states;
pub(crate) mod totals;
pub(crate) mod traffic;
pub(crate) mod trust_rules;
pub(crate) mod users;
pub(crate) mod versions;
