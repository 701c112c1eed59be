//! Hostile and broken callers: silent ones at every point, too many at once, incomplete requests. The API closes them
//! in time and goes on answering. Deadlines are measured; no test sleeps until they are over.

use crate::https::read_to_end;
use crate::site::{PATIENCE, Site};
use nix::sys::signal::Signal;
use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A silent caller must be closed after this, seconds; the deadlines themselves are 5 s.
const GONE: u64 = 30;

#[test]
fn silent_callers_are_closed_wherever_they_fall_silent() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let began = Instant::now();
    let silent_tcp = client.tcp();
    let silent_tls = client.tls();
    let mut half_header = client.tls();
    half_header.write_all(b"POST /os4xapi/index.php HTTP/1.1\r\nHos").unwrap();
    let mut idle = client.tls();
    idle.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut half_hello = client.tcp();
    half_hello.write_all(b"\x16\x03\x01\x02\x00\x01").unwrap();
    let waiting = [
        std::thread::spawn(move || end_of("TCP", silent_tcp)),
        std::thread::spawn(move || end_of("half a ClientHello", half_hello)),
        std::thread::spawn(move || end_of("TLS", silent_tls)),
        std::thread::spawn(move || end_of("half a header", half_header)),
        std::thread::spawn(move || end_of("idle keep-alive", idle)),
    ];
    for one in waiting {
        one.join().unwrap();
    }
    assert!(began.elapsed().as_secs() < GONE, "{:?}", began.elapsed());
    client.generation();
    serve.end(Signal::SIGTERM);
}

fn end_of(what: &str, mut stream: impl std::io::Read) {
    let octets = read_to_end(&mut stream);
    println!("{what}: closed after {} octets", octets.len());
}

#[test]
fn a_hundred_silent_callers_of_one_address_are_bounded_and_pass() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let crowd: Vec<TcpStream> = (0..100).map(|_| client.tcp()).collect();
    // The oldest connections are closed at once for those beyond the limit of one address, the others by their
    // deadline.
    for mut stream in crowd {
        assert!(read_to_end(&mut stream).is_empty());
    }
    client.generation();
}

/// Longest wait of an honest call while another caller holds connections of its address.
const HONEST: Duration = Duration::from_secs(1);

#[test]
fn silent_callers_give_way_to_an_honest_call_of_their_address() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    client.generation();
    let tcp: Vec<TcpStream> = (0..40).map(|_| client.tcp()).collect();
    let tls: Vec<_> = (0..20).map(|_| client.tls()).collect();
    let headers = (0..20).map(|_| {
        let mut half = client.tls();
        half.write_all(b"POST /os4xapi/index.php HTTP/1.1\r\nHos").unwrap();
        half
    });
    let headers: Vec<_> = headers.collect();
    for _ in 0..3 {
        let began = Instant::now();
        client.generation();
        assert!(began.elapsed() < HONEST, "{:?}", began.elapsed());
    }
    drop((tcp, tls, headers));
    serve.end(Signal::SIGTERM);
}

#[test]
fn torn_and_foreign_requests_leave_the_api_as_it_was() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    for request in [
        &b"\x00\x01\x02\x03"[..],
        b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Length: 11\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut stream = client.tls();
        stream.write_all(request).unwrap();
        let answer = read_to_end(&mut stream);
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
    // Plain HTTP on the TLS port, and a caller that closes the connection in the middle of its body.
    let mut plain = client.tcp();
    plain.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    read_to_end(&mut plain);
    let mut torn = client.tls();
    torn.write_all(b"POST /os4xapi/index.php HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").unwrap();
    drop(torn);
    client.generation();
    let began = Instant::now();
    serve.end(Signal::SIGTERM);
    assert!(began.elapsed() < PATIENCE);
}
