//! One chain of proxies as it is seen from outside: its address, and the resources that its processes have used so far.

use std::fs;
use std::iter::Sum;
use std::ops::{Add, Sub};
use std::thread;
use std::time::{Duration, Instant};

/// Clock ticks of `/proc/PID/stat`, a second (USER_HZ, which is 100 wherever we run).
const TICKS: f64 = 100.0;

/// A chain.
pub(crate) struct Chain {
    /// Its name in the table.
    pub(crate) name: String,
    /// `HOST:PORT` where partners connect.
    pub(crate) address: String,
    /// Its processes; the processes that they have forked count, too.
    processes: Vec<u32>,
}

/// Time between two checks of a chain.
const NAP: Duration = Duration::from_millis(50);
/// Number of checks without a change after which a chain counts as idle.
const LOOKS: usize = 4;
/// Longest wait for a chain that does not become idle.
const PATIENCE: Duration = Duration::from_secs(5);

/// The resources that processes have used since their start, with those of their ended children.
#[derive(Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// CPU seconds, of user and system together.
    pub(crate) cpu: f64,
    /// CPU seconds of the system.
    pub(crate) system: f64,
    /// Page faults that needed no disk.
    pub(crate) faults: f64,
}

impl Add for Usage {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self {
            cpu: self.cpu + other.cpu,
            system: self.system + other.system,
            faults: self.faults + other.faults,
        }
    }
}

impl Sub for Usage {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self {
            cpu: self.cpu - other.cpu,
            system: self.system - other.system,
            faults: self.faults - other.faults,
        }
    }
}

impl Sum for Usage {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Add::add)
    }
}

impl Chain {
    /// Parses `NAME=HOST:PORT,PID,...`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("--chain takes NAME=HOST:PORT,PID,..., not '{text}'");
        let (name, rest) = text.split_once('=').ok_or_else(wrong)?;
        let mut parts = rest.split(',');
        let address = parts.next().ok_or_else(wrong)?;
        let processes = parts.map(|pid| pid.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
        Ok(Self { name: name.to_owned(), address: address.to_owned(), processes })
    }

    /// The resources of all its processes.
    pub(crate) fn usage(&self) -> Usage {
        self.family().into_iter().map(usage).sum()
    }

    /// Waits until all work for its sessions is done: children end, new ones are forked, and that is part of the cost.
    /// The system has no event for this.
    pub(crate) fn wait_rest(&self) {
        let until = Instant::now() + PATIENCE;
        let (mut last, mut unchanged) = (self.usage(), 0);
        while unchanged < LOOKS && Instant::now() < until {
            thread::sleep(NAP);
            let now = self.usage();
            unchanged = if now == last { unchanged + 1 } else { 0 };
            last = now;
        }
    }

    /// Memory of all of its processes, KiB, shared pages divided among those that share them.
    pub(crate) fn memory(&self) -> f64 {
        self.family().into_iter().map(memory).sum()
    }

    /// Its processes and all their descendants.
    fn family(&self) -> Vec<u32> {
        let mut all = self.processes.clone();
        let mut at = 0;
        while let Some(pid) = all.get(at) {
            all.extend(children(*pid));
            at += 1;
        }
        all
    }
}

fn children(pid: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>())
        .collect()
}

/// Memory that the kernel uses for processes and sockets, KiB: of the whole machine, both ends of each connection and
/// other processes included (proc_meminfo(5); TCP's buffers are counted in pages of 4 KiB).
pub(crate) fn kernel_memory() -> f64 {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let (meminfo, sockets) = (read("/proc/meminfo"), read("/proc/net/sockstat"));
    let field = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
    };
    let pages: f64 = sockets
        .lines()
        .find_map(|line| line.strip_prefix("TCP:")?.split_once(" mem ")?.1.trim().parse().ok())
        .unwrap_or(0.0);
    ["SUnreclaim", "PageTables", "KernelStack"].map(field).into_iter().sum::<f64>() + 4.0 * pages
}

/// Pss of proc_pid_smaps_rollup(5).
fn memory(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0.0)
}

/// proc_pid_stat(5): a process that has ended was counted by its parent.
fn usage(pid: u32) -> Usage {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<f64> = stat
        .rsplit_once(") ")
        .map(|(_, fields)| fields.split(' ').map(|field| field.trim().parse().unwrap_or(0.0)).collect())
        .unwrap_or_default();
    // The fields are numbered as in the manual.
    let sum = |numbers: &[usize]| numbers.iter().filter_map(|number| fields.get(number - 3)).sum::<f64>();
    Usage { cpu: sum(&[14, 15, 16, 17]) / TICKS, system: sum(&[15, 17]) / TICKS, faults: sum(&[10, 11]) }
}
