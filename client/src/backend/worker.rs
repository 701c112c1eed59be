//! The API worker process: gets tasks from the client's parent, does each, and sends the replies. Questions, whose
//! answers the parent waits for, are done before reports. It ends with the parent, or when a signal tells it to. It
//! logs no failed call at INFO or above: the parent logs it, because the parent knows the purpose of the call.

use super::access::Access;
use super::agent::{Agent, Limits};
use super::connector::SharedWaiter;
use super::fault::Fault;
use super::task::{Done, Job, Reply, Task};
use common::ipc::frame::{self, FrameError, Splitter};
use common::net::{self, Interrupted, LookupError, Waiter};
use common::process::end_reasons::Status;
use common::rpc::Call;
use common::secret::Secret;
use common::text::shortened;
use common::{sandbox, sys};
use mio::net::UnixStream;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Largest task, octets of JSON: a batch of session events.
const MAX_TASK: usize = 4 << 20;

/// Longest reason of a failure, octets: it may contain a text of the backend, which may have any length.
const MAX_REASON: usize = 1000;

/// Time limit for the lookup of a host name.
const LOOK_UP: Duration = Duration::from_secs(10);

/// The main function of the process; returns its exit status.
pub(crate) fn run(link: std::os::unix::net::UnixStream, access: Access) -> Status {
    sys::set_title("API worker");
    sandbox::enter_helper();
    // Ctrl-C at the parent's terminal must not prevent the parent's last reports.
    if let Err(e) = sys::own_process_group() {
        common::warn!("the API worker stays in its parent's process group: {e}");
    }
    match serve(link, access, Limits::default()) {
        Ok(()) => Status::Normal,
        Err(WorkerError::Ended) => Status::Terminated,
        Err(e) => {
            common::error!("the API worker stops: {e}");
            Status::Failed
        }
    }
}

/// Why the worker ends before its parent does.
#[derive(Debug)]
pub(super) enum WorkerError {
    /// A signal told it to end.
    Ended,
    /// It could not be set up.
    Setup(Fault),
    /// Its loop or the socket to its parent failed.
    Io(io::Error),
    /// The parent's octets are no task, or the reply cannot be sent as a frame: a fault in our code.
    Frame(FrameError),
}

impl fmt::Display for WorkerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ended => f.write_str("it was told to end"),
            Self::Setup(e) => write!(f, "the backend {e}"),
            Self::Io(e) => write!(f, "waiting for tasks failed: {e}"),
            Self::Frame(e) => write!(f, "between it and its parent there was {e}"),
        }
    }
}

impl std::error::Error for WorkerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Ended => None,
            Self::Setup(e) => Some(e),
            Self::Io(e) => Some(e),
            Self::Frame(e) => Some(e),
        }
    }
}

impl From<Interrupted> for WorkerError {
    fn from(e: Interrupted) -> Self {
        match e {
            Interrupted::Ended(_) => Self::Ended,
            // Waiting for the parent has no deadline.
            Interrupted::Late => Self::Io(ErrorKind::TimedOut.into()),
            Interrupted::Failed(e) => Self::Io(e),
        }
    }
}

impl From<io::Error> for WorkerError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

impl From<FrameError> for WorkerError {
    fn from(e: FrameError) -> Self {
        Self::Frame(e)
    }
}

/// Works until the parent has closed its end.
pub(super) fn serve(
    link: std::os::unix::net::UnixStream,
    access: Access,
    limits: Limits,
) -> Result<(), WorkerError> {
    let waiter = SharedWaiter::new(Waiter::new()?);
    let agent = Agent::new(access, limits, &waiter).map_err(WorkerError::Setup)?;
    let mut parent = ParentPipe::new(link, waiter.clone())?;
    while let Some(task) = parent.next_task()? {
        common::log::reread_if_changed();
        let reply = match &task.job {
            Job::Call(call) => call_backend(&agent, call)?,
            Job::LookUp { host, port } => look_up(&waiter, host, *port)?,
        };
        let failed = matches!(reply, Reply::Failed { .. });
        let taken = parent.send(Done { number: task.number, reply })?;
        // If the parent is gone, its last reports are still sent, unless the backend is down, too.
        if failed && !taken {
            break;
        }
    }
    Ok(())
}

