//! The server: everything is loaded, checked and warmed before an address is taken.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dactyl_config::Config;
use futures_util::future::OptionFuture;
use gstdactyl::slots::Slots;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

use crate::admission::Denials;
use crate::agent;
use crate::app::App;
use crate::connections::Connections;
use crate::drain::{Drain, Ending};
use crate::http;
use crate::listen::Sockets;
use crate::memory::release_freed;
use crate::metrics::Metrics;
use crate::models::Models;
use crate::places::Places;
use crate::readiness::Readiness;
use crate::reload::{self, Reloads};
use crate::service;
use crate::session::Registry;
use crate::terms::{InForce, Terms};

/// How often the samples of histograms are folded into their buckets.
const UPKEEP: Duration = Duration::from_secs(5);
/// How often freed memory is given back to the system: each time costs some milliseconds.
const RELEASE: Duration = Duration::from_secs(10);

/// A server that is ready to listen. The binary, tests and embedders start it alike: [`Server::prepare`],
/// [`Server::bind`], [`Listening::run`].
pub struct Server {
    terms: Terms,
    models: Models,
}

impl Server {
    /// Starts GStreamer, loads and warms the models, and runs a frame through every pipeline that a client may get.
    /// Blocks for as long as that takes.
    ///
    /// Element properties take their defaults from [`dactyl_config::process`]: install the configuration first.
    ///
    /// # Errors
    ///
    /// What is wrong with the first pipeline or model that does not work, and how to mend it.
    pub fn prepare(config: Arc<Config>) -> Result<Self> {
        register_elements()?;
        let start = Instant::now();
        tracing::info!("loading and warming the models");
        let models = Models::load(&config)?;
        let terms = Terms::prepare(config, None)?;
        terms.warn();
        release_freed();
        tracing::info!(ms = start.elapsed().as_millis() as u64, "models and pipelines are ready");
        Ok(Self { terms, models })
    }

    /// Takes the addresses of the configuration. Connections wait until [`Listening::run`].
    ///
    /// # Errors
    ///
    /// Which address cannot be taken, why, and the key that names another one.
    pub async fn bind(self) -> Result<Listening> {
        let sockets = Sockets::bind(&self.terms.config).await?;
        Ok(Listening { server: self, sockets, reloads: None })
    }
}

/// A server that has its addresses.
pub struct Listening {
    server: Server,
    sockets: Sockets,
    reloads: Option<Reloads>,
}

impl Listening {
    /// What the server listens on.
    pub fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    /// Takes certificate, keys, limits and pipelines anew when that is asked for.
    #[must_use]
    pub fn with_reloads(self, reloads: Reloads) -> Self {
        Self { reloads: Some(reloads), ..self }
    }

