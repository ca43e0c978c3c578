//! MediaPipe Holistic: 543 landmarks of one person, frame by frame.
//!
//! One frame goes through these steps; formulas, constants and order of operations are those of MediaPipe 0.10.21's
//! Python solution (complexity 1, landmarks smoothed, face not refined), measured on its Linux wheel:
//!
//! 1. `pose`: the detector looks at the whole picture if the last frame left no region of interest; the landmark network
//!    looks at the region; heatmaps refine its points; One-Euro filters smooth them; two auxiliary landmarks give the
//!    next frame's region. Without a person the frame ends here.
//! 2. `hands`, left and right on their own: a region round wrist and knuckles of the smoothed body, made exact by the
//!    re-crop network, or the region of the last frame's hand if it is near enough; then the hand network. Not smoothed.
//! 3. `face`: a region round the head of the smoothed body, searched by the face detector, or the region of the last
//!    frame's face if it is near enough; then the face network. Not smoothed.
//!
//! The fast [`Profile`] follows hands and a face that keep their place by their own landmarks, with re-crop and face detector
//! in one of four looks. What rests is held as the last look found it, the longer the longer it rests, for up to four frames
//! or a fifth of a second, and the body for one frame if no hand needs it; a hand that the network did not find three times is
//! searched in every fourth.
//!
//! A hand whose region lies wholly beside the picture is absent without a run: the network would see nothing but the rim's
//! continuation, and never finds a hand there.
//!
//! A [`Tracker`] follows the person of one stream. Its state changes only when a frame has been finished.

mod cadence;
mod crop;
mod detection;
mod face;
mod filters;
mod hands;
mod i420;
mod landmarks;
mod networks;
mod pose;
mod region;
mod scratch;
mod tracker;

pub use face::FaceTrace;
pub use hands::{HandTrace, hand_crop};
pub use i420::{I420Frame, Plane};
pub use networks::{FaceNetworks, HandNetworks, Networks, Parts};
pub use pose::PoseTrace;
pub use region::{Point, Region};
pub use tracker::{Frame, Options, Profile, Trace, Tracker};

/// A picture: 8-bit RGB, rows from the top, each `stride` bytes after the one before.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'a> {
    data: &'a [u8],
    width: u32,
    height: u32,
    stride: usize,
}

/// Width, height, stride and length of a picture contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are no {width} x {height} {format} picture with rows of {stride} bytes")]
pub struct FrameError {
    format: &'static str,
    width: u32,
    height: u32,
    stride: usize,
    length: usize,
}

impl<'a> RgbFrame<'a> {
    /// Largest width and height. Positions of the crops are 32-bit numbers in 1/32 pixel.
    pub const MAX_SIDE: u32 = 1 << 15;

    /// A picture of `width` x `height` pixels in `data`.
    ///
    /// # Errors
    /// [`FrameError`] if a side is 0 or over [`Self::MAX_SIDE`], the rows overlap or `data` is too short. The last row
    /// needs no bytes after its pixels.
    pub fn new(data: &'a [u8], width: u32, height: u32, stride: usize) -> Result<Self, FrameError> {
        let rows = Plane { data, stride };
        if Self::can_be(width, height) && rows.holds(width as usize * 3, height as usize) {
            Ok(Self { data, width, height, stride })
        } else {
            Err(FrameError { format: "RGB", width, height, stride, length: data.len() })
        }
    }

    /// Whether a picture can have this size.
    fn can_be(width: u32, height: u32) -> bool {
        let sides = 1..=Self::MAX_SIDE;
        sides.contains(&width) && sides.contains(&height)
    }

    /// The pixels, row after row without gaps.
    pub fn packed(&self) -> Vec<u8> {
        let row = self.width as usize * 3;
        let rows = self.data.chunks(self.stride).take(self.height as usize);
        rows.map(|pixels| &pixels[..row]).collect::<Vec<_>>().concat()
    }
}

#[cfg(test)]
mod tests;
