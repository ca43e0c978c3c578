//! HAProxy's agent-check: tells whoever connects how much of this server's capacity is free, in one line.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use crate::app::App;
use crate::listen::Listeners;

/// Answers at the same time. A balancer asks every second or so and waits no longer.
const MOST: usize = 64;
/// Time to take an answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Answers until the server stops.
pub(crate) async fn serve(app: Arc<App>, mut listeners: Listeners, mut stopping: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MOST));
    while let Some((stream, address)) = listeners.next(&mut stopping).await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            // A balancer that gets no answer keeps to the last one.
            tracing::debug!(%address, "too many ask at once");
            continue;
        };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let told = timeout(PATIENCE, async { tell(stream, &state(&app).await.to_string()).await });
            if !matches!(told.await, Ok(Ok(()))) {
                tracing::debug!(%address, "an answer was not taken");
            }
            drop(place);
        });
    }
}

/// Closing a connection while something of the other side is unread could take the answer away from it.
async fn tell(mut stream: TcpStream, answer: &str) -> std::io::Result<()> {
    stream.write_all(answer.as_bytes()).await?;
    stream.write_all(b"\n").await?;
    stream.shutdown().await?;
    while stream.read(&mut [0; 256]).await? > 0 {}
    Ok(())
}

async fn state(app: &App) -> State {
    let places = app.sessions_free();
    if places == 0 || app.look().await.is_err() {
        return State::Drain;
    }
    let all = app.terms().config.server.max_sessions as usize;
    State::serving(places, all, app.metrics.load.latest().ratio)
}

/// What a balancer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No new sessions; those that are open stay.
    Drain,
    /// New sessions, by this share of the server's weight in percent.
    Serving(u32),
}

impl State {
    /// The share of what is free: of `all` sessions, or of the time of the inference slots, of which `load` (0 to 1) is
    /// used; whichever is less. At least 1: 0 would be a drain, and a busy server is better than none.
    fn serving(free: usize, all: usize, load: f64) -> Self {
        let share = (free as f64 / all as f64).min(1.0 - load);
        Self::Serving(((share * 100.0).round() as u32).clamp(1, 100))
    }
}

impl fmt::Display for State {
    /// `ready` takes a drain back, and `up` what an agent of another kind may have said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Drain => f.write_str("drain"),
            Self::Serving(percent) => write!(f, "up ready {percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(free: usize, load: f64) -> String {
        State::serving(free, 64, load).to_string()
    }

    #[test]
    fn the_weight_is_what_is_free_of_places_and_of_time() {
        assert_eq!(told(64, 0.0), "up ready 100%");
        assert_eq!(told(48, 0.1), "up ready 75%");
        assert_eq!(told(48, 0.6), "up ready 40%");
    }

    #[test]
    fn a_server_with_a_place_is_never_out_of_service() {
        assert_eq!(told(64, 1.0), "up ready 1%");
        assert_eq!(State::serving(1, 10_000, 0.0).to_string(), "up ready 1%");
    }
}
