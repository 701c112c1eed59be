//! The rc file (`os4x_proxyserver.logrc`): log4c XML read into plain definitions, each fault with its line and element.
//! Opens nothing that the file names; `wiring` does that. Run at start and when the file has changed.

use super::appender::rolling::SizeWindow;
use super::error::LogError;
use super::layout;
use super::priority::{Priority, begins_with};
use crate::text::escape::escape;
use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;
use std::path::Path;

/// What an rc file says.
#[derive(Debug, PartialEq)]
pub(super) struct Rc {
    /// Changes take effect while the daemon runs; log4c's default.
    pub(super) reread: bool,
    /// Categories by dotted name.
    pub(super) categories: BTreeMap<String, CategoryDef>,
    /// Appenders by name.
    pub(super) appenders: BTreeMap<String, AppenderDef>,
}

/// One `<category>`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CategoryDef {
    /// None: that of the nearest ancestor which has one.
    pub(super) priority: Option<Priority>,
    /// Name of its appender.
    pub(super) appender: Option<String>,
    /// Lines also go to the appenders of its ancestors.
    pub(super) additive: bool,
}

/// One `<appender>` with its layout and policy looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AppenderDef {
    /// Its type and what that needs.
    pub(super) kind: AppenderKind,
    /// Its layout.
    pub(super) layout: layout::LayoutKind,
}

/// An appender type of the rc file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AppenderKind {
    /// `os4x_appender`.
    Daily(Place),
    /// `stream`, `stream2`.
    Stream,
    /// `syslog`.
    Syslog,
    /// `rollingfile` with `sizewin`.
    Rolling(Place, SizeWindow),
}

/// Where an appender's files are; what is not given is the daemon's directory and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Place {
    /// Directory; a relative one is meant from the binary's.
    pub(super) logdir: Option<String>,
    /// First part of the file names.
    pub(super) prefix: Option<String>,
}

/// Reads `octets`, the content of `file`.
pub(super) fn parse(file: &Path, octets: &[u8]) -> Result<Rc, LogError> {
    let text = decode(octets);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options)
        .map_err(|source| LogError::Xml { file: file.to_owned(), source })?;
    let reader = Reader { file, document: &document };
    reader.read()
}

/// As ISO-8859-1 when the file declares it or is not UTF-8: log4c's own samples declare it.
fn decode(octets: &[u8]) -> String {
    let declaration = octets.split(|octet| *octet == b'>').next().unwrap_or_default();
    let declaration = String::from_utf8_lossy(declaration).to_ascii_lowercase();
    let latin = declaration.starts_with("<?xml")
        && ["iso-8859-1", "iso8859-1", "latin1"].iter().any(|name| declaration.contains(name));
    match std::str::from_utf8(octets) {
        Ok(text) if !latin => text.to_owned(),
        _ => octets.iter().copied().map(char::from).collect(),
    }
}

struct Reader<'a, 'input> {
    file: &'a Path,
    document: &'a Document<'input>,
}

