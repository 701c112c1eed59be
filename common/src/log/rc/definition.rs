//! The content of an rc file, as plain values.

use crate::log::appender::rolling::SizeWindow;
use crate::log::layout::LayoutKind;
use crate::log::priority::Priority;
use std::collections::BTreeMap;

/// log4c's name for the category above all others.
pub(in crate::log) const ROOT: &str = "root";

/// The content of an rc file.
#[derive(Debug, PartialEq)]
pub(in crate::log) struct Rc {
    /// Whether changes take effect while the daemon runs; yes by default, as in log4c.
    pub(in crate::log) reread: bool,
    /// The daemon's categories by dotted name, and the root.
    pub(in crate::log) categories: BTreeMap<String, CategoryDef>,
    /// The appenders without a fault, by name.
    pub(in crate::log) appenders: BTreeMap<String, AppenderDef>,
    /// Settings that have no effect and may be mistakes; each is a sentence without its full stop.
    pub(in crate::log) warnings: Vec<String>,
}

/// One `<category>`.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::log) struct CategoryDef {
    /// None: the priority of the nearest ancestor that has one.
    pub(in crate::log) priority: Option<Priority>,
    /// Name of its appender.
    pub(in crate::log) appender: Option<String>,
    /// Whether lines also go to the appenders of its ancestors.
    pub(in crate::log) additive: bool,
}

/// One `<appender>` with its layout and policy looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) struct AppenderDef {
    /// Its type, and the values that this type needs.
    pub(in crate::log) kind: AppenderKind,
    /// Its layout.
    pub(in crate::log) layout: LayoutKind,
}

/// An appender type of the rc file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::log) enum AppenderKind {
    /// `os4x_appender`.
    Daily(Place),
    /// `stream`, `stream2`, `mmap`.
    Stream,
    /// `syslog`.
    Syslog,
    /// `rollingfile` with `sizewin`.
    Rolling(Place, SizeWindow),
}

/// Where an appender's files are. The defaults are the daemon's directory and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::log) struct Place {
    /// Directory; a relative path starts at the directory of the binary.
    pub(in crate::log) logdir: Option<String>,
    /// First part of the file names.
    pub(in crate::log) prefix: Option<String>,
}

/// Appenders that exist without an element, as in log4c; `os4x_appender` is ours.
pub(in crate::log) fn stock_appender(name: &str) -> Option<AppenderDef> {
    let kind = match name {
        "os4x_appender" => AppenderKind::Daily(Place::default()),
        "stdout" | "stderr" => AppenderKind::Stream,
        "syslog" => AppenderKind::Syslog,
        "rollingfile" => AppenderKind::Rolling(Place::default(), SizeWindow::default()),
        _ => return None,
    };
    let layout = default_layout(&kind);
    Some(AppenderDef { kind, layout })
}

/// The layout of an appender that names none.
pub(super) fn default_layout(kind: &AppenderKind) -> LayoutKind {
    match kind {
        AppenderKind::Daily(_) => LayoutKind::Os4x,
        _ => LayoutKind::Basic,
    }
}
