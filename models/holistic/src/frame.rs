//! Pictures as the tracker takes them.

/// A picture: 8-bit RGB, rows from the top, each `stride` bytes after the one before.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'a> {
    pub(crate) data: &'a [u8],
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) stride: usize,
}

/// Width, height, stride and length of a picture contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{length} bytes are no {width} x {height} {format} picture with rows of {stride} bytes")]
pub struct FrameError {
    pub(crate) format: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) stride: usize,
    pub(crate) length: usize,
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
    pub(crate) fn can_be(width: u32, height: u32) -> bool {
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

/// Rows of values, each `stride` bytes after the one before.
#[derive(Debug, Clone, Copy)]
pub struct Plane<'a> {
    /// The first row's first value, and all that follow.
    pub data: &'a [u8],
    /// Bytes from row to row.
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// Whether it is large enough for `height` rows, at least one, of `width` bytes that do not overlap.
    pub(crate) fn holds(&self, width: usize, height: usize) -> bool {
        let needed = self.stride.checked_mul(height - 1).and_then(|start| start.checked_add(width));
        self.stride >= width && needed.is_some_and(|needed| needed <= self.data.len())
    }

    pub(crate) fn row(&self, index: usize, width: usize) -> &'a [u8] {
        &self.data[index * self.stride..][..width]
    }
}
