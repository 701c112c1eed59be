//! The pages of the panel: their contents, who sees them, their formats, and how they look in a real browser, with
//! JavaScript and without. `OS4X_PICTURES` names a directory for a picture of each page.

use crate::browser::{Browser, code_of};
use crate::chromium::Chromium;
use crate::panel::{PASSWORD, Panel, check_headers, set_up};
use crate::pki::{self, Identity};
use crate::postgres::Cluster;
use crate::site::await_that;
use crate::states::daemons_tell;
use crate::users::added;
use serde_json::{Value, json};

/// Each page of the menu.
const PAGES: [&str; 21] = [
    "/",
    "/sessions",
    "/refused",
    "/log",
    "/expiry",
    "/partners",
    "/certificates",
    "/trust",
    "/crls",
    "/configuration/tcp-ip",
    "/configuration/ssl-tls",
    "/configuration/proxy",
    "/configuration/logging",
    "/configuration/events",
    "/account",
    "/audit",
    "/users",
    "/keys",
    "/transfer",
    "/assistant",
    "/about",
];
/// Those that not every role sees.
const OF_SOME: [&str; 5] = ["/audit", "/users", "/keys", "/transfer", "/assistant"];
/// Pages that are below one of these.
const BELOW: [&str; 7] = [
    "/sessions/ended-1",
    "/sessions/running-2",
    "/audit/1",
    "/traffic",
    "/partners/ACME",
    "/partner-add",
    "/components",
];
/// Those with a list.
const LISTS: [&str; 7] = ["/traffic", "/sessions", "/refused", "/log", "/expiry", "/partners", "/audit"];

/// A site with data for each page.
fn busy() -> Panel {
    let panel = Panel::new();
    keep_busy(&panel);
    panel
}

pub(crate) fn keep_busy(panel: &Panel) {
    let site = &panel.site;
    let id = pki::proxy_id();
    let pin = site.dir.write("pin.pem", &Identity::ca("Partner").pem());
    site.ok(&["proxy", "add", &id, "--name", "dmz"]);
    site.ok(&["partner", "add", "ACME", "--ssid", "O0013ACME", "--host", "acme.example", "--pin", &pin]);
    site.ok(&["partner", "add", "BETA", "--ssid", "O0013BETA", "--enabled", "no"]);
    let client = site.client(&panel.serve);
    daemons_tell(site, &client, &id);
    site.ok(&["proxy", "add", &pki::proxy_id(), "--name", "spare"]);
    let began = pki::now() - 90;
    client.ok(&json!({"function": "proxy_session", "events": [
        {"event": "begin", "session": "ended-1", "direction": "outgoing", "pid": 9, "time": began, "address":
            "198.51.100.7:6619", "partner": "BETA", "ssid": "O0013BETA", "subject": "CN=<b>beta</b>", "tls": "TLSv1.3"},
        {"event": "end", "session": "ended-1", "time": began + 60, "octets_in": 1_234_567, "octets_out": 20, "files": 1,
            "files_refused": 1, "reason": "partner-broke", "detail": "it broke off",
            "transfers": [{"sender": "station", "name": "ORDER", "octets": 7, "result": "broken"}]},
        {"event": "begin", "session": "running-2", "direction": "incoming", "pid": 10, "time": began,
            "address": "192.0.2.9:5001", "partner": "ACME", "ssid": "O0013ACME", "subject": "CN=acme"},
    ]}));
    client.ok(&json!({"function": "proxy_system_log", "level": "ERROR", "text": "a partner was refused",
        "detail": "event=x \"quoted\" <script>alert(1)</script>", "origin": "server", "host": "dmz-1", "pid": 4711,
        "time": began, "address": "192.0.2.9", "partner": "ACME"}));
}

