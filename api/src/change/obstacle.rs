//! What stands in the way of a change, in a sentence with the remedy, in both languages: the commands print it, and the
//! panel shows it beside the form.

use crate::language::{Language, said};
use crate::store::client_address::ClientAddress;
use crate::store::sessions::ORPHANED_AFTER;
use common::text::clock;

/// What stands in the way of a change.
#[derive(Debug, Clone)]
pub(crate) enum Obstacle {
    /// There is no partner of this short name.
    NoPartner(String),
    /// Another partner has this SSIDCODE.
    SsidTaken {
        ssid: String,
        partner: String,
    },
    PartnerDisabled(String),
    PartnerWithoutHost(String),
    /// Its sessions do not write DEBUG.
    NoDebug(String),
    /// It is being tested.
    PartnerInTest,
    /// There were so many tests in the last minute; seconds until the next one.
    ManyTests {
        most: usize,
        seconds: i64,
    },
    /// No client has called recently; the last one, and when.
    NoClient(Option<(String, i64)>),
    /// A client has as many tied listeners as it opens.
    ManyListeners {
        client: ClientAddress,
        tied: usize,
    },
    /// It cannot be the name of a user.
    UserName(String),
    NoUser(String),
    UserExists(String),
    LastAdministrator,
    /// The text of an entry would ignore nearly everything.
    IgnoredText,
    /// No server with this Proxy ID is listed.
    NoServer(String),
    /// There are this many bans, and no more are possible.
    Bans(usize),
    NothingTrusted(String),
    NoCrl(String),
    /// The change is not in force in these servers yet.
    NotInForce(Vec<String>),
    /// This row of the audit has nothing that could be restored.
    NothingToRevert(i64),
    /// The object is not as this row has left it: the row with the later change, or none if `serve` made it.
    ChangedSince {
        object: String,
        row: i64,
        by: Option<i64>,
    },
}

/// The time when a client last called, as a text.
pub(crate) fn heard(language: Language, seen: i64) -> String {
    let (at, ago) = (clock::rfc3339(seen), clock::now() - seen);
    said!(language, "heard of at {at}, {ago} s ago", "zuletzt gemeldet um {at}, vor {ago} s")
}

impl Obstacle {
    /// The sentence.
    pub(crate) fn text(&self, language: Language) -> String {
        match self {
            Self::NoPartner(_)
            | Self::SsidTaken { .. }
            | Self::PartnerDisabled(_)
            | Self::PartnerWithoutHost(_)
            | Self::NoDebug(_)
            | Self::PartnerInTest
            | Self::ManyTests { .. }
            | Self::NoClient(_) => self.of_partner(language),
            Self::UserName(_) | Self::NoUser(_) | Self::UserExists(_) | Self::LastAdministrator => {
                self.of_user(language)
            }
            Self::NotInForce(_) | Self::NothingToRevert(_) | Self::ChangedSince { .. } => {
                self.of_earlier_change(language)
            }
            Self::ManyListeners { client, tied } => said!(
                language,
                "the client at {client} has {tied} tied listeners, as many as it opens: remove another one first",
                "Der Client {client} hat {tied} an Partner gebundene Listener und öffnet nicht mehr: Entfernen Sie \
                 zuerst einen anderen."
            ),
            Self::IgnoredText => said!(
                language,
                "a text to ignore has 3 to 200 characters, none a control character",
                "Ein zu ignorierender Text hat 3 bis 200 Zeichen und keine Steuerzeichen."
            ),
            Self::NoServer(id) => said!(
                language,
                "no server is listed as {id}: 'os4xapi proxy list' shows them",
                "Unter {id} ist kein Server eingetragen: Die Liste zeigt alle."
            ),
            Self::Bans(most) => said!(
                language,
                "there are {most} bans, and no more are possible: ban a larger network instead of several small ones",
                "Es gibt {most} Sperren, und mehr sind nicht möglich. Sperren Sie ein größeres Netz statt mehrerer \
                 kleiner."
            ),
            Self::NothingTrusted(which) => said!(
                language,
                "no certificate is trusted as '{which}': 'os4xapi trust list' shows them",
                "Unter dem Namen '{which}' gibt es kein vertrauenswürdiges Zertifikat: Die Liste zeigt alle."
            ),
            Self::NoCrl(which) => said!(
                language,
                "there is no CRL of '{which}', and no such URL: 'os4xapi crl list' shows them",
                "Es gibt keine Sperrliste von '{which}' und keine solche Adresse: Die Liste zeigt alle."
            ),
        }
    }

