//! Connects categories with opened appenders: which lines are written, and to which appender. It is built completely at
//! the start and when the rc file has changed, and never modified; forked children inherit it.

use super::appender::Appender;
use super::appender::daily::Daily;
use super::appender::rolling::Rolling;
use super::appender::stream::Stream;
use super::appender::syslog::{self, Syslog};
use super::error::LogError;
use super::init::Init;
use super::layout::{Layout, LayoutKind};
use super::priority::Priority;
use super::rc::{self, AppenderDef, AppenderKind, Place, ROOT, Rc};
use crate::text::clock;
use std::collections::BTreeMap;
use std::io;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// One opened appender.
#[derive(Debug)]
pub(super) struct Sink {
    /// Its name in the rc file.
    pub(super) name: String,
    /// The appender itself.
    pub(super) append: Box<dyn Appender>,
    /// Lines lost since the last one that was written.
    pub(super) lost: AtomicU64,
    /// Lines that were left out because the file of the day is too large.
    pub(super) left_out: AtomicU64,
}

#[derive(Debug)]
struct Category {
    priority: Option<Priority>,
    sink: Option<Arc<Sink>>,
    additive: bool,
}

/// Everything that one rc file configures.
#[derive(Debug)]
pub(super) struct Wiring {
    categories: BTreeMap<String, Category>,
    /// Takes the lines of categories that have no appender.
    fallback: Option<Arc<Sink>>,
    /// Takes every line when the daemon runs in the foreground.
    console: Option<Arc<Sink>>,
    /// Whether the rc file is checked for changes.
    pub(super) reread: bool,
}

impl Wiring {
    /// Opens the appenders that `rc` names for the daemon of `init`; without an rc file, the dated file at INFO.
    pub(super) fn open(init: &Init, rc: Option<&Rc>) -> Result<Self, LogError> {
        let mut opener = Opener { init, opened: BTreeMap::new() };
        let mut categories = BTreeMap::new();
        for (name, def) in rc.iter().flat_map(|rc| &rc.categories) {
            let sink = match (&def.appender, rc) {
                (Some(appender), Some(rc)) => Some(opener.named(appender, rc)?),
                _ => None,
            };
            categories
                .insert(name.clone(), Category { priority: def.priority, sink, additive: def.additive });
        }
        let mut wiring =
            Self { categories, fallback: None, console: None, reread: rc.is_none_or(|rc| rc.reread) };
        let mut names = iter::once(init.name).chain(wiring.categories.keys().map(String::as_str));
        if names.any(|name| name != ROOT && wiring.sinks(name).is_empty()) {
            let stock = AppenderDef { kind: AppenderKind::Daily(Place::default()), layout: LayoutKind::Os4x };
            wiring.fallback = Some(opener.sink("os4x_appender", &stock)?);
        }
        if init.also_stderr && !opener.opened.contains_key("stderr") {
            let console = AppenderDef { kind: AppenderKind::Stream, layout: LayoutKind::Os4x };
            wiring.console = Some(opener.sink("stderr", &console)?);
        }
        Ok(wiring)
    }

    /// All appenders, each once.
    pub(super) fn all(&self) -> Vec<&Arc<Sink>> {
        let of_categories = self.categories.values().filter_map(|category| category.sink.as_ref());
        let mut all: Vec<&Arc<Sink>> = Vec::new();
        for sink in of_categories.chain(&self.fallback).chain(&self.console) {
            if !all.iter().any(|known| Arc::ptr_eq(known, sink)) {
                all.push(sink);
            }
        }
        all
    }

    /// The level of `category`: its own, otherwise that of the nearest ancestor that has one, otherwise INFO.
    pub(super) fn priority(&self, category: &str) -> Priority {
        self.chain(category).find_map(|category| category.priority).unwrap_or(Priority::Info)
    }

    /// The lowest level of the daemon called `name` and of the categories below it.
    pub(super) fn loudest(&self, name: &str) -> Priority {
        let below = self.categories.keys().filter(|category| *category != ROOT);
        below.map(|category| self.priority(category)).fold(self.priority(name), Priority::max)
    }

