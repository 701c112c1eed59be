//! Our next certificate towards partners replaces the present one when its time has come. Run by the time slice; if
//! there are several `serve`, one does it and the others find it done.

use super::app::App;
use super::error::ServeError;
use super::reports::report;
use crate::change::{Act, Order};
use crate::pki::facts::Facts;
use crate::settings::Values;
use crate::store::certificates::{self, Usage};
use common::rpc::Level;
use common::text::clock;
use common::text::escape::escape;

/// Uses the next certificate if its time has come, and reports that.
pub(super) async fn take_over(app: &App, values: &Values) -> Result<(), ServeError> {
    let is_due = |from: i64| from <= clock::now();
    let staged = certificates::next(&mut *app.db.snapshot().await?).await?;
    if !staged.is_some_and(|(_, from)| is_due(from)) {
        return Ok(());
    }
    let mut act = Act::begin(&app.db, Order::system("cert next")).await?;
    let Some((issued, from)) = certificates::next(&mut act).await? else { return Ok(()) };
    if !is_due(from) {
        return Ok(());
    }
    certificates::put(&mut act, Usage::Own, &issued).await?;
    certificates::remove(&mut act, Usage::Next).await?;
    act.commit().await?;
    let facts = Facts::of_pem(&issued.certificate)?;
    let detail = format!(
        "certificate_used subject={} valid_until={} sha256={}",
        escape(&facts.subject),
        clock::rfc3339(facts.until),
        facts.fingerprint
    );
    report(app, values, Level::Info, "our next certificate towards partners is used from now on", &detail)
        .await?;
    Ok(())
}
