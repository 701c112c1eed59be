//! A real browser, controlled by its driver (WebDriver, W3C): Debian's chromium and chromium-driver. It is ended with
//! its owner, and its files are removed with the test's directory.

use crate::site::{PATIENCE, PROGRAM, Site, await_that};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;

/// The name of an element in the driver's answers.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub(crate) struct Chromium {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    /// The URL of the panel.
    origin: String,
}

impl Chromium {
    /// Starts it, with JavaScript or without.
    pub(crate) fn new(site: &Site, panel_port: u16, has_javascript: bool) -> Self {
        let (driver, port) = start_driver();
        let agent =
            ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false).build();
        let origin = format!("https://127.0.0.1:{panel_port}");
        let session = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, agent: agent.into(), session, origin };
        let profile = site.dir.path(&format!("chromium-{has_javascript}"));
        let arguments = json!([
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1360,900",
            "--hide-scrollbars",
            "--lang=en-US",
            "--no-first-run",
            "--disable-background-networking",
            format!("--user-data-dir={}", profile.display()),
        ]);
        // 2 is 'blocked'.
        let scripts = if has_javascript { 1 } else { 2 };
        let begun = browser.ask(
            "",
            &json!({"capabilities": {"alwaysMatch": {
                "browserName": "chrome",
                "acceptInsecureCerts": true,
            // An element may be on a page that is still to come.
            "timeouts": {"implicit": 20_000, "script": 60_000},
                "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"},
                "goog:chromeOptions": {"args": arguments, "prefs": {
                    "profile.managed_default_content_settings.javascript": scripts,
                    "intl.accept_languages": "en-US,en",
                }},
            }}}),
        );
        browser.session = format!("{}/{}", browser.session, begun["sessionId"].as_str().unwrap());
        browser
    }

    fn ask(&self, path: &str, body: &Value) -> Value {
        let mut answer = self.agent.post(format!("{}{path}", self.session)).send_json(body).unwrap();
        let answer: Value = answer.body_mut().read_json().unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    fn get(&self, path: &str) -> Value {
        let mut answer = self.agent.get(format!("{}{path}", self.session)).call().unwrap();
        answer.body_mut().read_json::<Value>().unwrap()["value"].clone()
    }

    /// Goes to a page of the panel.
    pub(crate) fn open(&self, path: &str) {
        self.ask("/url", &json!({"url": format!("{}{path}", self.origin)}));
    }

    /// The path of the page that is shown.
    pub(crate) fn path(&self) -> String {
        self.get("/url").as_str().unwrap().strip_prefix(&self.origin).unwrap().to_owned()
    }

    /// Waits until a page is loaded: a click does not wait.
    pub(crate) fn await_path(&self, path: &str) {
        await_that(path, || self.path() == path);
    }

    /// The page as it is now.
    pub(crate) fn source(&self) -> String {
        self.get("/source").as_str().unwrap().to_owned()
    }

    fn element(&self, selector: &str) -> String {
        let found = self.ask("/element", &json!({"using": "css selector", "value": selector}));
        found[ELEMENT].as_str().unwrap().to_owned()
    }

    pub(crate) fn text(&self, selector: &str) -> String {
        let mut text = None;
        // A live page may replace an element meanwhile.
        await_that(selector, || {
            let found = self.get(&format!("/element/{}/text", self.element(selector)));
            text = found.as_str().map(str::to_owned);
            text.is_some()
        });
        text.unwrap()
    }

    pub(crate) fn click(&self, selector: &str) {
        self.ask(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    pub(crate) fn fill(&self, selector: &str, text: &str) {
        self.ask(&format!("/element/{}/value", self.element(selector)), &json!({"text": text}));
    }

    /// Puts a text in the place of the one that is there.
    pub(crate) fn refill(&self, selector: &str, text: &str) {
        self.ask(&format!("/element/{}/clear", self.element(selector)), &json!({}));
        self.fill(selector, text);
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        self.ask("/window/rect", &json!({"width": width, "height": height}));
    }

    /// Width of the page and of its contents.
    pub(crate) fn widths(&self) -> (u64, u64) {
        let script = "return [document.documentElement.clientWidth, document.documentElement.scrollWidth]";
        let widths = self.ask("/execute/sync", &json!({"script": script, "args": []}));
        (widths[0].as_u64().unwrap(), widths[1].as_u64().unwrap())
    }

    /// A picture of the page, PNG in base64.
    pub(crate) fn picture(&self) -> String {
        self.get("/screenshot").as_str().unwrap().to_owned()
    }

    /// What axe-core finds wrong with the page (WCAG 2.2 A and AA, and best practices).
    pub(crate) fn barriers(&self) -> Vec<String> {
        let axe = std::fs::read_to_string(axe()).unwrap();
        let run = "const done = arguments[arguments.length - 1]; axe.run().then((found) => done(found.violations.map(
            (one) => `${one.id}: ${one.nodes.map((node) => `${node.target} ${node.failureSummary}`).join('; ')}`)
            .concat(found.passes.length > 5 ? [] : ['axe has looked at nothing'])));";
        let script = json!({"script": format!("{axe};{run}"), "args": []});
        let found = self.ask("/execute/async", &script);
        found.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    /// What the browser had to say against a page, as what its policy forbids.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let all = self.ask("/se/log", &json!({"type": "browser"}));
        // What it would do otherwise is no complaint, nor that a form was not taken.
        let all = all.as_array().unwrap().iter().filter(|entry| entry["level"] != "DEBUG");
        let texts = all.map(|entry| entry["message"].to_string());
        texts.filter(|text| !text.contains("a status of 422")).collect()
    }

    /// The addresses to which it has sent requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        let all = self.ask("/se/log", &json!({"type": "performance"}));
        let url = |entry: &Value| {
            let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &event["message"];
            (message["method"] == "Network.requestWillBeSent")
                .then(|| message["params"]["request"]["url"].as_str().map(str::to_owned))?
        };
        all.as_array().unwrap().iter().filter_map(url).collect()
    }
}

/// The script of axe-core.
fn axe() -> PathBuf {
    let made_by_check = || Some(Path::new(PROGRAM).parent()?.parent()?.join("axe/axe.min.js"));
    let script = std::env::var_os("OS4X_AXE").map(PathBuf::from).or_else(made_by_check).unwrap();
    assert!(
        script.is_file(),
        "{} is missing: run scripts/check tests, which installs axe-core there, or name its script in OS4X_AXE",
        script.display()
    );
    script
}

/// The driver, and its port. It takes a free port of IPv6, and ends if this port is not free for IPv4 as well.
fn start_driver() -> (Child, String) {
    let mut started = None;
    await_that("chromedriver", || {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver of Debian's chromium-driver");
        let out = driver.stdout.take().unwrap();
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    let _ = tell.send(port.trim_end_matches('.').to_owned());
                }
            }
        });
        if let Ok(port) = told.recv_timeout(PATIENCE) {
            started = Some((driver, port));
        } else {
            let _ = driver.kill();
            let _ = driver.wait();
        }
        started.is_some()
    });
    started.unwrap()
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It ends the browser; the driver itself is ours.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
