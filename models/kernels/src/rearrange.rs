//! Layers that compute nothing: parts of feature maps, and channels that become pixels.

use std::ops::Range;

use crate::feature_map::FeatureMap;

/// A part of a feature map.
#[derive(Debug)]
pub(crate) struct Crop {
    pub(crate) input: usize,
    pub(crate) output: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) columns: Range<usize>,
    pub(crate) channels: Range<usize>,
}

impl Crop {
    pub(crate) fn run(&self, (map, input): (&FeatureMap, &[f32]), (to, output): (&FeatureMap, &mut [f32])) {
        output.fill(0.0);
        for (y, row) in self.rows.clone().enumerate() {
            for (x, column) in self.columns.clone().enumerate() {
                for (channel, from) in self.channels.clone().enumerate() {
                    output[to.channel_at(y, x, channel)] = input[map.channel_at(row, column, from)];
                }
            }
        }
    }
}

/// Blocks of pixels of what lies in one pixel: row by row, the channels of each place one after the other.
#[derive(Debug)]
pub(crate) struct DepthToSpace {
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Rows and columns of a block.
    pub(crate) block: usize,
}

impl DepthToSpace {
    pub(crate) fn run(&self, (map, input): (&FeatureMap, &[f32]), (to, output): (&FeatureMap, &mut [f32])) {
        output.fill(0.0);
        for y in 0..to.height {
            for x in 0..to.width {
                let place = y % self.block * self.block + x % self.block;
                for channel in 0..to.channels {
                    let from = map.channel_at(y / self.block, x / self.block, place * to.channels + channel);
                    output[to.channel_at(y, x, channel)] = input[from];
                }
            }
        }
    }
}
