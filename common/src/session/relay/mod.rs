//! The relay: passes a session's octets between its two connections, and nothing that has not been judged whole.
//! Knows no protocol: a `Judge` says where a unit ends, whether it may pass, how it is answered here if it may not, and
//! what to say at the end.
//!
//! Bounded: one buffer of two units a direction. A slow reader presses back through the kernel to the sender.

mod judge;
mod one_way;
mod side;

pub use judge::{Cause, Judge, Verdict};
pub use side::Side;

use crate::net::{self, Conn, Interrupted, Read, Waiter};
use one_way::OneWay;
use std::io;
use std::time::{Duration, Instant};

/// How long the end of a session may take: to send the last octets, and to see the peer close.
const GOODBYE: Duration = Duration::from_secs(10);
/// Octets that the kernel may still hold for a peer when its connection is ended: the last message, not a file.
const UNREAD: usize = 16 * 1024;
/// How often it is looked whether a peer has read what the kernel holds for it, at a session's end alone.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// After this many rounds without a wait the loop looks at signals and limits.
const ROUNDS: u32 = 64;

/// How a session ended.
#[derive(Debug)]
pub enum Outcome<F> {
    /// This side closed in the regular way; none: neither did, though all was said.
    Closed(Option<Side>),
    /// This side broke off, or closed where it may not; the other side saw a break as well.
    Broken(Side, io::Error),
    /// The data connection between the daemons ended without a word of the other daemon's child; both sides saw a
    /// break.
    LinkBroken(io::Error),
    /// Ended here.
    Ended(Cause<F>),
    /// Waiting failed: our own fault.
    Failed(io::Error),
}

/// Time limits of a running session.
#[derive(Debug, Clone, Copy)]
pub struct Timeouts {
    /// Nothing moved in either direction.
    pub silence: Duration,
    /// One unit, once begun.
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
    /// Octets passed on from `side`.
    pub fn from(&self, side: Side) -> u64 {
        self.octets[side.index()]
    }
}

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
}

