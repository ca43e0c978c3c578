//! `dactyl serve`: the server.

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use dactyl::Server;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::oneshot,
};

use super::{check, print};
use crate::{cli, logging};

pub(super) fn run(arguments: &cli::Serve) -> Result<ExitCode> {
    let loaded = arguments.layers.load(&arguments.overrides)?;
    dactyl_config::install_loaded(&loaded);
    logging::start(&loaded)?;
    check::networks_are_there(&loaded.config)?;
    let config = Arc::new(loaded.config);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(async {
        let shutdown = watch_signals()?;
        let server = Server::prepare(Arc::clone(&config))?;
        let listen = &config.server.listen;
        let listener = TcpListener::bind(listen).await.with_context(|| {
            format!("{listen} cannot be listened on; is it taken? See server.listen or --listen")
        })?;
        let address = listener.local_addr()?;
        print(format_args!("listening on http://{address}, protocol at ws://{address}/ws"))?;
        let shutdown = async {
            // The sender never goes away before it has sent.
            let _ = shutdown.await;
        };
        server.run(listener, shutdown).await
    });
    // What still runs then holds on to nothing that needs an end.
    runtime.shutdown_timeout(Duration::from_millis(200));
    outcome.map(|()| ExitCode::SUCCESS)
}

/// Resolves on ctrl-C or SIGTERM. A second signal ends the process at once.
fn watch_signals() -> Result<oneshot::Receiver<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let (sender, receiver) = oneshot::channel();
    tokio::spawn(async move {
        let mut next = async || {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        next().await;
        // Nobody listens any more if the server ended by itself.
        let _ = sender.send(());
        next().await;
        std::process::exit(130);
    });
    Ok(receiver)
}
