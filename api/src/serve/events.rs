//! The event script: the program or the URL that gets each system log entry. It has a limited queue and runs a few
//! events at the same time, each with a time limit. The calls of the daemons never wait for it. Run by `serve`, and
//! ends with it. Starts no shell and passes no environment on.

use super::counters::Counters;
use crate::error_text::on_one_line;
use crate::http::proxy::{NoProxy, Proxies};
use crate::http::{Client, HttpError, Reach, form};
use crate::settings::Values;
use crate::store::partners::word;
use common::rpc::SystemLog;
use common::text::escape::escape;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use std::fmt;
use std::io::{self, PipeWriter};
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time;

/// Events that run at the same time.
const AT_A_TIME: usize = 4;
/// How long a script may take to end after SIGTERM, before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// Events that wait.
const QUEUE: usize = 100;
/// Longest value, characters.
const LONGEST: usize = 1_024;
/// The PATH in which a script finds its commands.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One event: name and value, in the order of a script's arguments.
type Fields = [(&'static str, String); 13];

/// Why an event failed.
#[derive(Debug)]
pub(super) enum EventError {
    /// The script cannot be started: it is missing, or not executable.
    Start(io::Error),
    /// The system cannot say how it ended.
    Wait(io::Error),
    /// It ended with this status.
    Status(ExitStatus),
    /// It was not done within this time, and was ended.
    Late(Duration),
    /// It was not done when the service ended, and was ended, too.
    Stopped,
    /// Posting failed.
    Http(HttpError),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(_) => f.write_str(
                "the script was not started: check that it is there, is executable and names its interpreter",
            ),
            Self::Wait(_) => f.write_str("the system does not tell how the script ended"),
            Self::Status(status) => write!(f, "the script failed with {status}"),
            Self::Late(limit) => {
                write!(
                    f,
                    "it took more than {} seconds and was ended: see proxy_event_seconds",
                    limit.as_secs()
                )
            }
            Self::Stopped => f.write_str("it was not done when the service ended, and was ended too"),
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(cause) | Self::Wait(cause) => Some(cause),
            Self::Http(error) => error.source(),
            Self::Status(_) | Self::Late(_) | Self::Stopped => None,
        }
    }
}

/// An event, and where it goes.
pub(super) struct Event {
    target: String,
    pub(super) limit: Duration,
    fields: Fields,
    proxies: Result<Proxies, NoProxy>,
}

impl Event {
    /// The event of an entry; none if the settings name no event script.
    pub(super) fn of(values: &Values, entry: &SystemLog) -> Option<Self> {
        let target = Some(values.text("proxy_event_script")).filter(|target| !target.is_empty())?.to_owned();
        let limit = Duration::from_secs(values.number("proxy_event_seconds").into());
        let proxies = Proxies::of(|name| values.text(name));
        Some(Self { target, limit, fields: fields(entry), proxies })
    }
}

/// The sender to the event script.
pub(super) struct Events {
    queue: mpsc::Sender<Event>,
    /// The queue was full at the last event.
    full: AtomicBool,
    stop: watch::Sender<bool>,
    worker: Mutex<Option<JoinHandle<()>>>,
}

impl Events {
    /// An empty queue, and the task that works on it until `stop`.
    pub(super) fn start(counters: Arc<Counters>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let (stop, stopped) = watch::channel(false);
        let worker = tokio::spawn(work(waiting, stopped, counters));
        Self { queue, full: AtomicBool::new(false), stop, worker: Mutex::new(Some(worker)) }
    }

    /// Ends the running events, drops the waiting ones. Takes little more than `GRACE`.
    pub(super) async fn stop(&self) {
        let _ = self.stop.send(true);
        let worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(worker) = worker {
            // If the task panicked, nothing is left to end: its subtasks ended with it.
            let _ = worker.await;
        }
    }

    /// Queues `entry` for the event script, if there is one.
    pub(super) fn offer(&self, values: &Values, entry: &SystemLog) {
        let Some(event) = Event::of(values, entry) else { return };
        let is_full = self.queue.try_send(event).is_err();
        if is_full && !self.full.swap(is_full, Ordering::Relaxed) {
            log::warn!("event_dropped waiting={QUEUE} further=\"not logged until the queue has room\"");
        }
        self.full.store(is_full, Ordering::Relaxed);
    }
}

async fn work(
    mut waiting: mpsc::Receiver<Event>,
    mut stopped: watch::Receiver<bool>,
    counters: Arc<Counters>,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            _ = stopped.changed() => break,
            Some(_) = running.join_next() => {}
            Some(event) = waiting.recv(), if running.len() < AT_A_TIME => {
                running.spawn(run_and_log(event, stopped.clone(), Arc::clone(&counters)));
            }
        }
    }
    if !waiting.is_empty() {
        log::warn!("events_given_up waiting={} cause=\"the service ends\"", waiting.len());
    }
    while running.join_next().await.is_some() {}
}

/// Runs one event, and logs and counts the result.
async fn run_and_log(event: Event, stopped: watch::Receiver<bool>, counters: Arc<Counters>) {
    // The query of a URL may contain a key.
    let target = escape(event.target.split('?').next().unwrap_or_default());
    let done = run(&event, stopped, None).await;
    counters.event(if done.is_ok() { "done" } else { "failed" });
    match done {
        Ok(()) => log::debug!("event_done target={target}"),
        Err(why) => log::error!("event_failed target={target} cause={}", escape(&on_one_line(&why))),
    }
}

