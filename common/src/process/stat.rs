//! The system's data about a process, from `/proc/PID/stat` (proc(5)).

use std::fs::File;
use std::io::Read;

/// When it was started, in clock ticks since the system's start (field 22). Together with the process ID this
/// identifies a process, since IDs are used again. None if there is no such process, or if it has ended and was not
/// collected yet.
pub fn started(pid: i32) -> Option<u64> {
    let stat = read(pid)?;
    if is_zombie(&stat) { None } else { fields(&stat).nth(19)?.parse().ok() }
}

/// Whether it has ended but its parent has not collected it (usual in containers): then it still has an entry.
pub fn has_ended(pid: i32) -> bool {
    read(pid).is_some_and(|stat| is_zombie(&stat))
}

fn read(pid: i32) -> Option<String> {
    // One read returns the whole file. All 52 fields with the longest numbers need no more.
    let mut octets = vec![0; 2048];
    let length = File::open(format!("/proc/{pid}/stat")).and_then(|mut file| file.read(&mut octets)).ok()?;
    octets.truncate(length);
    String::from_utf8(octets).ok()
}

fn is_zombie(stat: &str) -> bool {
    fields(stat).next() == Some("Z")
}

/// The fields from the third one on. The second one is a name in parentheses, which may contain spaces and parentheses.
fn fields(stat: &str) -> impl Iterator<Item = &str> {
    stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_ascii_whitespace()
}

#[cfg(test)]
mod tests {
    use super::{has_ended, started};
    use std::process::Command;

    #[test]
    fn a_process_has_a_start_until_it_has_ended() {
        let own = started(std::process::id().cast_signed()).unwrap();
        assert!(started(1).unwrap() <= own);
        assert_eq!(started(-1), None);
        let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
        let pid = child.id().cast_signed();
        assert!(started(pid).unwrap() >= own && !has_ended(pid));
        child.kill().unwrap();
        while !has_ended(pid) {
            std::thread::yield_now();
        }
        assert_eq!(started(pid), None);
        child.wait().unwrap();
    }
}
