//! Distinguished names as one line of text. A peer may have chosen them: log lines and terminals escape the text.

use crate::text::shortened;
use openssl::nid::Nid;
use openssl::x509::X509NameRef;

/// The attributes in their order, as `O=Acme AG, CN=acme.example`; `?` for a type without a short name and for a value
/// that is no text.
pub fn text(name: &X509NameRef) -> String {
    let attributes = name.entries().map(|entry| {
        let kind = entry.object().nid().short_name().unwrap_or("?");
        let value = entry.data().to_string().unwrap_or_else(|_| "?".to_owned());
        format!("{kind}={value}")
    });
    attributes.collect::<Vec<_>>().join(", ")
}

/// The same, in at most `limit` octets.
pub fn bounded_text(name: &X509NameRef, limit: usize) -> String {
    shortened(text(name), limit)
}

/// The value of the first attribute of the type `nid` that is text.
pub fn attribute(name: &X509NameRef, nid: Nid) -> Option<String> {
    name.entries_by_nid(nid).next()?.data().to_string().ok()
}

#[cfg(test)]
mod tests {
    use super::{attribute, bounded_text, text};
    use openssl::nid::Nid;
    use openssl::x509::{X509Name, X509NameBuilder};

    fn name() -> X509Name {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("O", "M\u{fc}ller, AG").unwrap();
        name.append_entry_by_text("CN", "acme.example").unwrap();
        name.build()
    }

    #[test]
    fn attributes_stand_in_their_order() {
        assert_eq!(text(&name()), "O=M\u{fc}ller, AG, CN=acme.example");
        assert_eq!(attribute(&name(), Nid::COMMONNAME).as_deref(), Some("acme.example"));
        assert_eq!(attribute(&name(), Nid::SERIALNUMBER), None);
    }

    #[test]
    fn a_long_name_is_cut() {
        assert_eq!(bounded_text(&name(), 200), text(&name()));
        assert_eq!(bounded_text(&name(), 9), "O=M\u{fc}l...");
    }
}
