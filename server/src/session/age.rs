//! How old a session gets before its client is sent to another server.

use std::time::Duration;

/// The least age of which a session is sent away, as a share of `server.max_session_age_s`.
const LEAST: f64 = 0.75;
/// Fractional part of the golden ratio: its multiples lie more evenly between 0 and 1 than random numbers.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// Age from which session number `id` is sent away, at most `most` seconds; `None` with 0, which means never. Sessions that
/// were opened together, as after a restart of another server, are not sent away together.
pub(super) fn limit(id: u64, most: u32) -> Option<Duration> {
    let share = LEAST + (1.0 - LEAST) * (id as f64 * GOLDEN).fract();
    (most > 0).then(|| Duration::from_secs(most.into()).mul_f64(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_that_were_opened_together_end_evenly_spread() {
        let mut ages: Vec<f64> = (100..164).map(|id| limit(id, 3600).unwrap().as_secs_f64()).collect();
        ages.sort_by(f64::total_cmp);
        assert!(ages[0] >= 2700.0 && ages[63] <= 3600.0, "{ages:?}");
        // Evenly, 64 sessions over 900 s would be 14 s apart.
        assert!(ages.windows(2).all(|pair| (5.0..30.0).contains(&(pair[1] - pair[0]))), "{ages:?}");
    }

    #[test]
    fn without_a_limit_a_session_gets_as_old_as_it_likes() {
        assert_eq!(limit(7, 0), None);
    }
}
