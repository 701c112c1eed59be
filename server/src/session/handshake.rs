//! TLS with a partner, in either direction: one deadline, and no private key in this process afterwards. `tls_refusal`
//! finds the reason of a failure.

use crate::messages::ToParent;
use crate::session::context::SessionContext;
use crate::session::refusal::{PendingRefusal, Refusal};
use crate::session::tls_refusal;
use common::net::{Conn, Interrupted, Wire};
use common::process::end_reasons::Status;
use common::rpc::{CrlUrl, MAX_CHAIN};
use common::sys;
use openssl::ssl::{Ssl, SslRef};
use std::task::Poll;
use std::time::{Duration, Instant};

/// Does the handshake, including the partner's certificate; the role of `ssl` is set.
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

/// Drops our private key: no process that reads a partner's octets keeps it.
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
        context.facts.chain = shown_chain(ssl);
    }
}

/// The certificates that the partner has shown, PEM, its own first, as many as fit into a report.
fn shown_chain(ssl: &SslRef) -> Vec<String> {
    let leaf = ssl.peer_certificate();
    // Only on the connecting side, they include the partner's own certificate.
    let others = ssl.peer_cert_chain().into_iter().flatten().skip(usize::from(!ssl.is_server()));
    let mut octets = 0;
    leaf.as_deref()
        .into_iter()
        .chain(others)
        .map_while(|certificate| String::from_utf8(certificate.to_pem().ok()?).ok())
        .take_while(|pem| {
            octets += pem.len();
            octets <= MAX_CHAIN
        })
        .collect()
}

/// Reports CRL URLs that the backend does not know yet, with the issuers that it does not know. This is also done if
/// the partner is refused because the CRL is missing.
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
