//! Trusted certificates: how they are added, each under a unique name, and whether the certificates that they have
//! issued need a CRL.

use super::{Act, ChangeError, Obstacle};
use crate::pki::ca::pem;
use crate::pki::facts::{Facts, check_validity, short_name};
use crate::store::{certificates, crl_urls};
use common::config::NamedPem;
use openssl::x509::{X509, X509VerifyResult};

/// The result for a certificate that is to be trusted.
pub(crate) struct Trusting {
    pub(crate) subject: String,
    /// The name under which it is trusted now, or was trusted before.
    pub(crate) name: String,
    pub(crate) was_there: bool,
    /// Warnings about the certificate.
    pub(crate) warnings: Vec<String>,
}

/// Trusts these certificates, under this name or their own. `no_crl` means that they publish no CRL.
pub(crate) async fn add(
    act: &mut Act,
    found: &[X509],
    name: Option<&str>,
    no_crl: bool,
) -> Result<Vec<Trusting>, ChangeError> {
    let mut all = Vec::new();
    for certificate in found {
        let name = name.map_or_else(|| short_name(certificate), str::to_owned);
        let mut one = add_one(act, certificate, &name).await?;
        if no_crl {
            one.warnings.extend(set_no_crl(act, &one.name, true).await?);
        }
        all.push(one);
    }
    // A CRL that was rejected because its issuer was not trusted may be accepted now.
    crl_urls::try_again(act).await?;
    Ok(all)
}

async fn add_one(act: &mut Act, certificate: &X509, name: &str) -> Result<Trusting, ChangeError> {
    let facts = Facts::of(certificate)?;
    if let Some(name) = certificates::trusted_as(act, &facts.fingerprint).await? {
        return Ok(Trusting { subject: facts.subject, name, was_there: true, warnings: Vec::new() });
    }
    let mut warnings = Vec::new();
    if certificate.issued(certificate) != X509VerifyResult::OK {
        warnings.push(format!(
            "'{}' is not a root certificate. Chains that end at it are trusted too.",
            facts.subject
        ));
    }
    warnings.extend(check_validity(certificate).err().map(|why| why.to_string()));
    let taken: Vec<String> =
        certificates::trusted(act).await?.into_iter().map(|one| one.certificate.name).collect();
    let name = free_name(name, &taken);
    let named = NamedPem { name: name.clone(), pem: pem(certificate)? };
    certificates::trust(act, &named, &facts.fingerprint).await?;
    Ok(Trusting { subject: facts.subject, name, was_there: false, warnings })
}

/// `name`, with a number appended if it is in use.
fn free_name(name: &str, taken: &[String]) -> String {
    let mut free = name.to_owned();
    let mut number = 1;
    while taken.contains(&free) {
        number += 1;
        free = format!("{name} ({number})");
    }
    free
}

/// Sets whether the certificates that this one has issued need a CRL. Returns a warning, if any.
pub(crate) async fn set_no_crl(
    act: &mut Act,
    which: &str,
    no_crl: bool,
) -> Result<Option<String>, ChangeError> {
    if !certificates::set_no_crl(act, which, no_crl).await? {
        return Err(no_such(which));
    }
    Ok(no_crl.then(|| {
        format!(
            "certificates that '{which}' issued need no CRL now. Without a CRL, a revoked certificate is accepted."
        )
    }))
}

/// Stops trusting a certificate.
pub(crate) async fn remove(act: &mut Act, which: &str) -> Result<(), ChangeError> {
    if certificates::distrust(act, which).await? { Ok(()) } else { Err(no_such(which)) }
}

fn no_such(which: &str) -> ChangeError {
    Obstacle::NothingTrusted(which.to_owned()).into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_taken_name_gets_a_number() {
        let taken = ["CA".to_owned(), "CA (2)".to_owned()];
        assert_eq!(super::free_name("CA", &taken), "CA (3)");
        assert_eq!(super::free_name("Other", &taken), "Other");
    }
}
