//! What is imported, as a text: a document of `export`, or a table of partners. An import is one act.

use super::document::{self, Document};
use super::{Act, ChangeError, partner_table};
use common::secret::Secret;

/// The content that is to be imported.
#[derive(Clone)]
pub(crate) struct Import {
    text: String,
    /// Whether objects that the document does not have are removed.
    replaces: bool,
    passphrase: Option<Secret>,
}

impl Import {
    /// The content of a file; spreadsheets put a byte order mark at its beginning.
    pub(crate) fn of(
        octets: Vec<u8>,
        replaces: bool,
        passphrase: Option<Secret>,
    ) -> Result<Self, ChangeError> {
        let text = String::from_utf8(octets)
            .map_err(|_| ChangeError::Refused("the file is not UTF-8: save it as 'CSV UTF-8'".into()))?;
        let text = text.trim_start_matches('\u{feff}').to_owned();
        Ok(Self { text, replaces, passphrase })
    }

    /// Whether it is a document and not a table, which cannot replace a site.
    pub(crate) fn is_document(&self) -> bool {
        self.text.trim_start().starts_with('{')
    }

    /// Imports it.
    pub(crate) async fn make(&self, act: &mut Act) -> Result<(), ChangeError> {
        let objects = if self.is_document() {
            Document::parse(&self.text)?.objects
        } else {
            partner_table::partners(&self.text, act.before())?
        };
        document::import(act, &objects, self.replaces, self.passphrase.as_ref()).await
    }
}
