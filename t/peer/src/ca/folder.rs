//! An authority in a folder: `ca.pem`, `ca.key`, `crl.pem`, `revoked`, and for each name `NAME.pem`, `NAME.key`.
//! Keys are created with mode 0600; only the CRL and the list of revoked certificates are overwritten.

use super::{Authority, Issued, Request};
use crate::oftp::codec::hex;
use openssl::error::ErrorStack;
use openssl::pkey::PKey;
use openssl::x509::X509;
use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Why a folder cannot be used.
#[derive(Debug)]
pub enum FolderError {
    /// A file cannot be read or written.
    File(PathBuf, io::Error),
    /// OpenSSL refuses the content of a file, or the request.
    Refused(PathBuf, ErrorStack),
    /// A line in the list of revoked certificates is not valid.
    List(PathBuf, usize),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path, error) if error.kind() == io::ErrorKind::AlreadyExists => {
                write!(f, "{} exists and is not overwritten; choose another name or folder", path.display())
            }
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Refused(path, error) => write!(f, "{} cannot be used: {error}", path.display()),
            Self::List(path, line) => write!(f, "{} line {line} is not 'SERIAL SECONDS'", path.display()),
        }
    }
}

impl std::error::Error for FolderError {}

/// The folder of one authority.
pub struct Folder {
    path: PathBuf,
    authority: Authority,
}

impl Folder {
    /// Makes a new authority in `path`, and its first CRL, valid for `days`.
    pub fn create(path: &Path, name: &str, days: u64) -> Result<Self, FolderError> {
        std::fs::create_dir_all(path).map_err(|error| FolderError::File(path.to_owned(), error))?;
        let refused = |error| FolderError::Refused(path.to_owned(), error);
        let authority = Authority::new(name).map_err(refused)?;
        let mut folder = Self { path: path.to_owned(), authority };
        folder.write_new("ca.key", &folder.authority.own.key_pem().map_err(refused)?, 0o600)?;
        folder.write_new("ca.pem", &folder.authority.certificate_pem().map_err(refused)?, 0o644)?;
        folder.write_new("revoked", b"", 0o644)?;
        folder.write_crl(days)?;
        Ok(folder)
    }

    /// The authority in `path`.
    pub fn open(path: &Path) -> Result<Self, FolderError> {
        let (certificate, key) = read_pair(path, "ca")?;
        let list = path.join("revoked");
        let text = std::fs::read_to_string(&list).map_err(|error| FolderError::File(list.clone(), error))?;
        let revoked = text
            .lines()
            .enumerate()
            .map(|(at, line)| parse_revoked(line).ok_or_else(|| FolderError::List(list.clone(), at + 1)))
            .collect::<Result<_, _>>()?;
        // The clock makes the CRL number grow from one run to the next.
        let crl_number = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let own = Issued { certificate, key };
        Ok(Self { path: path.to_owned(), authority: Authority { own, revoked, crl_number } })
    }

    /// The authority itself.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Issues a certificate as `NAME.pem` and `NAME.key`.
    pub fn issue(&self, request: &Request) -> Result<Issued, FolderError> {
        let refused = |error| FolderError::Refused(self.path.join(&request.name), error);
        let issued = self.authority.issue(request).map_err(refused)?;
        self.write_new(&format!("{}.key", request.name), &issued.key_pem().map_err(refused)?, 0o600)?;
        self.write_new(&format!("{}.pem", request.name), &issued.certificate_pem().map_err(refused)?, 0o644)?;
        Ok(issued)
    }

    /// Revokes `NAME.pem`; the next CRL has it.
    pub fn revoke(&mut self, name: &str) -> Result<(), FolderError> {
        let (certificate, _) = read_pair(&self.path, name)?;
        let list = self.path.join("revoked");
        self.authority.revoke(&certificate).map_err(|error| FolderError::Refused(list.clone(), error))?;
        let mut lines = String::new();
        for (serial, when) in &self.authority.revoked {
            let seconds = when.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
            lines.extend([hex(serial), format!(" {seconds}\n")]);
        }
        replace(&list, lines.as_bytes())
    }

    /// Writes `crl.pem`, valid from now for `days`.
    pub fn write_crl(&mut self, days: u64) -> Result<PathBuf, FolderError> {
        let path = self.path.join("crl.pem");
        let crl = self.authority.crl(days).map_err(|error| FolderError::Refused(path.clone(), error))?;
        replace(&path, &crl).map(|()| path)
    }

    fn write_new(&self, name: &str, octets: &[u8], mode: u32) -> Result<(), FolderError> {
        let path = self.path.join(name);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .and_then(|mut file| file.write_all(octets))
            .map_err(|error| FolderError::File(path, error))
    }
}

/// Whole or not at all: written to a new file, which is then renamed.
fn replace(path: &Path, octets: &[u8]) -> Result<(), FolderError> {
    let new = path.with_extension("new");
    std::fs::write(&new, octets)
        .and_then(|()| std::fs::rename(&new, path))
        .map_err(|error| FolderError::File(path.to_owned(), error))
}

fn read_pair(folder: &Path, name: &str) -> Result<(X509, PKey<openssl::pkey::Private>), FolderError> {
    let read = |extension: &str| {
        let path = folder.join(format!("{name}.{extension}"));
        let octets = std::fs::read(&path).map_err(|error| FolderError::File(path.clone(), error))?;
        Ok((path, octets))
    };
    let (path, pem) = read("pem")?;
    let certificate = X509::from_pem(&pem).map_err(|error| FolderError::Refused(path, error))?;
    let (path, pem) = read("key")?;
    let key = PKey::private_key_from_pem(&pem).map_err(|error| FolderError::Refused(path, error))?;
    Ok((certificate, key))
}

fn parse_revoked(line: &str) -> Option<(Vec<u8>, SystemTime)> {
    let (serial, seconds) = line.split_once(' ')?;
    let serial = (0..serial.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(serial.get(at..at + 2)?, 16).ok())
        .collect::<Option<_>>()?;
    Some((serial, UNIX_EPOCH + Duration::from_secs(seconds.parse().ok()?)))
}
