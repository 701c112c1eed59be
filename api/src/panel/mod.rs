//! The administrative panel: pages for browsers, beside the API in the same process, with a listener of its own. Each
//! page is made here and works without JavaScript; nothing is loaded from anywhere else. `gate` decides who comes in,
//! `page` is the frame of each page, `list` and `parts` are the two forms that pages have, `words` has all words in
//! both languages. Pages read with the functions of the commands; changes go through `crate::change`. Passwords are
//! hashed on another thread, one at a time: the daemons' calls do not wait for them.

mod about;
mod account;
mod act;
mod api_log;
mod assets;
mod assistant;
mod audit;
mod bans;
mod certificate_facts;
mod certificates;
mod chart;
mod clients;
mod components;
mod configuration;
mod crls;
mod event_test;
mod expiry;
mod fields;
mod form;
mod gate;
mod host;
mod ignores;
mod import_preview;
mod journal;
mod keys;
mod licences;
mod list;
mod login;
mod overview;
mod page;
mod partner_acts;
mod partner_add;
mod partner_bulk;
mod partner_form;
mod partner_page;
mod partners;
mod parts;
mod pins;
mod proof;
mod qr;
mod refused;
mod rights;
mod rollback;
mod second_look;
mod server_settings;
mod servers;
mod sessions;
mod setting_field;
mod setting_pages;
mod setting_words;
mod setup;
mod staged;
mod start_commands;
mod step_parts;
mod table;
mod timeline;
mod token;
mod traffic;
mod transfer;
mod trust;
mod upload;
mod users;
mod words;

use crate::serve::app::App;
use crate::serve::tls::Side;
use crate::store::users::Role;
use axum::routing::MethodRouter;
use axum::{Router, middleware, routing};
use page::{Group, Item};
use proof::Turns;
use staged::Staged;
use std::sync::Arc;
use tokio::sync::watch;
use words::Words;

/// Most uploaded certificates, and most imports, that wait for their confirmation.
const CERTIFICATES: usize = 8;
const IMPORTS: usize = 2;

/// What the handlers share.
pub(crate) struct Panel {
    app: Arc<App>,
    /// They have the certificates whose names the panel answers to: that of the panel, and that of the API.
    sides: [watch::Receiver<Side>; 2],
    turns: Turns,
    refused: gate::Refused,
    staged: Staged<staged::Held>,
    imports: Staged<transfer::HeldImport>,
}

/// All pages.
pub(crate) fn router(app: Arc<App>, sides: [watch::Receiver<Side>; 2]) -> Router {
    let panel = Arc::new(Panel {
        app,
        sides,
        turns: Turns::default(),
        refused: gate::Refused::default(),
        staged: Staged::new(CERTIFICATES),
        imports: Staged::new(IMPORTS),
    });
    Router::new()
        .route(login::PATH, routing::get(login::show).post(login::log_in))
        .route("/logout", routing::post(login::log_out))
        .route("/setup/{link}", routing::get(setup::show).post(setup::set_up))
        .route("/", routing::get(overview::show))
        .merge(listed(traffic::PATH, || routing::get(traffic::list)))
        .merge(listed(sessions::PATH, || routing::get(sessions::list)))
        .route("/sessions/{id}", routing::get(sessions::show))
        .merge(listed(refused::PATH, || routing::get(refused::list)))
        .merge(listed(journal::PATH, || routing::get(journal::list)))
        .merge(listed(expiry::PATH, || routing::get(expiry::list)))
        .route(expiry::CALENDAR, routing::get(expiry::calendar))
        .merge(listed(partners::PATH, || routing::get(partners::list)))
        .merge(listed(audit::PATH, || routing::get(audit::list)))
        .route("/audit/{number}", routing::get(audit::show))
        .route("/audit/{number}/revert", routing::post(audit::revert))
        .route("/sessions/{id}/end", routing::post(partner_acts::end_session))
        .merge(partner_pages())
        .merge(trust_pages())
        .merge(user_pages())
        .merge(configuration_pages())
        .route(about::PATH, routing::get(about::show))
        .route(about::STATUS, routing::get(about::status))
        .route(about::SUPPORT, routing::get(about::support))
        .merge(listed(components::PATH, || routing::get(components::list)))
        .route(transfer::PATH, routing::get(transfer::show))
        .route(transfer::EXPORT, routing::get(transfer::export))
        .route(transfer::KEYS, routing::post(transfer::export_keys))
        .route(transfer::IMPORT, routing::post(transfer::look_at))
        .route(transfer::KEEP, routing::post(transfer::keep))
        .route(assistant::PATH, routing::get(assistant::show))
        .route(assistant::STATION, routing::post(assistant::set_station))
        .route("/rollback/{number}", routing::get(rollback::show).post(rollback::decide))
        .route(account::PATH, routing::get(account::show))
        .route("/account/preferences", routing::post(account::prefer))
        .route("/account/password", routing::post(account::change_password))
        .route("/account/end", routing::post(account::end_session))
        .route("/assets/{name}", routing::get(assets::get))
        .fallback(page::none)
        .layer(middleware::from_fn_with_state(Arc::clone(&panel), gate::pass))
        .with_state(panel)
}

