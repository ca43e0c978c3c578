//! Fused multiplications of vectors whose upper half is zero, so that channels of half a vector take half the time.

use pulp::Simd;

use crate::arithmetic;

/// Numbers in a vector of which a half is used alone.
pub(crate) const LANES: usize = 16;

/// Whether so many channels leave the upper half of their last vector empty.
pub(crate) fn is_enough(lanes: usize, channels: usize) -> bool {
    lanes == LANES && (1..=LANES / 2).contains(&(channels % LANES))
}

/// `a * b + c` in the lower half of the vectors, rounded once, and zeros in the upper half. Where vectors are short, all of
/// them is computed.
#[inline(always)]
pub(crate) fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    #[cfg(target_arch = "x86_64")]
    if S::F32_LANES == LANES {
        use std::arch::x86_64::{__m512, _mm256_fmadd_ps, _mm512_castps512_ps256, _mm512_zextps256_ps512};
        use std::mem::transmute_copy;
        // SAFETY: vectors of 16 numbers are those of AVX-512, and whoever has an `S` with them has its instructions.
        return unsafe {
            let a = _mm512_castps512_ps256(transmute_copy::<S::f32s, __m512>(&a));
            let b = _mm512_castps512_ps256(transmute_copy::<S::f32s, __m512>(&b));
            let c = _mm512_castps512_ps256(transmute_copy::<S::f32s, __m512>(&c));
            transmute_copy::<__m512, S::f32s>(&_mm512_zextps256_ps512(_mm256_fmadd_ps(a, b, c)))
        };
    }
    arithmetic::mul_add(simd, a, b, c)
}
