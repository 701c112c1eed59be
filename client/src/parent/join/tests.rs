//! Joins that hang or fail, with the test's own clock.

use super::{DIAL_AGAIN, Join, Joining, REFUSED_FOR, START_AGAIN, TIME_LIMIT};
use crate::parent::enrolment::Enrolment;
use crate::parent::enrolment::tests::answer;
use common::link::ticket::Ticket;
use mio::{Poll, Token};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

struct Client {
    poller: Poll,
    start: Instant,
}

impl Client {
    fn new() -> Self {
        Self { poller: Poll::new().unwrap(), start: Instant::now() }
    }

    fn join(&self, to: SocketAddr, is_renewal: bool) -> Join {
        let mut enrolment = Enrolment::default();
        let public = enrolment.make_key().unwrap();
        enrolment.accept(&answer(&public, 600), self.start).unwrap();
        let renews = is_renewal.then(|| Ticket::random().unwrap());
        Join::new((vec![to], None), Token(1), enrolment.credentials().unwrap(), renews, self.start)
    }

    /// The join at this time after the start, if it is still in progress; otherwise why it ended.
    fn advance(&self, join: Join, after: Duration) -> Result<Join, String> {
        match join.advance(self.start + after, self.poller.registry()) {
            Ok(Joining::UnderWay(join)) => Ok(*join),
            Ok(Joining::Welcome(_)) => panic!("joined"),
            Err(e) => Err(e.to_string()),
        }
    }

    /// Advances it until it has sent the first octets of TLS.
    fn connect(&self, to: &TcpListener, is_renewal: bool) -> (Join, std::net::TcpStream) {
        let mut join = self.join(to.local_addr().unwrap(), is_renewal);
        join = self.advance(join, Duration::ZERO).unwrap();
        let (stream, _) = to.accept().unwrap();
        stream.set_nonblocking(true).unwrap();
        while stream.peek(&mut [0]).is_err() {
            join = self.advance(join, Duration::ZERO).unwrap();
        }
        (join, stream)
    }
}

fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_server_that_says_nothing_costs_the_time_limit_and_blocks_nobody() {
    let client = Client::new();
    for is_renewal in [false, true] {
        let listener = listener();
        let (mut join, _stream) = client.connect(&listener, is_renewal);
        assert_eq!(join.due(), client.start + TIME_LIMIT);
        join = client.advance(join, TIME_LIMIT.checked_sub(Duration::from_millis(1)).unwrap()).unwrap();
        let error = client.advance(join, TIME_LIMIT).err().unwrap();
        assert_eq!(error, "the server did not answer within 10 s");
    }
}

#[test]
fn a_port_that_refuses_ends_a_first_join_after_15_s_and_a_renewal_at_its_end() {
    let client = Client::new();
    let refused = { listener().local_addr().unwrap() };
    let ends = |mut join: Join, after: Duration| {
        // The kernel may need a moment.
        let deadline = Instant::now() + Duration::from_secs(20);
        while Instant::now() < deadline {
            match client.advance(join, after) {
                Ok(next) => join = next,
                Err(error) => return error,
            }
        }
        panic!("it goes on");
    };
    for (is_renewal, again, end) in [(false, START_AGAIN, REFUSED_FOR), (true, DIAL_AGAIN, TIME_LIMIT)] {
        let mut join = client.join(refused, is_renewal);
        while join.due() != client.start + again {
            join = client.advance(join, Duration::ZERO).unwrap();
        }
        let just_before = end.checked_sub(Duration::from_millis(1)).unwrap();
        while join.due() != client.start + end {
            join = client.advance(join, just_before).unwrap();
        }
        assert!(ends(join, end).contains("refused"));
    }
}

#[test]
fn the_port_may_open_late_and_the_time_limit_begins_then() {
    let client = Client::new();
    for (is_renewal, again, limit) in
        [(true, DIAL_AGAIN, TIME_LIMIT), (false, START_AGAIN, START_AGAIN + TIME_LIMIT)]
    {
        let reserved = listener();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let mut join = client.join(address, is_renewal);
        while join.due() != client.start + again {
            join = client.advance(join, Duration::ZERO).unwrap();
        }
        let listener = TcpListener::bind(address).unwrap();
        join = client.advance(join, Duration::ZERO).unwrap();
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err(), "it does not dial before it is time");
        listener.set_nonblocking(false).unwrap();
        join = client.advance(join, again).unwrap();
        listener.accept().unwrap();
        assert_eq!(join.due(), client.start + limit);
    }
}

#[test]
fn a_server_that_speaks_no_tls_is_refused() {
    let client = Client::new();
    let listener = listener();
    let (mut join, mut stream) = client.connect(&listener, false);
    stream.set_nonblocking(false).unwrap();
    stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    let error = loop {
        match client.advance(join, Duration::ZERO) {
            Ok(next) => join = next,
            Err(error) => break error,
        }
    };
    assert!(error.starts_with("the TLS handshake with the server failed: "), "{error}");
}
