//! Layers that compute nothing: parts of pictures, and channels that become pixels.

use std::ops::Range;

use crate::image::Image;

/// A part of a picture.
#[derive(Debug)]
pub(super) struct Crop {
    pub(super) input: usize,
    pub(super) output: usize,
    pub(super) rows: Range<usize>,
    pub(super) columns: Range<usize>,
    pub(super) channels: Range<usize>,
}

impl Crop {
    pub(super) fn run(&self, (image, input): (&Image, &[f32]), (to, output): (&Image, &mut [f32])) {
        output.fill(0.0);
        for (y, row) in self.rows.clone().enumerate() {
            for (x, column) in self.columns.clone().enumerate() {
                for (channel, from) in self.channels.clone().enumerate() {
                    output[to.channel_at(y, x, channel)] = input[image.channel_at(row, column, from)];
                }
            }
        }
    }
}

/// Blocks of pixels of what lies in one pixel: row by row, the channels of each place one after the other.
#[derive(Debug)]
pub(super) struct DepthToSpace {
    pub(super) input: usize,
    pub(super) output: usize,
    /// Rows and columns of a block.
    pub(super) block: usize,
}

impl DepthToSpace {
    pub(super) fn run(&self, (image, input): (&Image, &[f32]), (to, output): (&Image, &mut [f32])) {
        output.fill(0.0);
        for y in 0..to.height {
            for x in 0..to.width {
                let place = y % self.block * self.block + x % self.block;
                for channel in 0..to.channels {
                    let from =
                        image.channel_at(y / self.block, x / self.block, place * to.channels + channel);
                    output[to.channel_at(y, x, channel)] = input[from];
                }
            }
        }
    }
}
