//! The files of `scripts/consumers` for programs that read the log: fail2ban finds each refusal in what real daemons
//! write, and bans strangers alone; the rules for Wazuh and Sigma name events and reasons that exist; logrotate moves
//! finished days and never the file of today.

use common::log::catalogue::CATALOGUE;
use common::process::end_reasons::Status;
use oftp2peer::ca::{Authority, Request};
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use t::loglines::Line;
use t::site::{Builder, PartnerEntry, Role};

const CONSUMERS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/consumers");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(CONSUMERS).join(path)).unwrap()
}

/// A folder of a test that is removed with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("os4x-consumers-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The lines of a log, as fail2ban sorts them with one of our filters.
#[derive(Debug, Default)]
struct Sorted {
    banned: BTreeSet<String>,
    ignored: BTreeSet<String>,
    missed: BTreeSet<String>,
}

/// Runs `fail2ban-regex` over `log`. `filter`: the file in `scripts/consumers/fail2ban`, and options of the filter.
fn sort(log: &Path, filter: &str) -> Sorted {
    let output = Command::new("fail2ban-regex")
        .args(["--print-all-matched", "--print-all-ignored", "--print-all-missed"])
        .arg(log)
        .arg(format!("{CONSUMERS}/fail2ban/{filter}"))
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let part = |title: &str| -> BTreeSet<String> {
        let (_, part) = text.split_once(&format!("|- {title} line(s):\n")).unwrap_or_default();
        let lines = part.lines().map_while(|line| line.strip_prefix("|  "));
        lines.map(|line| line.trim_end().to_owned()).collect()
    };
    assert!(text.contains("Lines: "), "{text} {}", String::from_utf8_lossy(&output.stderr));
    Sorted { banned: part("Matched"), ignored: part("Ignored"), missed: part("Missed") }
}

/// Lines of a log file, each with its own time; `what` stands behind the process.
fn log_of<'a>(lines: impl IntoIterator<Item = &'a str>) -> String {
    let line = |(at, what): (usize, &str)| {
        let (minute, second) = (at / 60, at % 60);
        format!("20261122 09:{minute:02}:{second:02}.167 WARN     os4x_proxyserver[4711] {what}\n")
    };
    let lines: Vec<String> = lines.into_iter().enumerate().map(line).collect();
    lines.concat()
}

