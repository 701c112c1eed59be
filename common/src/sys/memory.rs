//! Freed heap memory is wiped: all of Rust's, and OpenSSL's blocks up to 16 KiB. Otherwise the content of a freed block
//! would stay in the memory of every process forked later, until something else overwrites it. Secrets are also in
//! memory that none of our types owns: a parser's buffer, the old place of a vector that has grown, an option's text;
//! OpenSSL's decoders free the DER of a private key without wiping it. Stacks and registers are not wiped.
//!
//! A large block is a separate mapping and is returned to the system, which is as good as wiped. Wiping it would cost a
//! page fault for each page that was never used: a relay's buffers are as large as a session could need.

// Links the library that the function below is in.
use openssl_sys as _;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::{c_char, c_int, c_void};
use std::io;
use std::ptr;

/// The system's allocator. A freed block is overwritten first, or its pages leave the process. A block that moves when
/// it grows is freed at its old place.
pub struct WipedHeap;

/// From this size on a block is a mapping, octets: mostly the buffers of relays and connections, which are allocated
/// once.
const MAPPED: usize = 64 * 1024;
/// Least alignment of a mapping, on every machine.
const PAGE: usize = 4096;

fn is_mapped(layout: Layout) -> bool {
    layout.size() >= MAPPED && layout.align() <= PAGE
}

/// A new mapping of zeros; it has no page before it is used.
fn map(size: usize) -> *mut u8 {
    // SAFETY: a new anonymous mapping at a place of the kernel's choice changes no memory that anybody uses.
    let place = unsafe {
        libc::mmap(
            ptr::null_mut(),
            size,
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if place == libc::MAP_FAILED { ptr::null_mut() } else { place.cast() }
}

// SAFETY: each call is passed on to the system's allocator with the layout it came with, or the layout says that the
// block is a mapping of at least its size, aligned to a page; the layout of a block does not change. `realloc` is the
// trait's own: allocate, copy, deallocate, because the system's would leave the old place as it was.
unsafe impl GlobalAlloc for WipedHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: the caller keeps to GlobalAlloc's contract, which is System's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if is_mapped(layout) {
            return map(layout.size());
        }
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        if is_mapped(layout) {
            // SAFETY: `place` was mapped with this size, and nobody uses it any more. Where the kernel can have no more
            // mappings it may refuse to split a large one; then the block stays where it is, and is wiped.
            unsafe {
                if libc::munmap(place.cast(), layout.size()) != 0 {
                    libc::explicit_bzero(place.cast(), layout.size());
                }
            }
            return;
        }
        // SAFETY: `place` was allocated with this layout and nobody uses it any more. Unlike writes of ours, this call
        // is not optimised away before a free.
        unsafe { libc::explicit_bzero(place.cast(), layout.size()) };
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

/// Free memory at the end of the heap of a process that forks, octets: as much as a child usually needs.
#[cfg(target_env = "gnu")]
const ROOM: libc::c_int = 256 * 1024;
/// Holes are looked for from this size on, octets. The C library makes separate mappings for larger blocks.
#[cfg(target_env = "gnu")]
const LARGE: usize = 64 * 1024;
/// Step between the sizes of holes, octets.
#[cfg(target_env = "gnu")]
const HOLE: usize = 16;

/// Prepares the heap of a process that forks: returns free memory at its end to the system, fills the holes in it, and
/// reserves room at its end, which has no pages before it is used. A child then allocates its blocks there, side by
/// side. If it used holes all over the heap, it would copy a page for each.
pub fn settle_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: blocks of our own, which are not written to, and freed or left as they are; sbrk(0) changes nothing, the
    // other calls change how the C library's allocator grows and shrinks.
    unsafe {
        libc::malloc_trim(0);
        libc::mallopt(libc::M_TOP_PAD, ROOM);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 * ROOM);
        // When the heap must grow for a block, that is its end: no hole is large enough.
        let end = loop {
            let before = libc::sbrk(0);
            let block = libc::malloc(LARGE);
            if block.is_null() || libc::sbrk(0) != before {
                break block;
            }
        };
        libc::free(end);
        if end.is_null() {
            return;
        }
        for size in (1..=LARGE / HOLE).rev().map(|units| units * HOLE) {
            loop {
                let block = libc::malloc(size);
                if block.is_null() || block >= end {
                    libc::free(block);
                    break;
                }
            }
        }
    }
}

type Allocate = unsafe extern "C" fn(usize, *const c_char, c_int) -> *mut c_void;
type Resize = unsafe extern "C" fn(*mut c_void, usize, *const c_char, c_int) -> *mut c_void;
type Release = unsafe extern "C" fn(*mut c_void, *const c_char, c_int);

