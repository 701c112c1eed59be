//! Connections to the server's internal port: which ones are accepted, and that all others are refused with one line in
//! the log and without an effect on anybody.

use nix::sys::signal::{Signal, kill};
use openssl::ssl::SslVersion;
use serde_json::json;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;
use t::link::{Control, Identity, Pair, tcp};
use t::site::sockets::is_open;
use t::site::{Builder, Role, Site, SiteError};
use t::wait::wait_for;

/// The reason in the server's only line of `event` about this address.
fn refusal(site: &Site, event: &str, address: SocketAddr) -> String {
    let line_of = |line: &str| {
        let line = t::loglines::Line::read(line)?;
        let is_it = line.event() == event && line.field("address")? == address.to_string();
        is_it.then(|| (line.level.to_owned(), line.field("reason").unwrap_or_default()))
    };
    let lines = || site.log(Role::Server).lines().filter_map(line_of).collect::<Vec<_>>();
    wait_for(&format!("{event} of {address}"), || (!lines().is_empty()).then_some(()));
    let lines = lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(lines[0].0, "WARN");
    lines[0].1.clone()
}

/// Reads until the server has closed; returns the octets.
fn read_to_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    match stream.read_to_end(&mut all) {
        Ok(_) => all,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => all,
        Err(error) => panic!("the server has not closed: {error}"),
    }
}

/// A site whose client has ended, so that the internal port listens.
fn without_client(name: &str) -> Site {
    let mut site = Site::start(name).unwrap();
    site.assert_works();
    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    site.wait_log_after(Role::Server, mark, "client_gone");
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
    site
}

/// A new client joins, sessions succeed, and everything ends in the regular way.
fn works_again(mut site: Site) {
    let mark = site.mark(Role::Server);
    site.restart(Role::Client).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    site.assert_works();
    site.end();
}

#[test]
fn without_a_client_certificate_of_the_backend_a_client_is_refused() {
    let site = without_client("client-certificates");
    let foreign = site.authority.issue(&oftp2peer::ca::Request::new("os4x_proxyclient2")).unwrap();
    let foreign = Identity { certificate: foreign.certificate, key: foreign.key };
    let licence = Identity::licence(&site).unwrap();
    for (identity, why) in [
        (None, "peer did not return a certificate"),
        (Some(&foreign), "certificate verify failed"),
        (Some(&licence), "certificate"),
    ] {
        let mut control = Control::open(&site, identity).unwrap();
        // It may be refused before Hello is sent.
        let _ = control.hello();
        let answer = control.receive();
        assert!(answer.is_err(), "{answer:?}");
        let reason = refusal(&site, "client_refused", control.address().unwrap());
        assert!(reason.contains("its TLS handshake failed") && reason.contains(why), "{reason}");
    }
    let old = Control::open_with(&site, Some(&licence), SslVersion::TLS1_2);
    assert!(old.is_err(), "TLS 1.2 on the link");
    works_again(site);
}

