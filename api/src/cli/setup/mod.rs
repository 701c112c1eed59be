//! `os4xapi setup`: everything that an inside host needs, in one command: database, settings, first partner, and the
//! files that the systemd units read. Options or questions on the terminal give the values (`answers`). Things that
//! exist already are never changed, only reported. Installs and starts nothing.

mod answers;
mod files;
mod next_steps;

use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, init, output, partner};
use crate::change::{self, Act, State, token};
use crate::db::{Change, Creation, Db, DbError, Location};
use crate::pki::ca::hosts_of;
use crate::settings::find;
use crate::store::certificates::{self, Usage};
use crate::store::{configuration, partners};
use answers::{Answers, Known, NewPartner, Place};
use common::text::host::with_port;
use files::{EnvFile, Folder};
use openssl::x509::X509;

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "setup",
    changes: true,
    help: HELP,
    options: &[
        Opt::Value("host"),
        Opt::Value("listen"),
        Opt::Value("server"),
        Opt::Value("station"),
        Opt::Value("partner"),
        Opt::Value("ssid"),
        Opt::Value("pin"),
    ],
    arguments: (0, 0),
    run: |invocation| Box::pin(run(invocation)),
}];

const HELP: &str = "\
usage: os4xapi setup [--server HOST[:PORT]] [OPTIONS] [--db DB]

Sets up an inside host: database, settings, first partner, and the files that the systemd units of backend and client
read: os4xapi.env, client.env and token, beside the database. Then it shows which connections the firewalls must allow,
and which commands to run next. On a terminal it asks for values that no option sets. It does not change things that
exist already.

--server HOST[:PORT]: the DMZ host, on which os4x_proxyserver2 runs, and its internal port (default port: 2878)
--host NAME|IP: this host, as the client calls it (default: localhost, for a client on this host)
--listen ADDRESS:PORT: where the backend listens (default: 127.0.0.1:8443 for localhost, else [::]:8443)
--station HOST[:PORT]: the station's receive daemon (default: localhost:3305)
--partner NAME: add this partner
--ssid CODE: the partner's SSIDCODE
--pin FILE: the partner's certificate (default: any trusted one whose subject's serialNumber is the SSIDCODE)
";

async fn run(invocation: Invocation) -> Result<(), CliError> {
    let location = invocation.location()?;
    let folder = Folder::of(&location)?;
    let existing = existing(&location).await?;
    let answers = Answers::collect(&invocation, &known(&folder, existing.as_ref()).await?)?;
    let mut said = Vec::new();
    let db = match existing {
        Some(db) => {
            said.push(format!("Database: {location}: it exists already, and is not changed."));
            check_https(&db, &answers.host).await?;
            let mut change = Act::begin(&db, invocation.order()?).await?;
            fill(&mut change, &answers, &mut said).await?;
            change.commit().await?;
            db
        }
        None => create(&invocation, &location, &answers, &mut said).await?,
    };
    said.iter().try_for_each(|line| output::say(line))?;
    folder.write_env(&EnvFile::backend(answers.listen))?;
    let values = configuration::values(&mut *db.snapshot().await?).await?;
    let path = values.text("api_path").split(',').next().unwrap_or_default();
    folder.write_env(&EnvFile::client(&url(&answers, path), &answers.server))?;
    folder.write_token(&token::text(&mut *db.snapshot().await?).await?)?;
    let state = next_steps::State::of(&db).await?;
    db.close().await;
    next_steps::print(&answers, &state, folder.path())
}

/// The database, if there is one.
async fn existing(location: &Location) -> Result<Option<Db>, CliError> {
    match super::open(location).await {
        Ok(db) => Ok(Some(db)),
        Err(DbError::Missing(_) | DbError::Empty(Location::Postgres(_))) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

/// The values that an earlier run, or a person, has set already.
async fn known(folder: &Folder, db: Option<&Db>) -> Result<Known, CliError> {
    let mut known = Known {
        url: folder.value("client.env", "OS4X_API_URL"),
        server: folder.value("client.env", "OS4X_PROXYSERVER"),
        listen: folder.value("os4xapi.env", "OS4X_API_LISTEN"),
        station: None,
    };
    if let Some(db) = db {
        let values = configuration::values(&mut *db.snapshot().await?).await?;
        let host = values.text("proxy_station_host").to_owned();
        let port = values.text("tcp_port").parse().unwrap_or(answers::STATION_PORT);
        known.station = Some(Place { host, port }.to_string());
    }
    Ok(known)
}

/// Makes the database with all answers.
async fn create(
    invocation: &Invocation,
    location: &Location,
    answers: &Answers,
    said: &mut Vec<String>,
) -> Result<Db, CliError> {
    let host = answers.host.as_str();
    let mut hosts = vec![host.to_owned()];
    hosts.extend(
        ["localhost", "127.0.0.1", "::1"].iter().filter(|other| **other != host).map(|&o| o.to_owned()),
    );
    let mut creation = Creation::begin(location).await?;
    init::fill(creation.change(), &hosts).await?;
    said.push(format!("Database: {location}: created, with a CA, an https certificate and a token."));
    fill(creation.change(), answers, said).await?;
    change::record(creation.change(), &State::new(), State::new(), &invocation.order()?).await?;
    creation.finish().await?;
    Ok(Db::open(location).await?)
}

/// Writes the answers into the database.
async fn fill(change: &mut Change, answers: &Answers, said: &mut Vec<String>) -> Result<(), CliError> {
    said.extend(set(change, "proxy_station_host", &answers.station.host).await?);
    said.extend(set(change, "tcp_port", &answers.station.port.to_string()).await?);
    if let Some(partner) = &answers.partner {
        said.push(add_partner(change, partner).await?);
    }
    Ok(())
}

/// Warns if the client would not accept the https certificate.
async fn check_https(db: &Db, host: &str) -> Result<(), CliError> {
    let https = certificates::need(&mut *db.snapshot().await?, Usage::Https).await?;
    let names =
        X509::from_pem(https.certificate.as_bytes()).map(|found| hosts_of(&found)).unwrap_or_default();
    if !names.iter().any(|name| name.eq_ignore_ascii_case(host)) {
        output::warn(&format!(
            "the https certificate is for {}, not for {host}: 'os4xapi cert https --host {host}' makes one that is.",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Gives a setting its value, unless it was changed already; gives the message for the user.
async fn set(change: &mut Change, name: &str, value: &str) -> Result<Option<String>, CliError> {
    let setting = find(name)?;
    let value = setting.check(value)?;
    let values = configuration::values(change).await?;
    let now = values.text(name);
    if now == value {
        return Ok(Some(format!("Setting {name}: it is {now} already.")));
    }
    if now != setting.default {
        output::warn(&format!("{name} stays {now}: 'os4xapi config set {name} {value}' changes it."));
        return Ok(None);
    }
    configuration::set(change, name, &value).await?;
    Ok(Some(format!("Setting {name}: {value}")))
}

/// Adds the partner like `os4xapi partner add`, with all its checks; gives the message for the user.
async fn add_partner(change: &mut Change, partner: &NewPartner) -> Result<String, CliError> {
    let NewPartner { name, ssid, pin } = partner;
    match partners::all(change).await?.iter().find(|other| other.short_name == *name) {
        Some(there) => {
            Ok(format!("Partner {name}: it exists already (SSIDCODE {}), and is not changed.", there.ssid))
        }
        None => partner::add_plain(change, name, ssid, pin.as_deref()).await,
    }
}

fn url(answers: &Answers, path: &str) -> String {
    format!("https://{}{path}", with_port(&answers.host, answers.listen.port()))
}
