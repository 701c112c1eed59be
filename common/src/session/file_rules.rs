//! Whether a partner may send a file: compares its name and its announced size with the rules of the partner's row.
//! Pure functions; the inspector calls them when a file is offered.

use crate::config::FileRules;

/// Why a file may not be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileRefusal {
    /// No pattern matches its name.
    Name,
    /// It is larger than this many blocks of 1,024 octets.
    Size(u64),
}

impl FileRefusal {
    /// The first rule that a file with this name and this number of blocks breaks.
    pub fn of(rules: &FileRules, name: &[u8], blocks: u64) -> Option<Self> {
        if !rules.names.is_empty() && !rules.names.iter().any(|pattern| fits(pattern.as_bytes(), name)) {
            return Some(Self::Name);
        }
        rules.max_size.filter(|most| blocks > *most).map(Self::Size)
    }

    /// SFNAREAS (RFC 5024 §5.3.5): invalid filename, or file size is too big.
    pub fn reason(self) -> u8 {
        match self {
            Self::Name => 1,
            Self::Size(_) => 6,
        }
    }

    /// SFNAREAST, for a person at the partner's side.
    pub fn text(self) -> String {
        match self {
            Self::Name => "files of this name are not accepted from you".to_owned(),
            Self::Size(most) => format!("files of more than {most} KiB are not accepted from you"),
        }
    }

    /// What an operator can do about it.
    pub fn remedy(self) -> &'static str {
        match self {
            Self::Name => "no pattern fits its name; 'os4xapi partner set --file-names' sets them",
            Self::Size(_) => "larger than allowed; 'os4xapi partner set --max-file-size' sets the limit",
        }
    }
}

/// Whether `pattern` matches all of `name`: `*` stands for any octets, `?` for one. Each `*` is retried only until the
/// next `*` has matched, so the time is limited by the product of both lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, n));
                p += 1;
            }
            Some(&octet) if octet == b'?' || Some(&octet) == name.get(n) => {
                p += 1;
                n += 1;
            }
            _ => {
                let Some((behind, from)) = retry else { return false };
                retry = Some((behind, from + 1));
                (p, n) = (behind, from + 1);
            }
        }
    }
    pattern.get(p..).unwrap_or_default().iter().all(|&octet| octet == b'*')
}

#[cfg(test)]
mod tests {
    use super::{FileRefusal, fits};
    use crate::config::FileRules;

    #[test]
    fn patterns_match_whole_names() {
        for (pattern, name) in [
            ("*", ""),
            ("ORDER*", "ORDER"),
            ("ORDER*.TXT", "ORDER.1.TXT"),
            ("A?C", "ABC"),
            ("*A*B", "AAXB"),
            ("A", "A"),
        ] {
            assert!(fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        assert!(fits(b"PR?FUNG", b"PR\xdcFUNG") && fits(b"PR??FUNG", "PRÜFUNG".as_bytes()));
        for (pattern, name) in
            [("", "A"), ("ORDER", "ORDERS"), ("A?C", "AC"), ("*A*B", "ABC"), ("order", "ORDER")]
        {
            assert!(!fits(pattern.as_bytes(), name.as_bytes()), "{pattern} {name}");
        }
        assert!(!fits(&b"*A".repeat(13), &[b'A'; 26][..12]));
    }

    #[test]
    fn names_count_before_sizes_and_no_rule_is_no_refusal() {
        let rules = |max_size, names: &[&str]| FileRules {
            max_size,
            names: names.iter().map(|&name| name.to_owned()).collect(),
        };
        assert_eq!(FileRefusal::of(&rules(None, &[]), b"ANY", u64::MAX), None);
        let both = rules(Some(10), &["ORDER*", "INVOICE"]);
        assert_eq!(FileRefusal::of(&both, b"INVOICE", 10), None);
        assert_eq!(FileRefusal::of(&both, b"ORDER7", 11), Some(FileRefusal::Size(10)));
        assert_eq!(FileRefusal::of(&both, b"OTHER", 11), Some(FileRefusal::Name));
        assert_eq!((FileRefusal::Name.reason(), FileRefusal::Size(1).reason()), (1, 6));
    }
}
