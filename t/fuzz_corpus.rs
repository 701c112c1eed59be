//! Runs the fuzz targets, in the form for cargo-fuzz, on the stored corpus, so that every fault that was found stays
//! fixed.

use crate::fuzz_targets;
use std::path::Path;

/// Runs `target` on each file; returns the number of files.
fn run(name: &str, target: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for file in &files {
        // The last printed line names the input that fails.
        println!("{}", file.display());
        target(&std::fs::read(file).unwrap());
    }
    files.len()
}

#[test]
fn framing() {
    assert!(run("framing", fuzz_targets::framing) >= 10);
}

#[test]
fn message() {
    assert!(run("message", fuzz_targets::message) >= 60);
}

#[test]
fn data() {
    assert!(run("data", fuzz_targets::data) >= 9);
}

#[test]
fn session() {
    assert!(run("session", fuzz_targets::session) >= 28);
}