/// Somebody else, with this role.
pub(crate) fn with_role(panel: &Panel, role: &str) -> Browser {
    let link = added(&panel.site, role, role);
    let mut browser = panel.browser();
    let key = set_up(&mut browser, &link).key;
    assert_eq!(browser.log_in(role, PASSWORD, &code_of(&key, 1)).status, 303);
    browser
}

#[test]
fn each_page_tells_what_the_commands_tell() {
    let panel = busy();
    let mut browser = panel.signed_in(0);
    for (path, parts) in [
        (
            "/",
            &[
                "Problems and remedies",
                "The server spare is listed, but no client has reported it.",
                "dmz",
                "unknown-partner",
                "os4xapi partner add",
            ][..],
        ),
        ("/sessions", &["ACME", ">Outgoing<", "partner-broke", "1,234,567", "1 (1 refused)"]),
        (
            "/sessions/running-2",
            &["kill -21 10  # DEBUG for this session, on dmz-1", "action=\"/partners/ACME/debug\""],
        ),
        ("/sessions/ended-1", &["ORDER", "it broke off", "CN=&#60;b&#62;beta&#60;/b&#62;", "grep ended-1"]),
        ("/refused", &["198.51.100.1", "unknown-partner"]),
        ("/log", &["a partner was refused", "&#60;script&#62;alert(1)&#60;/script&#62;"]),
        ("/expiry", &["pin", "ACME: ", "<svg class=\"timeline\""]),
        ("/partners", &["O0013ACME", "acme.example:6619", "disabled"]),
        ("/audit", &["partner add", "partner ACME", "panel set-up"]),
        ("/audit/1", &["+ cert ca", "init"]),
    ] {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        check_headers(&page);
        for part in parts {
            assert!(page.body.contains(part), "{path}: {part}: {}", page.body);
        }
        assert!(!page.body.contains("BEGIN") && !page.body.contains("argon2"), "{path}");
    }
    for path in ["/sessions/none", "/audit/99999", "/audit/x", "/nothing"] {
        assert_eq!(browser.get(path).status, 404, "{path}");
    }
}

#[test]
fn the_overview_draws_what_runs_now_and_the_sessions_of_each_hour() {
    let panel = busy();
    let mut browser = panel.signed_in(0);
    let page = browser.get("/").body;
    // The server reports 2 of 200 incoming sessions.
    assert!(page.contains("max=\"200\" optimum=\"0\" high=\"160\" value=\"2\""), "{page}");
    for part in ["Sessions per hour", "Octets per hour", ", Incoming: ", ", Refusals: "] {
        assert!(page.contains(part), "{part}: {page}");
    }
    check_headers(&browser.get("/traffic"));
    let hours: Value = serde_json::from_str(&browser.get("/traffic.json").body).unwrap();
    let hours = hours.as_array().unwrap();
    let sum = |member: &str| hours.iter().map(|hour| hour[member].as_i64().unwrap()).sum::<i64>();
    assert_eq!(hours.len(), 24);
    let sums = ["incoming", "outgoing", "refused", "octets_in", "octets_out"].map(sum);
    assert_eq!(sums, [2, 1, 309, 1_244_567, 40]);
    let table = browser.get("/traffic.csv").body;
    assert_eq!(table.split_terminator("\r\n").count(), 25, "{table}");
    let page = browser.get("/partners/BETA").body;
    assert!(page.contains("Sessions per day") && page.contains("Outgoing: 1</title>"), "{page}");
}

