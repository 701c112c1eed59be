//! log4c's `rollingfile` with its `sizewin` policy: `<prefix>.0` takes the lines; when the next one would make it
//! larger than `maxsize`, each file moves up by one number and the oldest goes.
//! Any process may roll the files, under a lock on the directory; the others notice it by the file's inode.

use super::{Appender, open_append, opened_by_another, write_line};
use crate::log::layout::Layout;
use crate::log::record;
use ::log::Record;
use log4rs::append::Append;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, Flock, FlockArg, renameat};
use nix::sys::stat::fstatat;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The `sizewin` policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::log) struct SizeWindow {
    /// Octets that a file may hold; 0: no limit.
    pub(in crate::log) maxsize: u64,
    /// Files in all, at least 1.
    pub(in crate::log) maxnum: u32,
}

impl Default for SizeWindow {
    /// log4c's own: 20 KB, 5 files.
    fn default() -> Self {
        Self { maxsize: 20 * 1024, maxnum: 5 }
    }
}

/// The appender.
#[derive(Debug)]
pub(in crate::log) struct Rolling {
    /// Its name in the rc file.
    name: String,
    layout: Layout,
    path: PathBuf,
    directory: File,
    prefix: String,
    window: SizeWindow,
    newest: Mutex<File>,
}

impl Rolling {
    /// Lines go to `<prefix>.0` in `directory`.
    pub(in crate::log) fn open(
        name: &str,
        path: &Path,
        prefix: String,
        window: SizeWindow,
        layout: Layout,
    ) -> io::Result<Self> {
        let directory = File::open(path)?;
        let newest = Mutex::new(open_append(&directory, &numbered(&prefix, 0))?);
        let (name, path) = (name.to_owned(), path.to_owned());
        Ok(Self { name, layout, path, directory, prefix, window, newest })
    }

    /// Makes `newest` the current file `<prefix>.0`, and makes sure that it has room for `length` more octets.
    fn make_room(&self, newest: &mut File, seconds: i64, length: u64) -> io::Result<()> {
        if self.has_room(newest, length)? {
            return Ok(());
        }
        if let Some(opened) = opened_by_another(&self.name, seconds, length) {
            *newest = opened?.into();
            return Ok(());
        }
        // A lock belongs to an open file description, which forked processes share: open the directory again.
        let lock = Flock::lock(File::open(&self.path)?, FlockArg::LockExclusive)
            .map_err(|(_, errno)| io::Error::from(errno))?;
        *newest = open_append(&self.directory, &numbered(&self.prefix, 0))?;
        if !self.has_room(newest, length)? {
            self.roll()?;
            *newest = open_append(&self.directory, &numbered(&self.prefix, 0))?;
        }
        drop(lock);
        Ok(())
    }

    /// Whether `newest` is still the current file, and small enough. An empty file takes any line.
    fn has_room(&self, newest: &File, length: u64) -> io::Result<bool> {
        let held = newest.metadata()?;
        let named =
            match fstatat(self.directory.as_fd(), &numbered(&self.prefix, 0), AtFlags::AT_SYMLINK_NOFOLLOW) {
                Ok(named) => named,
                Err(Errno::ENOENT) => return Ok(false),
                Err(errno) => return Err(errno.into()),
            };
        let in_place = (held.dev(), held.ino()) == (named.st_dev, named.st_ino);
        let fits = self.window.maxsize == 0 || held.len() == 0 || held.len() + length <= self.window.maxsize;
        Ok(in_place && fits)
    }

    fn roll(&self) -> io::Result<()> {
        let last = self.window.maxnum.saturating_sub(1);
        if last == 0 {
            return Ok(unlinkat(&self.directory, &numbered(&self.prefix, 0), UnlinkatFlags::NoRemoveDir)?);
        }
        for number in (0..last).rev() {
            let (from, to) = (numbered(&self.prefix, number), numbered(&self.prefix, number + 1));
            match renameat(&self.directory, &from, &self.directory, &to) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
        Ok(())
    }
}

impl Append for Rolling {
    fn append(&self, record: &Record<'_>) -> anyhow::Result<()> {
        let line = self.layout.line(record)?;
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut newest, record::seconds(record), line.len() as u64)?;
        write_line(&*newest, &line)?;
        Ok(())
    }

