//! The time that the tracker's filters live in.

/// Step of a frame whose time is not known, in microseconds: what MediaPipe's Python takes for every frame.
const STEP: i64 = 33_333;

/// Gives each frame a time later than the one before it, as the filters need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FrameTime(Option<i64>);

impl FrameTime {
    /// The time, in microseconds, of the frame after this one: its own where it has one that has moved on.
    pub fn next(self, own: Option<i64>) -> i64 {
        match (self.0, own) {
            (None, own) => own.unwrap_or(0),
            (Some(last), Some(own)) if own > last => own,
            (Some(last), _) => last + STEP,
        }
    }

    /// A frame with this time has been analysed.
    pub fn passed(&mut self, time: i64) {
        self.0 = Some(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(owns: &[Option<i64>]) -> Vec<i64> {
        let mut time = FrameTime::default();
        owns.iter()
            .map(|&own| {
                let next = time.next(own);
                time.passed(next);
                next
            })
            .collect()
    }

    #[test]
    fn a_frame_keeps_its_own_time() {
        assert_eq!(times(&[Some(500), Some(40_000), Some(1_000_000)]), [500, 40_000, 1_000_000]);
    }

    #[test]
    fn a_frame_without_a_time_steps_as_mediapipe_does() {
        assert_eq!(times(&[None, None, Some(100_000), None]), [0, 33_333, 100_000, 133_333]);
    }

    #[test]
    fn time_never_stands_still_or_goes_back() {
        assert_eq!(times(&[Some(50), Some(50), Some(10)]), [50, 33_383, 66_716]);
    }
}
