//! The relay: passes a session's octets between its two connections, but only units that were judged as a whole. It
//! knows no protocol: a `Judge` says where a unit ends, whether it may pass, how it is answered here if it may not, and
//! which octets end the session.
//!
//! Memory is limited to one buffer of two units for each direction. A slow reader slows the sender down through the
//! kernel.

mod judge;
mod one_way;
mod side;

pub use judge::{Cause, Judge, Verdict};
pub use side::Side;

use crate::net::{self, Conn, Interrupted, Read, Waiter};
use one_way::OneWay;
use std::io;
use std::time::{Duration, Instant};

/// Longest time for the end of a session: to send the last octets, and to see the peer close.
const GOODBYE: Duration = Duration::from_secs(10);
/// When a connection is ended, the kernel may still hold so many octets for a peer: the last message, not a file.
const UNREAD: usize = 16 * 1024;
/// At a session's end: how often the relay checks whether a peer has read the octets that the kernel holds for it.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// When progress of the session is reported: the delay after its begin, and the interval.
const REPORT_AFTER: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];

/// After this many rounds without a wait the loop checks signals and limits.
const ROUNDS: u32 = 64;

/// How a session ended.
#[derive(Debug)]
pub enum Outcome<F> {
    /// This side closed in the regular way; none: neither did, although both had ended the session.
    Closed(Option<Side>),
    /// This side broke off, or closed where it must not; the other side saw a break, too.
    Broken(Side, io::Error),
    /// The data connection between the daemons ended without an ESID or a close by the other daemon's child; both sides
    /// saw a break.
    LinkBroken(io::Error),
    /// This process ended it.
    Ended(Cause<F>),
    /// Waiting failed: a fault of this process.
    Failed(io::Error),
}

/// Time limits of a running session.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Longest time in which nothing moves in either direction.
    pub silence: Duration,
    /// Longest time for one unit, once begun.
    pub unit: Duration,
    /// Largest unit, octets.
    pub largest_unit: usize,
}

/// Octets from each side, indexed as `Totals::from`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Totals {
    octets: [u64; 2],
}

impl Totals {
    /// Counts of a session without a relay.
    pub fn new(outer: usize, inner: usize) -> Self {
        Self { octets: [outer as u64, inner as u64] }
    }

    /// Octets passed on from `side`.
    pub fn from(&self, side: Side) -> u64 {
        self.octets[side.index()]
    }
}

/// Receives the progress of the session at intervals.
pub type ProgressReport<'a, J> = &'a mut dyn FnMut(&J, Totals);

/// A session's two connections, both watched by the process's waiter.
pub struct Relay<'a, J: Judge> {
    waiter: &'a mut Waiter,
    judge: &'a mut J,
    conns: [Option<Conn>; 2],
    halves: [OneWay; 2],
    times: Timeouts,
    moved: Instant,
    /// The side of the data connection to the other daemon's child.
    link: Side,
    progress_report: Option<ProgressReport<'a, J>>,
    /// When the next progress report is due, if octets have been moved by then.
    report_at: Instant,
    is_unreported: bool,
}

impl<'a, J: Judge> Relay<'a, J> {
    /// Nothing moves before `run`. `link`: the side with the data connection to the other daemon's child.
    pub fn new(
        waiter: &'a mut Waiter,
        judge: &'a mut J,
        mut outer: Conn,
        mut inner: Conn,
        link: Side,
        times: Timeouts,
    ) -> Self {
        // If this process is killed, neither side may see a regular end.
        outer.reset_if_killed();
        inner.reset_if_killed();
        let (halves, moved) =
            ([OneWay::new(times.largest_unit), OneWay::new(times.largest_unit)], Instant::now());
        let (conns, report_at) = ([Some(outer), Some(inner)], moved + REPORT_AFTER[0]);
        Self {
            waiter,
            judge,
            conns,
            halves,
            times,
            moved,
            link,
            progress_report: None,
            report_at,
            is_unreported: false,
        }
    }

