//! Errands of session processes. Their sandbox forbids them to open files and to start processes, so another process,
//! the attendant, does it for them. A session process sends its request over a socket that all of them inherit, and
//! passes a socket of its own for the answer.

use super::channel::{Channel, ChannelError, Received};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// How long a log line may wait for its file, so that it does not hold up a session.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long this process sends no errand after one that was not answered in time.
const PAUSE: Duration = Duration::from_secs(10);

/// The socket to the attendant; none: this process does everything itself.
static ASKED: OnceLock<Channel> = OnceLock::new();
/// The end of that pause; none: there is no pause.
static PAUSED: Mutex<Option<Instant>> = Mutex::new(None);

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Errand {
    /// Open the file that takes the next line of the appender `appender`; empty: the local syslog.
    LogFile {
        /// The appender's name in the rc file.
        appender: String,
        /// The line's time, seconds since 1970-01-01 UTC: files are named after it.
        seconds: i64,
        /// The line's length, octets.
        length: u64,
    },
    /// Store these lines for the backend, since the parent is gone and cannot report them.
    Keep {
        /// Whole lines.
        lines: String,
    },
    /// Look this name up.
    LookUp {
        /// Host name.
        host: String,
        /// TCP port, for the addresses that are answered.
        port: u16,
    },
}

/// The answer to an errand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done; an opened descriptor comes with this message.
    Done,
    /// Addresses of the name; none: it has none.
    Addresses(Vec<std::net::SocketAddr>),
    /// It cannot be done, for this reason.
    Refused(String),
}

/// From now on this process sends its errands over `asked`. A second call has no effect.
pub fn ask_over(asked: Channel) {
    let _ = ASKED.set(asked);
}

/// Whether this process has to send errands because it may open nothing itself.
pub fn is_asking() -> bool {
    ASKED.get().is_some()
}

/// Sends an errand; the answer arrives on the channel that is returned.
///
/// # Errors
/// The attendant has ended or is too busy, or the system has no more descriptors.
pub fn send(errand: &Errand) -> io::Result<Channel> {
    let asked = ASKED.get().ok_or(io::ErrorKind::NotConnected)?;
    let (ours, theirs) = Channel::pair()?;
    asked.hand_over(errand, Some(&theirs)).map_err(into_io)?;
    Ok(ours)
}

/// Has a file or socket opened.
///
/// # Errors
/// It cannot be opened, or no answer arrives within half a second; then all errands fail at once for ten seconds.
pub fn open(errand: &Errand) -> io::Result<OwnedFd> {
    run(errand)?.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
}

/// Has an errand done; gives the descriptor that was opened, if any.
///
/// # Errors
/// As `open`.
pub fn run(errand: &Errand) -> io::Result<Option<OwnedFd>> {
    let mut paused = PAUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if paused.is_some_and(|until| Instant::now() < until) {
        return Err(io::ErrorKind::TimedOut.into());
    }
    let answer = send(errand)?;
    if !answer.wait(Some(PATIENCE))? {
        *paused = Some(Instant::now() + PAUSE);
        return Err(io::ErrorKind::TimedOut.into());
    }
    match answer.receive().map_err(into_io)? {
        Received::Message(Answer::Done, opened) => Ok(opened),
        Received::Message(Answer::Refused(reason), _) => Err(io::Error::other(reason)),
        _ => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

/// Waits for the next errand of any process, and gives the channel for the answer, too. None: every process that could
/// send one has ended.
///
/// # Errors
/// The system cannot wait.
pub fn next(served: &Channel) -> io::Result<Option<(Errand, Channel)>> {
    loop {
        served.wait(None)?;
        match read(served)? {
            Some(Received::Message(errand, Some(answer))) => return Ok(Some((errand, answer.into()))),
            Some(Received::Gone) => return Ok(None),
            // It has no channel for the answer, or it is no errand: the sender gets no answer.
            None | Some(Received::Message(_, None) | Received::Blocked) => {}
        }
    }
}

/// None: not an errand. The senders process octets of strangers, so the message may be anything.
fn read<T: DeserializeOwned>(served: &Channel) -> io::Result<Option<Received<T>>> {
    match served.receive() {
        Ok(received) => Ok(Some(received)),
        Err(ChannelError::Io(e)) if e.kind() != io::ErrorKind::InvalidData => Err(e),
        Err(_) => Ok(None),
    }
}

fn into_io(e: ChannelError) -> io::Error {
    match e {
        ChannelError::Io(e) => e,
        e => io::Error::other(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::{Read, Write};
    use std::os::fd::AsFd;
    use std::thread;

    const OPEN: Errand = Errand::LogFile { appender: String::new(), seconds: 0, length: 1 };

    #[test]
    fn an_errand_is_answered_and_other_messages_are_skipped() {
        let (asked, served) = Channel::pair().unwrap();
        asked.send(&"no errand").unwrap();
        asked.send(&OPEN).unwrap();
        ask_over(asked);
        let attendant = thread::spawn(move || {
            let (errand, answer) = next(&served).unwrap().unwrap();
            assert_eq!(errand, OPEN);
            let (read, write) = nix::unistd::pipe().unwrap();
            answer.hand_over(&Answer::Done, Some(&write.as_fd())).unwrap();
            let (_, answer) = next(&served).unwrap().unwrap();
            answer.send(&Answer::Refused("why".to_owned())).unwrap();
            let (_, dropped) = next(&served).unwrap().unwrap();
            drop(dropped);
            read
        });
        let mut opened = File::from(open(&OPEN).unwrap());
        opened.write_all(b"line").unwrap();
        drop(opened);
        assert_eq!(open(&OPEN).unwrap_err().to_string(), "why");
        assert_eq!(open(&OPEN).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        let mut text = String::new();
        File::from(attendant.join().unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "line");
        assert_eq!(open(&OPEN).unwrap_err().kind(), io::ErrorKind::BrokenPipe, "nobody is there any more");
    }
}
