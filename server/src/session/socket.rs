//! The socket of one session: reading, writing, pings, time limits, and how it ends.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::intake::{Intake, Taken};
use super::outbox::{Outbox, Outgoing};
use crate::metrics::Metrics;
use crate::protocol::{self, Close};

/// How often time limits are looked at.
const TICK: Duration = Duration::from_millis(100);
/// Time without a look at the limits after which this process, or its machine, has stood still.
const STALL: Duration = Duration::from_secs(1);
/// Whole messages that may come before the answer to a ping: those that were under way when it came.
const OVERTAKEN: u32 = 3;
/// Time without a frame or a letter after which a learner pauses.
const PAUSE: Duration = Duration::from_secs(5);
/// Most that a session which is too old waits for a letter or a pause.
const WAIT: Duration = Duration::from_secs(60);
/// Time for what waits and the closing handshake. The pipeline does not wait for it.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// How often the clock is looked at for the end of a key: it may be set, and a machine may sleep.
const CLOCK: Duration = Duration::from_secs(1);

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
    age_limit: Option<Duration>,
    ends: Option<SystemTime>,
    mut shutdown: watch::Receiver<bool>,
) {
    let (mut sink, mut stream) = socket.split();
    let metrics = std::sync::Arc::clone(&intake.metrics);
    let slow = seconds(intake.limits.slow_client_timeout_s);
    let end = tokio::select! {
        end = read(&mut stream, &mut intake, outbox, age_limit) => end,
        end = write(&mut sink, outbox, &metrics, slow) => end,
        () = ended(ends) => End::Close(Close::KeyEnded),
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

/// Returns when the clock shows that time; without one never.
async fn ended(end: Option<SystemTime>) {
    let Some(end) = end else { return std::future::pending().await };
    while let Ok(left) = end.duration_since(SystemTime::now())
        && !left.is_zero()
    {
        sleep(left.min(CLOCK)).await;
    }
}

async fn read(
    stream: &mut SplitStream<WebSocket>,
    intake: &mut Intake,
    outbox: &Outbox,
    age_limit: Option<Duration>,
) -> End {
    let limits = intake.limits.clone();
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut times = Times::new(Instant::now(), age_limit);
    let received = std::sync::Arc::clone(&intake.received);
    let due = |times: &mut Times| times.look(Instant::now(), received.load(Ordering::Relaxed), &limits);
    loop {
        let is_due = tokio::select! {
            // What waits in the socket is read before its silence is judged.
            biased;
            message = stream.next() => {
                let message = match message {
                    None => return End::Gone,
                    Some(Err(error)) => return end_of(error),
                    Some(Ok(message)) => message,
                };
                let now = Instant::now();
                times.hear(now);
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
                if taken != Taken::Nothing {
                    times.worked = Some(now);
                    intake.registered.work(now);
                }
                // The letter begins with an empty window wherever it is practised.
                if taken == Taken::Letter && times.is_too_old(now) {
                    return End::Close(Close::TooOld);
                }
                // The writer may be held up by the very client that fills the outbox.
                if let Some(close) = outbox.ending() {
                    return End::Close(close);
                }
                // One that never stops sending leaves the ticks no turn.
                times.looked + TICK <= now
            }
            _ = tick.tick() => true,
        };
        match if is_due { due(&mut times) } else { Due::Nothing } {
            Due::Nothing => {}
            Due::Ping => outbox.ping(),
            Due::Close(close) => return End::Close(close),
        }
    }
}

/// When what happened last.
struct Times {
    begin: Instant,
    /// Age from which the session is sent to another server.
    age_limit: Option<Duration>,
    /// Anything came, be it a part of a message.
    heard: Instant,
    /// A frame or a letter came.
    worked: Option<Instant>,
    /// A ping was sent whose pong has not come.
    pinged: Option<Instant>,
    /// Whole messages that came since then.
    overtaken: u32,
    /// The last ping was sent, answered or not.
    last_ping: Instant,
    /// The times were looked at.
    looked: Instant,
    /// Bytes that had come by then.
    received: u64,
}

/// What it is time for.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Ping,
    Close(Close),
}

impl Times {
    fn new(now: Instant, age_limit: Option<Duration>) -> Self {
        Self {
            begin: now,
            age_limit,
            heard: now,
            worked: None,
            pinged: None,
            overtaken: 0,
            last_ping: now,
            looked: now,
            received: 0,
        }
    }

    /// A whole message came.
    fn hear(&mut self, now: Instant) {
        self.heard = now;
        self.overtaken = self.overtaken.saturating_add(1);
    }

    fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.begin)
    }

    fn is_too_old(&self, now: Instant) -> bool {
        self.age_limit.is_some_and(|limit| self.age(now) >= limit)
    }

    /// Takes a time in which nothing was looked at off every other: this process did not run, and the silence is nobody's.
    fn leave_out(&mut self, time: Duration, now: Instant) {
        let later = |then: Instant| (then + time).min(now);
        self.begin = later(self.begin);
        self.heard = later(self.heard);
        self.worked = self.worked.map(later);
        self.pinged = self.pinged.map(later);
        self.last_ping = later(self.last_ping);
    }

    /// `received`: bytes that came so far.
    fn look(&mut self, now: Instant, received: u64, limits: &dactyl_config::Server) -> Due {
        let since = now.saturating_duration_since(self.looked);
        self.looked = now;
        if since > STALL {
            self.leave_out(since, now);
        }
        if received != self.received {
            self.received = received;
            self.heard = now;
        }
        let over = |since: Instant, limit: u32| now.saturating_duration_since(since) >= seconds(limit);
        if over(self.heard, limits.ping_timeout_s) {
            return Due::Close(Close::Silent);
        }
        // Pongs come from whoever reads: one that sends frames and never answers pings does not read its answers.
        // A pong comes behind the frames that were under way, which a slow line may take long for.
        if self.overtaken >= OVERTAKEN
            && self.pinged.is_some_and(|pinged| over(pinged, limits.slow_client_timeout_s))
        {
            return Due::Close(Close::SlowClient);
        }
        let has_limit_over = |since: Instant, limit: u32| limit > 0 && over(since, limit);
        if has_limit_over(self.worked.unwrap_or(self.begin), limits.idle_timeout_s)
            || (self.worked.is_none() && has_limit_over(self.begin, limits.first_frame_timeout_s))
        {
            return Due::Close(Close::Idle);
        }
        let pauses = now.saturating_duration_since(self.worked.unwrap_or(self.begin)) >= PAUSE;
        let is_far_too_old = self.age_limit.is_some_and(|limit| self.age(now) >= limit + WAIT);
        if is_far_too_old || (pauses && self.is_too_old(now)) {
            return Due::Close(Close::TooOld);
        }
        if over(self.last_ping, limits.ping_interval_s) {
            self.last_ping = now;
            if self.pinged.is_none() {
                self.pinged = Some(now);
                self.overtaken = 0;
            }
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
        Some(tungstenite::Error::Protocol(_)) => End::Close(Close::ProtocolError),
        Some(tungstenite::Error::Utf8(_)) => End::Close(Close::NotUtf8),
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

    /// Looks at the times each tick from `from` to `to` seconds; what is due, and at which second.
    fn due(
        times: &mut Times,
        begin: Instant,
        from: u32,
        to: u32,
        received: impl Fn(u32) -> u64,
    ) -> Vec<(u32, Due)> {
        let ticks = from * 10 + 1..=to * 10;
        ticks
            .map(|tick| (tick / 10, times.look(begin + TICK * tick, received(tick), &limits())))
            .filter(|(_, due)| *due != Due::Nothing)
            .collect()
    }

    #[test]
    fn a_client_is_pinged_and_one_that_stays_silent_is_freed() {
        let begin = Instant::now();
        let mut times = Times::new(begin, None);
        let due = due(&mut times, begin, 0, 10, |_| 0);
        assert_eq!(due, [(5, Due::Ping), (10, Due::Close(Close::Silent))]);
    }

    #[test]
    fn a_client_that_sends_and_does_not_read_is_closed() {
        let begin = Instant::now();
        let mut times = Times::new(begin, None);
        let mut all = Vec::new();
        for second in 1..=15 {
            times.hear(begin + seconds(second));
            times.worked = Some(times.heard);
            all.extend(due(&mut times, begin, second - 1, second, |_| u64::from(second)));
        }
        assert_eq!(all, [(5, Due::Ping), (10, Due::Ping), (15, Due::Close(Close::SlowClient))]);
    }

    #[test]
    fn a_frame_that_comes_slowly_is_no_silence() {
        let begin = Instant::now();
        let mut times = Times::new(begin, None);
        times.worked = Some(begin);
        // One message that takes half a minute; the pongs wait behind it.
        let due = due(&mut times, begin, 0, 30, |tick| u64::from(tick) * 700);
        assert!(due.iter().all(|(_, due)| *due == Due::Ping), "{due:?}");
    }

    #[test]
    fn a_time_in_which_the_process_stood_still_is_no_silence() {
        let begin = Instant::now();
        let mut times = Times::new(begin, None);
        assert_eq!(due(&mut times, begin, 0, 4, |_| 0), []);
        assert_eq!(times.look(begin + seconds(400), 0, &limits()), Due::Nothing);
        // The rest of the ten seconds that a client may be silent.
        let due = due(&mut times, begin, 400, 410, |_| 0);
        assert_eq!(due[..2], [(401, Due::Ping), (406, Due::Close(Close::Silent))]);
    }

    #[test]
    fn a_client_that_answers_pings_and_does_nothing_is_closed_when_idle() {
        let begin = Instant::now();
        let closed_at = |worked: bool, limits: &dactyl_config::Server| {
            let mut times = Times::new(begin, None);
            times.worked = worked.then_some(begin);
            (1..10_000).find(|tick| {
                let now = begin + TICK * *tick;
                times.hear(now);
                times.pinged = None;
                times.look(now, 0, limits) == Due::Close(Close::Idle)
            })
        };
        assert_eq!(closed_at(true, &limits()), Some(3000));
        assert_eq!(closed_at(false, &limits()), Some(300), "without a first frame");
        let never = dactyl_config::Server { idle_timeout_s: 0, first_frame_timeout_s: 0, ..limits() };
        assert_eq!(closed_at(true, &never), None);
        assert_eq!(closed_at(false, &never), None);
    }

    #[test]
    fn a_session_that_is_too_old_is_closed_in_a_pause_or_a_minute_later() {
        let begin = Instant::now();
        // The second at which it is closed whose client sends a frame so often, and answers pings.
        let closed_at = |every: u32| {
            let mut times = Times::new(begin, Some(seconds(100)));
            (1..10_000).find_map(|tick| {
                let now = begin + TICK * tick;
                times.hear(now);
                times.pinged = None;
                if tick % (10 * every) == 0 {
                    times.worked = Some(now);
                }
                (times.look(now, 0, &limits()) == Due::Close(Close::TooOld)).then_some(tick / 10)
            })
        };
        assert_eq!(closed_at(1), Some(160));
        assert_eq!(closed_at(8), Some(101), "the last frame came at 96");
        let mut times = Times::new(begin, Some(seconds(100)));
        assert!(!times.is_too_old(begin + seconds(99)) && times.is_too_old(begin + seconds(100)));
        times.age_limit = None;
        assert!(!times.is_too_old(begin + seconds(1_000_000)));
    }
}
