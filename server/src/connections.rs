//! Connections: how many there may be, how long one may stay silent, and how they end.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::response::Response;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tower::ServiceExt;

use crate::admission::Denials;
use crate::denial::Denial;
use crate::listen::{Listeners, stopped};
use crate::metrics::Metrics;
use crate::places::{Client, Most, NoPlace, Place, Places};
use crate::proxy_protocol;
use crate::terms::{InForce, Terms};

/// Connections of operators at the same time, beside those of clients: nothing that clients do keeps operators out.
const OF_OPERATORS: Most = Most { all: 64, of_client: 0 };
/// Most bytes of a request's header, and of what is read ahead of it: browsers send 1 to 8 KiB.
const HEADER_BYTES: usize = 16 << 10;
/// A connection that has not become a WebSocket takes no further request after this time, and ends after as much again:
/// one that reads its answers a byte at a time must not stay for ever.
const MOST_AGE: Duration = Duration::from_secs(60);

/// Who is at the other end of a connection.
#[derive(Clone)]
pub(crate) struct Peer {
    pub(crate) address: IpAddr,
    /// Bytes that came, whole messages or not.
    pub(crate) received: Arc<AtomicU64>,
}

/// What serves every connection.
#[derive(Clone)]
pub(crate) struct Connections {
    /// The routes. A request has its [`Peer`] as an extension.
    pub(crate) router: Router,
    /// Whether they are those of operators, which are plain ones.
    pub(crate) of_operators: bool,
    pub(crate) places: Places,
    /// What says how many there may be and how they are spoken to; each keeps to what it found.
    pub(crate) in_force: Arc<InForce>,
    /// Told of those that get no place.
    pub(crate) denials: Arc<Denials>,
    /// Told how many there are.
    pub(crate) metrics: Arc<Metrics>,
    /// Set when one has ended, and with it what it kept in memory.
    pub(crate) one_ended: Arc<AtomicBool>,
}

impl Connections {
    /// Takes connections until the server stops. A clone of `alive` is held as long as one is open that has not become a
    /// WebSocket.
    pub(crate) async fn accept(
        self,
        mut listeners: Listeners,
        alive: mpsc::WeakSender<()>,
        mut stopping: watch::Receiver<bool>,
    ) {
        let connections = Arc::new(self);
        loop {
            let Some((stream, address)) = listeners.next(&mut stopping).await else { return };
            let terms = connections.in_force.get();
            let place = match connections.place(&terms, address.ip()) {
                Ok(place) => place,
                Err(cause) => {
                    connections.deny(address, cause);
                    continue;
                }
            };
            let Some(alive) = alive.upgrade() else { return };
            let connections = Arc::clone(&connections);
            let stopping = stopping.clone();
            let place = connections.count(place);
            tokio::spawn(async move {
                connections.serve(&terms, stream, address, place, stopping).await;
                drop(alive);
            });
        }
    }

    fn count(&self, place: Place) -> Counted {
        self.metrics.connections.increment(1.0);
        let (metrics, one_ended) = (Arc::clone(&self.metrics), Arc::clone(&self.one_ended));
        Counted { metrics, one_ended, _place: place }
    }

    /// A proxy is not counted as a client: many stand behind it.
    fn place(&self, terms: &Terms, address: IpAddr) -> Result<Place, NoPlace> {
        let limits = &terms.config.server;
        let of_clients = Most {
            all: limits.max_connections as usize,
            of_client: limits.max_connections_per_client as usize,
        };
        let client = (!terms.proxies.contain(address)).then(|| Client::of(address));
        self.places.take(client, if self.of_operators { OF_OPERATORS } else { of_clients })
    }

    /// Closes the connection without a word: an answer would have to wait for a request.
    fn deny(&self, address: SocketAddr, cause: NoPlace) {
        let denial = match cause {
            NoPlace::All => Denial::Connections,
            NoPlace::OfClient => Denial::ConnectionsOfClient,
        };
        self.denials.count(denial, address.ip());
    }

