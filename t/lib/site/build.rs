//! Sets a site up: folders, addresses, CA, backend, licence, and the three daemons in their order. Everything is done
//! with the command lines of the binaries, as an administrator does it.

use super::{Role, Site, SiteError};
use crate::binaries;
use crate::installation::{free_address, listener_at, make_folder, place};
use oftp2peer::Station;
use oftp2peer::ca::{Authority, Request};
use oftp2peer::oftp::settings::Settings;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The file in the backend's folder with the URL of a database that is no SQLite file.
const DATABASE_URL: &str = "db-url";

/// A row of the partner table.
#[derive(Debug, Clone)]
pub struct PartnerEntry {
    /// Short name.
    pub name: String,
    /// SSIDCODE.
    pub ssid: String,
    /// Further options of `os4xapi partner add`.
    pub options: Vec<String>,
}

impl PartnerEntry {
    /// With the defaults of `os4xapi partner add`.
    pub fn new(name: &str, ssid: &str) -> Self {
        Self { name: name.to_owned(), ssid: ssid.to_owned(), options: Vec::new() }
    }

    /// With one more option, such as `--profile strict`.
    #[must_use]
    pub fn option(mut self, name: &str, value: &str) -> Self {
        self.options.extend([name.to_owned(), value.to_owned()]);
        self
    }
}

/// The properties of a site.
pub struct Builder {
    name: String,
    settings: Vec<(String, String)>,
    partners: Vec<PartnerEntry>,
    station: Option<Settings>,
    address: Option<IpAddr>,
    outgoing: bool,
    files: Vec<(Role, String, String)>,
    database: Option<String>,
}

impl Builder {
    /// One partner, `acme` with SSIDCODE `O0013ACME`, and a station `O0013STATION` that hashes the files it receives.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            settings: Vec::new(),
            partners: vec![PartnerEntry::new("acme", "O0013ACME")],
            station: Some(Settings::new("O0013STATION", "STATION")),
            address: None,
            outgoing: false,
            files: Vec::new(),
            database: None,
        }
    }

    /// With the backend's tables in this database (`postgres://...`), not in an SQLite file.
    #[must_use]
    pub fn database(self, url: &str) -> Self {
        Self { database: Some(url.to_owned()), ..self }
    }

    /// With this setting of the backend.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With these partners and no others.
    #[must_use]
    pub fn partners(mut self, partners: impl IntoIterator<Item = PartnerEntry>) -> Self {
        self.partners = partners.into_iter().collect();
        self
    }

    /// With this station; none: nobody listens there.
    #[must_use]
    pub fn station(mut self, station: Option<Settings>) -> Self {
        self.station = station;
        self
    }

    /// Listening on this address, such as `::1`; otherwise on an address of its own.
    #[must_use]
    pub fn address(mut self, address: IpAddr) -> Self {
        self.address = Some(address);
        self
    }

    /// With a listener for the station's outgoing sessions, and partners that may have loopback addresses.
    #[must_use]
    pub fn outgoing(mut self) -> Self {
        self.outgoing = true;
        self.setting("proxy_outgoing_allow_local", "yes")
    }

    /// With a file in a daemon's folder before it starts, such as a `.logrc`.
    #[must_use]
    pub fn file(mut self, role: Role, name: &str, text: &str) -> Self {
        self.files.push((role, name.to_owned(), text.to_owned()));
        self
    }

    /// Sets the site up, starts it, and waits until partners can connect.
    pub fn start(self) -> Result<Site, SiteError> {
        let mut site = self.prepare()?;
        site.launch()?;
        Ok(site)
    }

    /// Sets the site up without starting any daemon, so that a test can change its database before `Site::launch`.
    pub fn prepare(self) -> Result<Site, SiteError> {
        let directory = std::env::temp_dir().join(format!("os4x-site-{}-{}", std::process::id(), self.name));
        make_folder(&directory)?;
        // From now on the site's Drop cleans up.
        let mut site = self.place(directory)?;
        let filled = self.fill(&mut site);
        // The caller that gets the error has no site to end.
        site.is_over = filled.is_err();
        filled.map(|()| site)
    }

    fn fill(self, site: &mut Site) -> Result<(), SiteError> {
        if let Some(station) = self.station {
            // A port chosen now might be one that another daemon of the site will use.
            let listen = site.station_address.to_string();
            let running = Station { listen, ..Station::new(station) }.spawn()?;
            site.station_address = running.address();
            site.station = Some(running);
        }
        if let Some(url) = &self.database {
            fs::write(site.folder(Role::Api).join(DATABASE_URL), url)?;
        }
        configure(site, &self.settings, &self.partners)?;
        if self.outgoing {
            let (ip, port) = (site.outgoing.ip().to_string(), site.outgoing.port().to_string());
            site.api(&["proxyclient", "add", "127.0.0.1", "--listen-ip", &ip, "--port", &port])?;
        }
        for (role, name, text) in &self.files {
            fs::write(site.folder(*role).join(name), text)?;
        }
        Ok(())
    }

    fn place(&self, directory: PathBuf) -> Result<Site, SiteError> {
        for role in Role::ALL {
            let folder = directory.join(role.folder());
            fs::create_dir(&folder)?;
            place(&binaries::path(role.binary()), &folder.join(role.binary()))?;
        }
        fs::create_dir(directory.join("ca"))?;
        let address = match self.address {
            Some(address) => address,
            None => free_address()?.ip(),
        };
        let [tls, internal, outgoing, api, station] = ports(address)?;
        Ok(Site {
            directory,
            address,
            tls,
            internal,
            outgoing,
            api_url: format!("https://{api}/os4xapi/index.php"),
            asked_url: format!("https://{api}/os4xapi/index.php"),
            authority: Authority::new("Partner CA")?,
            station: None,
            station_address: station,
            daemons: BTreeMap::new(),
            is_over: false,
        })
    }
}

