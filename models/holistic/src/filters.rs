//! Smoothing of landmarks over time: One-Euro filter (Casiez et al., 2012) and low-pass, in MediaPipe's arithmetic.

use std::f64::consts::PI;

use crate::keypoints::Landmark;

use crate::region::PictureSize;

/// Below this size of the object, in pixels, landmarks are not smoothed.
const SMALLEST_OBJECT: f32 = 1e-6;

/// Constants of a One-Euro filter.
#[derive(Debug, Clone, Copy)]
pub struct OneEuro {
    /// Cutoff of a landmark at rest, Hz.
    pub min_cutoff: f32,
    /// How much the cutoff rises with speed.
    pub beta: f32,
    /// Cutoff of the speed itself, Hz.
    pub derivative_cutoff: f32,
}

/// Exponential smoothing of one value; the first sample passes through.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct LowPass {
    /// Smoothed value so far.
    smoothed: Option<f32>,
}

impl LowPass {
    fn push(&mut self, value: f32, alpha: f32) -> f32 {
        let smoothed = match self.smoothed {
            // The new value's share is rounded to float32, the old one's and the sum are float64.
            Some(old) => (f64::from(alpha * value) + (1.0 - f64::from(alpha)) * f64::from(old)) as f32,
            None => value,
        };
        self.smoothed = Some(smoothed);
        smoothed
    }
}

/// Weight of a new sample: `cutoff` in Hz, `step` in seconds.
fn alpha(cutoff: f64, frequency: f64) -> f32 {
    let step = 1.0 / frequency;
    let tau = 1.0 / (2.0 * PI * cutoff);
    (1.0 / (1.0 + tau / step)) as f32
}

/// State of the filter of one coordinate.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Coordinate {
    /// Last value as it came in.
    raw: f32,
    value: LowPass,
    slope: LowPass,
}

impl Coordinate {
    /// `scale` relates the value's speed to the object's size; `frequency` in Hz.
    fn push(&mut self, value: f32, scale: f32, frequency: f64, constants: &OneEuro) -> f32 {
        let slope = if self.value.smoothed.is_some() {
            // From the last raw value, not from the last smoothed one.
            (f64::from(value) - f64::from(self.raw)) * f64::from(scale) * frequency
        } else {
            0.0
        };
        self.raw = value;
        let slope = self.slope.push(slope as f32, alpha(f64::from(constants.derivative_cutoff), frequency));
        let cutoff = f64::from(constants.min_cutoff) + f64::from(constants.beta) * f64::from(slope).abs();
        self.value.push(value, alpha(cutoff, frequency))
    }
}

/// One-Euro filters of the x, y and z of `N` landmarks.
#[derive(Debug, Clone, PartialEq)]
pub struct LandmarkSmoother<const N: usize> {
    coordinates: [[Coordinate; 3]; N],
    /// Time of the last sample, microseconds.
    last: Option<i64>,
}

impl<const N: usize> Default for LandmarkSmoother<N> {
    fn default() -> Self {
        Self { coordinates: [[Coordinate::default(); 3]; N], last: None }
    }
}

impl<const N: usize> LandmarkSmoother<N> {
    /// Smooths landmarks in place. `time` in microseconds; a time that is not later than the last one leaves landmarks
    /// and filters as they are. `scale` = 1 / size of the object, in the coordinates' unit.
    pub fn smooth(&mut self, landmarks: &mut [Landmark; N], time: i64, scale: f32, constants: &OneEuro) {
        let frequency = match self.last {
            Some(last) if time <= last => return,
            // Nanoseconds, as MediaPipe counts, so that the rounding is the same.
            Some(last) => 1.0 / (time.saturating_sub(last).saturating_mul(1000) as f64 * 1e-9),
            // The first sample passes through, whatever the frequency.
            None => 30.0,
        };
        self.last = Some(time);
        for (landmark, coordinates) in landmarks.iter_mut().zip(&mut self.coordinates) {
            for (value, coordinate) in landmark.iter_mut().zip(coordinates) {
                *value = coordinate.push(*value, scale, frequency, constants);
            }
        }
    }