/// The pages of a partner.
fn partner_pages() -> Router<Arc<Panel>> {
    let below = |path: &str| format!("{}/{{name}}{path}", partners::PATH);
    Router::new()
        .route(partner_add::PATH, routing::get(partner_add::show).post(partner_add::look_at))
        .route(partner_add::KEEP, routing::post(partner_add::keep))
        .route(partner_bulk::ENABLED, routing::post(partner_bulk::enable))
        .route(&below(""), routing::get(partner_page::show).post(partner_acts::save))
        .route(&below("/enabled"), routing::post(partner_acts::enable))
        .route(&below("/remove"), routing::post(partner_acts::remove))
        .route(&below("/debug"), routing::post(partner_acts::debug))
        .route(&below("/test"), routing::post(partner_acts::test))
        .route(&below("/tests/{number}"), routing::get(partner_acts::show_test))
        .route(&below("/pins"), routing::post(pins::look_at))
        .route(&below("/pins/keep"), routing::post(pins::keep))
        .route(&below("/pins/remove"), routing::post(pins::remove))
}

/// The pages of what partners are judged by.
fn trust_pages() -> Router<Arc<Panel>> {
    let below = |page: &str, path: &str| format!("{page}{path}");
    Router::new()
        .route(trust::PATH, routing::get(trust::show).post(trust::look_at))
        .route(&below(trust::PATH, "/keep"), routing::post(trust::keep))
        .route(&below(trust::PATH, "/crl"), routing::post(trust::set_crl))
        .route(&below(trust::PATH, "/remove"), routing::post(trust::remove))
        .route(certificates::PATH, routing::get(certificates::show).post(certificates::look_at))
        .route(&below(certificates::PATH, "/keep"), routing::post(certificates::keep))
        .route(&below(certificates::PATH, "/request"), routing::post(certificates::request))
        .route(&below(certificates::PATH, "/cancel"), routing::post(certificates::cancel))
        .route(&below(certificates::PATH, "/https"), routing::post(certificates::https))
        .route(&below(certificates::PATH, "/panel"), routing::post(certificates::unset_panel))
        .route(&below(certificates::PATH, "/{name}"), routing::get(certificates::download))
        .route(crls::PATH, routing::get(crls::show).post(crls::add))
        .route(&below(crls::PATH, "/fetch"), routing::post(crls::fetch))
        .route(&below(crls::PATH, "/remove"), routing::post(crls::take_away))
}

/// The pages of the panel's users, and of the keys of programs.
fn user_pages() -> Router<Arc<Panel>> {
    Router::new()
        .route(users::PATH, routing::get(users::show).post(users::add))
        .route(users::SET, routing::post(users::set))
        .route(users::RESET, routing::post(users::reset))
        .route(users::UNLOCK, routing::post(users::unlock))
        .route(users::REMOVE, routing::post(users::remove))
        .route(keys::PATH, routing::get(keys::show).post(keys::add))
        .route(keys::REMOVE, routing::post(keys::remove))
}

/// The pages of the settings.
fn configuration_pages() -> Router<Arc<Panel>> {
    let blocks = Router::new()
        .route(bans::ADD, routing::post(bans::add))
        .route(bans::REMOVE, routing::post(bans::remove))
        .route(event_test::RUN, routing::post(event_test::run))
        .route(clients::ADD, routing::post(clients::add))
        .route(clients::REMOVE, routing::post(clients::remove))
        .route(ignores::ADD, routing::post(ignores::add))
        .route(ignores::REMOVE, routing::post(ignores::remove))
        .route(servers::ADD, routing::post(servers::add))
        .route(servers::REMOVE, routing::post(servers::remove))
        .route(server_settings::SET, routing::post(server_settings::set))
        .route(server_settings::DRAIN_IT, routing::post(server_settings::drain))
        .route(server_settings::UNDRAIN, routing::post(server_settings::undrain))
        .route(licences::ISSUE, routing::post(licences::issue))
        .route(&licences::path("{name}").replace(".lic", ""), routing::get(licences::download))
        .route(token::ROTATE, routing::post(token::rotate));
    setting_pages::PAGES.iter().fold(blocks, |router, page| {
        router.route(page.path, routing::get(configuration::show).post(configuration::save))
    })
}

/// A list as a page, as CSV and as JSON.
fn listed(path: &str, method: impl Fn() -> MethodRouter<Arc<Panel>>) -> Router<Arc<Panel>> {
    ["", ".csv", ".json"]
        .iter()
        .fold(Router::new(), |router, ending| router.route(&format!("{path}{ending}"), method()))
}

/// The pages that a role may see, in the groups of the menu; `path` is the one that is shown.
fn menu(words: &'static Words, role: Role, path: &str) -> Vec<Group> {
    let item = |name, at: &'static str| {
        let is_below = at != "/" && path.strip_prefix(at).is_some_and(|rest| rest.starts_with('/'));
        Item { name, path: at, is_here: path == at || is_below }
    };
    let mut administration = vec![item(words.account, account::PATH)];
    if audit::is_for(role) {
        administration.push(item(words.audit, audit::PATH));
        administration.push(item(words.users, users::PATH));
        administration.push(item(words.api_keys, keys::PATH));
    }
    if role == Role::Administrator {
        administration.push(item(words.transfer, transfer::PATH));
        administration.push(item(words.assistant, assistant::PATH));
    }
    administration.push(item(words.about, about::PATH));
    vec![
        Group {
            name: words.monitor,
            items: vec![
                item(words.overview, "/"),
                item(words.sessions, sessions::PATH),
                item(words.refused, refused::PATH),
                item(words.system_log, journal::PATH),
                item(words.expiry, expiry::PATH),
            ],
        },
        Group {
            name: words.partners_and_trust,
            items: vec![
                item(words.partners, partners::PATH),
                item(words.own_certificates, certificates::PATH),
                item(words.trusted, trust::PATH),
                item(words.crls, crls::PATH),
            ],
        },
        Group {
            name: words.configuration,
            items: setting_pages::PAGES.iter().map(|page| item((page.title)(words), page.path)).collect(),
        },
        Group { name: words.administration, items: administration },
    ]
}