    /// Serves until `shutdown`, which says whether to drain first; then closes every socket with 1001 and returns within
    /// `server.shutdown_timeout_ms`.
    ///
    /// # Errors
    ///
    /// When the addresses of the sockets cannot be told.
    pub async fn run(self, shutdown: impl Future<Output = Ending> + Send + 'static) -> Result<()> {
        let Self { server, sockets, reloads } = self;
        let (stop, stopped) = watch::channel(false);
        let (alive, mut all_closed) = mpsc::channel::<()>(1);
        let metrics = Arc::new(Metrics::new()?);
        let denials = Arc::new(Denials::new(Arc::clone(&metrics)));
        let addresses = sockets.clients.addresses().context("the socket has no address")?;
        let registry = Arc::new(Registry::default());
        let draining = Arc::new(AtomicBool::new(false));
        let in_force = Arc::new(InForce::new(server.terms));
        let app = Arc::new(App {
            in_force: Arc::clone(&in_force),
            metrics: Arc::clone(&metrics),
            sessions: Places::default(),
            next_session: AtomicU64::new(1),
            models: server.models,
            denials: Arc::clone(&denials),
            readiness: Arc::new(Readiness::new()),
            registry: Arc::clone(&registry),
            loopback_only: addresses.iter().all(|address| address.ip().is_loopback()),
            draining: Arc::clone(&draining),
            shutdown: stopped.clone(),
            alive: alive.downgrade(),
        });
        let one_ended = Arc::new(AtomicBool::new(false));
        let connections = Connections {
            router: http::client_routes(Arc::clone(&app), sockets.admin.is_none()),
            of_operators: false,
            places: Places::default(),
            in_force,
            denials: Arc::clone(&denials),
            metrics: Arc::clone(&metrics),
            one_ended: Arc::clone(&one_ended),
        };
        let admin = OptionFuture::from(sockets.admin.map(|listeners| {
            let router = http::admin_routes(Arc::clone(&app));
            let connections =
                Connections { router, of_operators: true, places: Places::default(), ..connections.clone() };
            connections.accept(listeners, alive.downgrade(), stopped.clone())
        }));
        let agent = OptionFuture::from(
            sockets.agent.map(|listeners| agent::serve(Arc::clone(&app), listeners, stopped.clone())),
        );
        let reloading = OptionFuture::from(reloads.map(|reloads| reload::serve(Arc::clone(&app), reloads)));
        let clients = connections.accept(sockets.clients, alive.downgrade(), stopped);
        let watch = service::keep_watch(&app);
        let mut serving = pin!(async {
            tokio::join!(clients, admin, agent, reloading, watch, keep_up(&metrics, &one_ended))
        });
        service::ready();
        let ending = tokio::select! {
            _ = &mut serving => Ending::Now,
            ending = shutdown => ending,
        };
        service::stopping();
        let limits = app.terms().config.server.clone();
        if let Some(drain) = Drain::configured(&limits).filter(|_| ending == Ending::Drain) {
            tracing::info!("draining: new sessions are refused");
            draining.store(true, Ordering::Release);
            metrics.draining.set(1.0);
            tokio::select! {
                _ = &mut serving => {}
                () = drain.run(&registry) => {}
            }
        }
        tracing::info!("shutting down");
        stop.send_replace(true);
        drop(alive);
        let patience = Duration::from_millis(limits.shutdown_timeout_ms.into());
        // Nothing is ever sent: this waits until the last socket is closed and the last pipeline is gone.
        let everything_ended = all_closed.recv();
        let ended = timeout(patience, async {
            tokio::select! {
                // It takes no more connections, but those that are open must go on.
                _ = serving => {}
                _ = everything_ended => {}
            }
        });
        if ended.await.is_err() {
            tracing::warn!("some connections did not end in time (server.shutdown_timeout_ms)");
        }
        Ok(())
    }
}

/// Does what must be done from time to time.
async fn keep_up(metrics: &Metrics, one_ended: &AtomicBool) {
    let (mut released, mut begun) = (Instant::now(), Instant::now());
    loop {
        sleep(UPKEEP).await;
        metrics.run_upkeep();
        metrics.load_figures(metrics.load.next(Slots::shared().total(), begun.elapsed()));
        begun = Instant::now();
        if released.elapsed() >= RELEASE && one_ended.swap(false, Ordering::AcqRel) {
            released = Instant::now();
            // An error means that the runtime ends.
            let _ = spawn_blocking(release_freed).await;
        }
    }
}

/// Starts GStreamer and makes the project's elements known to it, once in a process.
///
/// # Errors
///
/// When GStreamer does not start.
pub fn register_elements() -> Result<()> {
    static OUTCOME: OnceLock<Result<(), String>> = OnceLock::new();
    let outcome = OUTCOME.get_or_init(|| {
        gst::init().map_err(|error| format!("GStreamer does not start: {error}"))?;
        gstdactyl::plugin_register_static()
            .map_err(|error| format!("the elements cannot be registered: {error}"))
    });
    outcome.clone().map_err(anyhow::Error::msg)
}
