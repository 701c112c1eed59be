//! The attendant does for session processes what their sandbox forbids: it opens log files and looks up names. It is
//! forked from the parent without any data of the sessions, keys or configuration, and never reads octets of a partner.
//! Sessions that outlive their parent can still use it: it ends with the last process that could send an errand.

use super::end_reasons::{Status, end_with};
use super::forker;
use super::signals;
use crate::ipc::channel::Channel;
use crate::ipc::errand::{self, Answer, Errand};
use crate::sys::{self, Fork};
use crate::{log, net, sandbox};
use std::io;
use std::time::Duration;

/// Names that are looked up at the same time. Each lookup is a process, because the system's resolver may take long.
const MOST_LOOKUPS: usize = 64;
/// How often the attendant checks whether one of them has ended.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Starts the attendant as a child of this forker's parent. From now on it does the errands of the forker and of the
/// forker's children. Returns only in the forker, with `rest`, which the attendant drops. The attendant uses `keep` to
/// store lines for the backend. A forker that gets no attendant ends.
pub fn start<T>(rest: T, keep: impl Fn(&str) -> io::Result<()>) -> T {
    let started = Channel::pair().and_then(|ends| Ok((ends, sys::fork_sibling()?)));
    match started {
        Ok(((asked, _), Fork::Parent(_))) => {
            errand::ask_over(asked);
            rest
        }
        Ok(((asked, served), Fork::Child)) => {
            drop((asked, rest));
            end_with(|| serve(&served, keep))
        }
        Err(e) => forker::give_up(&e),
    }
}

/// The attendant's loop.
fn serve(channel: &Channel, keep: impl Fn(&str) -> io::Result<()>) -> Status {
    // As in the forker: a signal to the parent's group is not meant for it, a signal to itself ends it.
    let _ = sys::own_process_group();
    let _ = signals::default_ends();
    sys::set_title("attendant");
    sandbox::enter_helper();
    sys::settle_heap();
    let mut lookups = 0;
    loop {
        match wait(channel, &mut lookups).and_then(|()| errand::next(channel)) {
            Ok(Some((errand, answer))) => attend(errand, &answer, &keep, &mut lookups),
            Ok(None) => return Status::Normal,
            Err(e) => {
                crate::error!("the attendant of session processes cannot go on: {e}");
                return Status::Internal;
            }
        }
    }
}

/// Waits for an errand, and collects lookups that end meanwhile.
fn wait(channel: &Channel, lookups: &mut usize) -> io::Result<()> {
    loop {
        *lookups = lookups.saturating_sub(sys::reap().count());
        if channel.wait((*lookups > 0).then_some(LOOK_EVERY))? {
            return Ok(());
        }
    }
}

/// Does one errand. The process that has sent it may have ended meanwhile.
fn attend(errand: Errand, answer: &Channel, keep: impl Fn(&str) -> io::Result<()>, lookups: &mut usize) {
    let done = match errand {
        Errand::LogFile { appender, seconds, length } => log::open_for_another(&appender, seconds, length)
            .map(|opened| drop(answer.hand_over(&Answer::Done, Some(&opened)))),
        Errand::LookUp { .. } if *lookups >= MOST_LOOKUPS => {
            Err(io::Error::other(format!("{MOST_LOOKUPS} names are looked up already")))
        }
        Errand::LookUp { host, port } => net::answer_from_helper(&host, port, answer).map(|_| *lookups += 1),
        Errand::Keep { lines } => keep(&lines).map(|()| drop(answer.send(&Answer::Done))),
    };
    if let Err(e) = done {
        let _ = answer.send(&Answer::Refused(e.to_string()));
    }
}
