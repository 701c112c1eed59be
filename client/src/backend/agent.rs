//! One call of the backend, at the address that has answered last: sends the function and the token by POST, reads
//! status and answer, and names the fault if there is one. Runs in the API worker; blocks until its time limit at most,
//! and handles signals while it waits.

use super::access::Access;
use super::connector::{DeadlineResolver, Dialler, SharedWaiter};
use super::fault::Fault;
use super::trust::{Trust, halves};
use crate::backend_url::BackendUrl;
use common::link::control::MAX_ANSWER;
use common::log::escape;
use common::rpc::{ApiError, Call};
use common::secret::Secret;
use common::text::clock;
use openssl::base64::encode_block;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::time::Duration;
use ureq::http::{HeaderValue, header};
use ureq::unversioned::resolver::Resolver;

/// The limits of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Time until the connection is made and verified.
    pub(super) connect: Duration,
    /// Time for the whole call, including the name lookup.
    pub(super) call: Duration,
    /// Time for a whole call that only reports: it must not delay the parent's questions for long.
    pub(super) report: Duration,
    /// Largest answer, octets.
    pub(super) answer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            call: Duration::from_secs(30),
            report: Duration::from_secs(10),
            answer: MAX_ANSWER,
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    #[serde(flatten)]
    call: &'a Call,
    token: &'a str,
    /// This host's clock, seconds since 1970-01-01 UTC.
    client_time: i64,
    /// It identifies this client, because others may call from the same address.
    client_name: &'a str,
}

/// The members of every answer.
#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    error: Option<ApiError>,
}

/// The name of a client that was given none; it is the same after a restart.
fn host_and_folder() -> String {
    let binary = std::env::current_exe().unwrap_or_default();
    let folder = binary.parent().unwrap_or(&binary);
    format!("{}:{}", common::host_name(), folder.display())
}

/// An address of the backend, and the value of the header for a web server in front of it.
struct Place {
    url: String,
    authorization: Option<HeaderValue>,
}

impl Place {
    fn new(backend: &BackendUrl) -> Result<Self, Fault> {
        let authorization = backend.credentials.as_ref().map(basic).transpose()?;
        Ok(Self { url: backend.url.clone(), authorization })
    }
}

/// Calls the backend. Create it after the fork.
pub(super) struct Agent {
    http: ureq::Agent,
    places: Vec<Place>,
    /// The place that is called next.
    next: Cell<usize>,
    /// The place that was called last.
    called: Cell<usize>,
    /// The place that has answered last.
    good: Cell<usize>,
    token: Secret,
    name: String,
    limits: Limits,
}

impl Agent {
    /// Calls the backend of `access`; waits in `waiter`.
    pub(super) fn new(access: Access, limits: Limits, waiter: &SharedWaiter) -> Result<Self, Fault> {
        Self::with_names(access, limits, waiter, DeadlineResolver(waiter.clone()))
    }

    /// The same with `names` for the name lookup.
    pub(super) fn with_names(
        access: Access,
        limits: Limits,
        waiter: &SharedWaiter,
        names: impl Resolver,
    ) -> Result<Self, Fault> {
        let Access { backends, token, name } = access;
        let (token, pin) = halves(&token);
        let trust = Trust::new(pin).map_err(Fault::OpenSsl)?;
        // A proxy from the environment or a redirect of the backend must not send the token to another place.
        let config = ureq::Agent::config_builder()
            .https_only(true)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .timeout_connect(Some(limits.connect))
            .max_idle_connections(0)
            .max_idle_connections_per_host(0)
            .user_agent(concat!("os4x_proxyclient2/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            http: ureq::Agent::with_parts(config, Dialler::new(waiter.clone(), trust), names),
            places: backends.iter().map(Place::new).collect::<Result<_, _>>()?,
            next: Cell::default(),
            called: Cell::default(),
            good: Cell::default(),
            token,
            name: name.unwrap_or_else(host_and_folder),
            limits,
        })
    }

