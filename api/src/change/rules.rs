//! What must hold between the rows, whoever changes one of them: a partner and its certificate rule, SSIDCODEs that are
//! unique, listeners at places of their own.

use super::ChangeError;
use crate::store::partners;
use crate::store::proxies::{self, ProxyClient};
use common::config::{CertificateRule, MAX_TIED, Partner};
use sqlx::AnyConnection;

/// Refuses a partner that cannot be beside the others.
pub(crate) async fn check_partner(
    connection: &mut AnyConnection,
    partner: &Partner,
) -> Result<(), ChangeError> {
    if partner.certificate == CertificateRule::Pinned && partner.pins.is_empty() {
        return Err(ChangeError::Refused(format!(
            "partner '{}' has the rule 'pinned' and no pinned certificate: give one with --pin, or another rule",
            partner.short_name
        )));
    }
    match partners::named(connection, &partner.ssid).await?.filter(|other| *other != partner.short_name) {
        None => Ok(()),
        Some(other) => Err(ChangeError::Refused(format!(
            "the SSIDCODE '{}' belongs to partner '{other}' already",
            partner.ssid
        ))),
    }
}

/// The partner of this short name, which must be there.
pub(crate) async fn need_partner(connection: &mut AnyConnection, name: &str) -> Result<Partner, ChangeError> {
    let mut all = partners::all(connection).await?.into_iter();
    all.find(|partner| partner.short_name == name).ok_or_else(|| no_partner(name))
}

/// There is none of this short name.
pub(crate) fn no_partner(name: &str) -> ChangeError {
    ChangeError::Refused(format!("there is no partner '{name}': 'os4xapi partner list' shows them"))
}

/// Refuses a listener that the client could not open beside the others. Gives the partner that it is tied to.
pub(crate) async fn check_listener(
    connection: &mut AnyConnection,
    client: &ProxyClient,
) -> Result<Option<Partner>, ChangeError> {
    let partner = match &client.partner {
        Some(name) => Some(need_partner(connection, name).await?),
        None => None,
    };
    match obstacle(&proxies::clients(connection).await?, client) {
        Some(why) => Err(ChangeError::Refused(why)),
        None => Ok(partner),
    }
}

/// Why the client could not open this listener beside those that are listed.
fn obstacle(listed: &[ProxyClient], client: &ProxyClient) -> Option<String> {
    let (address, port) = (client.address, client.listen_port);
    if let Some(other) = listed.iter().find(|other| other.is_in_the_way_of(client)) {
        return Some(format!(
            "port {port} is taken by the listener of {address} {}: choose another port, or tell them apart with \
             --listen-ip",
            purpose(other.partner.as_deref())
        ));
    }
    let others = listed.iter().filter(|other| other.address == address && !other.is_same(client));
    let tied = others.filter(|other| other.partner.is_some()).count();
    (client.partner.is_some() && tied >= MAX_TIED).then(|| {
        format!(
            "the client at {address} has {tied} tied listeners, as many as it opens: remove another one first"
        )
    })
}

/// What a listener is for.
pub(crate) fn purpose(partner: Option<&str>) -> String {
    partner.map_or_else(|| "for proxy requests".to_owned(), |name| format!("tied to {name}"))
}

#[cfg(test)]
mod tests {
    use super::{MAX_TIED, ProxyClient, obstacle};

    fn listener(partner: usize) -> ProxyClient {
        ProxyClient {
            address: [10, 1, 0, 1].into(),
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
        assert_eq!(obstacle(&full[1..], &more), None);
        assert!(obstacle(&full, &more).unwrap().contains("255 tied listeners"));
        // A change of one adds none, nor does the one for proxy requests, nor another client's.
        assert_eq!(obstacle(&full, &listener(1)), None);
        assert_eq!(obstacle(&full, &listener(0)), None);
        assert_eq!(obstacle(&full, &ProxyClient { address: [10, 1, 0, 2].into(), ..more }), None);
    }
}
