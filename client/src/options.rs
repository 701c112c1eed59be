//! The client's command line: the documented options (`t/documented` has their help text) and later ones. This module
//! only reads it (and the file of `-T @FILE`); `main` acts. It never repeats a value, because URL and token contain
//! secrets.

use crate::backend_url::BackendUrl;
use crate::parent::{MOST, Route};
use common::process::options::{INTERNAL_PORT, UsageError, host_and_port};
use common::process::startup::Mode;
use common::secret::Secret;
use common::text::host::{is_client_name, is_host};
use getopts::Options as Grammar;
use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, UdpSocket};

/// The documented text, followed by later options.
pub(crate) const HELP: &str = concat!(
    "OS4X Proxy client build ",
    env!("OS4X_BUILD"),
    "

usage:
-U <URL>: URL of OS4X API (i.e. https://localhost/os4xapi/index.php)
-S <proxyserver[:<port>]: name or IP of the OS4X OFTP2 proxy server, optionally with port (default: 2878)
-T <security token>: token configured in OS4X admin web GUI ('Configuration' -> 'Proxy' -> \
'OS4X Proxy client security token')
[-h: this help text]
[-v: display version]
[-d: enable debug mode]
[-o <IP>: set IP address of all outgoing connections from proxy client to proxy server]

not in the documentation of the legacy daemon:
-S <proxyserver>,<proxyserver>...: several servers, each optionally with port; the client ends when all are lost
-U <URL>,<URL>...: several backends of one database; if one fails, the next is called
-T @<file>: take the security token from this file
[--foreground: stay attached to the terminal and write the log to standard error too]
[-t: test these options and the log configuration, and exit]
"
);

/// The output of `-v`.
pub(crate) const VERSION: &str =
    concat!("OS4X Proxy client build ", env!("OS4X_BUILD"), ", version ", env!("CARGO_PKG_VERSION"), "\n");

/// The action that the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// `-h`, or nothing at all
    Help,
    /// `-v`
    Version,
    /// `-t`, with options that are valid for a start.
    Test,
    /// Run the daemon.
    Run(Options),
}

/// How to run the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    /// The addresses of the backend (`-U`), at least one.
    pub(crate) backends: Vec<BackendUrl>,
    /// The servers (`-S`), at least one; an IPv6 address without brackets.
    pub(crate) servers: Vec<Route>,
    /// The backend's token (`-T`).
    pub(crate) token: Secret,
    /// The name by which the backend knows this client (the environment's `OS4X_CLIENT_NAME`), if it has one.
    pub(crate) name: Option<String>,
    /// Source address of the connections to the server (`-o`); one of this host's.
    pub(crate) outgoing: Option<IpAddr>,
    /// In the background or not (`--foreground`, `-d`).
    pub(crate) mode: Mode,
}

/// The variable of the environment with the client's name: the documented options have none.
const NAME: &str = "OS4X_CLIENT_NAME";

/// The mandatory options.
const MANDATORY: [(&str, &str); 3] =
    [("U", "-U <URL>"), ("S", "-S <proxyserver>"), ("T", "-T <security token>")];

