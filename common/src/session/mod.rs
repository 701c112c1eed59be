//! The work of a session child of either daemon with its two connections.
//!
//! * `greeting`: the first message of a peer
//! * `relay`: octets from one connection to the other, in both directions
//! * `inspector`: the OFTP2 checker at work in the relay
//! * `file_rules`: which files a partner may send
//! * `debugged_partners`: the partners whose sessions write DEBUG for a limited time
//! * `end_lines`: makes sure that each session gets its end line
//! * `ledger`: the sessions that have begun and not ended, in a file that outlives the daemon
//! * `notes`: files to which session processes add lines themselves
//! * `ending`: why a session ended: its status, its words, its end line

pub mod debugged_partners;
pub mod end_lines;
pub mod ending;
pub mod file_rules;
pub mod greeting;
pub mod inspector;
pub mod ledger;
pub mod notes;
pub mod relay;
