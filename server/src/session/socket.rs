//! The socket of one session: reading, writing, pings, time limits, and how it ends.

use std::time::{Duration, Instant};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite;

use super::intake::{Intake, Taken};
use super::outbox::{Outbox, Outgoing};
use crate::metrics::Metrics;
use crate::protocol::{self, Close};

/// How often time limits are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Time for what waits and the closing handshake. The pipeline does not wait for it.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// Why a socket is not served any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The client closed it or is gone.
    Gone,
    /// It is to be closed.
    Close(Close),
}

/// Serves the socket until one side ends it.
pub(super) async fn serve(
    socket: WebSocket,
    mut intake: Intake,
    outbox: &Outbox,
    mut shutdown: watch::Receiver<bool>,
) {
    let (mut sink, mut stream) = socket.split();
    let metrics = std::sync::Arc::clone(&intake.metrics);
    let slow = seconds(intake.limits.slow_client_timeout_s);
    let end = tokio::select! {
        end = read(&mut stream, &mut intake, outbox) => end,
        end = write(&mut sink, outbox, &metrics, slow) => end,
        _ = shutdown.wait_for(|stop| *stop) => End::Close(Close::ShuttingDown),
    };
    // The pipeline has no one to work for any more.
    intake.ledger.close();
    intake.commands.stop();
    match end {
        End::Gone => {
            tracing::info!("the client has gone");
            // Its own close frame is answered by the flush in here.
            let _ = timeout(CLOSE_TIME, sink.close()).await;
        }
        End::Close(close) => {
            tracing::info!(code = close.code(), reason = close.reason(), "closing");
            // A client that takes nothing cannot be told either.
            let _ = timeout(CLOSE_TIME, say_goodbye(&mut sink, &mut stream, outbox, &metrics, close)).await;
        }
    }
}

fn seconds(count: u32) -> Duration {
    Duration::from_secs(count.into())
}

async fn read(stream: &mut SplitStream<WebSocket>, intake: &mut Intake, outbox: &Outbox) -> End {
    let limits = intake.limits.clone();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Times::new(Instant::now());
    loop {
        tokio::select! {
            message = stream.next() => {
                let message = match message {
                    None => return End::Gone,
                    Some(Err(error)) => return end_of(error),
                    Some(Ok(message)) => message,
                };
                let now = Instant::now();
                times.heard = now;
                let taken = match message {
                    Message::Text(text) => intake.take(text.len(), false, || protocol::read_text(&text)),
                    Message::Binary(bytes) => {
                        let bare = protocol::is_bare_jpeg(&bytes);
                        intake.take(bytes.len(), bare, || protocol::read_binary(&bytes))
                    }
                    Message::Pong(_) => {
                        times.pinged = None;
                        Taken::Nothing
                    }
                    Message::Ping(_) => Taken::Nothing,
                    Message::Close(_) => return End::Gone,
                };
                if taken == Taken::Work {
                    times.worked = now;
                }
                // The writer may be held up by the very client that fills the outbox.
                if let Some(close) = outbox.ending() {
                    return End::Close(close);
                }
            }
            _ = tick.tick() => match times.look(Instant::now(), &limits) {
                Due::Nothing => {}
                Due::Ping => outbox.ping(),
                Due::Close(close) => return End::Close(close),
            },
        }
    }
}

/// When what happened last.
struct Times {
    /// Anything came.
    heard: Instant,
    /// A frame or a letter came.
    worked: Instant,
    /// A ping was sent whose pong has not come.
    pinged: Option<Instant>,
    /// The last ping was sent, answered or not.
    last_ping: Instant,
}

/// What it is time for.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Ping,
    Close(Close),
}

impl Times {
    fn new(now: Instant) -> Self {
        Self { heard: now, worked: now, pinged: None, last_ping: now }
    }

    fn look(&mut self, now: Instant, limits: &dactyl_config::Server) -> Due {
        let over = |since: Instant, limit: u32| now.saturating_duration_since(since) >= seconds(limit);
        if over(self.heard, limits.ping_timeout_s) {
            return Due::Close(Close::Silent);
        }
        // Pongs come from whoever reads: one that sends frames and never answers pings does not read its answers.
        if self.pinged.is_some_and(|pinged| over(pinged, limits.slow_client_timeout_s)) {
            return Due::Close(Close::SlowClient);
        }
        if limits.idle_timeout_s > 0 && over(self.worked, limits.idle_timeout_s) {
            return Due::Close(Close::Idle);
        }
        if over(self.last_ping, limits.ping_interval_s) {
            self.last_ping = now;
            self.pinged.get_or_insert(now);
            return Due::Ping;
        }
        Due::Nothing
    }
}

