//! TLS with a partner, whichever side opened the connection: one deadline, and no private key in this process
//! afterwards. Why it fails is told by `tls_refusal`.

use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::refusal::{PendingRefusal, Refusal};
use crate::session::tls_refusal;
use common::net::{Conn, Interrupted, Wire};
use common::process::status::Status;
use common::rpc::CrlUrl;
use common::sys;
use openssl::ssl::Ssl;
use std::task::Poll;
use std::time::{Duration, Instant};

/// The handshake, the partner's certificate included; `ssl` has its role set.
pub(super) fn run(context: &mut SessionContext, ssl: Ssl, wire: Wire) -> Result<Conn, PendingRefusal> {
    let limit = context.active.limits.handshake_seconds;
    let deadline = Instant::now() + Duration::from_secs(u64::from(limit));
    let mut conn = Conn::tls(ssl, wire).map_err(|e| Refusal::internal(&e))?;
    loop {
        context.read_parent()?;
        match conn.handshake() {
            Ok(Poll::Ready(())) => break,
            Ok(Poll::Pending) => {}
            Err(failure) => {
                take_facts(context, &conn);
                report_urls(context);
                let refusal = tls_refusal::of(context, &failure, &mut conn);
                return Err(PendingRefusal { refusal, conn: Some(Box::new(conn)) });
            }
        }
        match context.wait(Some(deadline)) {
            Ok(()) => {}
            Err(Interrupted::Late) => {
                let hint = tls_refusal::hint(conn.wire().first_octet());
                let detail = format!("no complete TLS handshake within {limit} s{hint}");
                return Err(Refusal::new(Status::Timeout, detail).into());
            }
            Err(Interrupted::Ended(_)) => {
                return Err(Refusal::new(Status::Terminated, "told to end during the TLS handshake").into());
            }
            Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
        }
    }
    forget_key(&mut conn, context);
    take_facts(context, &conn);
    report_urls(context);
    Ok(conn)
}

/// No process that reads a partner's octets keeps our private key.
pub(super) fn forget_key(conn: &mut Conn, context: &mut SessionContext) {
    if let Conn::Tls(stream) = conn {
        sys::ssl_forget_certificate(stream);
    }
    context.active.credentials = None;
}

fn take_facts(context: &mut SessionContext, conn: &Conn) {
    let seen = context.active.seen.facts();
    context.facts.subject = seen.subject;
    context.facts.serial = seen.serial;
    if let Some(ssl) = conn.ssl() {
        let cipher = ssl.current_cipher().map_or("?", |cipher| cipher.name());
        context.facts.tls = format!("{} {cipher}", ssl.version_str());
    }
}

/// URLs of CRLs that the backend does not know yet, and who issues the lists there, as far as the backend does not know
/// them; also when the missing CRL is why the partner is refused.
fn report_urls(context: &SessionContext) {
    let active = &context.active;
    for found in active.seen.facts().crl_urls {
        let is_known = found.issuer_print().is_none_or(|print| active.crl_issuers.contains(&print));
        let issuers = if is_known { Vec::new() } else { found.issuers_pem() };
        if !issuers.is_empty() || !active.crl_urls.contains(&found.url) {
            context.send_to_parent(&ToParent::CrlUrl(CrlUrl { url: found.url, issuers }));
        }
    }
}
