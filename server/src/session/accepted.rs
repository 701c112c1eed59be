//! First steps of a session child: parked until the parent hands over a partner's connection, then the TLS handshake
//! under its deadline. Nothing of OFTP2 is read here.

use super::Refusal;
use super::desk::{Data, Desk, Stop};
use super::encrypted::Encrypted;
use crate::active::Active;
use crate::orders::ToParent;
use crate::trust;
use common::exit::Status;
use common::net::{Conn, Interrupted, TlsFailure, Wire};
use common::sys;
use mio::net::TcpStream;
use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslRef};
use std::task::Poll;
use std::time::{Duration, Instant};

/// A partner's TCP connection.
pub(super) struct Accepted {
    socket: TcpStream,
}

/// Parked until there is work.
pub(super) fn wait_for_work(desk: &mut Desk) -> Result<Accepted, Stop> {
    loop {
        desk.listen()?;
        if let Some((socket, peer)) = desk.work.take() {
            sys::set_title(&format!("incoming {}", peer.ip()));
            return Ok(Accepted { socket });
        }
        if desk.orphaned {
            return Err(Stop::Unused(Status::Retired));
        }
        if desk.data.as_mut().is_some_and(Data::has_moved) {
            // The other child is gone, or speaks before its time: this pair is of no use any more. The parent decides
            // what becomes of this child; a partner may be on his way to it.
            desk.data = None;
            desk.tell(&ToParent::DataLost);
        }
        match desk.wait(None) {
            Ok(()) => {}
            Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
            Err(_) => return Err(Stop::Unused(Status::Retired)),
        }
    }
}

impl Accepted {
    /// TLS, the partner's certificate included. The partner-facing private key is gone afterwards.
    pub(super) fn handshake(self, desk: &mut Desk) -> Result<Encrypted, Stop> {
        let deadline = Instant::now() + Duration::from_secs(u64::from(desk.active.limits.handshake_seconds));
        let ssl = accept_state(&desk.active).map_err(|e| Refusal::internal(&e))?;
        let mut conn = Conn::tls(ssl, Wire::new(self.socket)).map_err(|e| Refusal::internal(&e))?;
        loop {
            desk.listen()?;
            match conn.handshake() {
                Ok(Poll::Ready(())) => break,
                Ok(Poll::Pending) => {}
                Err(failure) => {
                    report_urls(desk);
                    let refusal = refused(desk, &failure);
                    desk.say_goodbye(conn);
                    return Err(refusal.into());
                }
            }
            match desk.wait(Some(deadline)) {
                Ok(()) => {}
                Err(Interrupted::Late) => {
                    let limit = desk.active.limits.handshake_seconds;
                    let detail = format!("no complete TLS handshake within {limit} s");
                    return Err(Refusal::new(Status::Timeout, detail).into());
                }
                Err(Interrupted::Ended) => {
                    return Err(
                        Refusal::new(Status::Terminated, "told to end during the TLS handshake").into()
                    );
                }
                Err(Interrupted::Failed(e)) => return Err(Refusal::internal(&e).into()),
            }
        }
        forget_key(&mut conn, desk);
        take_facts(desk, &conn);
        report_urls(desk);
        let certificate = conn.ssl().and_then(SslRef::peer_certificate);
        let candidate = desk.active.has_candidate(certificate.as_deref());
        if candidate && certificate.is_some() {
            desk.tell(&ToParent::Trusted);
        }
        Ok(Encrypted { conn, certificate, candidate })
    }
}

fn accept_state(active: &Active) -> Result<Ssl, ErrorStack> {
    let mut ssl = Ssl::new(&active.tls)?;
    if let Some(own) = &active.own {
        own.show_on(&mut ssl)?;
    }
    ssl.set_accept_state();
    Ok(ssl)
}

/// The handshake is done: no process that reads the partner's octets keeps the key.
fn forget_key(conn: &mut Conn, desk: &mut Desk) {
    if let Conn::Tls(stream) = conn {
        sys::ssl_forget_certificate(stream);
    }
    desk.active.own = None;
}

fn take_facts(desk: &mut Desk, conn: &Conn) {
    let seen = desk.active.seen.facts();
    desk.facts.subject = seen.subject;
    desk.facts.serial = seen.serial;
    if let Some(ssl) = conn.ssl() {
        let cipher = ssl.current_cipher().map_or("?", |cipher| cipher.name());
        desk.facts.tls = format!("{} {cipher}", ssl.version_str());
    }
}

/// URLs of CRLs that the backend does not know yet; also when the missing CRL is why the partner is refused.
fn report_urls(desk: &Desk) {
    let mut urls = desk.active.seen.facts().crl_urls;
    urls.retain(|url| !desk.active.crl_urls.contains(url));
    if !urls.is_empty() {
        desk.tell(&ToParent::CrlUrls(urls));
    }
}

fn refused(desk: &mut Desk, failure: &TlsFailure) -> Refusal {
    let seen = desk.active.seen.facts();
    desk.facts.subject = seen.subject;
    desk.facts.serial = seen.serial;
    let status = match &seen.fault {
        Some((code, _)) => Status::from_word(trust::fault_word(*code)).unwrap_or(Status::BadCertificate),
        None if failure.no_certificate() => Status::NoCertificate,
        None if failure.wrong_protocol() => Status::Protocol,
        None => Status::Tls,
    };
    match seen.fault {
        Some((_, subject)) => Refusal::new(status, format!("{failure}: certificate of {subject}")).grave(),
        None => Refusal::new(status, failure.to_string()),
    }
}
