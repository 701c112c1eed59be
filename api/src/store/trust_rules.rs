//! The rules by which the server judges certificates, read from the tables.

use super::{certificates, configuration, crls, intermediates, partners};
use crate::db::DbError;
use common::config::{NamedPem, Partner, Trusted};
use common::trust::TrustRules;
use sqlx::AnyConnection;

/// The rules as the configuration has them.
pub(crate) struct Rules {
    pub(crate) trusted: Vec<Trusted>,
    pub(crate) crls: Vec<NamedPem>,
    pub(crate) partners: Vec<Partner>,
    client_certificate: bool,
    ignore_missing_crl: bool,
    /// Names of trusted certificates that cannot be read.
    pub(crate) unreadable: Vec<String>,
}

impl Rules {
    /// Reads them.
    pub(crate) async fn read(connection: &mut AnyConnection) -> Result<Self, DbError> {
        let values = configuration::values(&mut *connection).await?;
        let trusted = certificates::trusted(&mut *connection).await?;
        let (issuers, unreadable) = intermediates::issuers(&mut *connection, &trusted).await?;
        let unreadable = unreadable.into_iter().map(str::to_owned).collect();
        let crls = crls::needed(crls::all(&mut *connection).await?, &issuers);
        let mut partners = partners::all(&mut *connection).await?;
        for partner in &mut partners {
            partner.legacy_suites.get_or_insert(values.yes("tls_legacy_suites"));
        }
        Ok(Self {
            trusted,
            crls: crls.into_iter().map(NamedPem::from).collect(),
            partners,
            client_certificate: values.yes("tls_check_client_certificate"),
            ignore_missing_crl: values.yes("tls_ignore_crl_unavailability"),
            unreadable,
        })
    }

    /// The same in the form that is needed to judge.
    pub(crate) fn as_trust_rules(&self) -> TrustRules<'_> {
        TrustRules {
            trusted: &self.trusted,
            crls: &self.crls,
            partners: &self.partners,
            client_certificate: self.client_certificate,
            ignore_missing_crl: self.ignore_missing_crl,
        }
    }
}
