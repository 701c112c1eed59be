//! Downloads CRLs from their distribution URLs, checks them against the trusted certificates and stores the newest. Run
//! by the time slice worker of `serve` and by `crl fetch`, a few downloads at a time. Never stores a CRL whose issuer
//! is not trusted, even if an operator named the URL. A stored CRL reaches the server as part of the configuration.

use crate::db::{Change, Db, DbError};
use crate::error_text::on_one_line;
use crate::http::proxy::Proxies;
use crate::http::{Client, HttpError, Reach};
use crate::pki::PkiError;
use crate::pki::facts::CrlFacts;
use crate::pki::issuers::crl_issuer_is_trusted;
use crate::pki::read;
use crate::settings::Values;
use crate::store::crl_urls::Due;
use crate::store::crls::{self, Kept};
use crate::store::{certificates, crl_urls, intermediates};
use axum::body::Bytes;
use common::config::MAX_CRLS;
use common::text::clock;
use openssl::error::ErrorStack;
use openssl::x509::X509;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Time for one download, with redirects, of a CRL of at most `USUAL`; a larger CRL has more time in proportion.
const DEADLINE: Duration = Duration::from_mins(1);
/// Time to check and store it.
const TO_STORE: Duration = Duration::from_secs(30);
/// Usual limit of a CRL, MiB.
const USUAL: u32 = 10;
/// Downloads at the same time, of at most `USUAL` each; fewer if they may be larger.
const AT_A_TIME: u32 = 4;
/// Least time between two downloads from a URL that works, seconds.
const AGAIN: i64 = 900;
/// First and longest pause after a failure, seconds; it doubles from one to the next.
const FIRST_PAUSE: i64 = 60;
const LAST_PAUSE: i64 = 3_600;

/// Why there is no CRL from a URL.
#[derive(Debug)]
pub(crate) enum FetchError {
    /// The download failed.
    Http(HttpError),
    /// The answer is not a CRL.
    Unreadable(ErrorStack),
    /// PEM without a CRL in it.
    Nothing,
    /// Its issuer is not trusted.
    UnknownIssuer(String),
    /// The CRL is larger than the setting allows.
    TooLarge(u32),
    /// The CRLs are too large in all; octets allowed.
    NoRoom(usize),
    /// Its signature is wrong, or it is a delta.
    Pki(PkiError),
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Unreadable(_) => f.write_str("what is there is no CRL, neither in DER nor in PEM"),
            Self::Nothing => f.write_str("the PEM file there has no CRL in it"),
            Self::UnknownIssuer(issuer) => {
                write!(
                    f,
                    "the CRL's issuer '{issuer}' is not trusted, and no partner has sent its certificate on the way to \
                     a trusted one, so its signature cannot be checked: add it with 'os4xapi trust add'"
                )
            }
            Self::TooLarge(most) => write!(
                f,
                "the CRL there is larger than {most} MiB: set proxy_crl_max_size to a larger number, up to 64"
            ),
            Self::NoRoom(most) => {
                write!(f, "all CRLs together would be larger than {} MiB in PEM: remove one", most >> 20)
            }
            Self::Pki(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for FetchError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Http(error) => error.source(),
            Self::Unreadable(cause) => Some(cause),
            Self::Pki(error) => error.source(),
            _ => None,
        }
    }
}

impl From<HttpError> for FetchError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<PkiError> for FetchError {
    fn from(error: PkiError) -> Self {
        Self::Pki(error)
    }
}

/// A CRL that was downloaded, and the result of storing it.
#[derive(Debug)]
pub(crate) struct Taken {
    /// The CRL.
    pub(crate) crl: CrlFacts,
    /// Whether it was kept.
    pub(crate) kept: Kept,
}

/// The result of a URL.
#[derive(Debug)]
pub(crate) struct Fetched {
    /// The URL.
    pub(crate) url: String,
    /// Its CRL.
    pub(crate) outcome: Result<Taken, FetchError>,
    /// The last download failed in the same way.
    pub(crate) is_old_news: bool,
}

impl Fetched {
    /// Whether the daemons have to see it: otherwise there is no new generation.
    pub(crate) fn is_news(&self) -> bool {
        matches!(self.outcome, Ok(Taken { kept: Kept::First | Kept::Newer, .. }))
    }
}

/// Why a round of downloads ended early.
#[derive(Debug)]
pub(crate) enum RoundError {
    /// The database.
    Db(DbError),
    /// There is no client.
    Http(HttpError),
}

impl fmt::Display for RoundError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Db(error) => error.fmt(f),
            Self::Http(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RoundError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Db(error) => error.source(),
            Self::Http(error) => error.source(),
        }
    }
}

impl From<DbError> for RoundError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<HttpError> for RoundError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

