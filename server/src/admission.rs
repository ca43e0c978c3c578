//! Counts the clients that are not let in, and writes a line of the log that says who and why.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::denial::Denial;
use crate::metrics::Metrics;

/// Time between two lines of the log for one cause: a client that is not let in may come back a thousand times a second.
const BETWEEN_LINES: Duration = Duration::from_secs(1);

/// Counts and logs those that are not let in.
pub(crate) struct Denials {
    metrics: Arc<Metrics>,
    lines: Mutex<[Line; Denial::ALL.len()]>,
}

/// The last line of the log for one cause.
#[derive(Clone, Copy, Default)]
struct Line {
    written: Option<Instant>,
    /// Denials since then.
    unwritten: u64,
}

impl Denials {
    pub(crate) fn new(metrics: Arc<Metrics>) -> Self {
        Self { metrics, lines: Mutex::default() }
    }

    /// A client was not let in.
    pub(crate) fn count(&self, denial: Denial, client: IpAddr) {
        self.metrics.denial(denial);
        let Some(unwritten) = self.next_line(denial, Instant::now()) else { return };
        let (reason, text) = (denial.as_str(), denial.text());
        match denial {
            // Nothing for an operator to do.
            Denial::Stopping | Denial::Request => {
                tracing::info!(reason, %client, unwritten, "a client is not let in: {text}");
            }
            _ => tracing::warn!(reason, %client, unwritten, "a client is not let in: {text}"),
        }
    }

    /// How many were left out before this line; `None` if this one is to be left out too.
    fn next_line(&self, denial: Denial, now: Instant) -> Option<u64> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let line = &mut lines[denial as usize];
        if line.written.is_some_and(|written| now.saturating_duration_since(written) < BETWEEN_LINES) {
            line.unwritten += 1;
            return None;
        }
        line.written = Some(now);
        Some(std::mem::take(&mut line.unwritten))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_denials_is_a_line_a_second_for_each_cause() {
        let denials = Denials::new(Arc::new(Metrics::new().unwrap()));
        let begin = Instant::now();
        let written = |denial, after: u64| denials.next_line(denial, begin + Duration::from_millis(after));
        assert_eq!(written(Denial::Full, 0), Some(0));
        for after in 1..=900 {
            assert_eq!(written(Denial::Full, after), None);
        }
        assert_eq!(written(Denial::Origin, 900), Some(0));
        assert_eq!(written(Denial::Full, 1000), Some(900));
        assert_eq!(written(Denial::Full, 3000), Some(0));
    }
}
