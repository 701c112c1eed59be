//! What the system says of a process in `/proc/PID/stat` (proc(5)).

use std::fs;

/// When it was started, in clock ticks since the system's start (field 22): with its ID this names a process, since IDs
/// are used again. None if there is no such process, or it has ended and was not collected yet.
pub fn started(pid: i32) -> Option<u64> {
    let stat = read(pid)?;
    if is_zombie(&stat) { None } else { fields(&stat).nth(19)?.parse().ok() }
}

/// It has ended, and its parent did not collect it (usual in containers): it still has an entry.
pub fn has_ended(pid: i32) -> bool {
    read(pid).is_some_and(|stat| is_zombie(&stat))
}

fn read(pid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/stat")).ok()
}

fn is_zombie(stat: &str) -> bool {
    fields(stat).next() == Some("Z")
}

/// The fields from the third one on. The second is a name in parentheses, which may have spaces and parentheses itself.
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
