//! The title of a process in `ps`. The memory of the arguments and the environment becomes the title's area. This
//! removes the token and the URL's password, which every user could otherwise read in /proc/PID/cmdline.

use super::fork::single_threaded;
use std::ffi::{CString, OsString, c_char};
use std::io::{self, Error};
use std::os::unix::ffi::OsStringExt;
use std::ptr;
use std::sync::OnceLock;

unsafe extern "C" {
    static mut environ: *mut *mut c_char;
}

/// The memory that /proc/self/cmdline shows, and the begin of every title.
struct Area {
    start: usize,
    length: usize,
    name: String,
}

static AREA: OnceLock<Area> = OnceLock::new();

/// Removes arguments and environment from what other processes can see, and shows `name: starting` instead. The
/// environment itself is kept in another place. `std::env::args` returns nothing useful afterwards.
///
/// # Errors
/// Other threads run already, or /proc does not say where the arguments are.
pub fn init(name: &str) -> io::Result<()> {
    if !single_threaded() {
        return Err(Error::other("other threads run already"));
    }
    if AREA.get().is_some() {
        return Ok(());
    }
    let (start, length) = area(&std::fs::read_to_string("/proc/self/stat")?)
        .ok_or_else(|| Error::other("/proc/self/stat does not say where the arguments are"))?;
    move_environment();
    AREA.get_or_init(|| Area { start, length, name: name.to_owned() });
    set("starting");
    Ok(())
}

/// Shows `name: text` in `ps`, cut to the room there is. Does nothing before [`init`].
pub fn set(text: &str) {
    let Some(area) = AREA.get() else { return };
    let title = format!("{}: {text}", area.name).into_bytes();
    let shown = title.len().min(area.length.saturating_sub(1));
    let start = ptr::with_exposed_provenance_mut::<u8>(area.start);
    // SAFETY: the kernel put the area's `length` writable octets on the stack above every frame, where they stay for
    // the life of the process. Nobody holds a reference into them: `init` has moved the environment, and std hands
    // out copies of the arguments only. `shown` < `length`, so the last octet stays NUL for code that reads argv.
    unsafe {
        ptr::write_bytes(start, 0, area.length);
        ptr::copy_nonoverlapping(title.as_ptr(), start, shown);
    }
}

/// Start and length of the arguments, with the environment if it follows them: fields 48 to 51 of proc_pid_stat(5).
fn area(stat: &str) -> Option<(usize, usize)> {
    let (_, fields) = stat.rsplit_once(')')?;
    // The first field after the name in brackets is number 3.
    let mut addresses = fields.split_ascii_whitespace().skip(48 - 3).map(|field| field.parse::<usize>().ok());
    let (arguments, arguments_end) = (addresses.next()??, addresses.next()??);
    let (environment, environment_end) = (addresses.next()??, addresses.next()??);
    let end = if environment == arguments_end { environment_end } else { arguments_end };
    let length = end.checked_sub(arguments).filter(|length| arguments != 0 && *length > 0)?;
    Some((arguments, length))
}

/// Copies the environment to the heap, where it stays.
fn move_environment() {
    let entry = |(name, value): (OsString, OsString)| {
        let octets = [name.into_vec(), value.into_vec()].join(&b'=');
        CString::new(octets).ok().map(CString::into_raw)
    };
    let mut entries: Vec<*mut c_char> = std::env::vars_os().filter_map(entry).collect();
    entries.push(ptr::null_mut());
    // SAFETY: this is the only thread (`init` looked), so nobody reads the environment meanwhile. The new table is
    // leaked, ends with a null pointer and points to leaked NUL-terminated texts, as environ(7) asks.
    unsafe { environ = Vec::leak(entries).as_mut_ptr() };
}

#[cfg(test)]
mod tests {
    use super::area;

    fn stat(addresses: &str) -> String {
        format!("4711 (a) (b) S{} {addresses} 0", " 0".repeat(44))
    }

    #[test]
    fn the_area_is_found_in_stat() {
        assert_eq!(area(&stat("1000 1100 1100 1500")), Some((1000, 500)));
        assert_eq!(area(&stat("1000 1100 1200 1500")), Some((1000, 100)));
    }

    #[test]
    fn no_area_is_no_area() {
        for text in ["", "1 (a) S 0 0", &stat("0 0 0 0"), &stat("1000 900 1 2"), &stat("x 1 2 3")] {
            assert_eq!(area(text), None, "{text}");
        }
    }
}
