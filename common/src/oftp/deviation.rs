//! The deviations from the RFC that the tolerant profile accepts, by number, and sets of them.
//!
//! `man/doc/deviations.md` says for each which stacks show it and why it is harmless; a test compares it with this
//! table.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// Makes `Deviation`, its texts and the list of all from the same rows. A row: `NUMBER "TEXT"`.
macro_rules! deviations {
    ($($(#[doc = $doc:literal])+ $number:ident $text:literal)+) => {
        /// A deviation that the tolerant profile accepts because real stacks show it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Deviation {
            $($(#[doc = $doc])+ $number,)+
        }

        impl Deviation {
            /// Each of them, in the order of the numbers.
            pub const ALL: [Self; [$($text),+].len()] = [$(Self::$number),+];

            /// A short description.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$number => $text,)+
                }
            }
        }
    };
}

deviations! {
    /// EFID at credit 0; then one CDT before the answer.
    C1 "EFID while the credit is 0"
    /// ESID 00 by the Speaker without a Change Direction before it.
    C2 "ESID 00 without a Change Direction before it"
    /// Embedded or leading spaces, `_` and lower case in X fields.
    C3 "space, underscore or lower case in an alphanumeric field"
    /// Time counter 0000.
    C4 "time counter 0000"
    /// Carriage return missing, or the fields that level 5 has added at the end of a command.
    C5 "carriage return or the tail of level 5 missing"
    /// CDT without its reserved octets.
    C6 "CDT without its reserved octets"
    /// ESID in the form of another level.
    C7 "ESID in the form of another level"
    /// The Responder's SSID above the offer: the lower value counts.
    C8 "Responder's SSID above the offer"
    /// Reason code that the level does not define.
    C9 "reason code that this level does not define"
    /// End of record missing at the end of a file, or more than one in a text file.
    C10 "end of record missing at the end of the file, or repeated in a text file"
    /// Error ESID instead of SSRM.
    C11 "ESID instead of SSRM"
    /// Special logic offered, and declined.
    C12 "special logic offered on TCP"
    /// Printable octets outside of the set in X fields.
    C13 "printable character outside of the RFC's set in an alphanumeric field"
    /// Latin-1 where UTF-8 is due.
    C14 "text that is not UTF-8"
    /// A record length for a file without records.
    C15 "record length for a file without records"
    /// Spaces in place of leading zeros.
    C16 "number padded with spaces"
    /// Something in reserved octets.
    C17 "reserved octets that are not spaces"
    /// Fewer octets than SFIDLRECL in a record of a file of fixed records.
    C18 "record shorter than SFIDLRECL in a file of fixed records"
    /// Many subrecords of no octets, compressed ones of no octets, and any behind the end of the file.
    C19 "subrecords that carry nothing"
}

impl Deviation {
    /// The deviation with this number, `C1` or `c1`.
    pub fn numbered(number: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|deviation| deviation.to_string().eq_ignore_ascii_case(number))
    }

    /// How an operator can allow it where it was refused.
    pub(super) fn remedy(self) -> String {
        format!("the profile tolerant accepts it as {self}, and --allow {self} alone")
    }
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// A set of deviations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deviations(u32);

impl Deviations {
    /// None of them.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self((1_u32 << Deviation::ALL.len()).wrapping_sub(1));

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::NONE
    }

    /// Whether `deviation` is one of them.
    pub fn has(self, deviation: Deviation) -> bool {
        self.0 & (1 << (deviation as u32)) != 0
    }

    /// Adds one; false if it was there already.
    pub fn add(&mut self, deviation: Deviation) -> bool {
        let is_new = !self.has(deviation);
        self.0 |= 1 << (deviation as u32);
        is_new
    }

    /// In the order of the numbers.
    pub fn iter(self) -> impl Iterator<Item = Deviation> {
        Deviation::ALL.into_iter().filter(move |deviation| self.has(*deviation))
    }
}

impl FromIterator<Deviation> for Deviations {
    fn from_iter<I: IntoIterator<Item = Deviation>>(deviations: I) -> Self {
        let mut set = Self::NONE;
        for deviation in deviations {
            set.add(deviation);
        }
        set
    }
}

/// The numbers with a comma and a space between them.
impl fmt::Display for Deviations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, deviation) in self.iter().enumerate() {
            write!(f, "{}{deviation}", if place == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A list of numbers.
impl Serialize for Deviations {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(|deviation| deviation.to_string()))
    }
}

/// A number that this program does not know yet is ignored: this program can neither tolerate nor find that deviation.
impl<'de> Deserialize<'de> for Deviations {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let numbers = Vec::<String>::deserialize(deserializer)?;
        Ok(numbers.iter().filter_map(|number| Deviation::numbered(number)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::{Deviation, Deviations};

    const DOCUMENT: &str = include_str!("../../../man/doc/deviations.md");

    #[test]
    fn each_deviation_has_its_row_and_its_section_in_the_document() {
        for (deviation, number) in Deviation::ALL.into_iter().zip(1..) {
            assert_eq!(deviation.to_string(), format!("C{number}"));
            let row = format!("| {deviation} | {} | ", deviation.text());
            assert!(DOCUMENT.lines().any(|line| line.starts_with(&row)), "no row '{row}'");
            let heading = format!("## {deviation}: ");
            assert!(DOCUMENT.lines().any(|line| line.starts_with(&heading)), "no section '{heading}'");
        }
        assert_eq!(DOCUMENT.lines().filter(|line| line.starts_with("| C")).count(), Deviation::ALL.len());
    }

    #[test]
    fn a_set_has_what_was_added_once() {
        let mut set = Deviations::NONE;
        for deviation in Deviation::ALL {
            assert!(!set.has(deviation) && set.add(deviation) && set.has(deviation) && !set.add(deviation));
        }
        assert_eq!(set.iter().collect::<Vec<_>>(), Deviation::ALL);
        assert_eq!(set, Deviations::ALL);
        assert_eq!(Deviations::NONE.iter().next(), None);
    }

    #[test]
    fn a_set_travels_as_its_numbers_and_unknown_ones_stand_for_nothing() {
        let set: Deviations = [Deviation::C17, Deviation::C2].into_iter().collect();
        assert_eq!(
            (serde_json::to_string(&set).unwrap(), set.to_string()),
            (r#"["C2","C17"]"#.into(), "C2, C17".into())
        );
        let read = |text| serde_json::from_str::<Deviations>(text).unwrap();
        assert_eq!((read(r#"["C17","C2","C999",""]"#), read("[]")), (set, Deviations::NONE));
        assert_eq!((Deviation::numbered("c17"), Deviation::numbered("17")), (Some(Deviation::C17), None));
    }
}
