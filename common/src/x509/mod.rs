//! What certificates say, as every part reads it: times, names, issuers, and OpenSSL's codes by their names. Decides
//! nothing.

pub mod codes;
pub mod issuer;
pub mod subject;
pub mod times;
