//! The set-up assistant: a person follows it in a browser from an empty database to the first file, with the real
//! daemons, which the commands of the page start.

use crate::browser::Browser;
use crate::chromium::Chromium;
use crate::daemons::{Hosts, Station, free_port, peer};
use crate::panel::{PASSWORD, Panel, check_headers};
use crate::panel_pages::{keep_picture, log_in, with_role};
use crate::pki;
use crate::site::{Site, await_that};
use std::path::PathBuf;

const PARTNER: [&str; 2] = ["O0013007000PARTNER", "PARTNER1"];
const STATION: [&str; 2] = ["O0013009000STATION", "STATION1"];

/// The certificates of a partner and of us, and the CA of both.
struct Certificates(PathBuf);

impl Certificates {
    fn new(site: &Site) -> Self {
        let folder = site.dir.path("ca");
        let at = folder.to_str().unwrap();
        peer(&["ca", "init", at]);
        for (name, ssid) in [("partner", PARTNER[0]), ("we", STATION[0])] {
            peer(&["ca", "issue", at, name, "--ssid", ssid, "--host", "127.0.0.1"]);
        }
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

/// The state of a step, as the page shows it now.
fn state(chromium: &Chromium, step: &str) -> String {
    chromium.text(&format!("[data-part=state-{step}]"))
}

fn await_done(chromium: &Chromium, step: &str) {
    await_that(step, || state(chromium, step).starts_with("✓ done"));
}

fn lines(chromium: &Chromium, part: &str) -> String {
    chromium.text(&format!("#{part}-lines"))
}

#[test]
fn a_person_sets_up_a_site_from_an_empty_database_to_the_first_file() {
    let panel = Panel::new();
    let site = &panel.site;
    let [tls, internal] = [free_port(), free_port()];
    // Everything is on this machine, which is not so in production.
    site.ok(&["config", "set", "tcp_incoming_ip", "127.0.0.1"]);
    site.ok(&["config", "set", "tcp_port_tls", &tls.to_string()]);
    let ca = Certificates::new(site);
    let station = Station::start(STATION[0], STATION[1]);
    let hosts = Hosts::new(&site.dir);
    let chromium = Chromium::new(site, panel.serve.panel_port, true);
    let codes = log_in(&chromium, &panel, "clara", false);

    chromium.click(".notice a[href='/assistant']");
    chromium.await_path("/assistant");
    for step in ["own", "station", "server", "token", "start", "join", "partner", "acceptance", "file"] {
        assert!(state(&chromium, step).starts_with("✗ not done"), "{step}: {}", state(&chromium, step));
    }
    keep_picture(&chromium, "assistant-empty");
    assert_eq!(chromium.barriers(), Vec::<String>::new());

    chromium.click(".step a[href='/certificates']");
    chromium.await_path("/certificates");
    chromium.fill("#file", &ca.file("we.pem"));
    chromium.fill("#key", &ca.file("we.key"));
    chromium.click("form[action='/certificates'] button");
    chromium.fill("#present_password", PASSWORD);
    chromium.fill("#present_code", &codes[0]);
    chromium.click("form[action='/certificates/keep'] button");
    chromium.await_path("/certificates?done=saved");

    // It was left; what was done is seen.
    chromium.click("nav a[href='/assistant']");
    chromium.await_path("/assistant");
    await_done(&chromium, "own");
    chromium.refill("#proxy_station_host", "not a host");
    chromium.click("form[action='/assistant/station'] button");
    assert!(!chromium.text("#proxy_station_host-error").is_empty());
    chromium.refill("#proxy_station_host", "127.0.0.1");
    chromium.refill("#tcp_port", &station.port.to_string());
    chromium.click("form[action='/assistant/station'] button");
    chromium.await_path("/assistant?done=saved");
    assert!(state(&chromium, "station").contains(&format!("127.0.0.1:{}", station.port)));

    let said = hosts.on_dmz(&lines(&chromium, "proxy-id"));
    chromium.fill("#licence-proxy_id", said.split_whitespace().last().unwrap());
    chromium.refill("#licence-holder", "dmz");
    chromium.click("form[action='/configuration/proxy/licences'] button");
    chromium.click("button.danger");
    let licence = lines(&chromium, "lines");
    keep_picture(&chromium, "assistant-licence");
    let shown = hosts.on_dmz(&licence);
    assert!(shown.contains("valid"), "{shown}");
    chromium.click("main a[href='/assistant']");
    chromium.await_path("/assistant");
    await_done(&chromium, "server");

    hosts.on_inside(&lines(&chromium, "token-file"));
    chromium.fill("#place-server", &format!("127.0.0.1:{internal}"));
    chromium.refill("#place-backend", "127.0.0.1");
    chromium.click("form[action='/assistant#step-start'] button");
    await_that("the commands", || lines(&chromium, "start-client").contains(&internal.to_string()));
    await_done(&chromium, "token");
    hosts.on_dmz(&lines(&chromium, "start-server"));
    hosts.on_inside(&lines(&chromium, "start-client"));
    // The page shows by itself that they have met.
    await_done(&chromium, "join");
    await_done(&chromium, "start");
    keep_picture(&chromium, "assistant-joined");

    chromium.click(".step a[href='/partner-add']");
    chromium.await_path("/partner-add");
    chromium.fill("#file", &ca.file("partner.pem"));
    chromium.click("form[action='/partner-add'] button");
    chromium.refill("#short_name", "acme");
    chromium.click("form[action='/partner-add/keep'] button.main");
    chromium.await_path("/partners/acme?done=added");
    chromium.open("/assistant");
    await_done(&chromium, "partner");
    await_done(&chromium, "acceptance");

    let status = || site.json(&["status"]);
    await_that("the partner in force", || {
        let status = status();
        let daemons = status["daemons"].as_array().unwrap();
        daemons.iter().all(|daemon| daemon["state"]["generation"] == status["generation"])
    });
    let file = site.dir.write("order.txt", "an order");
    let port = format!("127.0.0.1:{tls}");
    let (cert, key, authority) = (ca.file("partner.pem"), ca.file("partner.key"), ca.file("ca.pem"));
    let mut words = vec!["send", "--connect", &port, "--ssid", PARTNER[0], "--password", PARTNER[1]];
    words.extend(["--cert", &cert, "--key", &key, "--ca", &authority, "--peer-ssid", STATION[0], &file]);
    peer(&words);
    await_done(&chromium, "file");
    assert!(state(&chromium, "file").contains("acme"));
    chromium.open("/assistant");
    assert!(chromium.text(".notice.good").contains("All required steps are done."));
    keep_picture(&chromium, "assistant-done");
    chromium.open("/");
    assert!(!chromium.source().contains("The set-up assistant shows what is missing"));
    assert_eq!(chromium.complaints(), Vec::<String>::new());
}

#[test]
fn a_licence_is_issued_after_a_second_look_and_can_be_fetched_again() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let id = pki::proxy_id();
    let issue = "/configuration/proxy/licences";
    let wrong = browser.post_signed(issue, &[("proxy_id", "x"), ("holder", "dmz"), ("days", "3651")]);
    assert!(wrong.status == 422 && wrong.body.contains("licence-proxy_id-error"), "{wrong:?}");
    assert!(wrong.body.contains("licence-days-error"));
    let given = [("proxy_id", id.as_str()), ("holder", "dmz"), ("days", "10")];
    let asked = browser.post_signed(issue, &given);
    assert!(asked.status == 200 && asked.body.contains("present_password"), "{asked:?}");
    assert_eq!(panel.site.json(&["proxy", "list"]).as_array().unwrap().len(), 0);
    let made = browser.post_proven(issue, &given, ("", PASSWORD, panel.code(1)));
    assert!(made.status == 200 && made.body.contains("BEGIN CERTIFICATE"), "{made:?}");
    check_headers(&made);
    let page = browser.get("/configuration/proxy").body;
    assert!(page.contains(&format!("/configuration/proxy/licences/{id}.lic")), "{page}");
    let file = browser.get(&format!("/configuration/proxy/licences/{id}.lic"));
    assert!(file.status == 200 && made.body.contains(file.body.lines().nth(1).unwrap()), "{file:?}");
    assert!(!file.body.contains("PRIVATE"));
    assert_eq!(browser.get("/configuration/proxy/licences/none.lic").status, 404);
    let act = &panel.site.json(&["audit", "list", "--act", "licence issue"])[0];
    assert_eq!((act["actor"].as_str(), act["way"].as_str()), (Some("anna"), Some("panel")));
    let without_holder = [("proxy_id", id.as_str()), ("holder", ""), ("days", "10")];
    let refused = browser.post_proven(issue, &without_holder, ("", "", ""));
    assert!(refused.status == 422 && refused.body.contains("1 to 64"), "{refused:?}");
}

#[test]
fn the_assistant_is_for_administrators() {
    let panel = Panel::new();
    for role in ["operator", "auditor"] {
        let mut browser: Browser = with_role(&panel, role);
        assert!(!browser.get("/").body.contains("/assistant"), "{role}");
        assert_eq!(browser.get("/assistant").status, 403, "{role}");
        for path in ["/assistant/station", "/configuration/proxy/licences"] {
            assert_eq!(browser.post_signed(path, &[]).status, 403, "{role}: {path}");
        }
    }
    let mut browser = panel.signed_in(0);
    let page = browser.get("/assistant?server=dmz.example:2900&backend=inside.example");
    check_headers(&page);
    for part in [
        "/opt/os4x/proxy/os4x_proxyserver2 -i :2900 -l /etc/os4x_proxy.lic",
        "-S dmz.example:2900 -T @/opt/os4x/proxy/token",
        "https://inside.example:",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let hostile = browser.get("/assistant?server=a;b&backend=$(x)");
    assert!(hostile.body.contains("-S DMZ-HOST -T") && hostile.body.contains("https://localhost:"));
    assert!(hostile.body.contains("place-server-error") && hostile.body.contains("place-backend-error"));
    assert!(!page.body.contains("-error\""));
}