fn call_backend(agent: &Agent, call: &Call) -> Result<Reply, WorkerError> {
    let begun = Instant::now();
    match agent.call(call) {
        Ok(text) => {
            common::debug!("the backend has answered: {} octets after {:?}", text.len(), begun.elapsed());
            Ok(Reply::Answer { text: Secret::new(text) })
        }
        Err(Fault::Ended) => Err(WorkerError::Ended),
        Err(fault) => {
            common::debug!("a call has failed after {:?}", begun.elapsed());
            let reason = shortened(format!("the backend {} {fault}", agent.url()), MAX_REASON);
            Ok(Reply::Failed {
                reason,
                untaken: fault.allows_again(call),
                is_older: fault.is_unknown_function(),
            })
        }
    }
}

fn look_up(waiter: &SharedWaiter, host: &str, port: u16) -> Result<Reply, WorkerError> {
    match net::resolve(&mut waiter.lock(), host, port, Instant::now() + LOOK_UP) {
        Ok(addresses) => Ok(Reply::Addresses(addresses)),
        Err(LookupError::Interrupted(Interrupted::Ended(_))) => Err(WorkerError::Ended),
        Err(e) => {
            let reason = shortened(e.to_string(), MAX_REASON);
            Ok(Reply::Failed { reason, untaken: true, is_older: false })
        }
    }
}

/// The worker's end of the socket pair.
struct ParentPipe {
    socket: UnixStream,
    splitter: Splitter,
    /// Tasks that were read and not done yet.
    tasks: VecDeque<Task>,
    waiter: SharedWaiter,
}

impl ParentPipe {
    fn new(link: std::os::unix::net::UnixStream, waiter: SharedWaiter) -> io::Result<Self> {
        link.set_nonblocking(true)?;
        let mut socket = UnixStream::from_std(link);
        waiter.lock().watch(&mut socket)?;
        Ok(Self { socket, splitter: Splitter::new(MAX_TASK), tasks: VecDeque::new(), waiter })
    }

    /// The next task: questions first, then reports in their order. None once the parent has closed its end and all
    /// tasks are done.
    fn next_task(&mut self) -> Result<Option<Task>, WorkerError> {
        let Self { socket, splitter, tasks, waiter } = self;
        let mut chunk = [0; 16 * 1024];
        waiter.lock().drive(None, || {
            let is_over = loop {
                match socket.read(&mut chunk) {
                    Ok(0) => break true,
                    Ok(count) => splitter.feed(chunk.get(..count).unwrap_or_default()),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => break false,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == ErrorKind::ConnectionReset => break true,
                    Err(e) => return Err(e.into()),
                }
                while let Some(task) = splitter.take::<Task>()? {
                    tasks.push_back(task);
                }
            };
            if is_over {
                // Nobody waits for an answer any more.
                tasks.retain(|task| task.job.is_report());
            }
            let question = tasks.iter().position(|task| !task.job.is_report());
            match tasks.remove(question.unwrap_or_default()) {
                None if !is_over => Ok(Poll::Pending),
                next => Ok(Poll::Ready(next)),
            }
        })
    }

    /// Sends a reply; false if the parent is gone.
    fn send(&mut self, done: Done) -> Result<bool, WorkerError> {
        let frame = frame::encode(&done)?;
        drop(done);
        let socket = &mut self.socket;
        let mut rest = frame.as_slice();
        self.waiter.lock().drive(None, || {
            while !rest.is_empty() {
                match socket.write(rest) {
                    Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                    Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(Poll::Pending),
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) if e.kind() == ErrorKind::BrokenPipe => return Ok(Poll::Ready(false)),
                    Err(e) => return Err(e.into()),
                }
            }
            Ok(Poll::Ready(true))
        })
    }
}
