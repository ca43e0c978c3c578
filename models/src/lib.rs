//! Holistic tracking and letter classification in plain Rust: no GStreamer, no HTTP.

mod convnet;
pub mod fetch;
pub mod holistic;
pub mod import;
pub mod keypoints;
pub mod letters;
pub mod natural_order;
pub mod runtime;
mod tflite;

// For `tests/holistic/reference.rs`, which unit tests read too.
#[cfg(test)]
extern crate self as dactyl_models;
