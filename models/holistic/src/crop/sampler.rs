//! Reads interpolated pixels at a crop's positions.

use super::values::{Border, MAX_SIDE, Range};
use crate::frame::RgbFrame;

/// Positions are in 1/32 pixel.
pub(super) const FRACTION_BITS: u32 = 5;
/// The weight of a pixel that a position falls on.
pub(super) const ONE: i32 = 1 << FRACTION_BITS;
/// Pixels that share one start value of the coordinates, as in OpenCV's blocks.
const BLOCK: usize = 64;

/// Picture positions of the tensor's row `v`, in 1/32 pixel.
#[inline(always)]
pub(super) fn positions(map: &[f64; 9], v: usize, xs: &mut [i32], ys: &mut [i32]) {
    /// Adding this to a float64 leaves the nearest integer (ties to even) in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;
    /// Far outside every picture, and small enough for the rounding above.
    const FAR: f64 = (1_u32 << 30) as f64;
    let round = |value: f64| (value.clamp(-FAR, FAR) + ROUND).to_bits() as i32;

    let v = v as f64;
    let blocks = xs.chunks_mut(BLOCK).zip(ys.chunks_mut(BLOCK));
    for (block, (xs, ys)) in blocks.enumerate() {
        let u0 = (block * BLOCK) as f64;
        let x0 = map[0] * u0 + map[1] * v + map[2];
        let y0 = map[3] * u0 + map[4] * v + map[5];
        let w0 = map[6] * u0 + map[7] * v + map[8];
        for (u, (x, y)) in xs.iter_mut().zip(ys).enumerate() {
            let u = f64::from(u as u32);
            let w = w0 + map[6] * u;
            let factor = if w == 0.0 { 0.0 } else { f64::from(1_u32 << FRACTION_BITS) / w };
            *x = round((x0 + map[0] * u) * factor);
            *y = round((y0 + map[3] * u) * factor);
        }
    }
}

/// Reads interpolated pixels of one picture.
pub(super) struct Sampler<'a> {
    pub(super) frame: &'a RgbFrame<'a>,
    pub(super) border: Border,
    pub(super) range: Range,
}

/// Two neighbouring pixels of a row or a column, and what each counts, in 1/32.
struct Taps {
    indices: [usize; 2],
    weights: [u32; 2],
}

impl Sampler<'_> {
    /// Fills `tensor`.
    pub(super) fn cut(&self, map: &[f64; 9], side: usize, tensor: &mut [f32]) {
        let levels = self.range.levels();
        let mut xs = [0_i32; MAX_SIDE];
        let mut ys = [0_i32; MAX_SIDE];
        let (xs, ys) = (&mut xs[..side], &mut ys[..side]);
        for (v, row) in tensor.chunks_exact_mut(side * 3).take(side).enumerate() {
            positions(map, v, xs, ys);
            let (pixels, _) = row.as_chunks_mut::<3>();
            for ((pixel, x), y) in pixels.iter_mut().zip(&*xs).zip(&*ys) {
                *pixel = self.pixel(*x, *y).map(|level| levels[usize::from(level)]);
            }
        }
    }

    /// The interpolated levels at a position anywhere. All three channels are weighed at once, in 21-bit lanes of a 64-bit
    /// number: the weights' sum is 1024.
    fn pixel(&self, x: i32, y: i32) -> [u8; 3] {
        let columns = self.taps(x, self.frame.width);
        let rows = self.taps(y, self.frame.height);
        // Half of the weights' sum, for rounding.
        let mut sum = 512 | 512 << 21 | 512 << 42;
        for (row, down) in rows.indices.into_iter().zip(rows.weights) {
            let [left, right] = self.pair(row * self.frame.stride + columns.indices[0] * 3);
            let [left_weight, right_weight] = columns.weights.map(u64::from);
            sum += u64::from(down) * (left * left_weight + right * right_weight);
        }
        [10, 31, 52].map(|shift| (sum >> shift) as u8)
    }

    /// Two neighbouring pixels, spread over 21-bit lanes. The second is any where there is none.
    fn pair(&self, offset: usize) -> [u64; 2] {
        let spread = |rgb: u64| rgb & 0xff | (rgb & 0xff00) << 13 | (rgb & 0xff_0000) << 26;
        let bytes = &self.frame.data[offset..];
        let bytes = match bytes.first_chunk::<8>() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)),
        };
        [spread(bytes), spread(bytes >> 24)]
    }

    /// The pixels that count at a position of an axis with `length` pixels. A pixel's weight falls to 0 over the distance
    /// to its neighbours; beyond the border there are either no pixels or copies of the last one.
    fn taps(&self, position: i32, length: u32) -> Taps {
        let last = length as i32 - 1;
        let position = match self.border {
            Border::Replicate => position.clamp(0, last * ONE),
            Border::Zero => position,
        };
        let first = position >> FRACTION_BITS;
        if (0..last).contains(&first) {
            let second = position - first * ONE;
            return Taps {
                indices: [first as usize, first as usize + 1],
                weights: [ONE - second, second].map(i32::cast_unsigned),
            };
        }
        let first = first.clamp(0, (last - 1).max(0));
        let second = first + 1;
        let weight = |pixel: i32| {
            if pixel <= last { (ONE - (position - pixel * ONE).abs()).max(0) as u32 } else { 0 }
        };
        Taps {
            indices: [first as usize, second.min(last) as usize],
            weights: [weight(first), weight(second)],
        }
    }
}
