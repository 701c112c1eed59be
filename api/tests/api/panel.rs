//! The panel by its forms, as a browser sends them: who can log in, what each answer has, and what is refused.

use crate::browser::{Browser, Reply, code_of};
use crate::site::{Serve, Site, await_that};
use crate::users::{added, secret_of};
use serde_json::json;

pub(crate) const PASSWORD: &str = "correct horse battery";

/// A site whose panel runs, with a user who is set up.
pub(crate) struct Panel {
    /// It is dropped before its directory.
    pub(crate) serve: Serve,
    pub(crate) site: Site,
    app: App,
}

/// The text between two other texts.
fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(start).unwrap_or_else(|| panic!("no '{start}' in {text}"));
    rest.split_once(end).unwrap().0
}

/// The app of a user, and the recovery codes.
pub(crate) struct App {
    pub(crate) key: String,
    /// The code that was used to set it up.
    used: String,
    codes: Vec<String>,
}

/// Sets a user up by its link.
pub(crate) fn set_up(browser: &mut Browser, link: &str) -> App {
    let path = format!("/setup/{link}");
    let page = browser.get(&path);
    assert_eq!(page.status, 200, "{page:?}");
    let key = between(&page.body, "<code class=\"key\">", "</code>").replace(' ', "");
    assert!(page.body.contains("<svg class=\"qr\""));
    let used = code_of(&key, 0);
    let done = browser.post(&path, &[("password", PASSWORD), ("again", PASSWORD), ("code", &used)]);
    assert_eq!(done.status, 200, "{done:?}");
    let codes: Vec<String> = done
        .body
        .split("<li><code>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10, "{}", done.body);
    App { key, used, codes }
}

impl Panel {
    pub(crate) fn new() -> Self {
        Self::of(Site::new())
    }

    /// On the database of this site.
    pub(crate) fn of(site: Site) -> Self {
        let link = added(&site, "anna", "administrator");
        let serve = site.serve_with_panel();
        let app = set_up(&mut Browser::of(&site, &serve), &link);
        Self { serve, site, app }
    }

    pub(crate) fn browser(&self) -> Browser {
        Browser::of(&self.site, &self.serve)
    }

    /// A recovery code of the user: it works once.
    pub(crate) fn code(&self, number: usize) -> &str {
        &self.app.codes[number]
    }

    /// Somebody who is logged in with a recovery code: a code of the app works once in half a minute.
    pub(crate) fn signed_in(&self, code: usize) -> Browser {
        let mut browser = self.browser();
        let reply = browser.log_in("anna", PASSWORD, &self.app.codes[code]);
        assert_eq!((reply.status, reply.header("location")), (303, Some("/")), "{reply:?}");
        browser
    }
}

/// The parts that each page has.
pub(crate) fn check_headers(reply: &Reply) {
    let policy = reply.header("content-security-policy").unwrap();
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"] {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(reply.header(name), Some(value));
    }
    if !reply.header("content-type").unwrap_or_default().starts_with("text/html") {
        return;
    }
    // Nothing of another host, no inline style and no inline script.
    for foreign in ["src=\"http", "href=\"http", "style=", "onclick", "<style", "<script>"] {
        assert!(!reply.body.contains(foreign), "{foreign}: {}", reply.body);
    }
}

