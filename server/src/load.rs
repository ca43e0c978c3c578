//! How much of the machine's capacity is used, and how many frames a second it is good for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Weight of the newest interval in the mean time of a frame.
const WEIGHT: f64 = 0.3;
/// Stages in which a frame waits.
const WAITING: [&str; 2] = ["queue", "inference-slot"];

/// Adds up what frames take.
#[derive(Default)]
pub struct Load(Mutex<State>);

#[derive(Default)]
struct State {
    /// Seconds of work in this interval, that of ended frames included.
    busy: f64,
    /// Frames analysed in this interval.
    analysed: u32,
    /// Mean seconds of work of a frame.
    seconds: Option<f64>,
    /// When a frame was last analysed.
    last: Option<Instant>,
    /// Of the last interval.
    figures: Figures,
}

/// What can be told of an interval.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Frames a second that all slots together can analyse; 0 until one was analysed.
    pub capacity: f64,
    /// Share of the slots' time that was used, 0 to 1.
    pub ratio: f64,
}

impl Load {
    /// A frame has ended after these stages.
    pub fn add(&self, stages: &[(&'static str, Duration)], is_analysed: bool) {
        let work: Duration =
            stages.iter().filter(|(stage, _)| !WAITING.contains(stage)).map(|(_, time)| *time).sum();
        let mut state = self.lock();
        state.busy += work.as_secs_f64();
        if is_analysed {
            state.analysed += 1;
            state.last = Some(Instant::now());
        }
    }

    /// Whether a frame was analysed within this time.
    pub fn has_analysed_within(&self, time: Duration) -> bool {
        self.lock().last.is_some_and(|last| last.elapsed() < time)
    }

    /// The figures of the interval that ends now, which took `time`; the next one begins.
    pub fn next(&self, slots: usize, time: Duration) -> Figures {
        let mut state = self.lock();
        let (busy, analysed) = (std::mem::take(&mut state.busy), std::mem::take(&mut state.analysed));
        if analysed > 0 {
            let seconds = busy / f64::from(analysed);
            state.seconds = Some(state.seconds.map_or(seconds, |mean| mean + WEIGHT * (seconds - mean)));
        }
        let capacity = state.seconds.filter(|seconds| *seconds > 0.0).map_or(0.0, |mean| slots as f64 / mean);
        let ratio = (busy / (slots as f64 * time.as_secs_f64().max(f64::EPSILON))).min(1.0);
        state.figures = Figures { capacity, ratio };
        state.figures
    }

    /// The figures of the interval that ended last.
    pub fn latest(&self) -> Figures {
        self.lock().figures
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn frame(load: &Load, is_analysed: bool) {
        let [queue, work] = [500, 25].map(Duration::from_millis);
        load.add(
            &[("queue", queue), ("decode", work), ("inference-slot", queue), ("holistic-keypoints", work)],
            is_analysed,
        );
    }

    #[test]
    fn a_machine_of_two_slots_is_good_for_so_many_frames_as_their_work_allows() {
        let load = Load::default();
        assert_eq!(load.next(2, SECOND), Figures { capacity: 0.0, ratio: 0.0 });
        for _ in 0..10 {
            frame(&load, true);
        }
        let figures = load.next(2, SECOND);
        assert!((figures.capacity - 40.0).abs() < 1e-6 && (figures.ratio - 0.25).abs() < 1e-6, "{figures:?}");
        assert_eq!(load.latest(), figures);
        // Nothing to do: it is good for as much as before.
        assert!((load.next(2, SECOND).capacity - 40.0).abs() < 1e-6);
    }

    #[test]
    fn work_that_came_to_nothing_is_load_as_well() {
        let load = Load::default();
        frame(&load, false);
        let figures = load.next(1, SECOND);
        assert_eq!((figures.capacity, figures.ratio), (0.0, 0.05));
        for _ in 0..1000 {
            frame(&load, true);
        }
        assert_eq!(load.next(1, SECOND).ratio, 1.0);
    }
}
