//! The functions of the API: each answers a question of the daemons from one state of the database. The caller's token
//! has been checked; its address decides which listener it gets. Functions change nothing that the daemons see.

use super::app::App;
use super::caller::Caller;
use super::crl_reports;
use super::refusal::Refusal;
use super::reports;
use crate::db;
use crate::pki::ca::Ca;
use crate::settings::Values;
use crate::store::certificates::{self, Usage};
use crate::store::proxies::{self, ProxyClient};
use crate::store::{bans, configuration, crl_urls, crls, intermediates, partners, sessions};
use axum::Json;
use axum::response::{IntoResponse, Response};
use common::config::{Ban, ClientConfig, NamedPem, ProxyConfig, Tied};
use common::identity::ProxyId;
use common::net::Network;
use common::rpc::{
    About, Call, ClientConfigAnswer, ConfigAnswer, Enrolment, LONGEST_WAIT, Level, Origin, SessionEvent,
    SystemLog, WaitAnswer,
};
use common::text::host::{is_host_name, is_short_name};
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{self, Instant};

/// How often a change is looked for while a caller waits for one.
const LOOK: Duration = Duration::from_millis(500);

/// An answer as it travels: `ok` and the function's own members side by side.
#[derive(Serialize)]
struct Answer<T> {
    ok: bool,
    #[serde(flatten)]
    members: T,
}

/// The answer of a function that has nothing to say.
#[derive(Serialize)]
struct Nothing {}

fn ok<T: Serialize>(members: T) -> Response {
    Json(Answer { ok: true, members }).into_response()
}

/// Answers `call` of the client `caller`.
pub(super) async fn answer(
    app: &App,
    caller: &Caller,
    values: &Values,
    call: Call,
) -> Result<Response, Refusal> {
    let client = caller.address;
    match call {
        Call::ProxyEnrol { public_key, renewal } => {
            let enrolment = enrol(app, client, values, &public_key).await?;
            if !renewal {
                sessions::orphan(&mut *app.db.connection().await?, caller.key()).await?;
            }
            Ok(ok(enrolment))
        }
        Call::ProxyClientConfig {} => client_config(app, client).await.map(ok),
        Call::ProxyConfig { proxy_id, generation, server_time, server_addresses } => {
            if !server_addresses.is_empty() {
                let mut connection = app.db.connection().await?;
                proxies::note_addresses(&mut connection, &proxy_id, &server_addresses).await?;
            }
            if let Some(time) = server_time {
                reports::compare_clock(app, values, client, Origin::Server, time).await?;
            }
            proxy_config(app, values, &proxy_id, generation).await.map(ok)
        }
        Call::ProxyWait { generation, seconds } => changed(app, generation, seconds).await.map(ok),
        Call::ProxyCrlUrl(found) => {
            crl_reports::take(app, client, values, &found).await?;
            Ok(ok(Nothing {}))
        }
        Call::ProxySystemLog(entry) => system_log(app, client, values, *entry).await.map(ok),
        Call::ProxySession { events } => session_events(app, caller, &events).await.map(ok),
    }
}

async fn enrol(app: &App, client: IpAddr, values: &Values, public_key: &str) -> Result<Enrolment, Refusal> {
    let mut snapshot = app.db.snapshot().await?;
    let kept = certificates::need(&mut snapshot, Usage::Ca).await?;
    let listed = proxies::all(&mut snapshot).await?;
    let valid_seconds = values.number("proxy_enrol_seconds");
    let ca = Ca::from_pem(&kept.certificate, &kept.key)?;
    let certificate = ca.client(public_key, valid_seconds)?;
    log::info!("client_enrolled client={client} seconds={valid_seconds}");
    Ok(Enrolment {
        certificate,
        ca: kept.certificate,
        proxies: listed.into_iter().map(|proxy| proxy.id).collect(),
        valid_seconds,
    })
}

