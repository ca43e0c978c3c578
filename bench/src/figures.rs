//! What becomes of measured values: percentiles, medians, ratios.

/// The `percent`-th percentile (0 to 100) with linear interpolation between neighbours, as NumPy does it; `None` of
/// nothing.
pub fn percentile(values: &[f64], percent: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let position = percent.clamp(0.0, 100.0) / 100.0 * last as f64;
    let (below, share) = (position.floor() as usize, position.fract());
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * share)
}

/// The middle one; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 50.0)
}

/// Our value over the rival's, round by round: each pair was measured side by side, so that what else the machine did
/// falls on both. `None` without a pair.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// Middle of the rounds.
    pub median: f64,
    /// Least of the rounds.
    pub least: f64,
    /// Greatest of the rounds.
    pub greatest: f64,
}

impl Ratio {
    /// Of values in the order of their rounds.
    pub fn of(ours: &[f64], rival: &[f64]) -> Option<Self> {
        if rival.contains(&0.0) {
            return None;
        }
        let ratios: Vec<f64> = ours.iter().zip(rival).map(|(ours, rival)| ours / rival).collect();
        Some(Self {
            median: median(&ratios)?,
            least: percentile(&ratios, 0.0)?,
            greatest: percentile(&ratios, 100.0)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let values = [4.0, 1.0, 3.0, 2.0];
        assert_eq!(percentile(&values, 0.0), Some(1.0));
        assert_eq!(percentile(&values, 50.0), Some(2.5));
        assert_eq!(percentile(&values, 75.0), Some(3.25));
        assert_eq!(percentile(&values, 100.0), Some(4.0));
        assert_eq!(median(&[7.0]), Some(7.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_ratio_pairs_values_of_the_same_round() {
        let ratio = Ratio::of(&[20.0, 60.0, 30.0], &[10.0, 20.0, 30.0]).unwrap();
        assert_eq!(ratio, Ratio { median: 2.0, least: 1.0, greatest: 3.0 });
        assert_eq!(Ratio::of(&[0.0], &[0.0]), None);
        assert_eq!(Ratio::of(&[], &[1.0]), None);
    }
}
