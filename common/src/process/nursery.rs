//! The nursery of a daemon: a process that does nothing but fork session children. It is forked from the parent with
//! what its children need, and has dropped everything else. So a child inherits nothing that it would have to drop,
//! whatever the parent holds by then; and the parent, which forks no more itself, keeps its memory to itself.
//!
//! Its children are the parent's: it makes siblings. What it holds is the snapshot that they inherit; when that is to
//! change the parent drops the nursery, which ends, and starts another one.

use crate::ipc::channel::{Channel, ChannelError, Received};
use crate::link::session_id::Direction;
use crate::process::signals;
use crate::sys;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::time::Duration;

/// How long the parent waits for a child: a fork takes less than a millisecond. Whoever stops a nursery stops no
/// parent by it.
const PATIENCE: Duration = Duration::from_secs(1);

/// From the parent: one child, with the end of its channel beside this.
#[derive(Serialize, Deserialize)]
struct Order {
    direction: Direction,
}

/// The answer.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// Its process ID.
    Born(i32),
    /// The system allows none: the error's number.
    Refused(i32),
}

/// Why there is no child.
#[derive(Debug)]
pub enum NurseryError {
    /// The system allows no more processes or descriptors; another nursery would do no better.
    Refused(Errno),
    /// The nursery is gone, or does not answer.
    Gone(String),
}

impl fmt::Display for NurseryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(e) => e.fmt(f),
            Self::Gone(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for NurseryError {}

impl From<ChannelError> for NurseryError {
    fn from(e: ChannelError) -> Self {
        Self::Gone(e.to_string())
    }
}

/// The parent's end. Dropped, it ends the nursery.
pub struct Nursery {
    pid: Pid,
    channel: Channel,
}

impl Nursery {
    /// Of the process `pid`, which was forked for it, and serves the other end of this channel.
    pub fn new(pid: Pid, channel: Channel) -> Self {
        Self { pid, channel }
    }

    /// Has a child forked; its process ID, and the channel to it.
    ///
    /// # Errors
    /// There is none.
    pub fn fork(&self, direction: Direction) -> Result<(Pid, Channel), NurseryError> {
        let (ours, theirs) = Channel::pair().map_err(NurseryError::Refused)?;
        self.channel.hand_over(&Order { direction }, Some(&theirs))?;
        drop(theirs);
        let gone = |why: &str| NurseryError::Gone(why.to_owned());
        if !self.channel.wait(Some(PATIENCE)).map_err(|e| gone(&e.to_string()))? {
            // It is replaced, and would wait for somebody to wake it.
            let _ = kill(self.pid, Signal::SIGKILL);
            return Err(gone("the nursery did not answer within a second, and was killed"));
        }
        match self.channel.receive()? {
            Received::Message(Answer::Born(pid), _) => Ok((Pid::from_raw(pid), ours)),
            Received::Message(Answer::Refused(number), _) => {
                Err(NurseryError::Refused(Errno::from_raw(number)))
            }
            Received::Blocked | Received::Gone => Err(gone("the nursery is gone")),
        }
    }
}

/// A session child, just forked.
pub struct Newborn {
    /// To the parent.
    pub channel: Channel,
    /// Which way its session will go.
    pub direction: Direction,
}

/// The whole life of a nursery. Comes back in its children alone; the nursery itself ends here, with its parent or when
/// that has no use for it any more.
pub fn serve(channel: Channel) -> Newborn {
    // A signal to the parent's group is not meant for it, one to itself ends it: the parent starts another.
    let _ = sys::own_process_group();
    let _ = signals::default_ends();
    sys::set_title("nursery");
    // Each fork copies the table of its pages.
    sys::trim_heap();
    loop {
        match next_order(&channel) {
            Ok(Some(order)) => {
                if let Some(newborn) = bear(&channel, order) {
                    // Orders are the nursery's.
                    drop(channel);
                    return newborn;
                }
            }
            Ok(None) => sys::exit_now(0),
            Err(e) => {
                crate::error!("the nursery cannot go on: {e}");
                sys::exit_now(crate::process::status::Status::Internal.number());
            }
        }
    }
}

/// None: the parent has no use for this nursery any more.
fn next_order(channel: &Channel) -> io::Result<Option<Newborn>> {
    loop {
        channel.wait(None)?;
        match channel.receive::<Order>().map_err(io::Error::other)? {
            Received::Message(Order { direction }, Some(descriptor)) => {
                return Ok(Some(Newborn { channel: descriptor.into(), direction }));
            }
            Received::Message(_, None) => return Err(io::Error::other("an order came without its channel")),
            Received::Blocked => {}
            Received::Gone => return Ok(None),
        }
    }
}

/// Forks; gives the child's things in the child.
fn bear(channel: &Channel, newborn: Newborn) -> Option<Newborn> {
    let answer = match sys::fork_sibling() {
        Ok(sys::Fork::Child) => {
            // The child ends with its parent's word alone.
            let _ = signals::block_all();
            return Some(newborn);
        }
        Ok(sys::Fork::Parent(pid)) => Answer::Born(pid.as_raw()),
        Err(e) => Answer::Refused(e as i32),
    };
    // A parent that is gone shows when we wait for the next order.
    let _ = channel.send(&answer);
    None
}
