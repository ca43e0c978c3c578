//! Convolutions in which every output channel reads one input channel.

use std::array;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use aligned_vec::AVec;

use super::aligned;
use super::epilogue::Epilogue;
use super::image::Image;
use super::plan::Window;

/// Pixels of a row that are summed at once, at most.
const PIXELS: usize = 8;
/// A depthwise convolution with a square window of 1, 3 or 5. Sums begin with the bias and go through columns and
/// rows, one fused multiplication after the other, as XNNPACK's do; with a window of 1, its multiplication is not fused.
#[derive(Debug)]
pub(super) struct Depthwise {
    pub(super) input: usize,
    pub(super) output: usize,
    /// Rows and columns from one window to the next.
    pub(super) steps: [usize; 2],
    /// Rows above and columns before the picture at which the first window begins.
    pub(super) pads: [usize; 2],
    pub(super) epilogue: Epilogue,
    kernel: usize,
    /// By vector of channels the bias, then the weights column by column.
    weights: AVec<f32>,
}

impl Depthwise {
    /// `weights` are rows x columns x channels; `None` for a window that there is no kernel for.
    pub(super) fn new(
        lanes: usize,
        [input, output]: [usize; 2],
        weights: &[f32],
        [rows, columns]: [usize; 2],
        bias: &[f32],
        [steps, pads]: [[usize; 2]; 2],
        epilogue: Epilogue,
    ) -> Option<Self> {
        if rows != columns || !matches!(rows, 1 | 3 | 5) {
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
        Some(Self { input, output, steps, pads, epilogue, kernel: rows, weights: aligned(&weights) })
    }

    /// Values of its weights.
    pub(super) fn weights(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn window(&self) -> Window {
        Window { rows: self.kernel, down: self.steps[0], above: self.pads[0], depthwise: true }
    }
}

/// One run of a layer.
pub(super) struct Run<'a> {
    pub(super) layer: &'a Depthwise,
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) output: (&'a Image, &'a mut [f32]),
    /// Rows of the output to compute.
    pub(super) rows: Range<usize>,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.layer.kernel {
            1 => self.windows::<S, 1>(simd),
            3 => self.windows::<S, 3>(simd),
            _ => self.windows::<S, 5>(simd),
        }
    }
}

impl Run<'_> {
    #[inline(always)]
    fn windows<S: Simd, const K: usize>(self, simd: S) {
        let ((image, input), (output_image, output)) = (self.input, self.output);
        let ([down, right], [above, before]) = (self.layer.steps, self.layer.pads);
        let width = output_image.width;
        let tiles = width.div_ceil(PIXELS);
        for y in self.rows {
            let first_row = image.border.top - above + y * down;
            let left = (image.border.left - before) * image.stride;
            let taps = Taps::<K> {
                input,
                rows: array::from_fn(|row| image.row_at(first_row + row) + left),
                pixel: image.stride,
                step: right * image.stride,
                weights: &self.layer.weights,
                epilogue: &self.layer.epilogue,
            };
            let row = &mut output[output_image.at(y, 0)..][..width * image.stride];
            for tile in 0..tiles {
                // Tiles of nearly the same width.
                let (from, to) = (tile * width / tiles, (tile + 1) * width / tiles);
                let pixels = &mut row[from * image.stride..to * image.stride];
                match to - from {
                    8 => taps.sum::<S, 8>(simd, from, pixels),
                    7 => taps.sum::<S, 7>(simd, from, pixels),
                    6 => taps.sum::<S, 6>(simd, from, pixels),
                    5 => taps.sum::<S, 5>(simd, from, pixels),
                    4 => taps.sum::<S, 4>(simd, from, pixels),
                    3 => taps.sum::<S, 3>(simd, from, pixels),
                    2 => taps.sum::<S, 2>(simd, from, pixels),
                    _ => taps.sum::<S, 1>(simd, from, pixels),
                }
            }
        }
    }
}

/// What the windows of a row read; lengths are in values.
struct Taps<'a, const K: usize> {
    input: &'a [f32],
    /// Where each row of the first window begins.
    rows: [usize; K],
    /// From a pixel of the input and of the output to the next, and from a window to the next.
    pixel: usize,
    step: usize,
    weights: &'a [f32],
    epilogue: &'a Epilogue,
}

impl<const K: usize> Taps<'_, K> {
    /// T pixels of a row, from that column on.
    #[inline(always)]
    fn sum<S: Simd, const T: usize>(&self, simd: S, from: usize, pixels: &mut [f32]) {
        let first = from * self.step;
        // A check of each value takes as long as its multiplication.
        let last = first + (T - 1) * self.step + K * self.pixel;
        assert!(self.rows.iter().all(|row| row + last <= self.input.len()), "the windows lie in the picture");
        assert!(pixels.len() == T * self.pixel, "there are as many pixels as windows");
        // From the first window to each.
        let windows: [usize; T] = array::from_fn(|t| t * self.step);
        let mut first_window = self.input[first..].as_ptr();
        let mut pixels: [*mut f32; T] = array::from_fn(|t| pixels[t * self.pixel..].as_mut_ptr());
        let weights = S::as_simd_f32s(self.weights).0.chunks_exact(K * K + 1);
        for (vector, weights) in weights.take(self.pixel / S::F32_LANES).enumerate() {
            let mut sums = [[weights[0]]; T];
            for column in 0..K {
                for row in 0..K {
                    let weight = weights[1 + column * K + row];
                    let tap = first_window.wrapping_add(self.rows[row] + column * self.pixel);
                    for t in 0..T {
                        // SAFETY: the vector ends before the row's `last`, which lies in the slice.
                        let value = unsafe { tap.add(windows[t]).cast::<S::f32s>().read_unaligned() };
                        sums[t][0] = if K == 1 {
                            simd.add_f32s(simd.mul_f32s(value, weight), sums[t][0])
                        } else {
                            simd.mul_add_f32s(value, weight, sums[t][0])
                        };
                    }
                }
            }
            self.epilogue.apply(simd, &mut sums, vector, |_, _| None);
            for t in 0..T {
                // SAFETY: it is one of the pixel's vectors.
                unsafe { pixels[t].cast::<S::f32s>().write_unaligned(sums[t][0]) };
                pixels[t] = pixels[t].wrapping_add(S::F32_LANES);
            }
            // On to the next vector; after the last one neither is used.
            first_window = first_window.wrapping_add(S::F32_LANES);
        }
    }
}
