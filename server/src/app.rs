//! What all requests of a server share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use tokio::sync::{mpsc, watch};

use crate::admission::Denials;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::places::Places;
use crate::readiness::Readiness;
use crate::session::Registry;
use crate::terms::{InForce, Terms};

/// What all requests share.
pub(crate) struct App {
    /// What may change while the server runs.
    pub(crate) in_force: Arc<InForce>,
    pub(crate) metrics: Arc<Metrics>,
    /// Places of sessions.
    pub(crate) sessions: Places,
    pub(crate) denials: Arc<Denials>,
    pub(crate) next_session: AtomicU64,
    pub(crate) models: Models,
    pub(crate) readiness: Arc<Readiness>,
    /// The open sessions.
    pub(crate) registry: Arc<Registry>,
    /// Whether only this machine can reach the server.
    pub(crate) loopback_only: bool,
    /// Whether new sessions are refused, because the server drains.
    pub(crate) draining: Arc<AtomicBool>,
    /// True when the server stops.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Every open socket and every pipeline of a session holds one; none can be had once the server stops.
    pub(crate) alive: mpsc::WeakSender<()>,
}

impl App {
    /// What holds now.
    pub(crate) fn terms(&self) -> Arc<Terms> {
        self.in_force.get()
    }

    /// Whether new sessions are refused because the server drains or stops.
    pub(crate) fn is_ending(&self) -> bool {
        self.draining.load(Ordering::Acquire) || *self.shutdown.borrow()
    }

    /// Sessions that would be let in.
    pub(crate) fn sessions_free(&self) -> usize {
        let most = self.terms().config.server.max_sessions as usize;
        if self.is_ending() { 0 } else { most.saturating_sub(self.sessions.taken()) }
    }

    /// Whether frames go through the configured pipeline, or why not.
    pub(crate) async fn look(&self) -> Result<(), String> {
        self.readiness.look(&self.terms().default.file, &self.metrics.load).await
    }
}
