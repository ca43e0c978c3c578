//! Which results are worth a payload.

use std::time::Duration;

use crate::feedback::Feedback;

/// Lets a result pass if enough time has gone by since the last payload sent, and it says something else than that one.
#[derive(Debug, Clone)]
pub struct Throttle {
    min_interval: Duration,
    min_change: f32,
    last: Option<(Duration, Feedback)>,
}

impl Throttle {
    /// A throttle that has sent nothing yet.
    ///
    /// `min_interval`: least time between two payloads, zero = none. `min_change`: change of
    /// [`Feedback::target_arg_prob`], 0 to 1, above which a result is news; zero makes every result news.
    pub fn new(min_interval: Duration, min_change: f32) -> Self {
        Self { min_interval, min_change, last: None }
    }

    /// Changes both limits; what was sent last is remembered.
    pub fn set_limits(&mut self, min_interval: Duration, min_change: f32) {
        self.min_interval = min_interval;
        self.min_change = min_change;
    }

    /// Decides about a result at the time `now`, of any origin but always of the same one. A result that passes
    /// counts as sent. The first one passes.
    pub fn pass(&mut self, now: Duration, feedback: &Feedback) -> bool {
        let passes = self
            .last
            .as_ref()
            .is_none_or(|(time, last)| self.has_elapsed(*time, now) && self.is_news(last, feedback));
        if passes {
            self.sent(now, feedback.clone());
        }
        passes
    }

    /// Notes a payload that was sent whatever the limits say, such as the one of a reset.
    pub fn sent(&mut self, now: Duration, feedback: Feedback) {
        self.last = Some((now, feedback));
    }

    /// Forgets what was sent, so that the next result passes.
    pub fn clear(&mut self) {
        self.last = None;
    }

    fn has_elapsed(&self, since: Duration, now: Duration) -> bool {
        // A clock that has gone back was set anew: nothing can be said about the interval, and waiting for the old
        // time to come round again could take hours.
        now.checked_sub(since).is_none_or(|elapsed| elapsed >= self.min_interval)
    }

    fn is_news(&self, last: &Feedback, feedback: &Feedback) -> bool {
        self.min_change == 0.0
            || (feedback.target_arg_prob - last.target_arg_prob).abs() > self.min_change
            || feedback.maxarg_letter != last.maxarg_letter
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn feedback(letter: &str, probability: f32) -> Feedback {
        Feedback { maxarg_letter: letter.to_owned(), target_arg_prob: probability }
    }

    #[test]
    fn time_and_news_are_both_needed() {
        let mut throttle = Throttle::new(ms(80), 0.03);
        assert!(throttle.pass(ms(0), &feedback("A", 0.5)));
        assert!(!throttle.pass(ms(79), &feedback("B", 0.9)), "too soon");
        assert!(!throttle.pass(ms(80), &feedback("A", 0.52)), "nothing new");
        assert!(throttle.pass(ms(80), &feedback("A", 0.54)));
        assert!(throttle.pass(ms(160), &feedback("B", 0.54)), "another letter");
    }

    #[test]
    fn small_steps_add_up_because_the_last_sent_counts() {
        let mut throttle = Throttle::new(ms(0), 0.25);
        assert!(throttle.pass(ms(0), &feedback("A", 0.0)));
        assert!(!throttle.pass(ms(1), &feedback("A", 0.125)));
        assert!(!throttle.pass(ms(2), &feedback("A", 0.25)), "not more than");
        assert!(throttle.pass(ms(3), &feedback("A", 0.375)));
        assert!(!throttle.pass(ms(4), &feedback("A", 0.5)));
    }

    #[test]
    fn a_reset_counts_as_sent() {
        let mut throttle = Throttle::new(ms(80), 0.0);
        throttle.sent(ms(1000), Feedback::reset());
        assert!(!throttle.pass(ms(1079), &feedback("A", 1.0)));
        assert!(throttle.pass(ms(1080), &feedback("A", 1.0)));
    }

    #[test]
    fn zero_limits_let_everything_pass() {
        let mut throttle = Throttle::new(ms(0), 0.0);
        for _ in 0..3 {
            assert!(throttle.pass(ms(5), &feedback("A", 0.5)));
        }
    }

    #[test]
    fn a_cleared_throttle_lets_the_next_one_pass() {
        let mut throttle = Throttle::new(ms(1000), 0.5);
        assert!(throttle.pass(ms(0), &feedback("A", 0.5)));
        assert!(!throttle.pass(ms(1), &feedback("A", 0.5)));
        throttle.clear();
        assert!(throttle.pass(ms(2), &feedback("A", 0.5)));
    }

    #[test]
    fn a_clock_that_goes_back_does_not_silence() {
        let mut throttle = Throttle::new(ms(80), 0.0);
        assert!(throttle.pass(ms(60_000), &feedback("A", 0.5)));
        assert!(throttle.pass(ms(0), &feedback("A", 0.5)));
    }

    #[test]
    fn changed_limits_apply_to_the_next_result() {
        let mut throttle = Throttle::new(ms(1000), 0.5);
        assert!(throttle.pass(ms(0), &feedback("A", 0.5)));
        throttle.set_limits(ms(10), 0.0);
        assert!(throttle.pass(ms(10), &feedback("A", 0.5)));
    }

    proptest! {
        #[test]
        fn exactly_what_differs_from_the_last_sent_after_the_interval_passes(
            results in prop::collection::vec((0u64..60, 0usize..3, 0.0f32..=1.0, prop::bool::weighted(0.1)), 1..80),
            interval in 0u64..200,
            min_change in prop_oneof![Just(0.0f32), 0.0f32..0.5],
        ) {
            let mut throttle = Throttle::new(ms(interval), min_change);
            let mut now = 0;
            let mut last: Option<(u64, Feedback)> = None;
            for (step, letter, probability, reset) in results {
                now += step;
                if reset {
                    throttle.sent(ms(now), Feedback::reset());
                    last = Some((now, Feedback::reset()));
                    continue;
                }
                let result = feedback(["", "A", "B"][letter], probability);
                let expected = match &last {
                    None => true,
                    Some((time, sent)) => {
                        now - time >= interval
                            && (min_change == 0.0
                                || (sent.target_arg_prob - probability).abs() > min_change
                                || sent.maxarg_letter != result.maxarg_letter)
                    }
                };
                prop_assert_eq!(throttle.pass(ms(now), &result), expected);
                if expected {
                    last = Some((now, result));
                }
            }
        }
    }
}