#[test]
fn fail2ban_finds_each_refusal_in_what_the_daemons_write_and_bans_strangers_alone() {
    let builder = Builder::new("fail2ban").file(
        Role::Server,
        "os4x_proxyserver.logrc",
        &read("fail2ban/os4x_proxyserver.logrc").replace("priority=\"info\"", "priority=\"debug\""),
    );
    let off = PartnerEntry::new("off", "O0013OFF").option("--enabled", "no");
    let mut site = builder.partners([PartnerEntry::new("acme", "O0013ACME"), off]).start().unwrap();
    let refused = |site: &mut t::site::Site, what: &dyn Fn(&t::site::Site)| {
        let mark = site.mark(Role::Server);
        what(site);
        let line = site.wait_log_after(Role::Server, mark, "session_refused");
        Line::read(&line).unwrap().field("address").unwrap()
    };
    let foreign =
        Authority::new("Foreign CA").unwrap().issue(&Request::new("acme").ssid("O0013ACME")).unwrap();
    let strangers = [
        refused(&mut site, &|site| drop(site.partner_with("O0013ACME", Some(&foreign)).unwrap().call())),
        refused(&mut site, &|site| drop(site.partner_with("O0013ACME", None).unwrap().call())),
        refused(&mut site, &|site| drop(site.partner("O0013STRANGER").unwrap().call())),
        refused(&mut site, &|site| {
            let mut peer = TcpStream::connect(site.tls).unwrap();
            peer.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        }),
    ];
    let known = [
        refused(&mut site, &|site| drop(site.partner("O0013OFF").unwrap().call())),
        refused(&mut site, &|site| {
            let request = Request::new("acme").ssid("O0013ACME").valid(-30, -2);
            let expired = site.authority.issue(&request).unwrap();
            drop(site.partner_with("O0013ACME", Some(&expired)).unwrap().call());
        }),
    ];
    let mark = site.mark(Role::Server);
    let check = TcpStream::connect(site.tls).unwrap();
    let probe = check.local_addr().unwrap().to_string();
    drop(check);
    site.wait_log_after(Role::Server, mark, &format!("probe address={probe}"));
    site.assert_works();

    let watched = site.folder(Role::Server).join("os4x_watch.0");
    let text = fs::read_to_string(&watched).unwrap();
    let refusals: BTreeSet<String> =
        text.lines().filter(|line| line.contains("] session_refused ")).map(str::to_owned).collect();
    assert_eq!(refusals.len(), strangers.len() + known.len(), "{text}");
    assert!(text.contains(&format!("probe address={probe}")), "{text}");
    let sorted = sort(&watched, "filter-os4x-smartproxy.conf");
    let of = |addresses: &[String]| -> BTreeSet<String> {
        let is_of = |line: &&String| addresses.iter().any(|peer| line.contains(&format!(" address={peer} ")));
        refusals.iter().filter(is_of).cloned().collect()
    };
    assert_eq!(sorted.banned, of(&strangers));
    let spared: BTreeSet<String> = sorted.ignored.union(&sorted.missed).cloned().collect();
    assert!(of(&known).is_subset(&spared), "{spared:?}");
    assert!(spared.iter().any(|line| line.contains(&format!("] probe address={probe}"))), "{spared:?}");
    site.end();
}

#[test]
fn the_filter_of_fail2ban_knows_each_reason() {
    let folder = Folder::new("reasons");
    let lines: Vec<String> = Status::ALL
        .iter()
        .map(|status| {
            format!("session_refused direction=incoming reason={status} address=192.0.2.9:1 detail=x")
        })
        .collect();
    let log = folder.file("log", &log_of(lines.iter().map(String::as_str)));
    let sorted = sort(&log, "filter-os4x-smartproxy.conf");
    assert_eq!(sorted.banned.len() + sorted.missed.len(), Status::ALL.len());
    let bans = |status: Status| sorted.banned.iter().any(|line| line.contains(&format!(" reason={status} ")));
    for status in
        [Status::UnknownCa, Status::NoCertificate, Status::Protocol, Status::UnknownPartner, Status::Penalty]
    {
        assert!(bans(status), "{status}");
    }
    for status in [
        Status::Expired,
        Status::CrlMissing,
        Status::Licence,
        Status::Capacity,
        Status::StationDown,
        Status::ClientDown,
        Status::Disabled,
        Status::ProxyHeader,
        Status::Probe,
        Status::Internal,
    ] {
        assert!(!bans(status), "{status}");
    }
}

