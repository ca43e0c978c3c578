//! The greatest value of each window, and the mean of a whole feature map.

use pulp::{Simd, WithSimd};

use crate::arithmetic;
use crate::feature_map::FeatureMap;

/// The greatest value of windows that lie in the feature map.
#[derive(Debug)]
pub(crate) struct MaxPool {
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Rows and columns of a window.
    pub(crate) window: [usize; 2],
    /// Rows and columns from one window to the next.
    pub(crate) stride: [usize; 2],
}

/// One run of a layer.
pub(crate) struct MaxRun<'a> {
    pub(crate) layer: &'a MaxPool,
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
}

impl WithSimd for MaxRun<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((map, input), (output_map, output)) = (self.input, self.output);
        let ([rows, columns], [down, right]) = (self.layer.window, self.layer.stride);
        let length = map.width * map.block;
        for block in 0..output_map.blocks() {
            for y in 0..output_map.height {
                let at = output_map.at_in(block, y, 0);
                let to = &mut output[at..at + output_map.width * output_map.block];
                let to = S::as_mut_simd_f32s(to).0;
                for row in 0..rows {
                    let at = map.at_in(block, y * down + row, 0);
                    let from = S::as_simd_f32s(&input[at..at + length]).0;
                    for (x, greatest) in to.iter_mut().enumerate() {
                        let values = &from[x * right..x * right + columns];
                        let most = if row == 0 { values[0] } else { *greatest };
                        *greatest =
                            values.iter().fold(most, |most, value| arithmetic::max(simd, most, *value));
                    }
                }
            }
        }
    }
}

/// The mean of each channel.
#[derive(Debug)]
pub(crate) struct Mean {
    pub(crate) input: usize,
    pub(crate) output: usize,
}

/// One run of a layer.
pub(crate) struct MeanRun<'a> {
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
}

impl WithSimd for MeanRun<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let ((map, input), (output_map, output)) = (self.input, self.output);
        let share = simd.splat_f32s(1.0 / (map.height * map.width) as f32);
        for (index, block) in input.chunks_exact(map.block_stride()).enumerate() {
            let mut sum = simd.splat_f32s(0.0);
            for y in 0..map.height {
                let row = &block[map.at(y, 0)..][..map.width * map.block];
                for value in S::as_simd_f32s(row).0 {
                    sum = simd.add_f32s(sum, *value);
                }
            }
            let at = output_map.at_in(index, 0, 0);
            S::as_mut_simd_f32s(&mut output[at..at + output_map.block]).0[0] = simd.mul_f32s(sum, share);
        }
    }
}
