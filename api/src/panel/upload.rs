//! Forms that upload a file (multipart/form-data, RFC 7578). axum's extractor takes them apart. Their size is limited
//! while they are read; they are kept in memory, and their files are wiped when dropped. Here a file is only octets
//! with a name; `pki::read` finds out its format.

use super::Panel;
use super::fields::{Fields, TOKEN};
use super::form::{Field, FormBlock, Shape};
use super::gate::Visitor;
use super::page::Fault;
use super::words::Words;
use crate::pki::PkiError;
use crate::pki::read;
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{DefaultBodyLimit, FromRequest, Request};
use axum::http::StatusCode;
use common::secret::Secret;
use openssl::pkey::{PKey, Private};
use openssl::x509::{X509, X509Crl};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time;
use zeroize::Zeroizing;

/// Largest form, octets: a file of 1 MiB, and the rest of the form.
const LARGEST: usize = (1 << 20) + REST;
/// Largest form with a document of a site, octets.
const LARGEST_DOCUMENT: usize = 16 << 20;
/// Largest form with a CRL, which has an entry for each revoked certificate: 10 MiB.
const LARGEST_CRL: usize = (10 << 20) + REST;
const REST: usize = 64 << 10;
/// The time within which the form has to arrive.
const ARRIVAL: Duration = Duration::from_secs(25);
/// Most parts of a form.
const MOST: usize = 64;

/// The name of the field with the file.
const FILE: &str = "file";
/// The name of the field with the private key.
const KEY: &str = "key";
/// The name of the field with the same content, pasted as text.
const PASTED: &str = "pasted";
/// The name of the field with the password of the file.
const PASSWORD: &str = "file_password";

/// A form with a file, sent by a user who is logged in.
pub(super) struct Upload {
    pub(super) fields: Fields,
    /// For each uploaded file: the name of its field, its file name, and its content.
    files: Vec<(String, String, Zeroizing<Vec<u8>>)>,
}

/// The same for a document of a site, which may be larger.
pub(super) struct LargeUpload(pub(super) Upload);

/// The same with a CRL, which may be larger.
pub(super) struct CrlUpload(pub(super) Upload);

impl FromRequest<Arc<Panel>> for Upload {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Panel>) -> Result<Self, Fault> {
        Self::signed(request, LARGEST).await
    }
}

impl FromRequest<Arc<Panel>> for LargeUpload {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Panel>) -> Result<Self, Fault> {
        Ok(Self(Upload::signed(request, LARGEST_DOCUMENT).await?))
    }
}

impl FromRequest<Arc<Panel>> for CrlUpload {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &Arc<Panel>) -> Result<Self, Fault> {
        match Upload::signed(request, LARGEST_CRL).await {
            Err(Fault::TooLarge) => Err(Fault::CrlTooLarge),
            other => other.map(Self),
        }
    }
}

impl From<MultipartError> for Fault {
    fn from(error: MultipartError) -> Self {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE { Self::TooLarge } else { Self::Form }
    }
}

impl Upload {
    /// Reads a form of this size at most, and checks its token.
    async fn signed(request: Request, largest: usize) -> Result<Self, Fault> {
        let visitor = request.extensions().get::<Visitor>().cloned().ok_or(Fault::Form)?;
        // Somebody who is not logged in sends no large form.
        let known = visitor.known.as_ref().ok_or(Fault::Form)?;
        let read = time::timeout(ARRIVAL, Self::read(request, largest)).await;
        let upload = read.map_err(|_| Fault::TooLarge)??;
        if known.is_token(upload.fields.text(TOKEN)) { Ok(upload) } else { Err(Fault::Form) }
    }

