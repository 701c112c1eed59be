//! Length-prefixed JSON: four octets of length, big-endian, then that many octets of JSON. No I/O here.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::io;

/// Largest frame on the control connection, octets of JSON.
pub const MAX_FRAME: usize = 1 << 20;

/// Why octets are not a frame.
#[derive(Debug)]
pub enum FrameError {
    /// The frame's length is above the limit: length, limit.
    TooLong(usize, usize),
    /// The content is not the JSON that is expected here.
    Json(serde_json::Error),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length, limit) => write!(f, "a frame of {length} octets; {limit} are allowed"),
            Self::Json(e) => write!(f, "a frame that is no message of this protocol: {e}"),
        }
    }
}

impl std::error::Error for FrameError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::TooLong(..) => None,
            Self::Json(e) => Some(e),
        }
    }
}

/// `message` as a frame.
///
/// # Errors
/// The message cannot be written as JSON, or not in 4 GiB.
pub fn encode(message: &impl Serialize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message).map_err(FrameError::Json)?;
    let length = frame.len() - 4;
    let prefix = u32::try_from(length).map_err(|_| FrameError::TooLong(length, u32::MAX as usize))?;
    if let Some(head) = frame.get_mut(..4) {
        head.copy_from_slice(&prefix.to_be_bytes());
    }
    Ok(frame)
}

/// The length of `message`, octets of JSON.
///
/// # Errors
/// The message cannot be written as JSON.
pub fn length(message: &impl Serialize) -> Result<usize, FrameError> {
    let mut size = Size(0);
    serde_json::to_writer(&mut size, message).map_err(FrameError::Json)?;
    Ok(size.0)
}

/// A writer that only counts octets.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0 += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Splits received octets into frames. Keeps nothing of a frame that was taken.
pub struct Splitter {
    buffer: Vec<u8>,
    limit: usize,
}

impl Splitter {
    /// Refuses frames of more than `limit` octets.
    pub fn new(limit: usize) -> Self {
        Self { buffer: Vec::new(), limit }
    }

    /// Adds received octets.
    pub fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole frame, if there is one.
    ///
    /// # Errors
    /// The length is above the limit, or the octets are not a `T` in JSON. The connection is of no use afterwards.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head) as usize;
        if length > self.limit {
            return Err(FrameError::TooLong(length, self.limit));
        }
        let Some(body) = self.buffer.get(4..4 + length) else { return Ok(None) };
        let message = serde_json::from_slice(body).map_err(FrameError::Json)?;
        // A new buffer: the memory of a large answer must be freed, or it would be copied at every fork.
        self.buffer = self.buffer.get(4 + length..).unwrap_or_default().to_vec();
        Ok(Some(message))
    }

    /// How many octets of the next frame are still missing, at least 1. Reading no more than that leaves what
    /// follows the frame in the socket.
    pub fn missing(&self) -> usize {
        match self.buffer.first_chunk::<4>() {
            None => 4 - self.buffer.len(),
            Some(head) => (4 + u32::from_be_bytes(*head) as usize).saturating_sub(self.buffer.len()).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Splitter, encode};

    #[test]
    fn frames_survive_any_splitting() {
        let frames = [encode(&"one").unwrap().as_slice(), &encode(&"zwei").unwrap()].concat();
        for cut in 0..frames.len() {
            let mut splitter = Splitter::new(100);
            let mut seen: Vec<String> = Vec::new();
            for part in [&frames[..cut], &frames[cut..]] {
                splitter.feed(part);
                while let Some(text) = splitter.take().unwrap() {
                    seen.push(text);
                }
            }
            assert_eq!(seen, ["one", "zwei"]);
        }
    }

    #[test]
    fn too_long_and_rubbish_are_refused() {
        let mut splitter = Splitter::new(10);
        splitter.feed(&11u32.to_be_bytes());
        assert!(splitter.take::<String>().is_err());
        let mut splitter = Splitter::new(10);
        splitter.feed(&[0, 0, 0, 2, b'{', b'{']);
        assert!(splitter.take::<String>().is_err());
    }

    #[test]
    fn missing_never_reaches_into_what_follows() {
        let frame = encode(&"one").unwrap();
        let mut splitter = Splitter::new(100);
        for octet in &frame {
            assert!(splitter.missing() >= 1);
            assert!(splitter.take::<String>().unwrap().is_none());
            splitter.feed(&[*octet]);
        }
        assert_eq!(splitter.take::<String>().unwrap().unwrap(), "one");
    }
}
