//! The `holistic-543` layout: what one analysed frame says, and the contract between tracker and classifiers.

use std::ops::Range;

/// Landmarks of one frame: pose, face, left hand, right hand.
pub const COUNT: usize = 543;
/// The 33 body landmarks.
pub const POSE: Range<usize> = 0..33;
/// The 468 face landmarks.
pub const FACE: Range<usize> = 33..501;
/// The 21 landmarks of the person's left hand.
pub const LEFT_HAND: Range<usize> = 501..522;
/// The 21 landmarks of the person's right hand.
pub const RIGHT_HAND: Range<usize> = 522..543;
/// Bytes of one frame's keypoints: 543 x (x, y, z, visibility), float32 little-endian.
pub const BYTES: usize = COUNT * 4 * 4;

/// One landmark: x and y normalised by picture width and height (may lie outside 0..1), z by picture width
/// (smaller = nearer), visibility 0..1 (0 for face and hands). NaN throughout where the part was not found.
pub type Landmark = [f32; 4];

/// 543 landmarks of one frame.
#[derive(Clone, PartialEq)]
pub struct Keypoints(Box<[Landmark; COUNT]>);

impl Keypoints {
    /// Keypoints of a frame in which nothing was found.
    pub fn absent() -> Self {
        Self(Box::new([[f32::NAN; 4]; COUNT]))
    }

    /// Reads the caps' byte form. `None` unless there are exactly [`BYTES`] bytes.
    pub fn from_le_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != BYTES {
            return None;
        }
        let mut keypoints = Self::absent();
        let values = keypoints.0.as_flattened_mut();
        for (value, chunk) in values.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = f32::from_le_bytes([chunk[0], chunk[1], chunk[2], chunk[3]]);
        }
        Some(keypoints)
    }

    /// Writes the caps' byte form into `bytes`, which must hold [`BYTES`] bytes (a longer slice keeps its tail).
    pub fn write_le_bytes(&self, bytes: &mut [u8]) {
        for (chunk, value) in bytes.chunks_exact_mut(4).zip(self.0.as_flattened()) {
            chunk.copy_from_slice(&value.to_le_bytes());
        }
    }

    /// All landmarks in layout order.
    pub fn all(&self) -> &[Landmark; COUNT] {
        &self.0
    }

    /// The landmarks of one part, for example `part(LEFT_HAND)`.
    pub fn part(&self, range: Range<usize>) -> &[Landmark] {
        &self.0[range]
    }

    /// The landmarks of one part, to be written.
    pub fn part_mut(&mut self, range: Range<usize>) -> &mut [Landmark] {
        &mut self.0[range]
    }

    /// Whether that part was found: its first landmark is a number.
    pub fn is_present(&self, range: Range<usize>) -> bool {
        !self.0[range.start][0].is_nan()
    }
}

impl std::fmt::Debug for Keypoints {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Keypoints")
            .field("pose", &self.is_present(POSE))
            .field("face", &self.is_present(FACE))
            .field("left_hand", &self.is_present(LEFT_HAND))
            .field("right_hand", &self.is_present(RIGHT_HAND))
            .finish()
    }
}
