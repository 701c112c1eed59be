//! Why logging could not be set up. Each error names the place (file, line, element) and what to do about it. The
//! starting command shows it; a running daemon logs it and keeps its old log configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// A fault of the rc file or of what it asks for.
#[derive(Debug)]
pub enum LogError {
    /// The rc file exists and cannot be read.
    Read {
        /// The rc file.
        file: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The rc file is not well-formed XML.
    Xml {
        /// The rc file.
        file: PathBuf,
        /// Line and column, and what was expected there.
        source: roxmltree::Error,
    },
    /// An element of the rc file asks for something impossible.
    Element {
        /// The rc file.
        file: PathBuf,
        /// Line of the element, from 1.
        line: u32,
        /// The element with its name, as in `<appender name="x">`.
        element: String,
        /// What is wrong, and what would be right.
        what: String,
    },
    /// An appender cannot open its file or directory.
    Open {
        /// The appender's name.
        appender: String,
        /// The file or directory.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A logger is installed already.
    Installed(::log::SetLoggerError),
    /// log4rs refused the configuration that we built: a fault of this program.
    Library(log4rs::config::runtime::ConfigErrors),
}

impl fmt::Display for LogError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { file, source } => {
                write!(f, "The log configuration {} cannot be read: {source}.", file.display())
            }
            Self::Xml { file, source } => {
                let line = source.pos().row;
                write!(
                    f,
                    "{}:{line}: The log configuration is not well-formed XML: {source}.",
                    file.display()
                )
            }
            Self::Element { file, line, element, what } => {
                write!(f, "{}:{line}: {element}: {what}.", file.display())
            }
            Self::Open { appender, path, source } => {
                write!(f, "The appender {appender} cannot open {}: {source}.", path.display())
            }
            Self::Installed(_) => f.write_str("Logging was set up already in this process."),
            Self::Library(source) => write!(f, "log4rs refused the configuration: {source}."),
        }
    }
}

impl std::error::Error for LogError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Open { source, .. } => Some(source),
            Self::Xml { source, .. } => Some(source),
            Self::Element { .. } => None,
            Self::Installed(source) => Some(source),
            Self::Library(source) => Some(source),
        }
    }
}
