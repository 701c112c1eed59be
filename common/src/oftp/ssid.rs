//! Start Session: what the SSID of each side says, and what both agree on (RFC 5024 §5.3.2, §3.2, §9.7).
//!
//! The password is checked like the other fields and then dropped: no type here has it.

use super::command::CommandCode;
use super::deviation::Deviation;
use super::escape::{quoted, trimmed};
use super::layout::Layout;
use super::level::Level;
use super::message::{number, offset_of, value};
use super::profile::Profile;
use super::reason_codes::EsidReason;
use super::side::Side;
use super::violation::{MessageFault, Violation};

/// The direction of files that a side supports (SSIDSR).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Capability {
    /// Sends only.
    Send,
    /// Receives only.
    Receive,
    /// Both.
    Both,
}

impl Capability {
    fn sends(self) -> bool {
        self != Self::Receive
    }

    fn receives(self) -> bool {
        self != Self::Send
    }
}

/// One side's Start Session, without its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssid {
    level: Level,
    code: String,
    /// SSIDSDEB: largest DATA Exchange Buffer that this side accepts, 128 to 99,999 octets.
    buffer_size: u32,
    /// SSIDCRED: DATA buffers that may be sent before a CDT, 1 to 999.
    credit: u16,
    capability: Capability,
    features: Features,
}

impl Ssid {
    /// Reads a checked SSID.
    pub(super) fn read(oeb: &[u8], layout: Layout) -> Self {
        let field = |name| value(layout, oeb, name).unwrap_or_default();
        let text = |name| String::from_utf8_lossy(trimmed(field(name))).into_owned();
        let yes = |name, feature| if field(name) == b"Y" { feature } else { Features::NONE };
        Self {
            level: layout.level,
            code: text("SSIDCODE"),
            buffer_size: u32::try_from(number(layout, oeb, "SSIDSDEB")).unwrap_or(128),
            credit: u16::try_from(number(layout, oeb, "SSIDCRED")).unwrap_or(1),
            capability: match field("SSIDSR") {
                b"S" => Capability::Send,
                b"R" => Capability::Receive,
                _ => Capability::Both,
            },
            features: yes("SSIDCMPR", Features::COMPRESSION)
                .or(yes("SSIDREST", Features::RESTART))
                .or(yes("SSIDSPEC", Features::SPECIAL_LOGIC))
                .or(yes("SSIDAUTH", Features::AUTHENTICATION)),
        }
    }

    /// SSIDLEV: the level offered.
    pub fn level(&self) -> Level {
        self.level
    }

    /// SSIDCODE without trailing spaces; printable ASCII.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The first field in which it exceeds `offer`.
    fn beyond(&self, offer: &Self) -> Option<&'static str> {
        let more = [
            (self.level > offer.level, "SSIDLEV"),
            (self.buffer_size > offer.buffer_size, "SSIDSDEB"),
            (!self.features.within(offer.features, Features::COMPRESSION), "SSIDCMPR"),
            (!self.features.within(offer.features, Features::RESTART), "SSIDREST"),
            (!self.features.within(offer.features, Features::SPECIAL_LOGIC), "SSIDSPEC"),
            (self.credit > offer.credit, "SSIDCRED"),
        ];
        more.into_iter().find(|(is_more, _)| *is_more).map(|(_, field)| field)
    }

    /// SSIDSPEC.
    pub fn special_logic(&self) -> bool {
        self.features.has(Features::SPECIAL_LOGIC)
    }

    /// SSIDAUTH; below level 5 there is none.
    pub fn authentication(&self) -> bool {
        self.features.has(Features::AUTHENTICATION)
    }
}

/// Features that a side accepts with Y: a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Features(u8);

impl Features {
    const NONE: Self = Self(0);
    pub(super) const COMPRESSION: Self = Self(1);
    pub(super) const RESTART: Self = Self(2);
    const SPECIAL_LOGIC: Self = Self(4);
    pub(super) const AUTHENTICATION: Self = Self(8);

    pub(super) fn has(self, feature: Self) -> bool {
        self.0 & feature.0 != 0
    }

    fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether `feature` is in both or not in this one: it is not added to `offer`.
    fn within(self, offer: Self, feature: Self) -> bool {
        offer.has(feature) || !self.has(feature)
    }
}

