//! The forker of a daemon: a process that only forks session children. It is forked from the parent, keeps what its
//! children need, and has dropped everything else. So a child inherits nothing that it would have to drop, whatever the
//! parent holds by then. The parent forks no children itself, so they never share its memory.
//!
//! Its children are children of the parent, because it makes siblings. They inherit a snapshot of the parent at the
//! start of the forker. When that data changes, the parent drops the forker, which then ends, and starts a new one.

use crate::ipc::channel::{Channel, ChannelError, Received};
use crate::link::session_id::Direction;
use crate::process::end_reasons::Status;
use crate::process::signals;
use crate::sandbox::Sandbox;
use crate::sys;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::time::Duration;

/// How long the parent waits for a child; a fork takes less than a millisecond. So a forker that somebody has stopped
/// (SIGSTOP) does not stop its parent.
const PATIENCE: Duration = Duration::from_secs(1);

/// From the parent: fork one child. The child's end of the channel comes with this message.
#[derive(Serialize, Deserialize)]
struct Order {
    direction: Direction,
}

/// The forker's answer.
#[derive(Serialize, Deserialize)]
enum Answer {
    /// Its process ID.
    Forked(i32),
    /// The system refused the fork: the error's number.
    Refused(i32),
}

/// Why no child was forked.
#[derive(Debug)]
pub enum ForkerError {
    /// The system allows no more processes or descriptors; another forker would not help.
    Refused(Errno),
    /// The forker is gone, or does not answer.
    Gone(String),
}

impl fmt::Display for ForkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(e) => e.fmt(f),
            Self::Gone(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ForkerError {}

impl From<ChannelError> for ForkerError {
    fn from(e: ChannelError) -> Self {
        Self::Gone(e.to_string())
    }
}

/// The result of a fork, and in which process.
pub enum Forked {
    /// In the parent: a session child, with its process ID and the channel to it.
    Child(Pid, Channel),
    /// In the forker, which was just forked: it drops what its children do not need, and then [`serve`]s the orders.
    Forker(Channel),
}

/// The parent's end of its forker. There is no forker until a child is needed. Dropping this ends the forker.
#[derive(Default)]
pub struct Forker {
    running: Option<Running>,
}

impl Forker {
    /// Ends the forker, because the data that children inherit has changed. The next child gets a new forker.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// Has a session child forked. If there is no forker, forks it first, and then returns in both processes. If
    /// somebody has ended the forker meanwhile, it is replaced once.
    ///
    /// # Errors
    /// No child was forked.
    pub fn fork(&mut self, direction: Direction) -> Result<Forked, ForkerError> {
        match self.try_fork(direction) {
            Err(ForkerError::Gone(_)) => self.try_fork(direction),
            result => result,
        }
    }

    fn try_fork(&mut self, direction: Direction) -> Result<Forked, ForkerError> {
        let running = if let Some(running) = self.running.take() {
            running
        } else {
            let (ours, theirs) = Channel::pair().map_err(ForkerError::Refused)?;
            match sys::fork().map_err(ForkerError::Refused)? {
                sys::Fork::Parent(pid) => Running { pid, channel: ours },
                sys::Fork::Child => return Ok(Forked::Forker(theirs)),
            }
        };
        let result = running.order(direction);
        // A forker that is gone is dropped.
        if !matches!(result, Err(ForkerError::Gone(_))) {
            self.running = Some(running);
        }
        result
    }
}

struct Running {
    pid: Pid,
    channel: Channel,
}

impl Running {
    /// Orders one child.
    fn order(&self, direction: Direction) -> Result<Forked, ForkerError> {
        let (ours, theirs) = Channel::pair().map_err(ForkerError::Refused)?;
        self.channel.hand_over(&Order { direction }, Some(&theirs))?;
        drop(theirs);
        let gone = |why: &str| ForkerError::Gone(why.to_owned());
        if !self.channel.wait(Some(PATIENCE)).map_err(|e| gone(&e.to_string()))? {
            // It will be replaced, and would wait for orders for ever.
            let _ = kill(self.pid, Signal::SIGKILL);
            return Err(gone("the forker did not answer within a second, and was killed"));
        }
        match self.channel.receive()? {
            Received::Message(Answer::Forked(pid), _) => Ok(Forked::Child(Pid::from_raw(pid), ours)),
            Received::Message(Answer::Refused(number), _) => {
                Err(ForkerError::Refused(Errno::from_raw(number)))
            }
            Received::Blocked | Received::Gone => Err(gone("the forker is gone")),
        }
    }
}

/// A session child that was just forked.
pub struct ForkedChild {
    /// The channel to the parent.
    pub channel: Channel,
    /// The direction of its session.
    pub direction: Direction,
}

/// The loop of a forker, which enters the sandbox of its children with connections allowed to `ports`. Returns only in
/// the children. The forker ends in here, with its parent or when the parent drops it.
pub fn serve(channel: Channel, sandbox: Sandbox, ports: impl IntoIterator<Item = u16>) -> ForkedChild {
    // A signal to the parent's group is not meant for it. A signal to itself ends it: the parent then starts a new one.
    let _ = sys::own_process_group();
    let _ = signals::default_ends();
    sys::set_title("forker");
    sys::settle_heap();
    if let Err(e) = sandbox.enter(ports) {
        give_up(&e);
    }
    loop {
        match next_order(&channel) {
            Ok(Some(order)) => {
                if let Some(child) = fork_child(&channel, order) {
                    // The channel of orders belongs to the forker.
                    drop(channel);
                    return child;
                }
            }
            Ok(None) => sys::exit_now(0),
            Err(e) => give_up(&e),
        }
    }
}

/// Ends the forker because of the error `e`.
pub(super) fn give_up(e: &impl fmt::Display) -> ! {
    crate::error!("the forker cannot go on: {e}");
    sys::exit_now(Status::Internal.number())
}

/// None: the parent has dropped this forker.
fn next_order(channel: &Channel) -> io::Result<Option<ForkedChild>> {
    loop {
        channel.wait(None)?;
        match channel.receive::<Order>().map_err(io::Error::other)? {
            Received::Message(Order { direction }, Some(descriptor)) => {
                return Ok(Some(ForkedChild { channel: descriptor.into(), direction }));
            }
            Received::Message(_, None) => return Err(io::Error::other("an order came without its channel")),
            Received::Blocked => {}
            Received::Gone => return Ok(None),
        }
    }
}

/// Forks; returns the child's data in the child.
fn fork_child(channel: &Channel, child: ForkedChild) -> Option<ForkedChild> {
    let answer = match sys::fork_sibling() {
        Ok(sys::Fork::Child) => {
            // Only its parent may end the child.
            let _ = signals::block_all();
            return Some(child);
        }
        Ok(sys::Fork::Parent(pid)) => Answer::Forked(pid.as_raw()),
        Err(e) => Answer::Refused(e as i32),
    };
    // If the parent is gone, we notice that when we wait for the next order.
    let _ = channel.send(&answer);
    None
}
