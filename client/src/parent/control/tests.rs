//! A control connection and its renewal, on loopback.

use super::{Outbox, Server, ServerConnection, config_parts};
use common::identity::ProxyId;
use common::link::control::{CHUNK, Control, ToClient, ToServer};
use common::link::ticket::Ticket;
use common::net::{Conn, Wire};
use mio::net::TcpStream;
use openssl::pkey::PKey;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

type Peer = Control<ToServer, ToClient>;

/// Both ends of a connection.
fn connection() -> (ServerConnection, Peer) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let ours = std::net::TcpStream::connect(address).unwrap();
    let (theirs, _) = listener.accept().unwrap();
    let conn = |stream: std::net::TcpStream| {
        stream.set_nonblocking(true).unwrap();
        Conn::Plain(Wire::new(TcpStream::from_std(stream)))
    };
    let proxy_id = ProxyId::of_key(&PKey::generate_ed25519().unwrap()).unwrap().unwrap();
    let control = Control::new(conn(ours));
    (
        ServerConnection {
            control,
            address,
            proxy_id,
            takes_changes: false,
            sends_states: false,
            takes_draining: false,
            acts: Vec::new(),
        },
        Control::new(conn(theirs)),
    )
}

/// Repeats until there is a result, because octets need some time to arrive.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

fn read(server: &mut Peer) -> ToServer {
    until(|| server.receive().unwrap())
}

fn say(server: &mut Peer, reason: &str) {
    server.send(&ToClient::NoOutgoing { reason: reason.to_owned() }).unwrap();
    server.advance().unwrap();
}

fn heard(link: &mut Server, now: Instant) -> String {
    match until(|| link.receive(now).unwrap()) {
        ToClient::NoOutgoing { reason } => reason,
        other => panic!("{other:?}"),
    }
}

fn renewing(message: &ToServer) -> bool {
    matches!(message, ToServer::Renewing { .. })
}

#[test]
fn messages_sent_during_a_renewal_go_to_the_new_connection() {
    let (ours, mut old) = connection();
    let mut link = Server::new(ours);
    link.send(ToServer::WantOutgoing).unwrap();
    link.announce_renewal(Ticket::random().unwrap()).unwrap();
    assert!(matches!(read(&mut old), ToServer::WantOutgoing));
    assert!(renewing(&read(&mut old)));
    link.send_bulk(ToServer::ConfigFailed { reason: "bulk".to_owned() }).unwrap();
    link.send(ToServer::WantOutgoing).unwrap();
    assert!(link.is_bulk_pending());
    link.flush().unwrap();
    assert!(old.receive().unwrap().is_none());
    let (ours, mut new) = connection();
    let address = ours.address;
    link.renewed(ours, Instant::now()).unwrap();
    link.flush().unwrap();
    assert!(matches!(read(&mut new), ToServer::WantOutgoing));
    assert!(matches!(read(&mut new), ToServer::ConfigFailed { .. }));
    assert!(!link.is_bulk_pending());
    assert_eq!(link.address(), address);
    // Nothing is held back any more.
    link.send(ToServer::WantOutgoing).unwrap();
    link.flush().unwrap();
    assert!(matches!(read(&mut new), ToServer::WantOutgoing));
}

#[test]
fn after_a_renewal_that_failed_the_old_connection_gets_all() {
    let (ours, mut old) = connection();
    let mut link = Server::new(ours);
    link.announce_renewal(Ticket::random().unwrap()).unwrap();
    link.send(ToServer::WantOutgoing).unwrap();
    link.renewal_failed().unwrap();
    link.flush().unwrap();
    assert!(renewing(&read(&mut old)));
    assert!(matches!(read(&mut old), ToServer::WantOutgoing));
    let now = Instant::now();
    say(&mut old, "still here");
    assert_eq!(heard(&mut link, now), "still here");
}