impl<'a, 'input> Reader<'a, 'input> {
    fn read(&self) -> Result<Rc, LogError> {
        let root = self.document.root_element();
        if root.tag_name().name() != "log4c" {
            return Err(self.fault(root, "the root element must be <log4c>"));
        }
        self.check_attributes(root, &["version", "cleanup"])?;
        let mut rc = Rc { reread: true, categories: BTreeMap::new(), appenders: BTreeMap::new() };
        let (mut layouts, mut policies) = (Vec::new(), Vec::new());
        let (mut appenders, mut categories) = (Vec::new(), Vec::new());
        for node in root.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "config" => rc.reread = self.config(node)?,
                "layout" => layouts.push(node),
                "rollingpolicy" => policies.push(node),
                "appender" => appenders.push(node),
                "category" => categories.push(node),
                _ => {
                    let what = "unknown element; <config>, <category>, <appender>, <layout> and \
                     <rollingpolicy> are known";
                    return Err(self.fault(node, what));
                }
            }
        }
        // In this order, because names may be used before the element that defines them.
        let layouts = self.by_name(&layouts, |node| self.layout(node))?;
        let policies = self.by_name(&policies, |node| self.policy(node))?;
        rc.appenders = self.by_name(&appenders, |node| self.appender(node, &layouts, &policies))?;
        rc.categories = self.by_name(&categories, |node| self.category(node, &rc.appenders))?;
        Ok(rc)
    }

    fn by_name<T>(
        &self,
        nodes: &[Node<'a, 'input>],
        read: impl Fn(Node<'a, 'input>) -> Result<T, LogError>,
    ) -> Result<BTreeMap<String, T>, LogError> {
        let mut map = BTreeMap::new();
        for node in nodes {
            let name = match node.attribute("name") {
                Some(name) if !name.is_empty() => name,
                _ => return Err(self.fault(*node, "the attribute name is missing")),
            };
            if map.insert(name.to_owned(), read(*node)?).is_some() {
                return Err(self.fault(*node, "this name is defined twice; remove one of the two"));
            }
        }
        Ok(map)
    }

    /// `<reread>`; the other settings of log4c's own memory and diagnosis mean nothing here.
    fn config(&self, config: Node<'a, 'input>) -> Result<bool, LogError> {
        self.check_attributes(config, &[])?;
        let mut reread = true;
        for node in config.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "bufsize" | "nocleanup" | "debug" => {}
                "reread" => reread = self.switch(node, node.text().unwrap_or_default().trim())?,
                _ => return Err(self.fault(node, "unknown element in <config>; reread is known")),
            }
        }
        Ok(reread)
    }

    fn category(
        &self,
        node: Node<'a, 'input>,
        appenders: &BTreeMap<String, AppenderDef>,
    ) -> Result<CategoryDef, LogError> {
        self.check_attributes(node, &["name", "priority", "appender", "additivity"])?;
        let priority = match node.attribute("priority") {
            None => None,
            Some(text) if begins_with(text, "notset") => None,
            Some(text) => Some(Priority::named(text).ok_or_else(|| {
                let names = "fatal, alert, crit, error, warn, notice, info, debug, trace or notset";
                self.fault(node, format!("priority={} is not known; use {names}", escape(text)))
            })?),
        };
        let appender = node.attribute("appender").map(str::to_owned);
        if let Some(name) = &appender
            && !appenders.contains_key(name)
            && stock_appender(name).is_none()
        {
            return Err(self.fault(node, format!("there is no <appender name=\"{}\">", escape(name))));
        }
        let additive = node.attribute("additivity").map_or(Ok(true), |text| self.switch(node, text))?;
        Ok(CategoryDef { priority, appender, additive })
    }

    fn appender(
        &self,
        node: Node<'a, 'input>,
        layouts: &BTreeMap<String, layout::LayoutKind>,
        policies: &BTreeMap<String, SizeWindow>,
    ) -> Result<AppenderDef, LogError> {
        self.check_attributes(node, &["name", "type", "layout", "logdir", "prefix", "rollingpolicy"])?;
        let owned = |attribute| node.attribute(attribute).map(str::to_owned);
        let place = Place { logdir: owned("logdir"), prefix: owned("prefix") };
        if place.prefix.as_deref().is_some_and(|prefix| prefix.is_empty() || prefix.contains('/')) {
            return Err(self.fault(node, "prefix is a file name without a directory; that belongs in logdir"));
        }
        let window = match node.attribute("rollingpolicy") {
            None => SizeWindow::default(),
            Some(name) => *policies.get(name).ok_or_else(|| {
                self.fault(node, format!("there is no <rollingpolicy name=\"{}\">", escape(name)))
            })?,
        };
        let kind = match node.attribute("type").or(node.attribute("name")).unwrap_or_default() {
            "os4x_appender" => AppenderKind::Daily(place),
            "stream" | "stream2" | "stdout" | "stderr" => AppenderKind::Stream,
            "syslog" => AppenderKind::Syslog,
            "rollingfile" => AppenderKind::Rolling(place, window),
            other => {
                let known = "os4x_appender, stream, stream2, syslog or rollingfile";
                return Err(self.fault(node, format!("type {} is not known; use {known}", escape(other))));
            }
        };
        let layout = match node.attribute("layout") {
            None => default_layout(&kind),
            Some(name) => {
                layouts.get(name).copied().or_else(|| layout::LayoutKind::named(name)).ok_or_else(|| {
                    self.fault(node, format!("there is no <layout name=\"{}\">", escape(name)))
                })?
            }
        };
        Ok(AppenderDef { kind, layout })
    }

    fn layout(&self, node: Node<'a, 'input>) -> Result<layout::LayoutKind, LogError> {
        self.check_attributes(node, &["name", "type"])?;
        let kind = node.attribute("type").or(node.attribute("name")).unwrap_or_default();
        layout::LayoutKind::named(kind).ok_or_else(|| {
            self.fault(node, format!("type {} is not known; use os4x_layout, basic or dated", escape(kind)))
        })
    }

    fn policy(&self, node: Node<'a, 'input>) -> Result<SizeWindow, LogError> {
        self.check_attributes(node, &["name", "type", "maxsize", "maxnum"])?;
        let kind = node.attribute("type").unwrap_or("sizewin");
        if kind != "sizewin" {
            return Err(self.fault(node, format!("type {} is not known; use sizewin", escape(kind))));
        }
        let mut window = SizeWindow::default();
        if let Some(text) = node.attribute("maxsize") {
            window.maxsize = size(text).ok_or_else(|| {
                let what = format!(
                    "maxsize={} is not a size; use octets, or a number with KB, MB or GB",
                    escape(text)
                );
                self.fault(node, what)
            })?;
        }
        if let Some(text) = node.attribute("maxnum") {
            let number = text.trim().parse().ok().filter(|number| (1..=1000).contains(number));
            window.maxnum = number.ok_or_else(|| {
                self.fault(node, format!("maxnum={} is not a number from 1 to 1000", escape(text)))
            })?;
        }
        Ok(window)
    }

    fn switch(&self, node: Node<'a, 'input>, text: &str) -> Result<bool, LogError> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(self.fault(node, format!("{} is neither 1 nor 0", escape(text)))),
        }
    }

    /// A misspelt attribute would otherwise be a setting that quietly does nothing.
    fn check_attributes(&self, node: Node<'a, 'input>, known: &[&str]) -> Result<(), LogError> {
        match node.attributes().find(|attribute| !known.contains(&attribute.name())) {
            None => Ok(()),
            Some(other) => Err(self.fault(node, format!("unknown attribute {}", escape(other.name())))),
        }
    }

    fn fault(&self, node: Node<'a, 'input>, what: impl Into<String>) -> LogError {
        let tag = node.tag_name().name();
        let element = match node.attribute("name") {
            Some(name) => format!("<{tag} name=\"{}\">", escape(name)),
            None => format!("<{tag}>"),
        };
        let line = self.document.text_pos_at(node.range().start).row;
        LogError::Element { file: self.file.to_owned(), line, element, what: what.into() }
    }
}

/// Appenders that need no element, as in log4c; `os4x_appender` is ours.
pub(super) fn stock_appender(name: &str) -> Option<AppenderDef> {
    let kind = match name {
        "os4x_appender" => AppenderKind::Daily(Place::default()),
        "stdout" | "stderr" => AppenderKind::Stream,
        "syslog" => AppenderKind::Syslog,
        _ => return None,
    };
    let layout = default_layout(&kind);
    Some(AppenderDef { kind, layout })
}

fn default_layout(kind: &AppenderKind) -> layout::LayoutKind {
    match kind {
        AppenderKind::Daily(_) => layout::LayoutKind::Os4x,
        _ => layout::LayoutKind::Basic,
    }
}

/// `1024`, `20KB`, `10 MB`, `1GB`; powers of 1024.
fn size(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let unit = match text.strip_prefix(digits)?.trim().to_ascii_uppercase().as_str() {
        "" => 1,
        "K" | "KB" => 1 << 10,
        "M" | "MB" => 1 << 20,
        "G" | "GB" => 1 << 30,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests;