async fn client_config(app: &App, client: IpAddr) -> Result<ClientConfigAnswer, Refusal> {
    let mut snapshot = app.db.snapshot().await?;
    let generation = db::generation(&mut snapshot).await?;
    let values = configuration::values(&mut snapshot).await?;
    let mut listeners = proxies::clients(&mut snapshot).await?;
    listeners.retain(|listener| listener.address == client);
    if listeners.is_empty() {
        log::debug!("client_without_listener client={client}");
    }
    let (proxy, tied): (Vec<_>, Vec<_>) =
        listeners.into_iter().partition(|listener| listener.partner.is_none());
    let proxy = proxy.into_iter().next();
    let config = ClientConfig {
        generation,
        station_host: values.text("proxy_station_host").to_owned(),
        station_port: values.port("tcp_port"),
        listen_ip: proxy.as_ref().and_then(|listener| listener.listen_ip),
        listen_port: proxy.as_ref().map(|listener| listener.listen_port),
        networks: proxy.map(|listener| texts(&listener.networks)).unwrap_or_default(),
        tied: tied.into_iter().filter_map(as_tied).collect(),
        limits: values.limits(),
    };
    Ok(ClientConfigAnswer { config })
}

/// A listener as it travels, if it is tied to a partner.
fn as_tied(listener: ProxyClient) -> Option<Tied> {
    let ProxyClient { partner, listen_ip, listen_port, networks, .. } = listener;
    Some(Tied { listen_ip, listen_port, partner: partner?, networks: texts(&networks) })
}

fn texts(networks: &[Network]) -> Vec<String> {
    networks.iter().map(Network::to_string).collect()
}

/// The generation of the configuration, once it is not the `known` one, or the time or this service is over. Other
/// programs change it, so the database is asked again and again.
async fn changed(app: &App, known: u64, seconds: u32) -> Result<WaitAnswer, Refusal> {
    let mut stopped = app.stop.subscribe();
    let until = Instant::now() + Duration::from_secs(seconds.clamp(1, LONGEST_WAIT).into());
    loop {
        let generation = db::generation(&mut *app.db.connection().await?).await?;
        let is_over = Instant::now() >= until || *stopped.borrow();
        if generation != known || is_over {
            return Ok(WaitAnswer { generation });
        }
        // An end of the wait by a stop is seen at the top.
        let _ = time::timeout(LOOK, stopped.changed()).await;
    }
}

async fn proxy_config(
    app: &App,
    values: &Values,
    proxy: &ProxyId,
    held: Option<u64>,
) -> Result<ConfigAnswer, Refusal> {
    let mut snapshot = app.db.snapshot().await?;
    if !proxies::all(&mut snapshot).await?.iter().any(|listed| listed.id == *proxy) {
        log::error!("unknown_proxy proxy_id={proxy}");
        return Err(Refusal::Forbidden(format!(
            "The server {proxy} is not listed: list it with 'os4xapi proxy add'."
        )));
    }
    let generation = db::generation(&mut snapshot).await?;
    if held == Some(generation) {
        return Ok(ConfigAnswer::Unchanged { unchanged: true });
    }
    if let Some(held) = held.filter(|held| *held > generation) {
        report_older(app, values, proxy, generation, held).await?;
    }
    let own = certificates::get(&mut snapshot, Usage::Own).await?.ok_or_else(|| {
        Refusal::NotConfigured(
            "There is no certificate towards partners yet: set it with 'os4xapi cert set'.".into(),
        )
    })?;
    let values = configuration::values(&mut snapshot).await?;
    let trusted = certificates::trusted(&mut snapshot).await?;
    let (issuers, unreadable) = intermediates::issuers(&mut snapshot, &trusted).await?;
    app.log_unreadable(&unreadable);
    let mut partners = partners::all(&mut snapshot).await?;
    for partner in &mut partners {
        partner.legacy_suites.get_or_insert(values.yes("tls_legacy_suites"));
    }
    let config = ProxyConfig {
        generation,
        tcp_port_tls: values.port("tcp_port_tls"),
        tcp_incoming_ip: values.address("tcp_incoming_ip"),
        tcp_outgoing_ip: values.address("tcp_outgoing_ip"),
        certificate: own.certificate,
        key: own.key,
        crls: crls::needed(crls::all(&mut snapshot).await?, &issuers)
            .into_iter()
            .map(NamedPem::from)
            .collect(),
        trusted,
        crl_urls: crl_urls::all(&mut snapshot).await?,
        crl_issuers: intermediates::fingerprints(&mut snapshot).await?,
        partners,
        tls_check_client_certificate: values.yes("tls_check_client_certificate"),
        tls_ignore_crl_unavailability: values.yes("tls_ignore_crl_unavailability"),
        outgoing_allow_local: values.yes("proxy_outgoing_allow_local"),
        penalty_exempt: values.networks("proxy_penalty_exempt").iter().map(Network::to_string).collect(),
        bans: bans::all(&mut snapshot).await?.into_iter().map(Ban::from).collect(),
        proxy_max_config_age: values.number("proxy_max_config_age"),
        limits: values.limits(),
    };
    log::info!("configuration_handed_out proxy_id={proxy} generation={generation}");
    Ok(ConfigAnswer::Changed { config: Box::new(config) })
}