    async fn read(mut request: Request, largest: usize) -> Result<Self, Fault> {
        DefaultBodyLimit::max(largest).apply(&mut request);
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| Fault::Form)?;
        let (mut pairs, mut files) = (Vec::new(), Vec::new());
        // One round more than parts: it finds the end.
        for _ in 0..=MOST {
            let Some(part) = form.next_field().await? else {
                return Ok(Self { fields: Fields::of(pairs), files });
            };
            let name = part.name().map(bounded).ok_or(Fault::Form)?;
            let file_name = part.file_name().map(bounded);
            // Taken over and not copied: one copy less that nobody wipes.
            let content = Vec::from(part.bytes().await?);
            match file_name {
                // The user has chosen no file.
                Some(file_name) if file_name.is_empty() && content.is_empty() => {}
                Some(file_name) => files.push((name, file_name, Zeroizing::new(content))),
                None => pairs.push((name, String::from_utf8(content).map_err(|_| Fault::Form)?)),
            }
        }
        Err(Fault::Form)
    }

    /// The name and the content of the upload: a file, or a pasted text.
    fn brought(&self) -> Option<(PathBuf, Zeroizing<Vec<u8>>)> {
        let pasted = self.fields.text(PASTED);
        match self.file(FILE) {
            Some(found) => Some(found),
            None if pasted.is_empty() => None,
            None => Some((PathBuf::from(PASTED), Zeroizing::new(pasted.as_bytes().to_vec()))),
        }
    }

    /// The file that was uploaded in this field.
    fn file(&self, field: &str) -> Option<(PathBuf, Zeroizing<Vec<u8>>)> {
        let found = self.files.iter().find(|(of, ..)| of == field);
        found.map(|(_, name, content)| (PathBuf::from(name), content.clone()))
    }

    /// The content of the uploaded file.
    pub(super) fn content(&self) -> Option<Vec<u8>> {
        self.file(FILE).map(|(_, content)| content.to_vec())
    }

    /// The file name of the upload.
    pub(super) fn file_name(&self) -> String {
        self.brought().map(|(name, _)| name.display().to_string()).unwrap_or_default()
    }

    /// The private key that was uploaded, in a file of its own or in the file with the certificates.
    pub(super) fn key(&self) -> Result<Option<(PKey<Private>, Secret)>, PkiError> {
        let own = self.file(KEY);
        let is_own = own.is_some();
        let Some((name, content)) = own.or_else(|| self.brought()) else { return Ok(None) };
        match read::private_key_in(&name, content, self.password().as_ref()) {
            Err(PkiError::Nothing(..) | PkiError::Other(..)) if !is_own => Ok(None),
            other => other.map(Some),
        }
    }

    /// The password of the file.
    fn password(&self) -> Option<Secret> {
        let password = self.fields.exact(PASSWORD);
        (!password.is_empty()).then(|| Secret::new(password.to_owned()))
    }

    /// The uploaded certificates; `None` if nothing was uploaded.
    pub(super) fn certificates(&self) -> Option<Result<Vec<X509>, PkiError>> {
        let (name, content) = self.brought()?;
        Some(read::certificates_in(&name, content, self.password().as_ref()))
    }
}

impl Upload {
    /// The uploaded CRLs; `None` if nothing was uploaded.
    pub(super) fn crls(&self) -> Option<Result<Vec<X509Crl>, PkiError>> {
        let (name, content) = self.brought()?;
        Some(read::crls_of(&name, content))
    }
}

/// The name of a part or of its file, in which browsers write a quotation mark as %22.
fn bounded(name: &str) -> String {
    let name: String = name.chars().filter(|c| !c.is_control()).take(200).collect();
    name.replace("%22", "\"")
}

/// The fields of a form that uploads a certificate.
pub(super) fn fields(w: &'static Words) -> Vec<Field> {
    vec![
        file_field(w).with(w.file_hint),
        Field::of(Shape::Lines, PASTED, w.pasted, "").with(w.pasted_hint),
        Field::of(Shape::Password, PASSWORD, w.file_password, "").with(w.file_password_hint),
    ]
}

/// The field that uploads a file.
pub(super) fn file_field(w: &'static Words) -> Field {
    Field::of(Shape::File, FILE, w.file, "")
}

/// The fields of a form that uploads a CRL.
pub(super) fn crl_fields(w: &'static Words) -> Vec<Field> {
    vec![
        Field::of(Shape::File, FILE, w.file, "").with(w.crl_file_hint),
        Field::of(Shape::Lines, PASTED, w.pasted, "").with(w.crl_pasted_hint),
    ]
}