unsafe extern "C" {
    /// CRYPTO_set_mem_functions(3): the functions with which OpenSSL allocates (`None`: unchanged), resizes and frees.
    fn CRYPTO_set_mem_functions(
        allocate: Option<Allocate>,
        resize: Option<Resize>,
        release: Option<Release>,
    ) -> c_int;
}

/// Blocks above this size are not wiped, octets: they are buffers of TLS records and the like, contain no key, and are
/// allocated and freed all the time.
const LARGEST: usize = 16 * 1024;

/// From now on OpenSSL's blocks of up to 16 KiB are wiped when they are freed, in this process and its children. Call
/// it before anything of OpenSSL is used.
///
/// # Errors
/// OpenSSL has allocated memory already; then nothing changes.
pub fn wipe_what_openssl_frees() -> io::Result<()> {
    // SAFETY: both functions keep the contracts of realloc(3) and free(3) for blocks of malloc(3), which OpenSSL goes
    // on to use; it refuses the change once it has allocated anything.
    let taken = unsafe { CRYPTO_set_mem_functions(None, Some(resize), Some(release)) };
    if taken == 1 { Ok(()) } else { Err(io::Error::other("OpenSSL has allocated memory already")) }
}

/// free(3), the block wiped.
unsafe extern "C" fn release(block: *mut c_void, _: *const c_char, _: c_int) {
    // SAFETY: OpenSSL hands over null, which both calls take, or a block of malloc(3) that it does not use any more.
    // glibc gives the whole block to its owner, so all of its usable size may be written.
    unsafe {
        let size = libc::malloc_usable_size(block);
        if size <= LARGEST && !block.is_null() {
            libc::explicit_bzero(block, size);
        }
        libc::free(block);
    }
}

/// realloc(3), the old block wiped. Like OpenSSL's own, it frees a block that is to have no size.
unsafe extern "C" fn resize(
    block: *mut c_void,
    size: usize,
    file: *const c_char,
    line: c_int,
) -> *mut c_void {
    // SAFETY: as above. Only octets that both blocks have are copied, and two blocks never overlap.
    unsafe {
        let old = libc::malloc_usable_size(block);
        if size == 0 {
            release(block, file, line);
            return ptr::null_mut();
        }
        if block.is_null() || old > LARGEST {
            return libc::realloc(block, size);
        }
        let new = libc::malloc(size);
        if !new.is_null() {
            ptr::copy_nonoverlapping(block.cast::<u8>(), new.cast::<u8>(), old.min(size));
            release(block, file, line);
        }
        new
    }
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, PAGE, WipedHeap, release, resize};
    use std::alloc::{GlobalAlloc, Layout};
    use std::ptr;

    /// Resident octets of the mapping that `place` is in (proc_pid_smaps(5)); none if nothing is mapped there.
    fn resident(place: *mut u8) -> Option<usize> {
        let mut is_there = false;
        for line in std::fs::read_to_string("/proc/self/smaps").unwrap().lines() {
            if let Some((from, to)) = line.split(' ').next().unwrap().split_once('-') {
                let [from, to] = [from, to].map(|address| usize::from_str_radix(address, 16).unwrap());
                is_there = (from..to).contains(&place.addr());
            } else if let (true, Some(rest)) = (is_there, line.strip_prefix("Rss:")) {
                return Some(rest.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024);
            }
        }
        None
    }

    #[test]
    fn a_large_block_takes_pages_as_it_is_used_and_leaves_the_process() {
        // Too large to fit into any other mapping.
        let layout = Layout::from_size_align(1 << 30, 16).unwrap();
        // SAFETY: a block of our own, written within its size, and not used once it is freed.
        let place = unsafe {
            let place = WipedHeap.alloc(layout);
            assert_eq!(place.addr() % PAGE, 0);
            assert!(resident(place).unwrap() < 1 << 20, "unused");
            place.add(1 << 29).write(7);
            let moved = WipedHeap.realloc(place, layout, 1 << 20);
            assert_eq!(moved.read(), 0);
            WipedHeap.dealloc(moved, Layout::from_size_align(1 << 20, 16).unwrap());
            place
        };
        assert!(resident(place.wrapping_add(1 << 29)).is_none(), "freed");
    }

    #[test]
    fn a_block_keeps_its_octets_when_it_grows_and_shrinks() {
        let sizes = [1, 16, 100, LARGEST, 3 * LARGEST, LARGEST, 40, 3];
        let mut block = ptr::null_mut();
        for size in sizes {
            // SAFETY: a block of our own, and no octet beyond its size.
            unsafe {
                block = resize(block, size, ptr::null(), 0);
                let octets = block.cast::<u8>();
                assert!(size == 1 || *octets == 7, "{size}");
                octets.write_bytes(7, size);
            }
        }
        // SAFETY: as above; both take null.
        unsafe {
            assert!(resize(block, 0, ptr::null(), 0).is_null());
            release(ptr::null_mut(), ptr::null(), 0);
        }
    }
}