/// Whether a broken connection can still be told why.
fn end_of(error: axum::Error) -> End {
    match error.into_inner().downcast_ref::<tungstenite::Error>() {
        Some(tungstenite::Error::Capacity(_)) => End::Close(Close::TransportLimit),
        Some(tungstenite::Error::Protocol(
            tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        )) => End::Gone,
        Some(tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_)) => {
            End::Close(Close::ProtocolError)
        }
        _ => End::Gone,
    }
}

async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    outbox: &Outbox,
    metrics: &Metrics,
    slow: Duration,
) -> End {
    loop {
        let outgoing = outbox.next().await;
        if let Outgoing::Close(close) = outgoing {
            return End::Close(close);
        }
        match timeout(slow, send(sink, outgoing, metrics)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Close(Close::SlowClient),
        }
    }
}

async fn send(
    sink: &mut SplitSink<WebSocket, Message>,
    outgoing: Outgoing,
    metrics: &Metrics,
) -> Result<(), axum::Error> {
    match outgoing {
        Outgoing::Feedback { text, frame_entered } => {
            sink.send(Message::Text(text.into())).await?;
            metrics.feedback_sent.increment(1);
            if let Some(entered) = frame_entered {
                metrics.frame_age.record(entered.elapsed().as_secs_f64());
            }
            Ok(())
        }
        Outgoing::Reset { text, came } => {
            sink.send(Message::Text(text.into())).await?;
            metrics.feedback_sent.increment(1);
            metrics.reset_time.record(came.elapsed().as_secs_f64());
            Ok(())
        }
        Outgoing::Text(text) => sink.send(Message::Text(text.into())).await,
        Outgoing::Ping => sink.send(Message::Ping(bytes::Bytes::new())).await,
        Outgoing::Close(_) => Ok(()),
    }
}

/// Sends the errors that wait, then the reason, then waits for the client's answer: closing a socket at once can take
/// the reason away from a client that is still sending.
async fn say_goodbye(
    sink: &mut SplitSink<WebSocket, Message>,
    stream: &mut SplitStream<WebSocket>,
    outbox: &Outbox,
    metrics: &Metrics,
    close: Close,
) -> Result<(), axum::Error> {
    outbox.close(close);
    while let Some(outgoing) = outbox.try_next().filter(|outgoing| !matches!(outgoing, Outgoing::Close(_))) {
        send(sink, outgoing, metrics).await?;
    }
    let frame = CloseFrame { code: close.code(), reason: close.reason().into() };
    sink.send(Message::Close(Some(frame))).await?;
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Close(_)) => break,
            Ok(_) => {}
            // Nothing more can be read; the client gets the time to read.
            Err(_) => std::future::pending().await,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> dactyl_config::Server {
        dactyl_config::Config::builtin().server
    }

    #[test]
    fn a_client_is_pinged_and_one_that_stays_silent_is_freed() {
        let begin = Instant::now();
        let mut times = Times::new(begin);
        let after = |count: u32| begin + seconds(count);
        assert_eq!(times.look(after(4), &limits()), Due::Nothing);
        assert_eq!(times.look(after(5), &limits()), Due::Ping);
        assert_eq!(times.look(after(6), &limits()), Due::Nothing);
        assert_eq!(times.look(after(10), &limits()), Due::Close(Close::Silent));
    }

    #[test]
    fn a_client_that_sends_and_does_not_read_is_closed() {
        let begin = Instant::now();
        let mut times = Times::new(begin);
        let mut due = Vec::new();
        for count in 1..=15 {
            times.heard = begin + seconds(count);
            times.worked = times.heard;
            due.push(times.look(begin + seconds(count), &limits()));
        }
        assert_eq!(due[4], Due::Ping);
        assert_eq!(due[9], Due::Ping);
        assert_eq!(due[13], Due::Nothing);
        assert_eq!(due[14], Due::Close(Close::SlowClient));
    }

    #[test]
    fn a_client_that_answers_pings_and_does_nothing_is_closed_when_idle() {
        let begin = Instant::now();
        let mut times = Times::new(begin);
        let first_close = (1..1000).find(|count| {
            times.heard = begin + seconds(*count);
            times.pinged = None;
            times.look(begin + seconds(*count), &limits()) == Due::Close(Close::Idle)
        });
        assert_eq!(first_close, Some(300));
        let never = dactyl_config::Server { idle_timeout_s: 0, ..limits() };
        times.heard = begin + seconds(10_000);
        assert_ne!(times.look(begin + seconds(10_000), &never), Due::Close(Close::Idle));
    }
}
