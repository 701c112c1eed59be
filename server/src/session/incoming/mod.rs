//! An incoming session, step by step: a partner has come.

pub(super) mod accepted;
mod encrypted;
mod greeted;
