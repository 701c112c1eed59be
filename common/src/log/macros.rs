//! One macro for each priority: `common::info!("{} parked", count)`. Used by every process.
//! A line below the current level costs two loads and a comparison; its arguments are not evaluated. Free text must
//! begin with a word of ours, never with a value from outside, because that could be the name of an event.

/// Writes a line of the given priority; use the macros that are named after the priorities.
#[doc(hidden)]
#[macro_export]
macro_rules! log_line {
    ($priority:ident, $($argument:tt)+) => {
        if $crate::log::enabled($crate::log::Priority::$priority) {
            $crate::log::write($crate::log::Priority::$priority, module_path!(), format_args!($($argument)+));
        }
    };
}

/// This process cannot go on.
#[macro_export]
macro_rules! fatal { ($($argument:tt)+) => { $crate::log_line!(Fatal, $($argument)+) }; }

/// An operation has failed, by our fault or because of the environment.
#[macro_export]
macro_rules! error { ($($argument:tt)+) => { $crate::log_line!(Error, $($argument)+) }; }

/// A fault of a peer, or something that will become an error.
#[macro_export]
macro_rules! warn { ($($argument:tt)+) => { $crate::log_line!(Warn, $($argument)+) }; }

/// Normal, but important.
#[macro_export]
macro_rules! notice { ($($argument:tt)+) => { $crate::log_line!(Notice, $($argument)+) }; }

/// Something begins or ends.
#[macro_export]
macro_rules! info { ($($argument:tt)+) => { $crate::log_line!(Info, $($argument)+) }; }

/// The course of a session.
#[macro_export]
macro_rules! debug { ($($argument:tt)+) => { $crate::log_line!(Debug, $($argument)+) }; }

/// Every buffer.
#[macro_export]
macro_rules! trace { ($($argument:tt)+) => { $crate::log_line!(Trace, $($argument)+) }; }