#[test]
fn a_user_sets_itself_up_by_a_link_that_works_once() {
    let site = Site::new();
    let link = added(&site, "anna", "administrator");
    let serve = site.serve_with_panel();
    let mut browser = Browser::of(&site, &serve);
    let path = format!("/setup/{link}");
    check_headers(&browser.get(&path));
    let key = between(&browser.get(&path).body, "<code class=\"key\">", "</code>").replace(' ', "");
    let code = code_of(&key, 0);
    for (password, again, code, why) in [
        ("short", "short", &code[..], "fewer than 12 characters"),
        ("password12345", "password12345", &code, "too common"),
        ("anna anna anna", "anna anna anna", &code, "contains your name"),
        (PASSWORD, "correct horse batterx", &code, "not the same"),
        (PASSWORD, PASSWORD, "000000x", "The code is wrong"),
    ] {
        let reply = browser.post(&path, &[("password", password), ("again", again), ("code", code)]);
        assert!(reply.status == 422 && reply.body.contains(why), "{why}: {reply:?}");
    }
    assert_eq!(site.json(&["user", "list"])[0]["state"], "invited");
    let App { codes, .. } = set_up(&mut browser, &link);
    let user = &site.json(&["user", "list"])[0];
    assert_eq!((&user["state"], &user["recovery_codes_left"]), (&json!("good"), &json!(10)));

    // The link does not work again, and no file contains it.
    let again = browser.get(&path);
    assert!(again.status == 404 && again.body.contains("user reset"), "{again:?}");
    let fields = [("password", PASSWORD), ("again", PASSWORD), ("code", code.as_str())];
    assert_eq!(browser.post(&path, &fields).status, 404);
    let row = &site.json(&["audit", "list", "--act", "panel set-up"])[0];
    let facts = ["actor", "way", "role", "address", "object"].map(|member| row[member].as_str().unwrap());
    assert_eq!(facts, ["anna", "panel", "administrator", "127.0.0.1", "user anna"]);
    let kept = String::from_utf8_lossy(&std::fs::read(&site.db).unwrap()).into_owned() + &row.to_string();
    for secret in [PASSWORD, codes[0].as_str(), link.as_str()] {
        assert!(!kept.contains(secret));
    }
    assert!(!row.to_string().contains(&key));
    assert_eq!(browser.get("/setup/0000").status, 404);
    assert!(
        serve.log().contains("panel_login_failed address=127.0.0.1 user=\"\" by=link"),
        "{}",
        serve.log()
    );
}