    /// The appenders of `category` and, as far as additivity goes, of its ancestors; each once.
    pub(super) fn sinks<'a>(&'a self, category: &'a str) -> Vec<&'a Arc<Sink>> {
        let mut sinks = Vec::new();
        for link in self.chain(category) {
            if let Some(sink) = &link.sink
                && !sinks.iter().any(|known: &&Arc<Sink>| Arc::ptr_eq(known, sink))
            {
                sinks.push(sink);
            }
            if !link.additive {
                break;
            }
        }
        if sinks.is_empty() {
            sinks.extend(&self.fallback);
        }
        sinks.extend(&self.console);
        sinks
    }

    /// The definitions of `category`, of each ancestor, and of the root.
    fn chain<'a>(&'a self, category: &'a str) -> impl Iterator<Item = &'a Category> {
        let upwards =
            iter::successors(Some(category), |name| name.rsplit_once('.').map(|(parent, _)| parent));
        upwards.chain(iter::once(ROOT)).filter_map(|name| self.categories.get(name))
    }
}

/// Checks that the directories exist that `rc` names for the daemon of `init`. Opens and creates no file.
pub(super) fn check(init: &Init, rc: &Rc) -> Result<(), LogError> {
    let opener = Opener { init, opened: BTreeMap::new() };
    for appender in rc.categories.values().filter_map(|category| category.appender.as_deref()) {
        if let Some(AppenderKind::Daily(place) | AppenderKind::Rolling(place, _)) =
            rc.appenders.get(appender).map(|def| &def.kind)
        {
            let path = opener.directory(place);
            let is_directory = std::fs::metadata(&path).map(|metadata| metadata.is_dir());
            if let Err(source) = is_directory
                .and_then(|yes| if yes { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) })
            {
                return Err(LogError::Open { appender: appender.to_owned(), path, source });
            }
        }
    }
    Ok(())
}

struct Opener<'a> {
    init: &'a Init,
    opened: BTreeMap<String, Arc<Sink>>,
}