/// Ports that are free at the same time, and stay free until they are bound, because nobody else uses the site's
/// address.
fn ports<const N: usize>(address: IpAddr) -> Result<[SocketAddr; N], SiteError> {
    let listeners: Vec<TcpListener> = (0..N).map(|_| listener_at(address)).collect::<Result<_, _>>()?;
    let ports: Vec<SocketAddr> = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    ports.try_into().map_err(|_| "not as many ports as asked for".into())
}

/// The place of the backend's tables: the value of `--db`.
pub(super) fn database(folder: &Path) -> OsString {
    let url = folder.join(DATABASE_URL);
    if url.exists() {
        OsString::from(format!("@{}", url.display()))
    } else {
        folder.join("os4xapi.db").into()
    }
}

/// `os4xapi` on the site's database.
pub(super) fn api_command(directory: &Path, arguments: &[&str]) -> Command {
    let folder = directory.join(Role::Api.folder());
    let mut command = Command::new(folder.join(Role::Api.binary()));
    command.args(arguments).arg("--db").arg(database(&folder));
    command
}

/// Runs a command that must succeed; returns its output.
pub(super) fn run(command: &mut Command) -> Result<String, SiteError> {
    let output = command.current_dir("/").output()?;
    if !output.status.success() {
        return Err(
            format!("{command:?}: {} {}", output.status, String::from_utf8_lossy(&output.stderr)).into()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// The backend's database, from `init` to the licence.
fn configure(
    site: &mut Site,
    settings: &[(String, String)],
    partners: &[PartnerEntry],
) -> Result<(), SiteError> {
    let address = site.address.to_string();
    site.api(&["init", "--host", &address])?;
    let own = [
        ("tcp_incoming_ip", address.clone()),
        ("tcp_port_tls", site.tls.port().to_string()),
        ("proxy_station_host", address.clone()),
        ("tcp_port", site.station_address.port().to_string()),
        // Tests count parked pairs.
        ("proxy_max_parked_pairs", "0".to_owned()),
    ];
    let given = settings.iter().map(|(name, value)| (name.as_str(), value.clone()));
    for (name, value) in own.into_iter().chain(given) {
        site.api(&["config", "set", name, &value])?;
    }
    trust(site)?;
    for PartnerEntry { name, ssid, options } in partners {
        let mut arguments = vec!["partner", "add", name, "--ssid", ssid];
        arguments.extend(options.iter().map(String::as_str));
        site.api(&arguments)?;
    }
    licence_and_token(site)
}

/// The partners' CA with its CRL, and our certificate towards them.
fn trust(site: &mut Site) -> Result<(), SiteError> {
    let authority = &site.authority;
    let own = authority.issue(&Request::new("proxy").host(&site.address.to_string()))?;
    let chain = site.file("proxy.pem", &[own.certificate_pem()?, authority.certificate_pem()?].concat())?;
    let key = site.file("proxy.key", &own.key_pem()?)?;
    site.api(&["cert", "set", "--chain", &chain, "--key", &key])?;
    let authority_file = site.file("ca.pem", &authority.certificate_pem()?)?;
    site.api(&["trust", "add", &authority_file])?;
    site.publish_crl()
}

fn licence_and_token(site: &Site) -> Result<(), SiteError> {
    let (server, client) = (site.folder(Role::Server), site.folder(Role::Client));
    let shown = run(Command::new(server.join(Role::Server.binary())).arg("-L"))?;
    let proxy_id = shown.trim_end().rsplit(' ').next().unwrap_or_default();
    let licence = server.join("os4x_proxy.lic");
    site.api(&["licence", "issue", proxy_id, "-o", &licence.to_string_lossy()])?;
    let token = site.api(&["token", "show"])?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(client.join("token"))?;
    Ok(file.write_all(token.as_bytes())?)
}
