//! Where a picture between two layers lies in its buffer.

use std::ops::Range;

use crate::tflite::settings::Border;

/// A picture in a buffer: rows of pixels, pixels of channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Values from one pixel to the next: the channels, then zeros that fill the last vector up. Of a network's input
    /// just the channels.
    pub(super) stride: usize,
    /// Zeros round the picture that convolutions read.
    pub(super) border: Border,
    /// Rows, border included, for which there is room; later ones take the place of earlier ones. `None` = all.
    pub(super) kept: Option<usize>,
    /// Which buffer of the run it lies in.
    pub(super) buffer: usize,
}

impl Image {
    /// Values from one row to the next.
    pub(super) fn row(&self) -> usize {
        (self.border.left + self.width + self.border.right) * self.stride
    }

    /// Rows, border included.
    pub(super) fn rows(&self) -> usize {
        self.border.top + self.height + self.border.bottom
    }

    /// Values in all, border included.
    pub(super) fn len(&self) -> usize {
        self.kept.unwrap_or(self.rows()) * self.row()
    }

    /// Where a row begins, counted from the first one of the border.
    pub(super) fn row_at(&self, row: usize) -> usize {
        self.kept.map_or(row, |kept| row % kept) * self.row()
    }

    /// Where a pixel's first channel lies.
    pub(super) fn at(&self, y: usize, x: usize) -> usize {
        self.row_at(self.border.top + y) + (self.border.left + x) * self.stride
    }

    /// Makes the border zero, apart from rows below a picture whose rows are not all kept: buffers are used by one
    /// picture after the other.
    pub(super) fn clear_border(&self, values: &mut [f32]) {
        if self.border == Border::default() {
            return;
        }
        let Border { top, left, right, .. } = self.border;
        let row = self.row();
        values[..top * row].fill(0.0);
        for values in values[..self.len()].chunks_exact_mut(row) {
            values[..left * self.stride].fill(0.0);
            values[row - right * self.stride..].fill(0.0);
        }
        if self.kept.is_none() {
            values[(top + self.height) * row..self.len()].fill(0.0);
        }
    }

    /// Makes rows of the border below the picture zero, counted from the first one of the border.
    pub(super) fn clear_rows(&self, values: &mut [f32], rows: Range<usize>) {
        for row in rows {
            values[self.row_at(row)..][..self.row()].fill(0.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_the_border_leaves_the_picture() {
        let border = Border { top: 1, left: 2, bottom: 0, right: 1 };
        let image = Image { height: 2, width: 3, channels: 5, stride: 8, border, kept: None, buffer: 0 };
        assert_eq!(image.len(), 3 * 6 * 8);
        let mut values = vec![1.0; image.len()];
        image.clear_border(&mut values);
        for (y, row) in values.chunks_exact(image.row()).enumerate() {
            for (x, pixel) in row.chunks_exact(image.stride).enumerate() {
                let inside = y >= 1 && (2..5).contains(&x);
                assert_eq!(pixel, [f32::from(u8::from(inside)); 8], "{y} {x}");
            }
        }
        assert_eq!(values[image.at(0, 0)], 1.0);
    }
}