#[test]
fn a_login_needs_password_and_code_and_a_code_works_once() {
    let panel = Panel::new();
    let mut browser = panel.browser();
    let asked = browser.get("/account?x=1");
    assert_eq!((asked.status, asked.header("location")), (303, Some("/login?next=%2Faccount%3Fx%3D1")));
    check_headers(&browser.get("/login"));
    // The code that was used to set it up is used.
    let failed: Vec<Reply> = [
        ("anna", PASSWORD, panel.app.used.as_str()),
        ("anna", "wrong", &panel.app.codes[0]),
        ("nobody", "x", "1"),
    ]
    .into_iter()
    .map(|(name, password, code)| browser.log_in(name, password, code))
    .collect();
    for reply in &failed {
        assert_eq!(reply.status, 401, "{reply:?}");
        assert!(reply.body.contains("or the code is wrong") && reply.header("set-cookie").is_none());
    }
    // The answer does not say what was wrong: the answers differ only in the name that was typed.
    let told = |reply: &Reply| {
        let (start, rest) = reply.body.split_once("name=\"name\" value=\"").unwrap();
        let (_, rest) = rest.split_once('"').unwrap();
        format!("{start}{}", rest.split("<footer>").next().unwrap())
    };
    assert!(failed.iter().all(|reply| told(reply) == told(&failed[2])));
    panel.serve.await_line("panel_login_failed address=127.0.0.1 user=nobody by=login");
    panel.site.ok(&["user", "unlock", "anna"]);

    let reply = browser.log_in("Anna", PASSWORD, &panel.app.codes[1]);
    assert_eq!(reply.status, 303, "{reply:?}");
    let cookie = reply.header("set-cookie").unwrap();
    for part in ["__Host-os4x_panel=", "; Path=/", "; Secure", "; HttpOnly", "; SameSite=Strict"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    panel.serve.await_line("panel_login address=127.0.0.1 user=anna");
    let account = browser.get("/account");
    assert_eq!(account.status, 200);
    check_headers(&account);
    assert!(account.body.contains("Remaining recovery codes: 9"), "{}", account.body);
    assert!(account.body.contains("This is your first login."));
    assert_eq!(panel.browser().log_in("anna", PASSWORD, &panel.app.codes[1]).status, 401, "it works once");

    // After the logout the cookie is not valid.
    let old = browser.cookie.clone();
    assert_eq!(browser.post_signed("/logout", &[]).status, 303);
    browser.cookie = old;
    assert_eq!(browser.get("/account").status, 303);
    panel.site.sql("UPDATE os4x_users SET locked_until = 0");
    browser.log_in("anna", "wrong", "1");
    panel.site.sql("UPDATE os4x_users SET locked_until = 0");
    let mut browser = panel.signed_in(2);
    let told = browser.get("/account").body;
    assert!(told.contains("from 127.0.0.1. Failed logins since then: 2"), "{told}");
}

#[test]
fn the_next_code_of_the_app_logs_in() {
    let panel = Panel::new();
    let mut browser = panel.browser();
    // A code one step ahead is accepted, and was not used.
    let next = code_of(&panel.app.key, 1);
    let reply = browser.log_in("anna", PASSWORD, &next);
    assert_eq!(reply.status, 303, "{reply:?}");
    assert_eq!(panel.browser().log_in("anna", PASSWORD, &next).status, 401);
}

#[test]
fn what_another_site_sends_is_not_taken() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let reply = browser.post("/account/preferences", &[("language", "de"), ("theme", "dark")]);
    assert_eq!(reply.status, 403, "without the token of the session");
    for headers in [
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
        "Origin: https://evil.example\r\n",
    ] {
        browser.headers = headers.to_owned();
        assert_eq!(
            browser.post_signed("/account/preferences", &[("language", "de")]).status,
            403,
            "{headers}"
        );
        assert_eq!(browser.log_in("anna", PASSWORD, &panel.app.codes[1]).status, 403, "{headers}");
    }
    browser.headers = "Sec-Fetch-Site: same-origin\r\n".to_owned();
    let reply = browser.post_signed("/account/preferences", &[("language", "de"), ("theme", "dark")]);
    assert_eq!(reply.status, 303, "{reply:?}");
    let page = browser.get("/account");
    assert!(page.body.contains("<html lang=\"de\" data-theme=\"dark\">"), "{}", page.body);
    assert!(page.body.contains("Kennwort ändern"));
    // The first request of a link in a mail has no cookie: the browser asks again, from this page.
    browser.headers = "Sec-Fetch-Site: cross-site\r\n".to_owned();
    browser.cookie = None;
    let again = browser.get("/account?a=1&b=2");
    let refresh = "http-equiv=\"refresh\" content=\"0;url=/account?a=1&amp;b=2\"";
    assert!(again.status == 200 && again.body.contains(refresh), "{again:?}");
}

#[test]
fn only_names_of_ours_and_addresses_that_may_are_answered() {
    let panel = Panel::new();
    let mut browser = panel.browser();
    for (host, status) in
        [("127.0.0.1", 200), ("localhost:1", 200), ("evil.example", 421), ("127.0.0.2", 421), ("", 421)]
    {
        browser.host = host.to_owned();
        assert_eq!(browser.get("/login").status, status, "{host}");
    }
    panel.site.ok(&["config", "set", "panel_url", "https://evil.example"]);
    browser.host = "evil.example:8444".to_owned();
    assert_eq!(browser.get("/login").status, 200);
    // Behind a trusted web server the caller's address counts.
    panel.site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    for (address, status) in [("10.1.2.3", 200), ("203.0.113.9", 403), ("fd00::1", 200), ("2001:db8::1", 403)]
    {
        browser.headers = format!("X-Forwarded-For: {address}\r\n");
        let reply = browser.get("/login");
        assert_eq!(reply.status, status, "{address}");
        check_headers(&reply);
    }
    browser.headers = "X-Forwarded-For: 203.0.113.9\r\n".to_owned();
    browser.get("/");
    assert_eq!(panel.serve.log().matches("panel_refused address=203.0.113.9").count(), 1, "once in a minute");
    panel.site.ok(&["config", "set", "panel_networks", "203.0.113.0/24"]);
    assert_eq!(browser.get("/login").status, 200);
}