/// A CRL from a URL that its issuer has signed, or the reason why there is none.
#[derive(Debug)]
pub(crate) struct Download {
    url: String,
    crl: Result<CrlFacts, FetchError>,
}

/// Downloads from each URL that is `due` and from which no other `serve` downloads; gives the result of each as soon as
/// it is stored.
pub(crate) async fn fetch(
    db: &Db,
    values: &Values,
    due: Vec<Due>,
    mut tell: impl FnMut(Fetched),
) -> Result<(), RoundError> {
    let mut round = Round::of(values, due.into_iter().map(Turn::Due).collect())?;
    while let Some(download) = round.next(db).await? {
        let mut change = db.unseen_change().await?;
        let fetched = keep(&mut change, values, download).await?;
        if fetched.is_news() {
            change.make_seen().await?;
        }
        change.commit().await?;
        tell(fetched);
    }
    Ok(())
}

/// A download to be done.
enum Turn {
    /// An operator wants it now.
    Wanted(String),
    /// It is due; it has to be claimed first.
    Due(Due),
}

/// Downloads, a few at the same time. Stores nothing but its claims.
pub(crate) struct Round {
    client: Arc<Client>,
    /// The setting `proxy_crl_max_size`.
    most: u32,
    waiting: std::vec::IntoIter<Turn>,
    running: JoinSet<(String, Result<Bytes, HttpError>)>,
}

impl Round {
    /// Downloads from each of `urls`.
    pub(crate) fn begin(values: &Values, urls: Vec<String>) -> Result<Self, RoundError> {
        Self::of(values, urls.into_iter().map(Turn::Wanted).collect())
    }

    fn of(values: &Values, turns: Vec<Turn>) -> Result<Self, RoundError> {
        let reach = if values.yes("proxy_crl_allow_private") { Reach::Anywhere } else { Reach::PublicOnly };
        let proxies = Proxies::of(|name| values.text(name)).map_err(HttpError::from)?;
        Ok(Self {
            client: Arc::new(Client::new(reach, proxies)?),
            most: values.number("proxy_crl_max_size"),
            waiting: turns.into_iter(),
            running: JoinSet::new(),
        })
    }

    /// The result of one more of them; none: there are no more.
    pub(crate) async fn next(&mut self, db: &Db) -> Result<Option<Download>, DbError> {
        let bounds = Bounds::of(self.most);
        loop {
            while self.running.len() < bounds.at_a_time
                && let Some(turn) = self.waiting.next()
            {
                let Some(url) = take(db, turn, bounds.deadline).await? else { continue };
                let client = Arc::clone(&self.client);
                self.running.spawn(async move {
                    let got = client.get(&url, bounds.octets, bounds.deadline).await;
                    (url, got)
                });
            }
            match self.running.join_next().await {
                None => return Ok(None),
                Some(Ok((url, got))) => {
                    let crl = judge(db, self.most, got).await?;
                    return Ok(Some(Download { url, crl }));
                }
                // A download that panicked gives no result; the next round tries again.
                Some(Err(_)) => {}
            }
        }
    }
}

/// The next URL; none if another `serve` downloads from it. If this process ends, its claim is left, and expires soon
/// after the download would have ended.
async fn take(db: &Db, turn: Turn, deadline: Duration) -> Result<Option<String>, DbError> {
    match turn {
        Turn::Wanted(url) => Ok(Some(url)),
        Turn::Due(due) => {
            let seconds = i64::try_from((deadline + TO_STORE).as_secs()).unwrap_or(i64::MAX);
            Ok(crl_urls::claim(db, &due, seconds).await?.then_some(due.url))
        }
    }
}

/// The effect of the setting `proxy_crl_max_size` on downloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    octets: usize,
    deadline: Duration,
    at_a_time: usize,
}

impl Bounds {
    /// `size`: the setting, MiB. Memory is limited, and a slow line has time.
    fn of(size: u32) -> Self {
        let at_a_time = (AT_A_TIME * USUAL / size.max(1)).clamp(1, AT_A_TIME);
        Self {
            octets: usize::try_from(size).unwrap_or_default() << 20,
            deadline: DEADLINE * size.max(USUAL) / USUAL,
            at_a_time: usize::try_from(at_a_time).unwrap_or(1),
        }
    }
}

/// The downloaded CRL, if its issuer has signed it.
async fn judge(
    db: &Db,
    most: u32,
    got: Result<Bytes, HttpError>,
) -> Result<Result<CrlFacts, FetchError>, DbError> {
    let octets = match got {
        Err(HttpError::TooLarge(_)) => {
            return Ok(Err(FetchError::TooLarge(most)));
        }
        Err(error) => return Ok(Err(FetchError::Http(error))),
        Ok(octets) => octets,
    };
    let mut connection = db.snapshot().await?;
    let trusted = certificates::trusted(&mut connection).await?;
    // A certificate that cannot be read is reported when the configuration is handed out.
    let (issuers, _) = intermediates::issuers(&mut connection, &trusted).await?;
    Ok(check(&octets, &issuers))
}

