//! Begins and ends of sessions that could not be told to the backend: the parent was gone when a session ended, or had
//! no client when it ended itself. They wait in a file beside the binary for the next parent. Each process that has
//! the same binary writes there, under a lock.

use common::file::Inode;
use common::rpc::SessionEvent;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Largest file, octets: without a client for that long, the oldest are enough.
const MOST: u64 = 4 << 20;

/// How long an end waits for the file while others write.
const PATIENCE: Duration = Duration::from_secs(5);

/// The file.
#[derive(Debug, Clone)]
pub(crate) struct Untold {
    path: PathBuf,
}

impl Untold {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path }
    }

    /// Keeps events, one a line. What cannot be kept is logged: nobody else is to be told.
    pub(crate) fn keep<'a>(&self, events: impl IntoIterator<Item = &'a SessionEvent>) {
        let mut lines = Vec::new();
        for event in events {
            // A value of our own types always has its JSON.
            if serde_json::to_writer(&mut lines, event).is_ok() {
                lines.push(b'\n');
            }
        }
        if lines.is_empty() {
            return;
        }
        if let Err(e) = self.append(&lines) {
            common::error!(
                "begin or end of a session cannot be kept for the backend in {}: {e}",
                self.path.display()
            );
        }
    }

    /// All that was kept; it is gone from the file then.
    pub(crate) fn take(&self) -> Vec<SessionEvent> {
        match self.read_and_remove() {
            Ok(text) => text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect(),
            // There is none, or somebody writes: it is looked for again.
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::WouldBlock) => Vec::new(),
            Err(e) => {
                common::error!("what {} keeps for the backend cannot be read: {e}", self.path.display());
                Vec::new()
            }
        }
    }

    /// Others have the lock for a moment only.
    fn append(&self, lines: &[u8]) -> io::Result<()> {
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
        // Whoever took the lines in the meantime has removed the file: what is written to it now is lost.
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

/// The lock, if nobody has it: the parent must not wait for a process that stands still.
fn locked(file: File) -> io::Result<Flock<File>> {
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| errno.into())
}

#[cfg(test)]
mod tests {
    use super::{MOST, Untold};
    use common::rpc::{SessionEnd, SessionEvent};
    use std::fs;
    use std::thread;
    use std::time::Duration;

    fn untold(name: &str) -> Untold {
        let path = std::env::temp_dir().join(format!("untold-{name}-{}", std::process::id()));
        let _ = fs::remove_file(&path);
        Untold::at(path)
    }

    fn end(session: String) -> SessionEvent {
        SessionEvent::End(SessionEnd { session, ..SessionEnd::default() })
    }

    #[test]
    fn what_is_kept_comes_once_whoever_keeps_it_meanwhile() {
        let untold = untold("once");
        let keepers = (0..4).map(|keeper| {
            let untold = untold.clone();
            thread::spawn(move || (0..100).for_each(|at| untold.keep([&end(format!("{keeper}-{at}"))])))
        });
        let keepers: Vec<_> = keepers.collect();
        let mut taken = Vec::new();
        while keepers.iter().any(|keeper| !keeper.is_finished()) {
            taken.extend(untold.take());
            thread::sleep(Duration::from_millis(1));
        }
        for keeper in keepers {
            keeper.join().unwrap();
        }
        taken.extend(untold.take());
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
        assert!(untold.take().is_empty() && !untold.path.exists());
    }

    #[test]
    fn what_cannot_be_read_is_left_out_and_a_full_file_takes_no_more() {
        let untold = untold("odd");
        let kept = end("one".to_owned());
        fs::write(&untold.path, "no event\n").unwrap();
        untold.keep([&kept]);
        assert_eq!(untold.take(), std::slice::from_ref(&kept));
        fs::write(&untold.path, "x".repeat(usize::try_from(MOST).unwrap())).unwrap();
        untold.keep([&kept]);
        assert!(untold.take().is_empty());
    }
}