    /// Makes `progress_report` report the progress of the session.
    pub fn set_progress_report(&mut self, progress_report: ProgressReport<'a, J>) {
        self.progress_report = Some(progress_report);
    }

    /// Octets that came from `side` before the relay began and were judged already: they are sent first.
    pub fn preload(&mut self, side: Side, judged: &[u8]) {
        self.halves[side.index()].preload(judged);
    }

    /// Adds octets of `side` that were passed on before the relay began.
    pub fn count_passed(&mut self, side: Side, octets: usize) {
        self.halves[side.index()].passed += octets as u64;
    }

    /// Passes octets on until the session is over, or until `ended_by` names an administrator who ends it: it is asked
    /// at the start, and whenever the parent has sent something.
    pub fn run(mut self, mut ended_by: impl FnMut() -> Option<String>) -> (Outcome<J::Fault>, Totals) {
        let outcome = match self.pass_on(&mut ended_by) {
            Step::Closed(side) => {
                self.close(side.unwrap_or(Side::Inner));
                Outcome::Closed(side)
            }
            Step::Broken(side, End::Cut, e) if side == self.link => {
                self.break_off();
                Outcome::LinkBroken(e)
            }
            Step::Broken(side, _, e) => {
                self.pass_break_on(side);
                Outcome::Broken(side, e)
            }
            Step::End(cause) => {
                self.end_both_sides(&cause);
                Outcome::Ended(cause)
            }
            Step::Failed(e) => {
                self.break_off();
                Outcome::Failed(e)
            }
        };
        let totals = self.totals();
        // Everything is sent on the connections that are still here. The process ends next and closes them; freeing
        // them first would cost more than the close.
        self.conns.into_iter().for_each(std::mem::forget);
        (outcome, totals)
    }

    fn totals(&self) -> Totals {
        Totals { octets: [self.halves[0].passed, self.halves[1].passed] }
    }

    /// Octets have been moved at `now` or before: reports the progress if it is due.
    fn report_progress(&mut self, now: Instant) {
        let totals = self.totals();
        if let Some(progress_report) =
            self.progress_report.as_mut().filter(|_| self.is_unreported && self.report_at <= now)
        {
            progress_report(self.judge, totals);
            (self.report_at, self.is_unreported) = (now + REPORT_AFTER[1], false);
        }
    }

    fn pass_on(&mut self, ended_by: &mut impl FnMut() -> Option<String>) -> Step<J::Fault> {
        let mut over_since = None;
        let mut rounds = 1_u32;
        let mut ask_parent = true;
        loop {
            if ask_parent && let Some(administrator) = ended_by() {
                return ended_here(over_since, Cause::Administrator(administrator));
            }
            let mut moved = false;
            for side in [Side::Outer, Side::Inner] {
                match self.move_from(side) {
                    Ok(some) => moved |= some,
                    Err(step) => return step,
                }
            }
            if self.judge.over() && over_since.is_none() {
                over_since = Some(Instant::now());
            }
            if moved {
                self.moved = Instant::now();
                self.is_unreported = true;
                self.report_progress(self.moved);
                // Even if both sides never pause, signals and limits are checked.
                if rounds.is_multiple_of(ROUNDS)
                    && let Some(step) = self.check_limits(over_since)
                {
                    return step;
                }
                rounds = rounds.wrapping_add(1);
            } else if let Some(step) = self.wait(over_since) {
                return step;
            }
            ask_parent = self.waiter.take_parent_moved();
        }
    }

    /// Checks signals and the time limit of the end, without waiting.
    fn check_limits(&mut self, over_since: Option<Instant>) -> Option<Step<J::Fault>> {
        if over_since.is_some_and(|since| since.elapsed() > GOODBYE) {
            return Some(Step::Closed(None));
        }
        match self.waiter.wait(Some(Instant::now())) {
            Ok(()) | Err(Interrupted::Late) => None,
            Err(Interrupted::Ended(_)) => Some(ended_here(over_since, Cause::Signal)),
            Err(Interrupted::Failed(e)) => Some(Step::Failed(e)),
        }
    }

