//! A database that hangs, or that another program has locked: every call is answered, with an error, the service goes
//! on, and ends when it is told to.

use crate::postgres::Cluster;
use crate::site::{PATIENCE, Site};
use nix::sys::signal::Signal;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};
use std::time::{Duration, Instant};

/// Longest time of a call, with a reserve for a busy machine.
const CALL: Duration = Duration::from_secs(10);

#[test]
fn a_database_that_hangs_fails_each_call_in_time_and_stops_neither_the_service_nor_its_end() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    let serve = site.serve();
    let client = site.client(&serve);
    let generation = client.generation();
    let waiting = json!({"function": "proxy_wait", "generation": generation, "seconds": 60});
    let config = json!({"function": "proxy_client_config"});
    let pause = cluster.pause();
    let began = Instant::now();
    // More calls than there are connections to the database, and one that would take a minute.
    std::thread::scope(|scope| {
        for call in [&config, &config, &config, &config, &config, &config, &waiting] {
            let client = &client;
            scope.spawn(move || {
                let answer = client.call(call);
                assert_eq!((answer.status, answer.code()), (500, "internal"));
            });
        }
    });
    assert!(began.elapsed() < CALL, "{:?}", began.elapsed());
    serve.await_line("call_failed cause=\"the database did not answer in ");
    serve.await_line("see that it runs");
    serve.await_line("time_slice_failed");
    // A command gives up, too, and says why.
    let began = Instant::now();
    let said = site.refused(&["config", "list"]);
    assert!(said.contains("does not answer in time") && began.elapsed() < CALL, "{said}");
    drop(pause);
    assert_eq!(client.generation(), generation);
    serve.await_line("time_slice_recovered");
    let pause = cluster.pause();
    let answer = client.call(&config);
    assert_eq!(answer.status, 500);
    let told = Instant::now();
    let log = serve.end(Signal::SIGTERM);
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}: {log}", told.elapsed());
    drop(pause);
}

#[test]
fn a_call_that_waits_when_the_database_begins_to_hang_is_answered_in_time() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    site.ok(&["config", "set", "api_log_level", "DEBUG"]);
    let serve = site.serve();
    let client = site.client(&serve);
    let generation = client.generation();
    std::thread::scope(|scope| {
        let call = scope.spawn(|| {
            let wait = json!({"function": "proxy_wait", "generation": generation, "seconds": 60});
            (client.call(&wait).status, Instant::now())
        });
        serve.await_line("call function=proxy_wait");
        let pause = cluster.pause();
        let began = Instant::now();
        let (status, answered) = call.join().unwrap();
        assert_eq!(status, 500);
        assert!(answered - began < CALL, "{:?}", answered - began);
        drop(pause);
    });
    assert_eq!(client.generation(), generation);
}

#[test]
fn a_file_that_another_program_holds_is_said_so_with_what_to_do() {
    let site = Site::new();
    let serve = site.serve();
    let client = site.client(&serve);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut holder = runtime.block_on(SqliteConnection::connect(&site.db)).unwrap();
    let hold = |holder: &mut SqliteConnection, statement: &'static str| {
        runtime.block_on(sqlx::raw_sql(statement).execute(holder)).unwrap();
    };
    hold(&mut holder, "BEGIN IMMEDIATE");
    let began = Instant::now();
    let said = site.refused(&["config", "set", "tcp_port", "3306"]);
    assert!(said.contains("locked: another program") && said.contains("try again"), "{said}");
    assert_eq!(client.call(&json!({"function": "proxy_client_config"})).status, 500);
    assert!(began.elapsed() < PATIENCE);
    hold(&mut holder, "ROLLBACK");
    site.ok(&["config", "set", "tcp_port", "3306"]);
    client.generation();
    serve.end(Signal::SIGTERM);
}
