//! Counts and logs failed logins of people and wrong keys of programs. A program that reads the log (fail2ban) finds
//! the address in the line.

use super::app::App;
use super::guard::Verdict;
use common::text::escape::escape;
use std::net::IpAddr;
use std::time::Instant;

/// Longest name in the log, characters.
const LONGEST: usize = 64;

/// Counts a failure of an address, and logs it unless there were too many. `by`: what was tried. `name`: the user, or
/// the key.
pub(crate) fn note(app: &App, address: IpAddr, by: &'static str, name: &str) -> Verdict {
    let name: String = name.chars().take(LONGEST).collect();
    app.counters.login("failed", by);
    let verdict = app.logins.bad_call(address, Instant::now());
    match verdict {
        Verdict::Log => log::warn!("panel_login_failed address={address} user={} by={by}", escape(&name)),
        Verdict::LogLast(_) => log::warn!(
            "panel_login_failed address={address} user={} by={by} further=\"not logged until there was none for a \
             minute\"",
            escape(&name)
        ),
        Verdict::Quiet => {}
    }
    verdict
}
