//! `--network` of a partner: the networks from which it may connect.

use super::args::Invocation;
use super::output;
use crate::change::partner_members::{self, WrongMember};
use common::config::Partner;

/// The value of the option; none: it is missing.
pub(super) fn given(invocation: &Invocation) -> Result<Option<Vec<String>>, WrongMember> {
    let values = invocation.values("network");
    if values.is_empty() {
        return Ok(None);
    }
    let texts: Vec<&str> = values.iter().flat_map(|value| value.split(',')).map(str::trim).collect();
    if texts == [""] {
        return Ok(Some(Vec::new()));
    }
    partner_members::networks(texts).map(Some)
}

/// The networks as text for a list of partners.
pub(super) fn text(partner: &Partner) -> String {
    output::or_dash((!partner.networks.is_empty()).then(|| partner.networks.join(", ")))
}
