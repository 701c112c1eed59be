//! The files beside the database that the systemd units read (scripts/units): os4xapi.env, client.env and token. They
//! are written whole or not at all, and never replace another file. If root writes them, they belong to the owner of
//! the folder.

use super::answers::Place;
use crate::cli::error::CliError;
use crate::cli::output;
use crate::db::Location;
use common::file::create_whole;
use common::process::options::INTERNAL_PORT;
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// The folder of the programs, on a host that is set up as documented.
pub(super) struct Folder(PathBuf);

/// A file of `NAME=VALUE` lines.
pub(super) struct EnvFile {
    name: &'static str,
    values: Vec<(&'static str, String)>,
}

impl EnvFile {
    /// The file for os4xapi.service.
    pub(super) fn backend(listen: SocketAddr) -> Self {
        Self { name: "os4xapi.env", values: vec![("OS4X_API_LISTEN", listen.to_string())] }
    }

    /// The file for os4x_proxyclient2.service.
    pub(super) fn client(url: &str, server: &Place) -> Self {
        let server = if server.port == INTERNAL_PORT { server.host.clone() } else { server.to_string() };
        Self {
            name: "client.env",
            values: vec![("OS4X_API_URL", url.to_owned()), ("OS4X_PROXYSERVER", server)],
        }
    }

    fn text(&self) -> String {
        let mut lines = vec!["# Written by os4xapi setup, read by the systemd unit.".to_owned()];
        lines.extend(self.values.iter().map(|(name, value)| format!("{name}={value}")));
        lines.join("\n") + "\n"
    }
}

impl Folder {
    /// The folder of the database's file, or of this program.
    pub(super) fn of(location: &Location) -> Result<Self, CliError> {
        let file = match location {
            Location::File(path) => path.clone(),
            Location::Postgres(_) => {
                std::env::current_exe().map_err(|cause| CliError::Write("os4xapi.env".into(), cause))?
            }
        };
        Ok(Self(file.parent().unwrap_or(Path::new("/")).to_owned()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The values in a file of `NAME=VALUE` lines.
    pub(super) fn value(&self, file: &str, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.0.join(file)).ok()?;
        let mut values = text.lines().filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
        values.next_back().map(|value| value.trim_matches('"').to_owned())
    }

    /// Writes the file, or says that it exists.
    pub(super) fn write_env(&self, file: &EnvFile) -> Result<(), CliError> {
        let same = |_: &str| {
            file.values.iter().all(|(name, value)| self.value(file.name, name).as_ref() == Some(value))
        };
        self.write(file.name, 0o640, &file.text(), same)
    }

    /// Writes the token for `os4x_proxyclient2 -T @FILE`, or says that the file exists.
    pub(super) fn write_token(&self, token: &str) -> Result<(), CliError> {
        self.write("token", 0o600, token, |there| there.trim() == token.trim())
    }

    fn write(&self, name: &str, mode: u32, text: &str, same: impl Fn(&str) -> bool) -> Result<(), CliError> {
        let path = self.0.join(name);
        let shown = path.display();
        match create_whole(&path, mode, text.as_bytes()) {
            Ok(_) => output::say(&format!("File {shown}: written")),
            Err(cause) if cause.kind() == ErrorKind::AlreadyExists => {
                let there = fs::read_to_string(&path).unwrap_or_default();
                if same(&there) {
                    return output::say(&format!("File {shown}: it exists already, and is correct."));
                }
                output::warn(&format!(
                    "{shown} is not changed, but has other values: edit it, or delete it and run setup again."
                ));
                Ok(())
            }
            Err(cause) => Err(CliError::Write(path, cause)),
        }
    }
}
