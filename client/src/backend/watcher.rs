//! The life of the API watcher process: it asks the backend again and again to answer as soon as there is another
//! generation of the configuration, and tells its parent. What is new is asked for by others. While the backend cannot
//! do that (it is away, or older) it tries again in a while: everything is asked for once a minute besides.

use super::access::Access;
use super::agent::{Agent, Limits};
use super::connector::SharedWaiter;
use super::fault::Fault;
use common::ipc::channel::Channel;
use common::net::{Interrupted, Waiter};
use common::process::status::Status;
use common::rpc::{Call, WaitAnswer};
use common::sys;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long the backend may keep one call, seconds: less than web servers in front of it bear.
const LONGEST: u32 = 25;
/// The whole call.
const CALL: Duration = Duration::from_secs(LONGEST as u64 + 10);
/// Until the next try, at first and at most.
const PAUSES: [Duration; 2] = [Duration::from_secs(2), Duration::from_mins(1)];
/// The same for a backend that does not know the call: it is older.
const OLDER: Duration = Duration::from_hours(1);

/// The whole life of the process, from its fork to its exit status. `parent`: the process that forked it;
/// `generation`: the one that it knows.
pub(crate) fn run(channel: &Channel, access: Access, parent: Pid, generation: u64) -> Status {
    sys::set_title("API watcher");
    // Ctrl-C at the parent's terminal is the parent's; its end is ours, also in the middle of a call.
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
            Ok(newest) => {
                pause = first;
                if newest != generation {
                    generation = newest;
                    if !channel.send_to_parent(&newest) {
                        return Ok(());
                    }
                }
            }
            Err(Fault::Ended) => return Ok(()),
            Err(e) => {
                let next = if is_older(&e) { OLDER } else { pause };
                common::debug!("the backend {e}; it is asked for changes again in {} s", next.as_secs());
                sleep(&waiter, next)?;
                pause = longest.min(pause * 2);
            }
        }
    }
}

fn ask(agent: &Agent, generation: u64) -> Result<u64, Fault> {
    let text = agent.call(&Call::ProxyWait { generation, seconds: LONGEST })?;
    serde_json::from_str(&text).map(|answer: WaitAnswer| answer.generation).map_err(Fault::Json)
}

/// It says that there is no such function.
fn is_older(fault: &Fault) -> bool {
    matches!(fault, Fault::Refused(404, error) if error.code == "unknown_function")
}

fn sleep(waiter: &SharedWaiter, pause: Duration) -> Result<(), Fault> {
    let until = Instant::now() + pause;
    match waiter.lock().drive(Some(until), || Ok::<_, Interrupted>(Poll::<()>::Pending)) {
        Ok(()) | Err(Interrupted::Late) => Ok(()),
        Err(Interrupted::Ended(_)) => Err(Fault::Ended),
        Err(Interrupted::Failed(e)) => Err(Fault::Broken(e)),
    }
}
