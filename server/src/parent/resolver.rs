//! The resolver: a separate process that looks up the host names of partners at intervals, so that partners have
//! reserved places at the TLS port before they connect for the first time. The C library's resolver blocks, and the
//! parent must not. This file is the parent's end: when a round is due, and its results.

use super::tokens;
use common::net::addresses_of;
use common::{sandbox, sys};
use mio::unix::pipe::{Receiver, Sender};
use mio::{Interest, Registry};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Interval between two rounds.
const EVERY: Duration = Duration::from_mins(15);
/// Longest time of a round. Names that were not answered are the first ones of the next round, after this time.
const ROUND: Duration = Duration::from_mins(1);
/// Longest line for one name.
const MAX_LINE: usize = 4096;

/// The names, their addresses, and the process that looks them up.
#[derive(Default)]
pub(super) struct Resolver {
    /// The names that have waited longest come first.
    names: VecDeque<String>,
    found: HashMap<String, Vec<IpAddr>>,
    due: Option<Instant>,
    round: Option<Round>,
}

/// The current process.
struct Round {
    pid: Pid,
    pipe: Receiver,
    text: Vec<u8>,
    end: Instant,
}

impl Resolver {
    /// Sets the names of another configuration. The addresses of names that stay are kept.
    pub(super) fn set_names<'a>(&mut self, names: impl Iterator<Item = &'a str>, now: Instant) {
        let mut wanted: HashSet<&str> = names.collect();
        self.names.retain(|name| wanted.contains(name.as_str()));
        self.found.retain(|name, _| wanted.contains(name.as_str()));
        for name in &self.names {
            wanted.remove(name.as_str());
        }
        let mut news: Vec<&str> = wanted.into_iter().collect();
        news.sort_unstable();
        if !news.is_empty() {
            self.due = Some(now);
        }
        for name in news {
            self.names.push_front(name.to_owned());
        }
    }

    /// When the next round begins, or the current one ends.
    pub(super) fn due(&self) -> Option<Instant> {
        match &self.round {
            Some(round) => Some(round.end),
            None => self.due.filter(|_| !self.names.is_empty()),
        }
    }

    /// Whether a round is to begin at `now`.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.round.is_none() && self.due().is_some_and(|due| due <= now)
    }

    /// No process could be started: tries again later.
    pub(super) fn put_off(&mut self, now: Instant) {
        self.due = Some(now + ROUND);
    }

    /// The process `pid` was forked for this round; it writes to the other end of `pipe`.
    pub(super) fn begin(&mut self, pid: Pid, mut pipe: Receiver, registry: &Registry, now: Instant) {
        if let Err(e) = registry.register(&mut pipe, tokens::RESOLVER, Interest::READABLE) {
            common::error!("the resolver cannot be watched: {e}");
        }
        self.due = None;
        self.round = Some(Round { pid, pipe, text: Vec::new(), end: now + ROUND });
    }

    /// The names of the next round, for the process.
    pub(super) fn names(&self) -> &VecDeque<String> {
        &self.names
    }

    /// Reads the results so far. Returns whether there are new ones.
    pub(super) fn read(&mut self) -> bool {
        let Some(round) = &mut self.round else { return false };
        let mut chunk = [0; 4096];
        loop {
            match round.pipe.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => round.text.extend_from_slice(chunk.get(..count).unwrap_or_default()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        let whole = round.text.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
        let rest = round.text.split_off(whole);
        let text = std::mem::replace(&mut round.text, rest);
        if round.text.len() > MAX_LINE {
            round.text.clear();
        }
        let lines = String::from_utf8_lossy(&text);
        lines.lines().fold(false, |is_news, line| self.take(line) | is_news)
    }

    /// Takes one line: a name and its addresses. A name without addresses keeps its old ones, because its name server
    /// may be down.
    fn take(&mut self, line: &str) -> bool {
        let mut words = line.split(' ');
        let Some(at) = words.next().and_then(|name| self.names.iter().position(|one| one == name)) else {
            return false;
        };
        let mut addresses: Vec<IpAddr> = words.filter_map(|word| word.parse().ok()).collect();
        addresses.sort_unstable();
        let Some(name) = self.names.remove(at) else { return false };
        self.names.push_back(name.clone());
        if addresses.is_empty() || self.found.get(&name) == Some(&addresses) {
            return false;
        }
        common::debug!("{name} has the addresses {addresses:?}");
        self.found.insert(name, addresses);
        true
    }

    /// Ends a round that takes too long. The process is then reaped as usual.
    pub(super) fn expire(&mut self, now: Instant) {
        if let Some(round) = self.round.as_mut().filter(|round| round.end <= now) {
            round.end = now + ROUND;
            self.stop();
        }
    }

    /// Ends the process, if there is one: it may be blocked in the system's resolver, and cannot be asked to stop.
    pub(super) fn stop(&self) {
        if let Some(round) = &self.round {
            let _ = kill(round.pid, Signal::SIGKILL);
        }
    }

    /// Whether `pid` was the process of this round; then the round is over. Read its output before.
    pub(super) fn reap(&mut self, pid: Pid, is_success: bool, registry: &Registry, now: Instant) -> bool {
        let Some(mut round) = self.round.take_if(|round| round.pid == pid) else { return false };
        let _ = registry.deregister(&mut round.pipe);
        self.due.get_or_insert(now + if is_success { EVERY } else { ROUND });
        if !is_success && let Some(name) = self.names.pop_front() {
            // This name got no answer: the other names come before it.
            self.names.push_back(name);
        }
        true
    }

    /// All addresses of all names.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.found.values().flatten().copied()
    }
}

