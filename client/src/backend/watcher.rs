//! The API watcher process: it makes one long call after the other, which the backend answers as soon as there is
//! another generation of the configuration or an act to be done. Then the watcher tells its parent; others fetch the
//! new configuration. While the backend cannot answer such calls, because it is down or older, the watcher tries again
//! after a pause: the parent fetches everything once a minute in any case.

use super::access::Access;
use super::agent::{Agent, Limits};
use super::connector::SharedWaiter;
use super::fault::Fault;
use common::ipc::channel::Channel;
use common::net::{Interrupted, Waiter};
use common::process::end_reasons::Status;
use common::rpc::{Act, ActKind, Call, MAX_ACTS, WaitAnswer};
use common::{sandbox, sys};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use serde::{Deserialize, Serialize};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long the backend may delay its answer, seconds: web servers in front of it allow more.
const LONGEST: u32 = 25;
/// Time limit of the whole call.
const CALL: Duration = Duration::from_secs(LONGEST as u64 + 10);
/// Pauses before another attempt: the first one and the longest one.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];
/// The pause if the backend does not have the function, because it is older.
const OLDER: Duration = Duration::from_hours(1);

/// A message of the watcher to its parent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum WatcherMessage {
    /// The backend has this generation of the configuration.
    Generation(u64),
    /// An administrator has requested this act.
    Act(Act),
}

/// The main function of the process; returns its exit status. `parent`: the process that forked it; `generation`: the
/// one that the parent has.
pub(crate) fn run(channel: &Channel, access: Access, parent: Pid, generation: u64) -> Status {
    sys::set_title("API watcher");
    sandbox::enter_helper();
    // Ctrl-C at the parent's terminal is meant for the parent. This process ends with its parent, even during a call.
    let _ = sys::own_process_group();
    if prctl::set_pdeathsig(Signal::SIGTERM).is_err() || getppid() != parent {
        return Status::Terminated;
    }
    match watch(channel, access, generation) {
        Ok(()) | Err(Fault::Ended) => Status::Terminated,
        Err(e) => {
            common::error!("the API watcher stops: the backend {e}");
            Status::Failed
        }
    }
}

fn watch(channel: &Channel, access: Access, mut generation: u64) -> Result<(), Fault> {
    let waiter = SharedWaiter::new(Waiter::new().map_err(Fault::Broken)?);
    let limits = Limits { call: CALL, ..Limits::default() };
    let agent = Agent::new(access, limits, &waiter)?;
    let [first, longest] = PAUSES;
    let mut pause = first;
    loop {
        common::log::reread_if_changed();
        match ask(&agent, generation) {
            Ok(WaitAnswer { generation: newest, acts }) => {
                pause = first;
                let is_news = newest != generation;
                generation = newest;
                let news = is_news.then_some(WatcherMessage::Generation(newest)).into_iter();
                for heard in news.chain(acts.into_iter().take(MAX_ACTS).map(WatcherMessage::Act)) {
                    if !channel.send_to_parent(&heard) {
                        return Ok(());
                    }
                }
            }
            Err(Fault::Ended) => return Ok(()),
            Err(e) => {
                let next = if e.is_unknown_function() { OLDER } else { pause };
                common::debug!("the backend {e}; it is asked for changes again in {} s", next.as_secs());
                sleep(&waiter, next)?;
                pause = longest.min(pause * 2);
            }
        }
    }
}

fn ask(agent: &Agent, generation: u64) -> Result<WaitAnswer, Fault> {
    let text = agent.call(&Call::ProxyWait { generation, seconds: LONGEST, acts: ActKind::all() })?;
    serde_json::from_str(&text).map_err(Fault::Json)
}

fn sleep(waiter: &SharedWaiter, pause: Duration) -> Result<(), Fault> {
    let until = Instant::now() + pause;
    match waiter.lock().drive(Some(until), || Ok::<_, Interrupted>(Poll::<()>::Pending)) {
        Ok(()) | Err(Interrupted::Late) => Ok(()),
        Err(Interrupted::Ended(_)) => Err(Fault::Ended),
        Err(Interrupted::Failed(e)) => Err(Fault::Broken(e)),
    }
}
