//! The session list of the backend: who was connected and how it ended, in both directions, during the session and
//! afterwards; sessions that outlive their client; and a backend that is down, which delays nobody.

use crate::outward::{acme, certificate, connect, launch, listening, station, tls};
use nix::sys::signal::Signal;
use oftp2peer::Running;
use oftp2peer::oftp::report::Ending;
use oftp2peer::oftp::settings::{Act, Intake, Misbehaviour, OutFile, Point, Settings};
use serde_json::Value;
use t::site::{Builder, Flight, Role, Site};
use t::wait::wait_for;

/// A running site whose partner `acme` calls and is called.
fn site(builder: Builder) -> (Site, Running) {
    let site = builder.outgoing().prepare().unwrap();
    let partner = listening(acme(), Some(tls(&site, &certificate(&site))));
    (launch(site, &partner, &[]), partner)
}

fn listed(site: &Site) -> Vec<Value> {
    match site.listed(&["sessions"]).unwrap() {
        Value::Array(all) => all,
        other => panic!("no list: {other}"),
    }
}

/// Waits until this number of sessions is listed in this state; returns them.
#[track_caller]
fn wait_listed(site: &Site, state: &str, count: usize) -> Vec<Value> {
    wait_for(&format!("{count} sessions listed as {state}"), || {
        let all: Vec<Value> = listed(site).into_iter().filter(|one| one["state"] == state).collect();
        (all.len() == count).then_some(all)
    })
}

/// The ID of the only session in this direction, from the logs of both daemons.
fn logged_id(site: &Site, direction: &str) -> String {
    let ids = [Role::Server, Role::Client].map(|role| {
        let log = site.log(role);
        let after = log.split(&format!("session_begin direction={direction} session=")).nth(1).unwrap();
        after.split(' ').next().unwrap().to_owned()
    });
    assert_eq!(ids[0], ids[1]);
    ids[0].clone()
}

#[test]
fn sessions_of_both_directions_are_listed_while_they_run_and_afterwards() {
    let (site, partner) = site(Builder::new("list"));
    let inward = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let outward = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    let running = wait_listed(&site, "running", 2);
    for (direction, address, station) in [
        ("incoming", "127.0.0.1:".to_owned(), site.station_address.to_string()),
        ("outgoing", partner.address().to_string(), "127.0.0.1:".to_owned()),
    ] {
        let one = running.iter().find(|one| one["direction"] == direction).unwrap();
        let text = |key: &str| one[key].as_str().unwrap_or_default();
        assert_eq!(text("session"), logged_id(&site, direction));
        assert!(text("address").starts_with(&address) && text("station").starts_with(&station), "{one}");
        assert_eq!((text("partner"), text("ssid")), ("acme", "O0013ACME"));
        assert!(text("subject").contains("serialNumber=O0013ACME") && !text("serial").is_empty(), "{one}");
        assert!(text("tls").starts_with("TLSv1.3 ") && one["pid"].is_u64() && one["began"].is_u64(), "{one}");
        assert!(one["ended"].is_null() && one["octets_in"].is_null() && one["reason"].is_null(), "{one}");
    }
    assert!(inward.land().unwrap().is_good() && outward.land().unwrap().is_good());
    for one in wait_listed(&site, "ended", 2) {
        assert_eq!(
            (&one["reason"], &one["files"], &one["receipts"]),
            (&"normal".into(), &1.into(), &1.into())
        );
        let [much, little] = if one["direction"] == "incoming" {
            ["octets_in", "octets_out"]
        } else {
            ["octets_out", "octets_in"]
        };
        assert!(one[much].as_u64() > Some(4_000_000) && one[little].as_u64() > Some(100), "{one}");
        let sender = if one["direction"] == "incoming" { "partner" } else { "station" };
        let file = serde_json::json!(
            [{"sender": sender, "name": "FLIGHT", "octets": 4_000_000, "result": "accepted"}]
        );
        assert_eq!(one["transfers"], file);
    }
    let shown = site.api(&["sessions"]).unwrap();
    for words in ["incoming   acme", "outgoing   acme", "normal"] {
        assert!(shown.contains(words), "{shown}");
    }
    let files = site.api(&["sessions", "--files"]).unwrap();
    assert_eq!(files.matches("FLIGHT").count(), 2, "{files}");
    site.end();
}

