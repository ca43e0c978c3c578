//! How many messages a second one client may send.

use std::time::Instant;

/// A token bucket: at most so many frames a second, and a second's worth at once.
pub(super) struct Rate {
    tokens: Option<f64>,
    last: Instant,
}

impl Rate {
    pub(super) fn new() -> Self {
        Self { tokens: None, last: Instant::now() }
    }

    pub(super) fn allow(&mut self, per_second: u32) -> bool {
        self.allow_at(per_second, Instant::now())
    }

    fn allow_at(&mut self, per_second: u32, now: Instant) -> bool {
        let most = f64::from(per_second);
        let gained = now.saturating_duration_since(self.last).as_secs_f64() * most;
        let tokens = (self.tokens.unwrap_or(most) + gained).min(most);
        self.last = now;
        let allowed = tokens >= 1.0;
        self.tokens = Some(if allowed { tokens - 1.0 } else { tokens });
        allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_second_of_frames_may_come_at_once_and_no_more() {
        let begin = Instant::now();
        let mut rate = Rate { tokens: None, last: begin };
        let allowed = |rate: &mut Rate, at: Duration, tries: u32| {
            (0..tries).filter(|_| rate.allow_at(10, begin + at)).count()
        };
        assert_eq!(allowed(&mut rate, Duration::ZERO, 25), 10);
        assert_eq!(allowed(&mut rate, Duration::from_millis(500), 25), 5);
        assert_eq!(allowed(&mut rate, Duration::from_secs(60), 25), 10);
    }
}
