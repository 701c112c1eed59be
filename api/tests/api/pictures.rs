//! The pictures of the README: pages of a site as it may be in production, seen in a real browser. They are made anew
//! with `cargo nextest run -p os4xapi --run-ignored only -E 'test(pictures)'`.

use crate::chromium::Chromium;
use crate::https::Client;
use crate::panel::Panel;
use crate::panel_pages::log_in;
use crate::pki::{self, Identity};
use common::text::clock::{self, DAY};
use serde_json::{Value, json};

/// The folder of the pictures.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../man/pictures");
/// Largest picture, octets: everybody who clones the project gets it.
const LARGEST: usize = 150_000;
/// How the client tells itself from others of its address.
const NAME: &str = "inside1:/opt/os4x/proxy";
/// Short name, SSIDCODE, host, and the days for which the certificate is valid.
const PARTNERS: [(&str, &str, &str, i64); 5] = [
    ("acme-parts", "O0013000482ACME", "oftp.acme-parts.example", 512),
    ("bolt-union", "O0942001177BOLT", "edi.bolt-union.example", 21),
    ("meyer-stahl", "O0013003340MEYER", "oftp2.meyer-stahl.example", 340),
    ("nordwerk", "O0013007726NORD", "gateway.nordwerk.example", 690),
    ("seats-int", "O0177002005SEATS", "oftp.seats.example", 410),
];
/// For each session: its partner, direction, minutes since it has begun, files, MiB, and the reason of its end.
const SESSIONS: [(usize, &str, i64, u32, u64, &str); 12] = [
    (3, "incoming", 171, 2, 18, "normal"),
    (0, "outgoing", 160, 1, 3, "normal"),
    (2, "incoming", 143, 5, 212, "normal"),
    (1, "incoming", 122, 1, 1, "normal"),
    (4, "outgoing", 97, 3, 640, "normal"),
    (0, "incoming", 84, 1, 7, "normal"),
    (3, "outgoing", 66, 0, 0, "partner-down"),
    (3, "outgoing", 61, 2, 95, "normal"),
    (2, "incoming", 44, 4, 131, "normal"),
    (1, "outgoing", 30, 1, 2, "normal"),
    (4, "incoming", 12, 7, 1_280, ""),
    (0, "incoming", 2, 1, 44, ""),
];

fn add_partners(panel: &Panel) {
    let site = &panel.site;
    let ca = Identity::lasting("Example Trust CA", None, 2_400);
    let own = Identity::lasting("smartproxy.example.com", Some(&ca), 420);
    let (chain, key) = (site.dir.write("we.pem", &own.pem()), site.dir.write("we.key", &own.key_pem()));
    site.ok(&["cert", "set", "--chain", &chain, "--key", &key]);
    site.ok(&["config", "set", "proxy_station_host", "station.example.com"]);
    for (name, ssid, host, days) in PARTNERS {
        let pin = site.dir.write(&format!("{name}.pem"), &Identity::lasting(host, Some(&ca), days).pem());
        site.ok(&["partner", "add", name, "--ssid", ssid, "--host", host, "--pin", &pin]);
    }
}

/// The state of a daemon; the words that differ are given.
fn state(host: &str, generation: &Value, (purpose, address): (&str, &str)) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"), "build": "20261128", "pid": 1_204, "host": host,
        "started": clock::now() - 12 * DAY, "time": clock::now(), "generation": generation,
        "listeners": [{"purpose": purpose, "address": address}],
        "incoming": {"used": 2, "limit": 200}, "outgoing": {"used": 0, "limit": 100},
        "unverified": {"used": 0, "limit": 100}, "parked": {"used": 4, "limit": 4},
        "licence_ends": clock::now() + 290 * DAY,
    })
}

/// The identifier of a session; the list has the lowest first among those that were reported together.
fn id_of(number: usize) -> String {
    format!("{:012x}", 0x5e55_f000 - number * 4_919)
}

