//! Compares the cost of the checker with the cost of decrypting the same octets, on the same core in the same run.
//!
//! `scripts/bench checker` runs it. Rounds of all cases take turns, so that a busy machine is busy for all of them;
//! the best round counts. Exits 1 if uncompressed DATA costs a tenth of AES-256-GCM or more.

use common::oftp::{Checker, Profile, Side, State};
use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, clock_gettime};
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};
use std::hint::black_box;
use std::process::ExitCode;

/// Rounds of all cases.
const ROUNDS: usize = 101;
/// Buffers a round, all of one credit.
const BUFFERS: u32 = 200;

type Error = Box<dyn std::error::Error>;

/// One thing that is timed: its name, octets a round, and the round itself.
struct Case {
    name: &'static str,
    octets: u64,
    round: Box<dyn FnMut() -> Result<(), Error>>,
    nanoseconds: Vec<u64>,
}

fn main() -> ExitCode {
    match measure() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("The bench failed: {error}.");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<bool, Error> {
    let mut cases = [
        decryption()?,
        transfer("DATA 99999 uncompressed (U)", "U00000", &uncompressed(99_999, 63))?,
        transfer("DATA 99999 uncompressed (F 80)", "F00080", &fixed_records(99_999))?,
        transfer("DATA 99999 compressed", "U00000", &compressed(99_999))?,
        transfer("DATA 2048 uncompressed", "U00000", &uncompressed(2048, 63))?,
        small_commands(),
    ];
    for _ in 0..ROUNDS {
        for case in &mut cases {
            let begin = cpu_time()?;
            (case.round)()?;
            case.nanoseconds.push(u64::try_from((cpu_time()? - begin).num_nanoseconds())?);
        }
    }
    println!("{:<34} {:>10} {:>12} {:>10}", "", "GB/s", "ns/buffer", "of AES");
    let mut base = None;
    let mut within = true;
    for case in &cases {
        let best = case.nanoseconds.iter().min().copied().unwrap_or(u64::MAX);
        let per_octet = f64_of(best)? / f64_of(case.octets)?;
        let share = per_octet / *base.get_or_insert(per_octet);
        let per_buffer = f64_of(best)? / f64::from(BUFFERS);
        println!("{:<34} {:>10.2} {per_buffer:>12.1} {:>9.1}%", case.name, 1.0 / per_octet, share * 100.0);
        within &= share < 0.1 || !case.name.starts_with("DATA 99999 uncompressed (U)");
    }
    Ok(within)
}

/// CPU time of this thread: other processes on the machine do not count.
fn cpu_time() -> Result<TimeSpec, Error> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?)
}

/// A round's time and octets need less than 32 bits.
fn f64_of(number: u64) -> Result<f64, Error> {
    Ok(f64::from(u32::try_from(number)?))
}

/// AES-256-GCM, a full Exchange Buffer at once: the fastest that OpenSSL can be (TLS records are smaller).
fn decryption() -> Result<Case, Error> {
    let (key, nonce, plain) = ([7; 32], [9; 12], uncompressed(99_999, 63));
    let mut tag = [0; 16];
    let sealed = encrypt_aead(Cipher::aes_256_gcm(), &key, Some(&nonce), b"", &plain, &mut tag)?;
    let mut open = vec![0; sealed.len() + 16];
    Ok(Case {
        name: "AES-256-GCM decryption (OpenSSL)",
        octets: u64::from(BUFFERS) * 99_999,
        round: Box::new(move || {
            for _ in 0..BUFFERS {
                let mut crypter = Crypter::new(Cipher::aes_256_gcm(), Mode::Decrypt, &key, Some(&nonce))?;
                crypter.set_tag(&tag)?;
                let done = crypter.update(black_box(&sealed), &mut open)?;
                crypter
                    .finalize(open.get_mut(done..).ok_or("the plain text is longer than the sealed one")?)?;
                black_box(&open);
            }
            Ok(())
        }),
        nanoseconds: Vec::new(),
    })
}