#[test]
fn too_many_bad_logins_lock_the_user_and_the_address() {
    let panel = Panel::new();
    panel.site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    let mut browser = panel.browser();
    // Each attempt comes from another address, so that the user is locked and no address is.
    for number in 1..=10 {
        browser.headers = format!("X-Forwarded-For: 10.0.0.{number}\r\n");
        // The pause is over.
        panel.site.sql("UPDATE os4x_users SET locked_until = 0");
        assert_eq!(browser.log_in("anna", "wrong", "1").status, 401);
    }
    assert_eq!(panel.site.json(&["user", "list"])[0]["state"], "locked");
    assert_eq!(
        browser.log_in("anna", PASSWORD, &panel.app.codes[0]).status,
        401,
        "what is right helps no more"
    );
    let entry = panel.site.json(&["log", "--limit", "1"]);
    let detail = entry[0]["detail"].as_str().unwrap();
    assert!(detail.contains("panel_user_locked user=anna address=10.0.0.10 seconds=900"), "{detail}");
    panel.site.ok(&["user", "unlock", "anna"]);
    assert_eq!(browser.log_in("anna", PASSWORD, &panel.app.codes[0]).status, 303);

    // All attempts come from one address: its logins are not checked any more, whoever the user is.
    browser.headers = "X-Forwarded-For: 10.0.1.1\r\n".to_owned();
    let statuses: Vec<u16> = (0..12).map(|_| browser.log_in("nobody", "x", "1").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 11, "{statuses:?}");
    assert_eq!(statuses[11], 429);
    panel.site.ok(&["user", "unlock", "anna"]);
    assert_eq!(browser.log_in("anna", PASSWORD, &panel.app.codes[1]).status, 429);
    browser.headers.clear();
    assert_eq!(browser.log_in("anna", PASSWORD, &panel.app.codes[1]).status, 303, "another address");
}

#[test]
fn a_session_ends_when_it_is_idle_old_ended_or_its_user_is_gone() {
    let panel = Panel::new();
    let (mut one, mut two) = (panel.signed_in(0), panel.signed_in(1));
    let is_in = |browser: &mut Browser| browser.get("/account").status == 200;
    assert!(is_in(&mut one) && is_in(&mut two));
    // Each session sees the other, and ends it.
    let page = one.get("/account");
    let hash = between(&page.body, "name=\"session\" value=\"", "\"").to_owned();
    assert!(page.body.contains("this session"));
    assert_eq!(one.post_signed("/account/end", &[("session", &hash)]).status, 303);
    assert!(is_in(&mut one) && !is_in(&mut two));

    // A new password ends the others, and needs the old one.
    let mut two = panel.signed_in(2);
    let new = "another horse battery";
    let change = |browser: &mut Browser, old: &str, code: &str| {
        let fields = [("password", old), ("code", code), ("new", new), ("again", new)];
        browser.post_signed("/account/password", &fields).status
    };
    assert_eq!(change(&mut one, "wrong", &panel.app.codes[3]), 422);
    panel.site.ok(&["user", "unlock", "anna"]);
    assert_eq!(change(&mut one, PASSWORD, &panel.app.codes[3]), 303);
    assert!(is_in(&mut one) && !is_in(&mut two));
    assert_eq!(panel.site.json(&["audit", "list", "--act", "panel password"])[0]["actor"], "anna");
    assert_eq!(panel.browser().log_in("anna", PASSWORD, &panel.app.codes[4]).status, 401);

    // A page that updates itself does not prolong the session, and learns that it has ended.
    panel.site.sql("UPDATE os4x_panel_sessions SET seen = seen - 1790");
    one.headers = "Os4x-Poll: 1\r\n".to_owned();
    assert!(is_in(&mut one));
    panel.site.sql("UPDATE os4x_panel_sessions SET seen = seen - 20");
    assert_eq!(one.get("/account").status, 401);
    one.headers.clear();
    assert_eq!(one.get("/account").status, 303);
    panel.site.sql("UPDATE os4x_panel_sessions SET seen = seen + 1810");
    assert!(is_in(&mut one));
    panel.site.sql("UPDATE os4x_panel_sessions SET created = created - 43300");
    assert!(!is_in(&mut one), "however much it is used");
    panel.site.sql("UPDATE os4x_panel_sessions SET created = created + 43300");
    assert!(is_in(&mut one));
    added(&panel.site, "ben", "administrator");
    panel.site.ok(&["user", "set", "anna", "--enabled", "no"]);
    assert!(!is_in(&mut one));
}