#[test]
fn files_are_listed_with_their_results() {
    let nowhere = Intake { refuse: Some((2, false)), ..acme().intake };
    let mut site = Builder::new("results").outgoing().prepare().unwrap();
    let context = tls(&site, &certificate(&site));
    let picky = listening(Settings { intake: nowhere, ..acme() }, Some(context.clone()));
    let misbehaviour = Misbehaviour { at: Point::Data(500_000), act: Act::Reset };
    let breaks = listening(Settings { misbehaviour: Some(misbehaviour), ..acme() }, Some(context));
    for (name, ssid, at) in [("picky", "O0013PICKY", &picky), ("breaks", "O0013BREAKS", &breaks)] {
        let port = at.address().port().to_string();
        site.api(&[
            "partner",
            "add",
            name,
            "--ssid",
            ssid,
            "--host",
            "127.0.0.1",
            "--port",
            &port,
            "--check-ssid",
            "no",
        ])
        .unwrap();
    }
    site.launch().unwrap();
    site.wait_log(Role::Client, "listener_open*local");
    picky.queue().add_file(OutFile::octets("BACK", vec![1; 3_000]));
    let refused = station(&"picky", connect(&site)).send([OutFile::octets("UNWANTED", vec![1; 3_000])]);
    assert!(refused.ending.is_normal(), "{refused:?}");
    let broken = station(&"breaks", connect(&site)).send([OutFile::octets("BROKEN", vec![3; 3_000_000])]);
    assert!(matches!(broken.ending, Ending::Broken(_)), "{broken:?}");
    let ended = wait_listed(&site, "ended", 2);
    let of = |partner: &str| ended.iter().find(|one| one["partner"] == partner).unwrap();
    assert_eq!(
        (&of("picky")["files"], &of("picky")["files_refused"], &of("picky")["reason"]),
        (&1.into(), &1.into(), &"normal".into())
    );
    assert_eq!(
        of("picky")["transfers"],
        serde_json::json!([
            {"sender": "station", "name": "UNWANTED", "octets": 0, "result": "refused", "reason": 2},
            {"sender": "partner", "name": "BACK", "octets": 3_000, "result": "accepted"},
        ])
    );
    // Too short to be listed while they ran, but listed afterwards.
    for one in &ended {
        assert!(one["station"].as_str().is_some_and(|station| station.starts_with("127.0.0.1:")), "{one}");
    }
    let broken = of("breaks");
    assert_eq!((&broken["files"], &broken["reason"]), (&0.into(), &"partner-broke".into()));
    assert!(broken["detail"].as_str().is_some_and(|detail| detail.contains("broke off")), "{broken}");
    // If there are many files, the last ones are listed.
    let many = (0..45).map(|at| OutFile::octets(&format!("FILE{at}"), *b"hello"));
    assert!(site.partner("O0013ACME").unwrap().send(many).is_good());
    let ended = wait_listed(&site, "ended", 3);
    let one = ended.iter().find(|one| one["partner"] == "acme").unwrap();
    let transfers = one["transfers"].as_array().unwrap();
    assert_eq!((&one["files"], transfers.len()), (&45.into(), 40));
    assert_eq!((&transfers[0]["name"], &transfers[39]["name"]), (&"FILE5".into(), &"FILE44".into()));
    let file = &broken["transfers"][0];
    assert_eq!((&file["name"], &file["result"]), (&"BROKEN".into(), &"broken".into()), "{broken}");
    assert!(file["octets"].as_u64().is_some_and(|octets| (500_000..3_000_000).contains(&octets)), "{broken}");
    site.end();
}

#[test]
fn a_session_that_outlives_its_client_is_orphaned_until_its_end_is_reported() {
    let (mut site, _partner) = site(Builder::new("orphans"));
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let lost = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    wait_listed(&site, "running", 2);
    let mark = site.mark(Role::Server);
    site.signal(Role::Client, Signal::SIGTERM);
    site.wait_end(Role::Client);
    site.restart(Role::Client).unwrap();
    site.wait_log_after(Role::Server, mark, "client_joined");
    wait_listed(&site, "orphaned", 2);
    // Both continue to their end, which the server reports to the new client.
    assert!(flight.land().unwrap().is_good() && lost.land().unwrap().is_good());
    for one in wait_listed(&site, "ended", 2) {
        assert_eq!((&one["reason"], &one["files"]), (&"normal".into(), &1.into()), "{one}");
    }
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    site.assert_works();
    wait_listed(&site, "ended", 3);
    site.end();
}