#[test]
fn the_old_connection_is_read_to_its_end_before_the_new_one() {
    let now = Instant::now();
    let (ours, mut old) = connection();
    let mut link = Server::new(ours);
    let (ours, mut new) = connection();
    link.renewed(ours, now).unwrap();
    say(&mut new, "third");
    say(&mut old, "first");
    say(&mut old, "second");
    assert_eq!(heard(&mut link, now), "first");
    assert_eq!(heard(&mut link, now), "second");
    assert!(link.receive(now).unwrap().is_none(), "the old one may say more");
    assert!(link.due().unwrap() <= now + Duration::from_secs(2));
    drop(old);
    assert_eq!(heard(&mut link, now), "third");
    assert!(link.receive(now).unwrap().is_none());
}

#[test]
fn an_old_connection_that_does_not_end_is_given_up() {
    let now = Instant::now();
    let (ours, _old) = connection();
    let mut link = Server::new(ours);
    let (ours, mut new) = connection();
    link.renewed(ours, now).unwrap();
    say(&mut new, "news");
    let due = link.due().unwrap();
    assert!(link.receive(due.checked_sub(Duration::from_millis(1)).unwrap()).unwrap().is_none());
    assert_eq!(heard(&mut link, due), "news");
}

#[test]
fn a_server_that_is_lost_before_hello_is_lost() {
    let (ours, old) = connection();
    let mut link = Server::new(ours);
    link.announce_renewal(Ticket::random().unwrap()).unwrap();
    drop(old);
    assert!(until(|| link.receive(Instant::now()).err()).to_string().contains("control connection"));
}

/// A renewal in which the server closed the old connection after Hello.
fn closed_before_welcome() -> Server {
    let (ours, mut old) = connection();
    let mut link = Server::new(ours);
    link.announce_renewal(Ticket::random().unwrap()).unwrap();
    link.set_replaceable();
    say(&mut old, "last words");
    drop(old);
    let now = Instant::now();
    assert_eq!(heard(&mut link, now), "last words");
    until(|| {
        assert!(link.receive(now).unwrap().is_none());
        link.flush().unwrap();
        link.ended.is_some().then_some(())
    });
    // The loop has no reason to wake up.
    assert!(link.due().is_none() && !link.has_more());
    link
}

#[test]
fn a_server_may_close_the_old_connection_before_it_says_welcome() {
    let mut link = closed_before_welcome();
    link.send(ToServer::WantOutgoing).unwrap();
    let (ours, mut new) = connection();
    link.renewed(ours, Instant::now()).unwrap();
    link.flush().unwrap();
    assert!(matches!(read(&mut new), ToServer::WantOutgoing));
    say(&mut new, "news");
    assert_eq!(heard(&mut link, Instant::now()), "news");
}

#[test]
fn a_server_that_closes_the_old_connection_and_gives_no_new_one_is_lost() {
    let mut link = closed_before_welcome();
    assert!(link.renewal_failed().is_err());
}

#[test]
fn messages_are_held_in_their_order() {
    let mut outbox = Outbox::default();
    assert!(outbox.pass(ToServer::WantOutgoing, false).is_some());
    outbox.hold();
    assert!(
        outbox.pass(ToServer::Ping, true).is_none() && outbox.pass(ToServer::WantOutgoing, false).is_none()
    );
    let released = outbox.release();
    assert!(matches!(released[..], [(ToServer::Ping, true), (ToServer::WantOutgoing, false)]));
    assert!(outbox.pass(ToServer::WantOutgoing, false).is_some() && outbox.release().is_empty());
}

#[test]
fn a_configuration_is_whole_again_however_it_was_cut() {
    // Characters of two octets: no cut may go through one.
    for length in [0, 1, CHUNK / 2 - 1, CHUNK / 2, CHUNK / 2 + 1, CHUNK + 7] {
        let text = format!("{}x", "ü".repeat(length));
        let parts = config_parts(&text);
        let mut whole = String::new();
        for (at, part) in parts.iter().enumerate() {
            let ToServer::ConfigPart { text, last } = part else { panic!("{part:?}") };
            assert!(text.expose().len() <= CHUNK);
            assert_eq!(*last, at + 1 == parts.len());
            whole.push_str(text.expose());
        }
        assert_eq!(whole, text);
    }
}