impl Opener<'_> {
    /// The appender `name`, opened once however many categories use it.
    fn named(&mut self, name: &str, rc: &Rc) -> Result<Arc<Sink>, LogError> {
        if let Some(sink) = self.opened.get(name) {
            return Ok(Arc::clone(sink));
        }
        let stock = rc::stock_appender(name);
        let Some(def) = rc.appenders.get(name).or(stock.as_ref()) else {
            // The parser has checked this.
            let source = io::ErrorKind::NotFound.into();
            return Err(LogError::Open { appender: name.to_owned(), path: PathBuf::new(), source });
        };
        let sink = self.sink(name, def)?;
        self.opened.insert(name.to_owned(), Arc::clone(&sink));
        Ok(sink)
    }

    fn sink(&self, name: &str, def: &AppenderDef) -> Result<Arc<Sink>, LogError> {
        let layout = Layout { kind: def.layout, name: self.init.name };
        let directory = match &def.kind {
            AppenderKind::Daily(place) | AppenderKind::Rolling(place, _) => self.directory(place),
            AppenderKind::Syslog => PathBuf::from(syslog::SOCKET),
            AppenderKind::Stream => self.init.directory.clone(),
        };
        let opened: io::Result<Box<dyn Appender>> = match &def.kind {
            AppenderKind::Daily(place) => {
                let prefix = self.prefix(place, ".log");
                Daily::open(name, &directory, prefix, layout, clock::now_millis())
                    .map(|daily| Box::new(daily) as _)
            }
            AppenderKind::Stream => {
                Stream::open(name, &directory, layout).map(|stream| Box::new(stream) as _)
            }
            AppenderKind::Syslog => {
                Syslog::open(name, self.init.name, &directory, layout).map(|syslog| Box::new(syslog) as _)
            }
            AppenderKind::Rolling(place, window) => {
                Rolling::open(name, &directory, self.prefix(place, ""), *window, layout)
                    .map(|rolling| Box::new(rolling) as _)
            }
        };
        let append =
            opened.map_err(|source| LogError::Open { appender: name.to_owned(), path: directory, source })?;
        Ok(Arc::new(Sink {
            name: name.to_owned(),
            append,
            lost: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
        }))
    }

    fn directory(&self, place: &Place) -> PathBuf {
        self.init.directory.join(place.logdir.as_deref().map_or(Path::new(""), Path::new))
    }

    fn prefix(&self, place: &Place, ending: &str) -> String {
        place.prefix.clone().unwrap_or_else(|| format!("{}{ending}", self.init.name))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::file::tests::Scratch;

    fn wire(scratch: &Scratch, elements: &str) -> Result<Wiring, LogError> {
        let text = format!("<log4c>{elements}</log4c>");
        let rc = rc::parse(Path::new("x.logrc"), text.as_bytes(), "os4x_proxyserver")?;
        Wiring::open(&settings(scratch.path()), Some(&rc))
    }

    fn names(wiring: &Wiring, category: &str) -> Vec<String> {
        wiring.sinks(category).iter().map(|sink| sink.name.clone()).collect()
    }

    #[test]
    fn priority_and_appenders_come_from_the_nearest_ancestors() {
        let scratch = Scratch::new("log-wiring");
        let wiring = wire(
            &scratch,
            r#"<category name="root" priority="warn" appender="stderr"/>
               <category name="os4x_proxyserver" appender="day"/>
               <category name="os4x_proxyserver.link" priority="trace" appender="day"/>
               <category name="os4x_proxyserver.session" priority="error" appender="stdout" additivity="0"/>
               <appender name="day" type="os4x_appender"/>"#,
        )
        .unwrap();
        let table = [
            ("os4x_proxyserver", Priority::Warn, &["day", "stderr"][..]),
            ("os4x_proxyserver.link.control", Priority::Trace, &["day", "stderr"]),
            ("os4x_proxyserver.session", Priority::Error, &["stdout"]),
            ("os4x_proxyserver.sessions", Priority::Warn, &["day", "stderr"]),
        ];
        for (category, priority, sinks) in table {
            assert_eq!(wiring.priority(category), priority, "{category}");
            assert_eq!(names(&wiring, category), sinks, "{category}");
        }
        assert_eq!(wiring.loudest("os4x_proxyserver"), Priority::Trace);
    }

    #[test]
    fn lines_that_lead_nowhere_go_to_the_day_file_and_foreign_files_are_left_alone() {
        let scratch = Scratch::new("log-fallback");
        let wiring = wire(
            &scratch,
            r#"<category name="root" priority="notice"/>
               <category name="six13log" priority="trace" appender="theirs"/>
               <appender name="theirs" type="rollingfile" prefix="theirs"/>"#,
        )
        .unwrap();
        assert_eq!(names(&wiring, "os4x_proxyserver"), ["os4x_appender"]);
        assert_eq!(wiring.loudest("os4x_proxyserver"), Priority::Notice);
        assert!(!scratch.path().join("theirs.0").exists());
    }

    #[test]
    fn lines_that_additivity_keeps_from_every_appender_go_to_the_day_file() {
        let scratch = Scratch::new("log-additivity");
        let wiring = wire(
            &scratch,
            r#"<category name="os4x_proxyserver" appender="stderr"/>
               <category name="os4x_proxyserver.link" additivity="0"/>"#,
        )
        .unwrap();
        assert_eq!(names(&wiring, "os4x_proxyserver"), ["stderr"]);
        assert_eq!(names(&wiring, "os4x_proxyserver.link"), ["os4x_appender"]);
    }

    #[test]
    fn files_are_where_the_appender_says() {
        let scratch = Scratch::new("log-places");
        std::fs::create_dir(scratch.path().join("deep")).unwrap();
        wire(
            &scratch,
            r#"<category name="root" appender="plain"/>
               <category name="os4x_proxyserver" appender="window"/>
               <appender name="plain" type="stream"/>
               <appender name="window" type="rollingfile" logdir="deep"/>"#,
        )
        .unwrap();
        assert!(scratch.path().join("plain").exists());
        assert!(scratch.path().join("deep/os4x_proxyserver.0").exists());
    }

    #[test]
    fn a_directory_that_is_not_there_is_named() {
        let scratch = Scratch::new("log-nowhere");
        let elements = r#"<category name="root" appender="a"/>
            <appender name="a" type="os4x_appender" logdir="missing"/>"#;
        let shown = wire(&scratch, elements).unwrap_err().to_string();
        let directory = scratch.path().join("missing");
        assert!(
            shown.starts_with(&format!("The appender a cannot open {}: ", directory.display())),
            "{shown}"
        );
    }
}
