//! `openssl s_client` as a partner, as administrators use it: it shows TLS's own messages, such as the number of an
//! alert. It has a time limit and speaks no OFTP2.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// The server's first words after the TLS handshake.
const GREETING: &[u8] = b"ODETTE FTP READY";

/// All its output when it connects `to`. Once the server has sent its SSRM, `input` is sent to its standard input,
/// which is then closed; that ends it. Fails if there is no openssl, and if it does not end.
pub fn s_client(to: SocketAddr, options: &[&str], input: &str) -> io::Result<String> {
    let mut client = Command::new("timeout")
        .args(["60", "openssl", "s_client", "-connect", &to.to_string()])
        .args(options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut keyboard = client.stdin.take();
    let (mut said, mut part) = (Vec::new(), [0; 4096]);
    let mut screen = client.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    while let length @ 1.. = screen.read(&mut part)? {
        said.extend(part.iter().take(length));
        let greeted = said.windows(GREETING.len()).any(|octets| octets == GREETING);
        if let Some(mut keyboard) = keyboard.take_if(|_| greeted) {
            // If it has ended meanwhile, its output says why.
            let _ = keyboard.write_all(input.as_bytes());
        }
    }
    let end = client.wait_with_output()?;
    said.extend(end.stderr);
    let said = String::from_utf8_lossy(&said).into_owned();
    match end.status.code() {
        // These statuses are documented in timeout(1).
        Some(124..=127) => {
            Err(io::Error::other(format!("openssl s_client {options:?}: {}: {said}", end.status)))
        }
        _ => Ok(said),
    }
}