#[test]
fn a_german_page_says_in_german_what_is_wrong_and_files_and_commands_stay_english() {
    let panel = busy();
    let mut browser = panel.signed_in(0);
    "Accept-Language: de\r\n".clone_into(&mut browser.headers);
    let pin = panel.site.dir.write("other.pem", &Identity::ca("Other").pem());
    panel.site.ok(&["trust", "add", &pin]);
    for (path, parts) in [
        (
            "/",
            &[
                "Der Server spare ist eingetragen, aber kein Client hat ihn gemeldet.",
                "Starten Sie dort os4x_proxyserver2",
                "Der SSIDCODE steht nicht in der Partnertabelle.",
            ][..],
        ),
        ("/sessions", &["Ausgehend"]),
        ("/configuration/proxy", &["Standardwert: ja."]),
        ("/refused", &["Der SSIDCODE steht nicht in der Partnertabelle."]),
        ("/sessions/ended-1", &["Der Partner hat die Verbindung abgebrochen."]),
        ("/expiry", &["hinterlegtes Zertifikat", "Laden Sie das neue Zertifikat der CA hoch."]),
    ] {
        let page = browser.get(path);
        for part in parts {
            assert!(page.body.contains(part), "{path}: {part}: {}", page.body);
        }
    }
    let refused = browser.post_signed("/partners/BETA/test", &[]);
    assert!(
        refused.status == 409 && refused.body.contains("Der Partner BETA ist deaktiviert"),
        "{refused:?}"
    );
    let refused = browser.upload("/trust", &[], ("page.pem", "<html>"));
    assert!(refused.body.contains("Sie enthält eine HTML- oder XML-Seite."), "{refused:?}");
    let ends: Value = serde_json::from_str(&browser.get("/expiry.json").body).unwrap();
    assert!(ends.as_array().unwrap().iter().any(|end| end["what"] == "trusted certificate"), "{ends}");
    assert!(panel.site.ok(&["status"]).contains("the server spare is listed, but no client has reported it"));
    let said = panel.site.run(&["partner", "test", "BETA"]);
    assert!(said.err.contains("Partner BETA is disabled, so nobody may call it"), "{said:?}");
}

#[test]
fn a_list_is_a_file_as_well_and_is_narrowed_by_its_address() {
    let panel = busy();
    let mut browser = panel.signed_in(0);
    for path in LISTS {
        let rows: Value = serde_json::from_str(&browser.get(&format!("{path}.json")).body).unwrap();
        let table = browser.get(&format!("{path}.csv"));
        assert!(table.header("content-type").unwrap().starts_with("text/csv"), "{path}");
        assert!(table.header("content-disposition").unwrap().contains(".csv\""), "{path}");
        let count = table.body.split_terminator("\r\n").count();
        assert!(count > 1 && rows.as_array().unwrap().len() == count - 1, "{path}: {}", table.body);
        check_headers(&table);
    }
    let count = |browser: &mut Browser, query: &str| {
        let body = browser.get(query).body;
        serde_json::from_str::<Value>(&body)
            .unwrap_or_else(|_| panic!("{query}: {body}"))
            .as_array()
            .unwrap()
            .len()
    };
    for (query, expected) in [
        ("/sessions.json?state=running", 1),
        ("/sessions.json?state=ended&partner=BETA", 1),
        ("/sessions.json?file=order", 1),
        ("/sessions.json?since=2100-01-01", 0),
        ("/log.json?text=was%20refused&level=ERROR", 1),
        ("/log.json?partner=NOBODY", 0),
        ("/refused.json?reason=unknown-partner&hours=1", 1),
        ("/partners.json?text=beta", 1),
        ("/audit.json?act=partner%20add", 2),
    ] {
        assert_eq!(count(&mut browser, query), expected, "{query}");
    }
    // The next page begins after the last row of this one.
    panel.site.sql(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120) INSERT INTO os4x_sessions \
         (session, client, received, partner, orphaned) SELECT 'many-' || i, 'c', 1000 + i / 7, 'MANY', 0 FROM n",
    );
    let (mut path, mut seen) = ("/sessions?partner=MANY".to_owned(), Vec::new());
    loop {
        let page = browser.get(&path).body;
        let links =
            page.split("<a href=\"/sessions/").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        seen.extend(links);
        let Some((_, rest)) = page.rsplit_once("<a href=\"/sessions?partner=MANY&#38;behind=") else { break };
        path = format!("/sessions?partner=MANY&behind={}", rest.split('"').next().unwrap());
    }
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!((seen.len(), distinct.len()), (120, 120));
}

