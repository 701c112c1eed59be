//! The first steps of a session child: it is parked until the parent passes it a partner's connection, reads a
//! balancer's header if there must be one, then does the TLS handshake with a deadline. Nothing of OFTP2 is read here.

use super::encrypted::Encrypted;
use crate::active_config::ActiveConfig;
use crate::messages::ToParent;
use crate::session::context::{Data, SessionContext};
use crate::session::handshake;
use crate::session::refusal::Refusal;
use crate::session::stop::Stop;
use common::net::{Interrupted, Wire};
use common::process::end_reasons::Status;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslRef};

/// A partner's TCP connection.
pub(in crate::session) struct Accepted {
    pub(super) wire: Wire,
    /// A balancer's own connection: if it shows no certificate that is accepted, it was a health check.
    pub(super) is_probe: bool,
}

/// Parked until there is work.
pub(in crate::session) fn wait_for_work(context: &mut SessionContext) -> Result<Accepted, Stop> {
    loop {
        context.read_parent()?;
        if let Some((socket, peer)) = context.partner.take() {
            context.facts.set_peer(peer.address);
            context.facts.reached = socket.local_addr().ok();
            let mut accepted = Accepted { wire: Wire::new(socket), is_probe: false };
            if peer.is_balancer {
                accepted.read_header(context)?;
            }
            return Ok(accepted);
        }
        if context.parent_gone {
            return Err(Stop::Unused(Status::Retired));
        }
        if context.data.as_mut().is_some_and(Data::has_moved) {
            // The other child is gone, or has sent something too early: this pair cannot be used. The parent decides
            // about this child, because it may have sent it a partner meanwhile.
            context.data = None;
            context.send_to_parent(&ToParent::DataLost);
        }
        match context.wait(None) {
            Ok(()) => {}
            Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
            Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
    }
}

impl Accepted {
    /// Does the TLS handshake, including the partner's certificate. Afterwards the private key towards partners is
    /// gone.
    pub(in crate::session) fn handshake(self, context: &mut SessionContext) -> Result<Encrypted, Stop> {
        let ssl = accept_state(&context.active).map_err(|e| Refusal::internal(&e))?;
        let conn = handshake::run(context, ssl, self.wire).map_err(|pending| {
            let refusal = pending.part(context);
            if self.is_probe { Refusal { status: Status::Probe, ..refusal } } else { refusal }
        })?;
        let certificate = conn.ssl().and_then(SslRef::peer_certificate);
        let candidate = context.active.has_candidate(certificate.as_deref());
        if candidate && certificate.is_some() {
            context.send_to_parent(&ToParent::Verified);
        }
        Ok(Encrypted { conn, certificate, candidate })
    }
}

fn accept_state(active: &ActiveConfig) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(&active.tls)?;
    if let Some(credentials) = &active.credentials {
        credentials.show_on(&mut ssl)?;
    }
    ssl.set_accept_state();
    Ok(ssl)
}
