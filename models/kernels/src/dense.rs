//! Convolutions in which every output channel reads every input channel, and fully connected layers.

use std::array;
use std::ops::Range;

use pulp::{NullaryFnOnce, Simd, WithSimd};

use aligned_vec::AVec;

use crate::arithmetic;
use crate::cancel::Cancel;
use crate::epilogue::Epilogue;
use crate::feature_map::FeatureMap;
use crate::half_vector;
use crate::memory::{CACHE_LINE, aligned};
use crate::row_window::RowWindow;

/// Vectors of output channels that are summed at once.
const WIDE: usize = 2;
const WIDER: usize = 3;

/// The most pixels that go with `vectors` vectors where there are so many registers.
const fn most_pixels(registers: usize, vectors: usize) -> usize {
    // Browsers' compilers have 16 registers on most processors, and use fewer of them well.
    if cfg!(target_arch = "wasm32") {
        return [0, 4, 4, 3][vectors];
    }
    // As many sums as the latency of a fused multiplication asks for, and one or two more. Of 16 registers there are enough
    // for twelve, but of twelve the compiler keeps one in memory, for which all others wait. The more pixels share a weight,
    // the less is read for a multiplication: with 32 registers nearly all hold sums.
    let most: [usize; 4] = if registers < 32 { [0, 8, 5, 3] } else { [0, 14, 13, 8] };
    most[vectors]
}

/// Input values that stay in a core's own cache while all output channels are computed, and the fewest and the most
/// pixels that they may be of.
const BLOCK_VALUES: usize = 60_000;
const SMALLEST_BLOCK: usize = 24;
const BLOCK: usize = 192;

/// A dense convolution. Sums begin with the bias and go through rows, columns and channels, one fused multiplication
/// after the other, as XNNPACK's do.
#[derive(Debug)]
pub(crate) struct Dense {
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Rows and columns from one window to the next.
    pub(crate) stride: [usize; 2],
    /// Rows above and columns before the feature map at which the first window begins.
    pub(crate) padding: [usize; 2],
    pub(crate) epilogue: Epilogue,
    weights: Weights,
}

/// Weights in the order in which they are read: panels of [`WIDE`] vectors of output channels, and one of [`WIDER`] or of
/// a single vector where their number is odd. A panel is the vectors of the bias, then those of each input value of a
/// window.
#[derive(Debug)]
struct Weights {
    /// Rows and columns of a window. All columns count as one where what a window reads of a row lies side by side.
    window: [usize; 2],
    /// Values that a window reads of each of its pixels, or of each of its rows.
    depth: usize,
    /// How many of them are read at once: they lie side by side.
    group: usize,
    /// Whether all groups lie side by side, and not some in each block.
    packed: bool,
    /// Whether the last vector has output channels in its first half alone.
    half: bool,
    wide: AVec<f32>,
    odd: AVec<f32>,
}

/// Values of a block that are read at once, at most: enough of them that counting takes no time.
const GROUP: usize = 8;
/// The same of three and of five pixels with three colours.
const COLOURS_3: usize = 9;
const COLOURS_5: usize = 15;