    /// Waits for either side; returns a step if the session ends meanwhile.
    fn wait(&mut self, over_since: Option<Instant>) -> Option<Step<J::Fault>> {
        let unfinished = [Side::Outer, Side::Inner]
            .into_iter()
            .filter_map(|side| Some((self.halves[side.index()].begun? + self.times.unit, side)))
            .min_by_key(|(at, _)| *at);
        let silent = self.moved + self.times.silence;
        let goodbye = over_since.map(|since| since + GOODBYE);
        let report_at = Some(self.report_at).filter(|_| self.is_unreported && self.progress_report.is_some());
        let deadlines = [Some(silent), goodbye, unfinished.map(|(at, _)| at), report_at];
        let deadline = deadlines.into_iter().flatten().min();
        match self.waiter.wait(deadline) {
            Ok(()) => None,
            Err(Interrupted::Ended(_)) => Some(ended_here(over_since, Cause::Signal)),
            Err(Interrupted::Failed(e)) => Some(Step::Failed(e)),
            Err(Interrupted::Late) => {
                let now = Instant::now();
                self.report_progress(now);
                if goodbye.is_some_and(|at| at <= now) {
                    // Both sides have ended the session, and neither closes the connection: this process does.
                    return Some(Step::Closed(None));
                }
                match unfinished {
                    Some((at, side)) if at <= now => Some(Step::End(Cause::Unfinished(side))),
                    _ if silent <= now => Some(Step::End(Cause::Silent)),
                    _ => None,
                }
            }
        }
    }

    /// One round from `side` to the other: write the judged octets, read, judge. True if anything moved.
    fn move_from(&mut self, side: Side) -> Result<bool, Step<J::Fault>> {
        let [from_outer, from_inner] = &mut self.halves;
        let [Some(outer), Some(inner)] = &mut self.conns else { return Ok(false) };
        let (half, back, source, sink) = match side {
            Side::Outer => (from_outer, from_inner, outer, inner),
            Side::Inner => (from_inner, from_outer, inner, outer),
        };
        if let Err(e) = half.write_to(sink) {
            return Err(self.lost(side.other(), e));
        }
        let mut moved = half.moved();
        if back.is_answering() {
            return Ok(moved);
        }
        let ending = loop {
            let Some(room) = half.room() else { break None };
            match source.read(room) {
                Read::Octets(n) => {
                    half.filled(n);
                    moved = true;
                }
                Read::Blocked => break None,
                Read::Clean => break Some((End::Close, closed())),
                Read::Broken(e) => break Some((End::Cut, e)),
            }
        };
        match half.judge(self.judge, side) {
            Ok(None) => {}
            Ok(Some(answer)) => {
                back.insert(&answer);
                moved = true;
            }
            Err(fault) => return Err(Step::End(Cause::Refused(side, fault))),
        }
        if let Err(e) = half.write_to(sink) {
            return Err(self.lost(side.other(), e));
        }
        moved |= half.moved();
        match ending {
            // Octets behind a unit that was answered here are judged first; the end will be seen again.
            Some(_) if back.is_answering() => Ok(true),
            // All judged octets are delivered before the end is passed on.
            Some(_) if !half.is_written(sink) && self.judge.may_close() => Ok(moved),
            Some(_) if self.judge.may_close() => Err(Step::Closed(Some(side))),
            Some((how, e)) => Err(Step::Broken(side, how, e)),
            None => Ok(moved),
        }
    }

    /// `side` does not take octets any more. Its last unit may be an ESID: that is read before this counts as a break.
    fn lost(&mut self, side: Side, e: io::Error) -> Step<J::Fault> {
        let half = &mut self.halves[side.index()];
        let mut how = End::Cut;
        if let Some(conn) = &mut self.conns[side.index()] {
            while let Some(room) = half.room() {
                match conn.read(room) {
                    Read::Octets(n) => half.filled(n),
                    Read::Clean => {
                        how = End::Close;
                        break;
                    }
                    _ => break,
                }
            }
        }
        // The peer does not read an answer any more.
        let is_right = loop {
            match half.judge(self.judge, side) {
                Ok(Some(_)) => {}
                other => break other.is_ok(),
            }
        };
        if is_right && self.judge.may_close() { Step::Closed(Some(side)) } else { Step::Broken(side, how, e) }
    }

