//! Any process is killed, or stopped, at any moment of a session: the table `kills.txt`, a row a cell. All sessions of
//! a victim stand in their phases at once when it is hit, so that a victim costs one site and a few restarts.
//! Whatever the row: no end looks regular that is none, each session has one end line in each daemon that knew it, no
//! process is left, and the next session works.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::oftp::codec::Level;
use oftp2peer::oftp::command::{Command, Features, FileId, Format, Receipt, Sfid, Ssid};
use oftp2peer::oftp::session::Role as End;
use oftp2peer::oftp::stamp::Stamp;
use oftp2peer::transport::tls::{self, Begun};
use oftp2peer::transport::{Break, Conn};
use std::fs;
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::os::fd::AsFd;
use t::ends::{Ending, Ends, Session};
use t::installation;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::{PATIENCE, wait_for};
use t::wire::Step;

const TABLE: &str = include_str!("kills.txt");
const SSID: &str = "O0013ACME";
const STATION: &str = "O0013STATION";

/// The phases, and how many steps of the session have passed in each.
const PHASES: [(&str, usize); 12] = [
    ("tcp", 0),
    ("handshake", 0),
    ("ssrm", 1),
    ("ssid", 2),
    ("sfid", 4),
    ("data", 6),
    ("credit", 7),
    ("efid", 9),
    ("cd", 11),
    ("eerp", 12),
    ("esid", 15),
    // Not in the table: the session after the others.
    ("next", 15),
];

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Cell {
    victim: &'static str,
    how: &'static str,
    phase: &'static str,
    /// What the partner and the station see; the line of the server and that of the client.
    due: [String; 4],
}

impl Cell {
    fn read(line: &'static str) -> Self {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let [victim, how, phase, due @ ..] = &columns[..] else { panic!("{line}") };
        let due = due.iter().map(|&text| text.to_owned()).collect::<Vec<_>>().try_into();
        Self { victim, how, phase, due: due.unwrap_or_else(|_| panic!("{line}")) }
    }

    fn place(&self) -> usize {
        PHASES.iter().position(|(name, _)| *name == self.phase).unwrap()
    }

    fn passed(&self) -> usize {
        PHASES[self.place()].1
    }

    /// Where its partner calls from: so the titles of its processes and its lines are told from those of others.
    fn address(&self, site: &Site) -> IpAddr {
        address(site, u8::try_from(self.place()).unwrap())
    }

    /// How the title of the server's process ends that has its partner, or goes on with a space.
    fn served(&self, site: &Site) -> String {
        format!("incoming {}", self.address(site))
    }

    /// What partner and station do once the victim is hit.
    fn then(&self) -> Then {
        // The process of the client serves no session yet before the partner's SSID.
        let is_serving = self.passed() > 1;
        match self.victim {
            "partner" | "station" => Then::Dies,
            "server" | "server-child" if self.how != "STOP" => Then::Waits,
            "client" | "client-child" if self.how != "STOP" && is_serving => Then::Waits,
            _ => Then::GoesOn,
        }
    }

    /// The same row with what was found.
    fn found(&self, found: &[String]) -> String {
        let [partner, station, server, client] = found else { panic!("{found:?}") };
        format!(
            "{:13} | {:4} | {:9} | {partner:7} | {station:7} | {server:25} | {client}",
            self.victim, self.how, self.phase
        )
    }
}

/// What partner and station do once the victim is hit.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// One of them is the victim.
    Dies,
    /// They go on with their session.
    GoesOn,
    /// They wait for its end.
    Waits,
}

fn cells() -> impl Iterator<Item = Cell> {
    TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(Cell::read)
}

/// An address of this site's own for a partner.
fn address(site: &Site, number: u8) -> IpAddr {
    let IpAddr::V4(own) = site.address else { panic!("{}", site.address) };
    let [first, second, third, _] = own.octets();
    Ipv4Addr::new(first, second, third, 200 + number).into()
}

