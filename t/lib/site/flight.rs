//! A file in flight: it is sent up to its middle, where the partner's thread waits until the test lets it continue. So
//! a test can do anything to a running session, for any time.

use super::SiteError;
use crate::wait::PATIENCE;
use oftp2peer::Partner;
use oftp2peer::oftp::codec::hex;
use oftp2peer::oftp::report::Report;
use oftp2peer::oftp::settings::OutFile;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, spawn};

/// The file's length, octets: more than all buffers on the way can hold.
const LENGTH: u32 = 4_000_000;

/// A session in the middle of a file.
pub struct Flight {
    go_on: Sender<()>,
    session: JoinHandle<Report>,
    /// SHA-256 of the whole file, hex.
    pub sha256: String,
}

impl Flight {
    /// Sends the file up to its middle.
    pub fn take_off(mut partner: Partner) -> Result<Self, SiteError> {
        let octets: Arc<[u8]> = (0..LENGTH / 4).flat_map(u32::to_le_bytes).collect();
        let sha256 = hex(&openssl::sha::sha256(&octets));
        let (half, halfway) = channel();
        let (go_on, gate) = channel::<()>();
        let stop = Mutex::new(Some((half, gate)));
        partner.settings.watch = Some(Arc::new(move |progress| {
            if progress.sending
                && progress.octets > u64::from(LENGTH) / 2
                && let Some((half, gate)) = stop.lock().unwrap_or_else(PoisonError::into_inner).take()
            {
                // A flight that was dropped continues by itself.
                let _ = half.send(());
                let _ = gate.recv();
            }
        }));
        let session = spawn(move || partner.send([OutFile::octets("FLIGHT", octets)]));
        if halfway.recv_timeout(PATIENCE).is_err() {
            return Err("the file has not reached its middle in time".into());
        }
        Ok(Self { go_on, session, sha256 })
    }

    /// Lets the partner continue; returns the result of the session.
    pub fn land(self) -> Result<Report, SiteError> {
        // The session may be over already, if the test has broken it.
        let _ = self.go_on.send(());
        self.session.join().map_err(|_| "the partner has panicked".into())
    }
}
