//! `dactyl serve`: the server.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dactyl::log_output::Unwaiting;
use dactyl::{Ending, Listeners, Reloads, Server};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use crate::{cli, logging};

/// The exit code of a program that ctrl-C has ended.
const INTERRUPTED: i32 = 130;
/// Time for what the server leaves running when it has ended.
const LAST_TASKS: Duration = Duration::from_millis(200);

pub(super) fn run(arguments: &cli::Serve) -> Result<ExitCode> {
    let loaded = arguments.layers.load(&arguments.overrides)?;
    dactyl_config::install_loaded(&loaded);
    let _log = logging::start(&loaded)?;
    let is_secure = !loaded.config.tls.certificate.is_empty();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // Before everything that takes time: one that comes meanwhile must not end the process.
    let hangups = runtime.block_on(async { signal(SignalKind::hangup()) })?;
    let server = Server::prepare(Arc::new(loaded.config))?;
    let arguments = arguments.clone();
    let read = move || Ok(arguments.layers.load(&arguments.overrides)?.config);
    let served = runtime.block_on(async {
        let reloads = Reloads::new(asked_to_reload(hangups), read);
        serve(server, reloads, is_secure).await
    });
    // What is still running then holds nothing that needs an orderly end.
    runtime.shutdown_timeout(LAST_TASKS);
    served.map(|()| ExitCode::SUCCESS)
}

async fn serve(server: Server, reloads: Reloads, is_secure: bool) -> Result<()> {
    // Before the address is taken, so that no signal is missed once others know of it.
    let shutdown = asked_to_end()?;
    let listening = server.bind().await?;
    let sockets = listening.sockets();
    let mut welcome = welcome(&sockets.clients.addresses()?, is_secure);
    for (listeners, what) in [(&sockets.admin, "metrics and readiness"), (&sockets.agent, "agent-check")] {
        for address in listeners.iter().map(Listeners::addresses).collect::<io::Result<Vec<_>>>()?.concat() {
            welcome.push_str(&format!("; {what} on {address}"));
        }
    }
    welcome.push('\n');
    // What starts the server may have stopped reading; the server is there all the same.
    let _ = Unwaiting::new(&io::stdout()).and_then(|mut output| output.write_line(welcome.as_bytes()));
    listening.with_reloads(reloads).run(shutdown).await
}

/// A message for each SIGHUP; those that come while one waits are one.
fn asked_to_reload(mut hangups: Signal) -> mpsc::Receiver<()> {
    let (ask, asked) = mpsc::channel(1);
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            // One that waits reads everything that there is by then.
            let _ = ask.try_send(());
        }
    });
    asked
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
fn welcome(addresses: &[SocketAddr], is_secure: bool) -> String {
    let (http, ws) = if is_secure { ("https", "wss") } else { ("http", "ws") };
    let show = |address: &SocketAddr| format!("{http}://{address}/, protocol at {ws}://{address}/ws");
    let shown: Vec<String> = match addresses {
        [address] if address.ip().is_unspecified() => {
            let loopback = SocketAddr::from(([127, 0, 0, 1], address.port()));
            vec![show(&loopback), "on every other address of this machine too".to_owned()]
        }
        [first, others @ ..] => {
            [show(first)].into_iter().chain(others.iter().map(|other| format!("on {other} too"))).collect()
        }
        [] => Vec::new(),
    };
    format!("listening on {}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_are_ones_that_a_client_can_open() {
        let [any, v4, v6] = ["0.0.0.0:81", "127.0.0.1:81", "[::1]:81"].map(|text| text.parse().unwrap());
        let text = welcome(&[any], false);
        assert!(text.contains(" ws://127.0.0.1:81/ws") && text.contains("every other address"), "{text}");
        assert_eq!(welcome(&[v6], true), "listening on https://[::1]:81/, protocol at wss://[::1]:81/ws");
        assert_eq!(
            welcome(&[v4, v6], false),
            "listening on http://127.0.0.1:81/, protocol at ws://127.0.0.1:81/ws, on [::1]:81 too"
        );
    }
}
