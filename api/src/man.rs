//! Only for tests: the man pages agree with the code. The settings in os4xapi.conf(5) are printed from their table. Log
//! events and the members of the protocol are compared with the sources. Commands, functions and errors are compared
//! beside their own tables, with `read` and `split` from here.

/// The same code that prints parts of the daemons' pages.
#[path = "../../common/src/log/man.rs"]
mod pages;

pub(crate) use pages::{read, split};

use crate::settings::{SETTINGS, Setting};
use common::config::{
    Ban, CertificateRule, ClientConfig, Confinement, DebuggedPartner, FileRules, Limits, NamedPem,
    NewSessions, Partner, ProfileName, ProxyConfig, Tied, Trusted, UsageRule,
};
use common::oftp::Deviations;
use common::partner_test::TestStep;
use common::rpc::{
    About, Act, ActKind, ActOutcome, Call, CrlUrl, Enrolment, Level, Origin, SessionBegin, SessionEnd,
    SessionEvent, ShownDeviations, SystemLog, Transfer, TransferResult, WaitAnswer,
};
use pages::{filled, hold};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

/// The rest of the lines that begin with `start`.
fn lines_after<'a>(page: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    page.lines().filter_map(move |line| line.strip_prefix(start))
}

fn of_setting(setting: &Setting) -> String {
    let default =
        if setting.default.is_empty() { "empty".to_owned() } else { format!("Li {}", setting.default) };
    let takes = filled(&format!("Takes {}.", setting.kind));
    format!(".It Cm {} Pq {default}\n{}\n{takes}\n", setting.name, filled(setting.help))
}

#[test]
fn settings_are_those_of_the_table() {
    let items: String = SETTINGS.iter().map(of_setting).collect();
    hold("os4xapi.conf.5", "settings", &format!(".Bl -tag -width Ds\n{items}.El\n"));
}

#[test]
fn log_events_are_those_of_the_sources() {
    let page = read("os4xapi-log.5");
    let (_, events, _) = split(&page, "events");
    let listed: BTreeSet<String> = lines_after(events, ".It Li ").map(str::to_owned).collect();
    assert_eq!(events_in(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))), listed);
    let is_snake_case = |name: &str| name.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
    for name in listed {
        assert!(is_snake_case(&name), "{name} is not written like the events of the daemons");
    }
}

/// The first word of every log line in the sources.
fn events_in(directory: &Path) -> BTreeSet<String> {
    let mut events = BTreeSet::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            events.extend(events_in(&path));
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for level in ["error", "warn", "info", "debug", "trace"] {
            let start = format!("log::{level}!(");
            events.extend(text.split(&start).skip(1).map(|call| {
                let line = call
                    .trim_start()
                    .strip_prefix('"')
                    .unwrap_or_else(|| panic!("{}: {call}", path.display()));
                line.split([' ', '"']).next().unwrap_or_default().to_owned()
            }));
        }
    }
    events
}

#[test]
fn the_protocol_page_names_every_member() {
    let page = read("os4xapi-protocol.5");
    let named: BTreeSet<&str> = [".It Li ", ".Li "]
        .into_iter()
        .flat_map(|start| lines_after(&page, start))
        .flat_map(str::split_whitespace)
        .collect();
    for member in samples().iter().flat_map(members) {
        assert!(named.contains(member.as_str()), "{member}");
    }
}

