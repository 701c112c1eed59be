//! Enables or disables several partners at once, after a confirmation: all of them, or none.

use super::Panel;
use super::act::Reach;
use super::fields::Form;
use super::gate::SignedIn;
use super::list::Selection;
use super::page::Fault;
use super::partners::PATH;
use super::parts;
use super::rights::Right;
use super::second_look::Look;
use super::words::Words;
use crate::change::{Act, partners, rules};
use crate::settings::yes_no;
use axum::extract::State;
use axum::response::Response;
use common::config::Partner;
use std::sync::Arc;

/// The path of the form.
pub(super) const ENABLED: &str = "/partners-enabled";
/// The name of the field with the short name of a selected partner.
pub(super) const PARTNER: &str = "partner";

/// Most names in the title of the page that asks for the confirmation.
const NAMED: usize = 5;

/// The form below the partner table.
pub(super) fn selection(who: &SignedIn) -> Selection {
    let w = who.0.words;
    Selection {
        action: ENABLED,
        token: who.1.form_token.clone(),
        title: w.selected_partners,
        name: "enabled",
        buttons: vec![("yes", w.enable), ("no", w.disable)],
    }
}

/// Enables or disables the selected partners.
pub(super) async fn enable(
    State(panel): State<Arc<Panel>>,
    who: SignedIn,
    Form(fields): Form,
) -> Result<Response, Fault> {
    who.need(Right::Operate)?;
    let w = who.0.words;
    let enabled = yes_no(fields.text("enabled")).ok_or(Fault::Form)?;
    let names = fields.all(PARTNER);
    if names.is_empty() {
        return parts::refused(&who, w.nothing_selected, PATH);
    }
    let look = Look {
        title: title(w, enabled, &names),
        meanings: if enabled { Vec::new() } else { vec![w.disable_several_meaning.to_owned()] },
        shows_effect: true,
        back: PATH,
        ..Look::default()
    };
    let set = async |act: &mut Act| {
        for name in &names {
            let partner = rules::need_partner(act, name).await?;
            partners::put(act, &Partner { enabled, ..partner }).await?;
        }
        Ok(())
    };
    let act = (Reach::Daemons, who.order("partner set", &fields));
    panel.act_confirmed(&who, &fields, act, look, set).await?.respond(&who, PATH, "saved")
}

/// The act and its partners: their names if they are few, otherwise their number.
fn title(w: &'static Words, enabled: bool, names: &[&str]) -> String {
    let act = if enabled { w.enable } else { w.disable };
    if names.len() > NAMED {
        return format!("{act}: {} {}", names.len(), w.partners);
    }
    format!("{act}: {}", names.join(", "))
}
