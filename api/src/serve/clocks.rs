//! The clocks of the daemons, as their calls report them, compared with this host's clock: the server judges
//! certificates and CRLs by its clock, and other hosts date them. A difference is reported once, and again if the clock
//! was right in between. Does not read the clock.

use crate::store::partners::word;
use common::rpc::Origin;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

/// The largest difference that is accepted, seconds: a call may need some seconds to arrive.
const BORNE: i64 = 60;
/// Most clocks that are remembered as wrong; further ones are not reported.
const MOST: usize = 1_000;

/// The clocks that were wrong at the last call.
#[derive(Default)]
pub(super) struct Clocks {
    wrong: Mutex<HashSet<(IpAddr, Origin)>>,
}

impl Clocks {
    /// Whether this clock is wrong, and was right at the last call.
    pub(super) fn is_news(&self, client: IpAddr, daemon: Origin, difference: i64) -> bool {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if (-BORNE..=BORNE).contains(&difference) {
            wrong.remove(&(client, daemon));
            return false;
        }
        wrong.len() < MOST && wrong.insert((client, daemon))
    }
}

/// The words and the detail of an entry for a difference in seconds: of a client, or of the server that it has joined.
pub(super) fn entry(client: IpAddr, daemon: Origin, difference: i64) -> (String, String) {
    let way = if difference > 0 { "ahead" } else { "behind" };
    let daemon = word(&daemon);
    let text = format!("the clock of a {daemon} differs from the backend's");
    let detail = format!(
        "clock_differs client={client} daemon={daemon} seconds={} way={way} cause=\"certificates and CRLs are judged \
         by it: set all clocks by NTP\"",
        difference.unsigned_abs()
    );
    (text, detail)
}

#[cfg(test)]
mod tests {
    use super::{BORNE, Clocks};
    use common::rpc::Origin::{Client, Server};
    use std::net::{IpAddr, Ipv4Addr};

    #[test]
    fn a_difference_is_told_once_and_again_after_it_was_well() {
        let (clocks, client) = (Clocks::default(), IpAddr::from(Ipv4Addr::LOCALHOST));
        assert!(!clocks.is_news(client, Server, BORNE) && !clocks.is_news(client, Server, -BORNE));
        assert!(clocks.is_news(client, Server, BORNE + 1));
        assert!(!clocks.is_news(client, Server, i64::MIN), "it is no news");
        assert!(clocks.is_news(client, Client, -BORNE - 1), "another clock");
        assert!(!clocks.is_news(client, Server, 0) && clocks.is_news(client, Server, i64::MAX));
    }
}
