//! The steps from an empty database to the first file, and which of them are done. Nobody records that a step is done:
//! the rows of the database show it. So a step that is undone later is open again.

use super::daemons::Daemon;
use crate::change::judgement;
use crate::db::DbError;
use crate::pki::facts::Facts;
use crate::settings::Values;
use crate::store::audit::{self, Filter};
use crate::store::certificates::{self, Usage};
use crate::store::{configuration, journal, licences, partner_tests, partners, proxies, session_search};
use common::config::Partner;
use common::text::clock;
use common::text::host::with_port;
use sqlx::AnyConnection;
use std::collections::BTreeMap;

/// Most partners that are judged: each judgement reads all CRLs.
const JUDGED: usize = 3;
/// Most partners that are named.
const NAMED: usize = 10;

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    OwnCertificate,
    PanelName,
    Station,
    Server,
    Token,
    Start,
    Join,
    Partner,
    Acceptance,
    TestCall,
    FirstFile,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    Open,
    /// It is not done, and many sites do not need it.
    Optional,
}

/// A step.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) task: Task,
    pub(crate) progress: Progress,
    /// What was found, as names, dates and the words of the log.
    pub(crate) found: String,
}

impl Step {
    /// A step that is done if there is something.
    fn of(task: Task, found: Option<String>) -> Self {
        let progress = if found.is_some() { Progress::Done } else { Progress::Open };
        Self { task, progress, found: found.unwrap_or_default() }
    }

    /// The same for a step that many sites do not need.
    fn optional(task: Task, found: Option<String>) -> Self {
        let step = Self::of(task, found);
        if step.progress == Progress::Open { Self { progress: Progress::Optional, ..step } } else { step }
    }
}

/// Whether a session has carried a file, which is the last step.
pub(crate) async fn is_complete(connection: &mut AnyConnection) -> Result<bool, DbError> {
    Ok(session_search::first_with_file(connection).await?.is_some())
}

/// All steps in their order.
pub(crate) async fn read(connection: &mut AnyConnection) -> Result<Vec<Step>, DbError> {
    let values = configuration::values(connection).await?;
    let rows = configuration::rows(connection).await?;
    let daemons = super::daemons(connection).await?;
    let partners: Vec<Partner> =
        partners::all(connection).await?.into_iter().filter(|partner| partner.enabled).collect();
    let first = session_search::first_with_file(connection).await?;
    Ok(vec![
        own_certificate(connection).await?,
        Step::optional(Task::PanelName, rows.get("panel_url").cloned()),
        station(&values, &rows, first.is_some()),
        Step::of(Task::Server, server(connection, &daemons).await?),
        Step::of(Task::Token, token(connection).await?),
        Step::of(Task::Start, working(&daemons, "client")),
        Step::of(Task::Join, working(&daemons, "server")),
        Step::of(Task::Partner, named(&partners)),
        acceptance(connection, &partners).await?,
        test_call(connection, &partners).await?,
        Step::of(Task::FirstFile, first.map(|(_, partner)| partner)),
    ])
}

async fn own_certificate(connection: &mut AnyConnection) -> Result<Step, DbError> {
    let own = certificates::get(connection, Usage::Own).await?;
    let facts = own.and_then(|own| Facts::of_pem(&own.certificate).ok());
    let is_valid = |facts: &Facts| facts.until > clock::now();
    let found = facts.filter(is_valid).map(|facts| format!("{}, {}", facts.subject, day(facts.until)));
    Ok(Step::of(Task::OwnCertificate, found))
}

/// The default may be right, so this step is open only to be looked at.
fn station(values: &Values, rows: &BTreeMap<String, String>, is_proven: bool) -> Step {
    let is_set = ["proxy_station_host", "tcp_port"].iter().any(|name| rows.contains_key(*name));
    let place = with_port(values.text("proxy_station_host"), values.port("tcp_port")).to_string();
    let progress = if is_set || is_proven { Progress::Done } else { Progress::Open };
    Step { task: Task::Station, progress, found: place }
}

/// The servers that have a licence: one in force, or one that was issued.
async fn server(connection: &mut AnyConnection, daemons: &[Daemon]) -> Result<Option<String>, DbError> {
    let issued = licences::newest(connection).await?;
    let mut found = Vec::new();
    for proxy in proxies::all(connection).await? {
        let id = proxy.id.to_string();
        let state = daemons.iter().find(|daemon| daemon.name == id).and_then(|daemon| daemon.state.as_ref());
        let in_force = state.and_then(|state| state.licence_ends);
        let until = in_force.or(issued.get(&id).map(|licence| licence.until));
        if let Some(until) = until.filter(|until| *until > clock::now()) {
            let name = if proxy.name.is_empty() { id.chars().take(12).collect() } else { proxy.name };
            found.push(format!("{name}, {}", day(until)));
        }
    }
    Ok(joined(&found))
}

/// The last time that somebody has read or replaced the token, or that a client has used it.
async fn token(connection: &mut AnyConnection) -> Result<Option<String>, DbError> {
    if let Some((client, _)) = journal::last_call(connection).await? {
        return Ok(Some(client));
    }
    let filter = Filter { act: "token ".to_owned(), ..Filter::default() };
    let row = audit::list(connection, &filter, 1).await?.pop();
    Ok(row.map(|row| format!("{}, {}", row.entry.act, clock::rfc3339(row.entry.time))))
}

/// The daemons of this kind that work.
fn working(daemons: &[Daemon], kind: &str) -> Option<String> {
    let working = daemons.iter().filter(|daemon| daemon.kind == kind && daemon.is_well());
    joined(&working.map(|daemon| daemon.title.clone()).collect::<Vec<_>>())
}

fn named(partners: &[Partner]) -> Option<String> {
    joined(&partners.iter().take(NAMED).map(|partner| partner.short_name.clone()).collect::<Vec<_>>())
}

/// Whether the first partners would be accepted, with what is known of them.
async fn acceptance(connection: &mut AnyConnection, partners: &[Partner]) -> Result<Step, DbError> {
    let (mut accepted, mut refused) = (Vec::new(), Vec::new());
    for partner in partners.iter().take(JUDGED) {
        let name = &partner.short_name;
        match judgement::verdicts(connection, name).await? {
            Err(why) => refused.push(format!("{name}: {why}")),
            Ok(verdicts) => match verdicts.iter().find_map(|verdict| verdict.refused.as_ref()) {
                Some((reason, _)) => refused.push(format!("{name}: {reason}")),
                None if verdicts.is_empty() => {}
                None => accepted.push(name.clone()),
            },
        }
    }
    Ok(match (joined(&accepted), joined(&refused)) {
        (accepted @ Some(_), None) => Step::of(Task::Acceptance, accepted),
        (_, refused) => {
            Step { task: Task::Acceptance, progress: Progress::Open, found: refused.unwrap_or_default() }
        }
    })
}

/// A test that has succeeded lately. Partners that are never called cannot be tested.
async fn test_call(connection: &mut AnyConnection, partners: &[Partner]) -> Result<Step, DbError> {
    let passed = partner_tests::passed(connection).await?;
    let passed = passed.into_iter().filter(|name| partners.iter().any(|one| one.short_name == *name));
    Ok(Step::optional(Task::TestCall, joined(&passed.collect::<Vec<_>>())))
}

fn joined(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| names.join("; "))
}

fn day(seconds: i64) -> String {
    clock::rfc3339(seconds).chars().take(10).collect()
}