/// A file of such buffers that never ends: the session has begun before the clock starts.
fn transfer(name: &'static str, format: &str, oeb: &[u8]) -> Result<Case, Error> {
    let stb = stb(oeb);
    let mut checker = started()?;
    pass(&mut checker, Side::Initiator, &sfid(format))?;
    pass(&mut checker, Side::Responder, &stb_of("200000000000000000"))?;
    let credit = stb_of("C  ");
    let round = move || {
        for _ in 0..BUFFERS {
            if checker.state() == State::TransferNoCredit {
                pass(&mut checker, Side::Responder, &credit)?;
            }
            pass(&mut checker, Side::Initiator, black_box(&stb))?;
        }
        Ok(())
    };
    let octets = u64::from(BUFFERS) * oeb.len() as u64;
    Ok(Case { name, octets, round: Box::new(round), nanoseconds: Vec::new() })
}

/// Receipts, ready to receive, changes of direction.
fn small_commands() -> Case {
    let eerp =
        format!("E{:26}   202402292359590001        {:25}{:25}\0\0\0\0", "FILE", "O0177BETA", "O0013ALPHA");
    let steps = [(Side::Initiator, stb_of(&eerp)), (Side::Responder, stb_of("P"))];
    let octets = steps.iter().map(|(_, stb)| stb.len() as u64).sum::<u64>() * u64::from(BUFFERS / 2);
    let round = move || {
        let mut checker = started()?;
        for _ in 0..BUFFERS / 2 {
            for (side, stb) in &steps {
                pass(&mut checker, *side, black_box(stb))?;
            }
            checker.take_notes();
        }
        Ok(())
    };
    Case { name: "EERP and RTR", octets, round: Box::new(round), nanoseconds: Vec::new() }
}

/// Does what a relay does: it measures the buffer at hand, then judges it.
fn pass(checker: &mut Checker, side: Side, stb: &[u8]) -> Result<(), Error> {
    checker.frame(side, stb)?.ok_or("a buffer was not whole")?;
    checker.judge(side, stb)?;
    Ok(())
}

fn started() -> Result<Checker, Error> {
    let mut checker = Checker::new(Profile::STRICT, 0);
    let ssid = "X5O0013000000ALPHA   HOST01ALPHAPW199999BYYN999N            \r";
    pass(&mut checker, Side::Responder, &common::oftp::SSRM)?;
    pass(&mut checker, Side::Initiator, &stb_of(ssid))?;
    pass(&mut checker, Side::Responder, &stb_of(ssid))?;
    Ok(checker)
}

fn sfid(format: &str) -> Vec<u8> {
    let codes = format!("{:25}{:25}", "O0177BETA", "O0013ALPHA");
    let sizes = format!("{:013}{:013}{:017}", 0, 0, 0);
    stb_of(&format!("H{:26}   202402292359590001        {codes}{format}{sizes}000000N000", "FILE"))
}

/// Subrecords of `count` octets that fill an Exchange Buffer of `octets`, none of which ends a record.
fn uncompressed(octets: usize, count: u8) -> Vec<u8> {
    let mut oeb = vec![b'D'];
    while octets - oeb.len() > usize::from(count) {
        oeb.push(count);
        oeb.extend(std::iter::repeat_n(0xA5, usize::from(count)));
    }
    let rest = octets - oeb.len();
    if rest > 1 {
        oeb.push(u8::try_from(rest - 1).unwrap_or(0));
        oeb.extend(std::iter::repeat_n(0xA5, rest - 1));
    }
    oeb
}

/// Whole records of 80 octets: 63 and 17.
fn fixed_records(octets: usize) -> Vec<u8> {
    let mut oeb = vec![b'D'];
    while octets - oeb.len() >= 82 {
        oeb.push(0x3F);
        oeb.extend([0xA5; 63]);
        oeb.push(0x91);
        oeb.extend([0xA5; 17]);
    }
    oeb
}

/// Nothing but runs of 63.
fn compressed(octets: usize) -> Vec<u8> {
    std::iter::once(b'D').chain([0x7F, 0xA5].into_iter().cycle().take((octets - 1) & !1)).collect()
}

fn stb_of(oeb: &str) -> Vec<u8> {
    stb(oeb.as_bytes())
}

fn stb(oeb: &[u8]) -> Vec<u8> {
    let length = u32::try_from(oeb.len() + 4).unwrap_or(0) | 0x1000_0000;
    [&length.to_be_bytes(), oeb].concat()
}
