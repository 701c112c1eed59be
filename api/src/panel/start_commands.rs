//! The commands that start both daemons, as the set-up assistant shows them: with the options of their manual pages,
//! and the paths of the documentation. Pure.

use common::process::options::{INTERNAL_PORT, host_and_port};
use common::text::host::{is_host, with_port};

/// The folder of the programs, on both hosts.
pub(super) const FOLDER: &str = "/opt/os4x/proxy";
/// The licence file on the DMZ host: the default of the server's option -l.
pub(super) const LICENCE: &str = "/etc/os4x_proxy.lic";
/// What stands for the DMZ host until it is known.
const UNKNOWN: &str = "DMZ-HOST";

/// A host and, unless it is the usual one, a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    host: String,
    port: Option<u16>,
}

impl Place {
    /// `HOST` or `HOST:PORT`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (host, port) = host_and_port(text)?;
        is_host(host).then(|| Self { host: host.to_owned(), port })
    }

    /// This host.
    pub(super) fn local() -> Self {
        Self { host: "localhost".to_owned(), port: None }
    }

    fn text(&self) -> String {
        match self.port {
            Some(port) => with_port(&self.host, port).to_string(),
            None => self.host.clone(),
        }
    }
}

/// What the commands depend on.
pub(super) struct StartCommands {
    /// The DMZ host, and the server's internal port; none: not known yet.
    pub(super) server: Option<Place>,
    /// This backend, as the client calls it.
    pub(super) backend: Place,
    /// The port on which this backend listens.
    pub(super) port: u16,
    /// The path of its URL.
    pub(super) path: String,
}

impl StartCommands {
    /// Prints the Proxy ID, on the DMZ host.
    pub(super) fn proxy_id() -> String {
        format!("{FOLDER}/os4x_proxyserver2 -L")
    }

    /// Starts the server, on the DMZ host.
    pub(super) fn server(&self) -> String {
        let port = self.server.as_ref().and_then(|place| place.port).filter(|port| *port != INTERNAL_PORT);
        let internal = port.map(|port| format!(" -i :{port}")).unwrap_or_default();
        format!("{FOLDER}/os4x_proxyserver2{internal} -l {LICENCE}")
    }

    /// Starts the client, on the inside host.
    pub(super) fn client(&self) -> String {
        format!("{FOLDER}/os4x_proxyclient2 -U {} -S {} -T @{FOLDER}/token", self.url(), self.server_name())
    }

    /// The lines of the file that the client's systemd unit reads.
    pub(super) fn client_env(&self) -> Vec<String> {
        vec![format!("OS4X_API_URL={}", self.url()), format!("OS4X_PROXYSERVER={}", self.server_name())]
    }

    fn url(&self) -> String {
        let port = self.backend.port.unwrap_or(self.port);
        format!("https://{}{}", with_port(&self.backend.host, port), self.path)
    }

    fn server_name(&self) -> String {
        self.server.as_ref().map_or_else(|| UNKNOWN.to_owned(), Place::text)
    }
}

#[cfg(test)]
mod tests {
    use super::{Place, StartCommands};

    fn commands(server: Option<&str>, backend: &str) -> StartCommands {
        StartCommands {
            server: server.map(|text| Place::parse(text).unwrap()),
            backend: Place::parse(backend).unwrap(),
            port: 8443,
            path: "/os4xapi/index.php".to_owned(),
        }
    }

    #[test]
    fn the_usual_port_needs_no_option() {
        for server in ["dmz.example", "dmz.example:2878"] {
            let found = commands(Some(server), "inside.example");
            assert_eq!(found.server(), "/opt/os4x/proxy/os4x_proxyserver2 -l /etc/os4x_proxy.lic");
            assert!(found.client().contains(&format!(" -S {server} -T @/opt/os4x/proxy/token")));
        }
        let found = commands(Some("[2001:db8::7]:2900"), "inside.example");
        assert_eq!(found.server(), "/opt/os4x/proxy/os4x_proxyserver2 -i :2900 -l /etc/os4x_proxy.lic");
        assert!(found.client().contains(" -S [2001:db8::7]:2900 "));
    }

    #[test]
    fn the_backend_is_called_by_its_name_and_port() {
        for (backend, url) in [
            ("inside.example", "https://inside.example:8443/os4xapi/index.php"),
            ("proxy.example:443", "https://proxy.example:443/os4xapi/index.php"),
            ("::1", "https://[::1]:8443/os4xapi/index.php"),
        ] {
            let found = commands(None, backend);
            assert!(found.client().contains(&format!("-U {url} -S DMZ-HOST ")), "{}", found.client());
            assert_eq!(found.client_env()[0], format!("OS4X_API_URL={url}"));
        }
    }

    #[test]
    fn what_is_no_host_is_no_place() {
        for text in ["", "a b", "a;b", "host:0", "host:99999", "$(x)", "`x`:1"] {
            assert_eq!(Place::parse(text), None, "{text}");
        }
    }
}
