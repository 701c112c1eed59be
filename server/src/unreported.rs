//! Begins and ends of sessions that could not be reported to the backend, because the parent was gone when a session
//! ended, or had no client when it ended itself. They wait in a file beside the binary for the next parent. Every
//! process of the same binary writes there, under a lock.

use common::file::Inode;
use common::ipc::errand::{self, Errand};
use common::rpc::SessionEvent;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Largest file, octets: if there is no client for so long, the oldest events are enough.
const MOST: u64 = 4 << 20;

/// How long an ending session waits for the file while others write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct Unreported {
    path: PathBuf,
}

impl Unreported {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// The file of the same name with another extension.
    pub(crate) fn beside(&self, extension: &str) -> PathBuf {
        self.path.with_extension(extension)
    }

    /// Writes the events, one in a line. An event that cannot be written is logged.
    pub(crate) fn keep<'a>(&self, events: impl IntoIterator<Item = &'a SessionEvent>) {
        let mut lines = Vec::new();
        for event in events {
            // Our own types can always be written as JSON.
            if serde_json::to_writer(&mut lines, event).is_ok() {
                lines.push(b'\n');
            }
        }
        if lines.is_empty() {
            return;
        }
        let kept = if errand::is_asking() {
            let lines = String::from_utf8_lossy(&lines).into_owned();
            errand::run(&Errand::Keep { lines }).map(drop)
        } else {
            self.append(&lines)
        };
        if let Err(e) = kept {
            common::error!(
                "begin or end of a session cannot be stored for the backend in {}: {e}",
                self.path.display()
            );
        }
    }

    /// Returns all stored events and removes them from the file.
    pub(crate) fn take(&self) -> Vec<SessionEvent> {
        match self.read_and_remove() {
            Ok(text) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            // There is no file, or another process writes: the next call tries again.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock) => Vec::new(),
            Err(e) => {
                common::error!("the events for the backend in {} cannot be read: {e}", self.path.display());
                Vec::new()
            }
        }
    }

    /// Adds whole lines. Other processes only hold the lock for a moment.
    pub(crate) fn append(&self, lines: &[u8]) -> io::Result<()> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.try_to_append(lines) {
                Err(e) if e.kind() == ErrorKind::WouldBlock && Instant::now() < until => {
                    thread::sleep(Duration::from_millis(10));
                }
                done => return done,
            }
        }
    }

    fn try_to_append(&self, lines: &[u8]) -> io::Result<()> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(&self.path)?;
        let mut file = locked(file)?;
        // The process that took the lines meanwhile has removed the file: a line written to it would be lost.
        if !self.is_still(&file) {
            return Err(ErrorKind::WouldBlock.into());
        }
        if file.metadata()?.len() + lines.len() as u64 > MOST {
            return Err(io::Error::other("the file is full"));
        }
        file.write_all(lines)
    }

    fn read_and_remove(&self) -> io::Result<String> {
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(&self.path)?;
        let mut file = locked(file)?;
        let mut octets = Vec::new();
        (&mut *file).take(MOST).read_to_end(&mut octets)?;
        fs::remove_file(&self.path)?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    fn is_still(&self, file: &File) -> bool {
        Inode::of(&self.path).is_ok_and(|named| Inode::of_open(file).is_ok_and(|open| open == named))
    }
}

/// The lock, if it is free: the parent must not wait for a process that is stopped.
fn locked(file: File) -> io::Result<Flock<File>> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

#[cfg(test)]
mod tests {
    use super::{MOST, Unreported};
    use common::rpc::{SessionEnd, SessionEvent};
    use std::fs;
    use std::thread;
    use std::time::Duration;

    fn unreported(name: &str) -> Unreported {
        let path = std::env::temp_dir().join(format!("unreported-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        Unreported::at(path)
    }

    fn end(session: String) -> SessionEvent {
        SessionEvent::End(SessionEnd { session, ..SessionEnd::default() })
    }

    #[test]
    fn kept_events_are_taken_once_even_if_others_keep_more_meanwhile() {
        let unreported = unreported("once");
        let keepers = (0..4).map(|keeper| {
            let unreported = unreported.clone();
            thread::spawn(move || (0..100).for_each(|at| unreported.keep([&end(format!("{keeper}-{at}"))])))
        });
        let keepers: Vec<_> = keepers.collect();
        let mut taken = Vec::new();
        while keepers.iter().any(|keeper| !keeper.is_finished()) {
            taken.extend(unreported.take());
            thread::sleep(Duration::from_millis(1));
        }
        for keeper in keepers {
            keeper.join().unwrap();
        }
        taken.extend(unreported.take());
        let mut sessions: Vec<String> = taken
            .into_iter()
            .map(|event| match event {
                SessionEvent::End(end) => end.session,
                SessionEvent::Begin(_) => unreachable!("ends alone were kept"),
            })
            .collect();
        sessions.sort_unstable();
        sessions.dedup();
        assert_eq!(sessions.len(), 400);
        assert!(unreported.take().is_empty() && !unreported.path.exists());
    }

    #[test]
    fn an_unreadable_line_is_skipped_and_a_full_file_takes_no_more() {
        let unreported = unreported("odd");
        let kept = end("one".to_owned());
        fs::write(&unreported.path, "no event\n").unwrap();
        unreported.keep([&kept]);
        assert_eq!(unreported.take(), std::slice::from_ref(&kept));
        fs::write(&unreported.path, "x".repeat(usize::try_from(MOST).unwrap())).unwrap();
        unreported.keep([&kept]);
        assert!(unreported.take().is_empty());
    }
}
