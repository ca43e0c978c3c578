//! From keypoints to a letter: features, the rolling window, the classifier and what follows it.

pub mod classifier;
pub mod features;
pub mod feedback;
pub mod metadata;
pub mod recognizer;
mod shape;
pub mod smoothing;
pub mod throttle;
pub mod window;

pub use classifier::{Classifier, ClassifierError};
pub use features::{Layout, Observation, Picture};
pub use feedback::{Feedback, label_index};
pub use metadata::{Contract, Meaning, MetadataError, Overrides};
pub use recognizer::Recognizer;
pub use smoothing::MovingAverage;
pub use throttle::Throttle;
pub use window::Window;