fn step(by: End, command: &Command) -> Step {
    let octets = command.encode(Level::Five).unwrap();
    let length = u32::try_from(octets.len() + 4).unwrap() | 0x1000_0000;
    let octets = [&length.to_be_bytes()[..], &octets].concat();
    Step { by, octets, label: command.name().to_owned() }
}

/// A session with one file and its receipt. The credit is two buffers.
fn session() -> Vec<Step> {
    let ssid = |code: &str| {
        Command::Ssid(Ssid {
            level: Level::Five,
            code: code.to_owned(),
            password: "SECRET".to_owned(),
            buffer: 2048,
            mode: 'B',
            features: Features { compression: false, restart: false, special: false },
            credit: 2,
            authentication: false,
            user: String::new(),
        })
    };
    let id = |destination: &str, originator: &str, stamp: &Stamp| FileId {
        name: "FILE".to_owned(),
        stamp: stamp.clone(),
        destination: destination.to_owned(),
        originator: originator.to_owned(),
    };
    let stamp = Stamp::next();
    let file = Sfid::plain(id(STATION, SSID, &stamp), Format::Unstructured, 1);
    let id = id(SSID, STATION, &stamp);
    let receipt = Receipt { id, user: String::new(), refusal: None, hash: Vec::new(), signature: Vec::new() };
    let (ours, theirs) = (End::Initiator, End::Responder);
    [
        (theirs, Command::Ssrm),
        (ours, ssid(SSID)),
        (theirs, ssid(STATION)),
        (ours, Command::Sfid(file)),
        (theirs, Command::Sfpa(0)),
        (ours, Command::Data(b"\x05hello".to_vec())),
        (ours, Command::Data(b"\x85world".to_vec())),
        (theirs, Command::Cdt),
        (ours, Command::Efid { records: 0, octets: 10 }),
        (theirs, Command::Efpa(true)),
        (ours, Command::Cd),
        (theirs, Command::Receipt(receipt)),
        (ours, Command::Rtr),
        (theirs, Command::Cd),
        (ours, Command::Esid { reason: 0, text: String::new() }),
    ]
    .iter()
    .map(|(by, command)| step(*by, command))
    .collect()
}

/// How far a session has come.
enum Stand<'a> {
    Tcp(TcpStream),
    Handshake(Begun),
    Session(Session<'a>),
}

/// A cell's session.
struct Run<'a> {
    cell: Cell,
    steps: Vec<Step>,
    /// The partner's socket.
    socket: TcpStream,
    stand: Stand<'a>,
}

/// A site, and where its logs ended before the victim was hit.
struct Stage {
    site: Site,
    marks: [(Role, usize); 2],
}

impl Stage {
    fn new(name: &str) -> (Self, Ends) {
        let builder = Builder::new(name).partners([PartnerEntry::new("acme", SSID)]).station(None);
        let site = builder.start().unwrap();
        let ends = Ends::new(&site, SSID).unwrap();
        (Self { site, marks: [(Role::Server, 0), (Role::Client, 0)] }, ends)
    }