    fn flush(&self) {}
}

impl Appender for Rolling {
    fn open_for_another(&self, seconds: i64, length: u64) -> io::Result<OwnedFd> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        self.make_room(&mut newest, seconds, length)?;
        newest.as_fd().try_clone_to_owned()
    }
}

fn numbered(prefix: &str, number: u32) -> PathBuf {
    format!("{prefix}.{number}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::tests::Scratch;
    use crate::log::tests::{act, files, stage};
    use crate::log::{Priority, layout};

    const ACTORS: usize = 4;
    const LINES: usize = 500;

    fn open(directory: &Path, maxsize: u64, maxnum: u32) -> Rolling {
        let layout = Layout { kind: layout::LayoutKind::Basic, name: "os4x_proxyserver" };
        Rolling::open("log", directory, "log".to_owned(), SizeWindow { maxsize, maxnum }, layout).unwrap()
    }

    fn say(rolling: &Rolling, text: &str) {
        record::with_record(Priority::Info, "x", 0, format_args!("{text}"), |record| {
            rolling.append(record).unwrap();
        });
    }

    #[test]
    fn the_newest_file_is_0_and_the_oldest_goes() {
        let scratch = Scratch::new("log-rolling");
        // `INFO     x - 1` and a line feed are 15 octets: two lines a file.
        let rolling = open(scratch.path(), 30, 3);
        for text in ["1", "2", "3", "4", "5", "6", "7"] {
            say(&rolling, text);
        }
        let line = |text: &str| format!("INFO     x - {text}\n");
        let expected = [
            ("log.0".to_owned(), line("7")),
            ("log.1".to_owned(), line("5") + &line("6")),
            ("log.2".to_owned(), line("3") + &line("4")),
        ];
        assert_eq!(files(scratch.path(), "log."), expected);
    }

    #[test]
    fn one_file_alone_starts_again_and_a_long_line_is_written_all_the_same() {
        let scratch = Scratch::new("log-single");
        let rolling = open(scratch.path(), 20, 1);
        say(&rolling, "1");
        say(&rolling, &"x".repeat(100));
        let files = files(scratch.path(), "log.");
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].1, format!("INFO     x - {}\n", "x".repeat(100)));
    }

    #[test]
    fn without_a_size_it_never_rolls() {
        let scratch = Scratch::new("log-unbounded");
        let rolling = open(scratch.path(), 0, 5);
        (0..100).for_each(|_| say(&rolling, "x"));
        assert_eq!(files(scratch.path(), "log.").len(), 1);
    }

    #[test]
    fn a_file_that_was_taken_away_is_made_anew() {
        let scratch = Scratch::new("log-taken");
        let rolling = open(scratch.path(), 0, 5);
        say(&rolling, "1");
        std::fs::remove_file(scratch.path().join("log.0")).unwrap();
        say(&rolling, "2");
        assert_eq!(files(scratch.path(), "log."), [("log.0".to_owned(), "INFO     x - 2\n".to_owned())]);
    }

    #[test]
    #[ignore = "an actor of the other tests"]
    fn actor_rolls() {
        let rolling = open(&stage(), 4000, 1000);
        (0..LINES).for_each(|number| say(&rolling, &format!("{number:>30} end")));
    }

    #[test]
    fn many_processes_roll_without_losing_a_line() {
        let scratch = Scratch::new("log-rollers");
        let actors: Vec<_> = (0..ACTORS)
            .map(|_| {
                let mut command = act("log::appender::rolling::tests", "actor_rolls", scratch.path());
                command.stdout(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut actor in actors {
            assert!(actor.wait().unwrap().success());
        }
        let files = files(scratch.path(), "log.");
        let lines: Vec<&str> = files.iter().flat_map(|(_, text)| text.lines()).collect();
        assert_eq!(lines.len(), ACTORS * LINES);
        assert!(lines.iter().all(|line| line.len() == 47 && line.ends_with(" end")), "a torn line");
        // 48 octets a line: 83 fit; a process that was about to write while another rolled may add one.
        assert!(files.len() >= ACTORS * LINES / (83 + ACTORS), "{}", files.len());
        assert!(files.iter().all(|(_, text)| text.lines().count() <= 83 + ACTORS));
    }
}
