//! An incoming session, step by step: a partner has connected.

pub(super) mod accepted;
mod encrypted;
mod greeted;
mod proxied;
