//! Clients that stand by: they have authenticated while another client is joined and answers, and wait until it is
//! gone.

use super::{InternalPort, SLOTS};
use crate::parent::control::Client;
use crate::parent::newcomer::Proof;
use common::link::control::ToClient;
use common::log::{Event, catalogue};
use mio::Registry;
use std::net::SocketAddr;
use std::time::Instant;

/// Most clients that stand by: more of them would take the places of newcomers.
const MOST: usize = 8;

impl InternalPort {
    /// Lets the successor in this slot stand by. False: it cannot, or too many do already.
    pub(in crate::parent) fn let_stand_by(&mut self, slot: usize, now: Instant) -> bool {
        let has_room = self.standbys().count() < MOST;
        let Some(place) = self.pending.get_mut(slot) else { return false };
        let Some(pending) = place.take_if(|pending| match &pending.proof {
            Proof::Successor(client, _) => client.stands_by() && has_room,
            _ => false,
        }) else {
            return false;
        };
        if let Proof::Successor(mut client, _) = pending.proof {
            // If this fails, the next ping does, too.
            let _ = client.send(&ToClient::Standby).and_then(|()| client.connection().advance());
            Event::new(&catalogue::CLIENT_STANDBY)
                .field_display("address", pending.peer)
                .field("client", client.name())
                .log();
            *place = Some(super::Pending { proof: Proof::Standby(client, now), ..pending });
        }
        true
    }

    /// Why the successor in this slot cannot stand by: a sentence with the remedy, for its log.
    pub(in crate::parent) fn why_not_standby(&self, slot: usize) -> String {
        let place = self.pending.get(slot).and_then(Option::as_ref);
        let can = place.is_some_and(
            |pending| matches!(&pending.proof, Proof::Successor(client, _) if client.stands_by()),
        );
        if can {
            format!("a client is joined already, and {MOST} others stand by: end one of them")
        } else {
            "a client is joined already, and this one is of an older version, which cannot stand by: install the \
             release of the server there"
                .to_owned()
        }
    }

    /// The slots of clients that stand by, and since when.
    fn standbys(&self) -> impl Iterator<Item = (usize, Instant)> {
        self.pending.iter().enumerate().filter_map(|(slot, place)| match place.as_ref()?.proof {
            Proof::Standby(_, since) => Some((slot, since)),
            _ => None,
        })
    }

    /// The client that has stood by longest.
    pub(in crate::parent) fn standby(&self) -> Option<usize> {
        self.standbys().min_by_key(|(_, since)| *since).map(|(slot, _)| slot)
    }

    /// Takes the client that stands by out of this slot, to be joined.
    pub(in crate::parent) fn take_standby(&mut self, slot: usize) -> Option<Client> {
        match self.pending.get_mut(slot)?.take()?.proof {
            Proof::Standby(client, _) => Some(*client),
            _ => None,
        }
    }

    /// Whether the port listens now so that a client can come and stand by; `is_joined`: whether one is joined.
    pub(in crate::parent) fn invites(&mut self, is_joined: bool, now: Instant) -> bool {
        let wanted = is_joined && self.standby().is_none();
        self.invitation.is_open(wanted, now)
    }

    /// Pings the clients that stand by, when it is time, and drops those that are gone.
    pub(super) fn ping_standbys(&mut self, registry: &Registry) {
        for slot in 0..SLOTS {
            let Some(place) = self.pending.get_mut(slot) else { continue };
            let mut reason = String::new();
            let gone = place.take_if(|pending| match &mut pending.proof {
                Proof::Standby(client, _) => match client.connection().advance() {
                    Ok(()) => false,
                    Err(e) => {
                        reason = e.to_string();
                        true
                    }
                },
                _ => false,
            });
            if let Some(gone) = gone {
                gone.proof.deregister(registry);
                log_gone(gone.peer, &reason);
            }
        }
    }
}

/// Logs that a client that stood by is gone.
pub(super) fn log_gone(peer: SocketAddr, reason: &str) {
    Event::new(&catalogue::CLIENT_STANDBY_GONE).field_display("address", peer).field("reason", reason).log();
}
