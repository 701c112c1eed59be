//! The processes of a site, found in /proc, so that no process that a daemon left is missed.

use crate::installation::runs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Processes that run a binary below `directory`, and all descendants of `roots`: if a process hides its memory, only
/// root sees which binary it runs.
pub(super) fn of(directory: &Path, roots: &BTreeSet<Pid>) -> BTreeSet<Pid> {
    let all = all();
    let runs_here = |pid: &&Pid| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|binary| binary.starts_with(directory))
    };
    let mut found: BTreeSet<Pid> = all.iter().filter(runs_here).chain(roots).copied().collect();
    loop {
        let before = found.len();
        found.extend(
            all.iter()
                .filter(|pid| parent(**pid).is_some_and(|parent| found.contains(&parent)))
                .collect::<Vec<_>>(),
        );
        if found.len() == before {
            break;
        }
    }
    found.retain(|pid| runs(*pid));
    found
}

/// Children of `parents` that have ended and were not collected.
pub(super) fn zombies(parents: &BTreeSet<Pid>) -> Vec<Pid> {
    let is_one =
        |pid: &Pid| state(*pid) == Some('Z') && parent(*pid).is_some_and(|one| parents.contains(&one));
    all().into_iter().filter(is_one).collect()
}

/// The state of a process, as ps(1) shows it.
pub(super) fn state(pid: Pid) -> Option<char> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()?.rsplit_once(") ")?.1.chars().next()
}

fn all() -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Pid::from_raw)).collect()
}

/// The parent of a process.
pub(super) fn parent(pid: Pid) -> Option<Pid> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // PID (name) state parent ...; the name may contain anything.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok().map(Pid::from_raw)
}

/// Ends a process at once; a process that is gone already is not ours any more.
pub(super) fn kill_now(pid: Pid) {
    let _ = kill(pid, Signal::SIGKILL);
}

/// How often a process has waited voluntarily.
pub(super) fn rests(pid: Pid) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"))?;
    line.trim().parse().ok()
}
