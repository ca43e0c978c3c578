//! What all requests of a server share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Instant;

use dactyl_config::Config;
use tokio::sync::{Mutex, Semaphore, mpsc, watch};

use crate::metrics::Metrics;
use crate::models::Models;
use crate::pipeline::Prepared;

/// The outcome of a readiness check.
pub(crate) type Readiness = Option<(Instant, Result<(), String>)>;

/// What all requests share.
pub(crate) struct App {
    pub(crate) config: Arc<Config>,
    /// By name: the configured one and those that clients may ask for.
    pub(crate) pipelines: BTreeMap<String, Arc<Prepared>>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) sessions: Arc<Semaphore>,
    pub(crate) next_session: AtomicU64,
    pub(crate) models: Models,
    pub(crate) readiness: Mutex<Readiness>,
    /// True when the server stops.
    pub(crate) shutdown: watch::Receiver<bool>,
    /// Every open socket holds one; none can be had once the server stops.
    pub(crate) alive: mpsc::WeakSender<()>,
    /// Whether only this machine can reach the server.
    pub(crate) loopback_only: bool,
    /// The pipeline of clients that ask for none.
    pub(crate) default_pipeline: Arc<Prepared>,
}
