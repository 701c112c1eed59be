//! Calls of the backend in the order of their numbers, and the memory that their reports need, because the DMZ decides
//! how many there are and how large they are. A plain value.

use super::backend_call::BackendCall;
use std::collections::BTreeMap;

/// Calls that are kept until they are answered or can be made.
#[derive(Default)]
pub(super) struct CallQueue {
    calls: BTreeMap<u64, BackendCall>,
    reports: usize,
    octets: usize,
}

impl CallQueue {
    pub(super) fn insert(&mut self, number: u64, call: BackendCall) {
        self.reports += usize::from(call.is_report());
        self.octets += call.octets();
        self.calls.insert(number, call);
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<BackendCall> {
        let call = self.calls.remove(&number)?;
        self.reports -= usize::from(call.is_report());
        self.octets -= call.octets();
        Some(call)
    }

    /// The oldest call.
    pub(super) fn pop(&mut self) -> Option<(u64, BackendCall)> {
        let number = *self.calls.first_key_value()?.0;
        self.remove(number).map(|call| (number, call))
    }

    /// Takes all calls, the oldest first.
    pub(super) fn take_all(&mut self) -> impl ExactSizeIterator<Item = (u64, BackendCall)> + use<> {
        std::mem::take(self).calls.into_iter()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Whether it contains a call of this function.
    pub(super) fn has(&self, function: &str) -> bool {
        self.calls.values().any(|call| call.function() == function)
    }

    /// Whether it contains the same question as this one.
    pub(super) fn has_same(&self, question: &BackendCall) -> bool {
        self.calls.values().any(|call| call.is_same(question))
    }

    /// Number of reports among the calls.
    pub(super) fn reports(&self) -> usize {
        self.reports
    }

    /// Size of these reports, octets of JSON.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::{BackendCall, CallQueue};
    use common::rpc::CrlUrl;

    #[test]
    fn reports_are_counted_and_weighed_and_go_in_their_order() {
        let mut queue = CallQueue::default();
        queue.insert(7, BackendCall::ClientConfig);
        queue.insert(8, BackendCall::CrlUrl(CrlUrl { url: "http://b/".to_owned(), issuers: Vec::new() }));
        queue.insert(6, BackendCall::CrlUrl(CrlUrl { url: "http://a/long".to_owned(), issuers: Vec::new() }));
        assert_eq!((queue.reports(), queue.octets()), (2, 23 + 19));
        assert!(queue.has("proxy_client_config") && queue.remove(7).is_some());
        assert!(!queue.has("proxy_client_config") && queue.remove(7).is_none());
        assert_eq!((queue.reports(), queue.octets()), (2, 23 + 19));
        let order = [queue.pop(), queue.pop()].map(|call| call.map(|(number, _)| number));
        assert_eq!(order, [Some(6), Some(8)]);
        assert_eq!((queue.reports(), queue.octets()), (0, 0));
        assert!(queue.is_empty() && queue.pop().is_none());
    }
}
