//! The general part of a daemon's report about itself since its start.

use crate::state::DaemonState;
use crate::text::clock;

/// A running daemon.
#[derive(Debug)]
pub struct Running {
    version: &'static str,
    build: &'static str,
    started: i64,
}

impl Running {
    /// To be called at its start.
    pub fn start(version: &'static str, build: &'static str) -> Self {
        Self { version, build, started: clock::now() }
    }

    /// Its state at this moment; other parts fill in the rest.
    pub fn state(&self) -> DaemonState {
        DaemonState {
            version: self.version.to_owned(),
            build: self.build.to_owned(),
            pid: std::process::id(),
            host: crate::host_name(),
            started: self.started,
            time: clock::now(),
            debugs_partners: true,
            fault: crate::log::last_fault(),
            ..DaemonState::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Running;

    #[test]
    fn a_daemon_knows_itself() {
        let state = Running::start("1.2.3", "20261128").state();
        assert_eq!((state.version.as_str(), state.build.as_str()), ("1.2.3", "20261128"));
        assert_eq!(state.pid, std::process::id());
        assert!(state.started <= state.time && !state.host.is_empty());
    }
}
