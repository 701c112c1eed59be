//! What the set-up assistant shows for each step: its words, the pages on which it is done, and its forms and commands.

use super::assistant::{PATH, STATION, STATION_SETTINGS};
use super::form::{Field, FormBlock, Rejected};
use super::gate::SignedIn;
use super::parts::Part;
use super::start_commands::{FOLDER, Place, StartCommands};
use super::words::Words;
use super::{certificates, configuration, licences, partner_add, partners, sessions, setting_field};
use crate::settings::find;
use crate::status::steps::Task;

/// What the parts are made of.
pub(super) struct Basis<'a> {
    pub(super) who: &'a SignedIn,
    pub(super) commands: &'a StartCommands,
    /// The DMZ host and the backend, as the user has named them.
    pub(super) places: [String; 2],
    /// The option of os4xapi that names the database.
    pub(super) database: String,
    /// The form of the station, if it was rejected.
    pub(super) rejected: Option<&'a Rejected>,
}

/// The identifier of a step, its title, and a sentence that says why it is needed.
pub(super) fn words(w: &'static Words, task: Task) -> (&'static str, &'static str, &'static str) {
    match task {
        Task::OwnCertificate => ("own", w.step_own, w.step_own_why),
        Task::PanelName => ("name", w.step_name, w.step_name_why),
        Task::Station => ("station", w.step_station, w.step_station_why),
        Task::Server => ("server", w.step_server, w.step_server_why),
        Task::Token => ("token", w.step_token, w.step_token_why),
        Task::Start => ("start", w.step_start, w.step_start_why),
        Task::Join => ("join", w.step_join, w.step_join_why),
        Task::Partner => ("partner", w.step_partner, w.step_partner_why),
        Task::Acceptance => ("acceptance", w.step_acceptance, w.step_acceptance_why),
        Task::TestCall => ("call", w.step_call, w.step_call_why),
        Task::FirstFile => ("file", w.step_file, w.step_file_why),
    }
}

/// The pages on which a step is done, or where more is known about it.
pub(super) fn links(w: &'static Words, task: Task) -> Vec<(&'static str, &'static str)> {
    match task {
        Task::OwnCertificate => vec![(certificates::PATH, w.own_certificates)],
        Task::PanelName => vec![("/configuration/tcp-ip", w.page_tcp_ip)],
        Task::Token => vec![(configuration::PROXY, w.rotate_token)],
        Task::Join => vec![("/", w.overview)],
        Task::Partner => vec![(partner_add::PATH, w.add_partner)],
        Task::Acceptance | Task::TestCall => vec![(partners::PATH, w.partners)],
        Task::FirstFile => vec![(sessions::PATH, w.sessions)],
        Task::Station | Task::Server | Task::Start => Vec::new(),
    }
}

/// The forms and the commands of a step.
pub(super) fn parts(basis: &Basis<'_>, task: Task) -> Vec<Part> {
    let w = basis.who.0.words;
    match task {
        Task::Station => vec![Part::form("station-form", w.address_of_station, station(basis))],
        Task::Server => vec![
            Part::lines("proxy-id", w.print_proxy_id, vec![StartCommands::proxy_id()]),
            Part::form("licence-form", w.issue_licence, licences::form(basis.who)),
        ],
        Task::Token => {
            let command =
                format!("{FOLDER}/os4xapi token show -o {FOLDER}/token{database}", database = basis.database);
            vec![Part::lines("token-file", w.write_token, vec![command])]
        }
        Task::Start => vec![
            Part::form("places", w.names_of_hosts, places(basis)),
            Part::lines("start-server", w.start_server, vec![basis.commands.server()]),
            Part::lines("start-client", w.start_client, vec![basis.commands.client()]),
            Part::note("units", w.with_units, w.with_units_note),
            Part::lines("client-env", w.lines_of_client_env, basis.commands.client_env()),
        ],
        _ => Vec::new(),
    }
}

/// The form with the address of the station's receive daemon.
fn station(basis: &Basis<'_>) -> FormBlock {
    let (visitor, known) = (&basis.who.0, &basis.who.1);
    let w = visitor.words;
    let settings = STATION_SETTINGS.iter().filter_map(|name| find(name).ok());
    let fields = settings.map(|setting| setting_field::field(w, setting, &visitor.values)).collect();
    FormBlock::new(known, w, STATION, w.save).with("", fields).rejected(basis.rejected)
}

/// The form that puts the names of the hosts into the commands. It changes nothing.
fn places(basis: &Basis<'_>) -> FormBlock {
    let w = basis.who.0.words;
    let [server, backend] = &basis.places;
    let mut fields = vec![
        Field::text("server", w.dmz_host, server).with(w.dmz_host_hint),
        Field::text("backend", w.backend_host, backend).with(w.backend_host_hint),
    ];
    for field in fields.iter_mut().filter(|field| !field.value.is_empty()) {
        field.error = Place::parse(&field.value).is_none().then(|| w.needs_place_name.to_owned());
    }
    let mut form = FormBlock::search(w, &format!("{PATH}#step-start"), w.show_commands);
    form.id = "place-";
    form.with("", fields)
}
