#![doc = include_str!("../README.md")]

pub mod classifier;
pub mod features;
pub mod feedback;
pub mod metadata;
mod onnx_runtime;
pub mod recognizer;
mod shape;
pub mod smoothing;
pub mod throttle;
mod trial;
pub mod window;

pub use classifier::{Classifier, ClassifierError};
pub use dactyl_holistic::{Cancel, Cancelled};
pub use features::{Layout, Observation, PictureSize};
pub use feedback::{Feedback, label_index};
pub use metadata::{Contract, Meaning, MetadataError, Overrides};
pub use onnx_runtime::{LIBRARY_NAME, LibraryError, LoadError, OnnxRuntime, RunError, build_info};
pub use recognizer::{Recognizer, reweighed};
pub use smoothing::MovingAverage;
pub use throttle::Throttle;
pub use window::Window;

/// What judges a file's tensors, for `fuzz/` alone.
#[doc(hidden)]
pub use {onnx_runtime::TensorInfo, shape::check as check_tensors};
