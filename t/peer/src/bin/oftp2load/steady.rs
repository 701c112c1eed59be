//! A steady load, for `scripts/cluster`: some sessions run all the time, further ones begin at a fixed rate, whatever
//! happens to those before them. Each fact is one line on the standard output, from the partners' point of view:
//!
//! ```text
//! TIME held begun ADDRESS             a session that runs on
//! TIME held ended ADDRESS FAULT|normal
//! TIME new SECONDS ADDRESS FAULT|normal   a short one: TIME is its begin, SECONDS its duration
//! ```
//!
//! TIME is in seconds since 1970, ADDRESS is the partner's own end, `-` if it never had one.

use crate::call::{Caller, Open};
use std::fmt;
use std::io::Read;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is opened.
pub(crate) struct Plan {
    /// Sessions that run all the time.
    pub(crate) held: u64,
    /// Sessions that begin each second.
    pub(crate) rate: u32,
}

/// How long a session runs that runs on: from the first number of seconds to the second one. Then another one takes its
/// place, so that balancers spread them over all servers again after one was away.
const LIVES: std::ops::Range<u64> = 15..25;
/// Time between two receipts in a session that runs on, and between two attempts to begin one.
const PAUSE: Duration = Duration::from_secs(1);

/// Becomes true once.
#[derive(Default)]
struct Stop {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits for this time at most; whether it is set.
    fn wait(&self, limit: Duration) -> bool {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_set, limit, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Carries the load until the standard input ends; then ends its sessions in order.
pub(crate) fn run(caller: &Caller, address: &str, plan: &Plan) {
    let stop = Stop::default();
    thread::scope(|scope| {
        for number in 0..plan.held {
            let stop = &stop;
            scope.spawn(move || hold(caller, address, number, stop));
        }
        scope.spawn(|| begin_new_ones(caller, address, plan, &stop));
        // Nobody writes to it: its end is the order to stop.
        let _ = std::io::stdin().read(&mut [0]);
        stop.set();
    });
}

/// Keeps one session running: when it ends or breaks, another one takes its place.
fn hold(caller: &Caller, address: &str, number: u64, stop: &Stop) {
    let mut next = number;
    // They do not begin in the same moment, and not while a server is away.
    while !stop.wait(PAUSE) {
        let mut open = match caller.open(address, next) {
            Ok(open) => open,
            Err(fault) => {
                say("held ended", "-", &fault);
                continue;
            }
        };
        next += 1;
        let own = open.own_address();
        say("held begun", &own, "");
        let fault = carry(&mut open, number, stop).and_then(|()| end(caller, open)).err();
        say("held ended", &own, fault.unwrap_or_else(normal));
    }
}

fn carry(open: &mut Open, number: u64, stop: &Stop) -> Result<(), String> {
    let life = Duration::from_secs(LIVES.start + number % (LIVES.end - LIVES.start));
    let began = Instant::now();
    while began.elapsed() < life && !stop.wait(PAUSE) {
        open.exchange(1)?;
    }
    Ok(())
}

fn end(caller: &Caller, open: Open) -> Result<(), String> {
    open.end(caller.settings.timeout).map(drop)
}

fn normal() -> String {
    "normal".to_owned()
}

/// Each begins at its own moment, independent of those before it.
fn begin_new_ones(caller: &Caller, address: &str, plan: &Plan, stop: &Stop) {
    let began = Instant::now();
    thread::scope(|scope| {
        for number in 0.. {
            let due = began + Duration::from_secs(1) * number / plan.rate.max(1);
            if stop.wait(due.saturating_duration_since(Instant::now())) {
                return;
            }
            scope.spawn(move || begin_one(caller, address, plan.held + u64::from(number)));
        }
    });
}

fn begin_one(caller: &Caller, address: &str, number: u64) {
    let (at, began) = (now(), Instant::now());
    let opened = caller.open(address, number);
    let own = opened.as_ref().map_or_else(|_| "-".to_owned(), Open::own_address);
    let result = opened.and_then(|open| end(caller, open)).err().unwrap_or_else(normal);
    println!("{at:.3} new {:.3} {own} {result}", began.elapsed().as_secs_f64());
}

fn say(what: &str, own: &str, result: impl fmt::Display) {
    println!("{:.3} {what} {own} {result}", now());
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}
