//! The table of the kill matrix: the victim, how it is killed or stopped, the phase of its session, and the expected
//! result.

use std::net::{IpAddr, Ipv4Addr};
use t::site::Site;

const TABLE: &str = include_str!("table.txt");

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
pub(super) struct Cell {
    pub(super) victim: &'static str,
    pub(super) how: &'static str,
    pub(super) phase: &'static str,
    /// The expected result: what partner and station see, the line of the server and that of the client.
    pub(super) due: [String; 4],
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

    pub(super) fn passed(&self) -> usize {
        PHASES[self.place()].1
    }

    /// The address of its partner, by which the titles of its processes and its lines are recognised.
    pub(super) fn address(&self, site: &Site) -> IpAddr {
        address(site, u8::try_from(self.place()).unwrap())
    }

    /// The end of the title of the server's process for its partner; the title may continue after a space.
    pub(super) fn served(&self, site: &Site) -> String {
        format!("incoming {}", self.address(site))
    }

    /// What partner and station do after the victim was killed or stopped.
    pub(super) fn then(&self) -> Then {
        // The client's process serves no session before the partner's SSID.
        let is_serving = self.passed() > 1;
        match self.victim {
            "partner" | "station" => Then::Dies,
            "server" | "server-child" if self.how != "STOP" => Then::Waits,
            "client" | "client-child" if self.how != "STOP" && is_serving => Then::Waits,
            _ => Then::GoesOn,
        }
    }

    /// The same row with the observed result.
    pub(super) fn found(&self, found: &[String]) -> String {
        let [partner, station, server, client] = found else { panic!("{found:?}") };
        format!(
            "{:13} | {:4} | {:9} | {partner:7} | {station:7} | {server:25} | {client}",
            self.victim, self.how, self.phase
        )
    }
}

/// What partner and station do after the victim was killed or stopped.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// One of them is the victim.
    Dies,
    /// They go on with their session.
    GoesOn,
    /// They wait for its end.
    Waits,
}

pub(super) fn cells() -> impl Iterator<Item = Cell> {
    TABLE.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(Cell::read)
}

/// An address for a partner that only this site uses.
fn address(site: &Site, number: u8) -> IpAddr {
    let IpAddr::V4(own) = site.address else { panic!("{}", site.address) };
    let [first, second, third, _] = own.octets();
    Ipv4Addr::new(first, second, third, 200 + number).into()
}
