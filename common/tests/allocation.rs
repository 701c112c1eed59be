//! Counts the allocations of the checker: a valid buffer causes none.

#![cfg(test)]

use common::oftp::{Checker, Profile, SSRM, Side};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn stb(oeb: &[u8]) -> Vec<u8> {
    let length = u32::try_from(oeb.len() + 4).unwrap() | 0x1000_0000;
    [&length.to_be_bytes(), oeb].concat()
}

/// This file has only one test, because the count is for the whole process.
#[test]
fn a_buffer_in_order_allocates_nothing() {
    let codes = format!("{:25}{:25}", "O0177BETA", "O0013ALPHA");
    let receipt = stb(format!("E{:26}   202402292359590001        {codes}\0\0\0\0", "FILE").as_bytes());
    let file = stb(
        format!("H{:26}   202402292359590001        {codes}U00000{:043}000000N000", "FILE", 0).as_bytes()
    );
    let start = stb(b"200000000000000000");
    let data = stb(&[&b"D"[..], &[0x3F; 64].repeat(31)].concat());
    let (ready, credit, turn) = (stb(b"P"), stb(b"C  "), stb(b"R"));
    let ssid = stb(b"X5O0013000000ALPHA   HOST01ALPHAPW102048BYYN003N            \r");

    let mut checker = Checker::new(Profile::TOLERANT, 0);
    for (side, buffer) in [(Side::Responder, &SSRM[..]), (Side::Initiator, &ssid), (Side::Responder, &ssid)] {
        checker.judge(side, buffer).unwrap();
    }
    // Notes are not part of buffers: their list may grow once.
    checker.judge(Side::Initiator, &receipt).unwrap();
    checker.judge(Side::Responder, &ready).unwrap();
    assert_eq!(checker.take_notes().len(), 1);

    let region = Region::new(ALLOCATOR);
    let (initiator, responder) = (Side::Initiator, Side::Responder);
    let buffers = [
        (initiator, &turn),
        (responder, &file),
        (initiator, &start),
        (responder, &data),
        (responder, &data),
        (responder, &data),
        (initiator, &credit),
        (responder, &data),
    ];
    for (side, buffer) in buffers {
        assert_eq!(checker.frame(side, buffer), Ok(Some(buffer.len())));
        checker.judge(side, buffer).unwrap();
        assert!(checker.take_notes().is_empty());
    }
    let change = region.change();
    assert_eq!((change.allocations, change.reallocations), (0, 0));
}