#[test]
fn an_end_is_listed_though_both_daemons_were_started_again() {
    let (mut site, _partner) = site(Builder::new("both-again"));
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    let outward = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    wait_listed(&site, "running", 2);
    for role in [Role::Server, Role::Client] {
        site.signal(role, Signal::SIGTERM);
        site.wait_end(role);
    }
    // One ends while there is no server, the other one under the next server.
    assert!(flight.land().unwrap().is_good());
    site.wait_log(Role::Server, "session_end direction=incoming");
    let unreported = site.folder(Role::Server).join("os4x_proxyserver.untold");
    wait_for("the end to be kept", || unreported.exists().then_some(()));
    let mark = site.mark(Role::Server);
    for role in [Role::Server, Role::Client] {
        site.restart(role).unwrap();
    }
    site.wait_log_after(Role::Server, mark, "client_joined");
    wait_listed(&site, "ended", 1);
    assert!(outward.land().unwrap().is_good());
    for one in wait_listed(&site, "ended", 2) {
        assert_eq!((&one["reason"], &one["files"]), (&"normal".into(), &1.into()), "{one}");
    }
    assert!(!unreported.exists());
    site.wait_log_after(Role::Server, mark, "listener_open*tls");
    site.end();
}

#[test]
fn an_end_is_listed_though_the_server_ends_at_once() {
    let (mut site, _partner) = site(Builder::new("at-once"));
    for count in 1..=3 {
        let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
        wait_listed(&site, "running", 1);
        let mark = site.mark(Role::Server);
        assert!(flight.land().unwrap().is_good());
        site.wait_log_after(Role::Server, mark, "session_end direction=incoming");
        // The report waits so that others can be sent together with it.
        site.signal(Role::Server, Signal::SIGTERM);
        for role in [Role::Server, Role::Client] {
            site.wait_end(role);
            site.restart(role).unwrap();
        }
        site.wait_log_after(Role::Server, mark, "listener_open*tls");
        wait_listed(&site, "ended", count);
    }
    site.end();
}

#[test]
fn ends_are_listed_though_a_daemon_is_killed_before_it_has_passed_them_on() {
    let (mut site, _partner) = site(Builder::new("killed"));
    for (count, killed) in [(1, Role::Server), (2, Role::Client)] {
        let mark = site.mark(Role::Server);
        if killed == Role::Client {
            // The client holds what it cannot pass on.
            site.signal(Role::Api, Signal::SIGSTOP);
        }
        assert!(site.partner("O0013ACME").unwrap().call().ending.is_normal());
        site.wait_log_after(Role::Server, mark, "session_end direction=incoming");
        if killed == Role::Client {
            site.wait_log(Role::Client, "backend_error function=proxy_session ");
        }
        site.signal(killed, Signal::SIGKILL);
        site.wait_end(killed);
        site.signal(Role::Api, Signal::SIGCONT);
        std::fs::remove_file(site.pid_file(killed)).unwrap();
        if killed == Role::Server {
            site.wait_end(Role::Client);
            site.restart(Role::Server).unwrap();
        }
        site.restart(Role::Client).unwrap();
        wait_listed(&site, "ended", count);
    }
    site.end();
}

#[test]
fn a_stopped_backend_delays_no_session_and_gets_the_reports_later() {
    let (mut site, _partner) = site(Builder::new("still"));
    let goes_out = |site: &Site| {
        let report = station(&"acme", connect(site)).send([OutFile::octets("OUT", *b"hello")]);
        assert!(report.is_good(), "{report:?}");
    };
    site.signal(Role::Api, Signal::SIGSTOP);
    let flight = Flight::take_off(site.partner("O0013ACME").unwrap()).unwrap();
    for _ in 0..5 {
        site.assert_works();
        goes_out(&site);
    }
    assert!(flight.land().unwrap().is_good());
    site.wait_log(Role::Client, "backend_error function=proxy_session ");
    site.assert_works();
    goes_out(&site);
    site.signal(Role::Api, Signal::SIGCONT);
    wait_listed(&site, "ended", 13);
    site.end();
}

#[test]
fn a_process_that_dies_has_its_end_in_the_list() {
    let (site, _partner) = site(Builder::new("dead"));
    let flight = Flight::take_off(station(&"acme", connect(&site))).unwrap();
    let title = "outgoing acme O0013ACME";
    let pid = *site.titled(Role::Server, title).first().unwrap();
    wait_listed(&site, "running", 1);
    nix::sys::signal::kill(pid, Signal::SIGKILL).unwrap();
    assert!(matches!(flight.land().unwrap().ending, Ending::Broken(_)));
    let ended = wait_listed(&site, "ended", 1);
    assert_eq!(ended[0]["reason"], "crashed");
    assert_eq!(ended[0]["detail"], format!("the server's session process {pid} ended: killed-by-SIGKILL"));
    site.end();
}
