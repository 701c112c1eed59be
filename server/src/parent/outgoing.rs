//! Pairs for outgoing sessions: the client says when it wants one, this parent says whether it may have it. Each
//! request gets exactly one answer, in order; from there on the pair is one of the pool.

use super::{Need, Parent};
use common::link::control::ToClient;

impl Parent {
    /// The client wants one more pair for its station.
    pub(super) fn want_outgoing(&mut self) {
        match self.may_have_outgoing() {
            Ok(()) => self.needs.push_back(Need::Outgoing),
            Err(reason) => self.tell_client(&ToClient::NoOutgoing { reason: reason.to_owned() }),
        }
    }

    /// How many there may be is the configuration's to say, whatever the client asks for. Whether the licence holds is
    /// asked when a station has come: then there is somebody to tell.
    fn may_have_outgoing(&self) -> Result<(), &'static str> {
        let active = self.active.as_ref().ok_or("the server has no configuration yet")?;
        let queued = self.needs.iter().filter(|need| matches!(need, Need::Outgoing)).count();
        let most = active.limits.outgoing_sessions as usize + active.limits.parked_pairs as usize;
        if self.children.outgoing() + queued >= most {
            return Err("the server has as many processes for outgoing sessions as it may");
        }
        Ok(())
    }
}
