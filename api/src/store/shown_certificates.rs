//! The certificates that partners have shown, with their chains: the last few of each partner and direction. The API
//! writes them from the beginnings of sessions; before a change is made, it is judged with them.

use super::journal::{clean, seconds};
use crate::db::{self, DbError};
use common::rpc::{MAX_CHAIN, SessionBegin};
use common::text::hex;
use common::x509::issuer::fingerprint;
use openssl::x509::X509;
use sqlx::{AnyConnection, Row};
use std::net::{IpAddr, SocketAddr};

/// Certificates of one partner and direction that are kept: a new one replaces an old one, and a partner with several
/// stations may have several.
const KEPT: i64 = 4;

/// The certificates of a session.
#[derive(Clone)]
pub(crate) struct Shown {
    /// Its short name.
    pub(crate) partner: String,
    /// It was called by us.
    pub(crate) is_outgoing: bool,
    /// The address from which it came, or at which it was called.
    pub(crate) address: Option<IpAddr>,
    /// Its own certificate first.
    pub(crate) chain: Vec<X509>,
}

/// Stores the certificates at the beginning of a session, if they can be read. Those of a partner that is not listed
/// (any more) are not stored.
pub(crate) async fn note(connection: &mut AnyConnection, begin: &SessionBegin) -> Result<(), DbError> {
    let text = begin.chain.concat();
    if text.is_empty() || text.len() > MAX_CHAIN {
        return Ok(());
    }
    let chain = X509::stack_from_pem(text.as_bytes()).unwrap_or_default();
    let Some(print) = chain.first().and_then(|leaf| fingerprint(leaf).ok()) else { return Ok(()) };
    let address = begin.address.parse::<SocketAddr>().map(|at| at.ip().to_string()).unwrap_or_default();
    db::query(
        "INSERT INTO os4x_shown_certificates (partner, direction, fingerprint, address, reported, chain) \
         SELECT short_name, CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS BIGINT), \
         CAST($5 AS TEXT) FROM os4x_partners WHERE short_name = $6 \
         ON CONFLICT (partner, direction, fingerprint) DO UPDATE SET \
         address = excluded.address, reported = excluded.reported, chain = excluded.chain",
    )
    .bind(clean(&begin.direction))
    .bind(hex::encode(&print))
    .bind(address)
    .bind(seconds(begin.time))
    .bind(text)
    .bind(clean(&begin.partner))
    .execute(&mut *connection)
    .await?;
    db::query(
        "DELETE FROM os4x_shown_certificates WHERE partner = $1 AND direction = $2 AND fingerprint NOT IN \
         (SELECT fingerprint FROM os4x_shown_certificates WHERE partner = $1 AND direction = $2 \
         ORDER BY reported DESC, fingerprint LIMIT $3)",
    )
    .bind(clean(&begin.partner))
    .bind(clean(&begin.direction))
    .bind(KEPT)
    .execute(connection)
    .await?;
    Ok(())
}

/// All of them, by partner.
pub(crate) async fn all(connection: &mut AnyConnection) -> Result<Vec<Shown>, DbError> {
    let rows = db::query(
        "SELECT partner, direction, address, chain FROM os4x_shown_certificates \
         ORDER BY partner, direction, reported DESC, fingerprint",
    )
    .fetch_all(connection)
    .await?;
    let mut all = Vec::with_capacity(rows.len());
    for row in &rows {
        let (partner, direction): (String, String) = (row.try_get("partner")?, row.try_get("direction")?);
        let (address, chain): (String, String) = (row.try_get("address")?, row.try_get("chain")?);
        let chain = X509::stack_from_pem(chain.as_bytes())
            .map_err(|_| DbError::Corrupt(format!("certificate that partner {partner} has shown")))?;
        all.push(Shown {
            partner,
            is_outgoing: direction == "outgoing",
            address: address.parse().ok(),
            chain,
        });
    }
    Ok(all)
}
