//! What is measured, by name, and how: many sessions, and what the chain's processes have used meanwhile.

use crate::call::{Caller, Stages};
use crate::chain::Chain;
use crate::table::{Better, Row};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// After the last session: children end, new ones are forked, and all of that is part of the price.
const SETTLING: Duration = Duration::from_millis(400);

/// Rows of a table with their values.
pub(crate) type Values = Vec<(Row, f64)>;

/// One measure.
pub(crate) struct Measure {
    /// By which it is asked for.
    pub(crate) name: &'static str,
    /// For the usage.
    pub(crate) what: &'static str,
    take: fn(&Caller, &Chain) -> Result<Values, String>,
}

/// All of them.
pub(crate) const MEASURES: [Measure; 3] = [
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
];

impl Measure {
    /// The one of this name.
    pub(crate) fn named(name: &str) -> Result<Self, String> {
        MEASURES
            .into_iter()
            .find(|measure| measure.name == name)
            .ok_or_else(|| format!("there is no measure '{name}'"))
    }

    /// Takes it once.
    pub(crate) fn take(&self, caller: &Caller, chain: &Chain) -> Result<Values, String> {
        (self.take)(caller, chain).map_err(|words| format!("{}, {}: {words}", chain.name, self.name))
    }
}

/// Sessions one after the other on each of some threads; how many there were, how long it took, and their stages.
fn sessions(caller: &Caller, chain: &Chain, at_a_time: u64) -> Result<(f64, Vec<Stages>), String> {
    let began = Instant::now();
    let next = AtomicU64::new(0);
    let one_thread = || {
        let mut all = Vec::new();
        while began.elapsed() < caller.time {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= caller.sessions {
                break;
            }
            all.push(caller.call(&chain.address, number)?);
        }
        Ok(all)
    };
    let all: Result<Vec<Vec<Stages>>, String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..at_a_time).map(|_| scope.spawn(one_thread)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().map_err(|_| "a thread has panicked".to_owned())?)
            .collect()
    });
    let took = began.elapsed().as_secs_f64();
    Ok((took, all?.concat()))
}

fn set_up(caller: &Caller, chain: &Chain, at_a_time: u64) -> Result<Values, String> {
    let before = chain.usage();
    let (took, all) = sessions(caller, chain, at_a_time)?;
    thread::sleep(SETTLING);
    let used = chain.usage() - before;
    let count = f64::from(u32::try_from(all.len()).unwrap_or(u32::MAX));
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
    thread::sleep(SETTLING);
    Ok(vec![
        (row("TLS stands"), median(|stages| stages.tls)),
        (row("SSRM"), median(|stages| stages.ready)),
        (row("SSID"), median(|stages| stages.started)),
        (row("ESID"), median(|stages| stages.ended)),
    ])
}