    /// Smooths image-normalised landmarks in place, in pixels and relative to the object's size in pixels.
    pub fn smooth_normalised(
        &mut self,
        landmarks: &mut [Landmark; N],
        time: i64,
        object: f32,
        picture: PictureSize,
        constants: &OneEuro,
    ) {
        if object < SMALLEST_OBJECT {
            return;
        }
        // z is normalised by the width, as x.
        let unit = [picture.width, picture.height, picture.width];
        for landmark in landmarks.iter_mut() {
            for (value, unit) in landmark.iter_mut().zip(unit) {
                *value *= unit;
            }
        }
        self.smooth(landmarks, time, 1.0 / object, constants);
        for landmark in landmarks.iter_mut() {
            for (value, unit) in landmark.iter_mut().zip(unit) {
                *value /= unit;
            }
        }
    }
}

/// Low-pass filters of the visibility of `N` landmarks.
#[derive(Debug, Clone, PartialEq)]
pub struct VisibilitySmoother<const N: usize>([LowPass; N]);

impl<const N: usize> Default for VisibilitySmoother<N> {
    fn default() -> Self {
        Self([LowPass::default(); N])
    }
}

impl<const N: usize> VisibilitySmoother<N> {
    /// Weight of a new sample, whatever the frame rate.
    const ALPHA: f32 = 0.1;

    /// Smooths the visibilities in place.
    pub fn smooth(&mut self, landmarks: &mut [Landmark; N]) {
        for (landmark, filter) in landmarks.iter_mut().zip(&mut self.0) {
            landmark[3] = filter.push(landmark[3], Self::ALPHA);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_euro_follows_the_worked_example() {
        let mut smoother = LandmarkSmoother::<1>::default();
        let constants = OneEuro { min_cutoff: 0.05, beta: 80.0, derivative_cutoff: 1.0 };
        let inputs = [100.0, 101.0, 103.0, 103.0, 103.0, 90.0];
        let expected = [100.0, 100.231_13, 101.487_51, 102.104_32, 102.429_94, 92.878_12];
        for (frame, (input, expected)) in inputs.into_iter().zip(expected).enumerate() {
            let mut landmarks = [[input, 0.0, 0.0, 0.0]];
            smoother.smooth(&mut landmarks, (frame as i64 + 1) * 33_333, 1.0 / 300.0, &constants);
            assert!((landmarks[0][0] - expected).abs() < 1e-5, "{} instead of {expected}", landmarks[0][0]);
        }
    }

    #[test]
    fn alpha_at_one_hertz_and_the_fixed_clock() {
        assert!((alpha(1.0, 1.0 / 0.033_333) - 0.173_17).abs() < 1e-5);
    }

    #[test]
    fn visibility_moves_a_tenth_of_the_way() {
        let mut smoother = VisibilitySmoother::<1>::default();
        let mut seen = [[0.0, 0.0, 0.0, 0.5]];
        smoother.smooth(&mut seen);
        assert_eq!(seen[0][3], 0.5);
        let mut seen = [[0.0, 0.0, 0.0, 1.0]];
        smoother.smooth(&mut seen);
        assert!((seen[0][3] - 0.55).abs() < 1e-7);
    }

    #[test]
    fn time_that_stands_still_changes_nothing() {
        let mut smoother = LandmarkSmoother::<1>::default();
        let constants = OneEuro { min_cutoff: 0.05, beta: 80.0, derivative_cutoff: 1.0 };
        smoother.smooth(&mut [[1.0, 1.0, 1.0, 1.0]], 10, 1.0, &constants);
        let before = smoother.clone();
        for time in [10, 9, i64::MIN] {
            let mut landmarks = [[2.0, 3.0, 4.0, 1.0]];
            smoother.smooth(&mut landmarks, time, 1.0, &constants);
            assert_eq!(landmarks, [[2.0, 3.0, 4.0, 1.0]]);
        }
        assert_eq!(smoother, before);
        let mut landmarks = [[2.0, 3.0, 4.0, 1.0]];
        smoother.smooth(&mut landmarks, i64::MAX, 1.0, &constants);
        assert!(landmarks[0].iter().all(|value| value.is_finite()));
    }

    #[test]
    fn an_object_without_size_is_not_smoothed() {
        let mut smoother = LandmarkSmoother::<1>::default();
        let constants = OneEuro { min_cutoff: 0.05, beta: 80.0, derivative_cutoff: 1.0 };
        for (frame, x) in [0.1, 0.9].into_iter().enumerate() {
            let mut landmarks = [[x, x, x, 1.0]];
            let time = frame as i64 + 1;
            smoother.smooth_normalised(&mut landmarks, time, 0.0, PictureSize::new(640, 480), &constants);
            assert_eq!(landmarks, [[x, x, x, 1.0]]);
        }
    }
}
