//! The measures by name: many sessions, and the resources that the chain's processes use meanwhile.

use crate::call::{Caller, Open, Stages};
use crate::chain::{self, Chain};
use crate::table::{Better, Row};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const PANIC: &str = "a thread has panicked";

/// Rows of a table with their values.
pub(crate) type Values = Vec<(Row, f64)>;

/// One measure.
pub(crate) struct Measure {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// Its description in the usage.
    pub(crate) what: &'static str,
    take: fn(&Caller, &Chain) -> Result<Values, String>,
}

/// Sessions of a burst, within one second.
const BURST: u64 = 500;
/// Number of small files.
const FILES: u64 = 200;
/// Octets of a small file and of a large one.
const SMALL: usize = 4 * 1024;
const LARGE: usize = 64 * 1024 * 1024;
/// Round trips of one measure.
const ROUND_TRIPS: u32 = 2_000;

/// All of them.
pub(crate) const MEASURES: [Measure; 11] = [
    Measure {
        name: "setup-1",
        what: "set-ups one at a time",
        take: |caller, chain| set_up(caller, chain, 1),
    },
    Measure {
        name: "setup-16",
        what: "set-ups 16 at a time",
        take: |caller, chain| set_up(caller, chain, 16),
    },
    Measure { name: "stages", what: "how long the stages of a set-up take", take: stages },
    Measure { name: "files", what: "200 sessions of one small file, 16 at a time", take: files },
    Measure { name: "burst", what: "500 sessions that come within one second", take: burst },
    Measure { name: "round-trip", what: "a receipt of 128 octets and its answer", take: round_trip },
    Measure {
        name: "held",
        what: "memory of idle sessions, and set-ups beside 300 of them",
        take: |caller, chain| held(caller, chain, 300),
    },
    Measure {
        name: "held-1000",
        what: "the same with 1,000",
        take: |caller, chain| held(caller, chain, 1_000),
    },
    Measure { name: "bulk-1", what: "one large file", take: |caller, chain| bulk(caller, chain, 1) },
    Measure {
        name: "bulk-4",
        what: "four large files at a time",
        take: |caller, chain| bulk(caller, chain, 4),
    },
    Measure {
        name: "bulk-16",
        what: "16 large files at a time",
        take: |caller, chain| bulk(caller, chain, 16),
    },
];

impl Measure {
    /// The one of this name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        MEASURES
            .into_iter()
            .find(|measure| measure.name == name)
            .ok_or_else(|| format!("there is no measure '{name}'"))
    }

    /// Measures once.
    pub(crate) fn take(&self, caller: &Caller, chain: &Chain) -> Result<Values, String> {
        (self.take)(caller, chain).map_err(|words| format!("{}, {}: {words}", chain.name, self.name))
    }
}

/// Sessions one after the other on each of some threads; their duration, and their stages.
fn sessions(caller: &Caller, chain: &Chain, threads: u64) -> Result<(f64, Vec<Stages>), String> {
    let began = Instant::now();
    let is_over = |number| number >= caller.sessions || began.elapsed() >= caller.time;
    at_a_time(threads, is_over, |number| caller.call(&chain.address, number))
}

fn set_up(caller: &Caller, chain: &Chain, at_a_time: u64) -> Result<Values, String> {
    let before = chain.usage();
    let (took, all) = sessions(caller, chain, at_a_time)?;
    chain.wait_rest();
    let used = chain.usage() - before;
    let count = count(all.len());
    let row = |what: &str, better| Row::new(format!("{what}, {at_a_time} at a time"), better);
    Ok(vec![
        (row("set-ups a second", Better::More), count / took),
        (row("CPU ms a session", Better::Less), used.cpu * 1e3 / count),
        (row("... of the system", Better::Less), used.system * 1e3 / count),
        (row("page faults a session", Better::Less), used.faults / count),
    ])
}

fn stages(caller: &Caller, chain: &Chain) -> Result<Values, String> {
    let (_, all) = sessions(caller, chain, 1)?;
    let median = |stage: fn(&Stages) -> Duration| {
        let mut times: Vec<f64> = all.iter().map(|stages| stage(stages).as_secs_f64() * 1e3).collect();
        times.sort_by(f64::total_cmp);
        times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
    };
    let row = |what: &str| Row::new(format!("ms until {what}"), Better::Less);
    chain.wait_rest();
    Ok(vec![
        (row("TLS stands"), median(|stages| stages.tls)),
        (row("SSRM"), median(|stages| stages.ready)),
        (row("SSID"), median(|stages| stages.started)),
        (row("ESID"), median(|stages| stages.ended)),
    ])
}

