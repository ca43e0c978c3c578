//! Each element between the pads of a test harness, and all of them in pipelines.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking and says on standard output why it is skipped"
)]

mod colours;
mod feedback_throttle;
mod holistic_keypoints;
mod jpegs;
mod launch;
mod lstm_classifier;
mod model;
mod pictures;
mod pipelines;
mod stream;
mod temporal_smoother;
