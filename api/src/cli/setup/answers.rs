//! The properties of a new site: from the options, and on a terminal from questions. If an answer is not valid, the
//! question is asked again. Without a terminal a missing option has its default, or is an error. Changes nothing.

use crate::cli::args::{Invocation, wrong};
use crate::cli::error::CliError;
use crate::error_text::sentence;
use common::process::options::{INTERNAL_PORT, host_and_port};
use common::text::host::{is_host, is_short_name, with_port};
use std::fmt;
use std::io::{self, IsTerminal as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Port of the station's receive daemon.
pub(super) const STATION_PORT: u16 = 3_305;
const API_PORT: u16 = 8_443;

/// A host with a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) host: String,
    pub(super) port: u16,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        with_port(&self.host, self.port).fmt(f)
    }
}

impl Place {
    fn parse(option: &str, text: &str, default: u16) -> Result<Self, CliError> {
        let found = host_and_port(text).filter(|(host, port)| is_host(host) && *port != Some(0));
        let (host, port) = found.ok_or_else(|| {
            wrong(
                option,
                text,
                "a host name or an IP address, with a port after ':' if it is not the usual one",
            )
        })?;
        Ok(Self { host: host.to_owned(), port: port.unwrap_or(default) })
    }
}

/// The first partner.
pub(super) struct NewPartner {
    pub(super) name: String,
    pub(super) ssid: String,
    pub(super) pin: Option<String>,
}

/// The answers of an earlier run, which are the defaults of this one.
#[derive(Default)]
pub(super) struct Known {
    pub(super) url: Option<String>,
    pub(super) server: Option<String>,
    pub(super) listen: Option<String>,
    pub(super) station: Option<String>,
}

/// All answers.
pub(super) struct Answers {
    /// This host, as the client calls it.
    pub(super) host: String,
    /// The address on which the backend listens.
    pub(super) listen: SocketAddr,
    /// The server's host and its internal port.
    pub(super) server: Place,
    /// The station's receive daemon.
    pub(super) station: Place,
    pub(super) partner: Option<NewPartner>,
}

impl Answers {
    /// Reads options and terminal.
    pub(super) fn collect(invocation: &Invocation, known: &Known) -> Result<Self, CliError> {
        let server = answer(
            invocation,
            &Question {
                option: "server",
                text: "DMZ host, on which os4x_proxyserver2 runs",
                default: known.server(),
            },
            |text| Place::parse("server", text, INTERNAL_PORT),
        )?;
        let host = answer(
            invocation,
            &Question {
                option: "host",
                text: "This host, as the client calls it",
                default: Some(known.host()),
            },
            |text| {
                is_host(text)
                    .then(|| text.to_owned())
                    .ok_or_else(|| wrong("host", text, "a host name or an IP address"))
            },
        )?;
        let listen = known.listen.clone().unwrap_or_else(|| default_listen(&host).to_string());
        let listen = answer(
            invocation,
            &Question { option: "listen", text: "Address and port of the backend", default: Some(listen) },
            |text| listener(text, &host),
        )?;
        let station = answer(
            invocation,
            &Question {
                option: "station",
                text: "The station's receive daemon",
                default: Some(known.station()),
            },
            |text| Place::parse("station", text, STATION_PORT),
        )?;
        Ok(Self { host, listen, server, station, partner: partner(invocation)? })
    }
}

impl Known {
    fn server(&self) -> Option<String> {
        self.server.clone()
    }

    fn host(&self) -> String {
        let place = self.url.as_ref().and_then(|url| url.strip_prefix("https://")?.split('/').next());
        let host = place.and_then(host_and_port).map(|(host, _)| host);
        host.unwrap_or("localhost").to_owned()
    }

    fn station(&self) -> String {
        self.station
            .clone()
            .unwrap_or_else(|| Place { host: "localhost".into(), port: STATION_PORT }.to_string())
    }
}

/// A name or address that only this host can use for itself.
pub(super) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

