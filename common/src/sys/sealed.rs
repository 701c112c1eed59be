//! Octets that no process can change any more, not even the one that made them. Children share them, and a fork does
//! not even copy their page table, as it does for all other memory.

use nix::fcntl::{FcntlArg, SealFlag, fcntl};
use nix::sys::memfd::{MFdFlags, memfd_create};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::ptr::{self, NonNull};
use std::slice;

/// Sealed octets; there is at least one.
#[derive(Debug)]
pub struct SealedOctets {
    place: NonNull<u8>,
    length: usize,
}

// SAFETY: the mapping belongs to this value alone and is never written to.
unsafe impl Send for SealedOctets {}
// SAFETY: as above.
unsafe impl Sync for SealedOctets {}

impl SealedOctets {
    /// A copy of `octets` that can never be changed.
    ///
    /// # Errors
    /// `octets` is empty, or the system has no memory or no descriptor for them.
    pub fn new(octets: &[u8]) -> io::Result<Self> {
        let flags = MFdFlags::MFD_ALLOW_SEALING | MFdFlags::MFD_CLOEXEC;
        let mut file = File::from(memfd_create("octets", flags)?);
        file.write_all(octets)?;
        let seals =
            SealFlag::F_SEAL_WRITE | SealFlag::F_SEAL_GROW | SealFlag::F_SEAL_SHRINK | SealFlag::F_SEAL_SEAL;
        fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
        // SAFETY: a new mapping at a place of the kernel's choice changes no memory that anybody uses.
        let place = unsafe {
            let (read, private) = (libc::PROT_READ, libc::MAP_PRIVATE);
            libc::mmap(ptr::null_mut(), octets.len(), read, private, file.as_raw_fd(), 0)
        };
        match NonNull::new(place.cast::<u8>()) {
            Some(start) if place != libc::MAP_FAILED => Ok(Self { place: start, length: octets.len() }),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The octets.
    pub fn octets(&self) -> &[u8] {
        // SAFETY: the mapping has this length and lives as long as `self`. The file below it is sealed: nobody can
        // write to it, nor make it shorter.
        unsafe { slice::from_raw_parts(self.place.as_ptr(), self.length) }
    }
}

impl Drop for SealedOctets {
    fn drop(&mut self) {
        // SAFETY: mapped with this length in `new`, and nobody borrows from it any more.
        unsafe { libc::munmap(self.place.as_ptr().cast(), self.length) };
    }
}

#[cfg(test)]
mod tests {
    use super::SealedOctets;

    #[test]
    fn octets_are_there_as_they_were_given() {
        let given: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        assert_eq!(SealedOctets::new(&given).unwrap().octets(), given);
        assert!(SealedOctets::new(&[]).is_err(), "nothing can be mapped");
    }
}