    /// The URL that was called last; it has no secret.
    pub(super) fn url(&self) -> &str {
        self.places.get(self.called.get()).map_or("", |place| &place.url)
    }

    /// Calls the backend and returns its answer unchanged. If it has not carried out the call at one place, because it
    /// is down for example, the call is made at the next one, at each place once. After any other fault that may be one
    /// of the place, the next call is made at the next one.
    pub(super) fn call(&self, call: &Call) -> Result<String, Fault> {
        let mut left = self.places.len();
        loop {
            let at = self.next.get();
            self.called.set(at);
            let Some(place) = self.places.get(at) else { return Err(Fault::Ended) };
            let fault = match self.call_at(place, call) {
                Err(fault) if fault.is_of_the_place() => fault,
                other => {
                    self.note_good(at);
                    return other;
                }
            };
            common::debug!("the backend {} {}", place.url, escape(&fault.to_string()));
            self.next.set((at + 1) % self.places.len());
            left -= 1;
            if left == 0 || !fault.is_untaken() {
                return Err(fault);
            }
        }
    }

    /// This place has answered: logged if it is another one than before.
    fn note_good(&self, at: usize) {
        if self.good.replace(at) != at {
            common::info!("the backend is called at {} from now on", self.url());
        }
    }

    fn call_at(&self, place: &Place, call: &Call) -> Result<String, Fault> {
        let time_limit = if call.is_report() { self.limits.report } else { self.limits.call };
        let request =
            Request { call, token: self.token.expose(), client_time: clock::now(), client_name: &self.name };
        let body = serde_json::to_vec(&request).map_err(Fault::Json)?;
        let mut post = self
            .http
            .post(&place.url)
            .config()
            .timeout_global(Some(time_limit))
            .build()
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::CONNECTION, "close");
        if let Some(authorization) = &place.authorization {
            post = post.header(header::AUTHORIZATION, authorization);
        }
        let mut response = post.send(&body[..]).map_err(|e| self.fault(e, time_limit))?;
        let limit = self.limits.answer as u64;
        let answer = response.body_mut().with_config().limit(limit).read_to_vec();
        judge(response.status().as_u16(), answer.map_err(|e| self.fault(e, time_limit))?)
    }

    /// Converts ureq's error.
    fn fault(&self, error: ureq::Error, time_limit: Duration) -> Fault {
        use ureq::{Error, Timeout};
        match error {
            Error::Timeout(Timeout::Resolve | Timeout::Connect) => Fault::NoConnection(self.limits.connect),
            Error::Timeout(_) => Fault::NoAnswer(time_limit),
            Error::Other(inner) => match inner.downcast::<Fault>() {
                Ok(fault) => *fault,
                Err(other) => Fault::Http(Error::Other(other)),
            },
            Error::Io(e) => Fault::Broken(e),
            Error::BodyExceedsLimit(limit) => Fault::TooLarge(limit),
            other => Fault::Http(other),
        }
    }
}

/// Basic authentication (RFC 7617) for a web server in front of the backend.
fn basic(credentials: &Secret) -> Result<HeaderValue, Fault> {
    let text = format!("Basic {}", encode_block(credentials.expose().as_bytes()));
    let mut value =
        HeaderValue::from_str(&text).map_err(|e| Fault::Http(ureq::http::Error::from(e).into()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Only `200` with `"ok": true` is a good answer.
fn judge(status: u16, answer: Vec<u8>) -> Result<String, Fault> {
    match serde_json::from_slice(&answer) {
        Ok(Envelope { ok: true, .. }) if status == 200 => {
            String::from_utf8(answer).map_err(|_| Fault::Foreign(status))
        }
        Ok(Envelope { ok: false, error: Some(error) }) => Err(Fault::Refused(status, error)),
        Err(e) if status == 200 && e.is_data() => Err(Fault::Json(e)),
        _ => Err(Fault::Foreign(status)),
    }
}