impl<'a, J: Judge> Relay<'a, J> {
    /// Nothing moves before `run`. `link`: the side of the data connection to the other daemon's child.
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
        let halves = [OneWay::new(times.largest_unit), OneWay::new(times.largest_unit)];
        Self { waiter, judge, conns: [Some(outer), Some(inner)], halves, times, moved: Instant::now(), link }
    }

    /// Octets that came from `side` before the relay began and were judged already: they go first.
    pub fn preload(&mut self, side: Side, judged: &[u8]) {
        self.halves[side.index()].preload(judged);
    }

    /// So many octets of `side` were passed on before the relay began.
    pub fn count_passed(&mut self, side: Side, octets: usize) {
        self.halves[side.index()].passed += octets as u64;
    }

    /// Passes octets on until the session is over.
    pub fn run(mut self) -> (Outcome<J::Fault>, Totals) {
        let outcome = match self.pass_on() {
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
                self.take_leave(&cause);
                Outcome::Ended(cause)
            }
            Step::Failed(e) => {
                self.break_off();
                Outcome::Failed(e)
            }
        };
        let totals = Totals { octets: [self.halves[0].passed, self.halves[1].passed] };
        // All is said on those that are still here: the process ends next, and they with it. To take them apart before
        // costs more than the close.
        self.conns.into_iter().for_each(std::mem::forget);
        (outcome, totals)
    }

    fn pass_on(&mut self) -> Step<J::Fault> {
        let mut over_since = None;
        let mut rounds = 1_u32;
        loop {
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
                // Also when both sides never rest, signals and limits have their turn.
                if rounds.is_multiple_of(ROUNDS)
                    && let Some(step) = self.look_up(over_since)
                {
                    return step;
                }
                rounds = rounds.wrapping_add(1);
                continue;
            }
            if let Some(step) = self.wait(over_since) {
                return step;
            }
        }
    }

    /// Looks at signals and at the limit for closing, without waiting.
    fn look_up(&mut self, over_since: Option<Instant>) -> Option<Step<J::Fault>> {
        if over_since.is_some_and(|since| since.elapsed() > GOODBYE) {
            return Some(Step::Closed(None));
        }
        match self.waiter.wait(Some(Instant::now())) {
            Ok(()) | Err(Interrupted::Late) => None,
            Err(Interrupted::Ended(_)) => Some(told(over_since)),
            Err(Interrupted::Failed(e)) => Some(Step::Failed(e)),
        }
    }

    /// Waits for either side; a step if the session ends meanwhile.
    fn wait(&mut self, over_since: Option<Instant>) -> Option<Step<J::Fault>> {
        let unfinished = [Side::Outer, Side::Inner]
            .into_iter()
            .filter_map(|side| Some((self.halves[side.index()].begun? + self.times.unit, side)))
            .min_by_key(|(at, _)| *at);
        let silent = self.moved + self.times.silence;
        let goodbye = over_since.map(|since| since + GOODBYE);
        let deadline = [Some(silent), goodbye, unfinished.map(|(at, _)| at)].into_iter().flatten().min();
        match self.waiter.wait(deadline) {
            Ok(()) => None,
            Err(Interrupted::Ended(_)) => Some(told(over_since)),
            Err(Interrupted::Failed(e)) => Some(Step::Failed(e)),
            Err(Interrupted::Late) => {
                let now = Instant::now();
                if goodbye.is_some_and(|at| at <= now) {
                    // Both sides have ended the session, and neither closes the connection: we do.
                    return Some(Step::Closed(None));
                }
                match unfinished {
                    Some((at, side)) if at <= now => Some(Step::End(Cause::Unfinished(side))),
                    _ => Some(Step::End(Cause::Silent)),
                }
            }
        }
    }

    /// One round from `side` to the other: write what is judged, read, judge. True if anything moved.
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
            // What came behind a unit that was answered is judged first; the end shows again.
            Some(_) if back.is_answering() => Ok(true),
            // All that was judged is delivered before the end is passed on.
            Some(_) if !half.is_written(sink) && self.judge.may_close() => Ok(moved),
            Some(_) if self.judge.may_close() => Err(Step::Closed(Some(side))),
            Some((how, e)) => Err(Step::Broken(side, how, e)),
            None => Ok(moved),
        }
    }

    /// `side` does not take octets any more. What it said last may be its ESID: that is read before this is called a
    /// break.
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
        // Nobody reads an answer any more.
        let is_right = loop {
            match half.judge(self.judge, side) {
                Ok(Some(_)) => {}
                other => break other.is_ok(),
            }
        };
        if is_right && self.judge.may_close() { Step::Closed(Some(side)) } else { Step::Broken(side, how, e) }
    }

    /// `by` closed: what is judged goes out to the other side, which then sees a regular close.
    fn close(&mut self, by: Side) {
        self.flush_and_close(&[by.other(), by].map(|side| (side, Vec::new())));
    }

    /// Both sides get the farewell at a unit's boundary, then a regular close.
    fn take_leave(&mut self, cause: &Cause<J::Fault>) {
        let last = [Side::Outer, Side::Inner].map(|side| (side, self.judge.farewell(side, cause)));
        self.flush_and_close(&last);
    }

    /// Finishes what is judged towards each side, adds its last words, closes, and drains until the peer has closed: a
    /// socket closed with octets unread would send a reset that can overtake the octets just sent.
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
                    // The end is queued behind little alone: a peer that reads no more must not find it there later.
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
            // Nothing tells that the peer has read what the kernel holds.
            let until = if waits_for_peer { deadline.min(Instant::now() + LOOK_AGAIN) } else { deadline };
            match self.waiter.wait(Some(until)) {
                Ok(()) | Err(Interrupted::Ended(_)) => {}
                Err(Interrupted::Late) if Instant::now() < deadline => {}
                Err(_) => break,
            }
        }
        // A side that did not take all of it must not see a regular end behind what the kernel still holds.
        for i in last.iter().map(|(side, _)| side.index()) {
            if let Some(mut conn) = self.conns[i].take()
                && (!closed[i] || (!gone[i] && conn.unread() > 1))
            {
                conn.reset();
            }
        }
    }

    /// `broken` broke off. The other side sees a reset. The data connection gets a close_notify in the middle of the
    /// session, so that the other daemon's child knows that it is neither the data connection nor this process that is
    /// at fault.
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

/// The process is told to end. Where all was said, that takes nothing away from the session.
fn told<F>(over_since: Option<Instant>) -> Step<F> {
    if over_since.is_some() { Step::Closed(None) } else { Step::End(Cause::Told) }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// With a close_notify, or with FIN where there is no TLS.
    Close,
    /// Without.
    Cut,
}

fn closed() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "closed in mid-session")
}
