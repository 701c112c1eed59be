//! Text and time as every part writes and reads them: hex digits, names of hosts, escaped text, the wall clock.
//! Pure functions, apart from the clock's `now`. Imports `sys` alone, so that `oftp` may use it.

pub mod clock;
pub mod escape;
pub mod hex;
pub mod host;
