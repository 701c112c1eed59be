//! The rc file (`os4x_proxyserver.logrc`): log4c XML read into plain definitions, each fault with its line and element.
//! A fault is an error only if the daemon uses the element; otherwise it is a warning, so that other programs can use
//! the same file. This module opens nothing that the file names; `wiring` does. It runs at the start and when the file
//! has changed.

mod definition;
mod fault;
mod reader;
mod text;

pub(super) use definition::{AppenderDef, AppenderKind, Place, ROOT, Rc, stock_appender};

use super::error::LogError;
use reader::Reader;
use roxmltree::{Document, ParsingOptions};
use std::collections::BTreeSet;
use std::path::Path;
use text::decode;

/// Reads `octets`, the content of `file`, for the daemon called `daemon`.
pub(super) fn parse(file: &Path, octets: &[u8], daemon: &str) -> Result<Rc, LogError> {
    let text = decode(octets);
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&text, options)
        .map_err(|source| LogError::Xml { file: file.to_owned(), source })?;
    let mut reader = Reader { document: &document, daemon, unused: BTreeSet::new() };
    let mut rc = reader.read().map_err(|fault| fault.in_file(file))?;
    rc.warnings.extend(reader.unused.iter().map(|fault| fault.warning(file)));
    Ok(rc)
}

#[cfg(test)]
mod tests;
