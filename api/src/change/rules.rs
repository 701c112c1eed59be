//! The rules between rows, whoever changes one of them: a partner and its certificate rule, SSIDCODEs that are unique,
//! listeners at different places.

use super::{ChangeError, Need, Obstacle};
use crate::store::partners;
use crate::store::proxies::{self, ProxyClient};
use common::config::{CertificateRule, MAX_TIED, Partner};
use sqlx::AnyConnection;

/// Refuses a partner that conflicts with others.
pub(super) async fn check_partner(
    connection: &mut AnyConnection,
    partner: &Partner,
) -> Result<(), ChangeError> {
    if partner.certificate == CertificateRule::Pinned && partner.pins.is_empty() {
        return Err(Need::Pin { partner: partner.short_name.clone() }.into());
    }
    match partners::named(connection, &partner.ssid).await?.filter(|other| *other != partner.short_name) {
        None => Ok(()),
        Some(other) => Err(Obstacle::SsidTaken { ssid: partner.ssid.clone(), partner: other }.into()),
    }
}

/// The partner of this short name, or an error.
pub(crate) async fn need_partner(connection: &mut AnyConnection, name: &str) -> Result<Partner, ChangeError> {
    let mut all = partners::all(connection).await?.into_iter();
    all.find(|partner| partner.short_name == name).ok_or_else(|| no_partner(name))
}

/// The error if there is no partner of this short name.
pub(super) fn no_partner(name: &str) -> ChangeError {
    Obstacle::NoPartner(name.to_owned()).into()
}

/// Refuses a listener that the client could not open beside the others. Gives the partner to which it is tied.
pub(super) async fn check_listener(
    connection: &mut AnyConnection,
    client: &ProxyClient,
) -> Result<Option<Partner>, ChangeError> {
    let partner = match &client.partner {
        Some(name) => Some(need_partner(connection, name).await?),
        None => None,
    };
    match obstacle(&proxies::clients(connection).await?, client) {
        Some(why) => Err(why),
        None => Ok(partner),
    }
}

/// Why the client could not open this listener beside the listed ones.
fn obstacle(listed: &[ProxyClient], client: &ProxyClient) -> Option<ChangeError> {
    let address = &client.address;
    if let Some(other) = listed.iter().find(|other| other.is_in_the_way_of(client)) {
        let partner = other.partner.clone();
        return Some(Need::Place { client: address.clone(), port: client.listen_port, partner }.into());
    }
    let others = listed.iter().filter(|other| other.address == *address && !other.is_same(client));
    let tied = others.filter(|other| other.partner.is_some()).count();
    (client.partner.is_some() && tied >= MAX_TIED)
        .then(|| Obstacle::ManyListeners { client: address.clone(), tied }.into())
}

#[cfg(test)]
mod tests {
    use super::{MAX_TIED, ProxyClient, obstacle};
    use std::net::IpAddr;

    fn listener(partner: usize) -> ProxyClient {
        ProxyClient {
            address: IpAddr::from([10, 1, 0, 1]).into(),
            partner: Some(format!("p{partner}")).filter(|_| partner > 0),
            listen_ip: None,
            listen_port: 1000 + u16::try_from(partner).unwrap(),
            networks: Vec::new(),
            name: String::new(),
        }
    }

    #[test]
    fn a_client_has_no_more_tied_listeners_than_it_opens() {
        let full: Vec<ProxyClient> = (1..=MAX_TIED).map(listener).collect();
        let more = listener(MAX_TIED + 1);
        assert!(obstacle(&full[1..], &more).is_none());
        assert!(obstacle(&full, &more).unwrap().to_string().contains("255 tied listeners"));
        // Changing a listener adds none, nor does the one for proxy requests, nor another client's.
        assert!(obstacle(&full, &listener(1)).is_none());
        assert!(obstacle(&full, &listener(0)).is_none());
        assert!(
            obstacle(&full, &ProxyClient { address: IpAddr::from([10, 1, 0, 2]).into(), ..more }).is_none()
        );
    }
}
