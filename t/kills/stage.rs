//! A site with processes that are killed or stopped (victims): which processes these are, which others end with them,
//! and what the daemons' logs say.

use super::run::{Run, SSID, Stand, session};
use super::table::Cell;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oftp2peer::transport::tls::{self, Begun};
use std::fs;
use std::net::IpAddr;
use t::ends::Ends;
use t::installation;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role, Site};
use t::wait::{PATIENCE, wait_for};

/// A site, with the ends of its logs before the victim was killed or stopped.
pub(super) struct Stage {
    pub(super) site: Site,
    marks: [(Role, usize); 2],
}

impl Stage {
    pub(super) fn new(name: &str) -> (Self, Ends) {
        let builder = Builder::new(name).partners([PartnerEntry::new("acme", SSID)]).station(None);
        let site = builder.start().unwrap();
        let ends = Ends::new(&site, SSID).unwrap();
        (Self { site, marks: [(Role::Server, 0), (Role::Client, 0)] }, ends)
    }

    pub(super) fn begin<'a>(&self, ends: &'a Ends, cell: Cell) -> Run<'a> {
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

    /// The processes to kill or stop.
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
            "server" => self.site.all_of(Role::Server),
            "client" => self.site.all_of(Role::Client),
            other => panic!("nobody is called {other}"),
        }
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

    /// Kills or stops the victim, and waits for the end of all processes that end with it.
    pub(super) fn hit(&mut self, runs: &[Run<'_>]) -> Vec<Pid> {
        let cell = &runs[0].cell;
        let victims = self.victims(runs);
        assert!(!victims.is_empty(), "{cell:?}");
        let signal: Signal = format!("SIG{}", cell.how).parse().unwrap();
        Site::stop(&victims);
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
            // The first signal is for Rust's handler, which lets the instruction fault again.
            wait_for("all victims to crash", || {
                send(&victims, signal);
                victims.iter().all(|pid| !installation::runs(*pid)).then_some(())
            });
        }
        self.wait_ends(cell, &victims);
        victims
    }

    /// Waits for the end of all processes that end with the victims.
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

    /// Starts the processes that have ended again.
    pub(super) fn revive(&mut self, cell: &Cell, victims: &[Pid]) {
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
        for role in roles {
            let _ = fs::remove_file(self.site.pid_file(*role));
            self.site.bring_up(*role).unwrap();
        }
    }

    /// The end lines of the partner at `address` since the victim was killed or stopped. Not every line has the
    /// address, but the first line of the session has it.
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

    /// The end lines of each daemon: one, or none if the row expects none.
    pub(super) fn ends(&self, cell: &Cell) -> [String; 2] {
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

    /// Called before the victim is killed or stopped.
    pub(super) fn mark(&mut self) {
        self.marks = [Role::Server, Role::Client].map(|role| (role, self.site.mark(role)));
    }
}

pub(super) fn send(pids: &[Pid], signal: Signal) {
    for pid in pids {
        // A process may have ended together with another one.
        let _ = kill(*pid, signal);
    }
}