    fn of_partner(&self, language: Language) -> String {
        match self {
            Self::SsidTaken { ssid, partner } => said!(
                language,
                "the SSIDCODE '{ssid}' belongs to partner '{partner}' already",
                "Der SSIDCODE '{ssid}' gehört bereits dem Partner '{partner}'."
            ),
            Self::PartnerDisabled(name) => said!(
                language,
                "partner {name} is disabled, so nobody may call it: 'os4xapi partner set {name} --enabled yes' lets it \
                 in",
                "Der Partner {name} ist deaktiviert, daher darf ihn niemand anrufen: Aktivieren Sie ihn zuerst."
            ),
            Self::PartnerWithoutHost(name) => {
                let unseen = unseen();
                said!(
                    language,
                    "partner {name} has no host, so it is never called: 'os4xapi partner set {name} --host HOST' lists \
                     one. {unseen}",
                    "Der Partner {name} hat keinen Host, daher wird er nie angerufen: Tragen Sie einen ein. Eine \
                     Sitzung, die der Partner beginnt, kann nicht getestet werden; die Seite 'Abweisungen' zeigt die \
                     gescheiterten."
                )
            }
            Self::NoDebug(name) => said!(
                language,
                "it is not on for partner '{name}', or has ended already: 'os4xapi partner debug' lists the partners",
                "Für den Partner '{name}' ist sie nicht eingeschaltet oder bereits beendet."
            ),
            Self::PartnerInTest => said!(
                language,
                "this partner is being tested: there is one test of a partner at a time",
                "Dieser Partner wird gerade getestet: Es gibt jeweils nur einen Test eines Partners."
            ),
            Self::ManyTests { most, seconds } => said!(
                language,
                "there were {most} tests in the last minute, and there are no more: try again in {seconds} s",
                "In der letzten Minute gab es {most} Tests, mehr sind nicht möglich: Versuchen Sie es in {seconds} s \
                 erneut."
            ),
            Self::NoClient(last) => no_client(language, last.as_ref()),
            Self::NoPartner(name) => said!(
                language,
                "there is no partner '{name}': 'os4xapi partner list' shows them",
                "Es gibt keinen Partner '{name}': Die Partnertabelle zeigt alle."
            ),
            _ => String::new(),
        }
    }

    fn of_user(&self, language: Language) -> String {
        match self {
            Self::UserName(text) => said!(
                language,
                "'{text}' is not a name of a user: it has 1 to 32 letters, digits, '.', '_' or '-'",
                "'{text}' ist kein Benutzername: Er besteht aus 1 bis 32 Buchstaben, Ziffern, '.', '_' oder '-'."
            ),
            Self::NoUser(name) => said!(
                language,
                "there is no user '{name}': 'os4xapi user list' shows all",
                "Es gibt keinen Benutzer '{name}': Die Liste zeigt alle."
            ),
            Self::UserExists(name) => said!(
                language,
                "there is a user '{name}' already: 'os4xapi user reset {name}' gives a new link",
                "Es gibt bereits einen Benutzer '{name}': Erstellen Sie für ihn einen neuen Link."
            ),
            _ => said!(
                language,
                "that is the last administrator who may log in: add another one first ('os4xapi user add NAME --role \
                 administrator')",
                "Dies ist der letzte Administrator, der sich anmelden darf: Fügen Sie zuerst einen anderen hinzu."
            ),
        }
    }

    fn of_earlier_change(&self, language: Language) -> String {
        match self {
            Self::NotInForce(servers) => {
                let servers = servers.join(", ");
                said!(
                    language,
                    "it is not in force yet in the server {servers}: wait until it is, or take it back",
                    "Die Änderung ist im Server {servers} noch nicht wirksam: Warten Sie, oder machen Sie sie \
                     rückgängig."
                )
            }
            Self::ChangedSince { object, row, by } => {
                let (english, german) = match by {
                    Some(by) => (
                        format!("'os4xapi audit show {by}' shows who has changed what"),
                        format!("Der Eintrag {by} des Änderungsprotokolls zeigt, wer was geändert hat."),
                    ),
                    None => (
                        "'serve' has done that by itself".to_owned(),
                        "'serve' hat das selbst getan.".to_owned(),
                    ),
                };
                said!(
                    language,
                    "'{object}' is not as row {row} has left it, and nothing was changed: {english}",
                    "'{object}' ist nicht mehr so, wie der Eintrag {row} es hinterlassen hat, und es wurde nichts \
                     geändert. {german}"
                )
            }
            Self::NothingToRevert(row) => said!(
                language,
                "row {row} has nothing that could be restored",
                "Der Eintrag {row} enthält nichts, das wiederhergestellt werden kann."
            ),
            _ => String::new(),
        }
    }
}

fn no_client(language: Language, last: Option<&(String, i64)>) -> String {
    let minutes = ORPHANED_AFTER / 60;
    let last = match last {
        Some((caller, seen)) => {
            let heard = heard(language, *seen);
            said!(
                language,
                "the last one was client {caller}, {heard}",
                "der letzte war der Client {caller}, {heard}"
            )
        }
        None => said!(language, "no client has ever called", "noch nie hat sich ein Client gemeldet"),
    };
    said!(
        language,
        "no client has called this backend within the last {minutes} minutes ({last}), and only a client can do this: \
         see that 'os4xapi serve' and os4x_proxyclient2 run, and that the client is joined to its server",
        "In den letzten {minutes} Minuten hat sich kein Client bei diesem Backend gemeldet ({last}), und nur ein \
         Client kann das tun: Prüfen Sie, ob 'os4xapi serve' und os4x_proxyclient2 laufen und ob der Client mit seinem \
         Server verbunden ist."
    )
}

/// The sentence about sessions that a test cannot cover.
pub(crate) fn unseen() -> String {
    "A session that the partner begins cannot be tested: 'os4xapi refused' lists those that have failed, and \
     --dry-run of another command shows which partners would be refused after a change."
        .to_owned()
}