/// Reads the arguments after the program's name.
pub(crate) fn parse(arguments: &[OsString]) -> Result<Action, UsageError> {
    let mut grammar = Grammar::new();
    for flag in ["h", "v", "d", "t"] {
        grammar.optflagmulti(flag, "", "");
    }
    for option in ["U", "S", "T", "o"] {
        grammar.optopt(option, "", "", "");
    }
    grammar.optflagmulti("", "foreground", "");
    let given = grammar.parse(arguments).map_err(UsageError::Option)?;
    if !given.free.is_empty() {
        return Err(UsageError::Superfluous);
    }
    if arguments.is_empty() || given.opt_present("h") {
        return Ok(Action::Help);
    }
    if given.opt_present("v") {
        return Ok(Action::Version);
    }
    let (Some(url), Some(server), Some(token)) = (given.opt_str("U"), given.opt_str("S"), given.opt_str("T"))
    else {
        let missing = MANDATORY.iter().filter(|(letter, _)| !given.opt_present(letter));
        return Err(UsageError::Missing(missing.map(|(_, named)| *named).collect()));
    };
    let servers = servers(&server).ok_or(UsageError::Value {
        option: "-S",
        wanted: "<proxyserver>[:<port>], for example dmz:2878 or [2001:db8::7]:2878, or up to 8 different ones with \
                 commas between them",
    })?;
    let options = Options {
        backends: BackendUrl::parse_list(&url).ok_or(UsageError::Value {
            option: "-U",
            wanted: "a URL such as https://localhost/os4xapi/index.php, or several with commas between them",
        })?,
        servers,
        token: self::token(&token)?,
        name: std::env::var_os(NAME).map(|text| name(&text)).transpose()?,
        outgoing: given.opt_str("o").map(|text| outgoing(&text)).transpose()?,
        mode: match (given.opt_present("foreground"), given.opt_present("d")) {
            (true, _) => Mode::Foreground,
            (false, true) => Mode::Quiet,
            (false, false) => Mode::Detached,
        },
    };
    Ok(if given.opt_present("t") { Action::Test } else { Action::Run(options) })
}

/// One server or several, none twice.
fn servers(text: &str) -> Option<Vec<Route>> {
    let route = |text: &str| server_address(text).map(|(host, port)| Route { host, port });
    let all: Vec<Route> = text.split(',').map(route).collect::<Option<_>>()?;
    let is_twice = all.iter().enumerate().any(|(at, one)| all.iter().skip(at + 1).any(|other| other == one));
    (all.len() <= MOST && !is_twice).then_some(all)
}

fn server_address(text: &str) -> Option<(String, u16)> {
    let (host, number) = host_and_port(text)?;
    is_host(host).then(|| (host.to_owned(), number.unwrap_or(INTERNAL_PORT)))
}

/// An address of this host; this is checked by binding a socket to it.
fn outgoing(text: &str) -> Result<IpAddr, UsageError> {
    let wanted = |wanted| UsageError::Value { option: "-o", wanted };
    let address: IpAddr = text.parse().map_err(|_| wanted("an IP address"))?;
    if address.is_unspecified() || address.is_multicast() || UdpSocket::bind((address, 0)).is_err() {
        return Err(wanted("an IP address that this host has"));
    }
    Ok(address)
}

/// The name stands in lists and log lines.
fn name(text: &OsStr) -> Result<String, UsageError> {
    text.to_str()
        .filter(|name| is_client_name(name))
        .map(str::to_owned)
        .ok_or(UsageError::Value { option: NAME, wanted: "1 to 64 letters, digits, '.', '_' and '-'" })
}