#[test]
fn a_certified_client_that_speaks_another_language_is_refused() {
    let site = without_client("language");
    let identity = Identity::enrolled(&site).unwrap();
    let frame = |text: &str| {
        let length = u32::try_from(text.len()).unwrap();
        [&length.to_be_bytes(), text.as_bytes()].concat()
    };
    let cases = [
        (frame(r#"{"hello":{"version":4294967}}"#), "speaks version 4294967 of the link"),
        (frame(r#"{"hello":{"version":1"#), "no message of this protocol"),
        (
            frame(r#"{"config-failed":{"reason":"a message, but not the first"}}"#),
            "first message was not Hello",
        ),
        (vec![0xff; 4], "4294967295 octets"),
    ];
    for (octets, why) in cases {
        let mut control = Control::open(&site, Some(&identity)).unwrap();
        control.send_raw(&octets).unwrap();
        if why.contains("version") {
            let answer = control.receive().unwrap();
            assert!(answer["refused"]["reason"].as_str().unwrap().contains(why), "{answer}");
        }
        let answer = control.receive();
        assert!(answer.is_err(), "{answer:?}");
        let reason = refusal(&site, "client_refused", control.address().unwrap());
        assert!(reason.contains(why), "{why}: {reason}");
    }
    works_again(site);
}

#[test]
fn a_connection_without_tls_and_preamble_is_refused_at_once() {
    let site = without_client("garbage");
    let cases: [(&[u8], &str); 4] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "speaks neither TLS nor the preamble"),
        (b"\x16GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "its TLS handshake failed"),
        (b"OS4XPR/1", "closed within its preamble"),
        (b"", "closed before any data"),
    ];
    for (octets, why) in cases {
        let mut stream = tcp(site.internal).unwrap();
        stream.write_all(octets).unwrap();
        // It may be refused already, and gone.
        let _ = stream.shutdown(Shutdown::Write);
        read_to_end(&stream);
        let reason = refusal(&site, "client_refused", stream.local_addr().unwrap());
        assert!(reason.contains(why), "{why}: {reason}");
    }
    works_again(site);
}

/// Takes 10 s, the time limit.
#[test]
fn a_connection_that_does_not_authenticate_may_be_silent_for_ten_seconds() {
    let site = without_client("silent");
    let identity = Identity::enrolled(&site).unwrap();
    // One of them is certified and still sends nothing.
    let certified = Control::open(&site, Some(&identity)).unwrap();
    let silent: Vec<TcpStream> = (0..9).map(|_| tcp(site.internal).unwrap()).collect();
    let addresses = silent.iter().map(|stream| stream.local_addr().unwrap());
    for address in addresses.chain([certified.address().unwrap()]) {
        let reason = refusal(&site, "client_refused", address);
        assert!(reason.contains("within 10 s"), "{reason}");
    }
    for stream in &silent {
        assert!(read_to_end(stream).is_empty());
    }
    works_again(site);
}

#[test]
fn while_a_client_is_joined_a_second_one_and_foreign_pairs_are_refused() {
    let site = Site::start("second-client").unwrap();
    site.assert_works();
    let identity = Identity::enrolled(&site).unwrap();
    site.wait_pool();
    // The client's children are stopped and cannot connect, so the server, which lost one of its own children, listens
    // for them.
    let stopped = site.titled(Role::Client, "parked");
    for pid in &stopped {
        kill(*pid, Signal::SIGSTOP).unwrap();
    }
    kill(*site.titled(Role::Server, "parked").first().unwrap(), Signal::SIGTERM).unwrap();
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));

    for message in
        [json!({"hello": {"version": 1}}), json!({"hello": {"version": 1, "renews": "ab".repeat(32)}})]
    {
        let mut second = Control::open(&site, Some(&identity)).unwrap();
        second.send(&message).unwrap();
        let answer = second.receive().unwrap();
        let answered = answer["refused"]["reason"].as_str().unwrap();
        assert!(second.receive().is_err());
        let logged = refusal(&site, "client_refused", second.address().unwrap());
        assert_eq!(answered, logged);
        let renews = message["hello"]["renews"].is_string();
        let why = if renews {
            "renews a control connection that this server does not have"
        } else {
            "joined already"
        };
        assert!(answered.contains(why), "{answered}");
    }
    let stranger = Pair { id: "5a".repeat(16), ticket: Vec::new() }.dial(&site).unwrap();
    assert_eq!(read_to_end(&stranger), b"N");
    let reason = refusal(&site, "pair_refused", stranger.local_addr().unwrap());
    assert!(reason.contains("no such pair"), "{reason}");

    for pid in &stopped {
        kill(*pid, Signal::SIGCONT).unwrap();
    }
    site.assert_works();
    assert!(!site.log(Role::Server).contains("client_gone"));
    site.end();
}

/// A joined client of the test, which keeps the internal port open until the returned end is dropped.
fn hold_port_open(mut control: Control) -> (std::sync::mpsc::Sender<()>, std::thread::JoinHandle<Control>) {
    let (stop, stopped) = channel();
    let holding = std::thread::spawn(move || {
        loop {
            control.send(&json!({"renewing": {"secret": "00".repeat(32)}})).unwrap();
            if stopped.recv_timeout(Duration::from_secs(1)) == Err(RecvTimeoutError::Disconnected) {
                return control;
            }
        }
    });
    (stop, holding)
}

#[test]
fn a_ninth_client_that_would_stand_by_ends_with_the_servers_reason() {
    let mut site = without_client("ninth-daemon");
    let (stop, holding) = hold_port_open(Control::join(&site).unwrap());
    let identity = Identity::enrolled(&site).unwrap();
    let standbys: Vec<Control> = std::iter::repeat_with(|| {
        let mut control = Control::open(&site, Some(&identity)).unwrap();
        control.send(&json!({"hello": {"version": 1, "stands_by": true}})).unwrap();
        assert_eq!(control.receive().unwrap(), json!("standby"));
        control
    })
    .take(8)
    .collect();
    site.restart(Role::Client).unwrap();
    assert_eq!(site.wait_end(Role::Client).unwrap().code(), Some(1));
    assert!(!site.pid_file(Role::Client).exists());
    let said = site.output(Role::Client);
    let why =
        "the server refused this client: a client is joined already, and 8 others stand by: end one of them";
    assert!(said.contains(why), "{said}");
    drop((stop, standbys));
    let mark = site.mark(Role::Server);
    drop(holding.join().unwrap());
    site.wait_log_after(Role::Server, mark, "client_gone");
    works_again(site);
}

/// Announces a renewal that does not come: the port listens for 10 s.
fn open_port(control: &mut Control, site: &Site) {
    control.send(&json!({"renewing": {"secret": "00".repeat(32)}})).unwrap();
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
}

/// Connects for a pair while the port listens for another reason.
fn dial_again(control: &mut Control, site: &Site, pair: &Pair) -> TcpStream {
    open_port(control, site);
    pair.dial(site).unwrap()
}

/// Connects again for a pair that does not wait for it: refused.
fn dial_in_vain(control: &mut Control, site: &Site, pair: &Pair) {
    let again = dial_again(control, site, pair);
    assert_eq!(read_to_end(&again), b"N");
    let reason = refusal(site, "pair_refused", again.local_addr().unwrap());
    assert!(reason.contains("no such pair, or it has its data connection already"), "{reason}");
}

/// The next pair that the server asks for, with its data connection: it is the only parked pair.
fn park(control: &mut Control, site: &Site) -> (Pair, TcpStream) {
    loop {
        let pair = control.next_pair().unwrap();
        open_port(control, site);
        let data = pair.dial(site).unwrap();
        // Once this one is declined, the server has the first one.
        assert_eq!(read_to_end(&dial_again(control, site, &pair)), b"N");
        data.set_nonblocking(true).unwrap();
        // On a slow machine the pair may have been given up before the connection was made.
        if data.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
            data.set_nonblocking(false).unwrap();
            return (pair, data);
        }
    }
}

#[test]
fn a_ticket_is_good_for_its_own_pair_and_once() {
    let mut site = without_client("tickets");
    let mark = site.mark(Role::Server);
    let mut control = Control::join(&site).unwrap();
    control.pass_config(&site).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    let call = || {
        let partner = site.partner("O0013ACME").unwrap();
        std::thread::spawn(move || partner.call())
    };

    // The wrong ticket: whoever dialled in learns nothing. One more pair is asked for and not had; the partner hears
    // it.
    let (pair, data) = park(&mut control, &site);
    let session = call();
    let joined = Pair { ticket: vec![7; 32], ..pair }.join(data);
    assert!(joined.is_err(), "{joined:?}");
    assert_eq!(session.join().unwrap().ending.reason(), Some(8));

    // The right ticket. The question names partner and SSIDCODE, and no station.
    let (pair, data) = park(&mut control, &site);
    let session = call();
    let mut data = pair.join(data).unwrap();
    let question = data.receive().unwrap();
    assert_eq!((&question["partner"], &question["ssid"]), (&json!("acme"), &json!("O0013ACME")));
    // The ticket is used now.
    dial_in_vain(&mut control, &site, &pair);
    data.send(&json!({"failed": {"reason": "there is no station here"}})).unwrap();
    assert_eq!(session.join().unwrap().ending.reason(), Some(8));

    for line in ["reason=client-down", "reason=station-down"] {
        site.wait_log_after(Role::Server, mark, &format!("session_refused*{line}"));
    }
    assert_eq!(site.log(Role::Server)[mark..].matches("session_refused ").count(), 2);
    let mark = site.mark(Role::Server);
    drop(control);
    site.wait_log_after(Role::Server, mark, "client_gone");
    works_again(site);
}

#[test]
fn a_pair_that_the_client_has_let_go_is_no_fault() {
    let site = without_client("let-go");
    kill(site.pid(Role::Server), Signal::SIGTTIN).unwrap();
    wait_for("DEBUG", || site.log(Role::Server).contains("level=DEBUG").then_some(()));
    let mut control = Control::join(&site).unwrap();
    control.pass_config(&site).unwrap();
    // Nobody has connected for them yet.
    let (one, other) = (control.next_pair().unwrap(), control.next_pair().unwrap());
    for (pair, retired) in [(&one, true), (&other, false)] {
        let why = json!({"pair": pair.id, "reason": "the test says so", "retired": retired});
        control.send(&json!({"pair-failed": why})).unwrap();
    }
    let line_of = |pair: &Pair| {
        wait_for("a line of the pair", || {
            let log = site.log(Role::Server);
            let words = [format!("pair {} is retired: ", pair.id), format!("pair {} failed: ", pair.id)];
            let line = log.lines().find(|line| words.iter().any(|words| line.contains(words)))?;
            t::loglines::Line::read(line).map(|line| line.level.to_owned())
        })
    };
    assert_eq!((line_of(&one), line_of(&other)), ("DEBUG".to_owned(), "WARN".to_owned()));
    assert!(!site.log(Role::Server).contains(&format!("pair {} failed", one.id)));
    drop(control);
    works_again(site);
}

#[test]
fn a_client_renews_its_control_connection_and_is_never_gone() {
    let mut site = without_client("renewal");
    let mark = site.mark(Role::Server);
    let mut first = Control::join(&site).unwrap();
    first.pass_config(&site).unwrap();
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    let mark = site.mark(Role::Server);
    let secret = "5e".repeat(32);
    first.send(&json!({"renewing": {"secret": secret}})).unwrap();
    wait_for("the internal port to listen", || is_open(site.internal).then_some(()));
    let mut second = Control::open(&site, Some(&Identity::enrolled(&site).unwrap())).unwrap();
    second.send(&json!({"hello": {"version": 1, "renews": secret}})).unwrap();
    assert_eq!(
        second.receive().unwrap(),
        json!({"welcome": {"version": 1, "changes": true, "states": true, "drains": true,
            "acts": ["end-session", "test-partner"]}})
    );
    site.wait_log_after(Role::Server, mark, "client_joined*renewed=yes");
    // The first connection is closed; pairs are requested on the second one.
    while first.receive().is_ok() {}
    drop(first);
    let partner = site.partner("O0013ACME").unwrap();
    let session = std::thread::spawn(move || partner.call());
    second.next_pair().unwrap();
    // A secret is valid for one renewal.
    open_port(&mut second, &site);
    let mut third = Control::open(&site, Some(&Identity::enrolled(&site).unwrap())).unwrap();
    third.send(&json!({"hello": {"version": 1, "renews": secret}})).unwrap();
    let answer = third.receive().unwrap();
    assert!(answer["refused"]["reason"].as_str().unwrap().contains("does not have"), "{answer}");
    let log = site.log(Role::Server)[mark..].to_owned();
    assert!(!log.contains("client_gone") && !log.contains("listener_closed"), "{log}");
    drop(second);
    site.wait_log_after(Role::Server, mark, "client_gone");
    // The client of this session is gone.
    assert_eq!(session.join().unwrap().ending.reason(), Some(8));
    works_again(site);
}

/// Starts the client with a server of the test, which accepts it with `identity` and then runs `script`; returns the
/// client's standard error when it has ended with status 1.
fn meets(site: &Site, identity: &Identity, script: impl FnOnce(Result<Control, SiteError>)) -> String {
    let listener = TcpListener::bind(site.internal).unwrap();
    let client = site.detached(Role::Client).stderr(Stdio::piped()).spawn().unwrap();
    script(Control::accept(&listener, identity));
    let output = client.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    wait_for("the client's end", || (!site.pid_file(Role::Client).exists()).then_some(()));
    said
}

#[test]
fn the_client_says_nothing_to_a_server_without_a_licence() {
    let mut site = Builder::new("no-licence").prepare().unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let foreign = site.authority.issue(&oftp2peer::ca::Request::new("os4x_proxyserver2")).unwrap();
    let foreign = Identity { certificate: foreign.certificate, key: foreign.key };
    // From the right CA, but of the wrong kind.
    let client = Identity::enrolled(&site).unwrap();
    for identity in [foreign, client] {
        let said = meets(&site, &identity, |control| {
            let heard = control.and_then(|mut control| control.receive());
            assert!(heard.is_err(), "{heard:?}");
        });
        assert!(said.contains("the TLS handshake with the server failed"), "{said}");
    }
    site.end();
}

#[test]
fn a_server_that_speaks_another_language_ends_the_client() {
    let mut site = Builder::new("other-server").prepare().unwrap();
    site.restart(Role::Api).unwrap();
    site.wait_log(Role::Api, "listening on");
    let licence = Identity::licence(&site).unwrap();
    let cases = [
        (json!({"welcome": {"version": 9}}), "the server speaks version 9 of the link"),
        (json!({"refused": {"reason": "not today"}}), "the server refused this client: not today"),
        (json!({"get-config": {"generation": null}}), "first message was not Welcome"),
        (json!({"connect": {"host": "192.0.2.1"}}), "no message of this protocol"),
    ];
    for (message, why) in cases {
        let said = meets(&site, &licence, |control| {
            let mut control = control.unwrap();
            assert_eq!(
                control.receive().unwrap(),
                json!({"hello": {"version": 1, "states": true, "stands_by": true}})
            );
            control.send(&message).unwrap();
            assert!(control.receive().is_err());
        });
        assert!(said.contains(why), "{why}: {said}");
    }
    site.end();
}

#[test]
fn a_server_that_the_backend_does_not_list_is_not_joined() {
    let mut site = without_client("proxy-id");
    let listed = site.api(&["proxy", "list", "--json"]).unwrap();
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let id = listed[0]["proxy_id"].as_str().unwrap_or_else(|| panic!("{listed}")).to_owned();
    site.api(&["proxy", "remove", &id]).unwrap();
    let output = site.detached(Role::Client).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("this is not the right server") && said.contains(&id), "{said}");
    site.wait_log(Role::Server, "client_refused*reason=");
    wait_for("the client's end", || (!site.pid_file(Role::Client).exists()).then_some(()));
    site.api(&["proxy", "add", &id]).unwrap();
    works_again(site);
}
