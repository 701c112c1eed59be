//! Calls of good and faulty backends on loopback.

mod site;

use super::agent::{Agent, Limits};
use super::connector::SharedWaiter;
use super::fault::Fault;
use super::task::{Done, Job, Reply, Task};
use super::worker::serve;
use super::{Access, trust};
use common::identity::CertificateKind;
use common::ipc::frame::{self, Splitter};
use common::net::Waiter;
use common::rpc::Call;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, getsockname, socket};
use site::{Conduct, Leaf, SOUND, Server, TOKEN, access, authority, json, token};
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Duration;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Long limits, so that a busy machine does not make a test fail.
const LIMITS: Limits = Limits {
    connect: Duration::from_mins(1),
    call: Duration::from_mins(1),
    report: Duration::from_mins(1),
    answer: 1000,
};

/// Resolves every name to this address.
#[derive(Debug)]
struct Everywhere(SocketAddr);

impl Resolver for Everywhere {
    fn resolve(&self, _: &Uri, _: &Config, _: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let mut addresses = self.empty();
        addresses.push(self.0);
        Ok(addresses)
    }
}

fn shared() -> SharedWaiter {
    SharedWaiter::new(Waiter::new().unwrap())
}

fn call(access: Access, limits: Limits) -> Result<String, Fault> {
    let agent = Agent::new(access, limits, &shared()).unwrap();
    agent.call(&Call::ProxyClientConfig {})
}

/// A call of a backend whose token names the right CA: the result, and the octets that the backend received.
fn called(leaf: Leaf, conduct: Conduct) -> (Result<String, Fault>, String) {
    let ca = authority();
    let server = Server::start(&ca, leaf, conduct);
    let outcome = call(server.access(&token(&ca)), LIMITS);
    (outcome, server.received())
}

