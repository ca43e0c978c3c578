//! The same crops with AVX2 and FMA: weights of eight pixels at a time, then the channels of two.

use std::arch::x86_64::{
    __m128i, __m256i, _MM_HINT_T0, _mm_castpd_si128, _mm_castsi128_pd, _mm_loadh_pd, _mm_loadl_epi64,
    _mm_prefetch, _mm256_abs_epi32, _mm256_add_epi32, _mm256_cmpgt_epi32, _mm256_cvtepi32_ps,
    _mm256_fmadd_ps, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_maddubs_epi16, _mm256_max_epi32,
    _mm256_min_epi32, _mm256_mullo_epi32, _mm256_or_si256, _mm256_permutevar8x32_epi32,
    _mm256_permutevar8x32_ps, _mm256_set_m128i, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setr_epi8,
    _mm256_setr_epi32, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_slli_epi32, _mm256_srai_epi32,
    _mm256_srli_epi32, _mm256_storeu_ps, _mm256_storeu_si256, _mm256_sub_epi32, _mm256_testz_si256,
};

use super::sampler::{FRACTION_BITS, ONE, Sampler, positions};
use super::values::{Border, MAX_SIDE};
use crate::frame::RgbFrame;

/// Pixels whose weights are computed together.
pub(super) const LANES: usize = 8;

/// Whether crop and picture have the size for these instructions.
pub(super) fn can_cut(frame: &RgbFrame<'_>, side: usize) -> bool {
    side.is_multiple_of(LANES)
        && frame.width > 1
        && frame.height > 1
        && i32::try_from(frame.data.len()).is_ok()
}

/// As [`Sampler::cut`], for crops that [`can_cut`] accepts.
#[target_feature(enable = "avx2,fma")]
pub(super) fn cut(sampler: &Sampler<'_>, map: &[f64; 9], side: usize, tensor: &mut [f32]) {
    rows(sampler, map, side, tensor, |sampler, xs, ys, pixels| interpolate(sampler, xs, ys, pixels));
}

/// Goes through the crop's rows, eight pixels at a time, and has `interpolate` fill each eight.
#[inline]
#[target_feature(enable = "avx2,fma")]
pub(super) fn rows(
    sampler: &Sampler<'_>,
    map: &[f64; 9],
    side: usize,
    tensor: &mut [f32],
    interpolate: impl Fn(&Sampler<'_>, &[i32; LANES], &[i32; LANES], &mut [f32; LANES * 3]),
) {
    // The positions of this row and of the next.
    let mut rows = [([0_i32; MAX_SIDE], [0_i32; MAX_SIDE]); 2];
    let [this, next] = &mut rows;
    let (mut this, mut next) = (this, next);
    positions(map, 0, &mut next.0[..side], &mut next.1[..side]);
    for (v, row) in tensor.chunks_exact_mut(side * 3).take(side).enumerate() {
        std::mem::swap(&mut this, &mut next);
        positions(map, v + 1, &mut next.0[..side], &mut next.1[..side]);
        let (groups, _) = row.as_chunks_mut::<{ LANES * 3 }>();
        let [xs, ys, next_xs, next_ys] =
            [&this.0, &this.1, &next.0, &next.1].map(|positions| positions.as_chunks::<LANES>().0);
        for (index, pixels) in groups.iter_mut().enumerate() {
            prefetch(sampler.frame, next_xs[index][0], next_ys[index][0]);
            interpolate(sampler, &xs[index], &ys[index], pixels);
        }
    }
}

/// Has the picture's bytes at a position and below it brought near, as they are read soon: the picture was written by
/// another core, and networks ran since.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn prefetch(frame: &RgbFrame<'_>, x: i32, y: i32) {
    let x = (x >> FRACTION_BITS).clamp(0, frame.width as i32 - 1) as usize;
    let y = (y >> FRACTION_BITS).clamp(0, frame.height as i32 - 2) as usize;
    let above = frame.data.as_ptr().wrapping_add(y * frame.stride + x * 3);
    _mm_prefetch::<_MM_HINT_T0>(above.cast());
    _mm_prefetch::<_MM_HINT_T0>(above.wrapping_add(frame.stride).cast());
}

/// What eight pixels are made of.
pub(super) struct Taps {
    /// Where the upper left one of each pixel's four neighbours begins in the picture.
    upper_left: [i32; LANES],
    /// 8-bit weights of left and right by turns, twice for each pixel.
    pub(super) across: __m256i,
    /// 16-bit weights of the upper and the lower row.
    pub(super) down: __m256i,
}

