//! `dactyl serve`: the server.

use std::future::Future;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use dactyl::{Ending, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::{cli, logging};

/// The exit code of a program that ctrl-C has ended.
const INTERRUPTED: i32 = 130;
/// Time for what the server leaves running when it has ended.
const LAST_TASKS: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &cli::Serve) -> Result<ExitCode> {
    let loaded = arguments.layers.load(&arguments.overrides)?;
    dactyl_config::install_loaded(&loaded);
    logging::start(&loaded)?;
    let config = Arc::new(loaded.config);
    let server = Server::prepare(Arc::clone(&config))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let served = runtime.block_on(serve(server, &config.server.listen, !config.tls.certificate.is_empty()));
    // What is still running then holds nothing that needs an orderly end.
    runtime.shutdown_timeout(LAST_TASKS);
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(server: Server, listen: &str, is_secure: bool) -> Result<()> {
    // Before the address is taken, so that no signal is missed once others know of it.
    let shutdown = asked_to_end()?;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("{listen} can't be taken; is another server there? Name another address with --listen")
    })?;
    // What starts the server may have stopped reading; the server is there all the same.
    let _ = writeln!(io::stdout(), "{}", welcome(listener.local_addr()?, is_secure));
    server.run(listener, shutdown).await
}

/// Ends with the first ctrl-C, or drains with the first SIGTERM. A second one ends the process at once.
fn asked_to_end() -> Result<impl Future<Output = Ending>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut next = async move || {
        tokio::select! {
            _ = interrupt.recv() => Ending::Now,
            _ = terminate.recv() => Ending::Drain,
        }
    };
    Ok(async move {
        let ending = next().await;
        tracing::info!("ending; once more ends at once");
        tokio::spawn(async move {
            next().await;
            process::exit(INTERRUPTED);
        });
        ending
    })
}

/// The addresses of the page and of the protocol. Port and host are those in use, whatever was configured.
fn welcome(address: SocketAddr, is_secure: bool) -> String {
    let (http, ws) = if is_secure { ("https", "wss") } else { ("http", "ws") };
    if address.ip().is_unspecified() {
        let host = format!("127.0.0.1:{}", address.port());
        format!(
            "listening on {http}://{host}/, protocol at {ws}://{host}/ws, on every other address of this machine too"
        )
    } else {
        format!("listening on {http}://{address}/, protocol at {ws}://{address}/ws")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_ones_that_a_client_can_open() {
        let text = welcome("0.0.0.0:81".parse().unwrap(), false);
        assert!(text.contains(" ws://127.0.0.1:81/ws") && text.contains("every other address"), "{text}");
        assert_eq!(
            welcome("[::1]:81".parse().unwrap(), true),
            "listening on https://[::1]:81/, protocol at wss://[::1]:81/ws"
        );
    }
}
