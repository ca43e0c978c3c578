//! Convolutions in which every output channel reads every input channel, and fully connected layers.

use std::array;
use std::ops::Range;

use pulp::{NullaryFnOnce, Simd, WithSimd};

use aligned_vec::AVec;

use super::aligned;
use super::epilogue::{Epilogue, residual_vector};
use super::image::Image;
use super::plan::Window;

/// Vectors of output channels that are summed at once, and the pixels that go with them: twelve and eight sums, as many
/// as registers hold and as the latency of a fused multiplication asks for.
const WIDE: usize = 2;
const WIDE_PIXELS: usize = 6;
const NARROW_PIXELS: usize = 8;

/// Pixels whose input stays in a core's own cache while all output channels are computed; a multiple of both above.
const BLOCK: usize = 192;
/// Input values of such pixels.
const BLOCK_VALUES: usize = 60_000;

/// A dense convolution. Sums begin with the bias and go through rows, columns and channels, one fused multiplication
/// after the other, as XNNPACK's do.
#[derive(Debug)]
pub(super) struct Dense {
    pub(super) input: usize,
    pub(super) output: usize,
    /// Rows and columns from one window to the next.
    pub(super) steps: [usize; 2],
    /// Rows above and columns before the picture at which the first window begins.
    pub(super) pads: [usize; 2],
    pub(super) epilogue: Epilogue,
    weights: Weights,
}

/// Weights in the order in which they are read: panels of [`WIDE`] vectors of output channels, then maybe one of a
/// single vector. A panel is the vectors of the bias, then those of each input value of a window.
#[derive(Debug)]
struct Weights {
    rows: usize,
    /// Values that a window reads of a row, which lie side by side.
    run: usize,
    wide: AVec<f32>,
    narrow: AVec<f32>,
}

impl Dense {
    /// `weights` are output channels x rows x columns x input channels; `stride` is the input picture's.
    #[expect(clippy::too_many_arguments, reason = "what a convolution is")]
    pub(super) fn new(
        lanes: usize,
        [input, output]: [usize; 2],
        weights: &[f32],
        [rows, columns, channels]: [usize; 3],
        stride: usize,
        bias: &[f32],
        [steps, pads]: [[usize; 2]; 2],
        epilogue: Epilogue,
    ) -> Self {
        let run = (columns - 1) * stride + channels;
        let filters = bias.len();
        let panel = |first: usize, width: usize| {
            let mut values = Vec::with_capacity((1 + rows * run) * width);
            values.extend((first..first + width).map(|filter| bias.get(filter).copied().unwrap_or(0.0)));
            for (row, place) in (0..rows).flat_map(|row| (0..run).map(move |place| (row, place))) {
                let (column, channel) = (place / stride, place % stride);
                values.extend((first..first + width).map(|filter| {
                    if channel < channels && filter < filters {
                        weights[((filter * rows + row) * columns + column) * channels + channel]
                    } else {
                        0.0
                    }
                }));
            }
            values
        };
        let width = WIDE * lanes;
        let vectors = filters.div_ceil(lanes);
        let wide: Vec<f32> = (0..vectors / WIDE).flat_map(|index| panel(index * width, width)).collect();
        let narrow =
            if vectors.is_multiple_of(WIDE) { Vec::new() } else { panel((vectors - 1) * lanes, lanes) };
        let (wide, narrow) = (aligned(&wide), aligned(&narrow));
        Self { input, output, steps, pads, epilogue, weights: Weights { rows, run, wide, narrow } }
    }

    /// Values of its weights.
    pub(super) fn weights(&self) -> usize {
        self.weights.wide.len() + self.weights.narrow.len()
    }

    pub(super) fn window(&self) -> Window {
        let (rows, down, above) = (self.weights.rows, self.steps[0], self.pads[0]);
        Window { rows, down, above, depthwise: false }
    }
}

/// One run of a layer.
pub(super) struct Run<'a> {
    pub(super) layer: &'a Dense,
    pub(super) input: (&'a Image, &'a [f32]),
    pub(super) residual: Option<(&'a Image, &'a [f32])>,
    pub(super) output: (&'a Image, &'a mut [f32]),
    /// Rows of the output to compute.
    pub(super) rows: Range<usize>,
}

/// Where a window begins, and where its pixel lies in the output and in what is added.
#[derive(Clone, Copy, Default)]
struct Place {
    input: usize,
    output: usize,
    residual: usize,
}

impl WithSimd for Run<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let layer = self.layer;
        let Weights { rows, run, wide, narrow } = &layer.weights;
        let depth = rows * run;
        let block = (BLOCK_VALUES / depth).clamp(24, BLOCK) / 24 * 24;
        let panel = 1 + depth;
        let wide = S::as_simd_f32s(wide).0.as_chunks::<WIDE>().0;
        let narrow = S::as_simd_f32s(narrow).0.as_chunks::<1>().0;
        let mut places = [Place::default(); BLOCK];
        let mut next = (self.rows.start, 0);
        for count in even_parts(self.rows.len() * self.output.0.width, block) {
            let places = &mut places[..count];
            self.places(&mut next, places);
            for (index, panel) in wide.chunks_exact(panel).enumerate() {
                simd.vectorize(Tiles { simd, run: &mut self, panel, vector: index * WIDE, places });
            }
            if !narrow.is_empty() {
                let vector = wide.len() / panel * WIDE;
                simd.vectorize(Tiles { simd, run: &mut self, panel: narrow, vector, places });
            }
        }
    }
}