#[test]
fn what_was_lost_is_set_up_anew_on_the_host() {
    let panel = Panel::new();
    let mut browser = panel.signed_in(0);
    let link = secret_of(&panel.site.ok(&["user", "reset", "anna"]));
    assert_eq!(browser.get("/account").status, 303);
    assert_eq!(browser.log_in("anna", PASSWORD, &panel.app.codes[1]).status, 401);
    let App { key, .. } = set_up(&mut browser, &link);
    assert_ne!(key, panel.app.key);
    assert_eq!(browser.log_in("anna", PASSWORD, &code_of(&key, 1)).status, 303);
}

#[test]
fn a_flood_of_bad_logins_does_not_delay_the_daemons() {
    let panel = Panel::new();
    panel.site.ok(&["config", "set", "api_trusted_proxies", "127.0.0.1"]);
    let client = panel.site.client(&panel.serve);
    let median = || {
        let mut times: Vec<_> = (0..21)
            .map(|_| {
                let began = std::time::Instant::now();
                client.generation();
                began.elapsed()
            })
            .collect();
        times.sort();
        times[10]
    };
    let before = median();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let relaxed = std::sync::atomic::Ordering::Relaxed;
    let sent = std::sync::atomic::AtomicU32::new(0);
    let during = std::thread::scope(|scope| {
        for thread in 0..4 {
            let (mut browser, stop, sent) = (panel.browser(), &stop, &sent);
            scope.spawn(move || {
                while !stop.load(relaxed) {
                    let number = sent.fetch_add(1, relaxed);
                    browser.headers =
                        format!("X-Forwarded-For: 10.{thread}.{}.{}\r\n", number / 256 % 256, number % 256);
                    browser.log_in("nobody", "wrong", "1");
                }
            });
        }
        await_that("logins", || sent.load(relaxed) > 4);
        let during = median();
        stop.store(true, relaxed);
        during
    });
    let more = during.saturating_sub(before).as_millis();
    assert!(more < 50, "{before:?} and {during:?}");
}

#[test]
fn health_is_told_on_both_listeners_without_a_secret() {
    let panel = Panel::new();
    for port in [panel.serve.port, panel.serve.panel_port] {
        let mut browser = Browser::at(&panel.site, port);
        // It answers to any host name, for load balancers.
        browser.host = "balancer.example".to_owned();
        for path in ["/healthz", "/readyz"] {
            let reply = browser.get(path);
            assert_eq!((reply.status, reply.body.as_str()), (200, "ok\n"), "{path}");
        }
    }
    let mut browser = panel.browser();
    panel.site.sql("UPDATE os4x_certificates SET pem = 'none' WHERE usage = 'ca'");
    let reply = browser.get("/readyz");
    assert_eq!((reply.status, reply.body.as_str()), (503, "unavailable: certificates\n"));
    assert_eq!(browser.get("/healthz").status, 200);
}
