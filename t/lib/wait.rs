//! Waits for other processes: with a deadline, and without guessing how long something takes.

use std::thread;
use std::time::{Duration, Instant};

/// The longest time for anything before a test fails, on a slow machine, too.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks: at first, and at most. A look may read hundreds of lines, and other tests need the processor:
/// the longer something has taken already, the less often it is looked for.
const NAPS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(100)];
/// The share of the time so far that the next nap takes.
const SHARE: u32 = 16;

/// Calls `look` again and again until it returns something.
///
/// # Panics
/// If that takes longer than [`PATIENCE`]: the test has failed.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_slow(Duration::ZERO, what, look)
}

/// The same for something that cannot happen before `due` has passed.
///
/// # Panics
/// If it takes [`PATIENCE`] longer: the test has failed.
pub fn wait_slow<T>(due: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let [first, longest] = NAPS;
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        let lasted = begin.elapsed();
        assert!(lasted < due + PATIENCE, "{what}: not within {:?}", due + PATIENCE);
        thread::sleep((lasted / SHARE).clamp(first, longest));
    }
}