fn refusal(leaf: Leaf) -> String {
    let (outcome, sent) = called(leaf, json(200, r#"{"ok":true}"#));
    let fault = outcome.unwrap_err();
    assert!(fault.is_untaken(), "{fault}");
    assert_eq!(sent, "", "{fault}");
    fault.to_string()
}

/// The fault of a call that the backend receives.
fn fault(conduct: Conduct) -> String {
    let fault = called(SOUND, conduct).0.unwrap_err();
    // A call that the backend says it has not carried out can be repeated.
    let text = fault.to_string();
    let has_failed =
        ["answers 500 ", "with status 500", "with status 502"].iter().any(|words| text.contains(words));
    assert_eq!(fault.is_untaken(), has_failed, "{text}");
    text
}

#[test]
fn the_function_and_the_tokens_secret_are_posted() {
    let body = r#"{"ok":true,"config":"ü"}"#;
    let (outcome, sent) = called(SOUND, json(200, body));
    assert_eq!(outcome.unwrap(), body);
    let (head, sent_body) = sent.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /api?x=1 HTTP/1.1\r\n"), "{head}");
    let head = head.to_lowercase();
    for line in ["content-type: application/json", "connection: close"] {
        assert!(head.lines().any(|found| found == line), "{line}: {head}");
    }
    assert!(!head.contains("authorization"), "{head}");
    let (known, time) = sent_body.split_once(r#","client_time":"#).unwrap();
    assert_eq!(known, format!(r#"{{"function":"proxy_client_config","token":"{TOKEN}""#));
    let (time, name) = time.split_once(r#","client_name":""#).unwrap();
    let folder = std::env::current_exe().unwrap().parent().unwrap().display().to_string();
    assert_eq!(name, format!(r#"{}:{folder}"}}"#, common::host_name()));
    let time: i64 = time.parse().unwrap();
    assert!((0..60).contains(&(common::text::clock::now() - time)), "{time}");
}

#[test]
fn a_body_may_come_in_chunks_or_up_to_the_end() {
    for head in
        ["Transfer-Encoding: chunked\r\n\r\n6\r\n{\"ok\":\r\n5\r\ntrue}\r\n0\r\n\r\n", "\r\n{\"ok\":true}"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
        assert_eq!(called(SOUND, Conduct::Answer(answer)).0.unwrap(), r#"{"ok":true}"#);
    }
}

#[test]
fn user_and_password_are_sent_decoded_and_only_in_their_header() {
    let ca = authority();
    let server = Server::start(&ca, SOUND, json(200, r#"{"ok":true}"#));
    let url = format!("https://us%20er:p%40s:s%2F@%C3%BC%@{}/", server.address);
    call(access(&url, &token(&ca)), LIMITS).unwrap();
    let sent = server.received();
    let encoded = openssl::base64::encode_block("us er:p@s:s/@ü%".as_bytes());
    assert_eq!(sent.matches(&format!("Basic {encoded}\r\n")).count(), 1, "{sent}");
    assert!(sent.starts_with("POST / HTTP/1.1\r\n") && !sent.contains('@'), "{sent}");
}

#[test]
fn a_host_name_is_looked_up_and_verified() {
    for (name, right) in [("api.example.org", true), ("*.example.org", true), ("other.example.org", false)] {
        let ca = authority();
        let server = Server::start(&ca, Leaf { name, ..SOUND }, json(200, r#"{"ok":true}"#));
        let waiter = shared();
        let access = access(&format!("https://api.example.org:{}/", server.address.port()), &token(&ca));
        let agent = Agent::with_names(access, LIMITS, &waiter, Everywhere(server.address)).unwrap();
        let outcome = agent.call(&Call::ProxyClientConfig {});
        let sent = server.received();
        assert_eq!((outcome.is_ok(), !sent.is_empty()), (right, right), "{name}");
        assert_eq!(sent.to_lowercase().contains("\r\nhost: api.example.org:"), right, "{sent}");
    }
}

#[test]
fn a_certificate_that_is_not_the_backends_gets_neither_token_nor_password() {
    let name = refusal(Leaf { name: "127.0.0.1", ..SOUND });
    assert!(name.contains("IP address mismatch; -U must use"), "{name}");
    let expired = refusal(Leaf { days: (-3, -1), ..SOUND });
    assert!(expired.contains("certificate has expired; renew it"), "{expired}");
    let early = refusal(Leaf { days: (1, 2), ..SOUND });
    assert!(early.contains("certificate is not yet valid; renew it"), "{early}");
    for kind in [Some(CertificateKind::Licence), Some(CertificateKind::Client), None] {
        let other = refusal(Leaf { kind, ..SOUND });
        assert!(other.contains("of the right CA, but of the kind"), "{other}");
    }
}

#[test]
fn only_the_tokens_ca_counts() {
    let (ca, other) = (authority(), authority());
    // With a plain token the system's store decides, which has no CA of this test.
    for (token, words) in
        [(token(&other), "SHA-256 the token carries"), (TOKEN.to_owned(), "the token names none")]
    {
        let server = Server::start(&ca, SOUND, json(200, r#"{"ok":true}"#));
        let access = server.access(&token);
        let fault = call(access, LIMITS).unwrap_err();
        assert!(fault.is_untaken() && fault.to_string().contains(words), "{fault}");
        assert_eq!(server.received(), "");
    }
}

#[test]
fn a_forged_chain_below_the_right_ca_is_refused() {
    let ca = authority();
    // The same names and the real CA's certificate in the chain, but signed by another key.
    let forger = site::Pair { certificate: ca.certificate.clone(), key: authority().key };
    let server = Server::start(&forger, SOUND, json(200, r#"{"ok":true}"#));
    let fault = call(server.access(&token(&ca)), LIMITS).unwrap_err();
    assert!(fault.is_untaken() && fault.to_string().contains("certificate signature failure"), "{fault}");
    assert_eq!(server.received(), "");
}

#[test]
fn a_refusal_has_the_words_of_the_backend() {
    let text = fault(json(401, r#"{"ok":false,"error":{"code":"bad-token","message":"No."}}"#));
    assert!(text.starts_with("refuses the token (bad-token: No.); -T must be"), "{text}");
    let text = fault(json(500, r#"{"ok":false,"error":{"code":"internal","message":"Disk full."}}"#));
    assert_eq!(text, "answers 500 internal: Disk full.");
    // An error counts whatever the status is, and so does an error status.
    assert!(fault(json(200, r#"{"ok":false,"error":{"code":"x","message":"y"}}"#)).ends_with("200 x: y"));
    assert!(fault(json(500, r#"{"ok":true}"#)).starts_with("answers with status 500: "));
}

#[test]
fn answers_that_are_not_the_backends_are_recognised() {
    for (status, body, words) in [
        (200, "<html>", "an answer that is not os4xapi's"),
        (200, "[]", "an answer that is not of the protocol"),
        (200, r#"{"ok":true"#, "an answer that is not os4xapi's"),
        (302, "", "a redirect, which is not followed"),
        (401, "<html>", "give them in the URL of -U"),
        (404, "<html>", "nothing at this path"),
        (502, "<html>", "a web server in front"),
    ] {
        let text = fault(json(status, body));
        assert!(text.contains(words), "{status}: {text}");
    }
    let text = fault(Conduct::Answer(b"220 smtp ready\r\n\r\n".to_vec()));
    assert!(text.starts_with("cannot be spoken to: "), "{text}");
}

#[test]
fn a_cut_or_oversized_answer_is_refused() {
    for head in ["Content-Length: 99\r\n", ""] {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}\r\n{{\"ok\":true}}").into_bytes();
        let fault = called(SOUND, Conduct::Break(answer)).0.unwrap_err();
        assert!(fault.to_string().starts_with("broke the connection off"), "{fault}");
        // The backend may have done it, and does this one only once.
        assert!(!fault.is_untaken() && fault.allows_again(&Call::ProxySession { events: Vec::new() }));
        assert!(!fault.allows_again(&Call::ProxyClientConfig {}));
    }
    let body = format!(r#"{{"ok":true,"text":"{}"}}"#, "x".repeat(LIMITS.answer));
    assert_eq!(fault(json(200, &body)), "sent an answer of more than 1000 octets, which is refused");
}

#[test]
fn a_silent_backend_costs_the_time_limit_and_no_more() {
    let ca = authority();
    let limits = Limits { call: Duration::from_secs(2), ..LIMITS };
    let server = Server::start(&ca, SOUND, Conduct::GreetingError);
    let fault = call(server.access(&token(&ca)), limits).unwrap_err();
    assert_eq!(fault.to_string(), "did not answer within 2s; look at its load and its log");
    assert!(server.received().contains(TOKEN));

    // Nobody accepts the connection, so the handshake gets no answer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let limits = Limits { connect: Duration::from_millis(100), ..LIMITS };
    let fault = call(access(&url, &token(&ca)), limits).unwrap_err();
    assert!(fault.to_string().starts_with("did not take the connection within 100ms"), "{fault}");
}

#[test]
fn the_fault_of_a_closed_port_names_its_address() {
    // Bound but not listening: connections are refused, and nobody else gets the port.
    let held = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(held.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    let port = getsockname::<SockaddrIn>(held.as_raw_fd()).unwrap().port();
    let fault = call(access(&format!("https://127.0.0.1:{port}/"), "x"), LIMITS).unwrap_err();
    assert!(fault.is_untaken());
    let text = fault.to_string();
    assert!(
        text.starts_with(&format!("cannot be reached at 127.0.0.1:{port}: Connection refused")),
        "{text}"
    );
}

#[test]
fn a_call_that_one_place_has_not_carried_out_is_made_at_the_next_one() {
    let ca = authority();
    let closed = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let failing = Server::start(&ca, SOUND, json(500, r#"{"ok":false,"error":{"code":"x","message":"y"}}"#));
    let good = Server::start(&ca, SOUND, json(200, r#"{"ok":true}"#));
    let list = format!("https://{closed}/,https://u:p@{}/a,https://{}/b", failing.address, good.address);
    let agent = Agent::new(access(&list, &token(&ca)), LIMITS, &shared()).unwrap();
    agent.call(&Call::ProxyClientConfig {}).unwrap();
    assert!(agent.url().ends_with("/b"), "{}", agent.url());
    let [first, second] = [failing, good].map(Server::received);
    // Each place gets its own user and password.
    assert!(first.contains("POST /a ") && first.contains("authorization") && second.contains("POST /b "));
    assert!(!second.contains("authorization"), "{second}");

    // The good one stays the first; when all have failed, the fault is that of the last one.
    let fault = agent.call(&Call::ProxyClientConfig {}).unwrap_err();
    assert!(fault.to_string().contains("cannot be reached") && agent.url().ends_with("/a"), "{fault}");
}

#[test]
fn a_call_that_may_have_been_carried_out_is_not_repeated_elsewhere() {
    let ca = authority();
    let broken = Server::start(&ca, SOUND, Conduct::Break(b"HTTP/1.1 200 X\r\n".to_vec()));
    let good = Server::start(&ca, SOUND, json(200, r#"{"ok":true}"#));
    let list = format!("https://{}/a,https://{}/b", broken.address, good.address);
    let agent = Agent::new(access(&list, &token(&ca)), LIMITS, &shared()).unwrap();
    let fault = agent.call(&Call::ProxyClientConfig {}).unwrap_err();
    assert!(!fault.is_untaken() && agent.url().ends_with("/a"), "{fault}");
    agent.call(&Call::ProxyClientConfig {}).unwrap();
    assert!(agent.url().ends_with("/b"), "the next call is made there");
}

#[test]
fn a_port_without_tls_is_recognised() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let plain = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // Read until the client is gone: it must see the answer before the end.
        let mut sent = Vec::new();
        let _ = socket.read_to_end(&mut sent);
        sent
    });
    let fault = call(access(&url, TOKEN), LIMITS).unwrap_err();
    assert!(fault.is_untaken() && fault.to_string().contains("-U leads to an https port"), "{fault}");
    assert!(!String::from_utf8_lossy(&plain.join().unwrap()).contains(TOKEN));
}

#[test]
fn no_text_has_a_secret() {
    let access = access("https://user:p4ss@127.0.0.1/", "t0ken");
    let (secret, _) = trust::halves(&access.token);
    let shown = format!("{access:?} {secret:?}");
    assert!(!["user", "p4ss", "t0ken"].iter().any(|secret| shown.contains(secret)), "{shown}");
}

/// The next finished task: its number, and its answer or the reason of the failure.
fn done(parent: &mut UnixStream, splitter: &mut Splitter) -> (u64, Result<String, (String, bool)>) {
    let mut chunk = [0; 4096];
    loop {
        if let Some(Done { number, reply }) = splitter.take().unwrap() {
            return match reply {
                Reply::Answer { text } => (number, Ok(text.expose().to_owned())),
                Reply::Failed { reason, untaken, .. } => (number, Err((reason, untaken))),
                Reply::Addresses(addresses) => (number, Ok(format!("{addresses:?}"))),
            };
        }
        let count = parent.read(&mut chunk).unwrap();
        assert_ne!(count, 0, "the worker has ended");
        splitter.feed(&chunk[..count]);
    }
}

fn tasks(calls: impl IntoIterator<Item = Call>) -> Vec<u8> {
    let tasks = calls.into_iter().zip(1..).map(|(call, number)| Task { number, job: Job::Call(call) });
    tasks.flat_map(|task| frame::encode(&task).unwrap()).collect()
}

#[test]
fn the_worker_answers_questions_first_and_ends_with_its_parent() {
    let ca = authority();
    let server = Server::start(&ca, SOUND, json(200, r#"{"ok":true,"n":1}"#));
    let access = server.access(&token(&ca));
    let (mut parent, link) = UnixStream::pair().unwrap();
    let report = || Call::ProxySession { events: Vec::new() };
    // All tasks at once; all calls but the first one find that the server is gone.
    parent.write_all(&tasks([report(), report(), Call::ProxyClientConfig {}])).unwrap();
    let worker = thread::spawn(move || serve(link, access, LIMITS));
    let mut splitter = Splitter::new(4096);
    assert_eq!(done(&mut parent, &mut splitter), (3, Ok(r#"{"ok":true,"n":1}"#.to_owned())));
    for number in [1, 2] {
        let (found, reply) = done(&mut parent, &mut splitter);
        let (reason, untaken) = reply.unwrap_err();
        assert_eq!((found, untaken), (number, true));
        assert!(reason.starts_with("the backend https://127.0.0.1:"), "{reason}");
        assert!(!reason.contains(TOKEN));
    }
    drop(parent);
    worker.join().unwrap().unwrap();
}

#[test]
fn the_worker_looks_hosts_up() {
    let (mut parent, link) = UnixStream::pair().unwrap();
    let job = Job::LookUp { host: "::1".to_owned(), port: 2878 };
    parent.write_all(&frame::encode(&Task { number: 1, job }).unwrap()).unwrap();
    let worker = thread::spawn(move || serve(link, access("https://127.0.0.1/", TOKEN), LIMITS));
    let addresses = done(&mut parent, &mut Splitter::new(4096));
    assert_eq!(addresses, (1, Ok("[[::1]:2878]".to_owned())));
    drop(parent);
    worker.join().unwrap().unwrap();
}

#[test]
fn a_reason_is_short_whatever_the_backend_says() {
    let ca = authority();
    let body = format!(r#"{{"ok":false,"error":{{"code":"x","message":"{}"}}}}"#, "y".repeat(3_000_000));
    let server = Server::start(&ca, SOUND, json(500, &body));
    let access = server.access(&token(&ca));
    let (mut parent, link) = UnixStream::pair().unwrap();
    parent.write_all(&tasks([Call::ProxyClientConfig {}])).unwrap();
    let limits = Limits { answer: 4_000_000, ..LIMITS };
    let worker = thread::spawn(move || serve(link, access, limits));
    let (_, reply) = done(&mut parent, &mut Splitter::new(4096));
    let (reason, _) = reply.unwrap_err();
    assert!(
        reason.contains("answers 500 x: yyy") && reason.ends_with("...") && reason.len() <= 1000,
        "{reason}"
    );
    drop(parent);
    worker.join().unwrap().unwrap();
}