#[test]
fn nobody_escapes_fail2ban_or_has_others_banned_by_what_a_peer_can_write() {
    let folder = Folder::new("forged");
    let refused = "session_refused direction=incoming reason=unknown-ca address=192.0.2.9:1";
    let table = [
        (format!(r#"{refused} subject="x partner=acme" detail=x"#), true),
        (format!(r#"{refused} subject="x \" partner=acme" detail=x"#), true),
        (format!(r#"{refused} subject="x" partner=acme detail=x"#), false),
        (
            "session_refused direction=incoming reason=no-ssid address=[2001:db8::9]:7 detail=x".to_owned(),
            true,
        ),
        (
            "session_refused direction=outgoing reason=unknown-ca address=192.0.2.9:1 detail=x".to_owned(),
            false,
        ),
        (format!(r#"violation side=partner esid=02 offset=0 found="{refused} " expected=x rule=x"#), false),
        (format!(r#"file_refused side=partner name="] {refused} x" kib=1 sfna=99 detail=x"#), false),
        (format!("{refused}9"), false),
    ];
    let log = folder.file("log", &log_of(table.iter().map(|(line, _)| line.as_str())));
    let sorted = sort(&log, "filter-os4x-smartproxy.conf");
    for (line, bans) in &table {
        let is_banned = sorted.banned.iter().any(|banned| banned.ends_with(&format!("] {line}")));
        assert_eq!(is_banned, *bans, "{line}: {sorted:?}");
    }
    let inner = log_of([
        "client_refused address=192.0.2.9:1 reason=x",
        "pair_refused address=[::1]:2 reason=x",
        refused,
    ]);
    let log = folder.file("log", &inner);
    assert_eq!(sort(&log, "filter-os4x-smartproxy.conf[mode=internal]").banned.len(), 2);
}

#[test]
fn fail2ban_takes_the_jails_and_finds_failed_logins_of_the_backend() {
    let folder = Folder::new("jails");
    let log = folder.file(
        "log",
        &log_of([
            "panel_login_failed address=192.0.2.9 user=\"x address=192.0.2.1 \" by=login",
            "call_refused address=2001:db8::9 code=AUTH",
            "panel_login address=192.0.2.9 user=x",
        ])
        .replace("os4x_proxyserver", "os4xapi"),
    );
    let sorted = sort(&log, "filter-os4xapi.conf");
    assert_eq!((sorted.banned.len(), sorted.missed.len()), (2, 1), "{sorted:?}");

    let etc = folder.0.join("etc");
    assert!(Command::new("cp").arg("-r").arg("/etc/fail2ban").arg(&etc).status().unwrap().success());
    for name in ["os4x-smartproxy", "os4xapi"] {
        fs::write(etc.join(format!("filter.d/{name}.conf")), read(&format!("fail2ban/filter-{name}.conf")))
            .unwrap();
    }
    let jails = read("fail2ban/jail-os4x.conf");
    let jails = jails
        .replace("enabled = false", "enabled = true")
        .replace("/opt/os4x/proxy/os4x_watch.0", "/dev/null");
    let jails = jails.replace("/opt/os4x/api/os4xapi.log", "/dev/null");
    fs::write(etc.join("jail.d/os4x.conf"), jails).unwrap();
    let output = Command::new("fail2ban-client").arg("-c").arg(&etc).arg("-d").output().unwrap();
    let dump = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    for jail in ["os4x-smartproxy", "os4xapi"] {
        assert!(dump.contains(&format!("['set', '{jail}', 'maxretry', 5]")), "{dump}");
        assert!(dump.contains(&format!("['start', '{jail}']")), "{dump}");
    }
}

/// Whether this is the name of an event, or the word of a reason.
fn is_known(key: &str, value: &str) -> bool {
    match key {
        "event.action" => CATALOGUE.iter().any(|row| row.name == value),
        "event.reason" => Status::from_word(value).is_some(),
        "event.module" => value == "os4x",
        _ => panic!("the test does not know {key}"),
    }
}

#[test]
fn the_rules_for_wazuh_name_events_and_reasons_that_exist() {
    let text = read("wazuh/os4x_rules.xml");
    let document = roxmltree::Document::parse(&text).unwrap();
    let rules: Vec<_> = document.descendants().filter(|node| node.has_tag_name("rule")).collect();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.attribute("id").unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "an ID is there twice");
    // Wazuh leaves these numbers to its users.
    assert!(ids.iter().all(|id| (100_000..=120_000).contains(&id.parse::<u32>().unwrap())), "{ids:?}");
    let child = |rule: &roxmltree::Node<'_, '_>, tag: &str| {
        rule.children().find(|node| node.has_tag_name(tag)).and_then(|node| node.text()).map(str::to_owned)
    };
    for rule in &rules {
        assert!(rule.attribute("level").unwrap().parse::<u8>().unwrap() <= 15);
        assert!(child(rule, "description").is_some());
        for parent in ["if_sid", "if_matched_sid"].into_iter().filter_map(|tag| child(rule, tag)) {
            assert!(ids.contains(parent.as_str()), "{parent}");
        }
    }
    let fields: Vec<_> = document.descendants().filter(|node| node.has_tag_name("field")).collect();
    assert!(fields.len() > rules.len() - 2);
    for field in fields {
        for value in field.text().unwrap().split('|') {
            let value = value.strip_prefix('^').and_then(|value| value.strip_suffix('$')).unwrap();
            assert!(is_known(field.attribute("name").unwrap(), value), "{value}");
        }
    }
}

#[test]
fn the_rules_of_sigma_are_whole_and_name_events_and_reasons_that_exist() {
    let as_json = "import json,sys,yaml; print(json.dumps(yaml.safe_load(sys.stdin), default=str))";
    let mut ids = BTreeSet::new();
    for entry in fs::read_dir(format!("{CONSUMERS}/sigma")).unwrap() {
        let path = entry.unwrap().path();
        let file = fs::File::open(&path).unwrap();
        let output = Command::new("python3").args(["-c", as_json]).stdin(file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let rule: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let path = path.display();
        for key in
            ["title", "id", "status", "description", "author", "date", "tags", "falsepositives", "level"]
        {
            assert!(!rule[key].is_null(), "{path}: {key}");
        }
        assert!(ids.insert(rule["id"].as_str().unwrap().to_owned()), "{path}: its ID is another rule's");
        assert!(["low", "medium", "high", "critical"].contains(&rule["level"].as_str().unwrap()), "{path}");
        assert_eq!(rule["logsource"]["product"], "os4x", "{path}");
        assert_eq!(rule["detection"]["condition"], "selection", "{path}");
        let selection = rule["detection"]["selection"].as_object().unwrap();
        assert!(selection.contains_key("event.action"), "{path}");
        for (key, values) in selection {
            let values = values.as_array().cloned().unwrap_or_else(|| vec![values.clone()]);
            for value in values {
                assert!(is_known(key, value.as_str().unwrap()), "{path}: {value}");
            }
        }
    }
    assert_eq!(ids.len(), 5);
}

/// The names of metrics in a text.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("os4x_")).map(str::to_owned).collect()
}

#[test]
fn prometheus_takes_the_alerts_and_alerts_and_board_use_metrics_that_exist() {
    let page = fs::read_to_string(format!("{CONSUMERS}/../../man/os4xapi.8")).unwrap();
    let listed = page.lines().filter_map(|line| line.strip_prefix(".It Li os4x_"));
    let known: BTreeSet<String> =
        listed.map(|item| format!("os4x_{}", item.split(' ').next().unwrap())).collect();
    assert!(known.len() > 15, "{known:?}");
    let rules = read("prometheus/os4x-alerts.yml");
    let checked = Command::new("promtool")
        .args(["check", "rules", &format!("{CONSUMERS}/prometheus/os4x-alerts.yml")])
        .output()
        .unwrap();
    assert!(checked.status.success(), "{checked:?}");
    let expressions: String = rules.lines().filter(|line| line.trim_start().starts_with("expr:")).collect();
    let board: serde_json::Value = serde_json::from_str(&read("prometheus/os4x-board.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    assert!(panels.len() > 8);
    let mut shown = expressions;
    for panel in panels {
        shown += panel["targets"][0]["expr"].as_str().unwrap();
        shown.push(' ');
    }
    let used = metrics(&shown);
    assert!(used.is_subset(&known), "{:?}", used.difference(&known));
    // An alert that fires, and what it says.
    let folder = Folder::new("alerts");
    folder.file("rules.yml", &rules);
    let test = folder.file("test.yml", ALERT_TEST);
    let tested = Command::new("promtool").args(["test", "rules"]).arg(test).output().unwrap();
    assert!(tested.status.success(), "{tested:?}");
}

/// Scrapes of a site on which a server has lost its client, as promtool(1) reads them.
const ALERT_TEST: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
tests:
  - interval: 1m
    input_series:
      - { series: 'os4x_build_info{version="0.1.0"}', values: '1x20' }
      - { series: 'os4x_server_joined{server="dmz"}', values: '0x20' }
      - { series: 'os4x_config_generation', values: '7x20' }
      - { series: 'os4x_config_in_force{daemon="server",name="dmz"}', values: '6x20' }
      - { series: 'os4x_sessions_running{server="dmz",direction="incoming"}', values: '10x20' }
      - { series: 'os4x_limit{name="proxy_sessions"}', values: '11x20' }
    alert_rule_test:
      - eval_time: 16m
        alertname: Os4xServerNotJoined
        exp_alerts:
          - exp_labels: { severity: critical, server: dmz }
            exp_annotations:
              summary: No client has joined the server dmz
              description: Partners cannot be served. Look into the logs of os4x_proxyclient2 and os4x_proxyserver2.
      - eval_time: 16m
        alertname: Os4xNoMetrics
        exp_alerts: []
      - eval_time: 16m
        alertname: Os4xSessionsNearLimit
        exp_alerts:
          - exp_labels: { severity: warning, server: dmz }
            exp_annotations:
              summary: Server dmz has 90 % of the sessions that proxy_sessions allows
      - eval_time: 16m
        alertname: Os4xConfigurationNotInForce
        exp_alerts:
          - exp_labels: { severity: warning, daemon: server, name: dmz }
            exp_annotations:
              summary: The server dmz has an older configuration than the backend
              description: Its log has config_refused with the reason, if it was refused.
"#;

#[test]
fn logrotate_moves_finished_days_and_never_the_file_of_today() {
    let folder = Folder::new("logrotate");
    let logs = folder.0.join("proxy");
    fs::create_dir(&logs).unwrap();
    let rule = read("logrotate/os4x-smartproxy");
    let here = |text: &str| text.replace("/opt/os4x/proxy", &logs.to_string_lossy());
    // The test has no user os4x.
    let rule = folder.file("rule", &here(&rule).replace("    su os4x os4x\n", ""));
    let day = std::time::Duration::from_hours(24);
    let now = std::time::SystemTime::now();
    for (name, days) in [
        ("os4x_proxyserver.log.20261122", 0),
        ("os4x_proxyserver.log.20261120", 2),
        ("os4x_proxyclient.log.20261120", 2),
        ("os4x_proxyclient.log.20260101.1.gz", 91),
        ("os4x_proxyclient.log.20260102.1.gz", 89),
        ("os4x_proxyserver.pid", 100),
    ] {
        let file = fs::File::create(logs.join(name)).unwrap();
        (&file).write_all(b"a line\n").unwrap();
        file.set_modified(now - days * day).unwrap();
    }
    let run = |option: &[&str]| {
        let mut command = Command::new("/usr/sbin/logrotate");
        command.args(option).arg("-s").arg(folder.0.join("state")).arg(&rule);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = run(&["-d"]);
    assert!(!said.contains("error:") && said.contains("os4x_proxyserver.log.20261120"), "{said}");
    // It moves nothing that it sees for the first time, so its notes are made older.
    run(&[]);
    let state = folder.0.join("state");
    let notes = fs::read_to_string(&state).unwrap();
    let aged = notes.lines().map(|line| match line.rsplit_once(' ') {
        Some((name, _)) if name.starts_with('"') => format!("{name} 2026-1-1-0:0:0\n"),
        _ => format!("{line}\n"),
    });
    fs::write(&state, aged.collect::<String>()).unwrap();
    run(&[]);
    let names = fs::read_dir(&logs).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = names.collect();
    left.sort();
    assert_eq!(
        left,
        [
            "os4x_proxyclient.log.20260102.1.gz",
            "os4x_proxyclient.log.20261120.1.gz",
            "os4x_proxyserver.log.20261120.1.gz",
            "os4x_proxyserver.log.20261122",
            "os4x_proxyserver.pid",
        ]
    );
}
