//! Where a picture between two layers lies among the values of a run.

use std::ops::Range;

use crate::memory::CACHE_LINE_VALUES;
use crate::tflite::Padding;

/// A picture as planes, each of some channels: rows of pixels, pixels of the plane's channels. So a window and what is
/// next to it lie close together, however many channels there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Image {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    /// Channels of a plane: as many as a vector has, with zeros that fill the last one up; all those of a network's
    /// input.
    pub(super) block: usize,
    /// Zeros round the picture that convolutions read.
    pub(super) border: Padding,
    /// Rows, border included, for which there is room; later ones take the place of earlier ones. `None` = all.
    pub(super) kept: Option<usize>,
    /// Where it begins among the values of a run.
    pub(super) first: usize,
}

impl Image {
    pub(super) fn planes(&self) -> usize {
        self.channels.div_ceil(self.block)
    }

    /// Values from one row of a plane to the next.
    pub(super) fn row(&self) -> usize {
        (self.border.left + self.width + self.border.right) * self.block
    }

    /// Rows, border included.
    pub(super) fn rows(&self) -> usize {
        self.border.top + self.height + self.border.bottom
    }

    /// Values from one plane to the next: an odd number of the caches' lines, since a cache has few places for what lies
    /// a power of two apart.
    pub(super) fn plane(&self) -> usize {
        let values = self.kept.unwrap_or(self.rows()) * self.row();
        (values.div_ceil(CACHE_LINE_VALUES) | 1) * CACHE_LINE_VALUES
    }

    /// Values in all, border included.
    pub(super) fn len(&self) -> usize {
        self.planes() * self.plane()
    }

    /// Where it lies among the values of a run.
    pub(super) fn place(&self) -> Range<usize> {
        self.first..self.first + self.len()
    }

    /// Where a row of the first plane begins, counted from the first one of the border.
    pub(super) fn row_at(&self, row: usize) -> usize {
        self.kept.map_or(row, |kept| row % kept) * self.row()
    }

    /// Where a pixel's first channel lies.
    pub(super) fn at(&self, y: usize, x: usize) -> usize {
        self.row_at(self.border.top + y) + (self.border.left + x) * self.block
    }

    /// Where a pixel's first channel of a plane lies.
    pub(super) fn at_in(&self, plane: usize, y: usize, x: usize) -> usize {
        plane * self.plane() + self.at(y, x)
    }

    /// Where a pixel's channel lies.
    pub(super) fn channel_at(&self, y: usize, x: usize, channel: usize) -> usize {
        self.at_in(channel / self.block, y, x) + channel % self.block
    }

    /// Makes the border zero, apart from rows below a picture whose rows are not all kept: other pictures lay there before.
    pub(super) fn clear_border(&self, values: &mut [f32]) {
        if self.border == Padding::default() {
            return;
        }
        let Padding { top, left, right, .. } = self.border;
        let (row, before, after) = (self.row(), left * self.block, right * self.block);
        for plane in values[..self.len()].chunks_exact_mut(self.plane()) {
            plane[..top * row + before].fill(0.0);
            // What is right of a row lies beside what is left of the next one.
            for end in (row..=plane.len()).step_by(row).skip(top) {
                let next = (end + before).min(plane.len());
                plane[end - after..next].fill(0.0);
            }
            if self.kept.is_none() {
                plane[(top + self.height) * row..].fill(0.0);
            }
        }
    }

    /// Makes rows of the border below the picture zero, counted from the first one of the border.
    pub(super) fn clear_rows(&self, values: &mut [f32], rows: Range<usize>) {
        for plane in values[..self.len()].chunks_exact_mut(self.plane()) {
            for row in rows.clone() {
                plane[self.row_at(row)..][..self.row()].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_the_border_leaves_the_picture() {
        let border = Padding { top: 1, left: 2, bottom: 0, right: 1 };
        let image = Image { height: 2, width: 3, channels: 5, block: 4, border, kept: None, first: 0 };
        assert_eq!(image.len(), 2 * 5 * CACHE_LINE_VALUES);
        let mut values = vec![1.0; image.len()];
        image.clear_border(&mut values);
        for plane in values.chunks_exact(image.plane()) {
            for (y, row) in plane.chunks_exact(image.row()).enumerate().take(3) {
                for (x, pixel) in row.chunks_exact(image.block).enumerate() {
                    let inside = y >= 1 && (2..5).contains(&x);
                    assert_eq!(pixel, [f32::from(u8::from(inside)); 4], "{y} {x}");
                }
            }
        }
        assert_eq!(values[image.at(0, 0)], 1.0);
        assert_eq!(image.channel_at(1, 2, 4), image.plane() + image.at(1, 2));
    }
}