impl Dense {
    /// `weights` are output channels x rows x columns x input channels; `block` is the input feature map's.
    #[expect(clippy::too_many_arguments, reason = "what a convolution is")]
    pub(crate) fn new(
        lanes: usize,
        [input, output]: [usize; 2],
        weights: &[f32],
        [rows, columns, channels]: [usize; 3],
        block: usize,
        bias: &[f32],
        [stride, padding]: [[usize; 2]; 2],
        epilogue: Epilogue,
    ) -> Self {
        let packed = channels == block;
        let group = if !packed {
            lanes.min(GROUP)
        } else {
            let row = columns * block;
            [GROUP, COLOURS_3, COLOURS_5].into_iter().find(|group| row.is_multiple_of(*group)).unwrap_or(1)
        };
        let depth = channels.next_multiple_of(if packed { 1 } else { group });
        let filters = bias.iter().zip(weights.chunks_exact(rows * columns * channels));
        // A panel may have more channels than there are filters, and groups more than there are input channels.
        let panel = |vectors: Range<usize>| {
            let width = vectors.len() * lanes;
            let mut panel = vec![0.0; (1 + rows * columns * depth) * width];
            for (lane, (bias, weights)) in filters.clone().skip(vectors.start * lanes).take(width).enumerate()
            {
                panel[lane] = *bias;
                for (place, weights) in weights.chunks_exact(channels).enumerate() {
                    let place = &mut panel[(1 + place * depth) * width..];
                    for (values, weight) in place.chunks_exact_mut(width).zip(weights) {
                        values[lane] = *weight;
                    }
                }
            }
            panel
        };
        let vectors = bias.len().div_ceil(lanes);
        let odd = match vectors {
            1 => 1,
            _ if vectors.is_multiple_of(WIDE) => 0,
            _ => WIDER,
        };
        let wide = (0..vectors - odd)
            .step_by(WIDE)
            .map(|first| panel(first..first + WIDE))
            .collect::<Vec<_>>()
            .concat();
        let odd = if odd > 0 { panel(vectors - odd..vectors) } else { Vec::new() };
        let (window, depth) = if packed { ([rows, 1], columns * depth) } else { ([rows, columns], depth) };
        let half = half_vector::is_enough(lanes, bias.len());
        let (wide, odd) = (aligned(&wide), aligned(&odd));
        let weights = Weights { window, depth, group, packed, half, wide, odd };
        Self { input, output, stride, padding, epilogue, weights }
    }

    /// Values of its weights.
    pub(crate) fn weights(&self) -> usize {
        self.weights.wide.len() + self.weights.odd.len()
    }

    /// Values that a window reads.
    pub(crate) fn depth(&self, input: &FeatureMap) -> usize {
        let Weights { window: [rows, columns], depth, packed, .. } = self.weights;
        rows * columns * if packed { depth } else { input.channels }
    }

    pub(crate) fn window(&self) -> RowWindow {
        let (rows, stride, padding) = (self.weights.window[0], self.stride[0], self.padding[0]);
        RowWindow { rows, stride, padding, depthwise: false }
    }
}

