//! The faults that a site may have, each with its sentence and its remedy, in both languages.

use super::subject::{Limited, Named};
use crate::expiry::{End, Ending};
use crate::language::{Language, said};
use common::text::clock::rfc3339;

/// A fault. Times are seconds since 1970-01-01 UTC.
#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// `serve` has never run.
    NeverServed,
    /// A `serve` has ended in order.
    ServeEnded {
        name: String,
        at: i64,
        why: String,
    },
    /// A `serve` does not write any more.
    ServeSilent {
        name: String,
        since: i64,
    },
    /// No client has ever called.
    NoClient,
    /// No server is listed.
    NoServer,
    /// A daemon that does not report its state.
    Older(Named),
    Ended {
        who: Named,
        at: i64,
        why: String,
    },
    Silent {
        who: Named,
        since: i64,
    },
    Lost {
        who: Named,
        since: i64,
    },
    NeverJoined(Named),
    NoConfiguration(Named),
    OldGeneration {
        who: Named,
        held: u64,
        newest: u64,
    },
    AtLimit {
        who: Named,
        what: Limited,
        used: usize,
    },
    /// Its clock is so many seconds ahead of this one.
    Skew {
        who: Named,
        ahead: i64,
    },
    /// A server with this Proxy ID takes no new sessions; so many still run.
    Draining {
        who: Named,
        id: String,
        left: usize,
    },
    /// It has reported an error of its own.
    Reported {
        who: Named,
        at: i64,
        text: String,
    },
    /// Something has expired, or cannot be read.
    Over(End),
    /// There was no backup since then; without any, since the database was made.
    Backup {
        was_ever: bool,
        since: i64,
    },
}

impl Fault {
    /// The object and its fault.
    pub(crate) fn what(&self, language: Language) -> String {
        match self {
            Self::NeverServed => said!(
                language,
                "'os4xapi serve' has never run on this database",
                "'os4xapi serve' ist auf dieser Datenbank noch nie gelaufen"
            ),
            Self::ServeEnded { name, at, why } => {
                let at = rfc3339(*at);
                said!(
                    language,
                    "'os4xapi serve' on {name} has ended at {at}: {why}",
                    "'os4xapi serve' auf {name} wurde um {at} beendet: {why}"
                )
            }
            Self::ServeSilent { name, since } => {
                let since = rfc3339(*since);
                said!(
                    language,
                    "'os4xapi serve' on {name} has not run since {since}: it was killed, its host is down, or it does \
                     not reach the database",
                    "'os4xapi serve' auf {name} läuft seit {since} nicht mehr: Es wurde abgebrochen, sein Host ist \
                     ausgefallen, oder es erreicht die Datenbank nicht"
                )
            }
            Self::NoClient => {
                said!(language, "no client has ever called", "noch nie hat sich ein Client gemeldet")
            }
            Self::NoServer => said!(language, "no server is listed", "es ist kein Server eingetragen"),
            Self::Over(end) => of_end(end, language),
            Self::Backup { was_ever, since } => of_backup(*was_ever, *since, language),
            of_daemon => of_daemon.of_daemon(language),
        }
    }

    /// The daemon that has it.
    fn daemon(&self) -> Option<&Named> {
        match self {
            Self::Older(who)
            | Self::NeverJoined(who)
            | Self::NoConfiguration(who)
            | Self::Ended { who, .. }
            | Self::Silent { who, .. }
            | Self::Lost { who, .. }
            | Self::OldGeneration { who, .. }
            | Self::AtLimit { who, .. }
            | Self::Skew { who, .. }
            | Self::Draining { who, .. }
            | Self::Reported { who, .. } => Some(who),
            _ => None,
        }
    }