/// Runs one event. `output` gets what a script prints.
pub(super) async fn run(
    event: &Event,
    mut stopped: watch::Receiver<bool>,
    output: Option<PipeWriter>,
) -> Result<(), EventError> {
    // This is the longest wait, in any case.
    let over = async {
        tokio::select! {
            () = time::sleep(event.limit) => EventError::Late(event.limit),
            _ = stopped.changed() => EventError::Stopped,
        }
    };
    if !event.target.starts_with('/') {
        let post = async {
            let client = Client::new(Reach::Anywhere, event.proxies.clone()?)?;
            client.post(&event.target, form(&event.fields)).await
        };
        return tokio::select! {
            posted = post => posted.map_err(EventError::Http),
            why = over => Err(why),
        };
    }
    let mut script = start(event, output).map_err(EventError::Start)?;
    let why = tokio::select! {
        ended = has_ended(&script) => ended.err().map(EventError::Wait),
        why = over => Some(why),
    };
    // However the script ended: processes that it left in the background would run on without a limit.
    let status = end(&mut script).await;
    match (why, status) {
        (Some(why), _) => Err(why),
        (None, Ok(status)) if status.success() => Ok(()),
        (None, Ok(status)) => Err(EventError::Status(status)),
        (None, Err(cause)) => Err(EventError::Wait(cause)),
    }
}

/// Starts the script as the leader of a process group, so that it can be ended with all its processes. Its signal mask
/// is ours, which `Server::start` has emptied.
fn start(event: &Event, output: Option<PipeWriter>) -> io::Result<Child> {
    let (out, err) = match output {
        Some(output) => (output.try_clone()?.into(), output.into()),
        None => (Stdio::null(), Stdio::null()),
    };
    Command::new(&event.target)
        .args(event.fields.iter().map(|(_, value)| value))
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(err)
        .process_group(0)
        .spawn()
}

/// Ends the script with all its processes: first with SIGTERM, then with SIGKILL. Gives how it ended.
async fn end(script: &mut Child) -> io::Result<ExitStatus> {
    if let Ok(group) = number(script) {
        // It is reaped last: until then its process ID cannot be used again.
        let _ = killpg(group, Signal::SIGTERM);
        let _ = time::timeout(GRACE, has_ended(script)).await;
        let _ = killpg(group, Signal::SIGKILL);
    }
    script.wait().await
}

/// Waits until the script has ended, without reaping it.
async fn has_ended(script: &Child) -> io::Result<()> {
    let leader = number(script)?;
    // The signal is registered before the first check, so that no end is missed.
    let mut children = signal(SignalKind::child())?;
    while is_running(leader) {
        children.recv().await;
    }
    Ok(())
}

/// Its process ID, which is also that of its process group, as long as it was not reaped.
fn number(script: &Child) -> io::Result<Pid> {
    let number = script.id().and_then(|id| i32::try_from(id).ok());
    number.map(Pid::from_raw).ok_or_else(|| io::Error::other("it was waited for already"))
}

/// Whether a child runs; a child that has ended is not reaped.
fn is_running(child: Pid) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    matches!(waitid(Id::Pid(child), flags), Ok(WaitStatus::StillAlive))
}

fn fields(entry: &SystemLog) -> Fields {
    [
        ("level", word(&entry.level)),
        ("text", plain(&entry.text)),
        ("origin", word(&entry.origin)),
        ("host", plain(&entry.host)),
        ("pid", entry.pid.to_string()),
        ("address", entry.address.map(|address| address.to_string()).unwrap_or_default()),
        ("partner", plain(entry.partner.as_deref().unwrap_or_default())),
        // Scripts rely on the positions of the arguments above: new ones are added here, at the end.
        ("detail", no_option(&entry.detail)),
        ("reason", no_option(&entry.about.reason)),
        ("ssid", no_option(&entry.about.ssid)),
        ("subject", no_option(&entry.about.subject)),
        ("session", no_option(&entry.about.session)),
        ("event", no_option(&entry.about.event)),
    ]
}

/// A value that a peer may have chosen, with a blank before it if it looks like an option.
fn no_option(value: &str) -> String {
    let value = plain(value);
    if value.starts_with('-') { format!(" {value}") } else { value }
}

/// A value from a daemon as an argument: of limited length, on one line, without NUL.
fn plain(value: &str) -> String {
    value.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, no_option, plain};

    #[test]
    fn what_a_peer_has_chosen_is_no_option() {
        assert_eq!((no_option("-rf"), no_option("O-1")), (" -rf".to_owned(), "O-1".to_owned()));
    }

    #[test]
    fn a_value_stays_on_its_line_and_has_an_end() {
        assert_eq!(plain("a\n\0\u{1b}[2J$(id)"), "a\u{fffd}\u{fffd}\u{fffd}[2J$(id)");
        assert_eq!(plain(&"\u{fc}".repeat(1 << 16)).chars().count(), LONGEST);
    }
}