/// Lengths of the fewest parts of at most `most` that make up `total`, all nearly the same: a part that is much shorter
/// than the others takes nearly as long.
#[inline(always)]
fn even_parts(total: usize, most: usize) -> impl Iterator<Item = usize> {
    let parts = total.div_ceil(most).max(1);
    let (length, longer) = (total / parts, total % parts);
    (0..parts).map(move |part| length + usize::from(part < longer)).filter(|&length| length > 0)
}

impl Run<'_> {
    /// The places of the next pixels; `next` is the first one's row and column.
    #[inline(always)]
    fn places(&self, next: &mut (usize, usize), places: &mut [Place]) {
        let (image, output) = (self.input.0, self.output.0);
        let ([down, right], [above, before]) = (self.layer.steps, self.layer.pads);
        let left = (image.border.left - before) * image.stride;
        let mut count = 0;
        while count < places.len() {
            let y = next.0;
            let row = Place {
                input: image.row_at(image.border.top - above + y * down) + left,
                output: output.at(y, 0),
                residual: self.residual.map_or(0, |(image, _)| image.at(y, 0)),
            };
            let residual_step = self.residual.map_or(0, |(image, _)| image.stride);
            while next.1 < output.width && count < places.len() {
                let x = next.1;
                places[count] = Place {
                    input: row.input + x * right * image.stride,
                    output: row.output + x * output.stride,
                    residual: row.residual + x * residual_step,
                };
                next.1 += 1;
                count += 1;
            }
            if next.1 == output.width {
                *next = (y + 1, 0);
            }
        }
    }
}

/// The output channels of a panel at some places. A function of its own, so that its sums get all registers.
struct Tiles<'a, 'b, S: Simd, const N: usize> {
    simd: S,
    run: &'a mut Run<'b>,
    panel: &'a [[S::f32s; N]],
    /// Index of the panel's first vector of output channels.
    vector: usize,
    places: &'a [Place],
}

impl<S: Simd, const N: usize> NullaryFnOnce for Tiles<'_, '_, S, N> {
    type Output = ();

    #[inline(always)]
    fn call(mut self) {
        let most = if N == WIDE { WIDE_PIXELS } else { NARROW_PIXELS };
        let mut rest = self.places;
        for count in even_parts(rest.len(), most) {
            let (places, others) = rest.split_at(count);
            match count {
                8 if N < WIDE => self.tile::<8>(places),
                7 if N < WIDE => self.tile::<7>(places),
                6 => self.tile::<6>(places),
                5 => self.tile::<5>(places),
                4 => self.tile::<4>(places),
                3 => self.tile::<3>(places),
                2 => self.tile::<2>(places),
                1 => self.tile::<1>(places),
                _ => {}
            }
            rest = others;
        }
    }
}

impl<S: Simd, const N: usize> Tiles<'_, '_, S, N> {
    #[inline(always)]
    fn tile<const M: usize>(&mut self, places: &[Place]) {
        let Some(places) = places.first_chunk::<M>() else { return };
        let simd = self.simd;
        let (image, input) = self.run.input;
        let layer = self.run.layer;
        let Some((bias, weights)) = self.panel.split_first() else { return };
        let mut sums = [*bias; M];
        for (row, weights) in weights.chunks_exact(layer.weights.run).enumerate() {
            let row = row * image.row();
            let pixels: [&[f32]; M] = array::from_fn(|m| &input[places[m].input + row..][..weights.len()]);
            // Several at a time, as the counting takes its share.
            let (eights, rest) = weights.as_chunks::<8>();
            let groups: [&[[f32; 8]]; M] = array::from_fn(|m| &pixels[m].as_chunks::<8>().0[..eights.len()]);
            for (place, weights) in eights.iter().enumerate() {
                for at in 0..8 {
                    for m in 0..M {
                        let value = simd.splat_f32s(groups[m][place][at]);
                        for n in 0..N {
                            sums[m][n] = simd.mul_add_f32s(value, weights[at][n], sums[m][n]);
                        }
                    }
                }
            }
            for (weights, place) in rest.iter().zip(8 * eights.len()..) {
                for m in 0..M {
                    let value = simd.splat_f32s(pixels[m][place]);
                    for n in 0..N {
                        sums[m][n] = simd.mul_add_f32s(value, weights[n], sums[m][n]);
                    }
                }
            }
        }
        let residual = self.run.residual;
        layer.epilogue.apply(simd, &mut sums, self.vector, |pixel, vector| {
            residual_vector::<S>(residual, places[pixel].residual, vector)
        });
        for m in 0..M {
            let first = places[m].output + self.vector * S::F32_LANES;
            let pixel = S::as_mut_simd_f32s(&mut self.run.output.1[first..][..N * S::F32_LANES]).0;
            for n in 0..N {
                pixel[n] = sums[m][n];
            }
        }
    }
}
