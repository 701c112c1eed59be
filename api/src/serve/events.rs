//! The event script: what an operator wants to run, or to be posted, for each system log entry. A
//! bounded queue and a few at a time, each under a time limit; beside the calls of the daemons,
//! which never wait for it. Run by `serve`. Starts no shell, hands down no environment.

use crate::causes::on_one_line;
use crate::http::{Client, HttpError, Reach, form};
use crate::settings::Values;
use crate::store::partners::word;
use common::log::escape;
use common::rpc::SystemLog;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::fmt;
use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time;

/// Events that run at a time.
const AT_A_TIME: usize = 4;
/// Events that wait.
const QUEUE: usize = 100;
/// Longest value, characters.
const LONGEST: usize = 1_024;
/// Where a script's own commands are looked for.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// One event: name and value, in the order of a script's arguments.
type Fields = [(&'static str, String); 7];

/// Why an event did not come about.
#[derive(Debug)]
enum EventError {
    /// The script cannot be started: it is missing, or not executable.
    Start(io::Error),
    /// It cannot be waited for.
    Wait(io::Error),
    /// It ended like this.
    Status(ExitStatus),
    /// Not done within this time; it was ended.
    Late(Duration),
    /// Posting failed.
    Http(HttpError),
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start(_) => {
                f.write_str("The script was not started: check that it is there, is executable and names its interpreter.")
            }
            Self::Wait(_) => f.write_str("The system does not tell how the script ended."),
            Self::Status(status) => write!(f, "The script failed with {status}."),
            Self::Late(limit) => {
                write!(f, "It took more than {} seconds and was ended: see proxy_event_seconds.", limit.as_secs())
            }
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EventError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Start(cause) | Self::Wait(cause) => Some(cause),
            Self::Http(error) => error.source(),
            Self::Status(_) | Self::Late(_) => None,
        }
    }
}

struct Event {
    target: String,
    limit: Duration,
    fields: Fields,
}

/// The way to the event script.
pub(super) struct Events {
    queue: mpsc::Sender<Event>,
    /// The last event found the queue full.
    full: AtomicBool,
}

impl Events {
    /// An empty queue, and the task that works on it until the queue is gone.
    pub(super) fn start() -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(work(waiting));
        Self { queue, full: AtomicBool::new(false) }
    }

    /// Has the event script told of `entry`, if there is one.
    pub(super) fn offer(&self, values: &Values, entry: &SystemLog) {
        let target = values.text("proxy_event_script");
        if target.is_empty() {
            return;
        }
        let limit = Duration::from_secs(values.number("proxy_event_seconds").into());
        let event = Event { target: target.to_owned(), limit, fields: fields(entry) };
        let is_full = self.queue.try_send(event).is_err();
        if is_full && !self.full.swap(is_full, Ordering::Relaxed) {
            log::warn!("event-dropped waiting={QUEUE} further=\"not logged until the queue has room\"");
        }
        self.full.store(is_full, Ordering::Relaxed);
    }
}

async fn work(mut waiting: mpsc::Receiver<Event>) {
    let mut running = JoinSet::new();
    while let Some(event) = waiting.recv().await {
        while running.len() >= AT_A_TIME {
            running.join_next().await;
        }
        running.spawn(async move {
            // What stands in a URL's query may be a key.
            let target = escape(event.target.split('?').next().unwrap_or_default());
            match run(&event).await {
                Ok(()) => log::debug!("event-done target={target}"),
                Err(why) => log::error!("event-failed target={target} cause={}", escape(&on_one_line(&why))),
            }
        });
    }
}

async fn run(event: &Event) -> Result<(), EventError> {
    if !event.target.starts_with('/') {
        let post = async { Client::new(Reach::Anywhere)?.post(&event.target, form(&event.fields)).await };
        let posted = time::timeout(event.limit, post).await;
        return posted.map_err(|_| EventError::Late(event.limit))?.map_err(EventError::Http);
    }
    let mut script = start(event).map_err(EventError::Start)?;
    match time::timeout(event.limit, script.wait()).await {
        Ok(Ok(status)) if status.success() => Ok(()),
        Ok(Ok(status)) => Err(EventError::Status(status)),
        Ok(Err(cause)) => Err(EventError::Wait(cause)),
        Err(_) => {
            end(&mut script).await;
            Err(EventError::Late(event.limit))
        }
    }
}

/// Starts the script as the leader of a process group, so that it can be ended with all that it started. Its signal mask
/// is ours, which `Server::start` emptied.
fn start(event: &Event) -> io::Result<Child> {
    Command::new(&event.target)
        .args(event.fields.iter().map(|(_, value)| value))
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

async fn end(script: &mut Child) {
    if let Some(group) = script.id().and_then(|id| i32::try_from(id).ok()) {
        // It has not been waited for, so the number is still its own.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    let _ = script.wait().await;
}

fn fields(entry: &SystemLog) -> Fields {
    [
        ("level", plain(&entry.level)),
        ("text", plain(&entry.text)),
        ("origin", word(&entry.origin)),
        ("host", plain(&entry.host)),
        ("pid", entry.pid.to_string()),
        ("address", plain(entry.address.as_deref().unwrap_or_default())),
        ("partner", plain(entry.partner.as_deref().unwrap_or_default())),
    ]
}

/// A value from a daemon as an argument: of bounded length, on one line, without NUL.
fn plain(value: &str) -> String {
    value.chars().take(LONGEST).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, plain};

    #[test]
    fn a_value_stays_on_its_line_and_has_an_end() {
        assert_eq!(plain("a\n\0\u{1b}[2J$(id)"), "a\u{fffd}\u{fffd}\u{fffd}[2J$(id)");
        assert_eq!(plain(&"\u{fc}".repeat(1 << 16)).chars().count(), LONGEST);
    }
}
