//! The values that a session child gets at its fork; everything else of the parent is dropped there.

use crate::active_config::ActiveConfig;
use crate::report_notes::ReportNotes;
use crate::unreported::Unreported;
use common::ipc::channel::Channel;
use common::link::session_id::Direction;
use common::sandbox::Sandbox;
use common::session::ledger::EndNotes;

/// The values that a child is forked with. Everything else of the parent is gone before it runs.
pub(crate) struct ChildInit {
    /// Its end of the channel to the parent.
    pub(crate) channel: Channel,
    /// The configuration in force at the fork.
    pub(crate) active: ActiveConfig,
    /// Direction of its session.
    pub(crate) direction: Direction,
    /// The file for events that it cannot report because its parent is gone.
    pub(crate) unreported: Unreported,
    /// The journal in which it notes its events before it reports them.
    pub(crate) report_notes: ReportNotes,
    /// The ledger in which it notes its end.
    pub(crate) end_notes: EndNotes,
    /// Its sandbox.
    pub(crate) sandbox: Sandbox,
}
