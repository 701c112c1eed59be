//! The server's identity: an Ed25519 key in `os4x_proxyserver.key` beside the binary, created when it is first needed.
//! Its public half is the Proxy ID. Nothing ever changes or replaces the file, because with another key the licence is
//! void.

use common::file::create_whole;
use common::identity::ProxyId;
use openssl::error::ErrorStack;
use openssl::pkey::{PKey, Private};
use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Largest key file that is read, octets; a usual one has about 120.
const MAX_LENGTH: u64 = 16 * 1024;

/// The key and its Proxy ID.
#[derive(Debug)]
pub(crate) struct Identity {
    /// Signs on the control connection.
    pub(crate) key: PKey<Private>,
    /// The Proxy ID, which the licence names.
    pub(crate) proxy_id: ProxyId,
}

impl Identity {
    /// Reads the key of `path`; creates it if there is none.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self, IdentityError> {
        if let Some(identity) = Self::load(path)? {
            return Ok(identity);
        }
        let at = |fault| IdentityError { path: path.to_owned(), fault };
        create(path).map_err(at)?;
        // Another process may have been faster: the key in the file counts.
        Self::read(path).map_err(at)
    }

    /// Reads the key of `path`; none if there is none yet.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, IdentityError> {
        match Self::read(path) {
            Err(Fault::Read(cause)) if cause.kind() == ErrorKind::NotFound => Ok(None),
            Err(fault) => Err(IdentityError { path: path.to_owned(), fault }),
            Ok(identity) => Ok(Some(identity)),
        }
    }

    fn read(path: &Path) -> Result<Self, Fault> {
        let file = File::open(path).map_err(Fault::Read)?;
        let mode = file.metadata().map_err(Fault::Read)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(Fault::Mode(mode));
        }
        let mut pem = Zeroizing::new(Vec::new());
        file.take(MAX_LENGTH).read_to_end(&mut pem).map_err(Fault::Read)?;
        // No passphrase: OpenSSL would ask for one on the terminal.
        let key = PKey::private_key_from_pem_callback(&pem, |_| Ok(0)).map_err(|_| Fault::NoKey)?;
        let proxy_id = ProxyId::of_key(&key).map_err(Fault::Crypto)?.ok_or(Fault::NoKey)?;
        Ok(Self { key, proxy_id })
    }
}

fn create(path: &Path) -> Result<(), Fault> {
    let key = PKey::generate_ed25519().map_err(Fault::Crypto)?;
    let pem = Zeroizing::new(key.private_key_to_pem_pkcs8().map_err(Fault::Crypto)?);
    match create_whole(path, 0o600, &pem) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(Fault::Create(cause)),
        _ => Ok(()),
    }
}

/// The identity cannot be used.
#[derive(Debug)]
pub(crate) struct IdentityError {
    path: PathBuf,
    fault: Fault,
}

#[derive(Debug)]
enum Fault {
    Read(io::Error),
    Mode(u32),
    NoKey,
    Create(io::Error),
    Crypto(ErrorStack),
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.fault {
            Fault::Read(cause) => {
                write!(f, "cannot read the identity key {path}: {cause}; it must belong to the daemon's user")
            }
            Fault::Mode(mode) => write!(
                f,
                "the identity key {path} has mode {mode:04o}, so others may know it: chmod 600 it if it is still secret"
            ),
            Fault::NoKey => write!(
                f,
                "{path} holds no Ed25519 private key (PKCS#8, PEM): restore it from a backup, or delete \
                 it to get a new \
                 Proxy ID, which needs a new licence"
            ),
            Fault::Create(cause) => {
                write!(
                    f,
                    "cannot create the identity key {path}: {cause}; is its directory the daemon's user's?"
                )
            }
            Fault::Crypto(cause) => write!(f, "cannot use the identity key {path}: OpenSSL says {cause}"),
        }
    }
}

impl std::error::Error for IdentityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            Fault::Read(cause) | Fault::Create(cause) => Some(cause),
            Fault::Crypto(cause) => Some(cause),
            Fault::Mode(_) | Fault::NoKey => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    fn key_file(test: &str) -> PathBuf {
        let directory = std::env::temp_dir().join(format!("os4x-identity-{}-{test}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        directory.join("os4x_proxyserver.key")
    }

    #[test]
    fn the_proxy_id_stays_and_is_each_sites_own() {
        let (here, there) = (key_file("here"), key_file("there"));
        let first = Identity::load_or_create(&here).unwrap().proxy_id;
        assert_eq!(fs::metadata(&here).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Identity::load_or_create(&here).unwrap().proxy_id, first);
        assert_ne!(Identity::load_or_create(&there).unwrap().proxy_id, first);
        for path in [here, there] {
            fs::remove_dir_all(path.parent().unwrap()).unwrap();
        }
    }

    #[test]
    fn unfit_files_are_named_and_left_alone() {
        let path = key_file("unfit");
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap().private_key_to_pem_pkcs8().unwrap();
        for (contents, mode, expected) in [
            (b"garbage".as_slice(), 0o600, "holds no Ed25519 private key"),
            (b"", 0o600, "holds no Ed25519 private key"),
            (&rsa, 0o600, "holds no Ed25519 private key"),
            (&rsa, 0o640, "has mode 0640"),
        ] {
            fs::write(&path, contents).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let message = Identity::load_or_create(&path).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
            assert_eq!(fs::read(&path).unwrap(), contents);
        }
        fs::remove_dir_all(path.parent().unwrap()).unwrap();
    }
}