/// One run of a layer.
pub(crate) struct Run<'a> {
    pub(crate) layer: &'a Dense,
    pub(crate) input: (&'a FeatureMap, &'a [f32]),
    pub(crate) residual: Option<(&'a FeatureMap, &'a [f32])>,
    pub(crate) output: (&'a FeatureMap, &'a mut [f32]),
    /// Rows of the output to compute.
    pub(crate) rows: Range<usize>,
    /// Ends the run before the next panel.
    pub(crate) cancel: &'a Cancel,
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
        let Weights { window: [rows, columns], depth, half, wide, odd, .. } = &self.layer.weights;
        let depth = rows * columns * depth;
        let block = (BLOCK_VALUES / depth).clamp(SMALLEST_BLOCK, BLOCK);
        let panel = 1 + depth;
        let wide = S::as_simd_f32s(wide).0.as_chunks::<WIDE>().0;
        let odd = S::as_simd_f32s(odd).0;
        let mut places = [Place::default(); BLOCK];
        let mut next = (self.rows.start, 0);
        for count in even_parts(self.rows.len() * self.output.0.width, block) {
            let places = &mut places[..count];
            self.places(&mut next, places);
            let mut vector = 0;
            let panels = wide.chunks_exact(panel);
            let last = panels.len() - usize::from(odd.is_empty());
            for (index, weights) in panels.enumerate() {
                self.panel::<S, WIDE>(simd, weights, vector, places, *half && index == last);
                vector += WIDE;
            }
            if odd.len() == WIDER * panel {
                self.panel::<S, WIDER>(simd, odd.as_chunks().0, vector, places, *half);
            } else if odd.len() == panel {
                self.panel::<S, 1>(simd, odd.as_chunks().0, vector, places, *half);
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
    /// The places of the next pixels; `next` is the first one's row and column. Checks once for all of a row that what is
    /// read and written there lies in the feature maps: a check of each value takes as long as its multiplication.
    #[inline(always)]
    fn places(&self, next: &mut (usize, usize), places: &mut [Place]) {
        let ((map, input), output) = (self.input, self.output.0);
        let ([down, right], [above, before]) = (self.layer.stride, self.layer.padding);
        let Weights { window: [rows, columns], depth, packed, .. } = self.layer.weights;
        // From the first value of a window to behind the last one.
        let pixel_end = if packed { depth } else { (map.blocks() - 1) * map.block_stride() + map.block };
        let window = (rows - 1) * map.row_stride() + (columns - 1) * map.block + pixel_end;
        let pixel = |map: &FeatureMap| (map.blocks() - 1) * map.block_stride() + map.block;
        let left = (map.padding.left - before) * map.block;
        let mut rest = places;
        while !rest.is_empty() {
            let (y, x) = *next;
            let (row, later) = rest.split_at_mut(rest.len().min(output.width - x));
            let first = Place {
                input: map.row_at(map.padding.top - above + y * down) + left + x * right * map.block,
                output: output.at(y, x),
                residual: self.residual.map_or(0, |(map, _)| map.at(y, x)),
            };
            let step = Place {
                input: right * map.block,
                output: output.block,
                residual: self.residual.map_or(0, |(map, _)| map.block),
            };
            let mut place = first;
            for slot in row.iter_mut() {
                *slot = place;
                place.input += step.input;
                place.output += step.output;
                place.residual += step.residual;
            }
            let last = row.len() - 1;
            assert!(
                first.input + last * step.input + window <= input.len()
                    && first.output + last * step.output + pixel(output) <= self.output.1.len()
                    && self.residual.is_none_or(|(map, values)| {
                        first.residual + last * step.residual + pixel(map) <= values.len()
                    }),
                "windows and pixels lie in their feature maps"
            );
            *next = if x + row.len() == output.width { (y + 1, 0) } else { (y, x + row.len()) };
            rest = later;
        }
    }

    /// The output channels of a panel at some places, of the last vector those in its first half if `half`; nothing once the
    /// run is cancelled.
    #[inline(always)]
    fn panel<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        panel: &[[S::f32s; N]],
        vector: usize,
        places: &[Place],
        half: bool,
    ) {
        if self.cancel.is_cancelled() {
            return;
        }
        // Where vectors are short, there is nothing to compile for their halves.
        if const { S::F32_LANES == half_vector::LANES } && half {
            self.tiles::<S, N, true>(simd, panel, vector, places);
        } else {
            self.tiles::<S, N, false>(simd, panel, vector, places);
        }
    }

    #[inline(always)]
    fn tiles<S: Simd, const N: usize, const HALF: bool>(
        &mut self,
        simd: S,
        panel: &[[S::f32s; N]],
        vector: usize,
        places: &[Place],
    ) {
        match self.layer.weights.group {
            // The number of values is not compiled in there.
            _ if cfg!(target_arch = "wasm32") => self.groups::<S, N, 1, HALF>(simd, panel, vector, places),
            GROUP if const { S::F32_LANES >= 4 } => {
                self.groups::<S, N, GROUP, HALF>(simd, panel, vector, places);
            }
            4 if const { S::F32_LANES == 4 } => self.groups::<S, N, 4, HALF>(simd, panel, vector, places),
            COLOURS_3 if const { S::F32_LANES >= 4 } => {
                self.groups::<S, N, COLOURS_3, HALF>(simd, panel, vector, places);
            }
            COLOURS_5 if const { S::F32_LANES >= 4 } => {
                self.groups::<S, N, COLOURS_5, HALF>(simd, panel, vector, places);
            }
            _ => self.groups::<S, N, 1, HALF>(simd, panel, vector, places),
        }
    }

    /// The same by R values of the input at a time, since counting takes its share.
    #[inline(always)]
    fn groups<S: Simd, const N: usize, const R: usize, const HALF: bool>(
        &mut self,
        simd: S,
        panel: &[[S::f32s; N]],
        vector: usize,
        places: &[Place],
    ) {
        let Weights { window: [rows, columns], depth, group, packed, .. } = self.layer.weights;
        assert!(panel.len() == 1 + rows * columns * depth, "a panel has weights for a window");
        let read_at_once = if cfg!(target_arch = "wasm32") { group } else { R };
        assert!(
            depth.is_multiple_of(read_at_once) && group.is_multiple_of(read_at_once),
            "what is read at once lies side by side"
        );
        let map = self.input.0;
        let block_stride = self.output.0.block_stride();
        simd.vectorize(Tiles::<S, N, R, HALF> {
            simd,
            panel,
            vector,
            places,
            epilogue: &self.layer.epilogue,
            window: [rows, columns],
            depth,
            strides: [map.row_stride(), map.block],
            #[cfg(target_arch = "wasm32")]
            group,
            groups: match map.block / read_at_once {
                _ if packed => [read_at_once; 2],
                1 => [map.block_stride(); 2],
                _ => [read_at_once, map.block_stride() - read_at_once],
            },
            input: self.input.1.as_ptr(),
            output: (self.output.1.as_mut_ptr().wrapping_add(vector * block_stride), block_stride),
            residual: self.residual.map(|(map, values)| {
                let block_stride = map.block_stride();
                (
                    values.as_ptr().wrapping_add(vector * block_stride),
                    block_stride,
                    map.blocks().saturating_sub(vector),
                )
            }),
        });
    }
}

