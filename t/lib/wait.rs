//! Waiting for what other processes do: with a deadline, and without guessing how long it takes.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test gives up, on a slow machine too.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Between two looks.
const NAP: Duration = Duration::from_millis(5);

/// Looks again and again until `look` gives something.
///
/// # Panics
/// If that takes longer than [`PATIENCE`]: the test has failed.
pub fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    wait_slow(Duration::ZERO, what, look)
}

/// The same for something that is not due before `due` has passed.
///
/// # Panics
/// If it takes [`PATIENCE`] more: the test has failed.
pub fn wait_slow<T>(due: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + due + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "{what}: not within {:?}", due + PATIENCE);
        thread::sleep(NAP);
    }
}