    fn of_daemon(&self, language: Language) -> String {
        let who = self.daemon().map(|who| who.text(language)).unwrap_or_default();
        match self {
            Self::Ended { at, why, .. } => {
                let at = rfc3339(*at);
                said!(language, "{who} has ended at {at}: {why}", "{who} wurde um {at} beendet: {why}")
            }
            Self::Silent { since, .. } => {
                let since = rfc3339(*since);
                said!(
                    language,
                    "{who} has not reported since {since}",
                    "{who} hat sich seit {since} nicht gemeldet"
                )
            }
            Self::Lost { since, .. } => {
                let since = rfc3339(*since);
                said!(
                    language,
                    "{who} is not joined any more, since {since}",
                    "{who} ist seit {since} nicht mehr mit einem Client verbunden"
                )
            }
            Self::NeverJoined(_) => said!(
                language,
                "{who} is listed, but no client has reported it",
                "{who} ist eingetragen, aber kein Client hat ihn gemeldet"
            ),
            Self::NoConfiguration(_) => {
                said!(
                    language,
                    "{who} has no configuration in force",
                    "{who} hat keine wirksame Konfiguration"
                )
            }
            Self::OldGeneration { held, newest, .. } => said!(
                language,
                "{who} has generation {held} in force, and {newest} is the newest",
                "{who} verwendet die Generation {held}, die neueste ist {newest}"
            ),
            Self::AtLimit { what, used, .. } => {
                let what = what.text(language);
                said!(
                    language,
                    "{who} has reached its limit of {what}: {used}",
                    "{who} hat die Grenze für {what} erreicht: {used}"
                )
            }
            Self::Skew { ahead, .. } => {
                let seconds = ahead.unsigned_abs();
                let (english, german) = if *ahead > 0 { ("ahead of", "vor") } else { ("behind", "hinter") };
                let (_, title) = who.split_at(who.find(' ').unwrap_or_default());
                match language {
                    Language::English => format!("the clock of {who} is {seconds} s {english} the backend's"),
                    Language::German => {
                        format!("die Uhr von{title} geht {seconds} s {german} der des Backends")
                    }
                }
            }
            Self::Draining { left, .. } => said!(
                language,
                "{who} takes no new sessions, and {left} are left",
                "{who} nimmt keine neuen Sitzungen an, {left} laufen noch"
            ),
            Self::Reported { at, text, .. } => {
                let at = rfc3339(*at);
                said!(language, "{who} at {at}: {text}", "{who} um {at}: {text}")
            }
            _ => said!(
                language,
                "{who} is of an older version, and does not report its state",
                "{who} hat eine ältere Version und meldet seinen Zustand nicht"
            ),
        }
    }