/// Stores a downloaded CRL if it is the newest, and notes the result.
pub(crate) async fn keep(
    change: &mut Change,
    values: &Values,
    Download { url, crl }: Download,
) -> Result<Fetched, DbError> {
    let outcome = match crl {
        Err(why) => Err(why),
        Ok(crl) => match crls::offer(change, &crl, Some(&url)).await? {
            Kept::NoRoom => Err(FetchError::NoRoom(MAX_CRLS)),
            kept => Ok(Taken { crl, kept }),
        },
    };
    let now = clock::now();
    let before = crl_urls::get(change, &url).await?;
    let (due, error) = match &outcome {
        Ok(taken) => {
            let next = taken.crl.next_update;
            let over = next.filter(|next| *next < now);
            let error = over.map(|next| format!("the CRL there expired at {}", clock::rfc3339(next)));
            let max_age = i64::from(values.number("proxy_crl_max_age"));
            (next_fetch(now, taken.crl.last_update, next, max_age), error)
        }
        Err(why) => (now + pause(before.as_ref().map_or(0, |url| url.failures)), Some(on_one_line(why))),
    };
    let is_old_news = before.is_some_and(|url| url.error == error);
    crl_urls::tried(change, &url, due, outcome.is_ok(), error.as_deref()).await?;
    Ok(Fetched { url, outcome, is_old_news })
}

/// The CRL in `octets`, if one of `issuers` issued and signed it.
fn check(octets: &[u8], issuers: &[X509]) -> Result<CrlFacts, FetchError> {
    let found = read::crls_in(octets).map_err(FetchError::Unreadable)?;
    // RFC 5280 section 4.2.1.13: there is one CRL at a URL.
    let crl = found.first().ok_or(FetchError::Nothing)?;
    let facts = CrlFacts::of(crl)?;
    if !crl_issuer_is_trusted(crl, issuers)? {
        return Err(FetchError::UnknownIssuer(facts.issuer));
    }
    Ok(facts)
}

/// The time of the next download: at the maximum age, or when a tenth of the CRL's life is left, whichever comes first.
/// In its last tenth, or after it, a CRL is downloaded every `AGAIN` seconds.
fn next_fetch(now: i64, last_update: i64, next_update: Option<i64>, max_age: i64) -> i64 {
    let renewal = next_update.map_or(i64::MAX, |next| next - (next - last_update).max(0) / 10);
    renewal.min(now + max_age).max(now + AGAIN.min(max_age))
}

/// The pause after one more failure than `before`.
fn pause(before: i64) -> i64 {
    let doublings = u32::try_from(before).unwrap_or(u32::MAX).min(10);
    (FIRST_PAUSE << doublings).min(LAST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::{AGAIN, Bounds, LAST_PAUSE, next_fetch, pause};
    use std::time::Duration;

    const DAY: i64 = 86_400;

    #[test]
    fn a_crl_is_downloaded_again_before_it_ends() {
        let now = 1_000_000;
        let week = |begun: i64| next_fetch(now, now - begun, Some(now - begun + 10 * DAY), 30 * DAY);
        assert_eq!(week(0), now + 9 * DAY);
        assert_eq!(week(8 * DAY), now + DAY);
        // In its last tenth, and after its end.
        assert_eq!(week(9 * DAY + 1), now + AGAIN);
        assert_eq!(week(20 * DAY), now + AGAIN);
        // The maximum age comes first; without nextUpdate it is the only rule.
        assert_eq!(next_fetch(now, now, Some(now + 10 * DAY), DAY), now + DAY);
        assert_eq!(next_fetch(now, now, None, DAY), now + DAY);
        assert_eq!(next_fetch(now, now - DAY, Some(now - 1), 600), now + 600);
        // Times that contradict each other do no harm.
        assert_eq!(next_fetch(now, now + DAY, Some(now - DAY), DAY), now + AGAIN);
    }

    #[test]
    fn larger_crls_have_more_time_and_come_fewer_at_a_time() {
        for (size, seconds, at_a_time) in [(1, 60, 4), (10, 60, 4), (20, 120, 2), (64, 384, 1)] {
            let bounds = Bounds { octets: size << 20, deadline: Duration::from_secs(seconds), at_a_time };
            assert_eq!(Bounds::of(u32::try_from(size).unwrap()), bounds);
        }
    }

    #[test]
    fn pauses_grow_to_an_hour() {
        let pauses: Vec<i64> = [0, 1, 2, 5, 6, 60, i64::MAX].map(pause).to_vec();
        assert_eq!(pauses, [60, 120, 240, 1920, LAST_PAUSE, LAST_PAUSE, LAST_PAUSE]);
    }
}
