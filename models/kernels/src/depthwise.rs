//! Convolutions in which every output channel reads one input channel.

use std::array;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use aligned_vec::AVec;

use crate::arithmetic;
use crate::cancel::Cancel;
use crate::epilogue::Epilogue;
use crate::feature_map::FeatureMap;
use crate::memory::aligned;
use crate::row_window::RowWindow;

/// Pixels of a row that are summed at once, at most, where there are so many registers.
const fn most_pixels(registers: usize) -> usize {
    // A browser's processor may have 16 registers whatever it has; and the file is the smaller the fewer widths there are.
    if cfg!(target_arch = "wasm32") {
        return 5;
    }
    if registers < 32 { 10 } else { 16 }
}
/// Rows that are computed before the next block.
const ROWS: usize = 16;

/// A depthwise convolution with a square window of 1, 3 or 5, one or two pixels from one window to the next. Sums begin
/// with the bias and go through columns and rows, one fused multiplication after the other, as XNNPACK's do; with a window
/// of 1, its multiplication is not fused.
#[derive(Debug)]
pub(crate) struct Depthwise {
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Rows and columns from one window to the next.
    pub(crate) stride: [usize; 2],
    /// Rows above and columns before the feature map at which the first window begins.
    pub(crate) padding: [usize; 2],
    pub(crate) epilogue: Epilogue,
    kernel: usize,
    /// By vector of channels the bias, then the weights column by column.
    weights: AVec<f32>,
}

impl Depthwise {
    /// `weights` are rows x columns x channels; `None` for a window that there is no kernel for.
    pub(crate) fn new(
        lanes: usize,
        [input, output]: [usize; 2],
        weights: &[f32],
        [rows, columns]: [usize; 2],
        bias: &[f32],
        [stride, padding]: [[usize; 2]; 2],
        epilogue: Epilogue,
    ) -> Option<Self> {
        if rows != columns || !matches!(rows, 1 | 3 | 5) || !matches!(stride[1], 1 | 2) {
            return None;
        }
        let channels = bias.len();
        let padded = |values: &[f32], first: usize| -> Vec<f32> {
            (first..first + lanes).map(|channel| values.get(channel).copied().unwrap_or(0.0)).collect()
        };
        let places = || (0..columns).flat_map(|column| (0..rows).map(move |row| row * columns + column));
        let weights: Vec<f32> = (0..channels)
            .step_by(lanes)
            .flat_map(|first| {
                let taps =
                    places().flat_map(move |place| padded(&weights[place * channels..][..channels], first));
                padded(bias, first).into_iter().chain(taps).collect::<Vec<_>>()
            })
            .collect();
        Some(Self { input, output, stride, padding, epilogue, kernel: rows, weights: aligned(&weights) })
    }

    /// Values of its weights.
    pub(crate) fn weights(&self) -> usize {
        self.weights.len()
    }

    pub(crate) fn window(&self) -> RowWindow {
        RowWindow { rows: self.kernel, stride: self.stride[0], padding: self.padding[0], depthwise: true }
    }
}

/// One run of a layer.
pub(crate) struct Run<'a> {
    pub(crate) layer: &'a Depthwise,
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
    /// Rows of the output to compute.
    pub(crate) rows: Range<usize>,
    /// Ends the run before the next block.
    pub(crate) cancel: &'a Cancel,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.layer.kernel, self.layer.stride[1]) {
            (1, 1) => self.windows::<S, 1, 1>(simd),
            (1, _) => self.windows::<S, 1, 2>(simd),
            (3, 1) => self.windows::<S, 3, 1>(simd),
            (3, _) => self.windows::<S, 3, 2>(simd),
            (_, 1) => self.windows::<S, 5, 1>(simd),
            _ => self.windows::<S, 5, 2>(simd),
        }
    }
}

/// Where the rows that the windows of a row read begin, and where the row itself does, in the first block.
#[derive(Clone, Copy)]
struct Row<const K: usize> {
    input: [usize; K],
    output: usize,
}

