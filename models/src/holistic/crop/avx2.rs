//! The same crops with AVX2 and FMA: one pixel's three channels at a time, in integer lanes.

use std::arch::x86_64::{
    _mm_add_epi32, _mm_cvtepi32_ps, _mm_fmadd_ps, _mm_madd_epi16, _mm_maddubs_epi16, _mm_set_epi64x,
    _mm_set1_epi16, _mm_set1_epi32, _mm_set1_ps, _mm_setr_epi8, _mm_shuffle_epi8, _mm_srli_epi32,
    _mm_storeu_ps,
};

use super::{Sampler, split};

/// Whether this processor has the instructions.
pub(super) fn is_available() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")
}

/// As [`Sampler::cut`].
#[target_feature(enable = "avx2,fma")]
pub(super) fn cut(sampler: &Sampler<'_>, map: &[f64; 9], side: usize, tensor: &mut [f32]) {
    sampler.cut(map, side, tensor, |sampler, xs, ys, row| interior(sampler, xs, ys, row));
}

/// As [`Sampler::interior`].
#[target_feature(enable = "avx2,fma")]
fn interior(sampler: &Sampler<'_>, xs: &[i32], ys: &[i32], row: &mut [f32]) {
    let (low, step) = sampler.range.low_and_step();
    let (low, step) = (_mm_set1_ps(low), _mm_set1_ps(step));
    let half = _mm_set1_epi32(512);
    // Of 8 bytes of the upper row and 8 of the lower one: left and right of one channel, upper row, then lower row.
    let by_channel = _mm_setr_epi8(0, 3, 8, 11, 1, 4, 9, 12, 2, 5, 10, 13, -1, -1, -1, -1);
    let stride = sampler.frame.stride;
    let pair = |offset: usize| match sampler.frame.data.get(offset..).and_then(<[u8]>::first_chunk::<8>) {
        Some(bytes) => i64::from_le_bytes(*bytes),
        // Unreachable for interior positions of a checked frame.
        None => 0,
    };
    // Each store writes a fourth value, which the next pixel overwrites; the last one has no next.
    let count = xs.len().saturating_sub(1);
    for ((index, x), y) in (0..count).zip(xs).zip(ys) {
        let ((x, a), (y, b)) = (split(*x), split(*y));
        let offset = y as usize * stride + x as usize * 3;
        let taps = _mm_set_epi64x(pair(offset + stride), pair(offset));
        // Weights of left and right, and of upper and lower, alternating in each channel.
        let across = _mm_set1_epi16(((32 - a) | a << 8) as i16);
        let down = _mm_set1_epi32(((32 - b) | b << 16) as i32);
        let rows = _mm_maddubs_epi16(_mm_shuffle_epi8(taps, by_channel), across);
        let levels = _mm_srli_epi32::<10>(_mm_add_epi32(_mm_madd_epi16(rows, down), half));
        let values = _mm_fmadd_ps(_mm_cvtepi32_ps(levels), step, low);
        let pixel = &mut row[index * 3..index * 3 + 4];
        // SAFETY: the slice holds four values.
        unsafe { _mm_storeu_ps(pixel.as_mut_ptr(), values) };
    }
    if let (Some(x), Some(y)) = (xs.last(), ys.last()) {
        row[count * 3..count * 3 + 3].copy_from_slice(&sampler.pixel(*x, *y));
    }
}
