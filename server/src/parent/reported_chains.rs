//! Partners' certificates that the backend has already: they are sent with the begin of one session, not of all.

use common::rpc::SessionBegin;
use openssl::sha::Sha256;
use std::collections::HashSet;

/// Most certificates that are remembered; when there are more, all are reported once more.
const MEMORY: usize = 4096;

/// SHA-256 of a partner's name, the direction, and its certificates.
#[derive(Default)]
pub(super) struct ReportedChains(HashSet<[u8; 32]>);

impl ReportedChains {
    /// Removes the certificates from a begin if they were reported before; remembers them otherwise.
    pub(super) fn strip(&mut self, begin: &mut SessionBegin) {
        if begin.chain.is_empty() {
            return;
        }
        let mut sum = Sha256::new();
        for text in [&begin.partner, &begin.direction].into_iter().chain(&begin.chain) {
            sum.update(&text.len().to_be_bytes());
            sum.update(text.as_bytes());
        }
        if self.0.len() >= MEMORY {
            self.0.clear();
        }
        if !self.0.insert(sum.finish()) {
            begin.chain.clear();
        }
    }

    /// Another client has joined: its backend may not have them.
    pub(super) fn forget(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{MEMORY, ReportedChains};
    use common::rpc::SessionBegin;

    /// Whether the begin of a session of `partner` keeps its certificate.
    fn is_kept(chains: &mut ReportedChains, partner: &str, certificate: usize) -> bool {
        let chain = vec![certificate.to_string()];
        let mut begin = SessionBegin { partner: partner.to_owned(), chain, ..SessionBegin::default() };
        chains.strip(&mut begin);
        !begin.chain.is_empty()
    }

    #[test]
    fn a_certificate_is_reported_once_for_each_partner_and_client() {
        let mut chains = ReportedChains::default();
        assert!(is_kept(&mut chains, "acme", 1));
        assert!(!is_kept(&mut chains, "acme", 1));
        assert!(is_kept(&mut chains, "acme", 2) && is_kept(&mut chains, "other", 1));
        chains.forget();
        assert!(is_kept(&mut chains, "acme", 1));
    }

    #[test]
    fn memory_is_bounded() {
        let mut chains = ReportedChains::default();
        assert!((0..=MEMORY).all(|number| is_kept(&mut chains, "acme", number)));
        assert_eq!(chains.0.len(), 1);
    }
}
