//! Where a feature map between two layers lies among the values of a run.

use std::ops::Range;

use crate::memory::CACHE_LINE_VALUES;
use crate::tflite::Padding;

/// A feature map as blocks, each of some channels: rows of pixels, pixels of the block's channels. So a window and what is
/// next to it lie close together, however many channels there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FeatureMap {
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// Channels of a block: as many as a vector has, with zeros that fill the last one up; all those of a network's
    /// input.
    pub(crate) block: usize,
    /// Zeros round the feature map that convolutions read.
    pub(crate) padding: Padding,
    /// Rows, padding included, for which there is room; later ones take the place of earlier ones. `None` = all.
    pub(crate) kept: Option<usize>,
    /// Where it begins among the values of a run.
    pub(crate) first: usize,
}

impl FeatureMap {
    pub(crate) fn blocks(&self) -> usize {
        self.channels.div_ceil(self.block)
    }

    /// Values from one row of a block to the next.
    pub(crate) fn row_stride(&self) -> usize {
        (self.padding.left + self.width + self.padding.right) * self.block
    }

    /// Rows, padding included.
    pub(crate) fn rows(&self) -> usize {
        self.padding.top + self.height + self.padding.bottom
    }

    /// Values from one block to the next: an odd number of the caches' lines, since a cache has few places for what lies
    /// a power of two apart.
    pub(crate) fn block_stride(&self) -> usize {
        let values = self.kept.unwrap_or(self.rows()) * self.row_stride();
        (values.div_ceil(CACHE_LINE_VALUES) | 1) * CACHE_LINE_VALUES
    }

    /// Values in all, padding included.
    pub(crate) fn len(&self) -> usize {
        self.blocks() * self.block_stride()
    }

    /// Where it lies among the values of a run.
    pub(crate) fn place(&self) -> Range<usize> {
        self.first..self.first + self.len()
    }

    /// Where a row of the first block begins, counted from the first one of the padding.
    pub(crate) fn row_at(&self, row: usize) -> usize {
        self.kept.map_or(row, |kept| row % kept) * self.row_stride()
    }

    /// Where a pixel's first channel lies.
    pub(crate) fn at(&self, y: usize, x: usize) -> usize {
        self.row_at(self.padding.top + y) + (self.padding.left + x) * self.block
    }

    /// Where a pixel's first channel of a block lies.
    pub(crate) fn at_in(&self, block: usize, y: usize, x: usize) -> usize {
        block * self.block_stride() + self.at(y, x)
    }

    /// Where a pixel's channel lies.
    pub(crate) fn channel_at(&self, y: usize, x: usize, channel: usize) -> usize {
        self.at_in(channel / self.block, y, x) + channel % self.block
    }

    /// Makes the padding zero, apart from rows below a feature map whose rows are not all kept: other feature maps lay there before.
    pub(crate) fn clear_padding(&self, values: &mut [f32]) {
        if self.padding == Padding::default() {
            return;
        }
        let Padding { top, left, right, .. } = self.padding;
        let (row, before, after) = (self.row_stride(), left * self.block, right * self.block);
        for block in values[..self.len()].chunks_exact_mut(self.block_stride()) {
            block[..top * row + before].fill(0.0);
            // What is right of a row lies beside what is left of the next one.
            for end in (row..=block.len()).step_by(row).skip(top) {
                let next = (end + before).min(block.len());
                block[end - after..next].fill(0.0);
            }
            if self.kept.is_none() {
                block[(top + self.height) * row..].fill(0.0);
            }
        }
    }

    /// Makes rows of the padding below the feature map zero, counted from the first one of the padding.
    pub(crate) fn clear_rows(&self, values: &mut [f32], rows: Range<usize>) {
        for block in values[..self.len()].chunks_exact_mut(self.block_stride()) {
            for row in rows.clone() {
                block[self.row_at(row)..][..self.row_stride()].fill(0.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clearing_the_padding_leaves_the_rest() {
        let padding = Padding { top: 1, left: 2, bottom: 0, right: 1 };
        let map = FeatureMap { height: 2, width: 3, channels: 5, block: 4, padding, kept: None, first: 0 };
        assert_eq!(map.len(), 2 * 5 * CACHE_LINE_VALUES);
        let mut values = vec![1.0; map.len()];
        map.clear_padding(&mut values);
        for block in values.chunks_exact(map.block_stride()) {
            for (y, row) in block.chunks_exact(map.row_stride()).enumerate().take(3) {
                for (x, pixel) in row.chunks_exact(map.block).enumerate() {
                    let inside = y >= 1 && (2..5).contains(&x);
                    assert_eq!(pixel, [f32::from(u8::from(inside)); 4], "{y} {x}");
                }
            }
        }
        assert_eq!(values[map.at(0, 0)], 1.0);
        assert_eq!(map.channel_at(1, 2, 4), map.block_stride() + map.at(1, 2));
    }
}