#[test]
fn each_page_is_there_on_postgresql() {
    let cluster = Cluster::start();
    let site = cluster.site();
    site.ok(&["init"]);
    let panel = Panel::of(site);
    keep_busy(&panel);
    let mut browser = panel.signed_in(0);
    for path in PAGES.into_iter().chain([
        "/sessions/ended-1",
        "/audit/1",
        "/sessions?state=running&partner=ACME&direction=incoming&reason=normal&address=1&file=a&since=2026-01-01",
        "/sessions?until=2100-01-01&behind=99999999999.x",
        "/log?level=ERROR&origin=server&partner=ACME&text=was&since=2026-01-01&until=2100-01-01&behind=99999",
        "/audit?actor=a&act=b&object=c&since=2026-01-01&behind=99999",
    ]) {
        let page = browser.get(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
    }
    let ended: Value =
        serde_json::from_str(&browser.get("/sessions.json?state=ended&file=order").body).unwrap();
    assert_eq!((ended.as_array().unwrap().len(), &ended[0]["session"]), (1, &json!("ended-1")));
    assert_eq!(browser.post_signed("/account/preferences", &[("theme", "dark")]).status, 303);
    assert_eq!(browser.log_in("anna", "wrong", "1").status, 401);
    assert_eq!(panel.site.json(&["user", "list"])[0]["failed_since"], 1);
}

#[test]
fn a_role_sees_its_pages_alone() {
    let panel = busy();
    for (role, status) in [("auditor", 200), ("operator", 403)] {
        let mut browser = with_role(&panel, role);
        let menu = browser.get("/").body;
        assert_eq!(menu.contains("href=\"/audit\""), status == 200, "{role}");
        for path in ["/audit", "/audit.csv", "/audit.json", "/audit/1", "/users", "/keys"] {
            assert_eq!(browser.get(path).status, status, "{role}: {path}");
        }
        for path in PAGES.into_iter().filter(|path| !OF_SOME.contains(path)) {
            assert_eq!(browser.get(path).status, 200, "{role}: {path}");
        }
    }
    // A change of the role is in force at once.
    let mut browser = with_role(&panel, "administrator");
    panel.site.ok(&["user", "set", "administrator", "--role", "operator"]);
    assert_eq!(browser.get("/audit").status, 403);
}

/// Keeps a picture of the page, if somebody wants to see it.
pub(crate) fn keep_picture(chromium: &Chromium, name: &str) {
    if let Some(directory) = std::env::var_os("OS4X_PICTURES") {
        let octets = openssl::base64::decode_block(&chromium.picture()).unwrap();
        std::fs::write(std::path::Path::new(&directory).join(format!("{name}.png")), octets).unwrap();
    }
}

fn file_name(path: &str) -> String {
    let name = path.trim_matches('/').replace('/', "-");
    if name.is_empty() { "overview".to_owned() } else { name }
}

/// Sets a user up and logs in, as a person does; its recovery codes.
pub(crate) fn log_in(chromium: &Chromium, panel: &Panel, name: &str, pictures: bool) -> Vec<String> {
    let link = added(&panel.site, name, "administrator");
    chromium.open(&format!("/setup/{link}"));
    let key = chromium.text("code.key").replace(' ', "");
    chromium.fill("#password", PASSWORD);
    chromium.fill("#again", PASSWORD);
    chromium.fill("#code", &code_of(&key, 0));
    if pictures {
        chromium.resize(1360, 1250);
        keep_picture(chromium, "setup");
    }
    chromium.click("button.main");
    let codes: Vec<String> = chromium.text("ol.codes").lines().map(str::to_owned).collect();
    assert!(codes.len() >= 10, "{codes:?}");
    if pictures {
        keep_picture(chromium, "codes");
    }
    chromium.click("a.button");
    chromium.await_path("/login");
    chromium.fill("#name", name);
    chromium.fill("#password", PASSWORD);
    chromium.fill("#code", &code_of(&key, 1));
    if pictures {
        keep_picture(chromium, "login");
    }
    chromium.click("button.main");
    chromium.await_path("/");
    codes
}

#[test]
fn a_browser_logs_in_and_walks_through_all_pages() {
    let panel = busy();
    for has_javascript in [true, false] {
        let chromium = Chromium::new(&panel.site, panel.serve.panel_port, has_javascript);
        let name = if has_javascript { "clara" } else { "dora" };
        log_in(&chromium, &panel, name, has_javascript);
        let language = if has_javascript { "en" } else { "de" };
        for theme in ["light", "dark"] {
            chromium.open("/account");
            chromium.click(&format!("#theme option[value={theme}]"));
            chromium.click(&format!("#language option[value={language}]"));
            chromium.click("form[action='/account/preferences'] button");
            chromium.await_path("/account?done=saved");
            if std::env::var_os("OS4X_PICTURES").is_some() {
                // Pictures show whole pages.
                chromium.resize(1360, 2600);
            }
            for path in PAGES.into_iter().chain(BELOW) {
                if PAGES.contains(&path) {
                    chromium.click(&format!("nav a[href='{path}']"));
                } else {
                    chromium.open(path);
                }
                chromium.await_path(path);
                let source = chromium.source();
                let start = format!("<html lang=\"{language}\" data-theme=\"{theme}\">");
                assert!(source.contains(&start), "{path}");
                assert!(!chromium.text("main h1").is_empty(), "{path}");
                if has_javascript {
                    assert_eq!(chromium.barriers(), Vec::<String>::new(), "{path} {theme}");
                }
                keep_picture(&chromium, &format!("{}-{language}-{theme}", file_name(path)));
            }
        }
        // The form of a list, and its tabs, are ordinary links and forms.
        chromium.open("/sessions");
        chromium.fill("#partner", "ACME");
        chromium.click("form.filter button");
        await_that("the list", || chromium.path().contains("partner=ACME"));
        assert!(!chromium.text("main table").contains("BETA"));
        assert_eq!(chromium.complaints(), Vec::<String>::new());
        let origin = format!("https://127.0.0.1:{}/", panel.serve.panel_port);
        let asked = chromium.asked();
        let foreign: Vec<&String> = asked.iter().filter(|url| !url.starts_with(&origin)).collect();
        assert!(
            foreign.iter().all(|url| url.starts_with("data:") || url.starts_with("chrome")),
            "{foreign:?}"
        );
        assert!(asked.len() > 20, "{asked:?}");
    }
}

#[test]
fn a_live_page_brings_itself_up_to_date_and_fits_a_small_screen() {
    let panel = busy();
    let chromium = Chromium::new(&panel.site, panel.serve.panel_port, true);
    log_in(&chromium, &panel, "clara", false);
    chromium.open("/sessions");
    assert!(!chromium.text("main table").contains("GAMMA"));
    let client = panel.site.client(&panel.serve);
    client.ok(&json!({"function": "proxy_session", "events": [{"event": "begin", "session": "new-1", "direction":
        "incoming", "pid": 9, "time": pki::now(), "address": "192.0.2.77:5", "partner": "GAMMA", "ssid": "O0013G",
        "subject": ""}]}));
    await_that("the new session", || chromium.text("main table").contains("GAMMA"));
    // 320 pixels: nothing is cut off; tables have their own scroll bar.
    chromium.resize(500, 900);
    for path in PAGES {
        chromium.open(path);
        let (page, content) = chromium.widths();
        assert!(content <= page, "{path}: {content} in {page}");
    }
    keep_picture(&chromium, "account-small");
    // The session is ended elsewhere: the page leads to the login by itself.
    chromium.open("/");
    panel.site.ok(&["user", "reset", "clara"]);
    await_that("the login", || chromium.path().starts_with("/login"));
}