impl Taps {
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn new(sampler: &Sampler<'_>, xs: &[i32; LANES], ys: &[i32; LANES]) -> Self {
        let frame = sampler.frame;
        let (columns, left, right) = taps(xs, frame.width, sampler.border);
        let (rows, upper, lower) = taps(ys, frame.height, sampler.border);
        let across = _mm256_or_si256(left, _mm256_slli_epi32::<8>(right));
        let across = _mm256_or_si256(across, _mm256_slli_epi32::<16>(across));
        let down = _mm256_or_si256(upper, _mm256_slli_epi32::<16>(lower));
        let offsets = _mm256_add_epi32(
            _mm256_mullo_epi32(rows, _mm256_set1_epi32(frame.stride as i32)),
            _mm256_mullo_epi32(columns, _mm256_set1_epi32(3)),
        );
        // Checked once for all eight, which takes less time than a check of each.
        let last = frame.data.len() as i32 - frame.stride as i32 - 6;
        let outside = _mm256_or_si256(
            _mm256_cmpgt_epi32(_mm256_setzero_si256(), offsets),
            _mm256_cmpgt_epi32(offsets, _mm256_set1_epi32(last)),
        );
        assert!(
            _mm256_testz_si256(outside, outside) == 1,
            "the first of two pixels is never in the last column, nor the upper one in the last row"
        );
        let mut upper_left = [0_i32; LANES];
        // SAFETY: the array holds eight numbers.
        unsafe { _mm256_storeu_si256(upper_left.as_mut_ptr().cast(), offsets) };
        Self { upper_left, across, down }
    }

    /// 8 bytes of the upper row and 8 of the lower one, which begin two bytes before the pixels so as not to end behind the
    /// picture.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub(super) fn both_rows(&self, frame: &RgbFrame<'_>, pixel: usize) -> __m128i {
        let upper = frame.data.as_ptr().wrapping_add(self.upper_left[pixel] as usize);
        let lower = upper.wrapping_add(frame.stride - 2);
        // SAFETY: both lie in the picture, as `new` has checked: the later one ends six bytes behind the lower pixel's start.
        unsafe {
            let upper = _mm_castsi128_pd(_mm_loadl_epi64(upper.cast()));
            _mm_castpd_si128(_mm_loadh_pd(upper, lower.cast()))
        }
    }
}

/// The pixels at eight positions.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn interpolate(sampler: &Sampler<'_>, xs: &[i32; LANES], ys: &[i32; LANES], pixels: &mut [f32; LANES * 3]) {
    let taps = Taps::new(sampler, xs, ys);
    let (low, step) = sampler.range.low_and_step();
    let (low, step) = (_mm256_set1_ps(low), _mm256_set1_ps(step));
    let half = _mm256_set1_epi32(512);
    // Left and right of one channel, upper row, then lower row.
    let by_channel = _mm256_setr_epi8(
        0, 3, 10, 13, 1, 4, 11, 14, 2, 5, 12, 15, -1, -1, -1, -1, //
        0, 3, 10, 13, 1, 4, 11, 14, 2, 5, 12, 15, -1, -1, -1, -1,
    );
    let without_fourth = _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7);
    for pair in 0..LANES / 2 {
        let (first, second) = (2 * pair, 2 * pair + 1);
        let bytes =
            _mm256_set_m128i(taps.both_rows(sampler.frame, second), taps.both_rows(sampler.frame, first));
        let (a, b) = (first as i32, second as i32);
        let lanes = _mm256_setr_epi32(a, a, a, a, b, b, b, b);
        let across = _mm256_permutevar8x32_epi32(taps.across, lanes);
        let down = _mm256_permutevar8x32_epi32(taps.down, lanes);
        let rows = _mm256_maddubs_epi16(_mm256_shuffle_epi8(bytes, by_channel), across);
        let sums = _mm256_add_epi32(_mm256_madd_epi16(rows, down), half);
        let levels = _mm256_cvtepi32_ps(_mm256_srli_epi32::<10>(sums));
        let values = _mm256_permutevar8x32_ps(_mm256_fmadd_ps(levels, step, low), without_fourth);
        if let Some(eight) = pixels[6 * pair..].first_chunk_mut::<LANES>() {
            // The last two are overwritten by the next pair.
            // SAFETY: there is room for eight numbers.
            unsafe { _mm256_storeu_ps(eight.as_mut_ptr(), values) };
        } else {
            let mut six_and_two = [0.0_f32; LANES];
            // SAFETY: the array holds eight numbers.
            unsafe { _mm256_storeu_ps(six_and_two.as_mut_ptr(), values) };
            pixels[6 * pair..].copy_from_slice(&six_and_two[..6]);
        }
    }
}

/// As [`Sampler::taps`] for eight positions: the first pixel, and the weights of it and the next.
#[inline]
#[target_feature(enable = "avx2,fma")]
fn taps(positions: &[i32; LANES], length: u32, border: Border) -> (__m256i, __m256i, __m256i) {
    let zero = _mm256_setzero_si256();
    let one = _mm256_set1_epi32(ONE);
    let last = length as i32 - 1;
    // SAFETY: the array holds eight numbers.
    let mut positions = unsafe { _mm256_loadu_si256(positions.as_ptr().cast()) };
    if border == Border::Replicate {
        positions = _mm256_min_epi32(_mm256_max_epi32(positions, zero), _mm256_set1_epi32(last * ONE));
    }
    let first = _mm256_srai_epi32::<{ FRACTION_BITS as i32 }>(positions);
    let first = _mm256_min_epi32(_mm256_max_epi32(first, zero), _mm256_set1_epi32(last - 1));
    let from_first = _mm256_sub_epi32(positions, _mm256_slli_epi32::<{ FRACTION_BITS as i32 }>(first));
    let from_second = _mm256_sub_epi32(from_first, one);
    let weight = |distance| _mm256_max_epi32(_mm256_sub_epi32(one, _mm256_abs_epi32(distance)), zero);
    (first, weight(from_first), weight(from_second))
}
