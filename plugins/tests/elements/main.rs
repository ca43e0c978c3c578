//! Each element between the pads of a test harness, and all of them in pipelines.

mod feedback_throttle;
mod stream;
mod temporal_smoother;