/// The database has become older than what a server has from it: told once for each such step back.
async fn report_older(
    app: &App,
    values: &Values,
    proxy: &ProxyId,
    generation: u64,
    held: u64,
) -> Result<(), Refusal> {
    if !app.is_new_step_back(proxy, generation, held) {
        return Ok(());
    }
    let detail = format!(
        "configuration_older proxy_id={proxy} generation={generation} held={held} cause=\"the database was replaced \
         with an older one, so the changes since are lost: restore a newer backup, or make them again\""
    );
    log::error!("configuration_older proxy_id={proxy} generation={generation} held={held}");
    reports::report(
        app,
        values,
        Level::Error,
        "the configuration is older than the one that a server has",
        &detail,
    )
    .await?;
    Ok(())
}

async fn system_log(
    app: &App,
    client: IpAddr,
    values: &Values,
    entry: SystemLog,
) -> Result<Nothing, Refusal> {
    check(&entry).map_err(|what| Refusal::BadRequest(what.to_owned()))?;
    reports::take(app, values, &client.to_string(), entry).await?;
    Ok(Nothing {})
}

/// Longest event, reason or session of an entry.
const LONGEST_WORD: usize = 64;

/// Refuses an entry whose values could pass for an option: they become arguments of the event script, and the DMZ may
/// be hostile. (The types limit level, address, PID and time.)
fn check(entry: &SystemLog) -> Result<(), &'static str> {
    if entry.origin == Origin::Api {
        return Err("An entry's origin is server or client.");
    }
    if entry.text.starts_with('-') {
        return Err("An entry's text does not begin with '-'.");
    }
    if !is_host_name(&entry.host) {
        return Err(
            "An entry's host is a host name: letters, digits, '.', '_' and '-', which is not the first.",
        );
    }
    if entry.partner.as_deref().is_some_and(|name| !is_short_name(name)) {
        return Err("An entry's partner is the short name of one.");
    }
    let About { event, reason, session, .. } = &entry.about;
    let is_word = |text: &str| {
        !text.starts_with('-')
            && text.len() <= LONGEST_WORD
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    };
    if ![event, reason, session].into_iter().all(|text| is_word(text)) {
        return Err("An entry's event, reason and session are words of small letters, digits, '_' and '-'.");
    }
    Ok(())
}

async fn session_events(app: &App, caller: &Caller, events: &[SessionEvent]) -> Result<Nothing, Refusal> {
    let mut batch = app.db.batch().await?;
    let client = caller.address.to_string();
    for event in events {
        sessions::add(&mut batch, (&client, caller.key()), event).await?;
    }
    batch.commit().await.map_err(db::DbError::from)?;
    Ok(Nothing {})
}
