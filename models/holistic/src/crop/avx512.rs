//! The same crops with AVX-512: weights of eight pixels at a time, then the channels of four.

use std::arch::x86_64::{
    _mm_setr_epi8, _mm256_set_m128i, _mm512_add_epi32, _mm512_broadcast_i32x4, _mm512_castsi256_si512,
    _mm512_cvtepi32_ps, _mm512_fmadd_ps, _mm512_inserti64x4, _mm512_madd_epi16, _mm512_maddubs_epi16,
    _mm512_mask_storeu_ps, _mm512_permutexvar_epi32, _mm512_permutexvar_ps, _mm512_set1_epi32,
    _mm512_set1_ps, _mm512_setr_epi32, _mm512_shuffle_epi8, _mm512_srli_epi32,
};

use super::avx2::{LANES, Taps, rows};
use super::sampler::Sampler;

/// As [`super::avx2::cut`].
#[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
pub(super) fn cut(sampler: &Sampler<'_>, map: &[f64; 9], side: usize, tensor: &mut [f32]) {
    rows(sampler, map, side, tensor, |sampler, xs, ys, pixels| interpolate(sampler, xs, ys, pixels));
}

/// The pixels at eight positions.
#[inline]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw")]
fn interpolate(sampler: &Sampler<'_>, xs: &[i32; LANES], ys: &[i32; LANES], pixels: &mut [f32; LANES * 3]) {
    let taps = Taps::new(sampler, xs, ys);
    let (low, step) = sampler.range.low_and_step();
    let (low, step) = (_mm512_set1_ps(low), _mm512_set1_ps(step));
    let half = _mm512_set1_epi32(512);
    // Left and right of one channel, upper row, then lower row.
    let by_channel =
        _mm512_broadcast_i32x4(_mm_setr_epi8(0, 3, 10, 13, 1, 4, 11, 14, 2, 5, 12, 15, -1, -1, -1, -1));
    let without_fourth = _mm512_setr_epi32(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 14, 15, 15, 15, 15);
    let (across, down) = (_mm512_castsi256_si512(taps.across), _mm512_castsi256_si512(taps.down));
    for (quad, twelve) in pixels.as_chunks_mut::<12>().0.iter_mut().enumerate() {
        let at = 4 * quad;
        let pair = |first: usize| {
            let [first, second] = [first, first + 1].map(|pixel| taps.both_rows(sampler.frame, pixel));
            _mm256_set_m128i(second, first)
        };
        let bytes = _mm512_inserti64x4::<1>(_mm512_castsi256_si512(pair(at)), pair(at + 2));
        let [a, b, c, d] = [0, 1, 2, 3].map(|pixel| at as i32 + pixel);
        let lanes = _mm512_setr_epi32(a, a, a, a, b, b, b, b, c, c, c, c, d, d, d, d);
        let across = _mm512_permutexvar_epi32(lanes, across);
        let down = _mm512_permutexvar_epi32(lanes, down);
        let rows = _mm512_maddubs_epi16(_mm512_shuffle_epi8(bytes, by_channel), across);
        let sums = _mm512_add_epi32(_mm512_madd_epi16(rows, down), half);
        let levels = _mm512_cvtepi32_ps(_mm512_srli_epi32::<10>(sums));
        let values = _mm512_permutexvar_ps(without_fourth, _mm512_fmadd_ps(levels, step, low));
        // SAFETY: the mask leaves the twelve numbers that there is room for.
        unsafe { _mm512_mask_storeu_ps(twelve.as_mut_ptr(), 0x0fff, values) };
    }
}