    fn begin<'a>(&self, ends: &'a Ends, cell: Cell) -> Run<'a> {
        let mut dial = ends.dial().clone();
        dial.from = Some(cell.address(&self.site));
        let tcp = dial.open_tcp().unwrap();
        let socket = tcp.try_clone().unwrap();
        let served = cell.served(&self.site);
        wait_for("a process for the partner", || self.site.titled(Role::Server, &served).pop_first());
        let (context, name) = dial.tls.as_ref().unwrap();
        let steps = session();
        let stand = match cell.phase {
            "tcp" => Stand::Tcp(tcp),
            "handshake" => {
                let begun = Begun::new(tcp, context, name.as_deref(), PATIENCE).unwrap();
                wait_for("the server's answer", || socket.peek(&mut [0]).ok());
                Stand::Handshake(begun)
            }
            _ => {
                let conn = tls::connect(tcp, context, name.as_deref(), PATIENCE).unwrap();
                let mut session = ends.begin_on(conn).unwrap();
                assert_eq!(session.play(&steps[..cell.passed()], usize::MAX), Ok(()), "{cell:?}");
                Stand::Session(session)
            }
        };
        Run { cell, steps, socket, stand }
    }

    /// The processes to hit.
    fn victims(&self, runs: &[Run<'_>]) -> Vec<Pid> {
        let site = &self.site;
        let cell = &runs[0].cell;
        match cell.victim {
            "server-child" => runs.iter().filter_map(|run| self.child(run)).collect(),
            "client-child" => {
                let worker = site.titled(Role::Client, "API worker");
                site.children(Role::Client).difference(&worker).copied().collect()
            }
            "worker" => site.titled(Role::Client, "API worker").into_iter().collect(),
            "server-parent" => vec![site.pid(Role::Server)],
            "client-parent" => vec![site.pid(Role::Client)],
            "backend" => vec![site.pid(Role::Api)],
            "server" => self.all(Role::Server),
            "client" => self.all(Role::Client),
            other => panic!("nobody is called {other}"),
        }
    }

    /// All processes of a daemon, the parent last: children that are stopped and lose their parent get SIGHUP.
    fn all(&self, role: Role) -> Vec<Pid> {
        self.site.children(role).into_iter().chain([self.site.pid(role)]).collect()
    }

    /// The server's process of a session.
    fn child(&self, run: &Run<'_>) -> Option<Pid> {
        let (last, more) = (run.cell.served(&self.site), format!("{} ", run.cell.served(&self.site)));
        let is_it = |pid: &Pid| {
            let title = Site::title(*pid);
            title.ends_with(&last) || title.contains(&more)
        };
        self.site.children(Role::Server).into_iter().find(is_it)
    }

    /// Hits the victim, and waits until those have ended who end with it.
    fn hit(&mut self, runs: &[Run<'_>]) -> Vec<Pid> {
        let cell = &runs[0].cell;
        let victims = self.victims(runs);
        assert!(!victims.is_empty(), "{cell:?}");
        let signal: Signal = format!("SIG{}", cell.how).parse().unwrap();
        // Stopped first, so that none sees another's end.
        send(&victims, Signal::SIGSTOP);
        let all_stop = || victims.iter().all(|pid| Site::is_stopped(*pid)).then_some(());
        wait_for("all victims to stop", all_stop);
        if signal == Signal::SIGSTOP {
            if cell.victim.ends_with("child") {
                // Nothing passes meanwhile.
                send(&victims, Signal::SIGCONT);
            }
            return victims;
        }
        send(&victims, signal);
        send(&victims, Signal::SIGCONT);
        if signal == Signal::SIGSEGV {
            // The first is for Rust's handler, which lets the instruction fault again.
            wait_for("all victims to crash", || {
                send(&victims, signal);
                victims.iter().all(|pid| !installation::runs(*pid)).then_some(())
            });
        }
        self.wait_ends(cell, &victims);
        victims
    }

    /// Waits until those have ended who end with the victims.
    fn wait_ends(&mut self, cell: &Cell, victims: &[Pid]) {
        match cell.victim {
            "server-parent" | "server" => {
                self.site.wait_end(Role::Server);
                self.site.wait_end(Role::Client);
            }
            "client-parent" | "client" => {
                let mark = self.marks[0].1;
                self.site.wait_end(Role::Client);
                self.site.wait_log_after(Role::Server, mark, "client_gone");
            }
            "backend" => drop(self.site.wait_end(Role::Api)),
            "worker" => wait_for("another API worker", || {
                let now = self.site.titled(Role::Client, "API worker");
                (!now.is_empty() && now.is_disjoint(&victims.iter().copied().collect())).then_some(())
            }),
            _ => {}
        }
    }

    /// Starts again who has ended.
    fn revive(&mut self, cell: &Cell, victims: &[Pid]) {
        if cell.how == "STOP" {
            send(victims, Signal::SIGCONT);
            return;
        }
        let roles: &[Role] = match cell.victim {
            "server-parent" | "server" => &[Role::Server, Role::Client],
            "client-parent" | "client" => &[Role::Client],
            "backend" => &[Role::Api],
            _ => return,
        };
        let mark = self.site.mark(Role::Server);
        for role in roles {
            let own = self.site.mark(*role);
            let _ = fs::remove_file(self.site.pid_file(*role));
            self.site.restart(*role).unwrap();
            match role {
                Role::Api => self.site.wait_log_after(*role, own, "listening on"),
                Role::Server => self.site.wait_log_after(*role, own, "daemon_start"),
                Role::Client => self.site.wait_log_after(Role::Server, mark, "listener_open*tls"),
            };
        }
    }

    /// The end lines of the partner at `address`, since the victim was hit. A line need not name the address: the
    /// session's first line does.
    fn lines(&self, role: Role, address: IpAddr) -> Vec<String> {
        let mark = self.marks[usize::from(role == Role::Client)].1;
        let log = self.site.log(role)[mark..].to_owned();
        let start = format!("{address}:");
        let lines: Vec<Line<'_>> = log.lines().filter_map(Line::read).collect();
        let names = |line: &&Line| line.field("address").is_some_and(|from| from.starts_with(&start));
        let begun: Vec<String> = lines
            .iter()
            .filter(names)
            .filter_map(|line| line.field("session"))
            .filter(|session| !session.is_empty())
            .collect();
        let is_end =
            |line: &&Line| ["session_end", "session_refused", "session_crashed"].contains(&line.event());
        let is_its = |line: &&Line| {
            names(line) || line.field("session").is_some_and(|session| begun.contains(&session))
        };
        let all = lines.iter().filter(is_end).filter(is_its);
        let text = |line: &Line<'_>| {
            let event = line.event().trim_start_matches("session_");
            format!("{event} {}", line.field("reason").unwrap_or_default())
        };
        all.map(text).collect()
    }

    /// The end lines of each daemon: one, or none where none is due.
    fn ends(&self, cell: &Cell) -> [String; 2] {
        let address = cell.address(&self.site);
        let [.., server, client] = &cell.due;
        [(Role::Server, server), (Role::Client, client)].map(|(role, due)| {
            let lines = || self.lines(role, address);
            if due != "-" {
                wait_for(&format!("a line of {}: {cell:?}", role.binary()), || lines().pop());
            }
            Some(lines().join(" and ")).filter(|lines| !lines.is_empty()).unwrap_or_else(|| "-".to_owned())
        })
    }

    /// No process serves anybody, and none waits to be collected.
    fn assert_clean(&self) {
        let is_idle = || {
            let full = |role| self.site.titled(role, "parked").len() == 4;
            let titles: Vec<String> = self.site.processes().into_iter().map(Site::title).collect();
            let serves = |title: &String| title.contains(": incoming") || title.contains(": joining");
            full(Role::Server)
                && full(Role::Client)
                && !titles.iter().any(serves)
                && titles.len() == 12
                && self.site.zombies().is_empty()
        };
        wait_for("parents, worker, backend and four pairs, and no other process", || is_idle().then_some(()));
    }
}

fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // One may have ended with another one.
        let _ = kill(*pid, signal);
    }
}

impl Run<'_> {
    /// What partner and station see, if the session is let go on.
    fn go_on(self, ends: &Ends) -> [String; 2] {
        let (context, name) = ends.dial().tls.as_ref().unwrap();
        let is_called = self.cell.due[1] != "-";
        let conn = match self.stand {
            Stand::Session(session) => {
                return resume(session, &self.steps[self.cell.passed()..], is_called);
            }
            Stand::Tcp(tcp) => tls::connect(tcp, context, name.as_deref(), PATIENCE),
            Stand::Handshake(begun) => begun.finish(),
        };
        match conn {
            Ok(conn) => resume(ends.begin_on(conn).unwrap(), &self.steps, is_called),
            Err(end) => [end.word().to_owned(), "-".to_owned()],
        }
    }

    /// What both see, if nobody does anything more.
    fn wait(self) -> [String; 2] {
        if let Stand::Session(session) = self.stand {
            return both(&session.ending());
        }
        self.socket.set_nonblocking(false).unwrap();
        let mut conn = Conn::plain(self.socket).unwrap();
        [conn.drain(PATIENCE).word().to_owned(), "-".to_owned()]
    }

    /// The partner or the station is killed, or resets its connection.
    fn die(self) -> [String; 2] {
        let reset = self.cell.how == "RST";
        let act = move |mut conn: Conn| {
            if reset {
                conn.reset();
            }
            None
        };
        let by = if self.cell.victim == "partner" { End::Initiator } else { End::Responder };
        let Stand::Session(session) = self.stand else {
            if reset {
                common::sys::linger_reset(self.socket.as_fd()).unwrap();
            }
            return ["killed".to_owned(), "-".to_owned()];
        };
        drop(self.socket);
        let other = session.dies(by, act);
        let other = other.map_or_else(|| "-".to_owned(), |ending| seen(opposite(by), &ending));
        if by == End::Initiator { ["killed".to_owned(), other] } else { [other, "killed".to_owned()] }
    }
}

