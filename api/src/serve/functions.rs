//! The functions of the API: each answers a call of the daemons from one state of the database. The caller's token was
//! checked; its address decides which listener it gets. Functions do not change anything that the daemons see.

use super::app::App;
use super::call_refusal::CallRefusal;
use super::caller::Caller;
use super::crl_reports;
use super::deadline::{self, in_time};
use super::reports;
use crate::db;
use crate::pki::ca::Ca;
use crate::settings::Values;
use crate::store::certificates::{self, Usage};
use crate::store::proxies::{self, ProxyClient};
use crate::store::trust_rules::Rules;
use crate::store::{
    acts, bans, claims, configuration, crl_urls, intermediates, partner_debug, refusals, sessions, states,
};
use axum::Json;
use axum::response::{IntoResponse, Response};
use common::config::{Ban, ClientConfig, ProxyConfig, Tied};
use common::identity::ProxyId;
use common::net::Network;
use common::rpc::{
    About, Call, ClientConfigAnswer, ConfigAnswer, Enrolment, LONGEST_WAIT, Level, Origin, SessionEvent,
    SystemLog, WaitAnswer,
};
use common::state::{RefusalCount, SiteState};
use common::text::escape::escape;
use common::text::host::{is_host_name, is_short_name};
use serde::Serialize;
use std::net::IpAddr;
use std::time::Duration;
use tokio::time::{self, Instant};

/// How often the database is asked for a change while a caller waits for one.
const LOOK: Duration = Duration::from_millis(500);

/// An answer as it is sent: `ok` and the function's own members in the same object.
#[derive(Serialize)]
struct Answer<T> {
    ok: bool,
    #[serde(flatten)]
    members: T,
}

/// The answer of a function without members of its own.
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
) -> Result<Response, CallRefusal> {
    let client = caller.address;
    match call {
        Call::ProxyEnrol { public_key, renewal } => {
            let enrolment = enrol(app, client, values, &public_key).await?;
            if !renewal {
                let mut batch = app.db.batch().await?;
                sessions::orphan(&mut batch, caller.key()).await?;
                batch.commit().await?;
            }
            Ok(ok(enrolment))
        }
        Call::ProxyClientConfig {} => client_config(app, caller).await.map(ok),
        Call::ProxyConfig { proxy_id, generation, server_time, server_addresses } => {
            if !server_addresses.is_empty() {
                let mut batch = app.db.batch().await?;
                proxies::note_addresses(&mut batch, &proxy_id, &server_addresses).await?;
                batch.commit().await?;
            }
            if let Some(time) = server_time {
                reports::compare_clock(app, values, client, Origin::Server, time).await?;
            }
            proxy_config(app, values, &proxy_id, generation).await.map(ok)
        }
        Call::ProxyWait { generation, seconds, acts } => {
            news(app, caller, generation, seconds, &acts).await.map(ok)
        }
        Call::ProxyActDone(outcome) => {
            let mut batch = app.db.batch().await?;
            acts::end(&mut batch, caller.key(), &outcome).await?;
            batch.commit().await?;
            Ok(ok(Nothing {}))
        }
        Call::ProxyCrlUrl(found) => {
            crl_reports::take(app, client, values, &found).await?;
            Ok(ok(Nothing {}))
        }
        Call::ProxySystemLog(entry) => system_log(app, client, values, *entry).await.map(ok),
        Call::ProxySession { events } => session_events(app, caller, &events).await.map(ok),
        Call::ProxyState(told) => site_state(app, caller, &told).await.map(ok),
        Call::ProxyRefusals { proxy_id, refusals } => count_refusals(app, &proxy_id, &refusals).await.map(ok),
    }
}

