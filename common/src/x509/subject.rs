//! Distinguished names: as one line of text, and whether two are the same. A peer may have chosen them: log lines and
//! terminals escape the text.

use crate::text::shortened;
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::x509::X509NameRef;
use std::cmp::Ordering;

/// Whether two names are the same (RFC 5280 section 7.1): the string type, the case of ASCII letters, and repeated,
/// leading or trailing spaces make no difference. OpenSSL compares names in the same way to find issuers and CRLs.
///
/// # Errors
/// OpenSSL has no memory.
pub fn is_same(one: &X509NameRef, other: &X509NameRef) -> Result<bool, ErrorStack> {
    Ok(one.try_cmp(other)? == Ordering::Equal)
}

/// A form of a name's `text` that is equal for all equal names. Different names may have the same form: it finds
/// candidates for [`is_same`].
pub fn folded(text: &str) -> String {
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let joined = words.join(" ").replace(" ,", ",").replace(", ", ",").replace("= ", "=");
    joined.to_ascii_lowercase()
}

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

/// The same, limited to `limit` octets.
pub fn bounded_text(name: &X509NameRef, limit: usize) -> String {
    shortened(text(name), limit)
}

/// The value of the first attribute of the type `nid` that is text.
pub fn attribute(name: &X509NameRef, nid: Nid) -> Option<String> {
    name.entries_by_nid(nid).next()?.data().to_string().ok()
}

#[cfg(test)]
mod tests {
    use super::{attribute, bounded_text, folded, is_same, text};
    use openssl::asn1::Asn1Type;
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

    fn typed(organisation: &str, common: &str, kind: Asn1Type) -> X509Name {
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_nid_with_type(Nid::ORGANIZATIONNAME, organisation, kind).unwrap();
        name.append_entry_by_nid_with_type(Nid::COMMONNAME, common, kind).unwrap();
        name.build()
    }

    #[test]
    fn type_case_and_blanks_of_a_name_make_no_difference() {
        let one = typed("Acme AG", "Acme CA 1", Asn1Type::PRINTABLESTRING);
        for (organisation, common, kind) in [
            ("Acme AG", "Acme CA 1", Asn1Type::UTF8STRING),
            ("\0A\0c\0m\0e\0 \0A\0G", "\0A\0c\0m\0e\0 \0C\0A\0 \x001", Asn1Type::BMPSTRING),
            ("ACME ag", "acme ca 1", Asn1Type::PRINTABLESTRING),
            ("  Acme  AG ", "Acme   CA 1 ", Asn1Type::UTF8STRING),
        ] {
            let other = typed(organisation, common, kind);
            assert!(is_same(&one, &other).unwrap(), "{organisation} {common}");
            assert_eq!(folded(&text(&one)), folded(&text(&other)));
        }
        for (organisation, common) in
            [("AcmeAG", "Acme CA 1"), ("Acme AG", "Acme CA 2"), ("Acme CA 1", "Acme AG")]
        {
            let other = typed(organisation, common, Asn1Type::PRINTABLESTRING);
            assert!(!is_same(&one, &other).unwrap(), "{organisation} {common}");
            assert_ne!(folded(&text(&one)), folded(&text(&other)));
        }
    }
}
