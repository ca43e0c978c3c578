//! How often which values occur in a tensor, and the range that 8 bits show best.

const BINS: usize = 2048;
/// Steps of a uint8.
const STEPS: f64 = 255.0;
/// Smallest share of the whole range that is tried, and the number of steps from there to all of it.
const LEAST_SHARE: f64 = 0.3;
const SHARES: usize = 35;
/// How often the two ends are tried in turn.
const ROUNDS: usize = 3;

/// Counts of values between two ends, one of which may be zero.
pub struct Histogram {
    low: f64,
    high: f64,
    counts: Vec<f64>,
}

impl Histogram {
    /// An empty one for values from `low` to `high`, stretched to hold zero.
    pub fn new(low: f32, high: f32) -> Self {
        let (low, high) = (f64::from(low.min(0.0)), f64::from(high.max(1e-3)));
        Self { low, high, counts: vec![0.0; BINS] }
    }

    /// Counts values.
    pub fn add(&mut self, values: &[f32]) {
        let factor = BINS as f64 / (self.high - self.low);
        for &value in values {
            let bin = ((f64::from(value) - self.low) * factor).max(0.0) as usize;
            self.counts[bin.min(BINS - 1)] += 1.0;
        }
    }

    /// The ends between which a uint8 gives the least mean squared error. Values beyond them count as the nearer end.
    pub fn best_range(&self) -> [f32; 2] {
        let shares =
            || (0..=SHARES).map(|step| LEAST_SHARE + (1.0 - LEAST_SHARE) * step as f64 / SHARES as f64);
        let mut best = (self.squared_error(self.low, self.high), self.low, self.high);
        for _ in 0..ROUNDS {
            for share in shares() {
                for (low, high) in [(best.1, self.high * share), (self.low * share, best.2)] {
                    let error = self.squared_error(low, high);
                    if error < best.0 {
                        best = (error, low, high);
                    }
                }
            }
        }
        [best.1 as f32, best.2 as f32]
    }

    fn squared_error(&self, low: f64, high: f64) -> f64 {
        let scale = (high - low) / STEPS;
        let zero = (-low / scale).round();
        let width = (self.high - self.low) / BINS as f64;
        let errors = self.counts.iter().enumerate().map(|(bin, count)| {
            let value = self.low + (bin as f64 + 0.5) * width;
            let shown = ((value / scale).round() + zero).clamp(0.0, STEPS) - zero;
            count * (shown * scale - value).powi(2)
        });
        errors.sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spread_values_need_the_whole_range() {
        let mut histogram = Histogram::new(-1.0, 3.0);
        histogram.add(&(0..4000).map(|step| step as f32 / 1000.0 - 1.0).collect::<Vec<_>>());
        let [low, high] = histogram.best_range();
        assert!((-1.0..-0.9).contains(&low) && (2.9..=3.0).contains(&high), "{low} to {high}");
    }

    #[test]
    fn a_single_outlier_is_cut_off() {
        let mut histogram = Histogram::new(0.0, 10.0);
        histogram.add(&(0..1_000_000).map(|step| step as f32 / 500_000.0).collect::<Vec<_>>());
        histogram.add(&[10.0]);
        let [low, high] = histogram.best_range();
        assert!(low == 0.0 && high < 5.0, "{low} to {high}");
    }

    #[test]
    fn a_tensor_of_zeros_has_a_range() {
        let mut histogram = Histogram::new(0.0, 0.0);
        histogram.add(&[0.0; 10]);
        let [low, high] = histogram.best_range();
        assert!(low <= 0.0 && high > 0.0, "{low} to {high}");
    }
}
