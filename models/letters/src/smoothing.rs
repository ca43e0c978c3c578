//! Smoothing of a sequence of distributions.

use std::collections::VecDeque;

/// The mean over the last distributions, at most `history` of them.
#[derive(Debug, Clone)]
pub struct MovingAverage {
    history: usize,
    held: VecDeque<Vec<f32>>,
}

impl MovingAverage {
    /// An empty average. `history` counts distributions; 1 = no smoothing, and 0 means the same.
    pub fn new(history: usize) -> Self {
        Self { history: history.max(1), held: VecDeque::new() }
    }

    /// Takes a distribution and returns the mean, value by value, of those held. One of another length than those
    /// before it starts anew, as after [`clear`](Self::clear).
    pub fn push(&mut self, distribution: &[f32]) -> Vec<f32> {
        if self.held.back().is_some_and(|last| last.len() != distribution.len()) {
            self.held.clear();
        }
        self.held.push_back(distribution.to_vec());
        self.trim();
        // A sum anew for each frame, in double precision: a running sum would drift, and this is a few thousand additions.
        let count = self.held.len() as f64;
        (0..distribution.len())
            .map(|index| {
                let sum: f64 = self.held.iter().map(|held| f64::from(held[index])).sum();
                (sum / count) as f32
            })
            .collect()
    }

    /// Forgets every distribution.
    pub fn clear(&mut self) {
        self.held.clear();
    }

    /// Changes how many distributions are averaged; the oldest ones that are too many go at once.
    pub fn set_history(&mut self, history: usize) {
        self.history = history.max(1);
        self.trim();
    }

    fn trim(&mut self) {
        let surplus = self.held.len().saturating_sub(self.history);
        self.held.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_mean_grows_into_its_history_and_then_moves() {
        let mut average = MovingAverage::new(2);
        assert_eq!(average.push(&[1.0, 0.0]), [1.0, 0.0]);
        assert_eq!(average.push(&[0.0, 1.0]), [0.5, 0.5]);
        assert_eq!(average.push(&[0.0, 0.0]), [0.0, 0.5]);
    }

    #[test]
    fn a_cleared_average_remembers_nothing() {
        let mut average = MovingAverage::new(5);
        average.push(&[1.0]);
        average.clear();
        assert_eq!(average.push(&[0.25]), [0.25]);
    }

    #[test]
    fn a_shorter_history_forgets_the_oldest_at_once() {
        let mut average = MovingAverage::new(3);
        average.push(&[0.9]);
        average.push(&[0.5]);
        average.set_history(2);
        assert_eq!(average.push(&[0.25]), [0.375]);
        average.set_history(0);
        assert_eq!(average.push(&[1.0]), [1.0]);
    }

    #[test]
    fn another_number_of_classes_starts_anew() {
        let mut average = MovingAverage::new(3);
        average.push(&[1.0]);
        assert_eq!(average.push(&[0.5, 0.5]), [0.5, 0.5]);
    }

    proptest! {
        #[test]
        fn the_result_is_the_mean_of_the_last_ones(
            frames in prop::collection::vec(prop::array::uniform3(0.0f32..1.0), 1..40),
            history in 1usize..12,
        ) {
            let mut average = MovingAverage::new(history);
            for (index, frame) in frames.iter().enumerate() {
                let mean = average.push(frame);
                let last = &frames[(index + 1).saturating_sub(history)..=index];
                for class in 0..3 {
                    let expected = last.iter().map(|frame| frame[class]).sum::<f32>() / last.len() as f32;
                    prop_assert!((mean[class] - expected).abs() < 1e-5);
                    // A mean of probabilities is one.
                    prop_assert!((0.0..=1.0).contains(&mean[class]));
                }
            }
        }
    }
}
