//! What all requests of a server share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dactyl_config::Config;
use tokio::sync::{mpsc, watch};

use crate::admission::Denials;
use crate::auth::Auth;
use crate::client_address::Proxies;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::own_names::OwnNames;
use crate::pipeline::Prepared;
use crate::places::Places;
use crate::readiness::Readiness;
use crate::session::Registry;

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    /// By name: the configured one and those that clients may ask for.
    pub(crate) pipelines: BTreeMap<String, Arc<Prepared>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Places of sessions.
    pub(crate) sessions: Places,
    /// Who may open one.
    pub(crate) auth: Auth,
    pub(crate) denials: Arc<Denials>,
    pub(crate) next_session: AtomicU64,
    pub(crate) models: Models,
    pub(crate) readiness: Arc<Readiness>,
    /// The open sessions.
    pub(crate) registry: Arc<Registry>,
    pub(crate) proxies: Proxies,
    /// Whether new sessions are refused, because the server drains.
    pub(crate) draining: Arc<AtomicBool>,
    /// True when the server stops.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Every open socket and every pipeline of a session holds one; none can be had once the server stops.
    pub(crate) alive: mpsc::WeakSender<()>,
    /// Under which pages of the server may open a WebSocket.
    pub(crate) names: OwnNames,
}

impl App {
    /// Whether new sessions are refused because the server drains or stops.
    pub(crate) fn is_ending(&self) -> bool {
        self.draining.load(Ordering::Acquire) || *self.shutdown.borrow()
    }

    /// Sessions that would be let in.
    pub(crate) fn sessions_free(&self) -> usize {
        let most = self.config.server.max_sessions as usize;
        if self.is_ending() { 0 } else { most.saturating_sub(self.sessions.taken()) }
    }
}
