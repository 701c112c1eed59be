//! `os4xapi partner test`: a client makes its server call a partner as a station would, and each step is reported. The
//! DMZ gives no orders: the client asks, with a session of its own without a station.

use super::acts::{self, Done};
use super::args::{Invocation, Opt};
use super::error::CliError;
use super::{Command, output};
use crate::change::{Act, rules};
use crate::change::{requests, unseen};
use crate::db::{Db, DbError, generation};
use crate::store::states;
use common::partner_test::{STEPS, TestStep};
use common::process::end_reasons::Status;
use serde::Serialize;
use std::time::Duration;
use tokio::time::{self, Instant};

/// How long a change may take until it is in force: normally it takes two seconds.
const IN_FORCE: Duration = Duration::from_secs(5);
/// How often this is checked.
const LOOK: Duration = Duration::from_millis(100);

pub(super) static COMMANDS: &[Command] = &[Command {
    words: "partner test",
    changes: true,
    help: TEST,
    options: &[Opt::Flag("json")],
    arguments: (1, 1),
    run: |invocation| Box::pin(test(invocation)),
}];

const TEST: &str = "\
usage: os4xapi partner test NAME [--json] [--db DB]

Calls a partner as a station would. For each step it shows the result, how long the step took, and what was found, in
the words of the log: name (its addresses), tcp, tls (version and suite), certificate (subject, days left, usage, chain,
CRLs), ssrm (the partner speaks OFTP2). Then an ESID ends the session; no file and no SSID is sent. A client orders the
session from its server, so both must be joined and of this version. If there are several clients, the test runs on a
client whose listener leads to this partner; otherwise on one whose listener takes proxy requests; otherwise on the one
that has called last.

One test of a partner at a time, 10 of all partners in a minute. The exit status is 0 if every step is good, else 1.

The command cannot test a session that the partner begins: 'os4xapi refused' lists such sessions that have failed, and
--dry-run of another command shows which partners would be refused after a change.

--json: as JSON
";

/// The result of a test.
#[derive(Serialize)]
struct Tested {
    partner: String,
    good: bool,
    /// The client that has made the test.
    client: String,
    /// Its server, if it has reported it: Proxy ID and address.
    server: Option<Server>,
    steps: Vec<TestStep>,
    /// The remedy for the step that failed.
    remedy: Option<&'static str>,
    /// What the test cannot find out.
    unseen: String,
}

#[derive(Serialize)]
struct Server {
    proxy_id: String,
    address: String,
}

async fn test(invocation: Invocation) -> Result<(), CliError> {
    let name = invocation.argument(0);
    let db = invocation.open().await?;
    let order = invocation.order()?;
    requests::check_test(&rules::need_partner(&mut *db.snapshot().await?, name).await?)?;
    wait_in_force(&db).await?;
    let mut act = Act::begin_unseen(&db, order).await?;
    let (ordered, patience) = requests::order_test(&mut act, name).await?;
    act.commit().await?;
    output::tell_terminal(&format!("client {} is to test partner {name}", ordered.caller));
    let done = acts::outcome(&db, &[ordered], patience).await?;
    let tested = Tested::of(name, server_of(&db, &done.caller).await?, done);
    if invocation.flag("json") {
        output::json(&tested)?;
    } else {
        tested.print()?;
    }
    tested.verdict()
}

/// Waits until what was changed is in force in the servers, or the test would be of what was there before.
async fn wait_in_force(db: &Db) -> Result<(), CliError> {
    let until = Instant::now() + IN_FORCE;
    loop {
        let mut snapshot = db.snapshot().await?;
        let newest = generation(&mut snapshot).await?;
        let lagging = states::lagging(&mut snapshot, |_, _| true).await?;
        drop(snapshot);
        let Some(server) = lagging.first() else { return Ok(()) };
        if Instant::now() >= until {
            let address = &server.address;
            let held = server.generation.map_or_else(
                || "has no configuration".to_owned(),
                |held| format!("still has generation {held} of the configuration"),
            );
            output::warn(&format!(
                "the server {address} {held}, and the newest generation is {newest}: 'os4xapi status' says more"
            ));
            return Ok(());
        }
        time::sleep(LOOK).await;
    }
}

/// The server of a client, if it has told.
async fn server_of(db: &Db, client: &str) -> Result<Option<Server>, DbError> {
    let all = states::all(&mut *db.snapshot().await?).await?;
    let servers = all.into_iter().filter(|told| told.daemon == "server" && told.client == client);
    Ok(servers
        .max_by_key(|told| told.received)
        .map(|told| Server { proxy_id: told.name, address: told.address }))
}

impl Tested {
    fn of(partner: &str, server: Option<Server>, Done { caller: client, steps, .. }: Done) -> Self {
        let failed = steps.iter().find(|step| !step.good);
        let remedy = failed.and_then(|step| Status::from_word(&step.reason)).map(Status::meaning);
        let good = failed.is_none() && steps.len() >= STEPS.len();
        Self { partner: partner.to_owned(), good, client, server, steps, remedy, unseen: unseen() }
    }

    fn print(&self) -> Result<(), CliError> {
        let Self { partner, client, server, steps, .. } = self;
        let at = server.as_ref().map(|server| format!(" and its server {}", server.address));
        output::say(&format!("Partner {partner}, called by client {client}{}", at.unwrap_or_default()))?;
        let mut table = output::Table::new(&["STEP", "RESULT", "MS", "WHAT WAS FOUND"]);
        for TestStep { step, good, ms, reason, text } in steps {
            let (result, text) =
                if *good { ("good", text.clone()) } else { ("failed", format!("{reason}: {text}")) };
            table.row(&[step.clone(), result.to_owned(), ms.to_string(), text]);
        }
        table.print("No step was reported.")?;
        output::say(&self.unseen)
    }

    /// The failure of the test: the step that failed.
    fn verdict(&self) -> Result<(), CliError> {
        if self.good {
            return Ok(());
        }
        let Self { partner, steps, remedy, .. } = self;
        let why = match steps.iter().find(|step| !step.good) {
            Some(step) => format!(
                "partner {partner} fails in step {}: {}. {}",
                step.step,
                step.reason,
                remedy.unwrap_or_default()
            ),
            None => format!("the test of partner {partner} has not come to its end"),
        };
        Err(CliError::Refused(why))
    }
}

#[cfg(test)]
mod tests {
    use super::{Tested, acts::Done};
    use common::partner_test::TestRecord;
    use common::process::end_reasons::Status;
    use std::time::Instant;

    fn tested(passed: usize, fails: bool) -> Tested {
        let mut record = TestRecord::begin(Instant::now());
        (0..passed).for_each(|_| record.pass("x".to_owned(), Instant::now()));
        let steps = if fails {
            record.fail(Status::PartnerDown, "refused".to_owned(), Instant::now())
        } else {
            record.take()
        };
        Tested::of("acme", None, Done { caller: "c".to_owned(), text: String::new(), steps })
    }

    #[test]
    fn a_test_is_good_if_every_step_is_there_and_good() {
        assert!(tested(5, false).good && tested(5, false).verdict().is_ok());
        for (passed, fails, words) in
            [(1, true, "step tcp: partner-down. The partner"), (4, false, "its end")]
        {
            let tested = tested(passed, fails);
            let said = tested.verdict().unwrap_err().to_string();
            assert!(!tested.good && said.contains(words), "{said}");
        }
    }
}