/// The work of the process: writes a line for each name. `pipe` leads to the parent; a parent that is gone does not
/// read it.
///
/// # Errors
/// The pipe cannot be written to.
pub(super) fn run<'a>(names: impl Iterator<Item = &'a str>, mut pipe: Sender) -> io::Result<()> {
    let _ = sys::own_process_group();
    sys::set_title("looks up names of partners");
    sandbox::enter_helper();
    pipe.set_nonblocking(false)?;
    for name in names {
        let addresses = addresses_of(name).into_iter().map(|address| format!(" {address}"));
        pipe.write_all(format!("{name}{}\n", addresses.collect::<String>()).as_bytes())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{EVERY, ROUND, Resolver, run};
    use mio::unix::pipe::{self, Sender};
    use mio::{Poll, Registry};
    use nix::unistd::Pid;
    use std::io::Write;
    use std::net::IpAddr;
    use std::time::{Duration, Instant};

    /// A process ID that the kernel never assigns.
    const PID: Pid = Pid::from_raw(i32::MAX);

    fn set(resolver: &mut Resolver, names: &[&str], now: Instant) {
        resolver.set_names(names.iter().copied(), now);
    }

    fn begin(resolver: &mut Resolver, registry: &Registry, now: Instant) -> Sender {
        assert!(resolver.is_due(now));
        let (sender, receiver) = pipe::new().unwrap();
        resolver.begin(PID, receiver, registry, now);
        assert!(!resolver.is_due(now + EVERY), "one round at a time");
        sender
    }

    fn addresses(resolver: &Resolver) -> Vec<String> {
        let mut all: Vec<String> = resolver.addresses().map(|address| address.to_string()).collect();
        all.sort();
        all
    }

    #[test]
    fn names_are_looked_up_at_once_and_then_in_time_slices() {
        let (poll, start) = (Poll::new().unwrap(), Instant::now());
        let mut resolver = Resolver::default();
        set(&mut resolver, &[], start);
        assert_eq!(resolver.due(), None);
        set(&mut resolver, &["a.example", "b.example"], start);
        let mut pipe = begin(&mut resolver, poll.registry(), start);
        pipe.write_all(b"b.example 192.0.2.7 2001:db8::7\na.example 192").unwrap();
        assert!(resolver.read());
        assert_eq!(addresses(&resolver), ["192.0.2.7", "2001:db8::7"]);
        pipe.write_all(b".0.2.9\nelsewhere.example 192.0.2.66\n").unwrap();
        assert!(resolver.read());
        assert_eq!(addresses(&resolver), ["192.0.2.7", "192.0.2.9", "2001:db8::7"]);
        assert!(!resolver.read(), "no news");
        assert!(!resolver.reap(Pid::from_raw(1), true, poll.registry(), start), "another process");
        assert!(resolver.reap(PID, true, poll.registry(), start));
        assert_eq!(resolver.due(), Some(start + EVERY));
        set(&mut resolver, &["b.example"], start);
        assert_eq!(addresses(&resolver), ["192.0.2.7", "2001:db8::7"]);
        assert_eq!(resolver.due(), Some(start + EVERY), "nothing new to look up");
        set(&mut resolver, &["b.example", "c.example"], start + ROUND);
        assert!(resolver.is_due(start + ROUND));
    }

    #[test]
    fn a_name_without_an_answer_keeps_its_addresses_and_delays_no_other() {
        let (poll, start) = (Poll::new().unwrap(), Instant::now());
        let mut resolver = Resolver::default();
        set(&mut resolver, &["a.example"], start);
        begin(&mut resolver, poll.registry(), start).write_all(b"a.example 192.0.2.7\n").unwrap();
        assert!(resolver.read());
        assert!(resolver.reap(PID, true, poll.registry(), start));
        begin(&mut resolver, poll.registry(), start + EVERY).write_all(b"a.example\n").unwrap();
        assert!(!resolver.read());
        assert!(resolver.reap(PID, true, poll.registry(), start + EVERY));
        assert_eq!(addresses(&resolver), ["192.0.2.7"]);
        let later = start + EVERY + Duration::from_secs(1);
        set(&mut resolver, &["a.example", "hangs.example"], later);
        assert_eq!(resolver.names(), &["hangs.example", "a.example"]);
        let pipe = begin(&mut resolver, poll.registry(), later);
        assert_eq!(resolver.due(), Some(later + ROUND));
        set(&mut resolver, &["a.example", "hangs.example", "new.example"], later);
        drop(pipe);
        assert!(!resolver.read());
        assert!(resolver.reap(PID, false, poll.registry(), later + ROUND));
        assert!(resolver.is_due(later + ROUND), "a name has come meanwhile");
        resolver.put_off(later + ROUND);
        assert_eq!(resolver.due(), Some(later + 2 * ROUND));
    }

    #[test]
    fn the_process_writes_a_line_for_each_name() {
        let (poll, start) = (Poll::new().unwrap(), Instant::now());
        let mut resolver = Resolver::default();
        let names = ["localhost", "no-such-name.invalid"];
        set(&mut resolver, &names, start);
        run(names.into_iter(), begin(&mut resolver, poll.registry(), start)).unwrap();
        assert!(resolver.read());
        let loopback = |address: IpAddr| address.is_loopback();
        assert!(resolver.addresses().count() > 0 && resolver.addresses().all(loopback));
    }
}
