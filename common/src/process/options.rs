//! The common parts of both daemons' options: addresses, the answer to an invalid option, printing. Each daemon has its
//! own list of options and its own help text.

use crate::process::end_reasons::Status;
use std::fmt;
use std::io::{self, Write};
use std::net::Ipv6Addr;

/// Port of the internal connection, unless an option says otherwise.
pub const INTERNAL_PORT: u16 = 2878;

/// Invalid options. Values of the client's options are never repeated, because they may be secrets.
#[derive(Debug)]
pub enum UsageError {
    /// Unknown, repeated, or without its value.
    Option(getopts::Fail),
    /// An argument that belongs to no option.
    Superfluous,
    /// These mandatory options are not there.
    Missing(Vec<&'static str>),
    /// The value is not valid for the option.
    Value {
        /// The option, as `-i`.
        option: &'static str,
        /// The valid values.
        wanted: &'static str,
    },
    /// The file that an option names cannot be read.
    File {
        /// The option, as `-T`.
        option: &'static str,
        /// Why.
        cause: io::Error,
    },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(fail) => write!(f, "{fail}"),
            Self::Superfluous => f.write_str("An argument belongs to no option"),
            Self::Missing(options) => {
                let verb = if options.len() > 1 { "are" } else { "is" };
                write!(f, "{} {verb} missing", options.join(" and "))
            }
            Self::Value { option, wanted } => write!(f, "{option} wants {wanted}"),
            Self::File { option, cause } => write!(f, "The file of {option} cannot be read: {cause}"),
        }?;
        f.write_str("; -h lists the options")
    }
}

impl std::error::Error for UsageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Option(fail) => Some(fail),
            Self::File { cause, .. } => Some(cause),
            Self::Superfluous | Self::Missing(_) | Self::Value { .. } => None,
        }
    }
}

/// `port` as a number from 1 to 65535, digits only.
pub fn port(text: &str) -> Option<u16> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|port| digits && *port != 0)
}

/// `host`, `host:port`, `[IPv6]`, `[IPv6]:port` or a bare IPv6 address; the host may be empty. The host is not checked.
pub fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<Ipv6Addr>().is_ok() {
        return Some((text, None));
    }
    if let Some(bracketed) = text.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        host.parse::<Ipv6Addr>().ok()?;
        return match rest {
            "" => Some((host, None)),
            _ => Some((host, Some(port(rest.strip_prefix(':')?)?))),
        };
    }
    match text.split_once(':') {
        None => Some((text, None)),
        Some((host, number)) => Some((host, Some(port(number)?))),
    }
}

/// Prints the text that an option asks for on standard output. Write errors are ignored: the reader may have closed the
/// pipe.
pub fn print(text: &str) -> Status {
    let mut output = io::stdout().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
    Status::Normal
}

/// Prints on standard error, in one line, why `program` does not do what it was asked to do, and returns `status`.
pub fn complain(program: &str, reason: &dyn fmt::Display, status: Status) -> Status {
    let _ = writeln!(io::stderr(), "{program}: {reason}");
    status
}

#[cfg(test)]
mod tests {
    use super::{host_and_port, port};

    #[test]
    fn hosts_and_ports_are_told_apart() {
        let table = [
            ("dmz", Some(("dmz", None))),
            ("dmz:2879", Some(("dmz", Some(2879)))),
            (":2879", Some(("", Some(2879)))),
            ("10.0.0.1:1", Some(("10.0.0.1", Some(1)))),
            ("[::1]:65535", Some(("::1", Some(65535)))),
            ("[::1]", Some(("::1", None))),
            ("2001:db8::7", Some(("2001:db8::7", None))),
            ("dmz:", None),
            ("dmz:0", None),
            ("dmz:65536", None),
            ("dmz:+1", None),
            ("dmz:1:2", None),
            ("[::1]2878", None),
            ("[dmz]:2878", None),
            ("[::1", None),
        ];
        for (text, expected) in table {
            assert_eq!(host_and_port(text), expected, "{text}");
        }
        assert_eq!(port(""), None);
    }
}
