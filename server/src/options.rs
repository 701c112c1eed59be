//! The server's command line: the documented options (`t/documented` has their help text) and later ones. This module
//! only reads it; `main` acts.

use common::net::ANY;
use common::process::options::{INTERNAL_PORT, UsageError, host_and_port, port};
use common::process::startup::Mode;
use getopts::Options as Grammar;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// The documented text, followed by later options.
pub(crate) const HELP: &str = concat!(
    "OS4X Proxy daemon build ",
    env!("OS4X_BUILD"),
    "

usage:
-h: this help text
-v: display version
-i [<IP of device>]:<port>: accept from (optional) device on given port for internal connections.
                            defaults: IP of device: 0.0.0.0 (any)
                            --------- port: 2878
-L: print out OS4X Proxy ID (basis for license)
-l <license file>: point to readable license file (default: /etc/os4x_proxy.lic)
-V: print out license validity, if available and exit

not in the documentation of the legacy daemon:
--foreground: stay attached to the terminal and write the log to standard error too
-t: test log configuration, identity, license and port, and exit
"
);

/// The text of `-v`.
pub(crate) const VERSION: &str =
    concat!("OS4X Proxy daemon build ", env!("OS4X_BUILD"), ", version ", env!("CARGO_PKG_VERSION"), "\n");

const LICENCE: &str = "/etc/os4x_proxy.lic";

/// The action that the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// `-h`
    Help,
    /// `-v`
    Version,
    /// `-L`
    ProxyId,
    /// `-V`, for the licence in this file.
    Validity(PathBuf),
    /// `-t`, for a start with these options.
    Test(Options),
    /// No other action: run the daemon.
    Run(Options),
}

/// How to run the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// Address for the client's connections (`-i`).
    pub(crate) internal: SocketAddr,
    /// The licence file (`-l`), absolute.
    pub(crate) licence: PathBuf,
    /// In the background or not (`--foreground`).
    pub(crate) mode: Mode,
}

/// Reads the arguments after the program's name. If there are several actions, the first one of the help text counts.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Action, UsageError> {
    let mut grammar = Grammar::new();
    for flag in ["h", "v", "L", "V", "t"] {
        grammar.optflagmulti(flag, "", "");
    }
    grammar.optflagmulti("", "foreground", "").optopt("i", "", "", "").optopt("l", "", "", "");
    let given = grammar.parse(arguments).map_err(UsageError::Option)?;
    if !given.free.is_empty() {
        return Err(UsageError::Superfluous);
    }
    let internal = match given.opt_str("i") {
        Some(text) => internal(&text).ok_or(UsageError::Value {
            option: "-i",
            wanted: "[<IP of device>]:<port>, for example :2878, 10.0.0.1:2878 or [::1]:2878",
        })?,
        None => SocketAddr::new(ANY, INTERNAL_PORT),
    };
    // The daemon leaves the current directory, so the path must be absolute.
    let licence = given.opt_str("l");
    let licence = std::path::absolute(licence.as_deref().map_or(Path::new(LICENCE), Path::new))
        .map_err(|cause| UsageError::File { option: "-l", cause })?;
    Ok(if given.opt_present("h") {
        Action::Help
    } else if given.opt_present("v") {
        Action::Version
    } else if given.opt_present("L") {
        Action::ProxyId
    } else if given.opt_present("V") {
        Action::Validity(licence)
    } else {
        let mode = if given.opt_present("foreground") { Mode::Foreground } else { Mode::Detached };
        let options = Options { internal, licence, mode };
        if given.opt_present("t") { Action::Test(options) } else { Action::Run(options) }
    })
}

/// `[<IP>]:<port>`; only a port or only an address is accepted, too.
fn internal(text: &str) -> Option<SocketAddr> {
    if let Some(number) = port(text) {
        return Some(SocketAddr::new(ANY, number));
    }
    let (host, number) = host_and_port(text)?;
    let address = match (host, number) {
        ("", None) => return None,
        ("", Some(_)) => ANY,
        _ => host.parse::<IpAddr>().ok()?,
    };
    Some(SocketAddr::new(address, number.unwrap_or(INTERNAL_PORT)))
}

#[cfg(test)]
mod tests {
    use super::{Action, Options, internal, parse};
    use common::process::startup::Mode;
    use std::ffi::OsString;

    fn read(line: &str) -> Result<Action, String> {
        let arguments: Vec<OsString> = line.split_ascii_whitespace().map(OsString::from).collect();
        parse(&arguments).map_err(|error| error.to_string())
    }

    #[test]
    fn internal_addresses() {
        for (text, address) in [
            (":2879", "[::]:2879"),
            ("2879", "[::]:2879"),
            ("10.0.0.1:2879", "10.0.0.1:2879"),
            ("10.0.0.1", "10.0.0.1:2878"),
            ("[::1]:2879", "[::1]:2879"),
            ("[::1]", "[::1]:2878"),
        ] {
            assert_eq!(internal(text), Some(address.parse().unwrap()), "{text}");
        }
        for text in ["", ":", ":0", "0", ":65536", ":x", "dmz:2878", "10.0.0.256:2878", "10.0.0.1:"] {
            assert_eq!(internal(text), None, "{text}");
        }
    }

    #[test]
    fn defaults_are_the_documented_ones() {
        let Ok(Action::Run(options)) = read("") else { panic!("no options are enough") };
        assert_eq!(
            options,
            Options {
                internal: "[::]:2878".parse().unwrap(),
                licence: "/etc/os4x_proxy.lic".into(),
                mode: Mode::Detached
            }
        );
    }

    #[test]
    fn actions() {
        assert_eq!(read("-h -h -v"), Ok(Action::Help));
        assert_eq!(read("-vL"), Ok(Action::Version));
        assert_eq!(read("-L"), Ok(Action::ProxyId));
        assert_eq!(read("-V -l /a/b"), Ok(Action::Validity("/a/b".into())));
        assert!(matches!(read("-t -i :9"), Ok(Action::Test(options)) if options.internal.port() == 9));
        let Ok(Action::Run(options)) = read("--foreground -i:9 -l lic") else {
            panic!("a run was asked for")
        };
        assert_eq!(options.mode, Mode::Foreground);
        assert_eq!(options.internal.port(), 9);
        assert_eq!(options.licence, std::env::current_dir().unwrap().join("lic"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for line in ["-x", "extra", "-i", "-l", "-i :0", "-i :1 -i :2", "--background", "-h -x"] {
            let message = read(line).unwrap_err();
            assert!(message.ends_with("; -h lists the options"), "{line}: {message}");
            assert!(!message.contains('\n'), "{line}: {message}");
        }
    }
}
