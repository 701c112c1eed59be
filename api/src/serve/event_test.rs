//! A test of the event script: one event that an administrator orders, with what the script said. Nothing of it is
//! kept. There is one test at a time.

use super::app::App;
use super::events::{Event, run};
use crate::error_text::on_one_line;
use crate::settings::Values;
use common::rpc::{About, Level, Origin, SystemLog};
use common::text::clock;
use std::io::{ErrorKind, pipe};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};
use tokio::net::unix::pipe::Receiver;
use tokio::time;

/// A test takes no longer, whatever the settings allow for events: somebody waits for its page.
const LONGEST: Duration = Duration::from_secs(15);
/// How long the output is waited for after the end of the script: a process that it left may keep it open.
const REST: Duration = Duration::from_millis(200);
/// Octets of the output that are shown.
const SHOWN: usize = 2 << 10;

/// What came of a test.
pub(crate) struct Tested {
    /// Why it has failed.
    pub(crate) failure: Option<String>,
    pub(crate) took: Duration,
    /// The first octets of the script's standard output and standard error.
    pub(crate) output: String,
}

impl App {
    /// Gives a test event to the script that `values` name. None: there is no script, or another test runs.
    pub(crate) async fn test_event(&self, values: &Values) -> Option<Tested> {
        let _turn = self.event_test.try_lock().ok()?;
        let mut event = Event::of(values, &entry())?;
        event.limit = event.limit.min(LONGEST);
        let began = Instant::now();
        let (reader, writer) = match pipe() {
            Ok(ends) => ends,
            Err(why) => {
                let (failure, took) = (Some(why.to_string()), began.elapsed());
                return Some(Tested { failure, took, output: String::new() });
            }
        };
        let (mut output, mut is_read) = (Vec::new(), false);
        let (done, took) = {
            let reading = read(reader.into(), &mut output);
            tokio::pin!(reading);
            let running = run(&event, self.stop.subscribe(), Some(writer));
            tokio::pin!(running);
            let done = loop {
                tokio::select! {
                    done = &mut running => break done,
                    () = &mut reading, if !is_read => is_read = true,
                }
            };
            let took = began.elapsed();
            if !is_read {
                let _ = time::timeout(REST, &mut reading).await;
            }
            (done, took)
        };
        let output = String::from_utf8_lossy(&output).into_owned();
        Some(Tested { failure: done.err().map(|why| on_one_line(&why)), took, output })
    }
}

/// Reads the output until its end: keeps the beginning, and empties the rest, so that the script never waits.
async fn read(pipe: OwnedFd, kept: &mut Vec<u8>) {
    let Ok(pipe) = Receiver::from_owned_fd(pipe) else { return };
    let mut buffer = [0; 4 << 10];
    while pipe.readable().await.is_ok() {
        match pipe.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let room = SHOWN.saturating_sub(kept.len());
                kept.extend(buffer.iter().take(count.min(room)));
            }
            Err(why) if why.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The event.
fn entry() -> SystemLog {
    let text = "This is a test of the event script, ordered in the panel.".to_owned();
    SystemLog {
        level: Level::Info,
        detail: text.clone(),
        text,
        origin: Origin::Api,
        host: common::host_name(),
        pid: std::process::id(),
        time: clock::unix_time(),
        address: None,
        partner: None,
        about: About::default(),
    }
}
