//! Adds and changes the listeners of clients: all rules for them hold, whoever asks for it.

use super::{ChangeError, rules};
use crate::db::Change;
use crate::store::proxies::{self, ProxyClient};
use common::config::Partner;

/// Adds a listener, or replaces the one for the same purpose. Gives the partner to which it is tied.
pub(crate) async fn put(change: &mut Change, client: &ProxyClient) -> Result<Option<Partner>, ChangeError> {
    let partner = rules::check_listener(change, client).await?;
    proxies::put_client(change, client).await?;
    Ok(partner)
}