    async fn serve(
        &self,
        terms: &Terms,
        mut stream: TcpStream,
        mut address: SocketAddr,
        mut place: Counted,
        mut stopping: watch::Receiver<bool>,
    ) {
        // Answers are small and must leave at once.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY cannot be set");
        }
        // Time for a TLS handshake, and for the whole header of a request, counted from the connection's beginning or from
        // the answer before it.
        let time = Duration::from_secs(terms.config.server.header_timeout_s.into());
        let has_header = !self.of_operators && terms.config.server.proxy_protocol;
        if has_header && terms.proxies.contain(address.ip()) {
            let client = tokio::select! {
                client = self.client(&mut stream, address, time) => client,
                () = stopped(&mut stopping) => return,
            };
            let Some(client) = client else { return };
            drop(place);
            place = match self.place(terms, client.ip()) {
                Ok(place) => self.count(place),
                Err(cause) => return self.deny(client, cause),
            };
            address = client;
        }
        let Some(tls) = terms.tls.as_ref().filter(|_| !self.of_operators) else {
            return self.serve_requests(stream, address, place, time, stopping).await;
        };
        let shaken = tokio::select! {
            shaken = timeout(time, tls.acceptor.accept(stream)) => shaken,
            () = stopped(&mut stopping) => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.serve_requests(stream, address, place, time, stopping).await,
            // Anybody can send anything to a port.
            Ok(Err(error)) => tracing::debug!(%error, %address, "no TLS handshake"),
            Err(_) => tracing::debug!(%address, "no TLS handshake in time"),
        }
    }

    /// The client that a proxy speaks for, or the proxy itself where it speaks for nobody else; `None` if it does not say.
    async fn client(&self, stream: &mut TcpStream, proxy: SocketAddr, time: Duration) -> Option<SocketAddr> {
        match timeout(time, proxy_protocol::read(stream)).await {
            Ok(Ok(client)) => return Some(client.unwrap_or(proxy)),
            Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
                tracing::debug!(%error, %proxy, "no header of the PROXY protocol");
                self.denials.count(Denial::ProxyHeader, proxy.ip());
            }
            // A health check may connect and say nothing.
            Ok(Err(error)) => tracing::debug!(%error, %proxy, "a connection ended before its header"),
            Err(_) => tracing::debug!(%proxy, "no header of the PROXY protocol in time"),
        }
        None
    }

    async fn serve_requests<Stream>(
        &self,
        stream: Stream,
        address: SocketAddr,
        place: Counted,
        header_timeout: Duration,
        mut stopping: watch::Receiver<bool>,
    ) where
        Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let requests = AtomicUsize::new(0);
        let peer = Peer { address: address.ip(), received: Arc::default() };
        let service = service_fn(|mut request: Request<Incoming>| {
            let begun = Begun::new(&requests);
            request.extensions_mut().insert(peer.clone());
            let answer = self.router.clone().oneshot(request.map(Body::new));
            async move {
                let answer: Result<Response, Infallible> = answer.await;
                drop(begun);
                answer
            }
        });
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new()).header_read_timeout(header_timeout).max_buf_size(HEADER_BYTES);
        let stream = TokioIo::new(Held { stream, received: Arc::clone(&peer.received), _place: place });
        let mut connection = pin!(http.serve_connection(stream, service).with_upgrades());
        let outcome = tokio::select! {
            outcome = &mut connection => outcome,
            () = stopped(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                // What waits for the rest of a header, or for the next one, has nothing to finish.
                if requests.load(Ordering::Acquire) == 0 {
                    return;
                }
                connection.await
            }
            () = sleep(MOST_AGE) => {
                connection.as_mut().graceful_shutdown();
                match timeout(MOST_AGE, connection).await {
                    Ok(outcome) => outcome,
                    Err(_) => return tracing::debug!(%address, "an answer is not read"),
                }
            }
        };
        if let Err(error) = outcome {
            tracing::debug!(%error, %address, "a connection ended");
        }
    }
}

/// A request that is being answered.
struct Begun<'a>(&'a AtomicUsize);

impl<'a> Begun<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::AcqRel);
        Self(count)
    }
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A place among the connections, counted in the metrics as long as it is held.
struct Counted {
    metrics: Arc<Metrics>,
    one_ended: Arc<AtomicBool>,
    _place: Place,
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.metrics.connections.decrement(1.0);
        self.one_ended.store(true, Ordering::Release);
    }
}

/// A stream that keeps its place among the connections, also when it has become a WebSocket.
struct Held<Stream> {
    stream: Stream,
    received: Arc<AtomicU64>,
    _place: Counted,
}

impl<Stream: AsyncRead + Unpin> AsyncRead for Held<Stream> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.received.fetch_add((buffer.filled().len() - before) as u64, Ordering::Relaxed);
        outcome
    }
}

impl<Stream: AsyncWrite + Unpin> AsyncWrite for Held<Stream> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
