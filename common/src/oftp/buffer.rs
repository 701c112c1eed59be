//! Sizes of Stream Transmission Buffers, and the one buffer that is always the same.

/// Octets of a Stream Transmission Header (RFC 5024 §8.2).
pub const STH: usize = 4;

/// Largest Stream Transmission Buffer, header included: an Exchange Buffer of 99,999 octets (RFC 5024 §8.2).
pub const MAX_STB: usize = 100_003;

/// Largest Exchange Buffer; the header is not part of it.
pub const MAX_OEB: usize = MAX_STB - STH;

/// The Start Session Ready Message as a whole Stream Transmission Buffer (RFC 5024 §5.3.1).
pub const SSRM: [u8; 23] = *b"\x10\x00\x00\x17IODETTE FTP READY \r";
