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

/// What may be spent in a second, refilled all the time. Something is allowed as long as anything is left, so that what costs
/// more than a second's worth passes now and then, and is paid off before the next.
pub(super) struct Budget {
    left: Option<f64>,
    last: Instant,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { left: None, last: Instant::now() }
    }

    pub(super) fn allow(&mut self, per_second: f64, cost: f64) -> bool {
        self.allow_at(per_second, cost, Instant::now())
    }

    fn allow_at(&mut self, per_second: f64, cost: f64, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.last).as_secs_f64() * per_second;
        let left = (self.left.unwrap_or(per_second) + gained).min(per_second);
        self.last = now;
        let allowed = left > 0.0;
        self.left = Some(if allowed { left - cost } else { left });
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

    #[test]
    fn what_costs_more_than_a_second_is_worth_passes_and_is_paid_off() {
        let begin = Instant::now();
        let mut budget = Budget { left: None, last: begin };
        let allowed: Vec<u32> = (0..60)
            .filter(|tenth| budget.allow_at(100.0, 247.0, begin + Duration::from_millis(100) * *tenth))
            .collect();
        // Every two and a half seconds, once the first second's worth is spent.
        assert_eq!(allowed, [0, 15, 40]);
        let cheap =
            (0..1000).filter(|_| budget.allow_at(100.0, 1.0, begin + Duration::from_secs(60))).count();
        assert_eq!(cheap, 100);
    }
}
