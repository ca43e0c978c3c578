//! From keypoints to a letter: features, the rolling window, the classifier and what follows it.

pub mod feedback;
pub mod smoothing;
pub mod throttle;

pub use feedback::{Feedback, label_index};
pub use smoothing::MovingAverage;
pub use throttle::Throttle;