async fn enrol(
    app: &App,
    client: IpAddr,
    values: &Values,
    public_key: &str,
) -> Result<Enrolment, CallRefusal> {
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

async fn client_config(app: &App, caller: &Caller) -> Result<ClientConfigAnswer, CallRefusal> {
    let client = caller.address;
    let mut snapshot = app.db.snapshot().await?;
    let generation = db::generation(&mut snapshot).await?;
    let values = configuration::values(&mut snapshot).await?;
    let mut listeners = proxies::clients(&mut snapshot).await?;
    // Those of its name, or else those of its address.
    let has_own = listeners.iter().any(|listener| listener.address.is(client, caller.name()));
    let name = caller.name().filter(|_| has_own);
    listeners.retain(|listener| listener.address.is(client, name));
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
        station_proxy_protocol: values.yes("proxy_station_proxy_protocol"),
        listen_ip: proxy.as_ref().and_then(|listener| listener.listen_ip),
        listen_port: proxy.as_ref().map(|listener| listener.listen_port),
        networks: proxy.map(|listener| texts(&listener.networks)).unwrap_or_default(),
        tied: tied.into_iter().filter_map(as_tied).collect(),
        debug: partner_debug::all(&mut snapshot).await?,
        sandbox: values.yes("proxy_sandbox").into(),
        limits: values.limits(),
    };
    Ok(ClientConfigAnswer { config })
}

/// A listener as it is sent, if it is tied to a partner.
fn as_tied(listener: ProxyClient) -> Option<Tied> {
    let ProxyClient { partner, listen_ip, listen_port, networks, .. } = listener;
    Some(Tied { listen_ip, listen_port, partner: partner?, networks: texts(&networks) })
}

fn texts(networks: &[Network]) -> Vec<String> {
    networks.iter().map(Network::to_string).collect()
}

/// Waits until the generation of the configuration is not the `known` one any more, or there are acts of these `kinds`,
/// or the time is over, or the service ends. Other programs write them, so the database is asked again and again.
async fn news(
    app: &App,
    caller: &Caller,
    known: u64,
    seconds: u32,
    kinds: &[String],
) -> Result<WaitAnswer, CallRefusal> {
    let mut stopped = app.stop.subscribe();
    let until = Instant::now() + Duration::from_secs(seconds.clamp(1, LONGEST_WAIT).into());
    in_time(deadline::LOOK, note_wait(app, caller, kinds)).await?;
    loop {
        let answer = in_time(deadline::LOOK, look(app, caller, kinds)).await?;
        let is_over = Instant::now() >= until || *stopped.borrow();
        if answer.generation != known || !answer.acts.is_empty() || is_over {
            return Ok(answer);
        }
        // If the service ends, the loop ends at its top.
        let _ = time::timeout(LOOK, stopped.changed()).await;
    }
}

async fn note_wait(app: &App, caller: &Caller, kinds: &[String]) -> Result<(), CallRefusal> {
    let mut batch = app.db.batch().await?;
    acts::note_wait(&mut batch, caller.key(), kinds).await?;
    Ok(batch.commit().await?)
}

/// The generation, and the acts for this caller, which count as handed out from now on.
async fn look(app: &App, caller: &Caller, kinds: &[String]) -> Result<WaitAnswer, CallRefusal> {
    let mut snapshot = app.db.snapshot().await?;
    let generation = db::generation(&mut snapshot).await?;
    let waiting = acts::waiting(&mut snapshot, caller.key(), kinds).await?;
    drop(snapshot);
    let acts = if waiting.is_empty() { waiting } else { acts::take(&app.db, waiting).await? };
    for act in &acts {
        log::info!("act_handed_out number={} kind={} client={}", act.number, act.kind.word(), caller.address);
    }
    Ok(WaitAnswer { generation, acts })
}