    /// What to do about it.
    pub(crate) fn remedy(&self, language: Language) -> String {
        match self {
            Self::NeverServed | Self::ServeEnded { .. } | Self::ServeSilent { .. } => said!(
                language,
                "start it: 'systemctl start os4xapi', or 'os4xapi serve'; sessions go on meanwhile, but no daemon \
                 gets another configuration, and no client can start",
                "Starten Sie es: 'systemctl start os4xapi' oder 'os4xapi serve'. Sitzungen laufen solange weiter, aber \
                 kein Dienst erhält eine neue Konfiguration, und kein Client kann starten."
            ),
            Self::NoClient => said!(
                language,
                "start os4x_proxyclient2 on an inside host; 'os4xapi setup' makes what it needs",
                "Starten Sie os4x_proxyclient2 auf einem internen Host. 'os4xapi setup' erstellt, was er benötigt."
            ),
            Self::NoServer => said!(
                language,
                "list its Proxy ID with 'os4xapi proxy add'; os4x_proxyserver2 -V shows it",
                "Tragen Sie seine Proxy-ID mit 'os4xapi proxy add' ein. os4x_proxyserver2 -V zeigt sie."
            ),
            Self::Older(_) => said!(
                language,
                "install this version there: until then its state and its refusals are not known",
                "Installieren Sie dort diese Version. Bis dahin sind sein Zustand und seine Abweisungen nicht bekannt."
            ),
            Self::Ended { .. } => said!(
                language,
                "partners are not served without a client: start it again ('systemctl start os4x_proxyclient2')",
                "Ohne Client werden Partner nicht bedient. Starten Sie ihn wieder ('systemctl start \
                 os4x_proxyclient2')."
            ),
            Self::Silent { .. } => said!(
                language,
                "check that it runs ('systemctl status os4x_proxyclient2') and reaches the backend, and that \
                 'os4xapi serve' runs",
                "Prüfen Sie, ob er läuft ('systemctl status os4x_proxyclient2') und das Backend erreicht, und ob \
                 'os4xapi serve' läuft."
            ),
            Self::Lost { .. } => said!(
                language,
                "check that it runs, and that a client runs: the client joins it by itself when both run",
                "Prüfen Sie, ob er läuft und ob ein Client läuft. Der Client verbindet sich selbst, sobald beide \
                 laufen."
            ),
            Self::NeverJoined(_) => said!(
                language,
                "start os4x_proxyserver2 there, and os4x_proxyclient2 with its address as -S; 'os4xapi proxy remove' \
                 if it is out of service",
                "Starten Sie dort os4x_proxyserver2, und os4x_proxyclient2 mit dessen Adresse als -S. Wenn er außer \
                 Betrieb ist, entfernen Sie ihn mit 'os4xapi proxy remove'."
            ),
            Self::NoConfiguration(_) => said!(
                language,
                "'os4xapi log' says which one was refused, and why",
                "Das Systemprotokoll ('os4xapi log') nennt die abgelehnte Konfiguration und den Grund."
            ),
            Self::OldGeneration { .. } => said!(
                language,
                "'os4xapi log' says why the newest was refused",
                "Das Systemprotokoll ('os4xapi log') nennt den Grund, aus dem die neueste abgelehnt wurde."
            ),
            Self::AtLimit { what, .. } => {
                let setting = what.setting();
                said!(
                    language,
                    "others are refused until one ends; 'os4xapi config set {setting}' allows more",
                    "Weitere werden abgewiesen, bis eine endet. Die Einstellung '{setting}' erlaubt mehr."
                )
            }
            Self::Skew { .. } => said!(
                language,
                "set the clocks of both hosts, preferably with NTP: certificates and licences are judged by them",
                "Stellen Sie die Uhren beider Hosts, am besten mit NTP. Nach ihnen werden Zertifikate und Lizenzen \
                 beurteilt."
            ),
            Self::Draining { id, .. } => said!(
                language,
                "after the maintenance 'os4xapi proxy undrain {id}' lets it take new ones",
                "Nach der Wartung lässt 'os4xapi proxy undrain {id}' ihn wieder neue annehmen."
            ),
            Self::Reported { .. } => said!(
                language,
                "its log has more; os4x_smartproxy-trouble(7) has causes and remedies",
                "Sein Protokoll enthält mehr. os4x_smartproxy-trouble(7) nennt Ursachen und Abhilfe."
            ),
            Self::Over(End { ending: Ending::DownloadedCrl, .. }) => said!(
                language,
                "partners of that CA are refused: 'os4xapi crl list' says why there is no newer one, 'os4xapi crl add \
                 FILE' brings it",
                "Partner dieser CA werden abgewiesen. 'os4xapi crl list' sagt, warum es keine neuere gibt, 'os4xapi \
                 crl add DATEI' fügt sie hinzu."
            ),
            Self::Over(end) => end.ending.renewal(language),
            Self::Backup { .. } => said!(
                language,
                "run 'os4xapi backup FILE' regularly, or after the program that makes your backups 'os4xapi backup \
                 --done'; 'os4xapi config set api_backup_days 0' switches this report off",
                "Führen Sie regelmäßig 'os4xapi backup DATEI' aus, oder 'os4xapi backup --done' nach dem Programm, das \
                 Ihre Sicherungen macht. Die Einstellung 'api_backup_days' mit dem Wert 0 schaltet diese Meldung ab."
            ),
        }
    }
}

/// The sentence about something that has expired.
fn of_end(End { ending, name, ends }: &End, language: Language) -> String {
    let what = ending.what(language);
    match ends.map(rfc3339) {
        Some(ends) => {
            said!(language, "{what} {name} has ended at {ends}", "{what} {name} ist um {ends} abgelaufen")
        }
        None => said!(language, "{what} {name} cannot be read", "{what} {name} ist nicht lesbar"),
    }
}

/// The sentence about a backup that is too old.
fn of_backup(was_ever: bool, since: i64, language: Language) -> String {
    let since = rfc3339(since);
    if was_ever {
        said!(
            language,
            "the last backup of the database is of {since}",
            "die letzte Sicherung der Datenbank ist von {since}"
        )
    } else {
        said!(
            language,
            "the database exists since {since}, and no backup is recorded",
            "die Datenbank besteht seit {since}, und es ist keine Sicherung verzeichnet"
        )
    }
}