/// A tolerated deviation of the negotiation: the side, and the field.
type Tolerated = Option<(Deviation, Side, Option<&'static str>)>;

/// Why two SSIDs do not agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Conflict {
    /// SSIDAUTH differs; below level 5 it counts as N.
    Authentication,
    /// No side receives what the other one sends.
    Direction,
    /// Special logic is for X.25: both sides want it; in the strict profile, one side is enough.
    SpecialLogic,
    /// The answer exceeds the offer in this field; only in the strict profile.
    BeyondOffer(&'static str),
}

impl Conflict {
    /// The ESID reason that reports it (RFC 5024 §5.3.11).
    fn reason(self) -> EsidReason {
        match self {
            Self::Authentication => EsidReason::AuthenticationIncompatible,
            Self::Direction | Self::SpecialLogic | Self::BeyondOffer(_) => EsidReason::IncompatibleMode,
        }
    }

    /// The field of the answer with the conflict.
    fn field(self) -> &'static str {
        match self {
            Self::Authentication => "SSIDAUTH",
            Self::Direction => "SSIDSR",
            Self::SpecialLogic => "SSIDSPEC",
            Self::BeyondOffer(field) => field,
        }
    }

    /// A short description, for a session that is only analysed.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Authentication => "the two SSIDAUTH differ",
            Self::Direction => "the two SSIDSR leave no direction for files",
            Self::SpecialLogic => "special logic on TCP (SSIDSPEC)",
            Self::BeyondOffer(_) => "the Responder's SSID goes beyond the offer",
        }
    }

    /// What would be right, and who can change it.
    fn expectation(self) -> String {
        match self {
            Self::Authentication => {
                "the SSIDAUTH of the offer: secure authentication (SSIDAUTH, level 5) has to \
                                     be on at the partner and the station, or off at both"
                    .into()
            }
            Self::Direction => {
                "a side that receives what the other one sends: both SSIDSR are the same".into()
            }
            Self::SpecialLogic => {
                format!(
                    "N on both sides, special logic is for X.25; where one side alone says Y, {}",
                    Deviation::C12.remedy()
                )
            }
            Self::BeyondOffer(_) => format!("no more than the offer; {}", Deviation::C8.remedy()),
        }
    }

    /// Why the Responder's SSID may not pass: the negotiation has failed.
    pub(super) fn violation(self, layout: Layout, oeb: &[u8]) -> Violation {
        let field = self.field();
        let found = match value(layout, oeb, field) {
            Some(octets) => quoted(octets),
            None => format!("level {}, which has none,", layout.level),
        };
        let fault = MessageFault::content(field, offset_of(layout, oeb, field), found, self.expectation());
        MessageFault { reason: self.reason(), ..fault }.of(Side::Responder, Some(CommandCode::Ssid))
    }
}

/// The result of the negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) level: Level,
    /// Largest DATA Exchange Buffer, octets.
    pub(super) buffer_size: usize,
    /// DATA buffers of one credit.
    pub(super) window: u32,
    /// Features that both sides have.
    pub(super) agreed: Features,
    pub(super) initiator_sends: bool,
    pub(super) responder_sends: bool,
    /// The first conflict: only an ESID may follow.
    pub(super) conflict: Option<Conflict>,
    pub(super) deviations: [Tolerated; 2],
}

impl Terms {
    /// Lower values and common features count (RFC 5024 §3.2.1, §5.3.2). If the answer exceeds the offer, the strict
    /// profile reports a conflict, and the tolerant profile takes the lower value (C8).
    pub(super) fn negotiate(offer: &Ssid, answer: &Ssid, profile: Profile) -> Self {
        let agreed = offer.features.and(answer.features);
        let exceeds = answer.beyond(offer);
        let initiator_sends = offer.capability.sends() && answer.capability.receives();
        let responder_sends = answer.capability.sends() && offer.capability.receives();
        // Special logic is for X.25. Real stacks offer it on TCP nevertheless and accept a no (C12).
        let declined = offer.special_logic() && !answer.special_logic();
        // Below level 5 there is no secure authentication. So such an answer to an offer with authentication is a
        // conflict: interoperability tests check that this downgrade is refused.
        let conflict = if offer.authentication() != answer.authentication() {
            Some(Conflict::Authentication)
        } else if !initiator_sends && !responder_sends {
            Some(Conflict::Direction)
        } else if agreed.has(Features::SPECIAL_LOGIC) || (declined && !profile.accepts(Deviation::C12)) {
            Some(Conflict::SpecialLogic)
        } else {
            exceeds.filter(|_| !profile.accepts(Deviation::C8)).map(Conflict::BeyondOffer)
        };
        Self {
            level: offer.level.min(answer.level),
            buffer_size: usize::try_from(offer.buffer_size.min(answer.buffer_size)).unwrap_or(128),
            window: u32::from(offer.credit.min(answer.credit)),
            agreed,
            initiator_sends,
            responder_sends,
            conflict,
            deviations: [
                exceeds.map(|_| (Deviation::C8, Side::Responder, None)),
                declined.then_some((Deviation::C12, Side::Initiator, Some("SSIDSPEC"))),
            ],
        }
    }
}
