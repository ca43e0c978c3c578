//! How many frames a second one session can have analysed.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Weight of the newest frame in the mean of the times.
const WEIGHT: f64 = 1.0 / 16.0;
/// Frames before the mean is worth anything: the first ones look for the person, which takes longer.
const FIRST: u32 = 8;
/// Least time between two messages.
const INTERVAL: Duration = Duration::from_secs(1);
/// Change that is worth a message.
const CHANGE: f64 = 0.1;

/// A running mean of what a frame takes, told as a rate when that has changed.
///
/// A session's frames go through its pipeline one after the other, so that the rate is the inverse of the time that one
/// takes: all its stages, the wait for an inference slot included, but not the wait for the frame before it.
pub(super) struct Pace {
    /// What is told at most, in frames a second.
    most: f64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    frames: u32,
    seconds: f64,
    said: Option<(f64, Instant)>,
}

impl Pace {
    /// `most`: frames a second that are looked at, however fast they are analysed; 0 if any number is.
    pub(super) fn new(most: u32) -> Self {
        Self { most: if most == 0 { f64::INFINITY } else { f64::from(most) }, state: Mutex::default() }
    }

    /// Takes up the stages of an analysed frame; gives the rate, in frames a second, if it is time to tell it.
    pub(super) fn next(&self, stages: &[(&'static str, Duration)], now: Instant) -> Option<f64> {
        let worked = stages.iter().filter(|(stage, _)| *stage != "queue");
        let seconds: f64 = worked.map(|(_, time)| time.as_secs_f64()).sum();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.frames += 1;
        let weight = WEIGHT.max(1.0 / f64::from(state.frames));
        state.seconds += weight * (seconds - state.seconds);
        if state.frames < FIRST || state.seconds <= 0.0 {
            return None;
        }
        let rate = (1.0 / state.seconds).min(self.most);
        let is_news = state.said.is_none_or(|(said, when)| {
            now.saturating_duration_since(when) >= INTERVAL && (rate - said).abs() > CHANGE * said
        });
        is_news.then(|| {
            state.said = Some((rate, now));
            rate
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(ms: u64) -> [(&'static str, Duration); 3] {
        let part = |share: u64| Duration::from_millis(ms * share / 10);
        [("queue", Duration::from_secs(9)), ("decode", part(2)), ("holistic-keypoints", part(8))]
    }

    #[test]
    fn the_rate_is_the_inverse_of_the_time_without_the_queue() {
        let pace = Pace::new(0);
        let begin = Instant::now();
        let told: Vec<f64> = (0..8).filter_map(|_| pace.next(&frame(50), begin)).collect();
        assert_eq!(told.len(), 1);
        assert!((told[0] - 20.0).abs() < 1e-6, "{told:?}");
    }

    #[test]
    fn it_is_told_again_only_when_it_has_changed_and_not_too_often() {
        let pace = Pace::new(0);
        let begin = Instant::now();
        let later = |ms| begin + Duration::from_millis(ms);
        let _ = (0..8).filter_map(|_| pace.next(&frame(50), begin)).count();
        assert_eq!((0..50).filter_map(|_| pace.next(&frame(52), later(5000))).count(), 0);
        assert_eq!((0..50).filter_map(|_| pace.next(&frame(100), later(900))).count(), 0);
        let told: Vec<f64> = (0..50).filter_map(|_| pace.next(&frame(100), later(1100))).collect();
        assert_eq!(told.len(), 1);
        assert!((told[0] - 10.0).abs() < 1.0, "{told:?}");
    }
}
