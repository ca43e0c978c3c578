#![doc = include_str!("../README.md")]
//!
//! # What happens in a frame
//!
//! One frame goes through these steps; formulas, constants and order of operations are those of MediaPipe 0.10.21's
//! Python solution (complexity 1, landmarks smoothed, face not refined), measured on its Linux wheel:
//!
//! 1. `pose`: the detector looks at the whole picture if the last frame left no region of interest; the landmark network
//!    looks at the region; heatmaps refine its points; One-Euro filters smooth them; two auxiliary landmarks give the
//!    next frame's region. Without a body, 2 and 3 fall away.
//! 2. `hands`, left and right on their own: a region round wrist and knuckles of the smoothed body, made exact by the
//!    re-crop network, or the region of the last frame's hand if it is near enough; then the hand network. Not smoothed.
//! 3. `face`: a region round the head of the smoothed body, searched by the face detector, or the region of the last
//!    frame's face if it is near enough; then the face network. Not smoothed.
//! 4. `hand_alone`, if there is no person, which is a body with a face, or with a hand and the head beside the picture: where the
//!    last frame's hand was, or where the palm detector finds one on the whole picture; then the hand network, which also says
//!    whether it is a left or a right one. As in MediaPipe Hands for one hand. Not smoothed.
//!
//! The fast [`Profile`] follows hands and a face that keep their place by their own landmarks, with re-crop and face detector
//! in one of four looks. What rests is held as the last look found it, the longer the longer it rests, for up to four frames
//! or a fifth of a second, and the body for one frame if no hand needs it; a hand that the network did not find three times is
//! searched in every fourth. While a hand alone is followed, the person is looked for as often as a body would have confirmed
//! the hand's place.
//!
//! A hand whose region lies wholly beside the picture is absent without a run: the network would see nothing but the rim's
//! continuation, and never finds a hand there.
//!
//! A [`Tracker`] follows the person of one stream. Its state changes only when a frame has been finished.

mod cadence;
mod crop;
mod detection;
mod face;
#[cfg(feature = "files")]
mod files;
mod filters;
mod frame;
mod functions;
mod hand_alone;
mod hands;
mod i420;
mod idle_threads;
pub mod keypoints;
mod landmarks;
mod networks;
mod options;
mod pose;
mod region;
mod scratch;
#[cfg(test)]
mod tests;
mod tracker;

pub use dactyl_kernels::{Cancel, Cancelled, Instructions, OnCancel, RunError};
pub use face::FaceTrace;
pub use frame::{FrameError, Plane, RgbFrame};
pub use hand_alone::HandAloneTrace;
pub use hands::HandTrace;
pub use i420::I420Frame;
pub use idle_threads::{Alone, Helpers};
pub use networks::{LoadError, Networks, Parts};
pub use options::{Options, Profile};
pub use pose::PoseTrace;
pub use region::{Point, Region};
pub use tracker::{Frame, Trace, Tracker};

// For `tests/tracker/reference.rs`, which unit tests read too.
#[cfg(test)]
extern crate self as dactyl_holistic;
