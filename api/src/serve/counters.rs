//! What this process has counted since its start, for metrics: calls of daemons, runs of the event script, and logins.
//! Only numbers, by words of this program.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

type Label = (&'static str, &'static str);

/// The counters.
#[derive(Default)]
pub(crate) struct Counters {
    calls: Family<[Label; 2], Counter>,
    events: Family<[Label; 1], Counter>,
    logins: Family<[Label; 2], Counter>,
}

impl Counters {
    /// A call of a daemon. `function`: empty for a caller without the token. `code`: `ok`, or the word of the refusal.
    pub(super) fn call(&self, function: &'static str, code: &'static str) {
        self.calls.get_or_create(&[("function", function), ("code", code)]).inc();
    }

    /// A run of the event script, or an event that was not delivered.
    pub(super) fn event(&self, result: &'static str) {
        self.events.get_or_create(&[("result", result)]).inc();
    }

    /// A login of a person, or a wrong key of a program. `by`: what was tried.
    pub(crate) fn login(&self, result: &'static str, by: &'static str) {
        self.logins.get_or_create(&[("result", result), ("by", by)]).inc();
    }

    /// Adds them to the metrics of a scrape.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "os4x_api_calls",
            "Calls of daemons to this process since its start",
            self.calls.clone(),
        );
        registry.register(
            "os4x_event_runs",
            "Runs of the event script by this process since its start",
            self.events.clone(),
        );
        registry.register(
            "os4x_panel_logins",
            "Logins and wrong keys at this process since its start",
            self.logins.clone(),
        );
    }
}
