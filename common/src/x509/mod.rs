//! The contents of certificates as all parts read them: times, names, issuers, and OpenSSL's codes with their names.
//! Decides nothing.

pub mod codes;
pub mod issuer;
pub mod subject;
pub mod times;
