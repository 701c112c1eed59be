//! What a session child of either daemon does with its two connections.
//!
//! * `greeting`: the first message of a peer
//! * `relay`: octets from one connection to the other, in both directions
//! * `inspector`: the OFTP2 checker at work in the relay
//! * `file_rules`: which files a partner may send
//! * `ending`: why a session is over: its status, its words, its end line

pub mod ending;
pub mod file_rules;
pub mod greeting;
pub mod inspector;
pub mod relay;
