//! Each process is killed or stopped at each point of a session: the table `kills/table.txt`, one row for each cell.
//! All sessions of a victim are in their phases at the same time, so that a victim needs one site and a few restarts.
//! For each row: no break looks like a regular end, each session has one end line in each daemon that knew it, no
//! process is left, and the next session works.

mod run;
mod stage;
mod table;

use nix::sys::signal::Signal;
use run::Run;
use stage::{Stage, send};
use t::ends::Ends;
use table::{Cell, Then, cells};

/// One victim in all its rows of one kind.
fn play(stage: &mut Stage, ends: &Ends, cells: &[Cell]) -> Vec<String> {
    stage.mark();
    let runs: Vec<Run<'_>> = cells.iter().map(|cell| stage.begin(ends, cell.clone())).collect();
    let cell = &cells[0];
    let victims = if cell.then() == Then::Dies { Vec::new() } else { stage.hit(&runs) };
    let mut found = Vec::new();
    // The last phase first: while a parent is stopped, sessions continue, but none begins.
    for run in runs.into_iter().rev() {
        if cell.how == "STOP" && run.cell.passed() < 2 {
            send(&victims, Signal::SIGCONT);
        }
        found.push(match run.cell.then() {
            Then::Dies => run.die(),
            Then::GoesOn => run.go_on(ends),
            Then::Waits => run.wait(),
        });
    }
    found.reverse();
    stage.revive(cell, &victims);
    stage.site.wait_idle();
    let lines: Vec<[String; 2]> = cells.iter().map(|cell| stage.ends(cell)).collect();
    let next = stage.begin(ends, Cell { phase: "next", due: Default::default(), ..cell.clone() });
    assert_eq!(next.go_on(ends), ["goes on", "goes on"], "the next session after {cell:?}");
    stage.site.wait_idle();
    let mut faults = Vec::new();
    for ((cell, [partner, station]), lines) in cells.iter().zip(found).zip(lines) {
        assert_eq!(stage.ends(cell), lines, "a line came late: {cell:?}");
        let found = [vec![partner, station], lines.to_vec()].concat();
        if found != cell.due {
            faults.push(cell.found(&found));
        }
    }
    faults
}

/// Checks all rows of these victims.
#[track_caller]
fn check(victims: &[&str]) {
    for victim in victims {
        let (mut stage, ends) = Stage::new(&format!("kills-{victim}"));
        let all: Vec<Cell> = cells().filter(|cell| cell.victim == *victim).collect();
        assert!(!all.is_empty(), "{victim} is in no row");
        let mut faults = Vec::new();
        for rows in all.chunk_by(|one, other| one.how == other.how) {
            faults.extend(play(&mut stage, &ends, rows));
        }
        assert!(faults.is_empty(), "found, but not in the table:\n{}", faults.join("\n"));
        stage.site.end();
    }
}

#[test]
fn a_killed_session_process_of_the_server_breaks_its_session_and_is_blamed() {
    check(&["server-child"]);
}

#[test]
fn a_killed_session_process_of_the_client_breaks_its_session_and_is_blamed() {
    check(&["client-child"]);
}

#[test]
fn sessions_go_on_to_their_normal_end_whichever_parent_is_killed() {
    check(&["server-parent", "client-parent"]);
}

#[test]
fn sessions_go_on_to_their_normal_end_after_worker_or_backend_is_killed() {
    check(&["worker", "backend"]);
}

#[test]
fn sessions_that_die_with_their_parent_have_one_line_in_each_daemon() {
    check(&["server", "client"]);
}

#[test]
fn a_killed_partner_or_station_is_a_break_to_the_other_and_is_blamed() {
    check(&["partner", "station"]);
}

/// Results that no row may have, whatever the daemons do.
#[test]
fn no_row_has_a_false_end() {
    let mut all = Vec::new();
    for cell in cells() {
        let [partner, station, server, client] = &cell.due;
        let is_normal = |line: &String| line == "end normal";
        if cell.phase != "esid" {
            assert!(partner != "close" && station != "close", "a regular end in mid-session: {cell:?}");
            let goes_on = partner == "goes on" && station == "goes on";
            assert_eq!((is_normal(server), is_normal(client)), (goes_on, goes_on), "{cell:?}");
        }
        let died = [server, client].iter().any(|line| line.ends_with(" died-with-parent"));
        let with_parent = ["server", "client"].contains(&cell.victim) && cell.passed() > 1;
        assert_eq!(died, with_parent, "{cell:?}");
        all.push((cell.victim, cell.how, cell.phase));
    }
    let count = all.len();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), count, "a cell is there twice");
}
