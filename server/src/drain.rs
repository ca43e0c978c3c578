//! How a server ends that has others beside it: it says so, and lets its sessions go one after the other.

use std::time::Duration;

use dactyl_config::Server as Limits;
use tokio::time::{sleep, timeout};

use crate::session::Registry;

/// How a server is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// At once: every session is closed in the same moment.
    Now,
    /// As `server.drain_notice_ms`, `server.drain_ms` and `server.drain_timeout_s` say; without them at once.
    Drain,
}

/// The times of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Drain {
    notice: Duration,
    spread: Duration,
    most: Option<Duration>,
}

impl Drain {
    /// `None` if no drain is configured.
    pub(crate) fn configured(limits: &Limits) -> Option<Self> {
        let milliseconds = |count: u32| Duration::from_millis(count.into());
        let (notice, spread) = (milliseconds(limits.drain_notice_ms), milliseconds(limits.drain_ms));
        let most = Duration::from_secs(limits.drain_timeout_s.into());
        let most = (!most.is_zero()).then_some(most);
        (!notice.is_zero() || !spread.is_zero()).then_some(Self { notice, spread, most })
    }

    /// Returns when the last session has been told to end, or when it takes too long.
    pub(crate) async fn run(self, registry: &Registry) {
        let drained = async {
            sleep(self.notice).await;
            registry.close_all(self.spread).await;
        };
        match self.most {
            // What is left is closed by the end itself.
            Some(most) => drop(timeout(most, drained).await),
            None => drained.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_drains_unless_it_is_configured() {
        let limits = dactyl_config::Config::builtin().server;
        assert_eq!(Drain::configured(&limits), None);
        let limits = Limits { drain_ms: 10, ..limits };
        assert!(Drain::configured(&limits).is_some());
    }

    #[tokio::test]
    async fn a_drain_has_an_end() {
        let limits = dactyl_config::Config::builtin().server;
        let limits = Limits { drain_notice_ms: 600_000, drain_timeout_s: 1, ..limits };
        let registry = Registry::default();
        let drain = Drain::configured(&limits).unwrap().run(&registry);
        assert!(timeout(Duration::from_secs(30), drain).await.is_ok());
    }
}