fn tell_sessions(client: &Client) {
    let events = SESSIONS.iter().enumerate().flat_map(|(number, &(partner, direction, minutes, files, mib, reason))| {
        let (name, ssid, host, _) = PARTNERS[partner];
        let (id, began) = (id_of(number), clock::now() - minutes * 60);
        let octets = mib * 1_048_576 + 20_480;
        let (inward, outward) = if direction == "incoming" { (octets, 9_120) } else { (8_740, octets) };
        let opening = json!({"event": "begin", "session": id, "direction": direction, "pid": 4_000 + number,
            "time": began, "address": format!("203.0.113.{}:{}", 20 + partner, 50_000 + number), "partner": name,
            "ssid": ssid, "subject": format!("CN={host}"), "tls": "TLSv1.3 TLS_AES_256_GCM_SHA384"});
        let closing = json!({"event": "end", "session": id, "time": began + 40 + i64::from(files) * 11,
            "octets_in": inward, "octets_out": outward, "files": files, "receipts": files, "reason": reason});
        if reason.is_empty() { vec![opening] } else { vec![opening, closing] }
    });
    client
        .ok(&json!({"function": "proxy_session", "client_name": NAME, "events": events.collect::<Vec<_>>()}));
}

fn tell_everything(panel: &Panel, client: &Client) {
    let id = pki::proxy_id();
    panel.site.ok(&["licence", "issue", &id, "--holder", "dmz1", "-o", "/dev/null"]);
    tell_sessions(client);
    let generation = panel.site.json(&["status"])["generation"].clone();
    let mut server = state("dmz1", &generation, ("partners", "192.0.2.10:6619"));
    server["sessions"] = json!([
        {"session": id_of(10), "octets_in": 918_431_002_u64, "octets_out": 7_604},
        {"session": id_of(11), "octets_in": 30_771_104, "octets_out": 2_112},
    ]);
    client.ok(&json!({"function": "proxy_state", "client_name": NAME,
        "client": state("inside1", &generation, ("outgoing", "10.1.0.1:65433")),
        "server": {"proxy_id": id, "address": "192.0.2.10:2878", "age": 2,
            "state": server}}));
    let minute = clock::now() / 60 * 60;
    let refused = |reason: &str, ssid: &str, address: &str, count: u32| {
        json!({"minute": minute, "direction": "incoming", "reason": reason, "address": address, "ssid": ssid,
            "count": count})
    };
    client.ok(&json!({"function": "proxy_refusals", "client_name": NAME, "proxy_id": id, "refusals": [
        refused("unknown-partner", "O0013009911NEUE", "198.51.100.44", 6),
        refused("tls", "", "198.51.100.201", 2)]}));
}

#[test]
#[ignore = "it writes into the tree"]
fn the_pictures_of_the_readme_are_made() {
    let panel = Panel::new();
    add_partners(&panel);
    panel.site.ok(&["backup", "--done"]);
    let client = panel.site.client(&panel.serve);
    tell_everything(&panel, &client);
    let chromium = Chromium::new(&panel.site, panel.serve.panel_port, true);
    log_in(&chromium, &panel, "anna.berg", false);
    chromium.resize(1440, 900);
    std::fs::create_dir_all(FOLDER).unwrap();
    for (name, path, theme, language) in [
        ("overview", "/", "light", "en"),
        ("sessions", "/sessions", "dark", "en"),
        ("overview-de", "/", "dark", "de"),
        ("sessions-de", "/sessions", "light", "de"),
    ] {
        chromium.open("/account");
        chromium.click(&format!("#theme option[value={theme}]"));
        chromium.click(&format!("#language option[value={language}]"));
        chromium.click("form[action='/account/preferences'] button");
        chromium.await_path("/account?done=saved");
        // The notice about earlier logins is for the first two minutes only.
        panel.site.sql("UPDATE os4x_panel_sessions SET created = created - 200");
        chromium.open(path);
        let picture = openssl::base64::decode_block(&chromium.picture()).unwrap();
        // The German ones are for whoever wants to look at them.
        let folder = match std::env::var("OS4X_PICTURES") {
            Ok(other) if name.ends_with("-de") => other,
            _ if name.ends_with("-de") => continue,
            _ => FOLDER.to_owned(),
        };
        assert!(picture.len() < LARGEST, "{name}: {} octets", picture.len());
        std::fs::write(format!("{folder}/{name}.png"), picture).unwrap();
    }
}
