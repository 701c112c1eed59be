//! An archive of texts in the format of tar (POSIX.1-1988 ustar), which every system can open. Pure.

use std::fmt::Write as _;

/// Octets of a block.
const BLOCK: usize = 512;

/// Appends a file of this name, made at `time`; the name is ASCII and short.
pub(super) fn append(archive: &mut String, name: &str, content: &str, time: i64) {
    let header = header(name, content.len(), time, "        ");
    let sum: u32 = header.bytes().map(u32::from).sum();
    archive.push_str(&self::header(name, content.len(), time, &format!("{sum:06o}\0 ")));
    archive.push_str(content);
    pad(archive);
}

/// Ends the archive.
pub(super) fn finish(archive: &mut String) {
    archive.push_str(&"\0".repeat(2 * BLOCK));
}

/// A header with this checksum; while the checksum is computed, the field is blank.
fn header(name: &str, size: usize, time: i64, sum: &str) -> String {
    let mut header = String::with_capacity(BLOCK);
    // name, mode, owner, group, size, time, checksum, kind, link, magic and version.
    let _ = write!(header, "{name:\0<100}0000600\00000000\00000000\0{size:011o}\0{time:011o}\0{sum}0");
    let _ = write!(header, "{:\0<100}ustar\000{:\0<247}", "", "");
    header
}

fn pad(archive: &mut String) {
    let rest = archive.len() % BLOCK;
    if rest > 0 {
        archive.push_str(&"\0".repeat(BLOCK - rest));
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, append, finish};

    #[test]
    fn a_file_is_a_header_and_whole_blocks() {
        let mut archive = String::new();
        append(&mut archive, "one.txt", "Müller\n", 1_700_000_000);
        assert_eq!(archive.len(), 2 * BLOCK);
        let header = &archive.as_bytes()[..BLOCK];
        assert_eq!(&header[257..265], b"ustar\x0000");
        assert_eq!(&header[124..136], b"00000000010\0");
        let stated = u32::from_str_radix(std::str::from_utf8(&header[148..154]).unwrap(), 8).unwrap();
        let summed: u32 = header
            .iter()
            .enumerate()
            .map(|(at, &octet)| if (148..156).contains(&at) { 32 } else { octet.into() })
            .sum();
        assert_eq!(stated, summed);
        append(&mut archive, "empty", "", 0);
        finish(&mut archive);
        assert_eq!(archive.len(), 5 * BLOCK);
    }
}
