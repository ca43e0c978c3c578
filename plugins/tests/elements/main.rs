//! Each element between the pads of a test harness, and all of them in pipelines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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