/// The field that uploads a private key.
pub(super) fn key_field(w: &'static Words) -> Field {
    Field::of(Shape::File, KEY, w.key_file, "").with(w.key_file_hint)
}

/// Marks a form as one that uploads files.
pub(super) fn form(mut form: FormBlock) -> FormBlock {
    form.is_upload = true;
    form
}

#[cfg(test)]
mod tests {
    use super::{Fault, LARGEST, MOST, Upload};
    use crate::db::scratch::run;
    use axum::body::Body;
    use axum::extract::Request;

    /// A part of a form with the boundary x.
    fn part(disposition: &str, content: &str) -> String {
        format!("--x\r\nContent-Disposition: form-data; {disposition}\r\n\r\n{content}\r\n")
    }

    fn read_as(kind: &str, body: impl Into<Body>) -> Result<Upload, Fault> {
        let request = Request::builder().header("content-type", kind).body(body.into()).unwrap();
        run(Upload::read(request, LARGEST))
    }

    fn read(body: &str) -> Result<Upload, Fault> {
        read_as("multipart/form-data; boundary=x", body.to_owned())
    }

    #[test]
    fn the_parts_of_a_form_are_fields_and_a_file() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n2\r\n--x\r\nContent-Disposition: \
                    form-data; name=\"file\"; filename=\"c%22.pem\"\r\nContent-Type: text/plain\r\n\r\n\0--y\r\n\
                    --x--\r\n";
        let upload = read(body).unwrap();
        assert_eq!(upload.fields.exact("a"), "1\r\n2");
        let (field, name, content) = &upload.files[0];
        assert_eq!((field.as_str(), name.as_str(), content.as_slice()), ("file", "c\".pem", &b"\0--y"[..]));
        // The user has chosen no file.
        let none = part("name=\"file\"; filename=\"\"", "") + "--x--\r\n";
        assert!(read(&none).unwrap().brought().is_none());
    }

    #[test]
    fn a_file_name_is_short_and_has_no_control_characters() {
        let long = format!("name=\"file\"; filename=\"\t\u{85}{}\"", "ä".repeat(300));
        assert_eq!(read(&(part(&long, "1") + "--x--")).unwrap().file_name(), "ä".repeat(200));
    }

    #[test]
    fn what_is_cut_off_or_no_form_is_not_taken() {
        for bad in [
            "",
            "--x",
            "--x\r\n",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1",
            "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--",
            "--x\r\nContent-Type: a\r\n\r\n1\r\n--x--",
        ] {
            assert_eq!(read(bad).err(), Some(Fault::Form), "{bad}");
        }
        let no_text = b"--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--x--";
        assert_eq!(read_as("multipart/form-data; boundary=x", &no_text[..]).err(), Some(Fault::Form));
        let good = part("name=\"a\"", "1") + "--x--";
        assert!(read_as("multipart/form-data; boundary=\"x\"", good.clone()).is_ok());
        for bad in ["multipart/form-data", "text/plain; boundary=x", "multipart/form-data; boundary="] {
            assert_eq!(read_as(bad, good.clone()).err(), Some(Fault::Form), "{bad}");
        }
    }

    #[test]
    fn a_form_has_a_largest_size_and_most_parts() {
        let file = |size| part("name=\"file\"; filename=\"f\"", &"1".repeat(size)) + "--x--";
        let most = LARGEST - file(0).len();
        assert!(read(&file(most)).is_ok());
        assert_eq!(read(&file(most + 1)).err(), Some(Fault::TooLarge));
        // Without an end, too.
        assert_eq!(read(&"1".repeat(LARGEST + 1)).err(), Some(Fault::TooLarge));
        for (disposition, content) in [("name=\"a\"", "1"), ("name=\"file\"; filename=\"\"", "")] {
            let parts = |count| part(disposition, content).repeat(count) + "--x--";
            assert!(read(&parts(MOST)).is_ok());
            assert_eq!(read(&parts(MOST + 1)).err(), Some(Fault::Form));
        }
    }
}
