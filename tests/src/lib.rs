//! What tests of several crates share.

pub mod classifier;
pub mod drawn_hand;
pub mod jpeg;
pub mod recordings;
pub mod tflite;
pub mod watch;