fn opposite(side: End) -> End {
    if side == End::Initiator { End::Responder } else { End::Initiator }
}

/// Plays the rest of a session, and ends it in order. Where the station is not to be called, the partner's SSID alone.
fn resume(mut session: Session<'_>, steps: &[Step], is_called: bool) -> [String; 2] {
    if !is_called {
        // The partner has SSRM from the server; if that does not come, its end does.
        let ready = steps.iter().take_while(|step| step.by == End::Responder).count();
        let _ = session.play(&steps[..ready], usize::MAX);
        let ssid = steps.iter().find(|step| step.by == End::Initiator).unwrap();
        session.send(End::Initiator, &ssid.octets);
        return both(&session.ending());
    }
    match session.play(steps, usize::MAX) {
        Ok(()) => match both(&session.finish()) {
            [partner, station] if partner == "close" && station == "close" => {
                ["goes on", "goes on"].map(str::to_owned)
            }
            other => other,
        },
        Err(_) => both(&session.ending()),
    }
}

fn both((partner, station): &(Ending, Option<Ending>)) -> [String; 2] {
    let station = station.as_ref().map_or_else(|| "-".to_owned(), |ending| seen(End::Responder, ending));
    [seen(End::Initiator, partner), station]
}

/// What a side sees last: what came in the end, and how its connection ended. TLS goes to the partner alone.
fn seen(side: End, ending: &Ending) -> String {
    let how = match (side, &ending.how) {
        (End::Initiator, Break::CloseNotify) | (End::Responder, Break::Fin) => "close",
        (_, other) => other.word(),
    };
    match ending.octets.get(4..7) {
        None if ending.octets.is_empty() => how.to_owned(),
        Some([b'F', tens, ones]) if how == "close" => {
            format!("ESID {}{}", char::from(*tens), char::from(*ones))
        }
        _ => format!("{ending:?}"),
    }
}

/// One victim in all its rows of one way to be hit.
fn play(stage: &mut Stage, ends: &Ends, cells: &[Cell]) -> Vec<String> {
    stage.marks = [Role::Server, Role::Client].map(|role| (role, stage.site.mark(role)));
    let runs: Vec<Run<'_>> = cells.iter().map(|cell| stage.begin(ends, cell.clone())).collect();
    let cell = &cells[0];
    let victims = if cell.then() == Then::Dies { Vec::new() } else { stage.hit(&runs) };
    let mut found = Vec::new();
    // The last phase first: while a parent is stopped, sessions go on, but none begins.
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
    stage.assert_clean();
    let lines: Vec<[String; 2]> = cells.iter().map(|cell| stage.ends(cell)).collect();
    let next = stage.begin(ends, Cell { phase: "next", due: Default::default(), ..cell.clone() });
    assert_eq!(next.go_on(ends), ["goes on", "goes on"], "the next session after {cell:?}");
    stage.assert_clean();
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

/// All rows of these victims.
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
fn sessions_go_on_to_their_normal_end_though_worker_or_backend_is_killed() {
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

/// What no row may say, whatever the daemons do.
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