fn default_listen(host: &str) -> SocketAddr {
    let address = if is_local(host) { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(address, API_PORT)
}

/// The address on which the backend listens; the client must be able to reach it.
fn listener(text: &str, host: &str) -> Result<SocketAddr, CliError> {
    let found: Option<SocketAddr> = text.parse().ok().filter(|at: &SocketAddr| at.port() != 0);
    let listen =
        found.ok_or_else(|| wrong("listen", text, "ADDRESS:PORT, such as 127.0.0.1:8443 or [::]:8443"))?;
    if listen.ip().is_loopback() && !is_local(host) {
        return Err(CliError::Usage(format!(
            "the client calls {host}, but only this host reaches the backend at {listen}: use \
             --listen [::]:{port} for all addresses, or --host localhost for a client on this host",
            port = listen.port()
        )));
    }
    Ok(listen)
}

fn partner(invocation: &Invocation) -> Result<Option<NewPartner>, CliError> {
    let name = answer(
        invocation,
        &Question {
            option: "partner",
            text: "Short name of the first partner (empty: none)",
            default: Some(String::new()),
        },
        |text| match text {
            "" => Ok(None),
            name if is_short_name(name) => Ok(Some(name.to_owned())),
            _ => Err(wrong("partner", text, "a short name: 1 to 32 letters, digits, '.', '_' or '-'")),
        },
    )?;
    let Some(name) = name else {
        return match ["ssid", "pin"].iter().find(|option| invocation.value(option).is_some()) {
            Some(option) => {
                Err(CliError::Usage(format!("--{option} belongs to a partner, and --partner is missing")))
            }
            None => Ok(None),
        };
    };
    let ssid =
        answer(invocation, &Question { option: "ssid", text: "Its SSIDCODE", default: None }, |text| {
            Ok(text.to_owned())
        })?;
    let pin = answer(
        invocation,
        &Question {
            option: "pin",
            text: "File with its certificate (empty: a trusted one with the SSIDCODE in it)",
            default: Some(String::new()),
        },
        |text| Ok(Some(text.to_owned()).filter(|file| !file.is_empty())),
    )?;
    Ok(Some(NewPartner { name, ssid, pin }))
}

/// The value of an option, or the answer of a person.
struct Question {
    option: &'static str,
    text: &'static str,
    default: Option<String>,
}

fn answer<T>(
    invocation: &Invocation,
    question: &Question,
    read: impl Fn(&str) -> Result<T, CliError>,
) -> Result<T, CliError> {
    if let Some(text) = invocation.value(question.option) {
        return read(&text);
    }
    if !io::stdin().is_terminal() {
        let default = question.default.as_ref();
        return read(default.ok_or_else(|| {
            CliError::Usage(format!(
                "--{} is missing ({}): 'os4xapi setup -h' explains it",
                question.option, question.text
            ))
        })?);
    }
    loop {
        let text = ask(question)?;
        let text = match &question.default {
            Some(default) if text.is_empty() => default,
            _ => &text,
        };
        match read(text) {
            Ok(value) => return Ok(value),
            Err(why) => eprintln!("  {}", sentence(&why.to_string())),
        }
    }
}

fn ask(question: &Question) -> Result<String, CliError> {
    let default = question.default.as_deref().filter(|text| !text.is_empty());
    eprint!("{}{}: ", question.text, default.map(|text| format!(" [{text}]")).unwrap_or_default());
    io::stderr().flush().map_err(CliError::Output)?;
    let mut line = String::new();
    match io::stdin().read_line(&mut line) {
        Ok(0) | Err(_) => {
            Err(CliError::Refused("the questions were not answered, and nothing was changed".into()))
        }
        Ok(_) => Ok(line.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::{Known, Place, default_listen, listener};

    #[test]
    fn a_place_has_the_usual_port_or_its_own() {
        for (text, expected) in [
            ("dmz", "dmz:2878"),
            ("dmz:99", "dmz:99"),
            ("2001:db8::7", "[2001:db8::7]:2878"),
            ("[2001:db8::7]:99", "[2001:db8::7]:99"),
        ] {
            assert_eq!(Place::parse("server", text, 2878).unwrap().to_string(), expected);
        }
        for bad in ["", ":99", "dmz:0", "dmz:x", "a b", "192.0.2.256"] {
            assert!(Place::parse("server", bad, 2878).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_backend_listens_where_the_client_calls_it() {
        assert_eq!(default_listen("localhost").to_string(), "127.0.0.1:8443");
        assert_eq!(default_listen("inside.example").to_string(), "[::]:8443");
        assert!(listener("127.0.0.1:8443", "localhost").is_ok());
        assert!(listener("127.0.0.1:8443", "inside.example").is_err());
        assert!(listener("0.0.0.0:0", "inside.example").is_err());
    }

    #[test]
    fn a_further_run_knows_what_was_said() {
        let url = Some("https://[2001:db8::7]:99/os4xapi/index.php".to_owned());
        assert_eq!(Known { url, ..Known::default() }.host(), "2001:db8::7");
        assert_eq!(Known::default().host(), "localhost");
    }
}
