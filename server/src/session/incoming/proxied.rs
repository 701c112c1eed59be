//! A balancer's connection: its PROXY header names the partner, and the parent decides about that address as if the
//! partner had connected itself. Only addresses of `tcp_proxy_protocol_from` get here; nobody else's header is read.

use super::accepted::Accepted;
use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::refusal::Refusal;
use common::net::Interrupted;
use common::net::proxy_header::{self, Announced};
use common::process::end_reasons::Status;
use std::time::{Duration, Instant};

/// Time limit for the header: a balancer sends it at once.
const LIMIT: Duration = Duration::from_secs(5);

impl Accepted {
    /// Reads the header, and asks the parent whether its partner may come in. A connection of the balancer itself goes
    /// on as one.
    pub(super) fn read_header(&mut self, context: &mut SessionContext) -> Result<(), Refusal> {
        match self.announced(context)? {
            Announced::Own => {
                self.is_probe = true;
                Ok(())
            }
            Announced::Passed { source, destination } => {
                context.facts.set_peer(source);
                context.facts.reached = Some(destination);
                context.send_to_parent(&ToParent::Source(source));
                wait_for_entry(context)
            }
        }
    }

    fn announced(&mut self, context: &mut SessionContext) -> Result<Announced, Refusal> {
        let deadline = Instant::now() + LIMIT;
        loop {
            context.read_parent()?;
            let broken = |e| Refusal::new(Status::Probe, format!("the balancer broke off: {e}"));
            let (octets, has_ended) = self.wire.read_ahead().map_err(broken)?;
            match proxy_header::parse(octets) {
                Ok(Some((announced, length))) => {
                    self.wire.skip(length);
                    return Ok(announced);
                }
                Ok(None) if has_ended && octets.is_empty() => {
                    return Err(Refusal::new(Status::Probe, "the balancer closed before its PROXY header"));
                }
                Ok(None) if has_ended => {
                    return Err(wrong("the balancer closed within its PROXY header".to_owned()));
                }
                Ok(None) => {}
                Err(e) => return Err(wrong(e.to_string())),
            }
            match context.wait(Some(deadline)) {
                Ok(()) => {}
                Err(Interrupted::Late) => {
                    let detail = format!("no complete PROXY header within {} s", LIMIT.as_secs());
                    return Err(wrong(detail));
                }
                Err(e) => return Err(Refusal::interrupted(e)),
            }
        }
    }
}

fn wrong(detail: String) -> Refusal {
    Refusal::new(Status::ProxyHeader, detail).notify_operator()
}

/// Waits for the parent's answer about the partner.
fn wait_for_entry(context: &mut SessionContext) -> Result<(), Refusal> {
    loop {
        context.read_parent()?;
        match context.entry.take() {
            Some(Ok(())) => return Ok(()),
            Some(Err((status, reason))) => return Err(Refusal::new(status, reason)),
            None if context.parent_gone => {
                return Err(Refusal::new(Status::ClientDown, "the server has ended"));
            }
            None => context.wait(None).map_err(Refusal::interrupted)?,
        }
    }
}