async fn proxy_config(
    app: &App,
    values: &Values,
    proxy: &ProxyId,
    held: Option<u64>,
) -> Result<ConfigAnswer, CallRefusal> {
    let mut snapshot = app.db.snapshot().await?;
    let listed = proxies::all(&mut snapshot).await?.into_iter().find(|listed| listed.id == *proxy);
    let Some(listed) = listed else {
        log::error!("unknown_proxy proxy_id={proxy}");
        return Err(CallRefusal::Forbidden(format!(
            "The server {proxy} is not listed: list it with 'os4xapi proxy add'."
        )));
    };
    let generation = db::generation(&mut snapshot).await?;
    if held == Some(generation) {
        return Ok(ConfigAnswer::Unchanged { unchanged: true });
    }
    if let Some(held) = held.filter(|held| *held > generation) {
        report_older(app, values, proxy, generation, held).await?;
    }
    let own = certificates::get(&mut snapshot, Usage::Own).await?.ok_or_else(|| {
        CallRefusal::NotConfigured(
            "There is no certificate towards partners yet: set it with 'os4xapi cert set'.".into(),
        )
    })?;
    let values = listed.settings.over(configuration::values(&mut snapshot).await?);
    let rules = Rules::read(&mut snapshot).await?;
    app.log_unreadable(&rules.unreadable);
    let config = ProxyConfig {
        generation,
        tcp_port_tls: values.port("tcp_port_tls"),
        tcp_incoming_ip: values.address("tcp_incoming_ip"),
        tcp_outgoing_ip: values.address("tcp_outgoing_ip"),
        certificate: own.certificate,
        key: own.key,
        crls: rules.crls,
        trusted: rules.trusted,
        crl_urls: crl_urls::all(&mut snapshot).await?,
        crl_issuers: intermediates::fingerprints(&mut snapshot).await?,
        partners: rules.partners,
        tls_check_client_certificate: values.yes("tls_check_client_certificate"),
        tls_ignore_crl_unavailability: values.yes("tls_ignore_crl_unavailability"),
        outgoing_allow_local: values.yes("proxy_outgoing_allow_local"),
        penalty_exempt: texts(&values.networks("proxy_penalty_exempt")),
        proxy_protocol_from: texts(&values.networks("tcp_proxy_protocol_from")),
        new_sessions: (listed.settings.is_drained() || !listed.settings.is_enabled()).into(),
        bans: bans::all(&mut snapshot).await?.into_iter().map(Ban::from).collect(),
        debug: partner_debug::all(&mut snapshot).await?,
        proxy_max_config_age: values.number("proxy_max_config_age"),
        sandbox: values.yes("proxy_sandbox").into(),
        limits: values.limits(),
    };
    log::info!("configuration_handed_out proxy_id={proxy} generation={generation}");
    Ok(ConfigAnswer::Changed { config: Box::new(config) })
}

/// The database is older than the configuration that a server has: this is reported once for each such case.
async fn report_older(
    app: &App,
    values: &Values,
    proxy: &ProxyId,
    generation: u64,
    held: u64,
) -> Result<(), CallRefusal> {
    if !app.is_new_step_back(proxy, generation, held) {
        return Ok(());
    }
    let detail = format!(
        "configuration_older proxy_id={proxy} generation={generation} held={held} cause=\"the database was replaced \
         with an older one, so the changes since are lost: restore a newer backup, or make them again\""
    );
    log::error!("configuration_older proxy_id={proxy} generation={generation} held={held}");
    let text = "the configuration is older than the one that a server has";
    let report = reports::report(app, values, Level::Error, text, &detail);
    // Another 'serve' of this database may have reported it.
    claims::once(&app.db, &format!("configuration_older {proxy} {generation} {held}"), report).await?;
    Ok(())
}

async fn system_log(
    app: &App,
    client: IpAddr,
    values: &Values,
    entry: SystemLog,
) -> Result<Nothing, CallRefusal> {
    check(&entry).map_err(|what| CallRefusal::BadRequest(what.to_owned()))?;
    reports::take(app, values, &client.to_string(), entry).await?;
    Ok(Nothing {})
}

/// Longest event, reason or session of an entry.
const LONGEST_WORD: usize = 64;

/// Refuses an entry with values that look like an option: they become arguments of the event script, and the DMZ may be
/// hostile. (The types limit level, address, PID and time.)
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

async fn session_events(app: &App, caller: &Caller, events: &[SessionEvent]) -> Result<Nothing, CallRefusal> {
    let mut batch = app.db.batch().await?;
    let client = caller.address.to_string();
    for event in events {
        sessions::add(&mut batch, (&client, caller.key()), event).await?;
    }
    batch.commit().await?;
    Ok(Nothing {})
}

/// The call for the configuration reports a wrong clock of the server; this one only stores the states of the daemons.
async fn site_state(app: &App, caller: &Caller, told: &SiteState) -> Result<Nothing, CallRefusal> {
    let mut batch = app.db.batch().await?;
    let client = caller.address.to_string();
    states::note(&mut batch, (&client, caller.key()), told).await?;
    batch.commit().await?;
    if let Some(reason) = &told.ended {
        log::info!("client_ended client={client} reason={}", escape(reason));
    }
    Ok(Nothing {})
}

async fn count_refusals(
    app: &App,
    proxy: &ProxyId,
    counted: &[RefusalCount],
) -> Result<Nothing, CallRefusal> {
    let mut batch = app.db.batch().await?;
    refusals::add(&mut batch, proxy.as_str(), counted).await?;
    batch.commit().await?;
    Ok(Nothing {})
}