impl Run<'_> {
    /// Windows of K x K, STEP pixels apart. Block by block, since windows one above the other read the same rows.
    #[inline(always)]
    fn windows<S: Simd, const K: usize, const STRIDE: usize>(self, simd: S) {
        let ((map, input), (output_map, output)) = (self.input, self.output);
        let (down, [above, before]) = (self.layer.stride[0], self.layer.padding);
        let (left, width) = ((map.padding.left - before) * map.block, output_map.width);
        let weights = S::as_simd_f32s(&self.layer.weights).0;
        let mut row_table = [Row { input: [0; K], output: 0 }; ROWS];
        for start in self.rows.clone().step_by(ROWS) {
            let rows = start..self.rows.end.min(start + ROWS);
            for (y, row) in rows.clone().zip(&mut row_table) {
                let first = map.padding.top - above + y * down;
                *row = Row {
                    input: array::from_fn(|row| map.row_at(first + row) + left),
                    output: output_map.at(y, 0),
                };
            }
            for (vector, weights) in weights.chunks_exact(1 + K * K).enumerate() {
                if self.cancel.is_cancelled() {
                    return;
                }
                let mut block = Block::<S, K, STRIDE> {
                    simd,
                    input: &input[vector * map.block_stride()..][..map.block_stride()],
                    output: &mut output[vector * output_map.block_stride()..][..output_map.block_stride()],
                    vector,
                    weights,
                    epilogue: &self.layer.epilogue,
                };
                for row in &row_table[..rows.len()] {
                    block.check(row, width);
                    block.row(row, width);
                }
            }
        }
    }
}

/// The channels of a vector.
struct Block<'a, S: Simd, const K: usize, const STRIDE: usize> {
    simd: S,
    input: &'a [f32],
    output: &'a mut [f32],
    vector: usize,
    /// The bias, then the weights column by column.
    weights: &'a [S::f32s],
    epilogue: &'a Epilogue,
}

impl<S: Simd, const K: usize, const STRIDE: usize> Block<'_, S, K, STRIDE> {
    /// The most pixels that are summed at once.
    const MOST: usize = most_pixels(S::REGISTER_COUNT);

    /// Checks once that a row's windows and pixels lie in their feature maps: a check of each value takes as long as its
    /// multiplication.
    #[inline(always)]
    fn check(&self, row: &Row<K>, width: usize) {
        let last = ((width - 1) * STRIDE + K) * S::F32_LANES;
        assert!(
            row.input.iter().all(|row| row + last <= self.input.len())
                && row.output + width * S::F32_LANES <= self.output.len()
                && self.weights.len() == 1 + K * K,
            "windows and pixels lie in their feature maps"
        );
    }

    /// The pixels of a checked row.
    #[inline(always)]
    fn row(&mut self, row: &Row<K>, width: usize) {
        let tiles = width.div_ceil(Self::MOST);
        for tile in 0..tiles {
            // Tiles of nearly the same width.
            let (from, to) = (tile * width / tiles, (tile + 1) * width / tiles);
            match to - from {
                16 if const { 16 <= Self::MOST } => self.sum::<16>(row, from),
                15 if const { 15 <= Self::MOST } => self.sum::<15>(row, from),
                14 if const { 14 <= Self::MOST } => self.sum::<14>(row, from),
                13 if const { 13 <= Self::MOST } => self.sum::<13>(row, from),
                12 if const { 12 <= Self::MOST } => self.sum::<12>(row, from),
                11 if const { 11 <= Self::MOST } => self.sum::<11>(row, from),
                10 if const { 10 <= Self::MOST } => self.sum::<10>(row, from),
                9 if const { 9 <= Self::MOST } => self.sum::<9>(row, from),
                8 if const { 8 <= Self::MOST } => self.sum::<8>(row, from),
                7 if const { 7 <= Self::MOST } => self.sum::<7>(row, from),
                6 if const { 6 <= Self::MOST } => self.sum::<6>(row, from),
                5 if const { 5 <= Self::MOST } => self.sum::<5>(row, from),
                4 => self.sum::<4>(row, from),
                3 => self.sum::<3>(row, from),
                2 => self.sum::<2>(row, from),
                _ => self.sum::<1>(row, from),
            }
        }
    }

    /// T pixels of a checked row, from that column on.
    #[inline(always)]
    fn sum<const T: usize>(&mut self, row: &Row<K>, from: usize) {
        let simd = self.simd;
        let first = self.input.as_ptr().wrapping_add(from * STRIDE * S::F32_LANES);
        let mut sums = [[self.weights[0]]; T];
        for column in 0..K {
            for y in 0..K {
                let weight = self.weights[1 + column * K + y];
                let tap = first.wrapping_add(row.input[y]).cast::<S::f32s>();
                for t in 0..T {
                    // SAFETY: the row was checked.
                    let value = unsafe { tap.add(column + t * STRIDE).read_unaligned() };
                    sums[t][0] = if K == 1 {
                        simd.add_f32s(simd.mul_f32s(value, weight), sums[t][0])
                    } else {
                        arithmetic::mul_add(simd, value, weight, sums[t][0])
                    };
                }
            }
        }
        self.epilogue.apply(simd, &mut sums, self.vector, |_, _| None);
        let pixels = self.output.as_mut_ptr().wrapping_add(row.output + from * S::F32_LANES);
        for t in 0..T {
            // SAFETY: the row was checked.
            unsafe { pixels.cast::<S::f32s>().add(t).write_unaligned(sums[t][0]) };
        }
    }
}