/// Tiles in which the next panel is fetched.
const FETCHING_TILES: usize = 4;

/// Lines of the next panel that are fetched with every so many bytes of this one.
const fn fetches(bytes: usize) -> usize {
    bytes.div_ceil(CACHE_LINE * FETCHING_TILES)
}

/// Has the processor fetch what is read soon.
#[inline(always)]
fn fetch<T>(value: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it has no effect but on the caches, whatever the address.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(value.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = value;
}

/// The output channels of a panel at some places. A function of its own, so that its sums get all registers.
struct Tiles<'a, S: Simd, const N: usize, const R: usize, const HALF: bool> {
    simd: S,
    panel: &'a [[S::f32s; N]],
    /// Index of the panel's first vector of output channels.
    vector: usize,
    /// Made by [`Run::places`].
    places: &'a [Place],
    epilogue: &'a Epilogue,
    /// Rows and columns of a window.
    window: [usize; 2],
    /// Values that it reads of a pixel, or of a row of pixels.
    depth: usize,
    /// From one row and pixel to the next.
    strides: [usize; 2],
    /// Values that are read at once: R, but in WebAssembly, where the compilers of browsers keep sums in memory if the reading of
    /// several values is written out.
    #[cfg(target_arch = "wasm32")]
    group: usize,
    /// From a group of them to the next, and from that to the one after it.
    groups: [usize; 2],
    input: *const f32,
    /// The vector's block, and values to the next one.
    output: (*mut f32, usize),
    /// The same of what is added, and how many blocks that has from there on.
    residual: Option<(*const f32, usize, usize)>,
}

impl<S: Simd, const N: usize, const R: usize, const HALF: bool> NullaryFnOnce for Tiles<'_, S, N, R, HALF> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let mut rest = self.places;
        for (index, count) in even_parts(rest.len(), Self::MOST).enumerate() {
            // While the first tiles are computed, the next panel comes from memory.
            let soon = size_of_val(self.panel) / FETCHING_TILES * index.min(FETCHING_TILES);
            let (places, others) = rest.split_at(count);
            match count {
                14 if const { 14 <= Self::MOST } => self.tile::<14>(places, soon),
                13 if const { 13 <= Self::MOST } => self.tile::<13>(places, soon),
                12 if const { 12 <= Self::MOST } => self.tile::<12>(places, soon),
                11 if const { 11 <= Self::MOST } => self.tile::<11>(places, soon),
                10 if const { 10 <= Self::MOST } => self.tile::<10>(places, soon),
                9 if const { 9 <= Self::MOST } => self.tile::<9>(places, soon),
                8 if const { 8 <= Self::MOST } => self.tile::<8>(places, soon),
                7 if const { 7 <= Self::MOST } => self.tile::<7>(places, soon),
                6 if const { 6 <= Self::MOST } => self.tile::<6>(places, soon),
                5 if const { 5 <= Self::MOST } => self.tile::<5>(places, soon),
                4 if const { 4 <= Self::MOST } => self.tile::<4>(places, soon),
                3 => self.tile::<3>(places, soon),
                2 => self.tile::<2>(places, soon),
                1 => self.tile::<1>(places, soon),
                _ => {}
            }
            rest = others;
        }
    }
}