/// The token itself, or `@` and the name of a file that contains only the token and perhaps a line end.
fn token(text: &str) -> Result<Secret, UsageError> {
    let read;
    let token = match text.strip_prefix('@') {
        Some(file) => {
            let cause = |cause| UsageError::File { option: "-T", cause };
            read = std::fs::read_to_string(file).map_err(cause)?;
            read.trim_end_matches(['\r', '\n'])
        }
        None => text,
    };
    if token.is_empty() || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(UsageError::Value {
            option: "-T",
            wanted: "the token that the backend shows, printable and without blanks, or @ and a file that holds it",
        });
    }
    Ok(Secret::new(token.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Action, Options, Route, name, parse, server_address, servers};
    use common::process::startup::Mode;
    use std::ffi::OsString;

    const MANDATORY: &str = "-U https://api.example/os4xapi/index.php -S dmz -T s3cret";

    fn read(line: &str) -> Result<Action, String> {
        let arguments: Vec<OsString> = line.split_ascii_whitespace().map(OsString::from).collect();
        parse(&arguments).map_err(|error| error.to_string())
    }

    fn run(line: &str) -> Options {
        match read(line) {
            Ok(Action::Run(options)) => options,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn actions() {
        assert_eq!(read(""), Ok(Action::Help));
        assert_eq!(read("-vh"), Ok(Action::Help));
        assert_eq!(read("-d -v"), Ok(Action::Version));
        assert_eq!(read(&format!("{MANDATORY} -t")), Ok(Action::Test));
        let options = run(MANDATORY);
        assert_eq!(options.servers, [Route { host: "dmz".to_owned(), port: 2878 }]);
        assert_eq!(options.token.expose(), "s3cret");
        assert_eq!((options.outgoing, options.mode), (None, Mode::Detached));
        assert_eq!(run(&format!("{MANDATORY} -d")).mode, Mode::Quiet);
        assert_eq!(run(&format!("{MANDATORY} -d --foreground")).mode, Mode::Foreground);
        assert_eq!(run(&format!("{MANDATORY} -o 127.0.0.1")).outgoing, Some("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_not_understood_is_refused_without_repeating_a_value() {
        for line in [
            "-S dmz -T s3cret",
            "-U https://a/ -S dmz",
            "-U http://user:s3cret@a/ -S dmz -T s3cret",
            "-U https://a/ -S dmz:s3cret -T s3cret",
            "-U https://a/ -S dmz -T s3cret s3cret",
            "-U https://a/ -S dmz -T s3cret -o 0.0.0.0",
            "-U https://a/ -S dmz -T s3cret -o 192.0.2.1",
            "-U https://a/ -S dmz -T s3cret -o here",
            "-U https://a/ -S dmz -T @/nonexistent/s3cret",
            "-U https://a/ -S dmz -T @/dev/null",
            "-U https://a/ -S dmz -T s3cret -T s3cret",
            "-U https://a/ -S dmz -T",
            "-x",
        ] {
            let message = read(line).unwrap_err();
            assert!(message.ends_with("; -h lists the options"), "{line}: {message}");
            assert!(!message.contains("s3cret") && !message.contains('\n'), "{line}: {message}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        for (line, message) in [
            ("-S dmz -T s3cret", "-U <URL> is missing"),
            ("-U https://a/", "-S <proxyserver> and -T <security token> are missing"),
            ("--foreground", "-U <URL> and -S <proxyserver> and -T <security token> are missing"),
        ] {
            assert_eq!(read(line), Err(format!("{message}; -h lists the options")));
        }
    }

    #[test]
    fn a_name_has_no_blanks_and_is_short() {
        for good in ["inside-1", "a", "client.example_2", &"x".repeat(64)] {
            assert_eq!(name(good.as_ref()).ok().as_deref(), Some(good));
        }
        for bad in ["", "in side", "a\nb", "a:b", &"x".repeat(65)] {
            let error = name(bad.as_ref()).unwrap_err().to_string();
            assert!(error.starts_with("OS4X_CLIENT_NAME wants 1 to 64 letters"), "{bad}: {error}");
        }
    }

    #[test]
    fn the_token_may_be_in_a_file() {
        let file = std::env::temp_dir().join(format!("os4x-token-{}", std::process::id()));
        std::fs::write(&file, "from-file\n").unwrap();
        let options = run(&format!("-U https://a/ -S dmz -T @{}", file.display()));
        std::fs::remove_file(file).unwrap();
        assert_eq!(options.token.expose(), "from-file");
    }

    #[test]
    fn a_server_or_several() {
        for (text, host, port) in [
            ("dmz:2879", "dmz", 2879),
            ("192.0.2.1", "192.0.2.1", 2878),
            ("[2001:db8::7]:1", "2001:db8::7", 1),
            ("2001:db8::7", "2001:db8::7", 2878),
        ] {
            assert_eq!(server_address(text), Some((host.to_owned(), port)));
        }
        let two = servers("dmz1,[2001:db8::7]:1").unwrap();
        assert_eq!(
            two.iter().map(Route::to_string).collect::<Vec<String>>(),
            ["dmz1:2878", "[2001:db8::7]:1"]
        );
        for text in ["dmz,", ",dmz", "dmz,dmz:2878", "a,b,c,d,e,f,g,h,i"] {
            assert!(servers(text).is_none(), "{text}");
        }
        for text in ["", ":2878", "dmz:0", "dmz:", "d mz", "https://dmz"] {
            assert_eq!(server_address(text), None, "{text}");
        }
    }
}
