//! What a poll of the panel costs with many sessions in the database, and what it costs the daemons' calls. The command
//! `scripts/bench panel` runs it on a release build.

use crate::browser::Browser;
use crate::panel::Panel;
use crate::site::Site;
use serde_json::json;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The pages that bring themselves up to date, and others that a user often opens.
const PAGES: [(&str, &str); 9] = [
    ("overview", "/"),
    ("sessions", "/sessions"),
    ("running sessions", "/sessions?state=running"),
    ("refused", "/refused"),
    ("system log", "/log"),
    ("last 24 hours", "/traffic"),
    ("partners", "/partners"),
    ("a partner", "/partners/P7"),
    ("expiry", "/expiry"),
];
const PARTNERS: usize = 20;
const ROUNDS: usize = 41;
/// The longest that the median of a page may take, unless the machine is busy with something else.
const BUDGET: Duration = Duration::from_millis(5);

/// 100,000 sessions that have ended within one day, two files each, 200 that run, 100,000 entries of the system log,
/// and 200 refusals in each of 500 minutes: as many rows as are kept.
const ROWS: [&str; 6] = [
    "INSERT INTO os4x_sessions (session, client, received, direction, pid, began, address, partner, ssid, subject, \
     serial, tls, station, ended, octets_in, octets_out, files, files_refused, receipts, reason, detail, \
     caller, orphaned) \
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
     SELECT printf('%012x', i), '10.1.0.1', unixepoch() - i * 86000 / 100000, iif(i % 2, 'incoming', 'outgoing'), \
     1000 + i % 30000, unixepoch() - i * 86000 / 100000 - 5, '203.0.113.' || (i % 250) || ':50000', 'P' || (i % 20), \
     'O0013SSID' || (i % 20), 'CN=partner', '0123456789', 'TLSv1.3 TLS_AES_256_GCM_SHA384', '127.0.0.1:3305', \
     unixepoch() - i * 86000 / 100000 + 3, 20000 + i, 3000, 2, 0, 2, iif(i % 10, 'normal', 'partner-broke'), '', \
     'c', 0 FROM n",
    "INSERT INTO os4x_session_transfers (session, position, sender, name, octets, result) \
     SELECT session, p, 'partner', 'ORDERS_' || p, 10000, 'accepted' \
     FROM os4x_sessions, (SELECT 1 AS p UNION SELECT 2)",
    "INSERT INTO os4x_sessions (session, client, received, direction, pid, began, address, partner, ssid, subject, \
     serial, tls, station, octets_in, octets_out, caller, orphaned) \
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199) \
     SELECT printf('e%011x', i), '10.1.0.1', unixepoch() - i, 'incoming', 1000 + i, unixepoch() - i, \
     '203.0.113.' || i || ':50000', 'P' || (i % 20), 'O0013SSID' || (i % 20), 'CN=partner', '0123456789', 'TLSv1.3', \
     '127.0.0.1:3305', 5000, 300, 'c', 0 FROM n",
    "INSERT INTO os4x_clients_seen (address, seen) VALUES ('c', unixepoch() + 600)",
    "INSERT INTO os4x_refusals (minute, proxy_id, direction, reason, address, ssid, partner, subject, times, received) \
     WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
     SELECT (unixepoch() / 60 - i / 200) * 60, 'p', 'incoming', iif(i % 3, 'tls', 'unknown-partner'), \
     '198.51.' || (i % 100) || '.' || (i / 100 % 250), 'O0013X' || (i % 200), '', '', 3, \
     (unixepoch() / 60 - i / 200) * 60 FROM n",
    "INSERT INTO os4x_system_log (time, received, level, origin, host, pid, address, partner, text, detail, event, \
     reason, session, ssid, subject) WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
     SELECT unixepoch() - (100000 - i), unixepoch() - (100000 - i), 'warn', 'server', 'dmz1', 1, \
     '203.0.113.' || (i % 250), 'P' || (i % 20), 'certificate refused', 'it has expired', 'refused', \
     'expired', printf('%012x', i), '', '' FROM n",
];
/// The step that makes the sums of the rows that are there.
const SUMS: &str = include_str!("../../src/db/schema/15.sql");

fn panel(is_full: bool) -> Panel {
    let site = Site::new();
    for number in 0..PARTNERS {
        let ssid = format!("O0013SSID{number}");
        site.ok(&["partner", "add", &format!("P{number}"), "--ssid", &ssid, "--certificate", "any"]);
    }
    if is_full {
        let sums = SUMS.split(';').map(str::trim).filter(|sums| sums.starts_with("INSERT"));
        for rows in ROWS.into_iter().chain(sums) {
            site.sql(rows);
        }
    }
    Panel::of(site)
}

/// How long the first look at a page takes, and the median of those that follow.
fn times(browser: &Browser, path: &str) -> (Duration, Duration) {
    let mut stream = browser.connect();
    let mut take = || {
        let began = Instant::now();
        assert_eq!(browser.poll(&mut stream, path), 200, "{path}");
        began.elapsed()
    };
    let first = take();
    let mut all: Vec<Duration> = (0..ROUNDS).map(|_| take()).collect();
    all.sort();
    (first, all[ROUNDS / 2])
}

/// The longest of the daemons' calls, and their median, while `is_polled` says whether the overview is polled as well.
fn calls(panel: &Panel, browser: &Browser, is_polled: bool) -> (Duration, Duration) {
    let (client, is_over) = (panel.site.client(&panel.serve), AtomicBool::new(!is_polled));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut stream = browser.connect();
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(browser.poll(&mut stream, "/"), 200);
            }
        });
        let take = |_| {
            let began = Instant::now();
            client.ok(&json!({"function": "proxy_client_config"}));
            began.elapsed()
        };
        let mut all: Vec<Duration> = (0..ROUNDS).map(take).collect();
        is_over.store(true, Ordering::Relaxed);
        all.sort();
        (all[ROUNDS - 1], all[ROUNDS / 2])
    })
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

#[test]
#[ignore = "a benchmark"]
fn a_poll_costs_little_however_many_sessions_there_are() {
    let (empty, full) = (panel(false), panel(true));
    let (at_empty, at_full) = (empty.signed_in(0), full.signed_in(0));
    println!("{:<18} {:>12} {:>12} {:>12} {:>7}", "milliseconds", "first", "poll", "poll, empty", "ratio");
    let mut slow = Vec::new();
    for (name, path) in PAGES {
        let (first, poll) = times(&at_full, path);
        let poll_of_empty = times(&at_empty, path).1;
        let ratio = poll.as_secs_f64() / poll_of_empty.as_secs_f64();
        let [one, two, three] = [first, poll, poll_of_empty].map(milliseconds);
        println!("{name:<18} {one:>12.2} {two:>12.2} {three:>12.2} {ratio:>7.2}");
        if poll > BUDGET {
            slow.push(name);
        }
    }
    for (name, is_polled) in [("alone", false), ("beside polls", true)] {
        let (longest, median) = calls(&full, &at_full, is_polled);
        let [longest, median] = [longest, median].map(milliseconds);
        println!("a daemon's call {name:<12} median {median:.2}, longest {longest:.2}");
    }
    assert!(slow.is_empty(), "these take more than {BUDGET:?}: {slow:?}");
}