/// One value of everything that is sent.
fn samples() -> Vec<Value> {
    let pem = NamedPem { name: String::new(), pem: String::new() };
    let partner = Partner {
        short_name: String::new(),
        ssid: String::new(),
        enabled: true,
        certificate: CertificateRule::Any,
        pins: vec![pem.clone()],
        profile: ProfileName::Strict,
        allow: Deviations::ALL,
        host: None,
        port: 1,
        tls: true,
        outgoing_ip: None,
        check_ssid: true,
        usage: Some(UsageRule::Client),
        legacy_suites: Some(false),
        files: FileRules { max_size: Some(1 << 20), names: vec!["ORDER*".to_owned()] },
        networks: vec!["203.0.113.0/24".to_owned()],
    };
    let debugged = DebuggedPartner { partner: String::new(), until: 1, seconds: 1 };
    let config = ProxyConfig {
        generation: 1,
        tcp_port_tls: 1,
        tcp_incoming_ip: None,
        tcp_outgoing_ip: None,
        certificate: String::new(),
        key: common::secret::Secret::default(),
        trusted: vec![Trusted { certificate: pem.clone(), no_crl: true }],
        crls: vec![pem],
        crl_issuers: vec![String::new()],
        crl_urls: Vec::new(),
        partners: vec![partner],
        tls_check_client_certificate: true,
        tls_ignore_crl_unavailability: true,
        outgoing_allow_local: true,
        bans: vec![Ban { network: String::new(), until: Some(1) }],
        debug: vec![debugged.clone()],
        penalty_exempt: vec!["127.0.0.0/8".to_owned()],
        proxy_protocol_from: vec!["192.0.2.7/32".to_owned()],
        new_sessions: NewSessions::Refused,
        proxy_max_config_age: 1,
        sandbox: Confinement::Sandbox,
        limits: Limits::default(),
    };
    let client = ClientConfig {
        generation: 1,
        station_host: String::new(),
        station_port: 1,
        station_proxy_protocol: true,
        listen_ip: None,
        listen_port: None,
        networks: Vec::new(),
        tied: vec![Tied { listen_ip: None, listen_port: 1, partner: String::new(), networks: Vec::new() }],
        debug: vec![debugged],
        sandbox: Confinement::Sandbox,
        limits: Limits::default(),
    };
    let enrolment =
        Enrolment { certificate: String::new(), ca: String::new(), proxies: Vec::new(), valid_seconds: 1 };
    [
        serde_json::to_value(config),
        serde_json::to_value(client),
        serde_json::to_value(enrolment),
        serde_json::to_value(Call::ProxyEnrol { public_key: String::new(), renewal: true }),
        serde_json::to_value(Call::ProxyCrlUrl(CrlUrl { url: String::new(), issuers: vec![String::new()] })),
        serde_json::to_value(wait_answer()),
        serde_json::to_value(Call::ProxyWait { generation: 1, seconds: 1, acts: ActKind::all() }),
        serde_json::to_value(outcome()),
        serde_json::to_value(system_log()),
        serde_json::to_value(session_events()),
    ]
    .map(Result::unwrap)
    .to_vec()
}

fn wait_answer() -> WaitAnswer {
    let kinds =
        [ActKind::EndSession { session: String::new() }, ActKind::TestPartner { partner: String::new() }];
    let acts = kinds.map(|kind| Act { number: 1, administrator: String::new(), kind });
    WaitAnswer { generation: 1, acts: acts.to_vec() }
}

fn outcome() -> ActOutcome {
    let word = || "x".to_owned();
    let step = TestStep { step: word(), good: false, ms: 1, reason: word(), text: word() };
    ActOutcome { number: 1, done: true, text: word(), steps: vec![step] }
}

fn system_log() -> SystemLog {
    SystemLog {
        level: Level::Error,
        text: String::new(),
        detail: String::new(),
        origin: Origin::Server,
        host: String::new(),
        pid: 1,
        time: 1,
        address: Some([127, 0, 0, 1].into()),
        partner: Some(String::new()),
        about: About {
            event: "x".to_owned(),
            reason: "x".to_owned(),
            session: "x".to_owned(),
            ssid: "x".to_owned(),
            subject: "x".to_owned(),
        },
    }
}

fn session_events() -> [SessionEvent; 2] {
    [
        SessionEvent::Begin(SessionBegin::default()),
        SessionEvent::End(SessionEnd {
            transfers: vec![Transfer {
                sender: String::new(),
                name: String::new(),
                octets: 1,
                result: TransferResult::Refused,
                reason: Some(1),
            }],
            deviations: ShownDeviations { partner: Deviations::ALL, station: Deviations::ALL },
            ..SessionEnd::default()
        }),
    ]
}

/// The names of all members, at every depth; the limits are named as settings.
fn members(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(members).collect(),
        Value::Object(object) => object
            .iter()
            .flat_map(|(name, inner)| {
                let deeper = if name == "limits" { BTreeSet::new() } else { members(inner) };
                deeper.into_iter().chain([name.clone()])
            })
            .collect(),
        _ => BTreeSet::new(),
    }
}
