//! The sockets that the server listens on.

use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Poll;
use std::time::Duration;

use anyhow::{Context, Result};
use dactyl_config::Config;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::time::sleep;

/// Ports that are tried when any will do: one that is free on one address may be taken on another.
const TRIES: usize = 16;
/// Pause after a connection could not be taken, which is when the process is out of file descriptors.
const PAUSE: Duration = Duration::from_secs(1);

/// Everything that a server listens on.
#[derive(Debug)]
pub struct Sockets {
    /// For clients: the pages and the WebSocket.
    pub clients: Listeners,
    /// For operators, if they do not share that of the clients.
    pub admin: Option<Listeners>,
    /// For HAProxy's agent-check.
    pub agent: Option<Listeners>,
}

impl Sockets {
    pub(crate) async fn bind(config: &Config) -> Result<Self> {
        let clients = Listeners::bind(&config.server.listen).await.with_context(|| {
            let listen = &config.server.listen;
            format!("{listen} can't be taken; is another server there? Name another address with --listen")
        })?;
        let admin = bind_if_set("admin.listen", &config.admin.listen).await?;
        let agent = bind_if_set("admin.agent_listen", &config.admin.agent_listen).await?;
        Ok(Self { clients, admin, agent })
    }
}

async fn bind_if_set(key: &str, listen: &str) -> Result<Option<Listeners>> {
    if listen.is_empty() {
        return Ok(None);
    }
    let taken = Listeners::bind(listen).await;
    taken.map(Some).with_context(|| format!("{listen} can't be taken; name another address in {key}"))
}

/// One socket or more, each on an address of its own.
#[derive(Debug)]
pub struct Listeners(Vec<TcpListener>);

impl Listeners {
    /// Takes every address that the host of `listen`, host:port, stands for: `localhost` is 127.0.0.1 and ::1, and
    /// clients may try either first. All get the same port; 0 takes one that is free on all of them. Addresses that
    /// this machine does not have are left out if it has another.
    ///
    /// # Errors
    ///
    /// When the host stands for nothing, or an address cannot be taken.
    async fn bind(listen: &str) -> io::Result<Self> {
        let mut addresses: Vec<SocketAddr> = Vec::new();
        for address in lookup_host(listen).await? {
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        Self::take(&addresses).await
    }

    async fn take(addresses: &[SocketAddr]) -> io::Result<Self> {
        let may_try_another_port = addresses.iter().all(|address| address.port() == 0);
        let mut tries = if may_try_another_port { TRIES } else { 1 };
        loop {
            tries -= 1;
            match take_all(addresses).await {
                Err(error) if error.kind() == ErrorKind::AddrInUse && tries > 0 => {}
                outcome => return outcome.map(Self),
            }
        }
    }

    /// The next connection to any of them, and where it comes from; `None` when the server stops.
    pub(crate) async fn next(
        &mut self,
        stopping: &mut watch::Receiver<bool>,
    ) -> Option<(TcpStream, SocketAddr)> {
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = stopped(stopping) => return None,
            };
            match accepted {
                Ok(accepted) => return Some(accepted),
                // The client has gone before its connection was taken.
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be taken");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        poll_fn(|context| {
            for index in 0..self.0.len() {
                if let Poll::Ready(accepted) = self.0[index].poll_accept(context) {
                    // The others come first the next time, so that no address keeps them waiting.
                    self.0.rotate_left(index + 1);
                    return Poll::Ready(accepted);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Where clients find the server, in the order in which the addresses were found.
    ///
    /// # Errors
    ///
    /// When the system does not tell.
    pub fn addresses(&self) -> io::Result<Vec<SocketAddr>> {
        self.0.iter().map(TcpListener::local_addr).collect()
    }
}

/// Returns when the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end as well.
    let _ = stopping.wait_for(|stop| *stop).await;
}

/// Whether the error is about the one connection that was to be taken, and not about the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Takes all of the addresses, with the port of the first where they leave it open.
async fn take_all(addresses: &[SocketAddr]) -> io::Result<Vec<TcpListener>> {
    let (mut listeners, mut absent) = (Vec::<TcpListener>::new(), None);
    for &(mut address) in addresses {
        if let (0, Some(first)) = (address.port(), listeners.first()) {
            address.set_port(first.local_addr()?.port());
        }
        match TcpListener::bind(address).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => {
                let is_absent = is_absent(&error);
                let error = io::Error::new(error.kind(), format!("{address}: {error}"));
                if !is_absent {
                    return Err(error);
                }
                absent = Some(error);
            }
        }
    }
    if listeners.is_empty() {
        let no_address = || io::Error::new(ErrorKind::AddrNotAvailable, "the name has no address");
        return Err(absent.unwrap_or_else(no_address));
    }
    if let Some(error) = absent {
        tracing::info!(%error, "an address is left out");
    }
    Ok(listeners)
}

/// Whether this machine has no such address: `localhost` is ::1 also where IPv6 is turned off.
fn is_absent(error: &io::Error) -> bool {
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(libc::EAFNOSUPPORT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(hosts: &[&str], port: u16) -> Vec<SocketAddr> {
        hosts.iter().map(|host| SocketAddr::new(host.parse().unwrap(), port)).collect()
    }

    /// Connects to every socket, several times, and takes each connection.
    async fn all_are_served(mut listeners: Listeners) {
        for _ in 0..3 {
            for address in listeners.addresses().unwrap() {
                let client = TcpStream::connect(address).await.unwrap();
                let (_, peer) = listeners.accept().await.unwrap();
                assert_eq!(peer, client.local_addr().unwrap());
            }
        }
    }

    #[tokio::test]
    async fn all_addresses_of_a_name_are_taken_with_one_free_port() {
        let listeners = Listeners::take(&addresses(&["127.0.0.1", "127.0.0.2", "::1"], 0)).await.unwrap();
        let taken = listeners.addresses().unwrap();
        assert!(taken.len() >= 2, "{taken:?}");
        assert!(
            taken.iter().all(|address| address.port() == taken[0].port() && address.port() > 0),
            "{taken:?}"
        );
        all_are_served(listeners).await;
    }

    #[tokio::test]
    async fn an_address_that_this_machine_does_not_have_is_left_out() {
        let listeners = Listeners::take(&addresses(&["192.0.2.1", "127.0.0.1"], 0)).await.unwrap();
        assert_eq!(listeners.addresses().unwrap().len(), 1);
        all_are_served(listeners).await;
        let error = Listeners::take(&addresses(&["192.0.2.1"], 0)).await.unwrap_err();
        assert!(error.to_string().starts_with("192.0.2.1:0: "), "{error}");
        let error = Listeners::take(&[]).await.unwrap_err();
        assert!(error.to_string().contains("no address"), "{error}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_on_one_of_the_addresses_is_an_error() {
        let other = TcpListener::bind("127.0.0.2:0").await.unwrap();
        let taken = other.local_addr().unwrap();
        let error = Listeners::take(&addresses(&["127.0.0.1", "127.0.0.2"], taken.port())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        assert!(error.to_string().starts_with(&taken.to_string()), "{error}");
    }
}
