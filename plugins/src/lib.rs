//! The GStreamer plugin `dactyl`: elements that turn video of a fingerspelling person into feedback.
//!
//! No element knows another: [`caps`], the [`letter_target`] event, the [`frame`] meta and the elements' properties
//! are the whole contract between them and with an application. [`jpeg`] tells an application which pictures the pipelines
//! decode.

pub mod caps;
mod configured;
pub mod feedback_throttle;
mod flow;
pub mod frame;
pub mod holistic_keypoints;
mod interrupt;
pub mod jpeg;
pub mod letter_target;
pub mod lstm_classifier;
pub mod message;
pub mod models;
pub mod picture;
mod plugin;
pub mod slots;
mod start;
pub mod temporal_smoother;

/// Registers the elements in this process, for a program that links them instead of loading the shared library.
/// GStreamer must be initialised.
pub use plugin::plugin_register_static;
