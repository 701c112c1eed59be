//! Reads the elements of one rc file for one daemon: attributes checked, names looked up, each fault with its line.

use super::definition::{
    AppenderDef, AppenderKind, CategoryDef, Place, ROOT, Rc, default_layout, stock_appender,
};
use super::fault::Fault;
use crate::log::appender::rolling::SizeWindow;
use crate::log::layout::LayoutKind;
use crate::log::priority::{Priority, begins_with};
use crate::text::escape::escape;
use roxmltree::{Document, Node};
use std::collections::{BTreeMap, BTreeSet};

const DEFINED_TWICE: &str = "this name is defined twice; remove one of the two";

/// Whether a category of the rc file is the daemon's category, one below it, or the root.
fn concerns(category: &str, daemon: &str) -> bool {
    category == ROOT
        || category.strip_prefix(daemon).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Elements of one kind by name. A faulty element is an error only if the daemon uses it.
type ByName<T> = BTreeMap<String, Result<T, Fault>>;

/// Reads one file.
pub(super) struct Reader<'a, 'input> {
    pub(super) document: &'a Document<'input>,
    pub(super) daemon: &'a str,
    /// Faults of elements that nothing of the daemon uses.
    pub(super) unused: BTreeSet<Fault>,
}

impl<'a, 'input> Reader<'a, 'input> {
    /// Reads the settings for the daemon. Afterwards `unused` has the faults of elements that the daemon does not use.
    pub(super) fn read(&mut self) -> Result<Rc, Fault> {
        let root = self.document.root_element();
        if root.tag_name().name() != "log4c" {
            return Err(self.fault(root, "the root element must be <log4c>"));
        }
        self.check_attributes(root, &["version", "cleanup"])?;
        let mut reread = true;
        let (mut layouts, mut policies) = (Vec::new(), Vec::new());
        let (mut appenders, mut categories) = (Vec::new(), Vec::new());
        for node in root.children().filter(Node::is_element) {
            match node.tag_name().name() {
                "config" => reread = self.config(node)?,
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
        // In this order, because an element may use a name that is defined after it.
        let layouts = self.by_name(&layouts, Self::layout);
        let policies = self.by_name(&policies, Self::policy);
        let found = self.by_name(&appenders, |reader, node| reader.appender(node, &layouts, &policies));
        let warnings = Vec::from_iter(self.stranger(&categories));
        let categories = self.categories(&categories, &found)?;
        // No appender that a category uses is faulty: its fault would have been returned before.
        let mut appenders = BTreeMap::new();
        for (name, appender) in found {
            match appender {
                Ok(appender) => drop(appenders.insert(name, appender)),
                Err(fault) => drop(self.unused.insert(fault)),
            }
        }
        self.unused.extend(layouts.into_values().filter_map(Result::err));
        self.unused.extend(policies.into_values().filter_map(Result::err));
        Ok(Rc { reread, categories, appenders, warnings })
    }

    /// A warning if the file has only other programs' categories: then it has no effect on this daemon.
    fn stranger(&self, categories: &[Node<'a, 'input>]) -> Option<String> {
        let daemon = self.daemon;
        let names: Vec<&str> = categories.iter().filter_map(|node| node.attribute("name")).collect();
        let ours = names.iter().any(|name| *name != ROOT && concerns(name, daemon));
        let root_alone = names == [ROOT];
        (!ours && !root_alone).then(|| {
            let others = match names.iter().find(|name| **name != ROOT) {
                Some(other) => format!(" (one is named {})", escape(other)),
                None => String::new(),
            };
            format!(
                "the log configuration has no category for this daemon{others}: \
                 name it {daemon}, or {daemon}.session and so on"
            )
        })
    }

    /// The categories of the daemon; categories of other programs are ignored.
    fn categories(
        &self,
        nodes: &[Node<'a, 'input>],
        appenders: &ByName<AppenderDef>,
    ) -> Result<BTreeMap<String, CategoryDef>, Fault> {
        let mut categories = BTreeMap::new();
        for node in nodes {
            let name = self.name(*node)?;
            if !concerns(name, self.daemon) {
                continue;
            }
            if categories.insert(name.to_owned(), self.category(*node, appenders)?).is_some() {
                return Err(self.fault(*node, DEFINED_TWICE));
            }
        }
        Ok(categories)
    }

    fn name(&self, node: Node<'a, 'input>) -> Result<&'a str, Fault> {
        let name = node.attribute("name").filter(|name| !name.is_empty());
        name.ok_or_else(|| self.fault(node, "the attribute name is missing"))
    }

    fn by_name<T>(
        &mut self,
        nodes: &[Node<'a, 'input>],
        read: impl Fn(&Self, Node<'a, 'input>) -> Result<T, Fault>,
    ) -> ByName<T> {
        let mut map = BTreeMap::new();
        for node in nodes {
            match self.name(*node) {
                Ok(name) => {
                    let element = read(self, *node);
                    if map.insert(name.to_owned(), element).is_some() {
                        map.insert(name.to_owned(), Err(self.fault(*node, DEFINED_TWICE)));
                    }
                }
                // It has no name, so nothing can use it.
                Err(fault) => drop(self.unused.insert(fault)),
            }
        }
        map
    }

    /// `<reread>`; log4c's other settings, for its memory and its diagnosis, have no meaning here.
    fn config(&self, config: Node<'a, 'input>) -> Result<bool, Fault> {
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
        appenders: &ByName<AppenderDef>,
    ) -> Result<CategoryDef, Fault> {
        self.check_leaf(node, &["name", "priority", "appender", "additivity"])?;
        let priority = match node.attribute("priority") {
            None => None,
            Some(text) if begins_with(text, "notset") => None,
            Some(text) => Some(Priority::named(text).ok_or_else(|| {
                let names = "fatal, alert, crit, error, warn, notice, info, debug, trace or notset";
                self.fault(node, format!("priority={} is not known; use {names}", escape(text)))
            })?),
        };
        let appender = node.attribute("appender").map(str::to_owned);
        if let Some(name) = &appender {
            match appenders.get(name) {
                Some(Err(fault)) => return Err(fault.clone()),
                None if stock_appender(name).is_none() => {
                    return Err(self.fault(node, format!("there is no <appender name=\"{}\">", escape(name))));
                }
                Some(Ok(_)) | None => {}
            }
        }
        let additive = node.attribute("additivity").map_or(Ok(true), |text| self.switch(node, text))?;
        Ok(CategoryDef { priority, appender, additive })
    }

    fn appender(
        &self,
        node: Node<'a, 'input>,
        layouts: &ByName<LayoutKind>,
        policies: &ByName<SizeWindow>,
    ) -> Result<AppenderDef, Fault> {
        self.check_leaf(node, &["name", "type", "layout", "logdir", "prefix", "rollingpolicy"])?;
        let owned = |attribute| node.attribute(attribute).map(str::to_owned);
        let place = Place { logdir: owned("logdir"), prefix: owned("prefix") };
        if place.prefix.as_deref().is_some_and(|prefix| prefix.is_empty() || prefix.contains('/')) {
            return Err(self.fault(node, "prefix is a file name without a directory; that belongs in logdir"));
        }
        let window = match node.attribute("rollingpolicy") {
            None => SizeWindow::default(),
            Some(name) => policies.get(name).cloned().unwrap_or_else(|| {
                Err(self.fault(node, format!("there is no <rollingpolicy name=\"{}\">", escape(name))))
            })?,
        };
        let kind = match node.attribute("type").or(node.attribute("name")).unwrap_or_default() {
            "os4x_appender" => AppenderKind::Daily(place),
            "stream" | "stream2" | "mmap" | "stdout" | "stderr" => AppenderKind::Stream,
            "syslog" => AppenderKind::Syslog,
            "rollingfile" => AppenderKind::Rolling(place, window),
            other => {
                let known = "os4x_appender, stream, stream2, mmap, syslog or rollingfile";
                return Err(self.fault(node, format!("type {} is not known; use {known}", escape(other))));
            }
        };
        let layout = match node.attribute("layout") {
            None => default_layout(&kind),
            Some(name) => layouts.get(name).cloned().unwrap_or_else(|| {
                let stock = LayoutKind::named(name);
                stock.ok_or_else(|| {
                    self.fault(node, format!("there is no <layout name=\"{}\">", escape(name)))
                })
            })?,
        };
        Ok(AppenderDef { kind, layout })
    }

    fn layout(&self, node: Node<'a, 'input>) -> Result<LayoutKind, Fault> {
        self.check_leaf(node, &["name", "type"])?;
        let kind = node.attribute("type").or(node.attribute("name")).unwrap_or_default();
        LayoutKind::named(kind).ok_or_else(|| {
            self.fault(
                node,
                format!(
                    "type {} is not known; use os4x_layout, basic, dated, dated_local, ecs, cef or rfc5424",
                    escape(kind)
                ),
            )
        })
    }

    fn policy(&self, node: Node<'a, 'input>) -> Result<SizeWindow, Fault> {
        self.check_leaf(node, &["name", "type", "maxsize", "maxnum"])?;
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

    fn switch(&self, node: Node<'a, 'input>, text: &str) -> Result<bool, Fault> {
        match text.to_ascii_lowercase().as_str() {
            "1" | "true" | "yes" | "on" => Ok(true),
            "0" | "false" | "no" | "off" => Ok(false),
            _ => Err(self.fault(node, format!("{} is neither 1 nor 0", escape(text)))),
        }
    }

    /// A misspelt attribute would otherwise have no effect and be noticed by nobody.
    fn check_attributes(&self, node: Node<'a, 'input>, known: &[&str]) -> Result<(), Fault> {
        match node.attributes().find(|attribute| !known.contains(&attribute.name())) {
            None => Ok(()),
            Some(other) => Err(self.fault(node, format!("unknown attribute {}", escape(other.name())))),
        }
    }

    /// For an element that cannot contain others: an element in it would have no effect and be noticed by nobody.
    fn check_leaf(&self, node: Node<'a, 'input>, attributes: &[&str]) -> Result<(), Fault> {
        self.check_attributes(node, attributes)?;
        match node.children().find(Node::is_element) {
            None => Ok(()),
            Some(child) => {
                let what =
                    format!("it is not allowed inside <{}>; put it next to it", node.tag_name().name());
                Err(self.fault(child, what))
            }
        }
    }

    fn fault(&self, node: Node<'a, 'input>, what: impl Into<String>) -> Fault {
        let tag = node.tag_name().name();
        let element = match node.attribute("name") {
            Some(name) => format!("<{tag} name=\"{}\">", escape(name)),
            None => format!("<{tag}>"),
        };
        let line = self.document.text_pos_at(node.range().start).row;
        Fault { line, element, what: what.into() }
    }
}

/// `1024`, `20KB`, `10 MB`, `1GB`; powers of 1024.
pub(super) fn size(text: &str) -> Option<u64> {
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