impl<S: Simd, const N: usize, const R: usize, const HALF: bool> Tiles<'_, S, N, R, HALF> {
    /// The most pixels of a tile.
    const MOST: usize = most_pixels(S::REGISTER_COUNT, N);

    /// The weights of values that are read at once, and of those after them.
    #[inline(always)]
    fn groups_of<'a>(
        &self,
        weights: &'a [[S::f32s; N]],
    ) -> impl Iterator<Item = &'a [[S::f32s; N]]> + use<'a, S, N, R, HALF> {
        #[cfg(not(target_arch = "wasm32"))]
        return weights.as_chunks::<R>().0.iter().map(<[_; R]>::as_slice);
        #[cfg(target_arch = "wasm32")]
        return {
            let (mut rest, group) = (weights, self.group);
            // `chunks_exact` would divide.
            std::iter::from_fn(move || {
                let (weights, others) = rest.split_at_checked(group)?;
                rest = others;
                (!weights.is_empty()).then_some(weights)
            })
        };
    }

    /// The sums of M pixels; `soon` is a place in the next panel.
    #[cfg_attr(target_arch = "wasm32", inline(never))]
    #[cfg_attr(not(target_arch = "wasm32"), inline(always))]
    fn tile<const M: usize>(&self, places: &[Place], soon: usize) {
        let Some(places) = places.first_chunk::<M>() else { return };
        let Some((bias, weights)) = self.panel.split_first() else { return };
        let simd = self.simd;
        let ([rows, columns], [row, pixel]) = (self.window, self.strides);
        let input: [*const f32; M] = array::from_fn(|m| self.input.wrapping_add(places[m].input));
        let mut soon = weights.as_ptr_range().end.wrapping_byte_add(soon);
        let mut sums = [*bias; M];
        let mut rest = weights;
        for y in 0..rows {
            for x in 0..columns {
                let Some((weights, others)) = rest.split_at_checked(self.depth) else { return };
                rest = others;
                let mut from = y * row + x * pixel;
                for (index, weights) in self.groups_of(weights).enumerate() {
                    for _ in 0..const { fetches(R * size_of::<[S::f32s; N]>()) } {
                        fetch(soon);
                        soon = soon.wrapping_byte_add(CACHE_LINE);
                    }
                    for (at, weights) in weights.iter().enumerate() {
                        for m in 0..M {
                            // SAFETY: windows lie in the input.
                            let value = simd.splat_f32s(unsafe { input[m].add(from + at).read() });
                            for n in 0..N {
                                sums[m][n] = if HALF && n == N - 1 {
                                    half_vector::mul_add(simd, value, weights[n], sums[m][n])
                                } else {
                                    arithmetic::mul_add(simd, value, weights[n], sums[m][n])
                                };
                            }
                        }
                    }
                    from += self.groups[index % 2];
                }
            }
        }
        // Another variable, so that the sums above stay in registers.
        let mut results = sums;
        self.epilogue.apply(simd, &mut results, self.vector, |m, n| {
            let (values, block_stride, blocks) = self.residual?;
            let at = values.wrapping_add(places[m].residual + n * block_stride).cast::<S::f32s>();
            // SAFETY: the pixel lies in the feature map, and has that block.
            (n < blocks).then(|| unsafe { at.read_unaligned() })
        });
        let (output, block_stride) = self.output;
        for m in 0..M {
            let pixel = output.wrapping_add(places[m].output);
            for n in 0..N {
                // SAFETY: the pixel lies in the output, which has as many blocks as there are vectors.
                unsafe { pixel.add(n * block_stride).cast::<S::f32s>().write_unaligned(results[m][n]) };
            }
        }
    }
}
