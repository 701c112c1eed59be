//! The options of both `send` and `receive`: TLS, identity, the offer.

use super::{Fault, number, required};
use crate::oftp::codec::Level;
use crate::oftp::settings::Settings;
use crate::transport::tls::Tls;
use getopts::{Matches, Options};
use openssl::ssl::{SslContext, SslVersion};
use std::path::PathBuf;
use std::time::Duration;

pub(super) const HELP: &str = "\
Session:
  --ssid CODE            own identification code (SSIDCODE), such as 'O0013000001TEST'
  --password PW          own password (SSIDPSWD), at most 8 characters
  --peer-ssid CODE       refuse any other code (ESID 03)
  --peer-password PW     refuse any other password (ESID 04)
  --level N              highest level offered: 1, 2, 4 or 5 (default 5)
  --sdeb N               DATA buffer offered, 128 to 99999 octets (default 99999)
  --credit N             credit offered, 1 to 999 buffers (default 999)
  --compress             offer buffer compression
  --timeout SECONDS      longest silence of the other side (default 60)
TLS:
  --tls                  use TLS (implied by the others)
  --cert FILE            own certificate, PEM, leaf first
  --key FILE             its key, PEM
  --ca FILE              trusted certificates for the other side, PEM; without it any certificate is accepted
  --tls-version 1.2|1.3  speak this version only
";

/// Adds the shared options.
pub(super) fn options(options: &mut Options) {
    for name in ["ssid", "password", "peer-ssid", "peer-password", "level", "sdeb", "credit", "timeout"] {
        options.optopt("", name, "", "");
    }
    for name in ["cert", "key", "ca", "tls-version"] {
        options.optopt("", name, "", "");
    }
    options.optflag("", "compress", "").optflag("", "tls", "");
}

/// Who we are and what we offer.
pub(super) fn settings(matches: &Matches) -> Result<Settings, Fault> {
    let mut settings = Settings::new(&required(matches, "ssid")?, &required(matches, "password")?);
    for (name, text, width) in [("ssid", &settings.code, 25), ("password", &settings.password, 8)] {
        if text.is_empty() || text.len() > width || !text.is_ascii() {
            return Err(Fault::Usage(format!("--{name} takes 1 to {width} ASCII characters")));
        }
    }
    settings.peer_code = matches.opt_str("peer-ssid");
    settings.peer_password = matches.opt_str("peer-password");
    settings.level = Level::from_digit(number(matches, "level", 1..=5, 5)?)
        .ok_or_else(|| Fault::Usage("--level takes 1, 2, 4 or 5".to_owned()))?;
    settings.buffer = number(matches, "sdeb", 128..=99_999, 99_999)?;
    settings.credit = number(matches, "credit", 1..=999, 999)?;
    settings.compression = matches.opt_present("compress");
    settings.timeout = Duration::from_secs(number(matches, "timeout", 1..=86_400, 60)?);
    Ok(settings)
}

/// The TLS context asked for; none is plain OFTP. A server needs a certificate.
pub(super) fn context(matches: &Matches, is_server: bool) -> Result<Option<SslContext>, Fault> {
    if !["tls", "cert", "key", "ca", "tls-version"].iter().any(|name| matches.opt_present(name)) {
        return Ok(None);
    }
    let file = |name| matches.opt_str(name).map(PathBuf::from);
    let identity = match (file("cert"), file("key")) {
        (Some(certificate), Some(key)) => Some((certificate, key)),
        (None, None) if is_server => {
            return Err(Fault::Usage("TLS needs --cert and --key here".to_owned()));
        }
        (None, None) => None,
        _ => return Err(Fault::Usage("--cert and --key go together".to_owned())),
    };
    let identity = identity.as_ref().map(|(certificate, key)| (certificate.as_path(), key.as_path()));
    let mut tls = Tls::from_files(identity, file("ca").as_deref()).map_err(with_cause)?;
    tls.version = match matches.opt_str("tls-version").as_deref() {
        None => None,
        Some("1.2") => Some(SslVersion::TLS1_2),
        Some("1.3") => Some(SslVersion::TLS1_3),
        Some(other) => return Err(Fault::Usage(format!("--tls-version takes 1.2 or 1.3, not '{other}'"))),
    };
    tls.context().map(Some).map_err(with_cause)
}

fn with_cause(error: impl std::error::Error) -> Fault {
    match error.source() {
        Some(cause) => Fault::Failed(format!("{error}: {cause}")),
        None => Fault::failed(error),
    }
}