    /// `by` closed: the judged octets are sent to the other side, which then sees a regular close.
    fn close(&mut self, by: Side) {
        self.flush_and_close(&[by.other(), by].map(|side| (side, Vec::new())));
    }

    /// Both sides get the last octets at a unit's boundary, then a regular close.
    fn end_both_sides(&mut self, cause: &Cause<J::Fault>) {
        let last = [Side::Outer, Side::Inner].map(|side| (side, self.judge.farewell(side, cause)));
        self.flush_and_close(&last);
    }

    /// Sends each side its judged octets and its last octets, closes, and drains until the peer has closed: a socket
    /// that is closed with unread octets would send a reset, which can overtake the octets sent before.
    fn flush_and_close(&mut self, last: &[(Side, Vec<u8>)]) {
        let deadline = Instant::now() + GOODBYE;
        for (side, words) in last {
            self.halves[side.other().index()].add_last(words);
        }
        let mut closed = [false; 2];
        let mut gone = [false; 2];
        loop {
            let mut waits_for_peer = false;
            for (side, _) in last {
                let i = side.index();
                let Some(conn) = &mut self.conns[i] else { continue };
                let half = &mut self.halves[side.other().index()];
                gone[i] |= half.write_to(conn).is_err();
                if !gone[i] && !closed[i] && half.is_written(conn) {
                    // The close is queued only behind few octets: a peer that has stopped reading must not find it
                    // there later.
                    waits_for_peer |= conn.unread() > UNREAD;
                    closed[i] = conn.unread() <= UNREAD;
                    gone[i] |= closed[i] && conn.finish().is_err();
                }
                if closed[i] || gone[i] {
                    gone[i] |= conn.discard();
                }
            }
            if last.iter().all(|(side, _)| gone[side.index()]) {
                return;
            }
            // There is no event when the peer has read the octets in the kernel's buffer.
            let until = if waits_for_peer { deadline.min(Instant::now() + LOOK_AGAIN) } else { deadline };
            match self.waiter.wait(Some(until)) {
                Ok(()) | Err(Interrupted::Ended(_)) => {}
                Err(Interrupted::Late) if Instant::now() < deadline => {}
                Err(_) => break,
            }
        }
        // A side that did not take everything must not see a regular end behind the octets in the kernel.
        for i in last.iter().map(|(side, _)| side.index()) {
            if let Some(mut conn) = self.conns[i].take()
                && (!closed[i] || (!gone[i] && conn.unread() > 1))
            {
                conn.reset();
            }
        }
    }

    /// `broken` broke off. The other side sees a reset. The data connection gets a close_notify in the middle of the
    /// session: that tells the other daemon's child that neither the data connection nor this process is at fault.
    fn pass_break_on(&mut self, broken: Side) {
        let link = if broken == self.link { None } else { self.conns[self.link.index()].take() };
        self.break_off();
        if let Some(link) = link {
            net::goodbye(self.waiter, link);
        }
    }

    fn break_off(&mut self) {
        for conn in self.conns.iter_mut().filter_map(Option::take) {
            conn.reset();
        }
    }
}

enum Step<F> {
    Closed(Option<Side>),
    Broken(Side, End, io::Error),
    End(Cause<F>),
    Failed(io::Error),
}

/// The session is to end here. If both sides have ended it already, the outcome stays a regular end.
fn ended_here<F>(over_since: Option<Instant>, cause: Cause<F>) -> Step<F> {
    if over_since.is_some() { Step::Closed(None) } else { Step::End(cause) }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a close_notify, or with FIN where there is no TLS.
    Close,
    /// Without close_notify or FIN.
    Cut,
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed in mid-session")
}