/// Numbered calls, this many at the same time, until `is_over` at the next number; their duration and results.
fn at_a_time<T: Send>(
    threads: u64,
    is_over: impl Fn(u64) -> bool + Sync,
    call: impl Fn(u64) -> Result<T, String> + Sync,
) -> Result<(f64, Vec<T>), String> {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let one_thread = || -> Result<Vec<T>, String> {
        let mut all = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if is_over(number) {
                return Ok(all);
            }
            all.push(call(number)?);
        }
    };
    let all: Result<Vec<Vec<T>>, String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one_thread)).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| PANIC.to_owned())?).collect()
    });
    let took = began.elapsed().as_secs_f64();
    Ok((took, all?.into_iter().flatten().collect()))
}

fn files(caller: &Caller, chain: &Chain) -> Result<Values, String> {
    let octets: Arc<[u8]> = vec![7; SMALL].into();
    let send = |number| caller.send_file(&chain.address, number, &octets);
    let (took, _) = at_a_time(16, |number| number >= FILES, send)?;
    chain.wait_rest();
    Ok(vec![(Row::new("s for 200 small files".to_owned(), Better::Less), took)])
}

/// Each session begins at its own moment from its own address, independent of the others.
fn burst(caller: &Caller, chain: &Chain) -> Result<Values, String> {
    let began = Instant::now();
    let one = |number: u64| {
        let due = began + Duration::from_secs(1) * u32::try_from(number).unwrap_or(0) / 500;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        caller.call(&chain.address, number).map(|stages| stages.started.as_secs_f64() * 1e3)
    };
    let mut times: Vec<f64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..BURST).map(|number| scope.spawn(move || one(number))).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()?.ok()).collect()
    });
    times.sort_by(f64::total_cmp);
    let median = *times.get(times.len() / 2).ok_or("none of a burst was served")?;
    chain.wait_rest();
    let row = |what: &str, better| Row::new(format!("burst of 500: {what}"), better);
    Ok(vec![(row("served", Better::More), count(times.len())), (row("ms until SSID", Better::Less), median)])
}

fn round_trip(caller: &Caller, chain: &Chain) -> Result<Values, String> {
    let mut open = caller.open(&chain.address, 0)?;
    let time = open.exchange(ROUND_TRIPS)?;
    open.end(caller.settings.timeout)?;
    Ok(vec![(Row::new("us of a 128-octet round trip".to_owned(), Better::Less), time.as_secs_f64() * 1e6)])
}

fn held(caller: &Caller, chain: &Chain, sessions_held: u64) -> Result<Values, String> {
    let (before, kernel) = (chain.memory(), chain::kernel_memory());
    let held: Vec<Open> =
        (0..sessions_held).map(|number| caller.open(&chain.address, number)).collect::<Result<_, _>>()?;
    chain.wait_rest();
    let memory = (chain.memory() - before) / count(held.len());
    let kernel = (chain::kernel_memory() - kernel) / count(held.len());
    let used = chain.usage();
    let (_, all) = sessions(caller, chain, 1)?;
    chain.wait_rest();
    let used = (chain.usage() - used).cpu * 1e3 / count(all.len());
    held.into_iter().try_for_each(|open| open.end(caller.settings.timeout).map(drop))?;
    chain.wait_rest();
    Ok(vec![
        (Row::new(format!("KiB an idle session (PSS), {sessions_held}"), Better::Less), memory),
        (Row::new(format!("KiB of the kernel for it, {sessions_held}"), Better::Less), kernel),
        (Row::new(format!("CPU ms a session beside {sessions_held} idle"), Better::Less), used),
    ])
}

fn bulk(caller: &Caller, chain: &Chain, sessions: u64) -> Result<Values, String> {
    let octets: Arc<[u8]> = vec![7; LARGE].into();
    let before = chain.usage();
    let send = |number| caller.send_file(&chain.address, number, &octets);
    let (took, _) = at_a_time(sessions, |number| number >= sessions, send)?;
    chain.wait_rest();
    let (used, megabytes) =
        (chain.usage() - before, count(LARGE) * count(usize::try_from(sessions).unwrap_or(1)) / 1e6);
    let row = |what: &str, better| Row::new(format!("{what} inward, {sessions} at a time"), better);
    Ok(vec![
        (row("MB/s", Better::More), megabytes / took),
        (row("CPU s a GB", Better::Less), used.cpu / megabytes * 1e3),
    ])
}

fn count(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
